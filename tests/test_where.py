"""What SQLite finds is what the oracle finds: for random filters on random rows, odd ones included, and for each trap."""

from __future__ import annotations

import json
import random
import sqlite3

import numpy as np
import pytest
from filter_strategies import filters, rows
from hypothesis import HealthCheck, given, settings

from cosimo.core.filters import F, Filter, Item, both, either, holds, parse
from cosimo.core.sqlite import File
from cosimo.core.types import Row, Settings
from cosimo.stores import catalog, schema
from cosimo.stores.rows import known_metadata
from cosimo.stores.sqlite import SQLiteStore
from cosimo.stores.where import compiled, matching

COLUMNS = frozenset(("collection_id", "id", "embedding", "content", "metadata"))


def table(found: list[tuple[str, object, object]]) -> tuple[File, schema.State]:
    """A file such as `llm` leaves, with these rows in collection 1 and one that fits everything in collection 2."""
    file = File(":memory:")
    file.execute("CREATE TABLE embeddings (collection_id INTEGER, id TEXT, embedding BLOB, content TEXT, metadata TEXT)")
    file.execute_many("INSERT INTO embeddings VALUES (1, ?, x'', ?, ?)", found)
    file.execute("INSERT INTO embeddings VALUES (2, 'a', x'', 'a', '{\"year\": 2020}')")
    return file, schema.State(0, True, COLUMNS, 0, "", False)


def asked(place: tuple[File, schema.State], filter: Filter) -> list[int]:
    file, state = place
    with file.snapshot():
        return matching(file, state, 1, filter)


def stored(place: tuple[File, schema.State]) -> list[tuple[int, Item]]:
    """All rows of collection 1 as the store reads them."""
    sql = "SELECT rowid, id, content, metadata FROM embeddings WHERE collection_id = 1"
    return [(number, Item(id, content, known_metadata(text))) for number, id, content, text in place[0].rows(sql)]


def answer(place: tuple[File, schema.State], filter: Filter) -> list[int]:
    return [number for number, item in stored(place) if holds(filter, item)]


SLICES = 10
TABLES = {seed: table(rows(seed, 200)) for seed in range(SLICES)}
ITEMS = {seed: stored(place) for seed, place in TABLES.items()}


@pytest.mark.parametrize("seed", range(SLICES))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(filter=filters)
def test_sqlite_finds_what_the_oracle_finds(seed: int, filter: Filter) -> None:
    assert asked(TABLES[seed], filter) == [number for number, item in ITEMS[seed] if holds(filter, item)]


def one(metadata: object, content: object = None) -> tuple[File, schema.State]:
    return table([("a", content, metadata)])


@pytest.mark.parametrize(
    ("metadata", "filter"),
    [
        ('{"year": 2020, "year": 2021}', "year = 2021"),  # SQLite takes the first of two keys, Python the last
        ('{"年份": 1, "\\u5e74\\u4efd": 2}', "年份 = 2"),
        ('{"\\u5e74\\u4efd": 1, "年份": 2}', "年份 = 2"),
        ('{"\\u5e74\\u4efd": 1, "\\u5e74\\u4efd": 2}', "年份 = 2"),
        ('{"\\u5E74\\u4EFD": 2}', "年份 = 2"),
        ('{"\\u5e74份": 2}', "年份 = 2"),
        ('{"ye\\u0061r": 2020}', "year = 2020"),
        ('{"a\\/b": 1}', '"a/b" = 1'),
        ('{"a\\"b": 1}', '"a""b" = 1'),
        ('{"a\\\\b": 1}', '"a\\b" = 1'),
        ('{"": 1}', '"" = 1'),
        ('{"a.b": {"[0]": 1}}', '"a.b"."[0]" = 1'),
        ('{"x": "a\\u0000b"}', "x LIKE 'a_b'"),
        ('{"x": true}', "x = TRUE AND NOT x = 1 AND NOT CONTAINS(x, 1)"),
        ('{"x": 1}', "x = 1.0 AND x != TRUE AND x != '1'"),
        ('{"x": "1"}', "x = '1' AND x != 1 AND NOT x >= 0 AND NOT x BETWEEN 0 AND 2"),
        ('{"x": "[1]", "y": [1]}', "x = '[1]' AND y != '[1]' AND CONTAINS(y, 1) AND NOT y LIKE '%'"),
        ('{"x": null}', "x IS NULL AND x != 1 AND x NOT IN (1) AND x NOT LIKE '%' AND NOT x < 1"),
        ('{"x": 9007199254740993}', "x > 9007199254740992.0 AND x = 9007199254740993 AND x != 9007199254740992"),
        ('{"x": 9223372036854775808}', "x = 9223372036854775809 AND x > 9223372036854775807"),  # doubles beyond 64 bits
        ('{"x": 0.30000000000000004}', "x = 0.30000000000000004 AND x > 0.3 AND x NOT IN (0.3)"),
        ('{"x": 1e999}', "x > 1e308"),
        ('{"x": "Abc"}', "x LIKE 'A%' AND x NOT LIKE 'a%' AND x NOT LIKE 'abc'"),
        ('{"x": "50%[*]?"}', "x LIKE '50\\%[*]?' AND x LIKE '%[%]_' AND x NOT LIKE '50\\%%[!]?'"),
        ('{"x": "\ufffe"}', "x != '\ufffd' AND x NOT LIKE '\ufffd' AND x LIKE '\ufffe'"),
        ('{"x": "\uffff", "y": "😀"}', "x < '😀' AND y > '\uffff'"),  # by code point, not by UTF-16 unit
        ('{"x": [true, "b", 2.0, [1]]}', "CONTAINS_ALL(x, TRUE, 'b', 2) AND NOT CONTAINS_ANY(x, 1, '1', 'true')"),
        ('{"author": {"name": "Ada", "year": 1}, "name": "x"}', "author.name = 'Ada' AND name = 'x' AND year IS NULL"),
        ('{"author": [{"name": "Ada"}]}', "author.name IS NULL AND author IS NOT NULL"),
        ('{"id": 7, "content": 8}', '"id" = 7 AND id = \'a\' AND "content" = 8 AND content IS NULL'),
        (b'{"x": 1}', "x = 1"),
        ('{"x": NaN, "y": 1}', "x IS NULL AND y = 1"),
        ("", "x IS NULL"),
        ("not json", "x IS NULL AND NOT x = 1"),
        ('{"x": 1}\0', "x IS NULL"),  # Python reads no metadata there, SQLite would
        ('{"x": 1, "deep": ' + "[" * 1990 + "]" * 1990 + "}", "x IS NULL OR x = 1"),
        (5, "x IS NULL"),
        (None, "x IS NULL AND NOT (x = 1 OR NEAR(x, 0, 0, 1) OR MATCH(*, 'x'))"),
        ('{"a":1}', "\"x' OR 1=1 --\" IS NULL AND a != '1'') OR 1=1 --'"),
    ],
)
def test_a_trap_is_read_as_python_reads_it(metadata: object, filter: str) -> None:
    place = one(metadata)
    assert answer(place, parse(filter)) == [1], "the oracle itself"
    assert asked(place, parse(filter)) == [1]
    assert asked(place, ~parse(filter)) == []


