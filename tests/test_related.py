"""Related items of a whole collection: the lists kept are those of a look at everything, and little is done to keep them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import cosimo
from cosimo.core.errors import DataError, NotFound, StoreError
from cosimo.interfaces.cli import cli
from cosimo.verbs import neighbours
from cosimo.verbs.neighbours import Neighbours, on_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from cosimo.collection.database import Database

Pairs = dict[str, list[tuple[str, float]]]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "notes.db") as opened:
        yield opened


def vectors(n: int, dim: int = 16, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def numbered(n: int) -> list[str]:
    return [f"{i:05}" for i in range(n)]


@pytest.fixture
def shapes(db: Database) -> cosimo.Collection:
    collection = db.collection("shapes", model=None, dim=16)
    collection.add_vectors(numbered(60), vectors(60))
    return collection


def lists(collection: cosimo.Collection) -> Pairs:
    found: Pairs = {}
    for id, other, score in collection.similarities():
        found.setdefault(id, []).append((other, score))
    return found


def by_hand(items: dict[str, np.ndarray], k: int) -> Pairs:
    """Every pair, one at a time, in exact arithmetic of fractions on the grid that scores are defined on."""
    units = {id: [int(x * 2**24) for x in on_grid(vector[None])[0]] for id, vector in items.items() if vector.any()}
    found: Pairs = {}
    for id, unit in units.items():
        scored = [
            (max(-1.0, min(1.0, np.rint(sum(a * b for a, b in zip(unit, other, strict=True)) / 2**48 * 1e6) / 1e6)), name)
            for name, other in units.items()
            if name != id
        ]
        best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]
        if best:
            found[id] = [(name, score) for score, name in best]
    return found


def stored(collection: cosimo.Collection) -> dict[str, np.ndarray]:
    return {row.id: row.vector for row in collection.rows()}


# --- what is near -----------------------------------------------------------------------------------------------------


def test_the_lists_are_those_of_comparing_every_pair(shapes: cosimo.Collection) -> None:
    report = shapes.relate(5)
    assert (report.items, report.full, report.recomputed, report.written, report.removed) == (60, True, 60, 300, 0)
    assert lists(shapes) == by_hand(stored(shapes), 5)


def test_scores_are_the_cosines_that_related_gives(shapes: cosimo.Collection) -> None:
    shapes.relate(5)
    for id, kept in lists(shapes).items():
        hits = shapes.related(id, 5)
        assert [hit.id for hit in hits] == [other for other, _ in kept]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in kept], abs=2e-6)


def test_vectors_of_all_zeros_are_near_to_nothing(db: Database) -> None:
    collection = db.collection("c", model=None, dim=2)
    collection.add_vectors(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    collection.relate(5)
    assert lists(collection) == {"a": [("b", 0.707107)], "b": [("a", 0.707107)]}


def test_copies_stand_in_the_order_of_their_ids(db: Database) -> None:
    collection = db.collection("c", model=None, dim=2)
    collection.add_vectors(["d", "b", "a", "far", "c"], [[1, 1], [2, 2], [3, 3], [1, 0], [1, 1]])
    collection.relate(2)
    assert lists(collection) == {
        "a": [("b", 1.0), ("c", 1.0)],
        "b": [("a", 1.0), ("c", 1.0)],
        "c": [("a", 1.0), ("b", 1.0)],
        "d": [("a", 1.0), ("b", 1.0)],
        "far": [("a", 0.707107), ("b", 0.707107)],
    }


@pytest.mark.parametrize("ids", [[], ["alone"]])
def test_where_nothing_is_beside_an_item_the_lists_are_empty(db: Database, ids: list[str]) -> None:
    collection = db.collection("c", model=None, dim=2)
    collection.add_vectors(["gone", *ids], [[1, 0]] * (1 + len(ids)))
    collection.delete("gone")
    assert collection.relate().written == 0
    assert list(collection.similarities()) == []
    collection.add_vectors(["x", "y"], [[1, 0], [0, 1]])
    assert collection.relate().written == (len(ids) + 2) * (len(ids) + 1)


def test_k_beyond_the_number_of_items_lists_all_of_them(shapes: cosimo.Collection) -> None:
    assert shapes.relate(1_000_000).written == 60 * 59
    shapes.add_vectors(["new"], vectors(1, seed=9))
    report = shapes.relate(1_000_000)
    assert (report.full, report.written, report.removed) == (False, 120, 0)
    assert lists(shapes) == by_hand(stored(shapes), 1_000_000)


@pytest.mark.parametrize("k", [0, -1, True, 2.0, "3"])
def test_a_number_that_is_none_is_refused(shapes: cosimo.Collection, k: object) -> None:
    with pytest.raises(DataError, match="whole number"):
        shapes.relate(k)  # type: ignore[arg-type]


def test_ids_of_any_characters_are_kept(db: Database, tmp_path: Path) -> None:
    ids = [" ", "a'b\"c", "日本/語.md", "line\nbreak", "bell\x07", "\U0001f600", "%_", "-1", "é", "e\u0301"]
    collection = db.collection("c", model=None, dim=16)
    collection.add_vectors(ids, vectors(len(ids)))
    with sqlite3.connect(tmp_path / "notes.db") as other:  # none that we would store
        other.execute("update embeddings set id = '' where id = ' '")
    collection.relate(3)
    assert lists(collection) == by_hand(stored(collection), 3)
    collection.delete(["bell\x07", "%_"])
    collection.add_vectors(["日本/語.md"], vectors(1, seed=5))
    collection.relate(3)
    assert lists(collection) == by_hand(stored(collection), 3)


def test_lengths_beyond_what_float32_can_square_have_directions(db: Database) -> None:
    collection = db.collection("c", model=None, dim=2)
    collection.add_vectors(["huge", "tiny", "plain"], [[1e38, 1e38], [1e-40, 1e-40], [1, 0]])
    collection.relate(1)
    assert lists(collection)["huge"] == [("tiny", 1.0)]
    assert lists(collection)["tiny"] == [("huge", 1.0)]


# --- the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 64])
def test_scores_are_the_same_to_the_last_bit_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    given, ids = vectors(300, 100), numbered(300)
    given[50:90] = given[40]  # copies
    given[100:140] = given[99] + 1e-6 * vectors(40, 100)  # nearly
    whole = Neighbours(ids, given).nearest(np.arange(300), 8)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 300 * block)
    monkeypatch.setattr(neighbours, "GROUPS", 32)
    monkeypatch.setattr(neighbours, "MANY", 100)
    monkeypatch.setattr(neighbours, "PAIRS", 13)
    some = np.arange(0, 300, 3)
    parts = Neighbours(ids, given).nearest(some, 8)
    assert np.array_equal(parts.others, whole.others[some])
    assert np.array_equal(parts.scores, whole.scores[some])


def test_unit_vectors_lie_on_the_grid_whatever_stands_beside_them() -> None:
    given = np.concatenate([vectors(40, 33), vectors(2, 33) * np.float32(1e30), vectors(2, 33) * np.float32(1e-30)])
    units = on_grid(given)
    assert np.array_equal(units * 2.0**24, np.rint(units * 2.0**24))
    assert np.abs(np.linalg.norm(units.astype(np.float64), axis=1) - 1).max() < 1e-6
    assert all(np.array_equal(on_grid(given[i : i + 1])[0], units[i]) for i in range(len(given)))


def test_thousands_of_copies_take_no_more_memory_than_others() -> None:
    given = np.repeat(vectors(3, 8), 5_000, axis=0)
    made = Neighbours(numbered(15_000), given).nearest(np.arange(15_000), 4)
    assert made.others[0].tolist() == [1, 2, 3, 4]
    assert made.others[7_000].tolist() == [5_000, 5_001, 5_002, 5_003]
    assert (made.scores == 1).all()


# --- what changed -----------------------------------------------------------------------------------------------------


def test_where_nothing_changed_nothing_is_looked_at_or_written(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(5)
    with sqlite3.connect(tmp_path / "notes.db") as watcher:
        before = watcher.execute("PRAGMA data_version").fetchone()
        report = shapes.relate(5)
        assert watcher.execute("PRAGMA data_version").fetchone() == before
    assert (report.changed, report.recomputed, report.written, report.removed) == (0, 0, 0, 0)


def test_what_happens_in_other_collections_is_no_change(shapes: cosimo.Collection, db: Database) -> None:
    shapes.relate(5)
    db.collection("other", model=None, dim=2).add_vectors(["x"], [[1, 0]])
    assert shapes.relate(5).recomputed == 0


def test_only_lists_that_a_new_item_comes_into_are_written(shapes: cosimo.Collection) -> None:
    shapes.relate(5)
    before = lists(shapes)
    shapes.add_vectors(["new"], vectors(1, seed=3))
    report = shapes.relate(5)
    after = lists(shapes)
    differ = {id for id in after if after[id] != before.get(id)}
    assert "new" in differ
    assert len(differ) <= report.recomputed < 40
    assert report.changed == 1
    assert report.written == sum(len(set(after[id]) - set(before.get(id, []))) for id in differ)
    assert report.removed == len(differ) - 1  # each list that was full lost its last
    assert after == by_hand(stored(shapes), 5)


def test_a_removed_item_leaves_every_list(shapes: cosimo.Collection) -> None:
    shapes.relate(5)
    held = {id for id, others in lists(shapes).items() if "00007" in dict(others)}
    shapes.delete("00007")
    report = shapes.relate(5)
    assert (report.gone, report.recomputed, report.written, report.removed) == (1, len(held), len(held), len(held) + 5)
    assert lists(shapes) == by_hand(stored(shapes), 5)


def test_another_k_makes_all_lists_anew_and_shorter_lists_remove_rows(shapes: cosimo.Collection) -> None:
    shapes.relate(5)
    shorter = shapes.relate(3)
    assert (shorter.full, shorter.written, shorter.removed) == (True, 0, 120)
    longer = shapes.relate(5)
    assert (longer.full, longer.written, longer.removed) == (True, 120, 0)


def test_a_full_run_mends_what_somebody_changed_by_hand(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(5)
    before = lists(shapes)
    with sqlite3.connect(tmp_path / "notes.db") as other:
        other.execute("delete from cosimo_similarities where id = '00003'")
        other.execute("update cosimo_similarities set score = 0 where id = '00004'")
        other.execute("insert into cosimo_similarities values (1, '00005', 'made up', 1), (1, 'nobody', '00005', 1)")
    report = shapes.relate(5, full=True)
    assert (report.written, report.removed) == (10, 2)
    assert lists(shapes) == before


def test_rows_of_another_program_and_dropped_triggers_are_noticed(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(5)
    with sqlite3.connect(tmp_path / "notes.db") as other:
        other.execute("update embeddings set embedding = ? where id = '00001'", (vectors(1, seed=77).tobytes(),))
    assert shapes.relate(5).changed == 1
    assert lists(shapes) == by_hand(stored(shapes), 5)
    with sqlite3.connect(tmp_path / "notes.db") as other:
        for trigger in ("cosimo_added", "cosimo_changed", "cosimo_removed"):
            other.execute(f"drop trigger {trigger}")
        other.execute("delete from embeddings where id = '00002'")
    assert shapes.relate(5).gone == 1
    assert lists(shapes) == by_hand(stored(shapes), 5)


def test_a_collection_made_anew_under_its_name_has_new_lists(shapes: cosimo.Collection, db: Database) -> None:
    shapes.relate(5)
    db.drop("shapes")
    again = db.collection("shapes", model=None, dim=2)
    again.add_vectors(["a", "b"], [[1, 0], [1, 1]])
    with pytest.raises(NotFound, match="no related items saved"):
        again.similarities()
    again.relate(5)
    assert lists(again) == {"a": [("b", 0.707107)], "b": [("a", 0.707107)]}


VECTOR = st.lists(st.integers(-2, 2), min_size=3, max_size=3)  # small whole numbers: many ties, copies and zeros
NAMES = st.sampled_from([f"{letter}" for letter in "abcdefghijklmnop"])
STEP = st.one_of(
    st.tuples(st.just("put"), st.lists(st.tuples(NAMES, VECTOR), min_size=1, max_size=6)),
    st.tuples(st.just("delete"), st.lists(NAMES, min_size=1, max_size=4)),
    st.tuples(st.just("relate"), st.integers(1, 4)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12), st.integers(1, 4))
def test_after_any_history_the_lists_are_those_of_a_full_run(history: list[tuple[str, object]], k: int) -> None:
    with cosimo.open(":memory:") as db:
        collection = db.collection("c", model=None, dim=3)
        collection.add_vectors(["a", "b"], [[1, 0, 0], [1, 1, 0]])
        last = k
        for what, value in [*history, ("relate", k)]:
            if what == "put":
                rows = dict(value)  # type: ignore[call-overload]
                collection.add_vectors(list(rows), list(rows.values()))
            elif what == "delete":
                collection.delete(value)  # type: ignore[arg-type]
            else:
                last = value if value == k else last
                collection.relate(value)  # type: ignore[arg-type]
                assert lists(collection) == by_hand(stored(collection), value)  # type: ignore[arg-type]
        full = collection.relate(k, full=True)
        assert (full.written, full.removed) == (0, 0)


# --- care -------------------------------------------------------------------------------------------------------------


def test_a_run_that_dies_midway_leaves_the_lists_as_they_were(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(5)
    before = lists(shapes)
    shapes.add_vectors(numbered(60), vectors(60, seed=2))
    code = (
        "import os, sys, cosimo\n"
        "from cosimo.stores.similarities import Similarities\n"
        "whole = Similarities._replace\n"
        "calls = []\n"
        "def half(self, number, lists):\n"
        "    whole(self, number, dict(list(lists.items())[:20]))\n"
        "    os._exit(9)\n"
        "Similarities._replace = half\n"
        "cosimo.open(sys.argv[1]).collection('shapes').relate(5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "notes.db")], capture_output=True)
    assert done.returncode == 9
    assert lists(shapes) == before
    assert shapes.relate(5).changed == 60
    assert lists(shapes) == by_hand(stored(shapes), 5)


def test_an_error_midway_leaves_the_lists_as_they_were(shapes: cosimo.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes.relate(5)
    before = lists(shapes)
    shapes.add_vectors(numbered(60), vectors(60, seed=2))
    put = shapes._store.put_lists

    def failing(name: str, found: Iterator[tuple[str, list[tuple[str, float]]]], **rest: object) -> tuple[int, int]:
        def stopping() -> Iterator[tuple[str, list[tuple[str, float]]]]:
            yield next(found)
            raise StoreError("no space left")

        return put(name, stopping(), **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(shapes._store, "put_lists", failing)
    with pytest.raises(StoreError, match="no space"):
        shapes.relate(5)
    assert lists(shapes) == before


def test_of_two_programs_that_save_at_once_the_later_says_so(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(5)
    shapes.add_vectors(["new"], vectors(1, seed=3))
    put = shapes._store.put_lists

    def overtaken(*arguments: object, **rest: object) -> tuple[int, int]:
        with cosimo.open(tmp_path / "notes.db") as other:
            other.collection("shapes").relate(4)
        return put(*arguments, **rest)  # type: ignore[arg-type]

    shapes._store.put_lists = overtaken  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="another program saved the related items of 'shapes' meanwhile"):
        shapes.relate(5)
    assert lists(shapes) == by_hand(stored(shapes), 4)


def test_a_file_that_cannot_be_written_is_named_before_anything_is_computed(shapes: cosimo.Collection, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with cosimo.open(path, read_only=True) as db:
        with pytest.raises(StoreError, match="cannot be written: it is read-only here") as error:
            db.collection("shapes").relate()
        assert str(path) in str(error.value)
        with pytest.raises(NotFound, match="no related items saved; run: cosimo related 'shapes' --all --save"):
            db.collection("shapes").similarities()


def test_an_unknown_collection_is_named_and_nothing_is_made(db: Database) -> None:
    for call in (db.collection("none").relate, db.collection("none").similarities):
        with pytest.raises(NotFound, match="no collection 'none'"):
            call()
    assert db.collections() == []


def test_a_file_of_another_program_gets_lists_at_the_first_run(tmp_path: Path) -> None:
    from sqlite_utils import Database as Utils

    path = tmp_path / "llm.db"
    utils = Utils(path)
    utils["collections"].insert({"id": 1, "name": "theirs", "model": "unknown-model"}, pk="id")
    utils["embeddings"].insert_all(
        [
            {"collection_id": 1, "id": id, "embedding": vector.tobytes(), "content": None}
            for id, vector in zip(numbered(20), vectors(20), strict=True)
        ],
        pk=("collection_id", "id"),
    )
    utils.close()
    with cosimo.open(path) as db:
        theirs = db.collection("theirs")
        assert theirs.relate(3).written == 60
        assert lists(theirs) == by_hand(stored(theirs), 3)
        assert theirs.relate(3).recomputed == 0


# --- the plain table ----------------------------------------------------------------------------------------------------


def table(path: Path, name: str = "similarities") -> Pairs:
    found: Pairs = {}
    with sqlite3.connect(path) as connection:
        for id, other, score in connection.execute(
            f'select id, other_id, score from "{name}" order by id, score desc, other_id'
        ):
            found.setdefault(id, []).append((other, score))
    return found


def test_the_plain_table_holds_the_lists_and_follows_them(shapes: cosimo.Collection, tmp_path: Path) -> None:
    site = tmp_path / "site.db"
    shapes.relate(5)
    assert shapes.export_similarities(site) == (300, 300, 0)
    assert table(site) == lists(shapes)
    assert shapes.export_similarities(site) == (300, 0, 0)
    shapes.delete("00001")
    shapes.add_vectors(["00002"], vectors(1, seed=4))
    report = shapes.relate(5)
    exported = shapes.export_similarities(site)
    assert (exported.written, exported.removed) == (report.written, report.removed)
    assert table(site) == lists(shapes)


def test_a_table_that_others_made_with_these_columns_is_taken_over(shapes: cosimo.Collection, tmp_path: Path) -> None:
    site = tmp_path / "site.db"
    shapes.relate(2)
    with sqlite3.connect(site) as connection:
        connection.execute("create table similarities (id text, other_id text, score float)")
        connection.execute("insert into similarities values ('old', 'older', 0.5)")
    assert shapes.export_similarities(site).removed == 1
    assert table(site) == lists(shapes)


def test_a_table_of_another_kind_is_left_alone(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(2)
    for name in ("embeddings", "cosimo_similarities"):
        with pytest.raises(StoreError, match=f"has a table '{name}' of another kind"):
            shapes.export_similarities(tmp_path / "notes.db", name)
    for name in ("", " ", "sqlite_master", "a\0b"):
        with pytest.raises(DataError, match="a table cannot be called"):
            shapes.export_similarities(tmp_path / "site.db", name)


def test_the_table_may_have_any_name_also_in_the_collections_own_file(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(2)
    shapes.export_similarities(tmp_path / "notes.db", 'near "things"; drop')
    with sqlite3.connect(tmp_path / "notes.db") as connection:
        assert connection.execute('select count(*) from "near ""things""; drop"').fetchone() == (120,)
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    assert "similarities" not in tables  # not unasked
    assert "cosimo_fresh" not in tables


def test_a_place_that_cannot_be_written_is_named(shapes: cosimo.Collection, tmp_path: Path) -> None:
    shapes.relate(2)
    with pytest.raises(StoreError, match="no folder"):
        shapes.export_similarities(tmp_path / "missing" / "site.db")
    (tmp_path / "text.db").write_text("no database at all, " * 100)
    with pytest.raises(StoreError, match="not a SQLite database"):
        shapes.export_similarities(tmp_path / "text.db")


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> click.testing.Result:
    return CliRunner().invoke(cli, ["related", *arguments], standalone_mode=True)


def records(*arguments: str) -> list[dict]:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def notes(home: Path, tmp_path: Path) -> str:
    path = str(tmp_path / "n.db")
    with cosimo.open(path) as db:
        db.collection("notes", model="fake:64").add(
            [
                cosimo.Document("bread", "Bake sourdough bread in a hot oven with flour", {"kind": "food"}),
                cosimo.Document("pizza", "Bake pizza in a very hot oven with flour", {"kind": "food"}),
                cosimo.Document("sqlite", "Back up a SQLite database in use", {"kind": "data"}),
            ]
        )
    return path


def test_the_command_prints_what_similar_prints(notes: str) -> None:
    ours = records("notes", "bread", "-d", notes)
    theirs = CliRunner().invoke(cli, ["similar", "notes", "bread", "-d", notes]).stdout
    assert ours == [json.loads(line) for line in theirs.splitlines()]
    assert [hit["id"] for hit in ours] == ["pizza", "sqlite"]
    assert run("notes", "bread", "-d", notes, "-p", "-n", "1").stdout.startswith("pizza (0.")
    assert [hit["id"] for hit in records("notes", "bread", "-d", notes, "--where", "kind = 'data'")] == ["sqlite"]
    assert records("notes", "bread", "-d", notes, "--prefix", "nothing") == []


def test_the_command_says_what_saving_did(notes: str, tmp_path: Path) -> None:
    site = tmp_path / "site.db"
    save = ("notes", "--all", "--save", "-n", "2", "-d", notes, "--to", str(site), "--table", "near")
    kept, exported = records(*save)
    assert (kept["items"], kept["recomputed"], kept["written"], kept["full"]) == (3, 3, 6, True)
    assert exported == {"file": str(site), "table": "near", "rows": 6, "written": 6, "removed": 0}
    assert set(table(site, "near")) == {"bread", "pizza", "sqlite"}
    assert [again["written"] for again in records(*save)] == [0, 0]
    assert records(*save, "--full")[0]["recomputed"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("notes",),
        ("notes", "bread", "--all", "--save"),
        ("notes", "--all"),
        ("notes", "bread", "--save"),
        ("notes", "bread", "--full"),
        ("notes", "bread", "--to", "x.db"),
        ("notes", "--all", "--save", "--table", "x"),
        ("notes", "--all", "--save", "--where", "a = 1"),
        ("notes", "--all", "--save", "--prefix", "a"),
        ("notes", "--all", "--save", "-p"),
    ],
)
def test_options_that_would_be_ignored_are_refused(arguments: tuple[str, ...], notes: str) -> None:
    done = run(*arguments, "-d", notes)
    assert done.exit_code == 2
    assert "Error: " in done.stderr


# --- real articles ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def articles(data: Path, minilm: Path) -> Iterator[Path]:
    """472 articles, embedded once."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "til.db"
        with cosimo.open(path) as db:
            til = db.collection("til", model="all-MiniLM-L6-v2")
            til.add(cosimo.read(data / "til", "**/*.md"), passages=False)  # a quarter of the time
        yield path


