"""Random filters and rows that meet each other: both are made of the same few names and values, traps among them."""

from __future__ import annotations

import json
import random
import re

from hypothesis import strategies as st

from cosimo.core.errors import InvalidFilter
from cosimo.core.filters import F, Filter, both, either

NAMES = ["year", "tag", "author.name", "author", "年份", '"a.b"', '"x""y"', '"a/b"', "Größe", '"[0]"', "place", '"id"', '"\\"']
KEYS = ["year", "tag", "name", "author", "年份", "a.b", 'x"y', "a/b", "Größe", "[0]", "place", "id", "\\"]
TEXTS = [
    "", "a", "A", "b", "dress", "Dress", "100%", "a_b", "a\\b", "数据库", "数据", "x\0y", "x", "2020", "1", "true", "[1]",
    "😀", "\uffff", "\ufffd", "It's", '"', "[a]", "*", "?", "ß", "SS", "café au lait", "New York", "new york city",
    "null", "a\nb",
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 2, 2020, 2021, 1.0, 0.5, 0.1, 0.30000000000000004, 0.3, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63),
    1e300, -1e300, 1e-320, 19.99, float(2**63), 123456789012345678, 1.7976931348623157e308, 9.999999999999999e22, -0.0,
]  # fmt: skip
IN_ROWS_ONLY = [2**63, 2**64 + 1, -(2**63) - 1, 10**30, 10**400, -(10**400)]
PLACES = [
    {"lat": 48.85, "lon": 2.35}, {"latitude": 0, "longitude": 179.5}, {"lat": -10, "lng": -179.5}, {"lat": 91, "lon": 0},
    {"type": "Point", "coordinates": [2.35, 48.85]}, {"type": "Point", "coordinates": []}, {"lat": 90, "lon": 10},
    {"lat": "1", "lon": 2}, {"lat": True, "lon": 2}, {"lat": 0, "lon": 200}, {"lat": 5, "lon": None, "lng": 5},
]  # fmt: skip

names = st.sampled_from([*NAMES, "id", "content"])
texts = st.sampled_from(TEXTS)
numbers = st.sampled_from(NUMBERS)
values = st.one_of(texts, numbers, st.booleans())
degrees = st.sampled_from([-90, -60.5, -10, 0, 2.35, 48.85, 90])
longitudes = st.sampled_from([-360, -180, -179.5, -1, 0, 2.35, 90, 170, 179.5, 180, 190, 360])


@st.composite
def predicates(draw: st.DrawFn) -> Filter:
    """One predicate; spellings that the language refuses are drawn again."""
    field = F(draw(names))
    match draw(st.integers(0, 11)):
        case 0 | 1:
            made = [field.__eq__, field.__lt__, field.__le__, field.__gt__, field.__ge__][draw(st.integers(0, 4))]
            return made(draw(st.one_of(texts, numbers)))
        case 2:
            return field == draw(values)
        case 3:
            return field.isin(draw(st.lists(values, max_size=5)))
        case 4:
            return field.between(*draw(st.one_of(st.tuples(texts, texts), st.tuples(numbers, numbers))))
        case 5:
            return field.is_null()
        case 6:
            return field.like(draw(st.lists(st.sampled_from(["%", "_", "\\", *TEXTS]), max_size=4).map("".join)))
        case 7:
            return field.contains(draw(values))
        case 8:
            items = draw(st.lists(values, max_size=3))
            return field.contains_all(items) if draw(st.booleans()) else field.contains_any(items)
        case 9:
            words = draw(st.lists(st.sampled_from([t for t in TEXTS if re.search(r"[^\W_]", t)]), min_size=1, max_size=2))
            return (F("*") if draw(st.booleans()) else field).match(" ".join(words))
        case _:
            place = F(draw(st.sampled_from(["place", "place", "*", "author"])))
            return draw(shapes(place))