def test_metadata_too_deep_for_python_is_none_wherever_sqlite_could_still_read_it() -> None:
    place = one('{"x": 1, "deep": ' + "[" * 1990 + "]" * 1990 + "}")
    assert asked(place, F("x") == 1) == answer(place, F("x") == 1)


@pytest.mark.parametrize(
    "value", ["' OR '1'='1", "'; DROP TABLE embeddings; --", '") OR 1=1 --', "a%", "*", "?1", ":a", "@a", "$a", "\\"]
)
def test_values_and_names_are_bound_and_never_pasted(value: str) -> None:
    place = table([("a", value, json.dumps({"x": value})), ("b", "harmless", '{"x": "harmless"}')])
    name = F('"' + value.replace('"', '""') + '"')
    for filter in (F("x") == value, F("x").isin([value]), F("x").contains(value), F("content") == value, F("x") >= value):
        sql = compiled(filter)
        assert value == "\\" or value not in sql.where.text + sql.doubt.text or value in "*?1"
        assert asked(place, filter) == answer(place, filter)
    assert asked(place, name == value) == []
    assert asked(place, name.is_null()) == [1, 2]
    assert place[0].value("SELECT count(*) FROM embeddings") == 3


def test_numbers_never_equal_an_id_even_though_the_column_would_make_them_text() -> None:
    place = table([("5", "5", None)])
    assert asked(place, F("id") == 5) == asked(place, F("id").isin([5, 5.0, True])) == asked(place, F("content") >= 5) == []
    assert asked(place, F("id") == "5") == [1]


def test_columns_that_fold_case_or_are_not_there_change_nothing() -> None:
    file = File(":memory:")
    file.execute("CREATE TABLE embeddings (collection_id INTEGER, id TEXT COLLATE NOCASE, embedding BLOB)")
    file.execute("INSERT INTO embeddings VALUES (1, 'Ab', x'')")
    place = file, schema.State(0, True, frozenset(("collection_id", "id", "embedding")), 0, "", False)
    assert asked(place, F("id").isin(["ab", "AB"]) | (F("id") == "ab")) == []
    assert asked(place, (F("id") == "Ab") & F("year").is_null() & F("content").is_null() & ~F("tags").contains("a")) == [1]


def test_a_text_with_a_nul_is_compared_to_its_end() -> None:
    place = one(None, "a\0b")
    assert asked(place, F("content").like("a_b")) == asked(place, ~F("content").like("a")) == [1]
    assert asked(place, F("content").contains("b") & (F("content") > "a") & (F("content") != "a")) == [1]


def nested(levels: int, width: int) -> Filter:
    """AND and OR in turns, both sides of each as deep as the size allows."""
    filter: Filter = F("n0") == 0
    for level in range(levels):
        parts = [F(f"n{level % 40}") == number for number in range(width)]
        filter = both(*parts[:1], filter, *parts[1:]) if level % 2 else either(*parts[:1], ~filter, *parts[1:])
    return filter


