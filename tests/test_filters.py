"""The filter language: three spellings of one tree, what each predicate means, and everything that is refused."""

from __future__ import annotations

import json
import time
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from filter_strategies import NAMES, filters
from hypothesis import given, settings
from hypothesis import strategies as st

from cosimo.core.errors import InvalidFilter
from cosimo.core.filters import F, Field, Filter, both, either, evaluate, fields, parse, to_json, to_text
from cosimo.core.filters.like import fits
from cosimo.core.filters.words import occur, words

ROW = {
    "year": 2020,
    "price": 19.5,
    "category": "dress",
    "tags": ["sqlite", "数据库", 3, True],
    "sold": False,
    "none": None,
    "empty": "",
    "author": {"name": "Ada", "born": 1815},
    "a.b": 1,
    "place": {"lat": 48.85, "lon": 2.35},
    "年份": 2021,
    "big": 2**70,
}


def passes(filter: str | dict[str, Any] | Filter, row: dict[str, Any] | None = None, **own: Any) -> bool:
    return evaluate(parse(filter), ROW if row is None else row, **own)


# --- spellings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mapping", "python"),
    [
        ("year >= 2020", {"year": {"$gte": 2020}}, F("year") >= 2020),
        ("year = 2020", {"year": 2020}, F("year") == 2020),
        ("year == 2020", {"field": "year", "op": "=", "value": 2020}, F("year") == 2020),
        ("year <> 2020", {"year": {"$ne": 2020}}, F("year") != 2020),
        ("not year = 2020", {"not": {"year": 2020}}, ~(F("year") == 2020)),
        ("a = 1 AND b = 2", {"a": 1, "b": 2}, (F("a") == 1) & (F("b") == 2)),
        ("a > 1 AND a <= 2", {"a": {"$gt": 1, "$lte": 2}}, (F("a") > 1) & (F("a") <= 2)),
        ("a = 1 OR b = 2 AND c = 3", {"$or": [{"a": 1}, {"b": 2, "c": 3}]}, (F("a") == 1) | (F("b") == 2) & (F("c") == 3)),
        (
            "(a = 1 OR b = 2) AND c = 3",
            {"and": [{"or": [{"a": 1}, {"b": 2}]}, {"c": 3}]},
            ((F("a") == 1) | (F("b") == 2)) & (F("c") == 3),
        ),
        ("NOT (a = 1 OR b = 2)", {"$nor": [{"a": 1}, {"b": 2}]}, ~((F("a") == 1) | (F("b") == 2))),
        ("a NOT IN ('x', 2, TRUE)", {"a": {"$nin": ["x", 2, True]}}, ~F("a").isin(["x", 2, True])),
        ("a IN ()", {"a": {"$in": []}}, F("a").isin([])),
        ("a BETWEEN 1 AND 2", {"field": "a", "op": "between", "value": [1, 2]}, F("a").between(1, 2)),
        ("a NOT BETWEEN 'a' AND 'b'", {"field": "a", "op": "NOT  BETWEEN", "value": ["a", "b"]}, ~F("a").between("a", "b")),
        ("a IS NULL", {"a": None}, F("a").is_null()),
        ("a IS NULL", {"a": {"$exists": False}}, F("a").is_null()),
        ("a IS NOT NULL", {"a": {"$ne": None}}, ~F("a").is_null()),
        ("a IS NOT NULL", {"field": "a", "op": "is not null"}, ~F("a").is_null()),
        ("a NOT LIKE 'it''s%'", {"a": {"$not": {"$like": "it's%"}}}, ~F("a").like("it's%")),
        ("CONTAINS(tags, 'x')", {"tags": {"$contains": "x"}}, F("tags").contains("x")),
        (
            "CONTAINS_ANY(tags, 'x', 2)",
            {"field": "tags", "op": "contains_any", "value": ["x", 2]},
            F("tags").contains_any(["x", 2]),
        ),
        ("CONTAINS_ALL(tags, 'x', 2)", {"tags": {"$all": ["x", 2]}}, F("tags").contains_all(["x", 2])),
        ("MATCH(*, 'some words')", {"*": {"$match": "some words"}}, F("*").match("some words")),
        ("NEAR(place, 48.85, 2.35, 5e3)", {"place": {"$near": [48.85, 2.35, 5000.0]}}, F("place").near(48.85, 2.35, 5000.0)),
        ("NEAR(p, 1, 2, 3)", {"p": {"$near": {"lon": 2, "lat": 1, "metres": 3}}}, F("p").near(1, 2, 3)),
        (
            "IN_BOX(p, -1, 170, 1, -170)",
            {"field": "p", "op": "in_box", "value": [-1, 170, 1, -170]},
            F("p").in_box(-1, 170, 1, -170),
        ),
        (
            "IN_POLYGON(p, 0, 0, 0, 9, 9, 9)",
            {"p": {"$polygon": [[0, 0], [0, 9], [9, 9]]}},
            F("p").in_polygon([(0, 0), (0, 9), (9, 9)]),
        ),
        ('author.name = "O\'Hara"', {"author.name": "O'Hara"}, F("author.name") == "O'Hara"),
        ('"a.b".c < -1.5', {'"a.b".c': {"$lt": -1.5}}, F('"a.b".c') < -1.5),
        ('"publish date" = 1', {"publish date": 1}, F("publish date") == 1),
        (
            "publish-date = .5 and 年份 != +3",
            {"publish-date": 0.5, "年份": {"$ne": 3}},
            (F("publish-date") == 0.5) & (F("年份") != 3),
        ),
        ('sold = true AND "in" = false', {"sold": True, "in": False}, (F("sold") == True) & (F("in") == False)),  # noqa: E712
        ("match = 1 AND near IN (2)", {"match": 1, "near": {"$in": [2]}}, (F("match") == 1) & F("near").isin([2])),
        ("and", {"and": 1}, F("and") == 1),
    ],
)
def test_three_spellings_are_one_tree(text: str, mapping: dict[str, Any], python: Filter) -> None:
    if text != "and":  # as a name it needs quotes in text
        assert parse(text) == python
    assert parse(mapping) == python
    assert parse(json.dumps(mapping)) == python
    assert parse(to_text(python)) == python
    assert parse(to_json(python)) == python
    assert parse(python) is python


