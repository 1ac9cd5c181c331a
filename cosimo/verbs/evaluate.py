"""Evaluate: what searches found, and should have found → how good they are, and whether one is better. Searches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..core.errors import DataError
from .measures import grades, measure, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Run: TypeAlias = Mapping[str, Sequence[tuple[str, float]]]  # query id → (document id, score), in any order
    Qrels: TypeAlias = Mapping[str, Mapping[str, int]]  # query id → document id → grade
    Values: TypeAlias = NDArray[np.float64]

MEASURES = ("nDCG@10", "recall@10", "recall@100", "MRR@10", "MAP")
RESAMPLES = 10_000  # an interval then moves by less than 0.001 from seed to seed
CHUNK = 4_000_000  # random numbers drawn at a time: 32 MB
LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean over queries, and the interval in which 95% of bootstrap samples have it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good one run is. A query that it has no results for counts 0."""

    queries: tuple[str, ...]
    values: Mapping[str, Values]  # measure → (queries,) float64, in [0, 1]
    means: Mapping[str, Estimate]  # measure → mean


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better `a` is than `b`, on the same queries.

    `p` is how often a difference this large, either way, comes about where both are equally good (randomisation test: the
    values of every query change sides at random). It is not corrected for the number of comparisons made.
    """

    measure: str
    a: str
    b: str
    by: Estimate  # a − b
    p: float

    @property
    def significant(self) -> bool:
        """Whether `p` is below 0.05."""
        return self.p < 1 - LEVEL


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs on the same queries. `costs` holds what was measured elsewhere: milliseconds, bytes."""

    runs: Mapping[str, Evaluation]
    differences: tuple[Difference, ...]
    skipped: int = 0  # queries that no document answers: nothing can be measured on them
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()  # ids of answers that are not in the collection asked: they count as not found

    def table(self) -> dict[str, dict[str, float]]:
        """`{run: {measure or cost: value}}`, in the order given."""
        return {
            name: {measure: round(found.mean, 4) for measure, found in run.means.items()} | dict(self.costs.get(name, {}))
            for name, run in self.runs.items()
        }

    def difference(self, measure: str, a: str, b: str) -> Difference:
        """The difference of two of the runs, whichever way round.

        Raises
        ------
        DataError : no such run, or a measure that was not asked for
        """
        for found in self.differences:
            if (found.measure, found.a, found.b) == (measure, a, b):
                return found
            if (found.measure, found.a, found.b) == (measure, b, a):
                return Difference(measure, a, b, Estimate(-found.by.mean, -found.by.high, -found.by.low), found.p)
        raise DataError(f"{measure} of '{a}' and '{b}' was not compared; there are: {', '.join(self.runs)}")


class Correlation(NamedTuple):
    """Spearman's rank correlation with its 95% interval."""

    value: float
    low: float
    high: float
    pairs: int


def evaluate(run: Run, qrels: Qrels, *, measures: Sequence[str] = MEASURES, seed: int = 0) -> Evaluation:
    """How good one run is; see `compare`."""
    return compare({"run": run}, qrels, measures=measures, seed=seed).runs["run"]


