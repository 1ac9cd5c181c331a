r"""JSON path: how SQLite reaches a key of a row's metadata, and which rows it would read differently from Python.

SQLite before 3.45 compares a path with the key as the JSON spells it: `$."年"` finds nothing in `{"\u5e74": 2020}`, which is
how Python writes it. So a name beyond ASCII has two paths, and rows that neither fits are left to Python. So are the odd
ones that no sane program writes and any program may: keys given twice (SQLite takes the first, Python the last),
ASCII or NUL as `\u00…`, text after a NUL, nesting deeper than Python's stack, and what is not JSON to one of the two.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.filters import Field

# Printable ASCII without quote and backslash, and without the slash, which PHP writes as \/
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]*")
_SPELLABLE = re.compile(r'[^\x00-\x1f"\\/\x7f]*')
DEEP = 500  # brackets: below it neither Python's stack nor SQLite's limit is in question
LONG = 2 * DEEP  # characters that so many brackets need, closed again


class Sql(NamedTuple):
    """A piece of SQL and the values for its question marks, in their order."""

    text: str
    values: tuple[object, ...] = ()


class JsonPath(NamedTuple):
    """A path for `json_extract` and its kin, and the conditions on which a row must be left to Python."""

    path: Sql
    odd: tuple[Sql, ...]


def json_path(metadata: str, field: Field) -> JsonPath | None:
    """How to reach a field in the column `metadata`; None where no path of every SQLite from 3.37 on can name it."""
    if not all(_SPELLABLE.fullmatch(key) for key in field.path):
        return None
    plain = _path(field.path)
    odd = [_twice(metadata, key, key) for key in field.path]
    if all(_PLAIN.fullmatch(key) for key in field.path):
        return JsonPath(Sql("?", (plain,)), tuple(odd))
    keys = [json.dumps(key)[1:-1] for key in field.path]
    escaped = _path(keys)
    odd += [_twice(metadata, *pair) for pair in _spellings(field.path, keys)]
    neither = f"json_type({metadata}, ?) IS NULL AND json_type({metadata}, ?) IS NULL"
    odd.append(Sql(f"instr({metadata}, '\\u') AND {neither}", (plain, escaped)))
    either = f"CASE WHEN json_type({metadata}, ?) IS NULL THEN ? ELSE ? END"
    return JsonPath(Sql(either, (plain, escaped, plain)), tuple(odd))


def _path(keys: Iterable[str]) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)


def _spellings(raw: tuple[str, ...], escaped: list[str]) -> list[tuple[str, str]]:
    """Pairs of spellings of one key that may both be in a row."""
    different = [(a, b) for a, b in zip(raw, escaped, strict=True) if a != b]
    return [pair for a, b in different for pair in ((b, b), (a, b), (b, a))]


def glob(text: str) -> str:
    """The text as a GLOB pattern that fits it alone."""
    return re.sub(r"[\[*?]", r"[\g<0>]", text)


def _twice(metadata: str, first: str, second: str) -> Sql:
    """Whether one key comes after another, or after itself.

    Asked without the opening quotes before it is asked with them: GLOB tries every quote there is, and a row has more of
    those than of most letters (24 ms instead of 51 for 100,000 rows).
    """
    first, second = glob(first), glob(second)
    return Sql(f"{metadata} GLOB ? AND {metadata} GLOB ?", (f'*{first}"*{second}"*', f'*"{first}"*"{second}"*'))


def odd_rows(metadata: str) -> list[Sql]:
    """Conditions, to be asked in this order, on which no path can be trusted. The others may follow: then it is JSON."""
    brackets = f"length({metadata}) - length(replace(replace({metadata}, '{{', ''), '[', ''))"
    return [
        Sql(f"typeof({metadata}) NOT IN ('text', 'null')"),
        Sql(f"NOT json_valid({metadata})"),
        Sql(f"{metadata} GLOB '*\\u00[02-7]*'"),  # ASCII that Python never escapes, and NUL, where SQLite stops reading
        Sql(f"instr({metadata}, char(0))"),
        Sql(f"length({metadata}) > {LONG} AND {brackets} > {DEEP}"),
    ]
