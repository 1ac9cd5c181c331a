"""Running lines: the lines of each page in, the same without headers, footers and page numbers out. Knows no format."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EDGE = 3  # lines at the top and at the bottom of a page that may be such
APART = 2  # pages: left and right ones have headers of their own
TIMES = 3  # from which on a line is one
LONGEST = 200  # characters of one
NUMBER = re.compile(r"(?<![\d.,])\d{1,5}(?![\d.,]*\d)")


def without_running_lines(pages: Sequence[str]) -> list[str]:
    """The pages, each line that runs from page to page only where it first stands; a page of nothing else keeps it.

    A line is one if it stands at the edge of this page and of one of the two before, alike but for a number that counts the
    pages, three times or more in all. Numbers that differ otherwise make another line: rows of a table stay.
    """
    lines = [page.split("\n") for page in pages]
    edges = [{place: set(_keys(each[place], number)) for place in _edges(each)} for number, each in enumerate(lines)]
    times = Counter(key for edge in edges for key in set().union(*edge.values()))
    latest: dict[tuple[str, int], int] = {}  # page on which a line was seen
    cleaned = []
    for number, (each, edge) in enumerate(zip(lines, edges, strict=True)):
        running = {
            place
            for place, keys in edge.items()
            if any(times[key] >= TIMES and number - latest.get(key, -APART - 1) <= APART for key in keys)
        }
        rest = [line for place, line in enumerate(each) if place not in running]
        cleaned.append("\n".join(rest if any(map(str.strip, rest)) else each))
        latest.update((key, number) for keys in edge.values() for key in keys)
    return cleaned


def _edges(lines: Sequence[str]) -> set[int]:
    """Where the first and last lines of a page stand that are not empty."""
    filled = [place for place, line in enumerate(lines) if line.strip()]
    return {place for place in (*filled[:EDGE], *filled[-EDGE:]) if len(lines[place]) <= LONGEST}


def _keys(line: str, page: int) -> Iterator[tuple[str, int]]:
    """What is the same of a running line on each page: all of it, or all but a number and how far that is from the page's."""
    yield line.strip(), 0
    for found in NUMBER.finditer(line):
        yield f"{line[: found.start()]}#{line[found.end() :]}".strip(), int(found[0]) - page
