"""Rounds: engines in processes of their own, asked in turn, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from engines import missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from engines import Contender, Engine

PATIENCE = 3600.0  # seconds that one step of an engine may take


class Built(NamedTuple):
    """Where all rows are stored, and what it took to store them and answer for the first time."""

    folder: Path
    seconds: float
    peak: float  # MB of memory, mapped files among them
    disk: float  # MB


class Answers(NamedTuple):
    """Of one turn: milliseconds of each question, and the rows found."""

    times: list[float]
    found: list[tuple[int, list[int]]]  # number of the question, ids


class Failed(Exception):
    """An engine gave up; the message says why."""


class Worker:
    """An engine in another process."""

    def __init__(self, contender: Contender, folder: Path, questions: Path) -> None:
        self.contender = contender
        here, there = multiprocessing.Pipe()
        self._pipe: Connection = here
        context = multiprocessing.get_context("spawn")  # a fresh interpreter: nothing of this process is in its memory
        self._process = context.Process(target=_serve, args=(there, contender, folder, questions), daemon=True)
        self._process.start()
        there.close()

    def call(self, what: str, *values: Any) -> Any:
        """Have something done, and wait for it.

        Raises
        ------
        Failed : the engine raised, ended, or takes more than an hour
        """
        try:
            self._pipe.send((what, *values))
            if not self._pipe.poll(PATIENCE):
                raise Failed("takes more than an hour")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Failed("its process ended") from error
        if isinstance(answer, Failed):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(Failed):
            self.call("close")
        self._pipe.close()
        self._process.join(20)
        if self._process.is_alive():
            self._process.terminate()


def built(contender: Contender, folder: Path, rows: Path, questions: Path, buckets: Path) -> Built:
    """Store all rows in a process that ends afterwards, and answer one question in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    worker = Worker(contender, folder, questions)
    try:
        worker.call("import")
        started = time.perf_counter()
        worker.call("add", rows, buckets)
        worker.call("open")
        worker.call("ask", [0], 10, None, 0.0)
        seconds = time.perf_counter() - started
        peak = worker.call("peak")
    finally:
        worker.close()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    folder.with_suffix(".json").write_text(json.dumps({"seconds": seconds, "peak": peak, "disk": size}))
    return Built(folder, seconds, peak, size)


def stored(
    contenders: Sequence[Contender], rows: Path, questions: Path, buckets: Path, keep: Path | None = None
) -> Iterator[Built | Failed]:
    """For each contender where its rows are, or why they are not; made once for each way to build.

    Parameters
    ----------
    questions, buckets : arrays as files; rows are stored beside the questions
    keep : they are stored here instead, and found again by the next run; remove it once an engine has changed
    """
    from peers import ENGINES

    root = questions.parent / "stored" if keep is None else keep / f"{rows.stem}-{buckets.stem}"
    made: dict[str, Built | Failed] = {}
    for each in contenders:
        package, count = missing(ENGINES[each.engine]), len(np.load(rows, mmap_mode="r"))
        if package or count > each.most:
            yield Failed(f"{package} is not installed" if package else "left out: it would take too long")
            continue
        key = hashlib.sha256(repr((each.engine, sorted(each.build.items()))).encode()).hexdigest()[:12]
        if key not in made:
            try:
                made[key] = _kept(root / key) or built(each, root / key, rows, questions, buckets)
            except Failed as error:
                made[key] = error
        yield made[key]


def _kept(folder: Path) -> Built | None:
    record = folder.with_suffix(".json")
    return Built(folder, **json.loads(record.read_text())) if record.exists() else None


def first_answer(contender: Contender, folder: Path, questions: Path) -> tuple[float, Worker]:
    """Seconds from the start of a process, Python's included, to its first answer; and the process."""
    started = time.perf_counter()
    worker = Worker(contender, folder, questions)
    try:
        worker.call("open")
        worker.call("ask", [0], 10, None, 0.0)
    except Failed:
        worker.close()
        raise
    return time.perf_counter() - started, worker


def turns(numbers: list[int], rounds: int) -> Iterator[list[int]]:
    """The questions of each round; every question is asked once, by every engine in the same round."""
    for turn in range(rounds):
        yield numbers[turn::rounds]


def _serve(pipe: Connection, contender: Contender, folder: Path, questions: Path) -> None:
    """The other process: do what is asked until told to close."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what engines print is no part of the table
    sys.dont_write_bytecode = False  # where a variable forbids it, each process would compile what pip has not compiled before
    state: dict[str, Any] = {"contender": contender, "folder": folder, "questions": questions}
    while True:
        try:
            what, *values = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(_done(state, what, *values))
        except Exception as error:  # whatever an engine raises is a cell of the table, and the others go on
            pipe.send(Failed(f"{type(error).__name__}: {error}".splitlines()[0][:200]))
        if what == "close":
            return


def _done(state: dict[str, Any], what: str, *values: Any) -> Any:
    if what == "peak":
        return peak_memory()
    if what == "ask":
        return _asked(state["engine"], state["numbers"], *values)
    if what == "close":
        if "engine" in state:
            state["engine"].close()
        return None
    if "numbers" not in state:
        from peers import ENGINES

        state["numbers"] = np.load(state["questions"])  # (q, dim)
        dim = state["numbers"].shape[1]
        state["engine"] = ENGINES[state["contender"].engine](state["folder"], dim, state["contender"])
    if what == "import":
        for package in state["engine"].needs or ("cosimo",):
            __import__(package)
    elif what == "add":
        rows, buckets = values
        state["engine"].add(np.load(rows, mmap_mode="r"), np.load(buckets))
    elif what == "open":
        state["engine"].open()
    return None


def _asked(engine: Engine, questions: Any, numbers: list[int], k: int, below: int | None, seconds: float) -> Answers:
    """Ask one question after the other, until all are answered or the time is up; one at least."""
    times, found, end = [], [], time.perf_counter() + seconds
    for number in numbers:
        query = questions[number]
        started = time.perf_counter()
        ids = engine.search(query, k) if below is None else engine.filtered(query, k, below)
        stopped = time.perf_counter()
        times.append((stopped - started) * 1000)
        found.append((number, ids))
        if stopped > end:
            break
    return Answers(times, found)


def peak_memory() -> float:
    """MB that this process held at most; 0 where the system does not tell.

    Not `getrusage`: after a fork it also knows what the parent held.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3