@pytest.mark.parametrize(
    "filter",
    [
        nested(31, 2),
        nested(11, 60),
        nested(20, 30),
        both(*(F("a") != number for number in range(450))),
        either(*(F("a") == number for number in range(998))),
        both(*(F("a").is_null() for _ in range(998))),
        either(*(F(f"年{number % 40}").contains_any([number, 0.5] * 15) for number in range(330))),
        either(*(~(F(f"field {number}") == "x") for number in range(450))),
        either(*(F(f"年{number % 40}").contains_any([number, "x", 0.5]) for number in range(450))),
        F("a").isin(range(10_000)),
        F("a").contains_all(list(range(9_000))) | (F("b") == 1),
        F("content").like("[%" * 5_000),
        F("a").like("[" * 16_384),
    ],
    ids=range(13),
)
def test_the_largest_filters_stay_below_the_limits_of_sqlite(filter: Filter) -> None:
    place = table([("a", "x", '{"a": 3, "n0": 0}'), ("b", "x", '{"a": ' + "[" * 3 + "]" * 3 + "}"), ("c", None, None)])
    assert asked(place, filter) == answer(place, filter)
    assert asked(place, ~filter) == answer(place, ~filter)


def test_ordinary_rows_are_answered_by_sqlite_alone() -> None:
    rng = random.Random(0)
    found = [
        (
            str(n),
            f"text {n}",
            json.dumps({"year": rng.randint(2000, 2024), "tags": ["a", "标签"], "作者": {"名": f"甲{n % 3}"}}),
        )
        for n in range(300)
    ]
    place = table(found)
    for text in (
        "year >= 2020 AND year != 2021 AND year NOT IN (2022)",
        "CONTAINS(tags, '标签') AND 作者.名 = '甲1'",
        "作者.名 LIKE '甲%' OR id = '7'",
        "content LIKE 'text 1%' AND other IS NULL",
    ):
        sql = compiled(parse(text))
        again = place[0].value(f"SELECT count(*) FROM embeddings e WHERE {sql.doubt.text}" + " AND " + sql.where.text,
                               (*sql.doubt.values, *sql.where.values))  # fmt: skip
        assert again == 0, text
        assert asked(place, parse(text)) == answer(place, parse(text)) != []
    assert compiled(parse("id = 'a' OR content LIKE 'a%' AND id IN ('b')")).exact is False
    assert compiled(parse("id = 'a' OR CONTAINS(content, 'a') AND id IN ('b')")).exact is True


def test_an_index_of_places_narrows_what_python_is_asked() -> None:
    rng = random.Random(0)
    found = [
        (str(n), None, json.dumps({"at": {"lat": rng.uniform(-90, 90), "lon": rng.uniform(-180, 180)}})) for n in range(2000)
    ]
    file, state = table(found)
    file.execute("CREATE VIRTUAL TABLE spots USING rtree(number, south, north, west, east)")
    spots = [(n, item.metadata["at"]["lat"], item.metadata["at"]["lon"]) for n, item in stored((file, state))]
    file.execute_many("INSERT INTO spots VALUES (?, ?, ?, ?, ?)", ((n, lat, lat, lon, lon) for n, lat, lon in spots))
    seen = []

    def places(question):
        seen.append((str(question.field), len(question.shape.bounds())))
        sql = "SELECT number FROM spots WHERE south <= ? AND north >= ? AND west <= ? AND east >= ?"
        boxes = [(box.north, box.south, box.east, box.west) for box in question.shape.bounds()]
        near = {number for box in boxes for (number,) in file.rows(sql, box)}
        return sorted(number for number, item in stored((file, state)) if number in near and holds(question, item))

    for text in ("NEAR(at, 10, 179, 1500000)", "IN_BOX(at, 60, 170, 90, -170)", "IN_POLYGON(at, -80, 0, -70, 120, -75, -120)"):
        with file.snapshot():
            for filter in (parse(text), ~parse(text), parse(f"id LIKE '%7' AND {text}"), parse(f"id LIKE '%7' OR {text}")):
                assert matching(file, state, 1, filter, places=places) == answer((file, state), filter) != []
        assert compiled(parse(text), places=places).exact
    assert seen[0] == ("at", 2)


def test_numbers_are_those_of_the_store_and_of_the_collection_asked() -> None:
    with SQLiteStore(":memory:") as store:
        for name in ("one", "two"):
            store.create(name, Settings(model=None, dim=2))
            store.put(name, [Row(f"{name}{n}", np.ones(2, np.float32), metadata={"year": 2000 + n}) for n in range(5)])
        store.delete("two", ["two3"])
        with store._reading() as state:
            entry = catalog.find(store._file, state, "two")
            numbers = matching(store._file, state, entry.number, F("year") >= 2003)
        assert store.ids_of("two", numbers) == {numbers[0]: "two4"}
        assert len(numbers) == 1


def test_sqlite_is_as_old_as_we_promise() -> None:
    assert sqlite3.sqlite_version_info >= (3, 37)
