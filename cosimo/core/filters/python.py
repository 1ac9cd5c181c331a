"""F: filters as Python expressions, `(F("year") >= 2020) & F("tags").contains("sqlite")`. Builds trees; evaluates nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from ..errors import InvalidFilter
from ..geometry import Box, Circle, Polygon
from .tree import Between, Compare, Contains, Field, Filter, In, IsNull, Like, Match, Not, Within
from .values import Value, literal


class F:
    """A field to compare: `F("year") >= 2020`, `F("author.name") == "Ada"`, `F("tags").contains("sqlite")`.

    Join the results with `&`, `|` and `~`, each comparison in brackets. A positive comparison is false where the field is
    missing; every negative one is true there.

    Parameters
    ----------
    name : a key of the metadata, dots for keys inside; `id` and `content` are the row's own, `*` all of it (for `match`
        and places); in double quotes always a key: `F('"a.b"')`

    Raises
    ------
    InvalidFilter : a name that is none, a value that is none
    """

    __slots__ = ("field",)
    __hash__ = None  # type: ignore[assignment]  # == makes a filter

    def __init__(self, name: str) -> None:
        self.field = Field.named(name)

    def __repr__(self) -> str:
        return f"F({str(self.field)!r})"

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return Compare(self.field, "=", _value(value))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Not(self == value)

    def __lt__(self, value: Any) -> Filter:
        return Compare(self.field, "<", _value(value))

    def __le__(self, value: Any) -> Filter:
        return Compare(self.field, "<=", _value(value))

    def __gt__(self, value: Any) -> Filter:
        return Compare(self.field, ">", _value(value))

    def __ge__(self, value: Any) -> Filter:
        return Compare(self.field, ">=", _value(value))

    def isin(self, values: Iterable[Any]) -> Filter:
        """The value equals one of these; `~F(…).isin(…)` for none of them."""
        return In(self.field, _values(values, "isin"))

    def between(self, low: Any, high: Any) -> Filter:
        """`low <= value <= high`."""
        return Between(self.field, _value(low), _value(high))

    def is_null(self) -> Filter:
        """There is no value, or it is null."""
        return IsNull(self.field)

    def like(self, pattern: str) -> Filter:
        r"""The text fits a pattern, case-sensitive: `%` any run, `_` one character, `\%` and `\_` themselves."""
        return Like(self.field, _text(pattern, "like"))

    def contains(self, value: Any) -> Filter:
        """A list holds the value, or a text contains it."""
        return Contains(self.field, (_value(value),), True)

    def contains_any(self, values: Iterable[Any]) -> Filter:
        """A list holds one of the values, or a text contains one."""
        return Contains(self.field, _values(values, "contains_any"), False)

    def contains_all(self, values: Iterable[Any]) -> Filter:
        """A list holds all of the values, or a text contains them all."""
        return Contains(self.field, _values(values, "contains_all"), True)

    def match(self, words: str) -> Filter:
        """All words occur in the text, in any order and case; Chinese and Japanese anywhere inside it."""
        return Match(self.field, _text(words, "match"))

    def near(self, lat: float, lon: float, metres: float) -> Filter:
        """The place is within so many metres."""
        return Within(self.field, Circle(lat, lon, metres))

    def in_box(self, south: float, west: float, north: float, east: float) -> Filter:
        """The place is between these latitudes and, going east from `west`, these longitudes."""
        return Within(self.field, Box(south, west, north, east))

    def in_polygon(self, corners: Iterable[tuple[float, float]]) -> Filter:
        """The place is inside a ring of (latitude, longitude) corners."""
        try:
            ring = tuple((lat, lon) for lat, lon in corners)
        except (TypeError, ValueError) as error:
            raise InvalidFilter("in_polygon takes (latitude, longitude) pairs") from error
        return Within(self.field, Polygon(ring))

    def _joined(self, other: object) -> NoReturn:
        raise InvalidFilter(f"put brackets round each comparison: ({self!r} == 1) & (F('b') == 2), and | for or, ~ for not")

    __and__ = __rand__ = __or__ = __ror__ = _joined

    def __invert__(self) -> NoReturn:
        self._joined(None)

    def __bool__(self) -> NoReturn:
        self._joined(None)

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidFilter(f"write {self!r}.contains({value!r}); 'in' cannot make a filter")

    def __iter__(self) -> NoReturn:
        raise InvalidFilter(f"{self!r} is one field; it cannot be gone through")


def _value(value: object) -> Value:
    if isinstance(value, F):
        raise InvalidFilter(f"{value!r} is a field; a field is compared with a value, not with another field")
    return literal(value)


def _values(values: Iterable[Any], name: str) -> tuple[Value, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidFilter(f"{name} takes a list of values, not {values!r}; put it in brackets: [{values!r}]")
    return tuple(map(_value, values))


def _text(value: object, name: str) -> str:
    found = literal(value)
    if not isinstance(found, str):
        raise InvalidFilter(f"{name} takes text, not {value!r}")
    return found
