"""Searching with a filter that 1%, 10% or 50% of real vectors pass: cosimo beside other engines that can filter.

    pip install chromadb lancedb==0.40 apsw sqlite-vec pymilvus==3.0.2 milvus-lite==3.2.2 hnswlib
    python benchmarks/filtered.py --data FOLDER --cache FOLDER [--rows 100000] [--dim 384] [--together]

Every row has a number from 0 to 99 in its metadata, drawn at random, and the filter is `bucket < 1`, `< 10` or `< 50`. With
--together the numbers go by how near a row is to one of them, so that the rows a filter allows lie together, far from most
questions, which is what a filter by subject or language does.

*p50* is what a question takes once the filter was used five times, in milliseconds, *of unfiltered* beside the same engine's
p50 without a filter in the same rounds, *first* the filter's first use in a process that has answered questions without it.
*recall* is of the ten nearest allowed rows by brute force; *fewest* is the least number of results that any question had, of
ten. *wrong* counts results that do not pass. *ratio* is p50 over cosimo's, of indexes
alone over that of cosimo's index.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from peers import CONTENDERS, ENGINES
from rounds import Failed, Worker, first_answer, stored, turns
from vectors import buckets_of, recall, rows_and_questions, threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines import Contender
    from numpy.typing import NDArray
    from rounds import Built

K = 10
USES = 5  # before a filter counts as known
SHARES = (1, 10, 50)
HEAD = ("", "setting", "allowed", "p50, ms", "ratio", "of unfiltered", "first, ms", "recall@10", "fewest", "wrong", "asked")


@dataclass
class Asked:
    """What one contender answered, without a filter (None) and with each."""

    contender: Contender
    worker: Worker | None = None
    problem: str = ""
    times: dict[int | None, list[float]] = field(default_factory=lambda: {share: [] for share in (None, *SHARES)})
    found: dict[int | None, dict[int, list[int]]] = field(default_factory=lambda: {share: {} for share in (None, *SHARES)})
    first: dict[int, float] = field(default_factory=dict)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--keep", type=Path, help="where what engines store is kept, for the next run")
    parser.add_argument("--only", nargs="*", help="engines, by name")
    parser.add_argument("--together", action="store_true", help="the rows that a filter allows lie together")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="that an engine may take for one filter in one round")
    given = parser.parse_args()
    path, questions = rows_and_questions(given.data, given.cache, given.rows, given.dim)
    numbers = buckets_of(path, together=given.together)
    buckets = np.load(numbers)
    chosen = [each for each in CONTENDERS if ENGINES[each.engine].filters and (not given.only or each.engine in given.only)]
    with tempfile.TemporaryDirectory(dir=given.cache) as folder:
        np.save(Path(folder) / "questions.npy", questions)
        made = stored(chosen, path, Path(folder) / "questions.npy", numbers, given.keep)
        results = measured(chosen, made, Path(folder) / "questions.npy", given.rounds, given.seconds)
    least = {share: threshold(path, questions, K, buckets < share) for share in SHARES}
    print(f"\n{given.rows:,} × {given.dim}\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for result in results:
        base = next(other for other in results if other.contender.alone == result.contender.alone)
        for share in SHARES:
            print(line(result, base, share, path, questions, least[share], buckets), flush=True)


def measured(
    chosen: Sequence[Contender], stores: Iterable[Built | Failed], questions: Path, rounds: int, seconds: float
) -> list[Asked]:
    """All contenders: first uses, then rounds in which they take turns."""
    results = []
    for each, made in zip(chosen, stores, strict=True):
        result = Asked(each)
        results.append(result)
        if isinstance(made, Failed):
            result.problem = str(made)
            continue
        try:
            result.worker = first_answer(each, made.folder, questions)[1]
            result.worker.call("ask", list(range(20)), K, None, seconds)
        except Failed as error:
            result.problem = str(error)
    for share in reversed(SHARES):
        for result in results:
            times = ask(result, list(range(USES)), share, 60.0, counting=False)
            result.first[share] = times[0] if times else 0.0
    numbers = list(range(len(np.load(questions, mmap_mode="r"))))
    for part in turns(numbers, rounds):
        for share in (None, *SHARES):
            for result in results:
                ask(result, part, share, seconds)
    for result in results:
        if result.worker is not None:
            result.worker.close()
    return results


def ask(result: Asked, numbers: list[int], share: int | None, seconds: float, *, counting: bool = True) -> list[float]:
    """One turn; what it took."""
    if result.problem or result.worker is None:
        return []
    try:
        answers = result.worker.call("ask", numbers, K, share, seconds)
    except Failed as error:
        result.problem = str(error)
        return []
    if counting:
        result.times[share] += answers.times
        result.found[share] |= dict(answers.found)
    return list(answers.times)


def line(
    result: Asked,
    base: Asked,
    share: int,
    path: Path,
    questions: NDArray[np.float32],
    least: NDArray[np.float32],
    buckets: NDArray[np.int64],
) -> str:
    """One row of the table."""
    each, found = result.contender, result.found[share]
    if result.problem or not result.times[share]:
        return f"| {each.engine} | {each.setting} | {share}% | {result.problem} |{' |' * (len(HEAD) - 4)}"
    p50, plain = statistics.median(result.times[share]), statistics.median(result.times[None])
    ratio = f"{p50 / statistics.median(base.times[share]):.2f}×" if base.times[share] else "–"
    passing = {number: [id for id in ids if buckets[id] < share] for number, ids in found.items()}
    wrong = sum(len(ids) for ids in found.values()) - sum(len(ids) for ids in passing.values())
    return (
        f"| {each.engine} | {each.setting} | {share}% | {p50:.2f} | {ratio} | {p50 / plain:.2f}× | "
        f"{result.first[share]:.1f} | {recall(path, questions, passing.items(), K, least):.4f} | "
        f"{min(map(len, found.values()))} | {wrong} | {len(result.times[share]):,} |"
    )


if __name__ == "__main__":
    main()
