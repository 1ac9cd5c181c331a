"""Filter trees: what a filter is once its spelling is forgotten. Plain frozen nodes with their limits; parses nothing.

Negative forms are no nodes of their own: `!=` is `Not(Compare("="))`, `NOT IN` is `Not(In)`. That is what makes the logic
two-valued: a predicate is true or false, on a missing value false, and its negation the complement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..errors import InvalidFilter
from ..geometry import Polygon, Shape
from .values import Value, kind

MAX_DEPTH = 64
MAX_NODES = 1_000
MAX_VALUES = 10_000  # in one filter: SQLite binds 32,766, and each may be bound twice

Order: TypeAlias = Literal["=", "<", "<=", ">", ">="]

KEYWORDS = frozenset(("and", "or", "not", "in", "between", "is", "null", "like", "true", "false"))
BARE = re.compile(r"[^\W\d]\w*(?:-\w+)*")  # a name that text spells without quotes: publish-date, 年份
_LOOSE = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')  # one part of a name in Python or JSON, where spaces do no harm


@dataclass(frozen=True, slots=True)
class Field:
    """Where a value is looked up. `source` is metadata, id, content, or any: everything a row says."""

    source: Literal["metadata", "id", "content", "any"]
    path: tuple[str, ...] = ()  # keys into the metadata, outermost first; empty for the other sources

    @classmethod
    def named(cls, name: str) -> Field:
        """The field of that name: `year`, `author.name`, `"a.b".c`, `id`, `content`, `*`.

        In double quotes a name is always a key of the metadata, dots and all.

        Raises
        ------
        InvalidFilter : an empty part, a quote left open
        """
        if not isinstance(name, str):
            raise InvalidFilter(f"a field's name must be text, not {name!r}")
        if name in ("id", "content"):
            return cls("id" if name == "id" else "content")
        if name == "*":
            return cls("any")
        if len(name) > 1000 or any("\ud800" <= character <= "\udfff" for character in name):
            raise InvalidFilter(f"no field can be called {name[:40]!r}; names have up to 1,000 whole characters")
        return cls("metadata", _parts(name))

    def __str__(self) -> str:
        """The name as text spells it: `named(str(field)) == field`."""
        if self.source != "metadata":
            return "*" if self.source == "any" else self.source
        quoted = self.path in (("id",), ("content",))  # bare, these are the row's own
        return ".".join(_spelled(part, quoted) for part in self.path)


def _parts(name: str) -> tuple[str, ...]:
    parts, place = [], 0
    while True:
        found = _LOOSE.match(name, place)
        if found is None:
            break
        parts.append(found[1].replace('""', '"') if found[2] is None else found[2])
        place = found.end()
        if place == len(name):
            return tuple(parts)
        if name[place] != ".":
            break
        place += 1
    raise InvalidFilter(f"{name!r} is no field's name; put a name with dots or quotes of its own in double quotes")


def _spelled(part: str, quoted: bool) -> str:
    plain = BARE.fullmatch(part) and part.lower() not in KEYWORDS and not quoted
    return part if plain else '"' + part.replace('"', '""') + '"'


class Filter:
    """A condition on rows. Join filters with `&`, `|` and `~`; `cosimo.F` makes them, `parse` reads them."""

    __slots__ = ("depth", "size", "values")
    size: int  # nodes, this one included
    depth: int  # levels, this one included
    values: int  # literals

    def _measure(self, parts: tuple[Filter, ...], values: int = 0) -> None:
        """Note the size; whoever nests too deep learns it while building, before anything recurses.

        Raises
        ------
        InvalidFilter : more than 64 levels, 1,000 nodes or 10,000 values
        """
        size = 1 + sum(part.size for part in parts)
        depth = 1 + max((part.depth for part in parts), default=0)
        values += sum(part.values for part in parts)
        for count, limit, what in (
            (depth, MAX_DEPTH, "levels"),
            (size, MAX_NODES, "conditions"),
            (values, MAX_VALUES, "values"),
        ):
            if count > limit:
                raise InvalidFilter(f"a filter may have up to {limit:,} {what}; this one has more")
        for name, value in (("size", size), ("depth", depth), ("values", values)):
            object.__setattr__(self, name, value)

    def __and__(self, other: object) -> Filter:
        return both(self, _filter(other, "&"))

    def __or__(self, other: object) -> Filter:
        return either(self, _filter(other, "|"))

    def __rand__(self, other: object) -> Filter:
        return both(_filter(other, "&"), self)

    def __ror__(self, other: object) -> Filter:
        return either(_filter(other, "|"), self)

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> bool:
        raise InvalidFilter(
            "a filter is neither true nor false by itself; join with & | ~ instead of and, or, not, with brackets round each "
            "comparison, and write .between(low, high) for low <= F(…) <= high"
        )

    def __eq__(self, other: object) -> bool:
        # by repr: to Python 1 == True, to a filter they are different values, and filters are keys of caches
        return isinstance(other, Filter) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def _filter(other: object, operator: str) -> Filter:
    if not isinstance(other, Filter):
        raise InvalidFilter(
            f"both sides of {operator} must be filters, not {other!r}; "
            f"put brackets round each comparison: (F('a') == 1) {operator} (F('b') == 2)"
        )
    return other


@dataclass(frozen=True, eq=False)
class And(Filter):
    """All of two or more. Build with `both`, which flattens."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        self._measure(self.parts)