@settings(max_examples=500)
@given(filters)
def test_every_filter_can_be_written_and_read_again(filter: Filter) -> None:
    assert parse(to_text(filter)) == filter
    assert parse(json.loads(json.dumps(to_json(filter)))) == filter
    assert hash(parse(to_text(filter))) == hash(filter)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_name_can_be_quoted_and_any_text_bound(text: str) -> None:
    filter = F('"' + text.replace('"', '""') + '"') == text
    assert parse(to_text(filter)) == parse(to_json(filter)) == filter
    assert passes(filter, {text: text})
    assert not passes(filter, {text: text + "x"})


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        filter = parse(text)
    except InvalidFilter:  # nothing else may come
        return
    assert isinstance(filter, Filter)


@given(
    st.lists(
        st.sampled_from(
            ["a", "=", "1", "'x'", "(", ")", "AND", "OR", "NOT", "IN", ",", "IS", "NULL", "LIKE", "NEAR", "*", '"', "."]
        )
    )
)
def test_no_heap_of_tokens_breaks_the_parser(tokens: list[str]) -> None:
    try:
        filter = parse(" ".join(tokens))
    except InvalidFilter:
        return
    assert parse(to_text(filter)) == filter


def test_names_are_spelled_so_that_they_are_read_again() -> None:
    for name in [*NAMES, "id", "content", "*", '"*"', '"content"', '""', '"and"', "a b.c"]:
        assert Field.named(str(Field.named(name))) == Field.named(name)
    assert Field.named('"id"') != Field.named("id")
    assert str(Field.named("author.first name")) == 'author."first name"'


