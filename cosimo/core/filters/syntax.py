"""Syntax: a filter as text, read by recursive descent and written back. Values stay values: nothing is ever pasted.

expr := or ; or := and ("OR" and)* ; and := not ("AND" not)* ; not := "NOT" not | "(" expr ")" | pred
pred := f (=|!=|<|<=|>|>=) v | f [NOT] IN (v,…) | f [NOT] BETWEEN v AND v | f IS [NOT] NULL | f [NOT] LIKE s
      | CONTAINS(f,v) | CONTAINS_ANY(f,v…) | CONTAINS_ALL(f,v…) | MATCH(f|*, s)
      | NEAR([f,]lat,lon,metres) | IN_BOX([f,]s,w,n,e) | IN_POLYGON([f,]lat,lon,lat,lon,lat,lon…)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidFilter
from ..geometry import Box, Circle, Polygon
from .tree import (
    BARE,
    KEYWORDS,
    MAX_DEPTH,
    And,
    Between,
    Compare,
    Contains,
    Field,
    Filter,
    In,
    IsNull,
    Like,
    Match,
    Not,
    Or,
    Predicate,
    Within,
    both,
    either,
)
from .values import MAX_TEXT, Value, literal

if TYPE_CHECKING:
    from collections.abc import Callable

_PART = rf'(?:"(?:[^"]|"")*"|{BARE.pattern})'
_TOKEN = re.compile(
    rf"""\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>{_PART}(?:\.{_PART})*)
    |(?P<sign><=|>=|<>|!=|==|[=<>(),*])
    |(?P<end>$)|(?P<wrong>.))""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {"==": "=", "<>": "!="}
_CONTAINS = {"contains": True, "contains_any": False, "contains_all": True}
_PLACES = frozenset(("near", "in_box", "in_polygon"))
_FUNCTIONS = frozenset((*_CONTAINS, "match", *_PLACES))


class _Token(NamedTuple):
    kind: str  # number, text, name, sign, end
    text: str
    at: int  # first character, counted from 1
    word: str  # a bare name in lower case, else empty: what keywords are compared with


def from_text(text: str) -> Filter:
    """The filter that a text spells.

    Raises
    ------
    InvalidFilter : says which character, and what was expected there
    """
    if len(text.encode(errors="surrogatepass")) > MAX_TEXT:
        raise InvalidFilter(f"a filter of {len(text):,} characters; text may have up to {MAX_TEXT:,} bytes")
    if not text.strip():
        raise InvalidFilter("the filter is empty; leave it out to get everything")
    parser = _Parser(_tokens(text))
    found = parser.alternatives()
    if parser.now.kind != "end":
        raise parser.wrong("AND, OR or the end")
    return found


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while True:
        match = _TOKEN.match(text, place)
        assert match is not None  # the last branch takes any character
        assert match.lastgroup is not None
        kind, spelled, at = match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1
        if kind == "wrong":
            if spelled in "'\"":
                raise InvalidFilter(f"the quote at character {at} is never closed; a quote inside a value is written twice")
            raise InvalidFilter(f"unexpected {spelled!r} at character {at}; text goes in 'single quotes'")
        found.append(_Token(kind, spelled, at, spelled.lower() if kind == "name" else ""))
        place = match.end()
        if kind == "end":
            return found


