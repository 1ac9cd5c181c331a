"""Searching real vectors, one question at a time: cosimo beside other embedded engines and libraries of indexes.

    pip install chromadb lancedb==0.40 apsw sqlite-vec pymilvus==3.0.2 milvus-lite==3.2.2 llm usearch hnswlib
    python benchmarks/search.py --data FOLDER --cache FOLDER [--rows 10000 100000] [--dim 384] [--only cosimo usearch]

Those of the packages that are installed are measured; give them an environment of their own, as they pin each other's
versions. benchmarks/vectors.py says what the rows and the 1,000 questions are.

Each engine stores all rows and answers once in a process of its own: that is *stored in*, with the memory it took (*to store*).
New processes then answer a first question (*first*: seconds from the start of the process, Python's own among them; the files
are in the system's cache; median of three). One of them goes on to answer the questions, in rounds in which the engines take
turns. *p50* and *p95* are what one call takes in milliseconds, the first round left out; *recall* is of the ten nearest, and
rows equally near count. An engine that cannot answer all 1,000 within its time answers fewer (*asked*). *ratio* is its p50 over
cosimo's, in the table of indexes alone over that of cosimo's index. Memory includes the files mapped.
Every row has a number as metadata, as in filtered.py; with --keep both store once.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from peers import CONTENDERS
from rounds import Built, Failed, Worker, first_answer, stored, turns
from vectors import buckets_of, recall, rows_and_questions, threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines import Contender

K = 10
COLD = 3
HEAD = (
    "", "setting", "p50, ms", "ratio", "p95, ms", "recall@10", "stored in, s", "to store, MB", "to search, MB", "disk, MB",
    "first, s", "asked",
)  # fmt: skip
COLUMNS = ("p50", "recall", "stored", "to_store", "to_search", "disk", "first")


@dataclass
class Result:
    """What was measured of one contender; `problem` says why nothing more was."""

    contender: Contender
    built: Built | None = None
    first: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    found: dict[int, list[int]] = field(default_factory=dict)
    memory: float = 0.0
    recall: float = 0.0
    problem: str = ""
    worker: Worker | None = None

    def figures(self) -> dict[str, float]:
        """By the names of `COLUMNS`; lower is better but for recall."""
        assert self.built is not None
        return {
            "p50": statistics.median(self.times), "recall": self.recall, "stored": self.built.seconds,
            "to_store": self.built.peak, "to_search": self.memory, "disk": self.built.disk,
            "first": statistics.median(self.first),
        }  # fmt: skip


def main() -> None:
    """Print a table for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where vectors are kept; a few GB for a million rows")
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--keep", type=Path, help="where what engines store is kept, for the next run")
    parser.add_argument("--only", nargs="*", help="engines, by name")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0, help="that an engine may take in one round")
    given = parser.parse_args()
    for rows in given.rows:
        chosen = [each for each in CONTENDERS if not given.only or each.engine in given.only]
        path, questions = rows_and_questions(given.data, given.cache, rows, given.dim)
        with tempfile.TemporaryDirectory(dir=given.cache) as folder:
            asked = Path(folder) / "questions.npy"
            np.save(asked, questions)
            stores = stored(chosen, path, asked, buckets_of(path), given.keep)
            results = measured(chosen, stores, asked, given.rounds, given.seconds)
        least = threshold(path, questions, K)
        for result in results:
            result.recall = recall(path, questions, result.found.items(), K, least)
        show(results, rows, given.dim)


def measured(
    chosen: Sequence[Contender], stores: Iterable[Built | Failed], questions: Path, rounds: int, seconds: float
) -> list[Result]:
    """All contenders on the same rows."""
    results = [
        Result(each, problem=str(made)) if isinstance(made, Failed) else Result(each, made)
        for each, made in zip(chosen, stores, strict=True)
    ]
    for turn in range(COLD):
        for result in results:
            _start(result, questions, staying=turn == COLD - 1)
    numbers = list(range(len(np.load(questions, mmap_mode="r"))))
    for turn, part in enumerate([numbers[:20], *turns(numbers, rounds)]):
        for result in results:
            _take_turn(result, part, seconds, warming=turn == 0)
    for result in results:
        if result.worker is not None:
            result.worker.close()
    return results


def _start(result: Result, questions: Path, *, staying: bool) -> None:
    """A new process and its first answer; it stays for the questions to come, or ends."""
    if result.problem or result.built is None:
        return
    try:
        took, worker = first_answer(result.contender, result.built.folder, questions)
    except Failed as error:
        result.problem = str(error)
        return
    result.first.append(took)
    if staying:
        result.worker = worker
    else:
        worker.close()


def _take_turn(result: Result, numbers: list[int], seconds: float, *, warming: bool) -> None:
    if result.worker is None or result.problem:
        return
    try:
        answers = result.worker.call("ask", numbers, K, None, seconds)
        result.memory = result.worker.call("peak")
    except Failed as error:
        result.problem = str(error)
        return
    if not warming:
        result.times += answers.times
        result.found |= dict(answers.found)


def show(results: Sequence[Result], rows: int, dim: int) -> None:
    """Two tables, databases and indexes alone, and where an engine is ahead of cosimo."""
    for alone in (False, True):
        group = [result for result in results if result.contender.alone == alone]
        if not group:
            continue
        what = "indexes alone" if alone else "databases"
        print(f"\n{rows:,} × {dim}, {what}\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        base = group[0]
        for result in group:
            print(_line(result, base), flush=True)
        better = [f"- {result.contender.name}: {ahead}" for result in group if (ahead := _ahead(result, base))]
        if better:
            print(f"\nAhead of {base.contender.name}, recall or not:\n")
            print("\n".join(better), flush=True)


def _line(result: Result, base: Result) -> str:
    each = result.contender
    if result.problem or not result.times:
        return f"| {each.engine} | {each.setting} | {result.problem} |{' |' * 9}"
    f = result.figures()
    ratio = f"{f['p50'] / base.figures()['p50']:.2f}×" if base.times else "–"
    p95 = float(np.quantile(result.times, 0.95))
    return (
        f"| {each.engine} | {each.setting} | {f['p50']:.2f} | {ratio} | {p95:.2f} | {f['recall']:.4f} | {f['stored']:.1f} | "
        f"{f['to_store']:,.0f} | {f['to_search']:,.0f} | {f['disk']:,.0f} | {f['first']:.2f} | {len(result.times):,} |"
    )


def _ahead(result: Result, base: Result) -> str:
    """The columns in which an engine beats the first of the table."""
    if result.contender.engine == base.contender.engine or not result.times or not base.times:
        return ""
    theirs, ours = result.figures(), base.figures()
    better = [n for n in COLUMNS if (theirs[n] > ours[n] + 5e-5 if n == "recall" else theirs[n] < ours[n])]
    return ", ".join(f"{name} {theirs[name]:.4g} against {ours[name]:.4g}" for name in better)


if __name__ == "__main__":
    main()
