"""Checks: a number or a name somebody gave → the same as Python's own, or an error that says which is wanted."""

from __future__ import annotations

from operator import index
from typing import Any

from .content import storable
from .errors import DataError

SEEDS = 2**32  # numpy's and scikit-learn's seeds are below it
LONGEST_NAME = 1_000  # characters


def whole_number(value: Any, least: int, most: int, what: str) -> int:
    """A whole number within bounds, of numpy too.

    Parameters
    ----------
    what : the beginning of the message: "the seed is"

    Raises
    ------
    DataError : anything else; True and 2.0 are none
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or not least <= index(value) <= most:
        raise DataError(f"{what} a whole number from {least:,} to {most:,}, not {value!r:.60}")
    return index(value)


def seed_of(value: Any) -> int:
    """A seed.

    Raises
    ------
    DataError : it is none
    """
    return whole_number(value, 0, SEEDS - 1, "the seed is")


def check_name(name: str, kind: str) -> None:
    """Refuse what nothing can be kept under.

    Raises
    ------
    DataError : it is empty, too long, or no text that a database can store
    """
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or storable(name) != name:
        raise DataError(f"{kind}: kept under a name of up to {LONGEST_NAME:,} whole characters; give one, or leave it out")