def compare(
    runs: Mapping[str, Run],
    qrels: Qrels,
    *,
    measures: Sequence[str] = MEASURES,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> Comparison:
    """Measure runs on the same queries and say which differences are more than chance.

    The measures are those of trec_eval: gains are the grades themselves, and of documents with equal scores the one whose id
    sorts last comes first. Queries that no document answers are left out (trec_eval counts them 0), those that only the runs
    have are not looked at. Intervals and tests use the same 10,000 resamples of the queries for all runs, so they are paired
    (Sakai 2006, Smucker et al. 2007), and with the same seed give the same numbers.

    Parameters
    ----------
    runs : name → run; for measures without a depth, and recall@100, a run has to hold enough documents a query
    costs : name → what was measured beside (`{"ms": 0.4, "bytes": 1536}`), for `Comparison.table`

    Raises
    ------
    DataError : no query has an answer, no run, an unknown measure, or a cost of a run that is not there
    """
    import numpy as np

    if not runs:
        raise DataError("nothing to compare: name at least one run")
    if strange := set(costs or {}) - set(runs):
        raise DataError(f"there are costs of '{min(strange)}', but no run of that name")
    known = dict(map(measure, measures))
    queries = tuple(id for id, judged in qrels.items() if any(grade > 0 for grade in judged.values()))
    if not queries:
        raise DataError("no query has a relevant document: nothing can be measured")
    values = np.array(
        [
            [[of(found, wanted) for of in known.values()] for found, wanted in _graded(run, qrels, queries)]
            for run in runs.values()
        ]
    ).transpose(0, 2, 1)  # (runs, queries, measures) -> (runs, measures, queries)
    samples = _resampled(values.reshape(-1, len(queries)), seed).reshape(RESAMPLES, len(runs), len(known))
    evaluations = {}
    for number, name in enumerate(runs):
        estimates = [_estimate(row, samples[:, number, place]) for place, row in enumerate(values[number])]
        by_measure = dict(zip(known, values[number], strict=True))
        evaluations[name] = Evaluation(queries, by_measure, dict(zip(known, estimates, strict=True)))
    labels = [(place, a, b) for a, b in combinations(range(len(runs)), 2) for place in range(len(known))]
    apart = [values[a, place] - values[b, place] for place, a, b in labels]
    chances = _randomised(np.stack(apart), seed) if apart else []
    names, titles = list(runs), list(known)
    differences = tuple(
        Difference(titles[place], names[a], names[b], _estimate(row, samples[:, a, place] - samples[:, b, place]), p)
        for (place, a, b), row, p in zip(labels, apart, chances, strict=True)
    )
    return Comparison(evaluations, differences, len(qrels) - len(queries), costs or {})


def spearman(gold: ArrayLike, scores: ArrayLike) -> Correlation:
    """Spearman's correlation of the scores people gave with those of a model, equal ones sharing their mean rank.

    The interval is that of Bonett and Wright (2000): Fisher's z, variance (1 + r²/2)/(n − 3).

    Parameters
    ----------
    gold, scores : (n,) numbers, n at least 4

    Raises
    ------
    DataError : too few, not as many of one as of the other, not finite, or all the same
    """
    import numpy as np

    a, b = np.asarray(gold, np.float64), np.asarray(scores, np.float64)
    if a.ndim != 1 or a.shape != b.shape or len(a) < 4:
        raise DataError(f"a correlation needs two lists of the same length of at least 4, not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("a correlation needs numbers: one score is NaN or infinite")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise DataError("a correlation needs scores that differ: all of one list are the same")
    value = float(np.clip(np.corrcoef(_mean_ranks(a), _mean_ranks(b))[0, 1], -1, 1))
    z = np.arctanh(np.clip(value, -1 + 1e-15, 1 - 1e-15))
    width = 1.959964 * np.sqrt((1 + value * value / 2) / (len(a) - 3))
    return Correlation(value, float(np.tanh(z - width)), float(np.tanh(z + width)), len(a))


def _graded(run: Run, qrels: Qrels, queries: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """For each query, the grades as ranked and all grades there are."""
    for query in queries:
        judged = qrels[query]
        yield grades(ranked(run.get(query, ())), judged), grades(list(judged), judged)


def _resampled(values: Values, seed: int) -> Values:
    """Means of (rows, queries) over queries drawn with replacement, (resamples, rows): all rows see the same draws."""
    import numpy as np

    queries = values.shape[1]
    random = np.random.default_rng(seed)
    means = []
    for size in _chunks(queries):
        drawn = random.integers(0, queries, (size, queries))
        flat = (drawn + np.arange(size)[:, None] * queries).ravel()
        times = np.bincount(flat, minlength=size * queries).reshape(size, queries).astype(np.float64)
        means.append(times @ values.T / queries)  # (size, queries) @ (queries, rows)
    return np.concatenate(means)


def _estimate(values: Values, means: Values) -> Estimate:
    import numpy as np

    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values.mean()), float(low), float(high))


def _randomised(values: Values, seed: int) -> list[float]:
    """Two-sided p of every row of differences (rows, queries): how often signs drawn at random give a mean as far from 0."""
    import numpy as np

    rows, queries = values.shape
    random = np.random.default_rng([seed, 1])
    seen = np.abs(values.sum(axis=1)) - 1e-9  # sums of the same numbers in another order differ in the last digits
    beyond = np.zeros(rows, np.int64)
    for size in _chunks(queries):
        signs = random.integers(0, 2, (size, queries), dtype=np.int8) * 2.0 - 1.0
        beyond += (np.abs(signs @ values.T) >= seen).sum(axis=0)
    return [float(p) for p in (beyond + 1) / (RESAMPLES + 1)]


def _chunks(queries: int) -> Iterator[int]:
    """Sizes of parts of the resamples, each small enough for memory."""
    step = max(CHUNK // queries, 1)
    for start in range(0, RESAMPLES, step):
        yield min(step, RESAMPLES - start)


def _mean_ranks(values: Values) -> Values:
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Values = (last - (counts - 1) / 2)[place]
    return ranks
