"""Reading order: the lines of a page of a PDF → its text, column after column, words cut at line ends whole again.

A PDF says where letters stand, not what follows what. Most programs write a column to its end before the next, and then the
order in the file is the order to read. Where columns are written line by line across the page, both halves of a line come as
one: that is found by the gap in the middle, at the same place in line after line, and set right.
"""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_RUNS = 5_000  # of a page; a full one has 100 to 500, a drawing of dots a million, each of which is searched for its text
ROWS = 3  # lines with a gap at the same place, from which on it is one between columns
WORDS = 15  # characters a line has on both sides of it on average: in a table, cells are shorter
WIDE = r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]"
# U+FFFE is what PDFium makes of a hyphen at a line's end, and joins the lines; those of other kinds it leaves as they are
CUT_WORD = re.compile(r"(\S*)(?:\ufffe\n?|[\u00ad\u2010]\n)(\w?)")
FULL = 0.75  # of the longest line of a page: what follows a shorter one is not the rest of its sentence
WIDE_END = re.compile(rf"{WIDE}$")
WIDE_START = re.compile(WIDE)
LEADERS = re.compile(r"(?: ?\.){5,} ?")  # of a table of contents
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\ufffe\uffff]")


class Box(NamedTuple):
    """Where a run of letters on one line stands, in points, y upwards."""

    left: float
    bottom: float
    right: float
    top: float


class Segment(NamedTuple):
    """A run of letters that PDFium sees no gap in."""

    box: Box
    text: str


def page_text(page: Any, paper: Box) -> str:
    """The lines of PDFium's text page, as they follow each other; what stands outside of the paper is left out."""
    runs = page.count_rects()
    boxes = [Box(*page.get_rect(number)) for number in range(runs)] if runs <= MOST_RUNS else []
    seen = [box for box in boxes if _meet(box, paper)]
    ordered = in_columns([Segment(box, page.get_text_bounded(*box)) for box in seen]) if _gaps(seen) else None
    if ordered is None:
        ordered = page.get_text_range() if len(seen) == len(boxes) else page.get_text_bounded(*paper)
    return str(ordered).replace("\r\n", "\n").replace("\r", "\n").strip()


def in_columns(segments: Sequence[Segment]) -> str | None:
    """The lines of columns that were written across, column by column; None where there are no such columns.

    Lines across the gap (titles, wide figures) end the columns above them.
    """
    gap = _gap(segments)
    if gap is None:
        return None
    lines: list[str] = []
    left: list[Segment] = []
    right: list[Segment] = []
    for segment in segments:
        if segment.box.left < gap < segment.box.right:
            lines += [*_side(left), *_side(right), segment.text]
            left, right = [], []
        else:
            (left if segment.box.right <= gap else right).append(segment)
    return "\n".join([*lines, *_side(left), *_side(right)])


def tidied(text: str) -> str:
    """The lines of a page as text, without traces of where they ended: words cut in two are one, and so is Chinese."""
    text = CUT_WORD.sub(_whole_word, text)
    lines = [line.strip() for line in LEADERS.sub(" … ", UNSEEN.sub("", text)).split("\n")]
    longest = max(map(len, lines))
    parts = [lines[0]]
    for before, line in pairwise(lines):
        one = len(before) >= FULL * longest and WIDE_END.search(before) and WIDE_START.match(line)
        parts += [line] if one else ["\n", line]
    return "".join(parts).strip()


def _whole_word(match: re.Match[str]) -> str:
    """`exam-ple` is one word; `state-of-the-art` and `well-Known` have hyphens of their own."""
    before, after = match[1], match[2]
    own = "-" in before or after.isupper() or after.isdigit()
    return f"{before}{'-' if own else ''}{after}"


def _side(segments: Sequence[Segment]) -> list[str]:
    """The lines of one side, which may itself be columns."""
    if not segments:
        return []
    inner = in_columns(segments) if len(segments) >= 2 * ROWS else None
    if inner is not None:
        return [inner]
    lines = [segments[0].text]
    for before, segment in pairwise(segments):
        if _same_line(before.box, segment.box):
            lines[-1] += f" {segment.text}"
        else:
            lines.append(segment.text)
    return lines


def _gaps(boxes: Sequence[Box]) -> list[tuple[float, float]]:
    """(from, to) of gaps between one segment and the next on its line that are wider than the line is high."""
    return [
        (a.right, b.left)
        for a, b in pairwise(boxes)
        if _same_line(a, b) and b.left - a.right > max(a.top - a.bottom, b.top - b.bottom)
    ]


def _meet(a: Box, b: Box) -> bool:
    return min(a.right, b.right) > max(a.left, b.left) and min(a.top, b.top) > max(a.bottom, b.bottom)


def _same_line(a: Box, b: Box) -> bool:
    overlap = min(a.top, b.top) - max(a.bottom, b.bottom)
    return overlap > 0.5 * min(a.top - a.bottom, b.top - b.bottom) and b.left >= a.right


def _gap(segments: Sequence[Segment]) -> float | None:
    """The middle of a gap that `ROWS` lines or more have in common, with enough text on both sides of it."""
    gaps = _gaps([segment.box for segment in segments])
    if len(gaps) < ROWS:
        return None
    middle = median((start + end) / 2 for start, end in gaps)
    here = [(start, end) for start, end in gaps if start < middle < end]
    if len(here) < max(ROWS, len(gaps) / 2):
        return None
    start, end = max(start for start, _ in here), min(end for _, end in here)
    place = (start + end) / 2 if start < end else middle
    sides = [[s for s in segments if s.box.right <= place], [s for s in segments if s.box.left >= place]]
    enough = all(_characters_a_line(side) >= WORDS for side in sides)
    return place if enough else None


def _characters_a_line(segments: Sequence[Segment]) -> float:
    lines = 1 + sum(not _same_line(a.box, b.box) for a, b in pairwise(segments))
    return sum(len(segment.text) for segment in segments) / lines