def test_one_changed_article_of_472_rewrites_only_what_it_must(articles: Path, tmp_path: Path) -> None:
    path = tmp_path / "til.db"
    with cosimo.open(articles) as db:
        db.backup(path)
    with cosimo.open(path) as db:
        til = db.collection("til")
        first = til.relate(10)
        assert (first.items, first.written) == (472, 4720)
        before = lists(til)
        changed = til.get("sqlite/sqlite-tg.md")
        til.add([cosimo.Document(changed.id, f"This also works in a browser, with WebAssembly.\n\n{changed.content}")])
        report = til.relate(10)
        print(f"one article of 472 changed: {report}")
        after = lists(til)
        differ = [id for id in after if after[id] != before[id]]
        assert (report.full, report.changed) == (False, 1)
        # the lists made anew are hardly more than those that differ, and the rows written are those that differ
        assert 1 <= len(differ) <= report.recomputed <= 100
        assert report.written == sum(len(set(after[id]) - set(before[id])) for id in differ) <= 110
        assert report.removed <= report.written
        full = til.relate(10, full=True)
        assert (full.recomputed, full.written, full.removed) == (472, 0, 0)
        assert lists(til) == after


def test_articles_that_readers_call_related_are_in_the_list(articles: Path, tmp_path: Path) -> None:
    expected = {
        "sqlite/geopoly.md",
        "spatialite/viewing-geopackage-data-with-spatialite-and-datasette.md",
        "gis/gdal-sql.md",
        "spatialite/knn.md",
        "spatialite/gunion-to-combine-geometries.md",
    }
    path = tmp_path / "til.db"
    with cosimo.open(articles) as db:
        db.backup(path)
    with cosimo.open(path) as db:
        db.collection("til").relate(10)
        near = {other for other, _ in lists(db.collection("til"))["sqlite/sqlite-tg.md"]}
    assert len(near & expected) >= 4
