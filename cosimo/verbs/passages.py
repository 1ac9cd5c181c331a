"""Passages: documents that a search found → the parts of them that answer best. Reads the store; ranks no documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.content import content_hash
from ..core.types import Match
from .pages import has_pages, with_pages
from .recorded import timed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.store import Store
    from ..core.types import Content, Row, Span

SHOWN = 3  # passages of a document: more would be most of it


def matches(
    store: Store,
    collection: str,
    found: Mapping[int, Sequence[tuple[int, float]]],
    rows: Mapping[int, Row],
    words: Sequence[str],
    *,
    whole: bool = False,
) -> dict[int, tuple[Match, ...]]:
    """The best passages of documents, best first.

    Parameters
    ----------
    found : document number → units found by their meaning, with scores; for none, passages are chosen by the words they hold
    rows : document number → what is stored of it
    words : terms of the query
    whole : units stand for documents, not for their first passages
    """
    if whole:
        parts_of = {n: _whole(rows[n].content, units[0][1] if units else None) for n, units in found.items()}
        return _paged(parts_of, rows, words)
    best = {number: units[:SHOWN] for number, units in found.items()}
    spans = store.spans_of(collection, [unit for units in best.values() for unit, _ in units])
    by_words = store.all_spans_of(collection, [number for number, units in best.items() if not units])
    result = {}
    for number, units in best.items():
        content, parts = rows[number].content, []
        if not units and number in by_words and _is_of(rows[number]):
            parts = _holding(content, by_words[number], words)
        elif any(unit in spans for unit, _ in units) and _is_of(rows[number]):
            parts = [_match(content, spans[unit], score) for unit, score in units if unit in spans]
        result[number] = tuple(parts) or _whole(content, units[0][1] if units else None)
    return _paged(result, rows, words)


def _paged(found: dict[int, tuple[Match, ...]], rows: Mapping[int, Row], words: Sequence[str]) -> dict[int, tuple[Match, ...]]:
    return {
        number: with_pages(parts, row.content, row.metadata, words) if has_pages(row.metadata) and _is_of(row) else parts
        for number, parts in found.items()
        for row in [rows[number]]
    }


def _is_of(row: Row) -> bool:
    """Whether passages are of the text that is there now: another program may have replaced it and left its hash."""
    return row.content is None or row.hash is None or content_hash(row.content) == row.hash


def _match(content: Content | None, span: Span, score: float | None) -> Match:
    text = content[span.start : span.end] if isinstance(content, str) else None
    return timed(Match(span.start, span.end, text, span.heading, score))


def _whole(content: Content | None, score: float | None) -> tuple[Match, ...]:
    return (Match(0, len(content), content, "", score),) if isinstance(content, str) else ()


def _holding(content: Content | None, spans: Sequence[Span], words: Sequence[str]) -> list[Match]:
    """The passages that hold the most different words, then the most of them."""
    if not isinstance(content, str):
        return []

    def held(span: Span) -> tuple[int, int]:
        text = content[span.start : span.end].casefold()
        return sum(word in text for word in words), sum(text.count(word) for word in words)

    ranked = sorted(spans, key=held, reverse=True)[:SHOWN]
    return [_match(content, span, None) for span in ranked if held(span)[0]]
