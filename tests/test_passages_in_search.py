"""Passages from end to end: long texts are cut when they are added, found by the part that matters, and show it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo.core.content import content_hash
from cosimo.core.errors import CollectionError
from cosimo.core.units import documents_of, seqs_of
from cosimo.core.vectors import mean_of_passages, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database

FILLER = "Nothing of note happens in this sentence about the weather. "
LONG = "# Diary\n\n" + FILLER * 60 + "\n\n## Kitchen\n\nThe zebra ate marmalade.\n\n## Garden\n\n" + FILLER * 60


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "p.db") as opened:
        yield opened


@pytest.fixture
def diary(db: Database) -> Collection:
    collection = db.collection("diary", model="fake:128")
    collection.add([cosimo.Document("long.md", LONG), cosimo.Document("short", "A zebra crossing in town")])
    return collection


def units(collection: Collection) -> list[tuple[int, int]]:
    """(document, passage) of everything an index holds."""
    numbers = collection._store.changes(collection.name).numbers
    return list(zip(documents_of(numbers).tolist(), seqs_of(numbers).tolist(), strict=True))


@pytest.mark.parametrize("mode", ["vector", "hybrid", "text"])
def test_a_long_text_is_found_by_its_part_and_shows_it(diary: Collection, mode: str) -> None:
    hit = next(hit for hit in diary.search("zebra ate marmalade", mode=mode) if hit.id == "long.md")  # type: ignore[arg-type]
    best = hit.passages[0]
    assert best.text == LONG[best.start : best.end]
    assert "marmalade" in best.text
    assert "Kitchen" in best.heading or "Kitchen" in best.text
    assert (best.score is None) == (mode == "text")


def test_a_short_text_is_one_passage(diary: Collection) -> None:
    hit = next(hit for hit in diary.search("zebra crossing") if hit.id == "short")
    assert [(match.start, match.end, match.text) for match in hit.passages] == [(0, 24, "A zebra crossing in town")]


def test_k_counts_documents(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document(f"{n}.md", f"# {n}\n\n" + FILLER * 200) for n in range(5)])
    for k in (1, 3, 5, 9):
        hits = collection.search("weather sentence", k, mode="vector")
        assert len({hit.id for hit in hits}) == len(hits) == min(k, 5)
        assert all(len(hit.passages) <= 3 for hit in hits)


def test_the_document_has_the_mean_of_its_passages(diary: Collection) -> None:
    change = diary._store.changes("diary")
    number = next(n for n, id in diary._store.ids_of("diary", documents_of(change.numbers).tolist()).items() if id == "long.md")
    parts = change.vectors[documents_of(change.numbers) == number]
    assert len(parts) > 2
    assert diary.vector("long.md") @ normalised(parts).mean(axis=0) > 0.9
    assert np.linalg.norm(diary.vector("long.md")) == pytest.approx(1, abs=1e-5)


def test_a_mean_weighs_by_tokens() -> None:
    two = np.eye(2, dtype=np.float32)
    assert mean_of_passages(two, [3, 1]).tolist() == pytest.approx([3 / 10**0.5, 1 / 10**0.5])
    assert mean_of_passages(two[:0].reshape(0, 2), []).tolist() == [0, 0]


def test_without_passages_the_beginning_counts(db: Database) -> None:
    collection = db.collection("whole", model="fake:128")
    added = collection.add([cosimo.Document("long.md", LONG)], passages=False)
    assert (added.cut, added.passages) == (1, 0)
    assert len(units(collection)) == 1
    again = db.collection("whole")
    again.add([cosimo.Document("more.md", LONG + "!")])  # what was decided holds
    assert len(units(again)) == 2
    with pytest.raises(CollectionError, match="another collection name"):
        again.add([cosimo.Document("x", "y")], passages=True)


def test_what_did_not_change_is_neither_cut_nor_embedded_again(diary: Collection) -> None:
    again = diary.add([cosimo.Document("long.md", LONG), cosimo.Document("copy.md", LONG)])
    assert (again.unchanged, again.added, again.embedded, again.passages) == (1, 1, 0, 0)
    counts = [seq for _, seq in units(diary)]
    assert counts.count(1) == 2  # the copy has passages of its own


def test_a_changed_text_loses_its_old_passages(diary: Collection) -> None:
    diary.search("zebra")  # an index that has to follow
    diary.add([cosimo.Document("long.md", "Now it is short")])
    assert all(seq == 0 for _, seq in units(diary))
    assert diary.search("short", mode="vector")[0].passages[0].text == "Now it is short"
    diary.delete("long.md")
    assert [hit.id for hit in diary.search("zebra", mode="vector")] == ["short"]


def test_without_stored_text_spans_are_kept_and_no_word_of_the_text(db: Database, tmp_path: Path) -> None:
    collection = db.collection("lean", model="fake:128")
    collection.add([cosimo.Document("long.md", LONG)], store=False)
    best = collection.search("zebra ate marmalade")[0].passages[0]
    assert best.text is None
    assert "marmalade" in LONG[best.start : best.end]
    db.close()
    assert b"Kitchen" not in (tmp_path / "p.db").read_bytes()


def test_another_programs_long_texts_get_passages_at_our_next_write(diary: Collection, db: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "p.db", isolation_level=None)
    blob, text = diary.vector("short").tobytes(), LONG.replace("zebra", "quokka")
    other.execute(
        "INSERT INTO embeddings (collection_id, id, embedding, content, content_hash, metadata)"
        " VALUES (1, 'theirs', ?, ?, ?, ?)",
        (blob, text, content_hash(text), "[not an object]"),
    )
    hits = {hit.id: hit for hit in diary.search("zebra crossing in town", mode="vector")}
    assert hits["theirs"].score == pytest.approx(hits["short"].score)  # by the vector it came with, as long as nobody writes
    added = diary.add([cosimo.Document("another", "a text")])
    assert (added.added, added.passages > 2) == (1, True)
    theirs = next(hit for hit in diary.search("quokka ate marmalade", mode="vector") if hit.id == "theirs")
    assert "quokka" in (theirs.passages[0].text or "")
    assert other.execute("SELECT metadata FROM embeddings WHERE id = 'theirs'").fetchone() == ("[not an object]",)
    assert diary.add([cosimo.Document("another", "a text")]).embedded == 0
    other.close()


def test_chinese_is_cut_at_its_own_full_stops(db: Database) -> None:
    text = "今天天气很好，我们去公园散步。" * 60 + "斑马吃了果酱。" + "明天可能会下雨，请带上雨伞。" * 60
    from cosimo.sources.passages import cut

    parts = cut(text, count=lambda texts: [len(each) for each in texts], max_tokens=100)
    assert all(part.text[-1] == "。" for part in parts)
    collection = db.collection("zh", model="fake:128")
    collection.add([cosimo.Document("日记", text)])
    assert "斑马" in (collection.search("斑马", mode="text")[0].passages[0].text or "")


def test_a_plan_counts_the_tokens_of_passages(db: Database) -> None:
    collection = db.collection("planned", model="fake:128")
    documents = [cosimo.Document("long.md", LONG), cosimo.Document("short", "a text")]
    plan = collection.plan(documents)
    assert plan.to_embed == 2
    assert plan.tokens == collection.add(documents).tokens
