"""Ahead: jobs → their results in order, of which some are being made while the caller is at work on one."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

Job = TypeVar("Job")
Done = TypeVar("Done")


def ahead(work: Callable[[Job], Done], jobs: Sequence[Job], most: int) -> Iterator[Done]:
    """`work` of each job, in their order, so many at a time; a single one in the caller's own thread.

    Not `core.parallel`: its threads are left to die with the process, and one that dies inside of OpenVINO takes it along.
    """
    if len(jobs) < 2:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(min(most, len(jobs)), "cosimo-ahead") as pool:
        begun: deque[Future[Done]] = deque()
        try:
            for job in jobs:
                if len(begun) == most:
                    yield begun.popleft().result()
                begun.append(pool.submit(work, job))
            while begun:
                yield begun.popleft().result()
        finally:
            for left in begun:
                left.cancel()
