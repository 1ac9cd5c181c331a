"""Delimited: lines of text in, rows of cells out (CSV, TSV). No header, no file.

The standard `csv` module reads the same, but refuses a cell beyond 131,072 characters unless a limit of the whole process
is changed, and at the end of input it passes off an unclosed quote as a cell. A line without a quote is one `split` here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 1 << 26  # characters of one row; beyond, a quote was opened by mistake and would take the rest of the file with it
DELIMITERS = ",;\t|"


def rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """(number of its first line, cells) for every row that is not blank.

    Read as RFC 4180 says; a quote inside an unquoted cell is a character, what follows a closing quote belongs to the cell.
    Line ends inside quotes stay as they come. None in place of cells: a quote was opened and never closed.
    """
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        bare = line.rstrip("\r\n")
        if not bare:
            continue
        if '"' not in bare:
            yield number, bare.split(delimiter)
        else:
            yield number, _quoted(line, numbered, delimiter)


def _quoted(line: str, more: Iterator[tuple[int, str]], delimiter: str) -> list[str] | None:
    """The cells of a row that holds quotes; takes further lines while one is open."""
    cells: list[str] = []
    size = len(line)
    start = 0
    while True:
        if line.startswith('"', start):
            pieces: list[str] = []
            position = start + 1
            while (end := _closing(line, position, pieces)) < 0:
                line = next(more, (0, ""))[1]
                size += len(line)
                position = 0
                if not line or size > LONGEST:
                    return None
            cell = "".join(pieces)
        else:
            cell, end = "", start
        stop = line.find(delimiter, end)
        if stop < 0:
            return [*cells, cell + line[end:].rstrip("\r\n")]
        cells.append(cell + line[end:stop])
        start = stop + 1


def _closing(line: str, position: int, pieces: list[str]) -> int:
    """Collect what is quoted from `position` on; the place after the closing quote, or -1 where it goes on in the next line."""
    while True:
        end = line.find('"', position)
        if end < 0:
            pieces.append(line[position:])
            return -1
        pieces.append(line[position:end])
        if not line.startswith('"', end + 1):
            return end + 1
        pieces.append('"')  # doubled: one of its own
        position = end + 2


def find_delimiter(lines: list[str], preferred: str) -> str:
    """The delimiter with which the first lines have as many cells as the header, at least two; `preferred` where it can be."""

    def fit(delimiter: str) -> tuple[float, bool, int]:
        counts = [len(cells) for _, cells in rows(lines, delimiter) if cells]
        if not counts or counts[0] < 2:
            return (0.0, delimiter == preferred, 0)
        return (sum(count == counts[0] for count in counts) / len(counts), delimiter == preferred, counts[0])

    return max(DELIMITERS, key=fit)


def number_in(cell: str) -> float | None:
    """A cell as a finite number; None where it is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
