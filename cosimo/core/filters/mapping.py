"""Mapping: filters as JSON, in our spelling and in the one with dollar signs that people know; and back to ours.

`{"and": [{"field": "year", "op": ">=", "value": 2020}]}` and `{"year": {"$gte": 2020}, "$or": […]}` may be mixed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from ..errors import InvalidFilter
from ..geometry import Box, Circle, Polygon
from .python import F
from .tree import MAX_DEPTH, And, Between, Compare, Contains, Filter, In, IsNull, Like, Match, Not, Or, Within, both, either
from .values import MAX_TEXT

_DOLLARS = {
    "$eq": "=", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=", "$in": "in", "$nin": "not in",
    "$between": "between", "$like": "like", "$contains": "contains", "$not_contains": "not contains", "$any": "contains_any",
    "$all": "contains_all", "$match": "match", "$near": "near", "$box": "in_box", "$polygon": "in_polygon",
}  # fmt: skip
_ALIASES = {"==": "=", "<>": "!=", "nin": "not in", "is not null": "not is null", "is": "is null", "is not": "not is null"}
_LISTS = {"in": "isin", "contains_any": "contains_any", "contains_all": "contains_all", "in_polygon": "in_polygon"}
_SINGLE = {"contains": "contains", "like": "like", "match": "match"}
_SPREAD = {"between": ("low", "high"), "near": ("lat", "lon", "metres"), "in_box": ("south", "west", "north", "east")}
_JOINS = {"and": both, "or": either, "$and": both, "$or": either}


def from_json(text: str) -> Filter:
    """The filter in a JSON text.

    Raises
    ------
    InvalidFilter : no JSON, a key given twice (one of the two would be lost), or no filter
    """
    if len(text.encode(errors="surrogatepass")) > MAX_TEXT:
        raise InvalidFilter(f"a filter of {len(text):,} characters; JSON as text may have up to {MAX_TEXT:,} bytes")
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except InvalidFilter:
        raise
    except RecursionError as error:
        raise InvalidFilter(f"a filter may be nested {MAX_DEPTH} deep; this one is deeper") from error
    except ValueError as error:
        at = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InvalidFilter(f"the filter starts with {{ but is no JSON: {reason}{at}") from error
    return from_mapping(found)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise InvalidFilter(f'the filter names {twice!r} twice in one object; join the two with an "and" list')
    return found


def from_mapping(filter: Mapping[str, Any]) -> Filter:
    """The filter in a mapping, of either spelling. {} is everything."""
    return _whole(filter, 1)


def _whole(filter: Any, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise InvalidFilter(f"a filter may be nested {MAX_DEPTH} deep; this one is deeper")
    if isinstance(filter, Filter):
        return filter
    if not isinstance(filter, Mapping):
        raise InvalidFilter(f'{_shown(filter)} is no filter; it must be an object such as {{"year": {{"$gte": 2020}}}}')
    if set(filter) in ({"field", "op"}, {"field", "op", "value"}):
        return _operation(F(filter["field"]), filter["op"], filter.get("value"))
    return both(*(_entry(key, value, depth) for key, value in filter.items()))


def _entry(key: Any, value: Any, depth: int) -> Filter:
    """One key of an object: a join, a negation, or a field."""
    if not isinstance(key, str):
        raise InvalidFilter(f"{_shown(key)} is no field's name; names are text")
    join = key.lower() if key.startswith("$") else key
    if join in _JOINS and (join.startswith("$") or isinstance(value, list | tuple)):
        return _JOINS[join](*(_whole(part, depth + 1) for part in _list(value, key)))
    if join == "$nor":
        return Not(either(*(_whole(part, depth + 1) for part in _list(value, key))))
    if join == "$not" or (join == "not" and isinstance(value, Mapping | Filter)):
        return Not(_whole(value, depth + 1))
    if join.startswith("$"):
        raise InvalidFilter(f"no operator {key!r} joins filters; known: $and, $or, $nor, $not")
    return _field(F(key), value, depth)


def _field(field: F, wanted: Any, depth: int) -> Filter:
    """What a field is compared with: a value for equality, or an object of dollar operators that must all hold."""
    if not isinstance(wanted, Mapping):
        if isinstance(wanted, list | tuple):
            raise InvalidFilter(f'{field!r} cannot equal a list; write {{"$in": […]}} for one of these')
        return field.is_null() if wanted is None else field == wanted
    if not wanted:
        raise InvalidFilter(f"{field!r} is compared with an empty object; name an operator, such as $gte")
    return both(*(_dollar(field, name, value, depth) for name, value in wanted.items()))


def _dollar(field: F, name: Any, value: Any, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise InvalidFilter(f"a filter may be nested {MAX_DEPTH} deep; this one is deeper")
    if name == "$not":
        return Not(_field(field, value, depth + 1))
    if name == "$exists":
        if not isinstance(value, bool):
            raise InvalidFilter(f"$exists takes true or false, not {_shown(value)}")
        return Not(field.is_null()) if value else field.is_null()
    if value is None and name in ("$eq", "$ne"):
        return field.is_null() if name == "$eq" else Not(field.is_null())
    if name not in _DOLLARS:
        known = ", ".join([*_DOLLARS, "$exists", "$not"])
        raise InvalidFilter(f"no operator {_shown(name)} for {field!r}; known: {known}")
    return _operation(field, _DOLLARS[name], value)


def _operation(field: F, op: Any, value: Any) -> Filter:
    """`{"field", "op", "value"}`, the operator in our words."""
    name = " ".join(op.lower().split()) if isinstance(op, str) else op
    name = _ALIASES.get(name, name)
    if name == "!=":
        return Not(_operation(field, "=", value))
    if isinstance(name, str) and name.startswith("not "):
        return Not(_operation(field, name[4:], value))
    if name == "is null":
        if value is not None:
            raise InvalidFilter(f"'is null' takes no value, not {_shown(value)}")
        return field.is_null()
    if name in ("=", "<", "<=", ">", ">="):
        return _compared(field, name, value)
    if name in _LISTS:
        return _made(field, _LISTS[name], [_list(value, name)])
    if name in _SINGLE:
        return _made(field, _SINGLE[name], [value])
    if name in _SPREAD:
        return _made(field, name, _spread(name, value))
    known = ["=", "!=", "<", "<=", ">", ">=", *_LISTS, *_SINGLE, *_SPREAD, "is null", "not …"]
    raise InvalidFilter(f"no operator {_shown(op)}; known: {', '.join(known)}")


def _compared(field: F, op: str, value: Any) -> Filter:
    if isinstance(value, list | tuple | Mapping):
        raise InvalidFilter(f"{op} compares with one value, not with {_shown(value)}")
    made: Filter = getattr(field, {"=": "__eq__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[op])(value)
    return made


def _made(field: F, method: str, arguments: list[Any]) -> Filter:
    made: Filter = getattr(field, method)(*arguments)
    return made


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidFilter(f"{name} takes a list, not {_shown(value)}")
    return list(value)


def _spread(name: str, value: Any) -> list[Any]:
    """The arguments of an operator that takes several: a list in their order, or an object of their names."""
    wanted = _SPREAD[name]
    if isinstance(value, Mapping) and set(value) == set(wanted):
        return [value[key] for key in wanted]
    if not isinstance(value, list | tuple) or len(value) != len(wanted):
        _refuse(name, wanted, value)
    return list(value)


def _refuse(name: str, wanted: tuple[str, ...], value: Any) -> NoReturn:
    raise InvalidFilter(f"{name} takes [{', '.join(wanted)}], not {_shown(value)}")


def _shown(value: Any) -> str:
    text = f"a {type(value).__name__}" if isinstance(value, Mapping | list | tuple) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


# --- writing -------------------------------------------------------------------------------------------------------


def to_json(filter: Filter) -> dict[str, Any]:
    """The filter as an object that `json.dumps` takes, in our spelling: `parse(to_json(f)) == f`."""
    if isinstance(filter, And | Or):
        return {"and" if isinstance(filter, And) else "or": [to_json(part) for part in filter.parts]}
    if isinstance(filter, Not):
        return {"not": to_json(filter.part)}
    field, op, value = _described(filter)
    return {"field": field, "op": op} if op == "is null" else {"field": field, "op": op, "value": value}


def _described(question: Filter) -> tuple[str, str, Any]:
    match question:
        case Compare(field=field, op=op, value=value):
            return str(field), op, value
        case In(field=field, choices=choices):
            return str(field), "in", list(choices)
        case Between(field=field, low=low, high=high):
            return str(field), "between", [low, high]
        case IsNull(field=field):
            return str(field), "is null", None
        case Like(field=field, pattern=pattern):
            return str(field), "like", pattern
        case Match(field=field, text=text):
            return str(field), "match", text
        case Contains(field=field, items=items, every=every):
            if len(items) == 1:
                return str(field), "contains", items[0]
            return str(field), "contains_all" if every else "contains_any", list(items)
        case Within(field=field, shape=Circle() as circle):
            return str(field), "near", [circle.lat, circle.lon, circle.metres]
        case Within(field=field, shape=Box() as box):
            return str(field), "in_box", [box.south, box.west, box.north, box.east]
        case Within(field=field, shape=Polygon() as polygon):
            return str(field), "in_polygon", [list(corner) for corner in polygon.corners]
    raise TypeError(f"no spelling for {type(question).__name__}")
