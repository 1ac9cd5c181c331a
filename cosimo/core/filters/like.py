r"""Like: patterns of `%` and `_`, case-sensitive, in every store alike. Patterns in, an answer for a text out.

`\%`, `\_` and `\\` stand for the character itself; a backslash before anything else is a backslash.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

Segment: TypeAlias = tuple[str | None, ...]  # characters between two `%`; None is `_`

_TOKEN = re.compile(r"\\([%_\\])|(.)", re.DOTALL)


def segments(pattern: str) -> list[Segment]:
    """The pattern cut at its `%`: `a%b_` is [(a,), (b, None)]. One segment more than there are `%`."""
    found: list[list[str | None]] = [[]]
    for escaped, plain in _TOKEN.findall(pattern):
        if plain == "%":
            found.append([])
        else:
            found[-1].append(escaped or (None if plain == "_" else plain))
    return [tuple(segment) for segment in found]


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> list[tuple[int, re.Pattern[str]]]:
    def expression(segment: Segment) -> str:
        return "".join("." if character is None else re.escape(character) for character in segment)

    return [(len(segment), re.compile(expression(segment), re.DOTALL)) for segment in segments(pattern)]


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern.

    Each segment is taken at its leftmost place, which is right for `%` and needs no going back: one expression `.*a.*a.*b`
    would take a power of the text's length.
    """
    (head, first), *rest = _compiled(pattern)
    if not rest:
        return len(text) == head and first.match(text) is not None
    if first.match(text) is None:
        return False
    *middle, (tail, last) = rest
    place = head
    for _, segment in middle:
        found = segment.search(text, place)
        if found is None:
            return False
        place = found.end()
    return len(text) - tail >= place and last.match(text, len(text) - tail) is not None
