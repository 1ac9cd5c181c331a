"""Packing: sizes of small pieces and the cost of a cut before each in, runs of pieces that fill a window out. Sees no text."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE_MORE = 1.0  # what another passage costs; the costs of cuts are in pieces.py
SHORT = 0.5  # what an almost empty passage costs beyond that: rather two of 150 tokens than 254 and 46


class Run(NamedTuple):
    """Pieces `start` up to `end`. Those from `start` to `fresh` are also in the run before: the overlap."""

    start: int
    fresh: int
    end: int


def pack(
    sizes: Sequence[int], cuts: Sequence[float], heads: Sequence[int], alone: Sequence[bool], room: int, overlap: int
) -> list[Run]:
    """The cheapest way to put pieces, in order, into passages of at most `room` tokens.

    Filling each passage before starting the next, as splitters do, leaves a remainder before every heading: 7% of the
    passages of 472 articles had fewer than 16 tokens. This looks at all ways at once, in pieces × pieces a passage steps.

    Parameters
    ----------
    sizes : tokens of each piece; one larger than `room` gets a passage of its own
    cuts : the cost of a cut before each piece; the first is not looked at
    heads : tokens that are put before a passage which starts with the piece
    alone : pieces that start a section, before which nothing is repeated
    overlap : tokens a passage may repeat of the one before
    """
    before = [0, *accumulate(sizes)]  # tokens before each piece
    repeated = _repeated(before, overlap, alone)
    best = [0.0]  # the cost of the pieces before each piece
    fresh = [0]  # where the last passage before each piece starts, without its overlap
    for end in range(1, len(sizes) + 1):
        cost, start = _last(before, repeated, cuts, heads, best, end, room)
        best.append(cost)
        fresh.append(start)
    runs = []
    end = len(sizes)
    while end:
        runs.append(Run(_fitting(before, repeated[fresh[end]], fresh[end], end, room - heads[fresh[end]]), fresh[end], end))
        end = fresh[end]
    return runs[::-1]


def _last(
    before: list[int],
    repeated: list[int],
    cuts: Sequence[float],
    heads: Sequence[int],
    best: list[float],
    end: int,
    room: int,
) -> tuple[float, int]:
    """The cheapest last passage of the pieces up to `end`: (cost of all of them, where it starts)."""
    lowest, chosen = float("inf"), end - 1
    until = before[end]
    for start in range(end - 1, -1, -1):
        tokens = until - before[start]
        if tokens > room and start < end - 1:
            break
        if until - before[repeated[start]] + heads[start] > room and start < end - 1:
            continue  # with what it repeats it is too long; a longer one may start a section and repeat nothing
        empty = max(1 - tokens / room, 0)
        cost = best[start] + ONE_MORE + SHORT * empty * empty + (cuts[start] if start else 0)
        if cost < lowest:
            lowest, chosen = cost, start
    return lowest, chosen


def _repeated(before: list[int], overlap: int, alone: Sequence[bool]) -> list[int]:
    """For each piece, where a passage starting there begins to repeat: the earliest whole piece within `overlap` tokens."""
    places, first = [], 0
    for piece, starts_section in enumerate(alone):
        if starts_section:
            first = piece
        while before[piece] - before[first] > overlap:
            first += 1
        places.append(first)
    return places


def _fitting(before: list[int], start: int, fresh: int, end: int, room: int) -> int:
    """The overlap's start, later where a single large piece leaves less room for it."""
    while start < fresh and before[end] - before[start] > room:
        start += 1
    return start