class _Parser:
    """One pass over the tokens; `alternatives` is the whole."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def now(self) -> _Token:
        return self._tokens[self._place]

    def wrong(self, expected: str) -> InvalidFilter:
        before = f" after {self._tokens[self._place - 1].text!r}" if self._place else ""
        found = "the end" if self.now.kind == "end" else repr(self.now.text[:40])
        return InvalidFilter(f"expected {expected}{before} at character {self.now.at}, found {found}")

    def _next(self) -> _Token:
        self._place += 1
        return self._tokens[self._place - 1]

    def _accept(self, word: str) -> bool:
        if (self.now.word or self.now.text) == word and self.now.kind != "text":
            self._place += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self.wrong(f"{word.upper()!r}")

    # --- expressions -----------------------------------------------------------------------------------------------

    def alternatives(self) -> Filter:
        return either(*self._joined("or", lambda: both(*self._joined("and", self._negation))))

    def _joined(self, word: str, part: Callable[[], Filter]) -> list[Filter]:
        found = [part()]
        while self._accept(word):
            found.append(part())
        return found

    def _negation(self) -> Filter:
        if self.now.word != "not" and self.now.text != "(":
            return self._predicate()
        if self._depth >= MAX_DEPTH:
            raise InvalidFilter(f"a filter may be nested {MAX_DEPTH} deep; this one is deeper at character {self.now.at}")
        self._depth += 1
        if self._accept("not"):
            found: Filter = Not(self._negation())
        else:
            self._expect("(")
            found = self.alternatives()
            self._expect(")")
        self._depth -= 1
        return found

    def _predicate(self) -> Filter:
        if self.now.word in _FUNCTIONS and self._tokens[self._place + 1].text == "(":
            return self._function()
        field = self._field()
        if self.now.text in ("<", "<=", ">", ">=", "=", "==", "!=", "<>"):
            sign = self._next().text
            sign = _SIGNS.get(sign, sign)
            value = self._value()
            return Not(Compare(field, "=", value)) if sign == "!=" else Compare(field, sign, value)  # type: ignore[arg-type]
        if self._accept("is"):
            negative = self._accept("not")
            self._expect("null")
            found: Filter = IsNull(field)
        else:
            negative = self._accept("not")
            found = self._range(field)
        return Not(found) if negative else found

    def _range(self, field: Field) -> Filter:
        if self._accept("in"):
            self._expect("(")
            return In(field, tuple(self._list()))
        if self._accept("between"):
            low = self._value()
            self._expect("and")
            return Between(field, low, self._value())
        if self._accept("like"):
            return Like(field, self._text())
        raise self.wrong("a comparison (= != < <= > >= IN BETWEEN LIKE IS)")

    def _function(self) -> Filter:
        name, start = self._next().word, self._tokens[self._place - 1].at
        self._expect("(")
        if name in _PLACES and self.now.kind == "number":  # no field: the row's own latitude and longitude
            return Within(Field("any"), _shape(name, self._list(), start))
        field = Field("any") if self._accept("*") else self._field()
        if name == "match":
            self._expect(",")
            found: Filter = Match(field, self._text())
            self._expect(")")
            return found
        values = self._list() if self._accept(",") else self._end_of_list()
        if name in _CONTAINS:
            if name == "contains" and len(values) != 1:
                raise InvalidFilter(
                    f"CONTAINS at character {start} takes a field and one value; use CONTAINS_ANY or CONTAINS_ALL"
                )
            return Contains(field, tuple(values), _CONTAINS[name])
        return Within(field, _shape(name, values, start))

    # --- names and values ------------------------------------------------------------------------------------------

    def _field(self) -> Field:
        if self.now.kind != "name" or self.now.word in KEYWORDS:
            hint = "; a field of that name goes in double quotes" if self.now.word in KEYWORDS else ""
            raise self.wrong(f"a field's name{hint}")
        return Field.named(self._next().text)

    def _list(self) -> list[Value]:
        if self.now.text == ")" and self._tokens[self._place - 1].text == "(":
            return self._end_of_list()
        found = [self._value()]
        while self._accept(","):
            found.append(self._value())
        return found + self._end_of_list()

    def _end_of_list(self) -> list[Value]:
        if not self._accept(")"):
            raise self.wrong("',' or ')'")
        return []

    def _value(self) -> Value:
        token = self.now
        if token.kind == "text" or (token.kind == "name" and token.text.startswith('"') and _one_quoted(token.text)):
            self._next()
            quote = token.text[0]  # double quotes where only a value can be: people write it, and it can mean nothing else
            return literal(token.text[1:-1].replace(quote * 2, quote))
        if token.word in ("true", "false"):
            return self._next().word == "true"
        if token.kind == "number":
            return _number(self._next())
        if token.word == "null":
            raise InvalidFilter(f"nothing equals NULL; write IS NULL or IS NOT NULL at character {token.at}")
        raise self.wrong("a value (text goes in 'single quotes')" if token.kind == "name" else "a value")

    def _text(self) -> str:
        token = self.now
        value = self._value()
        if not isinstance(value, str):
            raise InvalidFilter(f"expected text in single quotes at character {token.at}, found {token.text!r}")
        return value


def _one_quoted(text: str) -> bool:
    return re.fullmatch(r'"(?:[^"]|"")*"', text) is not None


def _number(token: _Token) -> Value:
    try:
        whole = token.text.lstrip("+-").isdecimal()
        return literal(int(token.text) if whole else float(token.text))
    except (ValueError, InvalidFilter) as error:  # Python reads no whole number of more than 4,300 digits
        raise InvalidFilter(f"the number at character {token.at} is too large; use one of up to 308 digits") from error


def _shape(name: str, values: list[Any], start: int) -> Circle | Box | Polygon:
    wanted = {"near": ("latitude, longitude, metres", 3), "in_box": ("south, west, north, east", 4)}
    if name in wanted and len(values) != wanted[name][1]:
        raise InvalidFilter(f"{name.upper()} at character {start} takes {wanted[name][0]}, before them a field or none")
    if name == "in_polygon" and len(values) % 2:
        raise InvalidFilter(f"IN_POLYGON at character {start} takes pairs of latitude, longitude; one number has no partner")
    if name == "near":
        return Circle(*values)
    return Box(*values) if name == "in_box" else Polygon(tuple(zip(values[::2], values[1::2], strict=True)))


# --- writing -------------------------------------------------------------------------------------------------------


def to_text(filter: Filter) -> str:
    """The filter as text: `parse(to_text(f)) == f`, as long as that text has no more than 16 kB."""
    if isinstance(filter, Or):
        return " OR ".join(map(to_text, filter.parts))
    if isinstance(filter, And):
        return " AND ".join(_bracketed(part, Or) for part in filter.parts)
    if isinstance(filter, Not):
        return _negative(filter.part) or f"NOT {_bracketed(filter.part, And | Or)}"
    assert isinstance(filter, Predicate)
    return _predicate_text(filter, "")


def _bracketed(filter: Filter, kinds: Any) -> str:
    return f"({to_text(filter)})" if isinstance(filter, kinds) else to_text(filter)


def _negative(part: Filter) -> str | None:
    """`!=`, `NOT IN` and the like, where there is such a form."""
    if isinstance(part, Compare) and part.op == "=":
        return f"{part.field} != {_literal_text(part.value)}"
    return _predicate_text(part, "NOT ") if isinstance(part, In | Between | Like | IsNull) else None


def _predicate_text(question: Predicate, negative: str) -> str:
    name = question.field
    match question:
        case Compare(op=op, value=value):
            return f"{name} {op} {_literal_text(value)}"
        case In(choices=choices):
            return f"{name} {negative}IN ({', '.join(map(_literal_text, choices))})"
        case Between(low=low, high=high):
            return f"{name} {negative}BETWEEN {_literal_text(low)} AND {_literal_text(high)}"
        case IsNull():
            return f"{name} IS {negative}NULL"
        case Like(pattern=pattern):
            return f"{name} {negative}LIKE {_literal_text(pattern)}"
        case Match(text=text):
            return f"MATCH({name}, {_literal_text(text)})"
        case Contains(items=items, every=every):
            kind = "CONTAINS" if len(items) == 1 else "CONTAINS_ALL" if every else "CONTAINS_ANY"
            return f"{kind}({', '.join([str(name), *map(_literal_text, items)])})"
        case Within(shape=shape):
            return _shape_text(name, shape)
    raise TypeError(f"no spelling for {type(question).__name__}")


def _shape_text(name: Field, shape: Circle | Box | Polygon) -> str:
    if isinstance(shape, Circle):
        kind, numbers = "NEAR", [shape.lat, shape.lon, shape.metres]
    elif isinstance(shape, Box):
        kind, numbers = "IN_BOX", [shape.south, shape.west, shape.north, shape.east]
    else:
        kind, numbers = "IN_POLYGON", [number for corner in shape.corners for number in corner]
    return f"{kind}({', '.join([str(name), *map(_literal_text, numbers)])})"


def _literal_text(value: Value) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
