"""Evaluate: a filter and one row in, true or false out. The oracle that every store's compiler is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..geometry import position
from .like import fits
from .tree import And, Between, Compare, Contains, Field, Filter, In, IsNull, Like, Match, Not, Or, Predicate, Within
from .values import Value, compared, kind
from .words import occur, words


@dataclass(frozen=True, slots=True)
class Item:
    """What a filter may ask of a row. Content that is no text, or is not stored, is missing."""

    id: str | None = None
    content: Any = None
    metadata: Mapping[str, Any] | None = None


def evaluate(filter: Filter, metadata: Mapping[str, Any] | None, *, id: str | None = None, content: Any = None) -> bool:
    """Whether a row passes a filter.

    Parameters
    ----------
    metadata : the row's, as JSON has it; None where it has none
    id, content : the row's own; content that is bytes counts as missing
    """
    return holds(filter, Item(id, content, metadata))


def holds(filter: Filter, item: Item) -> bool:
    """`evaluate` for a row that is an `Item` already."""
    if isinstance(filter, And):
        return all(holds(part, item) for part in filter.parts)
    if isinstance(filter, Or):
        return any(holds(part, item) for part in filter.parts)
    if isinstance(filter, Not):
        return not holds(filter.part, item)
    assert isinstance(filter, Predicate)
    if isinstance(filter, Match) and filter.field.source == "any":
        return occur(words(filter.text), "\n".join(texts(item)))
    return _answer(filter, looked_up(filter.field, item))


def looked_up(field: Field, item: Item) -> Any:
    """The value of a field, None where it is missing. A name inside a list is not found: lists hold values, not keys."""
    if field.source == "id" or field.source == "content":
        found = item.id if field.source == "id" else item.content
        return found if isinstance(found, str) else None
    found = item.metadata
    for key in field.path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def texts(item: Item) -> list[str]:
    """All text of a row: its content, and every text in its metadata at any depth."""
    found = [item.content] if isinstance(item.content, str) else []
    waiting: list[Any] = [item.metadata]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found


def _answer(question: Predicate, found: Any) -> bool:
    match question:
        case Compare():
            return compared(found, question.op, question.value)
        case In():
            return any(compared(found, "=", value) for value in question.choices)
        case Between():
            return compared(found, ">=", question.low) and compared(found, "<=", question.high)
        case IsNull():
            return kind(found) == "missing"
        case Like():
            return isinstance(found, str) and fits(question.pattern, found)
        case Contains():
            return _contains(found, question.items, question.every)
        case Match():
            return _matches(found, question.text)
        case Within():
            point = position(found)
            return point is not None and question.shape.contains(point)
    raise TypeError(f"no rule for {type(question).__name__}")


def _contains(found: Any, items: tuple[Value, ...], every: bool) -> bool:
    if isinstance(found, str):
        answers = (isinstance(item, str) and item in found for item in items)
    elif isinstance(found, list | tuple):
        answers = (any(compared(member, "=", item) for member in found) for item in items)
    else:
        return False
    return all(answers) if every else any(answers)


def _matches(found: Any, text: str) -> bool:
    if isinstance(found, list | tuple):
        found = "\n".join(member for member in found if isinstance(member, str))
    return isinstance(found, str) and occur(words(text), found)
