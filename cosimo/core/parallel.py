"""Parallel: jobs → their results, some at a time, as they are done. Threads that wait for others; computes nothing."""

from __future__ import annotations

from itertools import chain, islice
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Job = TypeVar("Job")
Result = TypeVar("Result")

_POLL = 0.2  # seconds: on Windows, Ctrl-C does not end a wait without a limit


def in_parallel(work: Callable[[Job, Event], Result], jobs: Iterable[Job], most: int) -> Iterator[Result]:
    """`work` on up to `most` jobs at a time; results come in the order in which they are ready.

    No more jobs are taken from the iterable than are being worked on, so memory does not grow with their number. The first
    error ends everything: it is raised here, and the event that `work` is given says so to the others. The threads are daemons
    and not `concurrent.futures`': nobody who presses Ctrl-C waits for a server that does not answer.

    A single job is done in the caller's own thread.
    """
    rest, stop = iter(jobs), Event()
    first = list(islice(rest, 2))
    if len(first) < 2 or most < 2:
        for job in chain(first, rest):
            yield work(job, stop)
        return
    todo: SimpleQueue[tuple[Job] | None] = SimpleQueue()
    done: SimpleQueue[tuple[Result] | BaseException] = SimpleQueue()
    threads = running = 0
    try:
        for job in chain(first, rest):
            if running == most:
                yield _next(done)
                running -= 1
            if threads < most and threads == running:
                Thread(target=_serve, args=(work, todo, done, stop), daemon=True).start()
                threads += 1
            todo.put((job,))
            running += 1
        while running:
            yield _next(done)
            running -= 1
    finally:
        stop.set()
        for _ in range(threads):
            todo.put(None)


def _serve(
    work: Callable[[Job, Event], Result],
    todo: SimpleQueue[tuple[Job] | None],
    done: SimpleQueue[tuple[Result] | BaseException],
    stop: Event,
) -> None:
    while (job := todo.get()) is not None and not stop.is_set():
        try:
            done.put((work(job[0], stop),))
        except BaseException as error:  # raised where the results are asked for
            done.put(error)


def _next(done: SimpleQueue[tuple[Result] | BaseException]) -> Result:
    while True:
        try:
            found = done.get(timeout=_POLL)
        except Empty:
            continue
        if isinstance(found, BaseException):
            raise found
        return found[0]