def test_fields_are_told() -> None:
    assert {str(field) for field in fields(parse("a = 1 AND NOT (b.c IS NULL OR MATCH(*, 'x')) OR id IN ('y')"))} == {
        "a",
        "b.c",
        "*",
        "id",
    }


def test_nothing_asked_is_everything() -> None:
    for nothing in (None, {}, {"and": []}, {"$and": []}, {"$nor": []}, "{}", "NOT id IN ()"):
        assert passes(nothing)
        assert passes(nothing, {}, id="x")
    for never in ({"or": []}, {"$or": []}, "year IN ()"):
        assert not passes(never)


# --- meaning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "true",
    [
        "year = 2020",
        "year = 2020.0",
        "year != '2020'",
        "year > 2019.5",
        "year BETWEEN 2020 AND 2020",
        "price < 20",
        "category < 'e'",
        "category != 'Dress'",
        "sold = FALSE",
        "sold != 0",
        "none IS NULL",
        "none != 1",
        "missing IS NULL",
        "empty IS NOT NULL",
        "empty = ''",
        "author.name = 'Ada'",
        "author.missing.deeper IS NULL",
        "category.name IS NULL",
        "author IS NOT NULL",
        "author != 'Ada'",
        "a.b IS NULL",
        '"a.b" = 1',
        "tags != 'sqlite'",
        "CONTAINS(tags, 'sqlite')",
        "CONTAINS(tags, 3.0)",
        "CONTAINS(tags, TRUE)",
        "NOT CONTAINS(tags, 1)",
        "NOT CONTAINS(tags, 'sql')",
        "CONTAINS(category, 'res')",
        "CONTAINS(empty, '')",
        "NOT CONTAINS(year, 2)",
        "CONTAINS_ANY(tags, 'x', '数据库')",
        "CONTAINS_ALL(tags, 'sqlite', 3)",
        "NOT CONTAINS_ALL(tags, 3, 4)",
        "NOT CONTAINS_ANY(tags)",
        "CONTAINS_ALL(tags)",
        "NOT CONTAINS_ALL(missing)",
        "category LIKE 'd%s_'",
        "category NOT LIKE 'D%'",
        "year NOT LIKE '2%'",
        "MATCH(tags, '数据')",
        "MATCH(category, 'DRESS')",
        "NOT MATCH(category, 'dres')",
        "MATCH(*, 'ada dress')",
        "NEAR(place, 48.9, 2.35, 6000)",
        "NOT NEAR(place, 48.9, 2.35, 5000)",
        "IN_BOX(place, 48, 2, 49, 3)",
        "NOT NEAR(year, 0, 0, 3e7)",
        "IN_POLYGON(place, 48, 2, 48, 3, 50, 2.5)",
        "big > 1e21",
        "big < 1e22",
        "big = 1180591620717411303424",
        "big = 1180591620717411303425",
        "年份 = 2021",
        "missing NOT IN (1)",
        "NOT missing < 1",
        "NOT missing >= 1",
        "missing NOT LIKE '%'",
        "missing NOT BETWEEN 1 AND 2",
        "NOT NEAR(missing, 0, 0, 3e7)",
        "NOT MATCH(missing, 'x')",
        "NOT NOT year = 2020",
        "year = 2020 OR year = 1 AND year = 2",
    ],
)
def test_a_predicate_holds_and_its_negation_does_not(true: str) -> None:
    assert passes(true)
    assert not passes(f"NOT ({true})")


@given(filters, st.sampled_from([None, {}, ROW, {"year": None}]))
def test_a_negation_is_the_complement(filter: Filter, row: dict[str, Any] | None) -> None:
    assert evaluate(filter, row) is not evaluate(~filter, row)


def test_id_and_content_are_the_rows_own() -> None:
    assert passes("id = 'a' AND content LIKE '%text%' AND \"id\" = 5", {"id": 5}, id="a", content="some text")
    assert passes("content IS NULL AND NOT MATCH(*, 'x')", {}, content=b"x")


