"""The index of a collection: built, kept, merged, repaired and dropped by itself; `cosimo index`; readers beside a writer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo.collection import indexing
from cosimo.collection.indexing import key_of
from cosimo.core.errors import DataError, StoreError
from cosimo.core.vectors import METRICS, prepared, scored
from cosimo.indexes import choose
from cosimo.indexes.kept import WORTH
from cosimo.interfaces.cli import cli
from cosimo.testing.indexes import vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosimo.core.types import Hit

pytest.importorskip("faiss")

ROWS, DIM = 3_000, 32
TABLE, QUERIES = vectors(ROWS), vectors(8, 1)
IDS = [f"doc{number}" for number in range(ROWS)]


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as many rows in these tests: 1,000 of 32 numbers are scanned, 100,000 sorted into lists."""
    monkeypatch.setattr(choose, "SMALL", 1_000 * DIM)
    monkeypatch.setattr(choose, "LARGE", 100_000 * DIM)
    monkeypatch.setattr(indexing, "LITTLE", 500 * DIM)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of 3,000 vectors, with its index beside it."""
    with cosimo.open(tmp_path / "a.db") as db:
        db.collection("notes", model=None).add_vectors(IDS, TABLE, metadata=[{"n": n} for n in range(ROWS)])
    return tmp_path / "a.db"


def folder(path: Path) -> Path:
    return path.with_name(f"{path.name}-cosimo")


def index_files(path: Path) -> list[str]:
    """What lies beside a database, by ending."""
    return sorted(each.suffix for each in folder(path).iterdir()) if folder(path).exists() else []


GOOD = [".idx", ".json", ".lock"]


def data_file(path: Path) -> Path:
    [found] = folder(path).glob("*.idx")
    return found


def best(table: np.ndarray, query: np.ndarray, k: int, metric: Any = "cosine") -> list[tuple[int, float]]:
    scores = scored(prepared(table, metric), prepared(query[None], metric)[0], metric)
    return [(int(at), float(scores[at])) for at in np.argsort(-scores, kind="stable")[:k]]


def is_right(
    hits: list[Hit], table: np.ndarray, query: np.ndarray, k: int = 10, metric: Any = "cosine", ids: Any = IDS
) -> None:
    """As many as there are, with their exact scores, and nearly all of the nearest among them."""
    truth = best(table, query, k, metric)
    assert len(hits) == len(truth)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    everyone = dict(best(table, query, len(table), metric))
    for hit in hits:
        assert hit.score == pytest.approx(everyone[ids.index(hit.id)], rel=1e-4, abs=1e-4)
    assert len({hit.id for hit in hits} & {ids[at] for at, _ in truth}) >= 0.9 * len(truth)


def answers_rightly(path: Path, **options: Any) -> str:
    """The kind of index that answered."""
    with cosimo.open(path, **options) as db:
        notes = db.collection("notes")
        for query in QUERIES:
            is_right(notes.search(query), TABLE, query)
        return notes.index_info().info.kind


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "cosimo.index"]


# -- built and kept


def test_adding_many_vectors_leaves_an_index_that_the_next_process_opens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index_files(path) == GOOD
    monkeypatch.setattr(choose, "build", lambda *_, **__: pytest.fail("built again"))
    with cosimo.open(path) as db:
        asked: list[int | None] = []
        changes = db.store.changes
        monkeypatch.setattr(
            db.store, "changes", lambda name, since=None, **how: asked.append(since) or changes(name, since, **how)
        )
        is_right(db.collection("notes").search(QUERIES[0]), TABLE, QUERIES[0])
        assert None not in asked, "all vectors were read"
    assert answers_rightly(path, read_only=True) == "scan"


@pytest.mark.parametrize("address", [":memory:", "small.db"])
def test_few_rows_or_none_on_disk_leave_no_files(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with cosimo.open(address) as db:
        notes = db.collection("notes", model=None)
        notes.add_vectors(IDS[:900], TABLE[:900])
        assert len(notes.search(QUERIES[0])) == 10
        report = notes.index()
    assert (report.info.kind, report.disk) == ("flat", 0)
    assert not list(tmp_path.glob("*-cosimo"))


def test_a_search_builds_and_keeps_what_another_program_filled(tmp_path: Path, path: Path) -> None:
    shutil.rmtree(folder(path))
    assert answers_rightly(path) == "scan"
    assert index_files(path) == GOOD


def test_vectors_handed_over_in_pieces_are_not_indexed_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = choose.build
    monkeypatch.setattr(
        choose, "build", lambda numbers, *given, **named: built.append(len(numbers)) or build(numbers, *given, **named)
    )
    monkeypatch.setattr(choose, "seconds_to_build", lambda kind, rows, dim: rows / 1e3)  # slow enough to be put off
    with cosimo.open(tmp_path / "a.db") as db:
        notes = db.collection("notes", model=None)
        for start in range(0, ROWS, 100):
            notes.add_vectors(IDS[start : start + 100], TABLE[start : start + 100])
        assert len(built) <= 3
    assert built[-1] == ROWS, "closing left rows outside of the index"


def test_a_program_that_fails_or_is_interrupted_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "LITTLE", 10**9)

    def interrupted() -> None:
        with cosimo.open(tmp_path / "a.db") as db:
            db.collection("notes", model=None).add_vectors(IDS, TABLE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert index_files(tmp_path / "a.db") == []


def test_a_few_rows_more_are_searched_beside_the_index_and_many_merged(path: Path) -> None:
    more = vectors(1_000, 5)
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        before = data_file(path)
        notes.add_vectors([f"few{n}" for n in range(50)], more[:50])
        assert notes.search(more[7], 1)[0].id == "few7"
        assert notes.index_info().info.fresh == 50
    assert data_file(path) == before
    with cosimo.open(path) as db:
        db.collection("notes").add_vectors([f"many{n}" for n in range(950)], more[50:])
    assert data_file(path) != before
    with cosimo.open(path) as db:
        assert db.collection("notes").index_info().info.fresh == 0
        assert db.collection("notes").search(more[60], 1)[0].id == "many10"


def test_a_build_that_fails_does_not_undo_a_write(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def exhausted(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with cosimo.open(path) as db:
        monkeypatch.setattr(choose, "build", exhausted)
        assert db.collection("notes").add_vectors([f"new{n}" for n in range(1_000)], vectors(1_000, 3)) == 1_000
        assert len(db.collection("notes")) == ROWS + 1_000
    assert set(warned(caplog)) == {"the index of 'notes' was not built: not enough memory"}


def test_importing_and_searching_few_rows_imports_no_faiss(tmp_path: Path) -> None:
    code = (
        "import sys, cosimo, numpy as np\n"
        f"with cosimo.open({str(tmp_path / 'a.db')!r}) as db:\n"
        "    c = db.collection('c', model=None)\n"
        "    c.add_vectors(['a', 'b'], np.eye(2))\n"
        "    c.search([1, 0])\n"
        "assert 'faiss' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- always right


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["scan", "lists", "graph", "flat"])
def test_every_kind_and_metric_answers_with_exact_scores_and_as_many_as_there_are(kind: str, metric: Any, path: Path) -> None:
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        report = notes.index(kind, metric)
        assert (report.info.kind, report.info.metric, report.info.rows) == (kind, metric, ROWS)
        for query in QUERIES[:3]:
            is_right(notes.search(query), TABLE, query, metric=metric)
            is_right(notes.search(query, k=200), TABLE, query, 200, metric)
            for low in (0, 1_500, 2_700, 2_990, 2_999):
                hits = notes.search(query, where=f"n >= {low}")
                assert len(hits) == min(10, ROWS - low)
                is_right(hits, TABLE[low:], query, metric=metric, ids=IDS[low:])
            assert len(notes.search(query, prefix="doc29", k=500)) == 111
        nearest = notes.related("doc5", 3)
        assert "doc5" not in [hit.id for hit in nearest]
        assert len(nearest) == 3


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_words_and_meaning_mix_under_every_metric(metric: Any, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "a.db") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(
            [cosimo.Document(f"d{n}", f"note number {n} about {'bread' if n % 50 == 0 else 'stones'}") for n in range(1_500)]
        )
        report = notes.index("scan", metric)
        assert report.info.rows == 1_500
        hits = notes.search("bread number 50", 5)
    assert hits[0].id == "d50"
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert all(a.score >= b.score for a, b in pairwise(hits))
    if metric == "l2":
        assert all(hit.why.vector is not None and hit.why.vector <= 0 for hit in hits)


def test_rows_of_other_programs_are_found_and_gone_at_once(path: Path) -> None:
    new = (QUERIES[0] * 3).astype("<f4")
    with cosimo.open(path) as reader, sqlite3.connect(path) as other:
        notes = reader.collection("notes")
        first = notes.search(QUERIES[0], 3)
        other.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (1, 'by hand', ?)", (new.tobytes(),))
        other.execute("DELETE FROM embeddings WHERE id = ?", (first[0].id,))
        other.commit()
        found = [hit.id for hit in notes.search(QUERIES[0], 3)]
        assert found == ["by hand", first[1].id, first[2].id]
        other.execute("DELETE FROM embeddings WHERE id = 'by hand'")
        other.commit()
        assert notes.search(QUERIES[0], 1)[0].id == first[1].id
        assert notes.index_info().info.kind == "scan"


def test_a_collection_made_anew_under_the_name_is_not_mistaken(path: Path) -> None:
    with cosimo.open(path) as db, cosimo.open(path) as reader:
        watching = reader.collection("notes")
        watching.search(QUERIES[0])
        db.drop("notes")
        assert index_files(path) == []
        table = vectors(2_000, 9, 16)
        db.collection("notes", model=None).add_vectors(IDS[:2_000], table)
        for notes in (db.collection("notes"), reader.collection("notes")):
            is_right(notes.search(table[3]), table, table[3])


def test_an_older_backup_beside_its_later_index_is_believed_in_nothing(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with cosimo.open(path) as db:
        db.backup(tmp_path / "old.db")
        notes = db.collection("notes")
        notes.delete(IDS[:1_000])
        notes.add_vectors([f"later{n}" for n in range(1_000)], TABLE[:1_000])
        notes.index()
    path.unlink()
    assert not list(tmp_path.glob("a.db-[ws]*"))
    (tmp_path / "old.db").rename(path)
    assert answers_rightly(path) == "scan"
    assert warned(caplog) == []


def test_copies_that_went_different_ways_do_not_share_an_index(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        notes.add_vectors(IDS[:1_000], TABLE[:1_000] * -1)
        notes.index()
    with cosimo.open(copy) as db:
        db.collection("notes").add_vectors(["one more"], QUERIES[:1])  # as many changes or fewer
    shutil.rmtree(folder(copy))
    shutil.copytree(folder(path), folder(copy))
    with cosimo.open(copy) as db:
        for query in QUERIES:
            is_right(db.collection("notes").search(query), np.vstack([TABLE, QUERIES[:1]]), query, ids=[*IDS, "one more"])
    both = tmp_path / "both.db"  # a copy with its index, which it may use
    shutil.copy(path, both)
    shutil.copytree(folder(path), folder(both))
    table = TABLE.copy()
    table[:1_000] *= -1
    with cosimo.open(both) as db:
        is_right(db.collection("notes").search(QUERIES[0]), table, QUERIES[0])
    assert data_file(both).name == data_file(path).name, "built again for nothing"


def test_marks_of_old_builds_are_forgotten(path: Path) -> None:
    with cosimo.open(path) as db:
        for version in range(100):
            db.store.mark("notes", version)
        db.collection("notes").index()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM cosimo_marks").fetchone() == (64,)


def test_documents_in_passages_have_an_index_of_their_own_for_what_is_like_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "SMALL", 100 * DIM)
    texts = [" ".join(f"word{(n * 7 + i * i) % 997}" for i in range(900)) for n in range(150)]
    with cosimo.open(tmp_path / "a.db") as db:
        notes = db.collection("notes", model="fake:32")
        notes.add(cosimo.Document(f"d{n}", text) for n, text in enumerate(texts))
        assert db.store.has_passages("notes")
        notes.search(texts[3][:200])
        nearest = notes.related("d5")
        assert [hit.id for hit in nearest] == [hit.id for hit in notes.related("d5")]
        assert index_files(tmp_path / "a.db") == sorted(GOOD * 2)
        notes.drop_index()
        assert index_files(tmp_path / "a.db") == []


# -- damage


def flip(path: Path, part: float) -> None:
    raw = bytearray(path.read_bytes())
    raw[int(part * (len(raw) - 1))] ^= 0x20
    path.write_bytes(raw)


def manifest(path: Path) -> Path:
    [found] = path.parent.glob("*.json")
    return found


DAMAGE: dict[str, Callable[[Path], object]] = {
    **{f"cut off after {part:.0%}": lambda path, part=part: os.truncate(path, int(part * path.stat().st_size))
       for part in (0, 0.001, 0.1, 0.4, 0.9, 0.999)},
    **{f"a bit flipped at {part:.0%}": lambda path, part=part: flip(path, part) for part in (0, 0.0003, 0.02, 0.06, 0.11)},
    "every vector": lambda path: path.write_bytes(path.read_bytes()[:-128 * ROWS] + os.urandom(128 * ROWS)),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "the other byte order": lambda path: path.write_bytes(
        path.read_bytes()[:16] + path.read_bytes()[16:24][::-1] + path.read_bytes()[24:]),
    "gone": lambda path: path.unlink(),
    "another program's": lambda path: path.write_bytes(b"PK\3\4" * 1_000),
    "manifest empty": lambda path: manifest(path).write_bytes(b""),
    "manifest cut off": lambda path: os.truncate(manifest(path), 300),
    "manifest flipped": lambda path: flip(manifest(path), 0.5),
    "manifest of another format": lambda path: manifest(path).write_text(
        manifest(path).read_text().replace('"format": 1', '"format": 9')),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_costs_one_line_and_a_rebuild_and_no_answer(
    damage: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGE[damage](data_file(path))
    assert answers_rightly(path) == "scan"
    assert len(warned(caplog)) == 1, warned(caplog)
    assert "\n" not in warned(caplog)[0]
    caplog.clear()
    assert answers_rightly(path) == "scan"
    assert warned(caplog) == []
    assert index_files(path) == GOOD


def test_the_command_line_says_damage_in_one_line(path: Path) -> None:
    os.truncate(data_file(path), 5_000)
    command = [sys.executable, "-m", "cosimo", "similar", "notes", "doc7", "-d", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 10
    assert done.stderr.count("\n") == 1
    assert "built again" in done.stderr


def test_an_index_of_another_model_is_not_used(path: Path, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "b.db") as db:
        db.collection("notes", model=None).add_vectors(IDS, vectors(ROWS, 77))
    shutil.rmtree(folder(path))
    shutil.copytree(folder(tmp_path / "b.db"), folder(path))
    assert answers_rightly(path) == "scan"


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes and cuts off no file that is open")
def test_an_index_deleted_or_cut_off_while_open_does_no_harm(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        is_right(notes.search(QUERIES[0]), TABLE, QUERIES[0])
        shutil.rmtree(folder(path))
        for query in QUERIES:
            is_right(notes.search(query), TABLE, query)
        assert warned(caplog) == []
    assert answers_rightly(path) == "scan"
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        is_right(notes.search(QUERIES[0]), TABLE, QUERIES[0])
        os.truncate(data_file(path), 8_192)
        for query in QUERIES:
            is_right(notes.search(query), TABLE, query)
        assert len(warned(caplog)) == 1
        assert notes.index_info().info.kind == "scan"


@pytest.mark.skipif(os.name == "nt", reason="there are no limits on the size of files")
def test_a_full_disk_during_a_build_costs_one_line(path: Path) -> None:
    shutil.rmtree(folder(path))
    code = (
        "import resource, sys, cosimo, numpy as np\n"
        "from cosimo.testing.indexes import vectors\n"
        "with cosimo.open(sys.argv[1]) as db:\n"
        "    notes = db.collection('notes')\n"
        "    notes.index('flat')\n"  # the choice and its pages are written before the disk is full
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "    notes.index('scan')\n"
        "    print(len(notes.search(vectors(8, 1)[0])), notes.index_info().info.kind, notes.index_info().disk)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "10 scan 0\n", done.stderr
    assert done.stderr.count("\n") == 1
    assert "could not be written" in done.stderr
    assert index_files(path) == [".lock"]
    assert answers_rightly(path) == "scan"


def test_a_build_killed_at_any_moment_leaves_the_next_process_right_and_no_litter(path: Path) -> None:
    code = (
        "import sys, cosimo\n"
        "with cosimo.open(sys.argv[1]) as db:\n"
        "    notes = db.collection('notes')\n"
        "    notes.search([1.0] * 32)\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        notes.index('lists', params={'nlist': 16})\n"
    )
    killed = random_moments = np.random.default_rng(3).uniform(0, 0.4, 6).tolist()
    for wait in random_moments:
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        process.wait()
        process.stdout.close()
        with cosimo.open(path) as db:
            notes = db.collection("notes")
            is_right(notes.search(QUERIES[0]), TABLE, QUERIES[0])
            notes.index("scan")
        assert index_files(path) == GOOD
    assert len(killed) == 6


# -- where nothing can be written


def test_a_file_that_may_only_be_read_is_searched_exactly_then_indexed_in_memory(path: Path) -> None:
    shutil.rmtree(folder(path))
    with cosimo.open(path, read_only=True) as db:
        notes = db.collection("notes")
        is_right(notes.search(QUERIES[0]), TABLE, QUERIES[0])
        report = notes.index_info()
        assert (report.info.kind, report.disk) == ("flat", 0)
        assert "exactly for the time being" in report.why
        for _ in range(WORTH + 1):
            notes.search(QUERIES[1], 1)
        is_right(notes.search(QUERIES[0]), TABLE, QUERIES[0])
        assert notes.index_info().info.kind == "scan"
        with pytest.raises(StoreError, match="read-only"):
            notes.index("graph")
    assert not folder(path).exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_who_may_not_write_the_folder_searches_all_the_same(path: Path) -> None:
    os.truncate(data_file(path), 1_000)
    public = Path(tempfile.mkdtemp())  # pytest's own folders are nobody else's to enter
    shutil.copy(path, public / "a.db")
    shutil.copytree(folder(path), folder(public / "a.db"))
    path = public / "a.db"
    for each in (path, *folder(path).iterdir(), folder(path), public):
        each.chmod(0o555 if each.is_dir() else 0o444)
    code = (
        "import os, sys, cosimo, faiss, cosimo.stores.sqlite, cosimo.indexes.kept, cosimo.verbs.search\n"
        "from cosimo.testing.indexes import vectors\n"
        "os.seteuid(65534)\n"
        "with cosimo.open(sys.argv[1]) as db:\n"
        "    print(len(db.collection('notes').search(vectors(8, 1)[0])))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.count("\n")) == ("10\n", 1), done.stderr
    assert index_files(path) == GOOD
    shutil.rmtree(public)


def test_a_folder_in_the_way_is_said_once_a_process(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(folder(path))
    folder(path).write_text("a file where the folder should be")
    with cosimo.open(path) as db:
        for query in QUERIES:
            is_right(db.collection("notes").search(query), TABLE, query)
    assert len(warned(caplog)) == 1
    assert "kept in memory" in warned(caplog)[0]


# -- chosen


def test_what_is_chosen_is_remembered_and_others_follow_while_open(path: Path) -> None:
    with cosimo.open(path) as db, cosimo.open(path) as other:
        reader = other.collection("notes")
        assert reader.search(QUERIES[0])[0].score > 0
        report = db.collection("notes").index("lists", "l2", params={"nlist": 20, "nprobe": 20})
        assert (report.info.kind, report.info.params["nlist"], report.asked.metric) == ("lists", 20, "l2")
        assert report.seconds is not None
        assert report.disk > 0
        hits = reader.search(QUERIES[0])
        is_right(hits, TABLE, QUERIES[0], metric="l2")
        assert hits[0].score < 0
        assert reader.index_info().info.params["nprobe"] == 20
        again = reader.index(params={"nprobe": 5})  # of the type chosen before
        assert (again.info.kind, again.info.metric, again.info.params["nprobe"]) == ("lists", "l2", 5)
        assert db.collection("notes").index("graph").asked.params == {}
    with cosimo.open(path) as db:
        assert db.collection("notes").index_info().info.kind == "graph"
        assert db.collection("notes").drop_index()
        assert not folder(path).exists()
        assert not db.collection("notes").drop_index()
        is_right(db.collection("notes").search(QUERIES[0]), TABLE, QUERIES[0])
        assert db.collection("notes").index_info().info.kind == "scan"


def test_what_there_is_not_is_refused_and_not_remembered(path: Path) -> None:
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        for given, named, word in (
            (("tree",), {}, "types"),
            (("scan", "hamming"), {}, "metrics"),
            (("scan",), {"params": {"nprobe": 3}}, "bits, rescore"),
            (("auto",), {"params": {"nprobe": 3}}, "no parameters"),
        ):
            with pytest.raises(DataError, match=word):
                notes.index(*given, **named)
        assert notes.index_info().asked.kind == "auto"


def test_names_of_collections_make_safe_names_of_files() -> None:
    names = ["notes", "Notes", "../../etc/passwd", "a-b", "笔记", "", "x" * 500, "CON", "a\0b", "\ud800"]
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(key.replace("_", "").isalnum() and key.isascii() and len(key) < 60 for key in keys)


def test_collections_of_one_file_keep_their_indexes_apart(path: Path) -> None:
    table = vectors(2_000, 4)
    with cosimo.open(path) as db:
        db.collection("other-notes", model=None).add_vectors(IDS[:2_000], table)
        is_right(db.collection("notes").search(QUERIES[0]), TABLE, QUERIES[0])
        is_right(db.collection("other-notes").search(table[0]), table, table[0])
        assert index_files(path) == sorted(GOOD * 2)
        db.drop("other-notes")
    assert index_files(path) == GOOD


# -- cosimo index


def run(*given: str) -> Any:
    return CliRunner().invoke(cli, ["index", *given], catch_exceptions=False)


def test_the_command_builds_and_says_what_and_why(path: Path) -> None:
    done = run("notes", "-d", str(path))
    assert done.exit_code == 0
    assert done.output.startswith("notes: scan: 3,000 rows of 32 are searched by 4-bit codes")
    for word in ("3,000 rows, cosine, recall@10 ", " MB on disk", " s)"):
        assert word in done.output
    assert done.output.count("\n") == 1
    done = run("notes", "-d", str(path), "--type", "lists", "--metric", "ip", "--nlist", "30", "--nprobe", "7", "--json")
    record = json.loads(done.output)
    assert (record["type"], record["metric"], record["params"]["nprobe"], record["asked"]) == ("lists", "ip", 7, "lists")
    done = run("notes", "-d", str(path), "--info")
    assert json.loads(done.output)["bytes_on_disk"] == data_file(path).stat().st_size
    done = run("notes", "-d", str(path), "--type", "graph", "--m", "8", "--ef-search", "40")
    assert "graph: as asked for" in done.output
    assert "index removed" in run("notes", "-d", str(path), "--drop").output
    assert "no index" in run("notes", "-d", str(path), "--drop").output


def test_the_command_refuses_what_makes_no_sense(path: Path) -> None:
    for given in (
        ["--info", "--drop"],
        ["--info", "--type", "scan"],
        ["--nprobe", "3"],
        ["--type", "tree"],
        ["--type", "auto", "--m", "4"],
    ):
        assert run("notes", "-d", str(path), *given).exit_code == 2
    with pytest.raises(cosimo.Error, match="no collection"):
        run("nothing", "-d", str(path))


# -- threads, and readers beside a writer


def test_threads_search_while_another_one_writes_and_builds(path: Path) -> None:
    with cosimo.open(path) as db, ThreadPoolExecutor(3) as threads:
        notes, done = db.collection("notes"), Event()

        def search(query: np.ndarray) -> int:
            asked = 0
            while not done.is_set():
                is_right(notes.search(query), TABLE, query)
                asked += 1
            return asked

        searching = [threads.submit(search, query) for query in QUERIES[:3]]
        try:
            for kind in ("lists", "scan", "flat", "auto"):
                notes.index(kind)
                notes.add_vectors([f"far{n}" for n in range(600)], np.tile(-QUERIES[:3].sum(axis=0), (600, 1)))
                notes.delete([f"far{n}" for n in range(600)])
        finally:
            done.set()
        assert all(each.result() > 3 for each in searching)


READER = """
import sys, time, cosimo, numpy as np
path, state = sys.argv[1:]
deleted, added, end = (np.memmap(state, np.int64, "r", at, (1,)) for at in (0, 8, 16))
vector = lambda n: np.random.default_rng(n).normal(size=32).astype(np.float32)
asked = 0
with cosimo.open(path, read_only=asked % 2 == 1) as db:
    notes = db.collection("notes")
    print("ready", flush=True)
    while not end[0]:
        gone, there = int(deleted[0]), int(added[0])
        hits = [int(hit.id) for hit in notes.search(vector(there), 20)]
        assert len(hits) == 20, len(hits)
        assert min(hits) >= gone, ("a deleted row", min(hits), gone)
        assert hits[0] == there or there < int(deleted[0]), ("an added row is missing", there)
        asked += 1
print(asked)
"""


def test_readers_beside_ten_thousand_writes_see_no_error_and_nothing_deleted(tmp_path: Path) -> None:
    state = np.memmap(tmp_path / "state", np.int64, "w+", shape=(3,))
    table = np.array([np.random.default_rng(n).normal(size=DIM) for n in range(9_000)], np.float32)
    path, there, gone = tmp_path / "a.db", 4_000, 0
    writes = 0
    with cosimo.open(path) as db:
        notes = db.collection("notes", model=None)
        notes.add_vectors([str(n) for n in range(there)], table[:there])
        state[1] = there - 1
        notes.index("scan")
        readers = [
            subprocess.Popen([sys.executable, "-c", READER, str(path), str(tmp_path / "state")], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]  # fmt: skip
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        while writes < 10_000:
            notes.add_vectors([str(n) for n in range(there, there + 5)], table[there : there + 5])
            there += 5
            state[1] = there - 1
            notes.delete([str(n) for n in range(gone, gone + 5)])
            gone += 5
            state[0] = gone
            writes += 10
        state[2] = 1
        for reader in readers:
            out, err = reader.communicate(timeout=60)
            assert (reader.returncode, err) == (0, "")
            assert int(out) > 20
        assert notes.index_info().info.rows == 4_000
