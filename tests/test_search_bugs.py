"""Searches that once went wrong, by what a caller saw. Each test failed before its bug was mended."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo.core.content import content_hash
from cosimo.core.errors import BadVector, DataError
from cosimo.core.types import Cut, Passage, Row, Settings
from cosimo.indexes import choose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.database import Database

LONG = "Nothing of note happens in this sentence about the weather. " * 150


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "b.db") as opened:
        yield opened


def other_program(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "b.db", isolation_level=None)


# -- transactions that are rolled back


def undone(db: Database, id: str, text: str) -> None:
    collection = db.collection("c", model="fake:64")
    with suppress(RuntimeError), db.store.atomic():
        collection.add([cosimo.Document(id, text)])
        collection.search(text, mode="vector")
        raise RuntimeError


def test_a_row_written_after_two_rollbacks_has_its_own_vector(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("kept", "something else")])
    undone(db, "undone", "an old text about bicycles")
    with suppress(RuntimeError), db.store.atomic():
        collection.add([cosimo.Document("undone too", "x")])
        raise RuntimeError
    collection.add([cosimo.Document("new", "bread with butter")])
    assert collection.search("bread with butter", 1, mode="vector")[0].score == pytest.approx(
        db.collection("c").search("bread with butter", 1, mode="vector")[0].score
    )
    fresh = cosimo.open(db.name, read_only=True)
    assert collection.search("bread with butter", 1, mode="vector")[0].score == pytest.approx(
        fresh.collection("c").search("bread with butter", 1, mode="vector")[0].score
    )
    fresh.close()


def test_another_programs_row_after_a_rollback_is_seen(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("kept", "something else")])
    vector = collection.embedder.embed(["bread with butter"], role="query").vectors[0]
    undone(db, "undone", "an old text about bicycles")
    other = other_program(tmp_path)
    other.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (1, 'theirs', ?)", (vector.tobytes(),))
    other.close()
    hit = collection.search("bread with butter", 1, mode="vector")[0]
    assert (hit.id, hit.score) == ("theirs", pytest.approx(1, abs=1e-5))


# -- passages


def test_a_row_replaced_while_the_triggers_were_gone_gets_passages(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "short"), cosimo.Document("b", "short too")])
    other = other_program(tmp_path)
    for trigger in [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        other.execute(f"DROP TRIGGER {trigger}")
    other.execute("UPDATE embeddings SET content = ?, content_hash = ? WHERE id = 'a'", (LONG, content_hash(LONG)))
    other.close()
    assert collection.add([cosimo.Document("c", "one more")]).passages > 1


def test_documents_compared_as_a_whole_show_no_passage_as_theirs(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", LONG), cosimo.Document("b", LONG + "And then it rained.")])
    for hits in (collection.related("a"), collection.search(like=["a"])):
        assert [(match.start, match.end) for match in hits[0].passages] == [(0, len(hits[0].content or ""))]


def test_one_id_twice_in_a_batch_keeps_the_last_ones_passages(db: Database) -> None:
    db.store.create("c", Settings(model=None, dim=2))
    parts = [Passage(n, n, n + 1, "x", "", 1) for n in range(5)]
    first = Row("a", np.ones(2, np.float32), "xxxxx", cut=Cut(parts, np.ones((5, 2), np.float32)))
    last = replace(first, content="yy", cut=Cut(parts[:2], np.ones((2, 2), np.float32)))
    db.store.put("c", [first, last])
    assert len(db.store.changes("c").numbers) == 2
    db.store.put("c", [first, replace(last, cut=None)])
    assert len(db.store.changes("c").numbers) == 1


# -- several collections


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
def test_the_best_of_collections_of_different_models_is_first_for_every_k(db: Database, mode: str) -> None:
    noise = [f"nothing to do with it, number {n}" for n in range(60)]
    db.collection("a", model="fake:64").add([cosimo.Document(f"a{n}", text) for n, text in enumerate(noise)])
    best = [*noise, "how to back up a sqlite database"]
    db.collection("b", model="fake:300").add([cosimo.Document(f"b{n}", text) for n, text in enumerate(best)])
    for k in (1, 2, 5):
        assert db.search("how to back up a sqlite database", k, mode=mode)[0].id == "b60"  # type: ignore[arg-type]


def test_the_query_is_embedded_once_a_model(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        db.collection(name, model="fake:64").add([cosimo.Document(name, f"text of {name}")])
    embedder, calls = db.embedder("fake:64"), []
    embed = type(embedder).embed
    monkeypatch.setattr(type(embedder), "embed", lambda self, *args, **given: calls.append(1) or embed(self, *args, **given))
    assert len(db.search("text", mode="vector")) == 3
    assert len(calls) == 1


def test_vectors_of_different_models_are_not_grouped(db: Database) -> None:
    for model in ("fake:64", "fake:300"):
        db.collection(model, model=model).add([cosimo.Document("x", "the same text")])
    with pytest.raises(DataError, match="different models"):
        db.search("text", group=0.95)


# -- indexes


@pytest.mark.parametrize("kind", ["scan", "lists", "graph"])
def test_a_filter_used_again_gives_k_however_few_are_rescored(kind: str) -> None:
    random = np.random.default_rng(5)
    index = choose.build(
        np.arange(8_000) << 20, random.normal(size=(8_000, 32)).astype(np.float32), kind=kind, params={"rescore": 3}
    )
    allowed = np.arange(0, 8_000, 3)
    for _ in range(4):
        assert len(index.search(random.normal(size=(1, 32)).astype(np.float32), 10, allowed=allowed)[0][0]) == 10


@pytest.mark.filterwarnings("ignore")
def test_builders_and_searchers_in_transactions_do_not_wait_for_each_other(db: Database) -> None:
    random = np.random.default_rng(2)
    collection = db.collection("big", model=None, dim=64)
    collection.add_vectors([f"{n}" for n in range(70_000)], random.normal(size=(70_000, 64)))
    collection.drop_index()
    shutil.rmtree(f"{db.name}-cosimo", ignore_errors=True)

    def inside() -> None:
        for _ in range(20):
            with db.store.atomic():
                db.collection("big").search(random.normal(size=64))

    def outside() -> None:
        for _ in range(3):
            db.collection("big").index()

    threads = [threading.Thread(target=target, daemon=True) for target in (inside, outside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


# -- the file


def test_a_full_text_of_this_connection_alone_is_made_once(db: Database) -> None:
    db.collection("c", model="fake:16").add([cosimo.Document("a", "some text")])
    with cosimo.open(db.name, read_only=True) as reader:
        collection = reader.collection("c")
        assert reader.store.text_pending("c") == 1
        assert collection.search("text", mode="text")
        assert reader.store.text_pending("c") == 0


def test_a_dropped_collection_leaves_no_words_and_no_places(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:16")
    collection.add(cosimo.Document(f"{n}", f"zebra {n}", {"place": {"lat": n / 100, "lon": 2}}) for n in range(1_200))
    collection.search("zebra", where="NEAR(place, 1, 2, 5000)")
    db.drop("c")
    other = other_program(tmp_path)
    tables = [
        name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'cosimo_*_1*'")
    ]
    assert tables == []
    other.close()


def test_adding_what_is_there_writes_nothing_though_another_collection_changed(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:16")
    documents = [cosimo.Document("a", "a text")]
    collection.add(documents)
    collection.add(documents)
    db.collection("d", model="fake:16").add(documents)
    other = other_program(tmp_path)
    before = other.execute("PRAGMA data_version").fetchone()
    collection.add(documents)
    assert other.execute("PRAGMA data_version").fetchone() == before
    other.close()


# -- what is said


def test_one_text_is_no_list_of_its_letters(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("ab", "sqlite"), cosimo.Document("a", "x"), cosimo.Document("b", "y")])
    assert collection.search(plus="sqlite", k=1)[0].id == "ab"
    assert {hit.id for hit in collection.search(like="ab")} == {"a", "b"}


def test_a_damaged_example_is_named(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "x"), cosimo.Document("b", "y")])
    other = other_program(tmp_path)
    other.execute("UPDATE embeddings SET embedding = x'00000000' WHERE id = 'b'")
    other.close()
    with pytest.raises(BadVector, match="'b' is damaged"):
        collection.search(like=["a", "b"])


def test_operators_and_unwanted_words_are_no_reason(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "sqlite is not a cloud of bees"), cosimo.Document("b", "sqlite and the sea")])
    assert collection.search("sqlite NOT (cloud OR bees)", fts_syntax=True)[0].why.terms == ("sqlite",)


def test_facets_take_no_query_and_heed_the_prefix(db: Database) -> None:
    from click.testing import CliRunner

    from cosimo.interfaces.cli import cli

    collection = db.collection("c", model="fake:64")
    collection.add(cosimo.Document(f"{kind}{n}", "x", {"kind": kind}) for kind in "ab" for n in range(3))
    assert collection.facets("kind", prefix="a") == {"a": 3}
    for given in (["red"], ["--like", "a1"], ["-n", "1"]):
        result = CliRunner().invoke(cli, ["search", "c", *given, "--facets", "kind", "-d", str(db.name)])
        assert (result.exit_code, "--facets counts" in result.stderr) == (2, True)


@pytest.mark.parametrize("facet", ["category.x", '"a.b"'])
def test_facets_name_fields_as_filters_do(db: Database, facet: str) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "x", {"a.b": 3, "category": {"x": 1}})])
    assert sum(collection.facets(facet).values()) == 1


def test_a_passage_is_shown_only_where_its_text_still_stands(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", LONG)])
    other = other_program(tmp_path)
    other.execute("UPDATE embeddings SET content = 'tiny'")
    other.close()
    for mode in ("vector", "text", "hybrid"):
        for hit in collection.search("weather tiny", mode=mode):  # type: ignore[arg-type]
            assert [match.text for match in hit.passages] == ["tiny"]


def test_terms_are_whole_words_with_common_endings(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "a red hat, concatenate"), cosimo.Document("b", "running shoes for a runner")])
    assert all(hit.why.terms == () for hit in collection.search("cat"))
    assert collection.search("run", mode="text")[0].why.terms == ("run",)


def test_words_alone_touch_no_vectors(db: Database) -> None:
    random = np.random.default_rng(1)
    collection = db.collection("c", model=None, dim=64)
    collection.add_vectors([f"{n}" for n in range(70_000)], random.normal(size=(70_000, 64)), contents=["some words"] * 70_000)
    collection.drop_index()
    assert len(collection.search("words", mode="text")) == 10
    assert not list((db.store.derived or tmp_folder()).glob("*.idx"))


def tmp_folder() -> Path:
    raise AssertionError("a file has a folder for what is derived")


def test_an_empty_collection_takes_no_mode_from_the_others(db: Database) -> None:
    db.collection("c", model="fake:64").add([cosimo.Document("a", "some words")])
    empty = db.collection("e", model="fake:64")
    empty.add([cosimo.Document("x", "gone")])
    empty.delete("x")
    assert db.search("words")[0].why.text is not None


def test_a_little_diversity_changes_little_in_mode_text(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document(f"d{n}", "common " * (n + 1)) for n in range(12)])
    plain = [hit.id for hit in collection.search("common", 3, mode="text")]
    assert [hit.id for hit in collection.search("common", 3, mode="text", diversity=0.001)] == plain


@pytest.mark.parametrize(
    "given",
    [
        {"min_score": "1"},
        {"min_score": float("nan")},
        {"diversity": "x"},
        {"group": [1]},
        {"like": 5},
        {"plus": [5]},
        {"k": 1.5},
    ],
)
def test_arguments_of_the_wrong_type_are_named(db: Database, given: dict[str, object]) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "some words")])
    with pytest.raises(DataError):
        collection.search("words", **given)  # type: ignore[arg-type]
    assert len(collection.search("words", np.int64(2))) == 1


def test_nan_in_metadata_is_printed_as_json_knows_it(db: Database, tmp_path: Path) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "x", {"price": 1})])
    other = other_program(tmp_path)
    other.execute("""UPDATE embeddings SET metadata = '{"price": NaN}'""")
    other.close()
    assert collection.get("a").metadata == {"price": None}


def test_a_damaged_lock_is_replaced(db: Database) -> None:
    random = np.random.default_rng(1)
    collection = db.collection("c", model=None, dim=16)
    collection.add_vectors([f"{n}" for n in range(3_000)], random.normal(size=(3_000, 16)))
    collection.index("scan")
    assert db.store.derived is not None
    next(db.store.derived.glob("*.lock")).write_bytes(random.bytes(30_000))
    assert collection.index("scan").disk > 0


def test_headings_of_any_kind_are_cut_in_time_with_their_length() -> None:
    from cosimo.sources.passages import cut

    nested = "".join(f"{'#' * (1 + n % 6)} {'very ' * 100}long heading {n}\n\ntext {n}\n\n" for n in range(75))
    passages = cut(nested, count=lambda texts: [len(text.split()) + 2 for text in texts], max_tokens=254)
    assert len(passages) < 75  # cut into words, they took ten seconds
