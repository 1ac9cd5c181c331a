"""Pages: a part of a document that has pages → the page it is on. Reads nothing but what sources wrote into the metadata."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.terms import terms_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Match, Metadata

STARTS = "page_starts"  # in the metadata of a document: where in its text each page begins, in characters


def with_pages(
    matches: Sequence[Match], content: Content | None, metadata: Metadata | None, words: Sequence[str]
) -> tuple[Match, ...]:
    """The matches of one document, each with its page: of those it touches, the one that holds most of the query's words.

    Where the words do not decide, because there are none or no text is stored, the one that holds most of the match.

    Parameters
    ----------
    words : terms of the query
    """
    starts = _starts(metadata)
    if starts is None:
        return tuple(matches)
    text = content if isinstance(content, str) else ""
    return tuple(replace(match, page=_page(match, starts, text, words)) for match in matches)


def has_pages(metadata: Metadata | None) -> bool:
    """Whether a document may have pages: cheap to ask."""
    return bool(metadata) and STARTS in (metadata or {})


def _starts(metadata: Metadata | None) -> list[int] | None:
    """Where pages begin; None where there are none, or where another program meant something else by the name."""
    starts = metadata.get(STARTS) if metadata else None
    if not isinstance(starts, list) or not starts or not all(type(start) is int for start in starts):
        return None
    return starts if starts == sorted(starts) else None


def _page(match: Match, starts: Sequence[int], text: str, words: Sequence[str]) -> int:
    first = max(bisect_right(starts, match.start), 1)
    last = max(bisect_right(starts, match.end - 1), first)
    if first == last:
        return first

    def held(page: int) -> tuple[int, int, int]:
        start = max(match.start, starts[page - 1]) if page > 1 else match.start
        end = min(match.end, starts[page]) if page < last else match.end
        return len(terms_in(text[start:end], words)) if words else 0, len(text[start:end].strip()) or end - start, -page

    return max(range(first, last + 1), key=held)