def test_numbers_that_are_none_are_missing() -> None:
    assert passes("x IS NULL AND NOT x < 1", {"x": float("nan")})
    assert passes("x > 1e308", {"x": float("inf")})
    assert passes("x > 1e308 AND y < -1e308", {"x": 10**400, "y": -(10**400)})
    assert passes(F("x") == 2**53 + 1, {"x": 2**53 + 1})
    assert not passes(F("x") == 2**53 + 1, {"x": 2.0**53})


@pytest.mark.parametrize(
    "row",
    [
        {"lat": 48.85, "lon": 2.35},
        {"latitude": 48.85, "longitude": 2.35},
        {"lat": 48.85, "lng": 362.35},
        {"type": "Point", "coordinates": [2.35, 48.85, 30]},
    ],
)
def test_a_whole_row_can_be_a_place(row: dict[str, Any]) -> None:
    row = row | ({"lng": 2.35} if "lng" in row else {})
    assert passes("NEAR(*, 48.85, 2.35, 1)", row)
    assert passes("NEAR(at, 48.85, 2.35, 1) AND NOT NEAR(*, 48.85, 2.35, 1)", {"at": row})


def test_a_row_at_latitude_91_has_no_place() -> None:
    assert not passes("NEAR(at, 90, 0, 30000000)", {"at": {"lat": 91, "lon": 0}})


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a%", ["a", "ab", "a\nb"], ["A", "ba", ""]),
        ("%", ["", "x"], []),
        ("", [""], ["x"]),
        ("_", ["x", "😀", "\n"], ["", "xy"]),
        ("%a%b", ["ab", "xaxb", "abab"], ["ba", "abx"]),
        ("ab%ba", ["abba", "abxba"], ["aba"]),
        (r"100\%", ["100%"], ["100x", r"100\%"]),
        (r"C:\dir\\%", ["C:\\dir\\x"], ["C:dir", "C:\\dirx"]),
        ("a\\", ["a\\"], ["a"]),
        ("[a]*?.", ["[a]*?."], ["a*?.", "[a]xx."]),
        ("%_%", ["x", "xyz"], [""]),
    ],
)
def test_like(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(fits(pattern, text) for text in yes)
    assert not any(fits(pattern, text) for text in no)


def test_like_takes_no_power_of_the_length() -> None:
    start = time.perf_counter()
    assert not fits("%a" * 30 + "b", "a" * 20_000)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("sqlite", "About SQLite."),
        ("data base", "base, data"),
        ("数据", "关系数据库"),
        ("库 sqlite", "SQLite数据库"),
        ("東京", "東京都"),
        ("ひらがな", "これはひらがなです"),
        ("서울", "서울에서"),
        ("ｓｑｌｉｔｅ", "sqlite"),
        ("strasse", "STRASSE"),
        ("straße", "STRASSE"),
        ("2020", "in 2020."),
        ("foo bar", "foo_bar"),
        ("हिन्दी", "यह हिन्दी है"),
        ("ไทย", "ภาษาไทย"),
        ("café", "cafe\u0301"),
        ("iphone 手机", "iPhone手机"),
    ],
)
def test_words_that_occur(wanted: str, text: str) -> None:
    assert occur(words(wanted), text)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [("sql", "sqlite"), ("据数", "数据"), ("a b", "a"), ("cafe", "café"), ("020", "2020"), ("हि", "हिन्दी"), ("数库", "数据库")],
)
def test_words_that_do_not_occur(wanted: str, text: str) -> None:
    assert not occur(words(wanted), text)


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("year >=", "expected a value after '>=' at character 8, found the end"),
        ("(year = 1", "expected ')' after '1' at character 10"),
        ("year = 1)", "expected AND, OR or the end after '1' at character 9, found ')'"),
        ("year = 1 AND", "expected a field's name after 'AND' at character 13"),
        ("year 2020", "expected a comparison"),
        ("year = dress", "text goes in 'single quotes'"),
        ("year = 'x", "the quote at character 8 is never closed"),
        ('"year = 1', "the quote at character 1 is never closed"),
        ("year = NULL", "IS NULL"),
        ("year IN (1, NULL)", "IS NULL"),
        ("year IN (1,)", "expected a value after ','"),
        ("year IN 1", "expected '('"),
        ("year BETWEEN 1", "expected 'AND'"),
        ("year BETWEEN 1 AND 'x'", "two numbers or two texts"),
        ("year LIKE 5", "expected text in single quotes at character 11"),
        ("year < TRUE", "no order"),
        ("in = 1", "double quotes"),
        ("year = 1e999", "character 8 is too large"),
        ("year = " + "9" * 5000, "character 8 is too large"),
        ("year = NaN", "expected a value"),
        ("year = 1; DROP TABLE embeddings", "unexpected ';' at character 9"),
        ("year = 1 -- x", "unexpected '-' at character 10"),
        ("a..b = 1", "unexpected '.'"),
        ("year = other", "expected a value"),
        ("", "empty"),
        (" \n ", "empty"),
        ("x" * 16_385, "16,384 bytes"),
        ("year = '" + "字" * 6000 + "'", "16,384 bytes"),
        ("* = 1", "expected a field's name"),
        ("CONTAINS(*, 1)", "whole row"),
        ("CONTAINS(tags)", "one value"),
        ("MATCH(a)", "expected ','"),
        ("MATCH(a, '!?')", "at least one word"),
        ("MATCH(a, '😀')", "at least one word"),
        ("NEAR(p, 91, 0, 1)", "91 is no latitude"),
        ("NEAR(p, 1, 2)", "latitude, longitude, metres"),
        ("NEAR(p, 'x', 2, 3)", "no latitude"),
        ("NEAR(p, 1, 2, -3)", "no distance"),
        ("IN_BOX(p, 5, 0, 4, 1)", "upside down"),
        ("IN_BOX(p, 5, 0, 4)", "south, west, north, east"),
        ("IN_POLYGON(p, 0, 0, 1, 1, 2)", "pairs"),
        ("IN_POLYGON(p, 0, 0, 1, 1)", "3 to 10,000"),
        ('{"year": 1', "no JSON"),
        ('{"year": NaN}', "no value for a filter"),
        ('{"year": {"$gt": 1}, "year": {"$lt": 5}}', "'year' twice"),
        ('{"year": "\\ud800"}', "half a character"),
        ('{"$not":' * 1500 + "{}" + "}" * 1500, "64 deep"),
        ("NOT " * 4000 + "a = 1", "64 deep; this one is deeper at character 257"),
        ("(" * 10_000 + "a = 1" + ")" * 100, "64 deep"),
        (" OR ".join(["a=1"] * 1001), "1,000 conditions"),
    ],
    ids=lambda text: text[:30],
)
def test_a_text_that_is_no_filter_says_what_was_expected_where(text: str, says: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


LOOP: dict[str, Any] = {}
LOOP["$not"] = LOOP


def nested_nots(count: int) -> dict[str, Any]:
    filter: dict[str, Any] = {"a": 1}
    for _ in range(count):
        filter = {"not": filter}
    return filter


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"year": {"$regex": "x"}}, "no operator '$regex'"),
        ({"year": {"gte": 1}}, "no operator 'gte'"),
        ({"$where": "x"}, "no operator '$where'"),
        ({"year": [1, 2]}, "$in"),
        ({"year": {}}, "empty object"),
        ({"year": {"$in": 5}}, "takes a list"),
        ({"year": {"$in": "abc"}}, "takes a list"),
        ({"year": {"$in": [None]}}, "IS NULL"),
        ({"year": {"$gt": None}}, "IS NULL"),
        ({"year": {"$gt": [1]}}, "one value"),
        ({"year": {"$exists": 1}}, "true or false"),
        ({"year": float("inf")}, "finite"),
        ({"year": object()}, "no value for a filter"),
        ({"year": {"$near": [1, 2]}}, "[lat, lon, metres]"),
        ({"year": {"$near": {"lat": 1, "lon": 2}}}, "[lat, lon, metres]"),
        ({"year": {"$near": [91, 2, 3]}}, "91 is no latitude"),
        ({"year": {"$polygon": [1, 2, 3]}}, "pairs"),
        ({"year": {"$like": 5}}, "takes text"),
        ({"field": "year", "op": "~", "value": 1}, "no operator '~'"),
        ({"field": "year", "op": 5, "value": 1}, "no operator 5"),
        ({"field": 5, "op": "=", "value": 1}, "must be text"),
        ({"field": "year", "op": "is null", "value": 1}, "takes no value"),
        ({"and": [5]}, "is no filter"),
        ({5: 1}, "no field's name"),
        ({"": 1}, "no field's name"),
        ({"a.": 1}, "no field's name"),
        ({'"a': 1}, "no field's name"),
        ({"\ud800": 1}, "no field can be called"),
        ({"a": "\udc00"}, "half a character"),
        ({"a": "x" * 20_000}, "20,000 bytes"),
        ({"a": 10**400}, "308 digits"),
        ({"*": 1}, "whole row"),
        (LOOP, "64 deep"),
        (nested_nots(10_000), "64 deep"),
        ({"$or": [{"a": 1}] * 1001}, "1,000 conditions"),
        ({"a": {"$in": list(range(10_001))}}, "10,000 values"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_a_mapping_that_is_no_filter_says_why(mapping: dict[Any, Any], says: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(mapping)
    assert says in str(caught.value)


def test_python_refuses_what_would_silently_mean_something_else() -> None:
    for misuse in (
        lambda: (F("a") == 1) and (F("b") == 2),
        lambda: (F("a") == 1) or (F("b") == 2),
        lambda: not F("a").is_null(),
        lambda: 1 < F("a") < 5,
        lambda: bool(F("a")),
        lambda: "x" in F("a"),
        lambda: list(F("a")),
        lambda: F("a") == 1 & F("b") == 2,
        lambda: ~F("a"),
        lambda: F("a") & F("b"),
        lambda: (F("a") == 1) & "b = 2",
        lambda: F("a") == F("b"),
        lambda: F("a") == None,  # noqa: E711
        lambda: F("a").isin("abc"),
        lambda: F("a").isin(5),
        lambda: F("a").like(5),
        lambda: F("a").in_polygon([1, 2, 3]),
        lambda: F(5),
        lambda: parse(F("a")),
        lambda: parse(5),
    ):
        with pytest.raises(InvalidFilter):
            misuse()
    with pytest.raises(InvalidFilter, match="brackets round each comparison"):
        bool(F("a") == 1)


def test_values_of_numpy_and_dates_become_plain() -> None:
    assert (F("a") == np.int64(5)) == (F("a") == 5)
    assert (F("a") == np.float32(0.5)) == (F("a") == 0.5)
    assert (F("a") == np.bool_(True)) == (F("a") == True)  # noqa: E712
    assert (F("a") >= date(2024, 1, 2)) == (F("a") >= "2024-01-02")
    assert (F("a") >= datetime(2024, 1, 2, 3)) == (F("a") >= "2024-01-02 03:00:00")  # as str(), so as metadata holds it


def test_filters_that_python_takes_for_equal_values_are_not_equal() -> None:
    assert (F("a") == 1) != (F("a") == True)  # noqa: E712
    assert len({F("a") == 1, F("a") == True, F("a") == 1.0, F("a") == 1}) == 3  # noqa: E712


def test_ten_thousand_nots_built_in_python_are_refused_while_building() -> None:
    def build() -> None:
        filter = F("a") == 1
        for _ in range(10_000):
            filter = ~filter

    with pytest.raises(InvalidFilter, match="64 levels"):
        build()


def test_a_thousand_conditions_are_taken_and_no_more() -> None:
    parts = [F("a") == number for number in range(999)]
    assert passes(either(*parts), {"a": 998})
    assert parse(to_json(both(*parts))) == both(*parts)
    with pytest.raises(InvalidFilter, match="1,000 conditions"):
        _ = either(*parts) | (F("a") == 1000)
