"""Pieces: where a text may be cut, and how bad each cut would be. Knows structure and punctuation; counts no tokens."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .outline import Outline

STRETCH = 4_096  # characters the splitter sees at once: the time it takes grows with their square
UNBROKEN = 512  # the same, without white space or a stop (a million Chinese characters in one line took it 168 s)
JOINED = 32  # code points of a character, at most: a family of four in emoji is 7

# The cost of a cut, where one passage more costs 1
AT_HEADING, AT_PARAGRAPH, AT_LINE, AT_SENTENCE, AT_WORD, INSIDE_WORD = 0.0, 0.2, 0.4, 0.5, 2.5, 4.0
AFTER_HEADING = 5.0  # a heading is left alone only where what follows it would not fit
AFTER_COLON = 0.3  # "This prints:" belongs to what follows
IN_CODE = 0.3

_STOPS = "\n。！？｡؟.!?；;，、, \t"  # where a stretch may end, the best first
_SENTENCE_END = re.compile(r"[.!?…。！？｡؟۔।]['\"”’»)\]」』）】]*\Z")


class Piece(NamedTuple):
    """A sentence or so: characters `start` to `end`, without white space around, and the cost of a cut before it."""

    start: int
    end: int
    cut: float = 0.0
    headed: bool = False  # a heading starts here


def pieces_of(text: str, outline: Outline, size: int, *, markdown: bool) -> list[Piece]:
    """The text in pieces of up to `size` characters, cut where its structure allows. None for a text of white space.

    Every character but white space is in exactly one piece.
    """
    plain = lines_in_place(text)
    edges = [0, *(heading.start for heading in outline.headings if heading.start), len(plain)]
    stretches = [stretch for start, end in pairwise(edges) for stretch in _stretches(plain, start, end)]
    spans = _split(plain, stretches, size, markdown=markdown)
    headings = {heading.start for heading in outline.headings}
    pieces: list[Piece] = []
    for start, end in spans:
        headed = any(start - indent in headings and not plain[start - indent : start].strip() for indent in range(4))
        cost = _cost(plain, pieces[-1], start, headed, outline) if pieces else 0.0
        pieces.append(Piece(start, end, cost, headed))
    return pieces


def smaller(text: str, piece: Piece) -> list[Piece]:
    """A piece in several, because its tokens do not fit a window; a single character stays what it is."""
    spans = _split(text, [(piece.start, piece.end)], max((piece.end - piece.start) // 4, 1), markdown=False)
    return [
        Piece(start, end, INSIDE_WORD) if number else piece._replace(start=start, end=end)
        for number, (start, end) in enumerate(spans)
    ]


def lines_in_place(text: str) -> str:
    """Line ends as "\\n", every character in its place."""
    return text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text


def _split(text: str, stretches: Sequence[tuple[int, int]], size: int, *, markdown: bool) -> list[tuple[int, int]]:
    """Spans of pieces. The splitter is asked where they start; that none of the text is lost does not hang on it."""
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    splitter = (MarkdownSplitter if markdown else TextSplitter)(size)
    found = splitter.chunk_all_indices([text[start:end] for start, end in stretches])
    spans: list[tuple[int, int]] = []
    for (first, last), chunks in zip(stretches, found, strict=True):
        starts = [first, *(first + place for place, _ in chunks[1:]), last]
        for start, end in pairwise(starts):
            inside = text[start:end].strip()
            if inside:
                start += len(text[start:end]) - len(text[start:end].lstrip())
                spans.append((start, start + len(inside)))
    return spans


def _stretches(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of a section that the splitter can take, each ending at a line or a sentence if there is one."""
    while end - start > STRETCH:
        place = next((p for p in (text.rfind(stop, start + STRETCH // 2, start + STRETCH) for stop in _STOPS) if p >= 0), -1)
        place = place + 1 if place >= 0 else _between_characters(text, start + UNBROKEN)
        yield start, place
        start = place
    yield start, end


def _between_characters(text: str, place: int) -> int:
    """The nearest place before that is not inside what a reader sees as one character."""
    for back in range(place, place - JOINED, -1):
        joins = unicodedata.category(text[back])[0] == "M" or "\u200d" in text[back - 1 : back + 1]
        if not joins and not "\U0001f1e6" <= text[back] <= "\U0001f1ff" and not "\U0001f3fb" <= text[back] <= "\U0001f3ff":
            return back
    return place


def _cost(text: str, last: Piece, start: int, headed: bool, outline: Outline) -> float:
    """The cost of a cut between a piece and what starts at `start`."""
    gap = text[last.end : start]
    lines = gap.count("\n")
    if last.headed and _is_line(text, last):
        return AFTER_HEADING
    if headed:
        return AT_HEADING
    if lines:
        cost = AT_PARAGRAPH if lines > 1 else AT_LINE
        cost += AFTER_COLON if text[last.end - 1] in ":：" else 0
        return cost + (IN_CODE if outline.hides(start) else 0)
    if _SENTENCE_END.search(text[last.start : last.end][-8:]):
        return AT_SENTENCE
    return AT_WORD if gap else INSIDE_WORD


def _is_line(text: str, piece: Piece) -> bool:
    """Whether a piece that begins with a heading holds nothing else."""
    lines = text[piece.start : piece.end].split("\n")
    return len(lines) == 1 or (len(lines) == 2 and not lines[1].strip(" =-"))