@dataclass(frozen=True, eq=False)
class Or(Filter):
    """At least one of two or more. Build with `either`, which flattens."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        self._measure(self.parts)


@dataclass(frozen=True, eq=False)
class Not(Filter):
    """The complement: true exactly where the part is false."""

    part: Filter

    def __post_init__(self) -> None:
        self._measure((self.part,))


@dataclass(frozen=True, eq=False)
class Predicate(Filter):
    """One question about one field; false where the field is missing, but for `IsNull`."""

    field: Field

    def __post_init__(self) -> None:
        everything = isinstance(self, Match | Within)
        if self.field.source == "any" and not everything:
            raise InvalidFilter("* stands for a whole row only in MATCH and in questions of place; name a field")
        self._measure((), self._literals())

    def _literals(self) -> int:
        return 1


@dataclass(frozen=True, eq=False)
class Compare(Predicate):
    """`field op value`, for values of one kind: numbers with numbers, text with text, booleans only by `=`."""

    op: Order
    value: Value

    def __post_init__(self) -> None:
        if self.op != "=" and isinstance(self.value, bool):
            raise InvalidFilter(f"true and false have no order; use = or != instead of {self.op}")
        Predicate.__post_init__(self)


@dataclass(frozen=True, eq=False)
class In(Predicate):
    """The value equals one of these; none of none."""

    choices: tuple[Value, ...]

    def _literals(self) -> int:
        return len(self.choices)


@dataclass(frozen=True, eq=False)
class Between(Predicate):
    """`low <= value <= high`, both numbers or both text."""

    low: Value
    high: Value

    def __post_init__(self) -> None:
        if kind(self.low) != kind(self.high) or isinstance(self.low, bool):
            raise InvalidFilter(f"BETWEEN needs two numbers or two texts, not {self.low!r} and {self.high!r}")
        Predicate.__post_init__(self)


@dataclass(frozen=True, eq=False)
class IsNull(Predicate):
    """There is no value, or it is JSON's null."""


@dataclass(frozen=True, eq=False)
class Like(Predicate):
    """The text fits a pattern: `%` any run, `_` one character, `\\` before either (or before itself) takes it literally."""

    pattern: str


@dataclass(frozen=True, eq=False)
class Contains(Predicate):
    """A list holds, or a text contains, any or all of these."""

    items: tuple[Value, ...]
    every: bool

    def __post_init__(self) -> None:
        if len(self.items) == 1:  # any and all of one are one thing, so they are spelled alike
            object.__setattr__(self, "every", True)
        Predicate.__post_init__(self)

    def _literals(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class Match(Predicate):
    """All words occur in the text."""

    text: str

    def __post_init__(self) -> None:
        from .words import words

        if not words(self.text):
            raise InvalidFilter(f"MATCH needs at least one word, and {self.text[:40]!r} has none")
        Predicate.__post_init__(self)


@dataclass(frozen=True, eq=False)
class Within(Predicate):
    """The place is inside a shape."""

    shape: Shape

    def _literals(self) -> int:
        return len(self.shape.corners) if isinstance(self.shape, Polygon) else 1


NOTHING: Filter = In(Field("id"), ())


def both(*parts: Filter) -> Filter:
    """All of these; an `And` among them is taken apart. All of none is everything."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,)))
    if not flat:
        return Not(NOTHING)
    return flat[0] if len(flat) == 1 else And(flat)


def either(*parts: Filter) -> Filter:
    """At least one of these; an `Or` among them is taken apart. One of none is nothing."""
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,)))
    if not flat:
        return NOTHING
    return flat[0] if len(flat) == 1 else Or(flat)


def walk(filter: Filter) -> list[Predicate]:
    """All predicates of a filter, left to right."""
    found: list[Predicate] = []
    waiting: list[Any] = [filter]
    while waiting:
        node = waiting.pop()
        if isinstance(node, And | Or):
            waiting.extend(reversed(node.parts))
        elif isinstance(node, Not):
            waiting.append(node.part)
        else:
            found.append(node)
    return found
