"""Filters: conditions on a row's metadata, id and content, in three spellings. Asks no database; the stores compile the tree.

`parse` takes text (`year >= 2020 AND category IN ('dress', 'shoes')`), JSON (`{"field": "year", "op": ">=", "value": 2020}`
or `{"year": {"$gte": 2020}}`) or what `F("year") >= 2020` made. `evaluate` is the oracle all compilers are tested against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidFilter
from .evaluate import Item, evaluate, holds
from .mapping import from_json, from_mapping, to_json
from .python import F
from .syntax import from_text, to_text
from .tree import Field, Filter, Within, both, either, walk

__all__ = [
    "F", "Field", "Filter", "Item", "Within",
    "both", "either", "evaluate", "fields", "holds", "parse", "to_json", "to_text", "walk",
]  # fmt: skip


def parse(filter: str | Mapping[str, Any] | Filter | None) -> Filter:
    """A filter from any of its spellings.

    Parameters
    ----------
    filter : text in the filter language or JSON as text; a mapping in either JSON spelling; a `Filter`, returned as it is;
        None or {} for everything

    Raises
    ------
    InvalidFilter : not in the language, too large or too deep; the message says where and what was expected
    """
    if isinstance(filter, Filter):
        return filter
    if filter is None:
        return both()
    if isinstance(filter, Mapping):
        return from_mapping(filter)
    if isinstance(filter, F):
        raise InvalidFilter(f"F({str(filter.field)!r}) alone is no filter; compare it with a value, or ask .is_null()")
    if not isinstance(filter, str):
        raise InvalidFilter(f"a filter is text, a mapping or made with F, not {type(filter).__name__}")
    return from_json(filter) if filter.lstrip().startswith("{") else from_text(filter)


def fields(filter: Filter) -> frozenset[Field]:
    """All fields a filter asks about."""
    return frozenset(predicate.field for predicate in walk(filter))