@st.composite
def shapes(draw: st.DrawFn, place: F) -> Filter:
    """A question of place."""
    try:
        match draw(st.integers(0, 2)):
            case 0:
                return place.near(draw(degrees), draw(longitudes), draw(st.sampled_from([0, 1, 60_000, 2e6, 3e7])))
            case 1:
                south, north = sorted((draw(degrees), draw(degrees)))
                return place.in_box(south, draw(longitudes), north, draw(longitudes))
            case _:
                return place.in_polygon(draw(st.lists(st.tuples(degrees, longitudes), min_size=3, max_size=5)))
    except InvalidFilter:  # a polygon without area, or with an edge half round the Earth
        return place.near(48.85, 2.35, 1000)


def _joined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    lists = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        lists.map(lambda parts: both(*parts)), lists.map(lambda parts: either(*parts)), inner.map(lambda part: ~part)
    )


filters = st.recursive(predicates(), _joined, max_leaves=8)


def _value(rng: random.Random, depth: int = 0) -> object:
    match rng.randrange(10):
        case 0 | 1 | 2:
            return rng.choice(TEXTS)
        case 3 | 4 | 5:
            return rng.choice(NUMBERS + IN_ROWS_ONLY)
        case 6:
            return rng.choice([True, False, None])
        case 7 if depth < 3:
            return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case 8 if depth < 3:
            return {rng.choice(KEYS): _value(rng, depth + 1) for _ in range(rng.randrange(3))}
        case _:
            return rng.choice(PLACES)


ODD = [
    None, "", "null", "5", "[]", '"year"', "{", '{"year": NaN}', '{"year": Infinity}', '{"year": 2020, "year": 2021}',
    b'{"year": 2020}', '{"ye\\u0061r": 2020}', '{"year": 2020}' + "\0", '{"year": 2020}' + "\0rest", '{"tag": "a\\u0000"}',
    '{"year": 2020,}', "{'year': 2020}", "\ufeff" + '{"year": 2020}', '{"\\u5E74\\u4EFD": 2020}', '{"\\u5e74份": 2020}',
    '{"年份": 1, "\\u5e74\\u4efd": 2}', '{"a\\/b": 1}', '{"year": 2020, "deep": ' + "[" * 300 + "]" * 300 + "}",
    '{"year": 2020, "deep": ' + "[" * 20_000 + "]" * 20_000 + "}", '{"year": 1, "deep": ' + '{"a":' * 400 + "1" + "}" * 401,
    '{"tag": "\\ud83d"}', '{"tag": "\\ud83d\\ude00"}', '{"year": 1e999, "tag": ["a", "a"]}', '{"year": -0, "tag": "a\\tb"}',
    '{"year": 2.02E3}', '{"year": 2020.00000000000000001}', '{"author": {"name": "a", "name": "b"}}',
    '{"author": [{"name": "a"}]}', '{"tag": "x' + '\ty"}', '{"id": 1, "content": "a"}', 7, 0.5, b"\xff\xfe", '{"year":"year"}',
    '{"year": 0.299999999999999988897769753748}', '{"year": 9007199254740993.0}', '{"lat": 48.85, "lon": 2.35}',
    '{"place":{"lat":1,"lon":2,"lat":48.85,"lon":2.35}}',
]  # fmt: skip


def _spelled(rng: random.Random, metadata: dict[str, object]) -> object:
    """Metadata as one program or another writes it."""
    text = json.dumps(metadata, ensure_ascii=rng.random() < 0.6, separators=rng.choice([(",", ":"), None]))
    match rng.randrange(12):
        case 0:
            return re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), text)
        case 1:
            return text.replace("/", "\\/")
        case 2:
            return text.replace("'", "\\u0027").replace("a", "\\u0061")
        case _:
            return text


def rows(seed: int, count: int) -> list[tuple[str, object, object]]:
    """(id, content, metadata as stored) of random rows."""
    rng = random.Random(seed)
    found: list[tuple[str, object, object]] = []
    for place in range(count):
        content = rng.choice([None, rng.choice(TEXTS), f"{rng.choice(TEXTS)} {rng.choice(TEXTS)}"])
        stored = (
            rng.choice(ODD)
            if rng.random() < 0.25
            else _spelled(rng, {rng.choice(KEYS): _value(rng) for _ in range(rng.randrange(5))})
        )
        found.append((rng.choice(TEXTS) + f"{place}" if place >= len(TEXTS) else TEXTS[place], content, stored))
    return found
