"""Places: the R*Tree finds what asking every row finds, whoever wrote the rows, and whatever the file allows."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filter_strategies import filters, rows, shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cosimo
from cosimo.core.errors import InvalidFilter
from cosimo.core.filters import F, Filter, Item, both, either, evaluate, holds, parse
from cosimo.core.geometry import Position, positions
from cosimo.core.types import Row, Settings
from cosimo.stores import places
from cosimo.stores.places import FRESH, WORTH
from cosimo.stores.rows import known_metadata
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 100_000
HERE = {"lat": 48.8, "lon": 2.3}
NEAR = "NEAR(place, 48.8, 2.3, 1000)"
VECTOR = np.ones(2, np.float32)


def anywhere(rng: random.Random) -> Position:
    """A place; one in ten at a degree that shapes are made of, at a pole or on the date line."""
    if rng.random() < 0.1:
        return Position(
            rng.choice([-90.0, -60.5, -10.0, 0.0, 48.85, 90.0]), rng.choice([-180.0, -179.5, 0.0, 2.35, 90.0, 170.0])
        )
    return Position(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180))


def put(store: SQLiteStore, metadata: dict[str, dict[str, object] | None]) -> None:
    store.put("c", [Row(id, VECTOR, metadata=found) for id, found in metadata.items()])


def found(store: SQLiteStore, filter: str | Filter, *, index: bool = True) -> set[str]:
    """Ids that pass, by a search that nothing is remembered of."""
    filter = parse(filter)
    if index:
        store.index_places("c", filter)
    with store.snapshot():
        numbers = store.numbers_that_pass("c", filter)
        assert sorted(numbers.tolist()) == numbers.tolist()
        return set(store.ids_of("c", numbers.tolist()).values())


def expected(store: SQLiteStore, filter: str | Filter) -> set[str]:
    """Ids that pass when each row is asked."""
    return {row.id for row in store.scan("c") if evaluate(parse(filter), row.metadata, id=row.id, content=row.content)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """Enough rows for a tree, at five kinds of places."""
    rng = random.Random(0)
    with SQLiteStore(path) as opened:
        opened.create("c", Settings(None, 2))
        made: dict[str, dict[str, object] | None] = {}
        for number in range(WORTH + 200):
            lat, lon = anywhere(rng)
            kinds: list[dict[str, object]] = [
                {"place": {"lat": lat, "lon": lon}},
                {"place": {"type": "Point", "coordinates": [lon, lat]}, "home": {"latitude": -lat, "longitude": lon}},
                {"lat": lat, "lon": lon},
                {"shop": {"at": {"Lat": lat, "Lng": lon}, "a.b": {"lat": lon / 2, "lon": lat}}},
                {"year": number},
            ]
            made[f"r{number}"] = kinds[number % 5]
        put(opened, made | {"here": {"place": HERE}, "nothing": None})
        yield opened


def trees(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [name for (name,) in connection.execute("select name from sqlite_master where sql like '%using rtree%'")]


# --- one answer ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def globe() -> Iterator[tuple[SQLiteStore, list[Position]]]:
    """100,000 places; row n is the n-th of the list."""
    rng = random.Random(7)
    points = [anywhere(rng) for _ in range(MANY)]
    with SQLiteStore(":memory:") as store:
        store.create("c", Settings(None, 2))
        store.put("c", (Row(str(n), VECTOR, metadata={"place": point._asdict()}) for n, point in enumerate(points)))
        store.index_places("c", parse(NEAR))
        yield store, points


@st.composite
def small(draw: st.DrawFn) -> Filter:
    """Shapes of up to some hundred kilometres anywhere, poles and date line more often than not."""
    place, lat, lon = (
        F("place"),
        draw(st.floats(-90, 90)),
        draw(st.one_of(st.floats(-360, 360), st.sampled_from([180, -180, 179]))),
    )
    if draw(st.booleans()):
        return place.near(draw(st.sampled_from([lat, 90, -89.9, 60])), lon, draw(st.floats(0, 600_000)))
    north, east = min(90, lat + draw(st.floats(0, 5))), lon + draw(st.floats(0, 8))
    if draw(st.booleans()) or north - lat < 0.1 or east - lon < 0.1:
        return place.in_box(lat, min(lon, 360), north, min(east, 360))
    return place.in_polygon([(lat, min(lon, 350)), (lat, min(east, 358)), (north, min(lon + 1, 359))])


@settings(max_examples=20, deadline=None)
@given(filter=st.one_of(shapes(F("place")), small()))
def test_a_hundred_thousand_places_are_answered_as_if_each_was_asked(globe, filter: Filter) -> None:
    store, points = globe
    with store.snapshot():
        numbers = store.numbers_that_pass("c", filter)
        inside = {str(n) for n, point in enumerate(points) if filter.shape.contains(point)}
        assert set(store.ids_of("c", numbers.tolist()).values()) == inside
    assert store._file.value("SELECT count(*) FROM temp.sqlite_master") == 0, "answered by a tree made for the connection"


@pytest.mark.parametrize(
    "filter",
    [
        "NEAR(place, 0, 180, 3000000)",
        "NEAR(place, 90, 0, 2000000) AND year IS NULL",
        "NEAR(place, -89, 12, 2000000) OR NEAR(*, 0, 0, 4000000)",
        "IN_BOX(place, -60, 170, 60, -170)",
        "IN_BOX(home, -90, -180, 90, 180)",
        "IN_BOX(shop.at, -10, 0, 90, 360)",
        'IN_BOX(shop."a.b", -10, -90, 90, 90)',
        "IN_POLYGON(place, -60, 170, -60, -170, 60, -170, 60, 170)",
        "IN_POLYGON(place, 60, 0, 60, 120, 60, -120)",
        "NEAR(*, 0, 0, 5000000) AND lat > 0",
        "NOT NEAR(place, 0, 0, 5000000)",
        "NOT (NEAR(place, 0, 0, 5000000) AND NEAR(home, 0, 0, 5000000))",
        "NEAR(place, 0, 0, 5000000) AND NEAR(home, 0, 0, 9000000) AND id LIKE '%1'",
        "NEAR(place, 0, 0, 5000000) AND NOT NEAR(place, 0, 0, 2000000)",
        "(year < 500 OR NEAR(place, 0, 0, 5000000)) AND id != 'r4'",
        "NEAR(nowhere, 0, 0, 30000000)",
        "NEAR(id, 0, 0, 30000000) OR NEAR(content, 0, 0, 30000000)",
        "NEAR(year, 0, 0, 30000000)",
    ],
)
def test_answers_are_the_same_with_a_tree_and_without(
    store: SQLiteStore, path: Path, filter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = expected(store, filter)
    assert answer or "nowhere" in filter or "(id" in filter or "(year," in filter
    assert found(store, filter) == answer
    assert len(trees(path)) == 1
    monkeypatch.setattr(places, "finder", lambda *_: None)
    with SQLiteStore(path) as plain:
        assert found(plain, filter) == answer


@pytest.fixture(scope="module")
def odd() -> Iterator[tuple[SQLiteStore, list[tuple[int, Item]]]]:
    """Random rows as any program may have written them, in a file with a tree, and as Python reads them."""
    with SQLiteStore(":memory:") as store:
        store.create("c", Settings(None, 2))
        sql = "INSERT INTO embeddings (collection_id, id, embedding, content, metadata) VALUES (1, ?, x'', ?, ?)"
        store._file.execute_many(sql, rows(11, WORTH))
        store.index_places("c", parse(NEAR))
        sql = "SELECT number, id, content, metadata FROM cosimo_rows JOIN embeddings USING (collection_id, id) ORDER BY number"
        yield store, [(n, Item(id, content, known_metadata(text))) for n, id, content, text in store._file.rows(sql)]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(filter=filters, place=shapes(F("place")), more=st.sampled_from([both, either]))
def test_random_filters_with_a_place_on_random_rows_are_answered_as_the_oracle_does(odd, filter, place, more) -> None:
    store, items = odd
    filter = more(filter, place)
    assert store.numbers_that_pass("c", filter).tolist() == [number for number, item in items if holds(filter, item)]


def test_without_r_trees_in_sqlite_every_row_is_asked(store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "available", lambda _: False)
    assert found(store, NEAR) == {"here"}
    assert trees(path) == []


def test_a_point_that_the_tree_rounds_away_from_its_shape_is_found(store: SQLiteStore) -> None:
    rng = random.Random(3)
    exact = {f"p{n}": Position(rng.uniform(-90, 90), rng.uniform(-180, 180)) for n in range(300)}
    put(store, {id: {"spot": point._asdict()} for id, point in exact.items()})
    store.index_places("c", parse(NEAR))
    for id, point in exact.items():
        lat, lon = point
        assert id in found(store, F("spot").near(lat, lon, 0))
        assert found(store, F("spot").in_box(lat, lon, lat, lon)) == {id}
        assert found(store, F("spot").in_box(np.nextafter(lat, 90).item(), lon, min(90, lat + 1e-9), lon)) == set()


@pytest.mark.parametrize(
    "metadata",
    [
        {"place": {"lat": 91, "lon": 2.35}},
        {"place": {"lat": 48.85, "lon": 500}},
        {"place": {"lat": "48.8", "lon": "2.3"}},
        {"place": {"lat": None, "lon": 2.3}},
        {"place": None},
        {"place": "48.8,2.3"},
        {"place": [48.8, 2.3]},
        {"place": [HERE]},
        {"place": {"lat": True, "lon": 2}},
        {"place": {"type": "Point", "coordinates": [48.8, 2.3]}},  # the latitude first: somewhere off Somalia
        {"place": {"type": "Point", "coordinates": [48.8, 122.3]}},
        {"place": {"type": "Point", "coordinates": ["2.3", "48.8"]}},
        {"places": HERE},
        None,
    ],
)
def test_what_is_no_place_is_nowhere_and_not_near(store: SQLiteStore, metadata: dict[str, object] | None) -> None:
    for _ in range(2):  # beside the tree, and in it
        put(store, {"odd": metadata})
        assert found(store, NEAR) == {"here"}
        assert "odd" in found(store, f"NOT {NEAR}")
        assert "odd" in found(store, "id = 'odd' OR IN_BOX(place, 48, 2, 49, 3)")


def test_not_a_number_is_no_place_in_rows_of_any_program(store: SQLiteStore, path: Path) -> None:
    with sqlite3.connect(path) as other:
        for id, text in {
            "nan": '{"place": {"lat": NaN, "lon": 2.35}}',
            "infinite": '{"place": {"lat": 48.85, "lon": 1e999}}',
        }.items():
            other.execute("insert into embeddings (collection_id, id, embedding, metadata) values (1, ?, x'', ?)", (id, text))
    assert found(store, NEAR) == {"here"}
    put(store, {"row": {"place": {"lat": math.nan, "lon": 2.35}}})
    assert found(store, "IN_BOX(place, -90, -180, 90, 180)") >= {"here"}
    assert not found(store, "IN_BOX(place, -90, -180, 90, 180)") & {"nan", "infinite", "row"}


@pytest.mark.parametrize(
    ("filter", "said"),
    [
        ("NEAR(place, 91, 0, 1)", "91 is no latitude"),
        ("NEAR(place, 121.56, 25.03, 1)", "comes before the longitude"),
        ("NEAR(place, 0, 500, 1)", "500 is no longitude"),
        ("NEAR(place, 0, 0, -1)", "-1 is no distance"),
        ("NEAR(place, 'a', 0, 1)", "a is no latitude"),
        ("IN_BOX(place, 0, 0, 91, 1)", "91 is no latitude"),
        ("IN_BOX(place, 50, 0, 40, 1)", "upside down"),
        ("IN_POLYGON(place, 0, 0, 91, 1, 1, 1)", "91 is no latitude"),
        ("NEAR(place, 0, 0)", "metres"),
        ("NEAR(0, 0)", "metres"),
        ("NEAR(91, 0, 1)", "91 is no latitude"),
        ("NEAR()", "a field's name"),
    ],
)
def test_a_filter_with_no_such_place_says_so(filter: str, said: str) -> None:
    with pytest.raises(InvalidFilter, match=said):
        parse(filter)


# --- whoever writes ------------------------------------------------------------------------------------------------


def test_updates_and_deletes_are_noticed_at_once(store: SQLiteStore) -> None:
    assert found(store, NEAR) == {"here"}
    put(store, {"here": {"place": {"lat": 10, "lon": 10}}, "there": {"place": HERE}})
    assert found(store, NEAR) == {"there"}
    store.delete("c", ["there"])
    assert found(store, NEAR) == set()
    put(store, {"there": {"home": HERE}})
    assert found(store, NEAR) == set()
    assert found(store, "NEAR(home, 48.8, 2.3, 1)") == {"there"}


def test_one_row_may_be_at_several_places_and_lose_one(store: SQLiteStore) -> None:
    put(store, {"two": {"home": HERE, "work": {"at": {"lat": 10, "lon": 10}}, "lat": -10, "lon": -10}})
    assert found(store, "NEAR(home, 48.8, 2.3, 1) AND NEAR(work.at, 10, 10, 1) AND NEAR(*, -10, -10, 1)") == {"two"}
    assert found(store, "NEAR(home, 10, 10, 1) OR NEAR(work, 10, 10, 1) OR NEAR(at, 10, 10, 1)") == set()
    put(store, {"two": {"home": HERE}})
    assert found(store, "NEAR(home, 48.8, 2.3, 1)") == {"two"}
    assert found(store, "NEAR(work.at, 10, 10, 1) OR NEAR(*, -10, -10, 1)") == set()


def test_rows_written_by_plain_sql_between_two_searches_are_found(store: SQLiteStore, path: Path) -> None:
    assert found(store, NEAR) == {"here"}
    with sqlite3.connect(path) as other:
        sql = "insert or replace into embeddings (collection_id, id, embedding, metadata) values (1, ?, x'', ?)"
        other.executemany(sql, [("new", json.dumps({"place": HERE})), ("here", '{"place": 5}'), ("r0", "no JSON")])
        other.execute("update embeddings set metadata = ? where id = 'r1'", (json.dumps({"place": HERE}),))
        other.execute("update embeddings set id = 'r2 moved', metadata = ? where id = 'r2'", (json.dumps({"place": HERE}),))
    assert found(store, NEAR) == {"new", "r1", "r2 moved"}
    with sqlite3.connect(path) as other:
        other.execute("delete from embeddings where id like 'r%'")
    assert found(store, NEAR) == {"new"}


@pytest.mark.parametrize("count", [FRESH - 1, FRESH + 1, 3 * WORTH])
def test_many_changes_are_taken_into_the_tree_and_change_no_answer(store: SQLiteStore, path: Path, count: int) -> None:
    assert found(store, NEAR) == {"here"}
    rng = random.Random(1)
    put(store, {f"r{n}": {"place": anywhere(rng)._asdict()} for n in range(count)})
    store.delete("c", [f"r{n}" for n in range(0, count, 3)])
    filter = "IN_BOX(place, -30, -90, 60, 90)"
    assert found(store, filter) == expected(store, filter) != set()
    with sqlite3.connect(path) as connection:
        entries = connection.execute("select count(*) from cosimo_places_1").fetchone()[0]
        assert entries == connection.execute("select count(*) from cosimo_places_1_tree").fetchone()[0]
        now = sum(len(list(positions(row.metadata))) for row in store.scan("c"))
        assert (entries == now) == (count > FRESH), "a tree beside which much must be asked is no longer an index"
    put(store, {"r1": {"place": HERE}})
    assert found(store, NEAR) == {"here", "r1"}


def test_a_write_that_is_undone_leaves_no_place(store: SQLiteStore) -> None:
    assert found(store, NEAR) == {"here"}

    def undone() -> None:
        with store.atomic():
            put(store, {f"n{n}": {"place": HERE} for n in range(2 * WORTH)})
            assert len(found(store, NEAR)) == 2 * WORTH + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert found(store, NEAR) == {"here"}
    put(store, {"one": {"place": HERE}})
    assert found(store, NEAR) == {"here", "one"}


def test_collections_do_not_see_each_others_places(store: SQLiteStore) -> None:
    store.create("d", Settings(None, 2))
    store.put("d", [Row(f"d{n}", VECTOR, metadata={"place": HERE}) for n in range(2 * WORTH)])
    assert found(store, NEAR) == {"here"}
    store.index_places("d", parse(NEAR))
    assert len(store.numbers_that_pass("d", parse(NEAR))) == 2 * WORTH
    assert found(store, NEAR) == {"here"}
    store.drop("d")
    assert found(store, NEAR) == {"here"}
    store.create("d", Settings(None, 2))  # may get the number, and so the tables, of the one that went
    store.put("d", [Row(f"e{n}", VECTOR, metadata={"place": {"lat": n % 90, "lon": 0}}) for n in range(WORTH)])
    assert len(store.numbers_that_pass("d", parse("NEAR(place, 5, 0, 1)"))) == WORTH // 90 + 1


# --- whatever the file allows --------------------------------------------------------------------------------------


def test_a_tree_is_made_once_and_serves_the_next_process(store: SQLiteStore, path: Path) -> None:
    assert found(store, NEAR) == {"here"}
    store.close()
    before = path.read_bytes()
    with SQLiteStore(path) as again:
        assert found(again, NEAR) == {"here"}
        assert again._file.value("SELECT count(*) FROM temp.sqlite_master") == 0
    assert path.read_bytes() == before


def test_a_few_rows_are_asked_one_by_one_and_leave_the_file_alone(path: Path) -> None:
    with SQLiteStore(path) as few:
        few.create("c", Settings(None, 2))
        put(few, {"here": {"place": HERE}, "there": {"place": {"lat": 0, "lon": 0}}})
        assert found(few, NEAR) == {"here"}
    assert trees(path) == []


def test_a_filter_without_a_place_makes_no_tree(store: SQLiteStore, path: Path) -> None:
    assert len(found(store, "year >= 0")) > 100
    assert trees(path) == []


@pytest.mark.parametrize("made", [True, False])
def test_a_file_that_may_only_be_read_is_answered_and_stays_as_it_is(store: SQLiteStore, path: Path, made: bool) -> None:
    if made:
        found(store, NEAR)
    store.close()
    before = path.read_bytes()
    with SQLiteStore(path, read_only=True) as reader:
        assert found(reader, NEAR) == {"here"}
        assert found(reader, "IN_BOX(home, -90, -180, 90, 0)") == expected(reader, "IN_BOX(home, -90, -180, 90, 0)")
        assert bool(reader._file.value("SELECT count(*) FROM temp.sqlite_master")) is not made
    assert path.read_bytes() == before


def test_a_reader_notices_what_a_writer_changes(store: SQLiteStore, path: Path) -> None:
    with SQLiteStore(path, read_only=True) as reader:
        assert found(reader, NEAR) == {"here"}
        for turn in range(3):
            put(store, {f"{turn} {n}": {"place": HERE} for n in range(FRESH)})
            assert len(found(reader, NEAR)) == (turn + 1) * FRESH + 1
        store.delete("c", ["here"])
        assert "here" not in found(reader, NEAR)


def test_a_file_of_llm_is_answered_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "llm.db"
    with sqlite3.connect(path) as other:
        other.execute("create table collections (id integer primary key, name text, model text)")
        other.execute("create table embeddings (collection_id integer, id text, embedding blob, metadata text)")
        other.execute("insert into collections values (1, 'c', 'm')")
        rows = [(str(n), json.dumps({"lat": n / 20, "lon": 1})) for n in range(WORTH + 500)]
        other.executemany("insert into embeddings values (1, ?, x'', ?)", rows)
        other.execute("update embeddings set rowid = -rowid where rowid % 2")
    filter = "NEAR(*, 10, 1, 12000) AND id != '200'"
    with SQLiteStore(path, create=False) as reader:
        assert found(reader, filter) == {"198", "199", "201", "202"}
        with sqlite3.connect(path) as other:
            other.execute("update embeddings set metadata = null where id = '199'")
            other.execute("insert into embeddings values (1, 'new', x'', ?)", (json.dumps({"lat": 10, "lng": 1}),))
        assert found(reader, filter) == {"198", "new", "201", "202"}
    assert b"cosimo" not in path.read_bytes()


def test_a_damaged_tree_is_not_trusted(store: SQLiteStore, path: Path) -> None:
    assert found(store, NEAR) == {"here"}
    with sqlite3.connect(path) as other:
        other.execute("update cosimo_places_1_tree_node set data = x'00'")
    with SQLiteStore(path) as again:
        assert found(again, NEAR) == {"here"}
        again.check(repair=True)
        assert found(again, NEAR) == {"here"}
        assert again._file.value("SELECT count(*) FROM cosimo_places_1_tree") > WORTH // 2
    with sqlite3.connect(path) as other:
        other.execute("drop table cosimo_places_1")
    with SQLiteStore(path) as again:
        assert found(again, NEAR) == {"here"}
        assert again._file.value("SELECT count(*) FROM cosimo_places_1") > WORTH // 2


# --- what a user types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("NEAR(48.8, 2.3, 1000)", "NEAR(*, 48.8, 2.3, 1000)"),
        ("NOT in_box(-10, 170, 10, -170)", "NOT IN_BOX(*, -10, 170, 10, -170)"),
        ("IN_POLYGON(0, 0, 0, 9, 9, 0)", "IN_POLYGON(*, 0, 0, 0, 9, 9, 0)"),
    ],
)
def test_a_question_without_a_field_is_about_the_rows_own_place(short: str, long: str) -> None:
    assert parse(short) == parse(long)


def test_two_columns_of_a_table_are_a_place_to_search_by(tmp_path: Path) -> None:
    table = tmp_path / "shops.csv"
    table.write_text("id,name,lat,lon\na,bread,48.8600,2.3400\nb,cake,51.5,-0.1\nc,tea,n/a,\nd,salt,91,2\ne,oil,48.86,2\n")
    with cosimo.open(tmp_path / "x.db") as db:
        shops = db.collection("shops", model="fake:8")
        shops.add(cosimo.read(table, metadata_columns=["lat", "lon"]))
        assert [hit.id for hit in shops.search("bread", where="NEAR(48.85, 2.35, 5000)")] == ["a"]
        assert {hit.id for hit in shops.search("bread", where="NOT NEAR(48.85, 2.35, 5000)")} == {"b", "c", "d", "e"}
        assert shops.facets("lat", where=F("*").in_box(40, -10, 60, 10)) == {"48.86": 2, "51.5": 1}


def test_searches_leave_a_tree_in_the_file(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "x.db") as db:
        made = db.collection("c", model=None)
        ids = [f"r{n}" for n in range(WORTH)]
        made.add_vectors(
            ids, np.eye(WORTH, 8, dtype=np.float32) + 0.1, metadata=[{"place": {"lat": n / 20, "lon": 0}} for n in range(WORTH)]
        )
        assert {hit.id for hit in made.search(np.ones(8), where="NEAR(place, 10, 0, 6000)")} == {"r199", "r200", "r201"}
    assert len(trees(tmp_path / "x.db")) == 1
