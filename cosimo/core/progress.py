"""Progress: how far a long piece of work has come, on stderr, for people at a terminal. Silent in pipes, and for a second."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from operator import length_hint
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Done(NamedTuple):
    """How far work has come that counts nothing else, as a bar follows it."""

    committed: int
    empty: int = 0


def note(sentence: str) -> None:
    """What takes a while, for people at a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(sentence, file=sys.stderr)


@contextmanager
def reporting(work: Iterable[Any], report: Callable[[Any], None] | None, unit: str) -> Iterator[Callable[[Any], None]]:
    """The caller's own `report`, or else a bar with rate and remaining time.

    The bar follows `.committed` and `.empty` of what it is given. `work` tells the total where it has a `size` (our sources)
    or a length.
    """
    if report is not None:
        yield report
        return
    if sys.stderr is None:  # closed, or a program without a console on Windows: tqdm would fail on it
        yield lambda _: None
        return
    from tqdm import tqdm

    total = (getattr(work, "size", None) or length_hint(work) or None) if sys.stderr.isatty() else None
    with tqdm(total=total, unit=f" {unit}", delay=1, disable=None, leave=False, dynamic_ncols=True) as bar:

        def follow(done: Any) -> None:
            bar.update(done.committed + done.empty - bar.n)

        yield follow
