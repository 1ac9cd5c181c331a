"""Outline: where the headings of a Markdown text are, and where code hides what looks like one. Cuts nothing.

Less than CommonMark: headings inside lists and quotations are text, and a paragraph of several lines with a line of `===` below
it is none. More than CommonMark: front matter is no heading, though `title: x` above `---` would be.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

SEPARATOR = " › "
LONGEST = 500  # characters of a heading: what is longer is none, and would take time with the square of its length

_MARK = re.compile(  # a line that opens something, or is a heading
    r"^(?: {0,3}(?P<level>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?$"
    r"|(?P<indent>[ \t]*)(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})"
    r"| {0,3}(?P<html><!--|<(?:pre|script|style|textarea)\b)"
    r"|(?P<above>[^\s>#|*+<-][^\n]*|[*+-][^\s][^\n]*)\n {0,3}(?P<rule>={2,}|-{2,})[ \t]*$)",
    re.MULTILINE | re.IGNORECASE,
)
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\n(?=[\w\"'-]+[ \t]*[:=])(?:.*\n)*?\1[ \t]*(?:\n|\Z)")
_CLOSING = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
_LINK = re.compile(r"!?\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])")
_EMPHASIS = re.compile(r"`+|\*+|(?<!\w)_+|_+(?!\w)")


class Heading(NamedTuple):
    """A heading line: where it starts, and its path from the top of the document, itself last."""

    start: int
    path: str


class Outline:
    """What a Markdown text is made of, at the coarsest.

    Attributes
    ----------
    headings : in the order of the text
    hidden : [start, end) of fenced code, HTML blocks and front matter, in the order of the text
    """

    def __init__(self, text: str = "") -> None:
        self.headings: list[Heading] = []
        self.hidden: list[tuple[int, int]] = []
        self._path: list[tuple[int, str]] = []  # (level, title) of the headings in force
        self._read(text)
        self._starts = [heading.start for heading in self.headings]
        self._hidden_starts = [start for start, _ in self.hidden]

    def path_at(self, place: int) -> str:
        """The headings in force at a character: `Install › Linux`; empty before the first."""
        found = bisect_right(self._starts, place) - 1
        return self.headings[found].path if found >= 0 else ""

    @property
    def paths(self) -> set[str]:
        """Every path that `path_at` may give."""
        return {"", *(heading.path for heading in self.headings)}

    def hides(self, place: int) -> bool:
        """Whether a character is inside code, an HTML block or front matter (its first line's first character is not)."""
        found = bisect_right(self._hidden_starts, place) - 1
        return found >= 0 and self.hidden[found][0] < place < self.hidden[found][1]

    def _read(self, text: str) -> None:
        front = _FRONT_MATTER.match(text)
        if front:
            self.hidden.append(front.span())
        place = front.end() if front else 0
        while found := _MARK.search(text, place):
            if found["fence"] or found["html"]:
                place = _closed(text, found)
                self.hidden.append((found.start(), place))
            elif found["rule"] and not _alone(text, found.start()):
                place = found.end("above")
            else:
                level = len(found["level"] or "") or (1 if found["rule"][0] == "=" else 2)
                self._enter(found.start(), level, found["title"] or found["above"] or "")
                place = found.end()

    def _enter(self, start: int, level: int, title: str) -> None:
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, _plain(title)))
        self.headings.append(Heading(start, SEPARATOR.join(title for _, title in self._path if title)))


def _closed(text: str, opening: re.Match[str]) -> int:
    """Where what was opened ends: behind the closing line, or at the end of the text if it is never closed."""
    if fence := opening["fence"]:
        closing = re.compile(rf"^[ \t]*{re.escape(fence)}{re.escape(fence[0])}*[ \t]*$", re.MULTILINE)
        start = opening.end()
    else:
        tag = opening["html"].lower()
        closing = re.compile(r"-->.*" if tag == "<!--" else rf"</{tag[1:]}>.*", re.IGNORECASE)
        start = opening.end()
    found = closing.search(text, start)
    return found.end() if found else len(text)


def _alone(text: str, start: int) -> bool:
    """Whether the line at `start` has a blank line, or nothing, above it."""
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return start == 0 or not text[before : start - 1].strip()


def _plain(title: str) -> str:
    """A heading as it is read: no closing `##`, links as their words, no marks of emphasis; of a long one the start."""
    title = _LINK.sub(r"\1", _CLOSING.sub("", title[:LONGEST]))
    return " ".join(_EMPHASIS.sub("", title).split())
