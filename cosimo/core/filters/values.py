"""Values: what may stand in a filter, and of which kind a row's value is. The rules by which any two are compared."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal, TypeAlias

from ..errors import InvalidFilter

Value: TypeAlias = str | int | float | bool
Kind: TypeAlias = Literal["number", "text", "boolean", "list", "object", "missing"]

MAX_TEXT = 16_384  # bytes of UTF-8, for one text value as for a whole filter in text
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def literal(value: Any) -> Value:
    """A value from outside as one that a filter can hold.

    Whole numbers keep all digits up to 64 bits and become floats beyond; dates become the text that metadata holds.

    Raises
    ------
    InvalidFilter : null, NaN, infinity, half a character, more than 16 kB, or nothing a filter knows
    """
    if hasattr(value, "dtype") and hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidFilter(f"{value} is no value for a filter; use a finite number")
        return float(value)
    if isinstance(value, date):  # datetime too: as str(), which is how metadata is written
        return str(value)
    if value is None:
        raise InvalidFilter("nothing equals NULL; write IS NULL, or .is_null() in Python")
    raise InvalidFilter(
        f"{str(value)[:40]!r} ({type(value).__name__}) is no value for a filter; use text, a number, or true or false"
    )


def _text(value: str) -> str:
    value = str.__str__(value)
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidFilter(f"{value[:40]!r} holds half a character, which no database stores") from error
    if size > MAX_TEXT:
        raise InvalidFilter(f"a text of {size:,} bytes in a filter; up to {MAX_TEXT:,} are taken")
    return value


def _integer(value: int) -> int | float:
    if LEAST_INTEGER <= value <= GREATEST_INTEGER:
        return value
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidFilter("a number of more than 308 digits in a filter; use a smaller one") from error


def kind(value: Any) -> Kind:
    """What a value is to a filter. JSON's null and NaN are missing."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number"
    if isinstance(value, float):
        return "missing" if value != value else "number"
    if isinstance(value, list | tuple):
        return "list"
    return "object" if isinstance(value, Mapping) else "missing"


def compared(found: Any, op: str, value: Value) -> bool:
    """Whether a row's value is in this order to a filter's: only ever within one kind."""
    if kind(found) != kind(value):
        return False
    if isinstance(found, int) and not LEAST_INTEGER <= found <= GREATEST_INTEGER:
        found = _as_double(found)
    return ORDERS[op](found, value)


def _as_double(value: int) -> float:
    """A whole number beyond 64 bits as databases hold it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
