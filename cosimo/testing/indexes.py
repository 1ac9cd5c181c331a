"""Index contract: what every index must do, as plain functions with assertions. Needs no test runner.

from cosimo.testing.indexes import check_index

def test_it_is_an_index():
    check_index(lambda units, vectors, metric: MyIndex.build(units, vectors, metric))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.types import Change
from ..core.units import documents_of, units_of
from ..core.vectors import METRICS, prepared, scored, top_k

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.types import Index, Metric, Numbers, Scores, Vector, Vectors

    Build = Callable[[Numbers, Vectors, Metric], Index]

DIM = 32
RECALL = 0.9  # of ten nearest: an approximate index may miss some; what it returns must be right
NONE = np.empty(0, np.int64)


def vectors(n: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """(n, dim) rows in 20 clouds, as vectors of texts lie."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, dim))
    return (centres[random.integers(0, 20, n)] + 0.6 * random.normal(size=(n, dim))).astype(np.float32)


def difference(units: Numbers, rows: Vectors, removed: Numbers = NONE) -> Change:
    """A change that is not full."""
    return Change(2, False, units, rows, removed)


class Model:
    """What an index should hold, and the plainest way to search it."""

    def __init__(self, units: Numbers, rows: Vectors, metric: Metric = "cosine") -> None:
        self.rows: dict[int, Vector] = dict(zip(units.tolist(), rows.copy(), strict=True))
        self.metric: Metric = metric

    def apply(self, change: Change) -> None:
        """As an index takes a change."""
        gone = {int(unit) >> 20 for unit in [*change.numbers.tolist(), *change.removed.tolist()]}
        self.rows = {} if change.full else {unit: row for unit, row in self.rows.items() if unit >> 20 not in gone}
        self.rows |= dict(zip(change.numbers.tolist(), change.vectors.copy(), strict=True))

    def search(self, query: Vector, k: int, allowed: Numbers | None = None) -> tuple[Numbers, Scores]:
        """The k best, by a plain loop's arithmetic."""
        units = np.array(sorted(self.rows), np.int64)
        if allowed is not None:
            units = units[np.isin(documents_of(units), allowed)]
        if self.metric == "cosine":
            units = np.array([unit for unit in units.tolist() if self.rows[unit].any()], np.int64)
        if not len(units):
            return units, np.empty(0, np.float32)
        rows = prepared(np.stack([self.rows[unit] for unit in units.tolist()]), self.metric)
        scores = scored(rows, prepared(query[None], self.metric)[0], self.metric)
        best = top_k(scores, k)
        return units[best], scores[best]


def agrees(index: Index, model: Model, queries: Vectors, k: int = 10, allowed: Numbers | None = None) -> None:
    """Right numbers, order and scores for every result; recall at least RECALL; never fewer than there are."""
    found, scores = index.search(queries, k, allowed=allowed)
    assert len(found) == len(scores) == len(queries)
    hits = total = 0
    for query, units, values in zip(queries, found, scores, strict=True):
        truth, best = model.search(query, k, allowed)
        assert units.dtype == np.int64
        assert values.dtype == np.float32
        assert len(units) == len(truth), f"{len(units)} results where {len(truth)} exist"
        assert len(set(units.tolist())) == len(units), "a unit came twice"
        assert (np.diff(values) <= 0).all(), "not best first"
        everyone = dict(zip(*(part.tolist() for part in model.search(query, len(model.rows), allowed)), strict=True))
        assert set(units.tolist()) <= set(everyone), "a unit that is gone or not allowed"
        exact = np.array([everyone[unit] for unit in units.tolist()], np.float32)
        assert np.allclose(values, exact, rtol=1e-4, atol=1e-4), "a score is not the exact one"
        total += len(truth)
        hits += int((values >= best[-1] - 1e-4 * max(1, abs(float(best[-1])))).sum()) if len(truth) else 0
    assert hits >= RECALL * total, f"recall {hits / total:.3f}"


def every_metric_finds_the_nearest(build: Build) -> None:
    """Results and scores are those of a plain loop, for one query and for several, for every metric and odd dimension."""
    for metric in METRICS:
        for n, dim in ((3_000, DIM), (700, 7), (40, 3)):
            rows, units = vectors(n, dim=dim), units_of(np.arange(n))
            index = build(units, rows.copy(), metric)
            model = Model(units, rows, metric)
            agrees(index, model, vectors(8, 1, dim))
            agrees(index, model, vectors(2, 2, dim), k=n + 5)
            info = index.describe()
            assert (len(index), info.rows, info.metric, info.fresh) == (n, n, metric, 0)
            assert 0 <= info.recall <= 1
            assert index.stale_share == 0


def few_rows_are_all_found(build: Build) -> None:
    """None, one, two of the same: no index needs many to work."""
    empty = build(NONE, np.empty((0, 4), np.float32), "cosine")
    assert [len(units) for units in empty.search(vectors(2, dim=4), 3)[0]] == [0, 0]
    for rows in ([[1, 0, 0, 0]], [[1, 0, 0, 0]] * 2, [[1, 0, 0, 0]] * 30):
        units = units_of(np.arange(len(rows)))
        index = build(units, np.array(rows, np.float32), "cosine")
        found, scores = index.search(np.array([[2, 0, 0, 0]], np.float32), 100)
        assert sorted(found[0].tolist()) == units.tolist()
        assert np.allclose(scores[0], 1)


def zero_vectors_are_never_found_by_cosine(build: Build) -> None:
    """A zero row has no direction, a zero query finds nothing; other metrics know both."""
    rows, units = vectors(200), units_of(np.arange(200))
    rows[::2] = 0
    index = build(units, rows.copy(), "cosine")
    agrees(index, Model(units, rows), vectors(3, 1), k=200)
    assert [len(found) for found in index.search(np.zeros((1, DIM), np.float32), 5)[0]] == [0]
    index.apply(difference(units[1:2], np.zeros((1, DIM), np.float32)))
    assert units[1] not in index.search(rows[3:4], 200)[0][0]
    index = build(units, rows.copy(), "l2")
    agrees(index, Model(units, rows, "l2"), np.zeros((1, DIM), np.float32), k=150)


def filters_never_starve(build: Build) -> None:
    """Any allowed set gives k results while k exist: many, few, one, none, unknown, and none of them near the query."""
    rows, units = vectors(4_000), units_of(np.arange(4_000))
    index, model = build(units, rows.copy(), "cosine"), Model(units, rows)
    far = documents_of(np.sort(model.search(rows[0], 4_000)[0][3_000:]))
    for share in (1.0, 0.5, 0.1, 0.01):
        allowed = np.sort(np.random.default_rng(3).choice(4_000, int(4_000 * share), replace=False))
        for _ in range(3):  # an index may remember an allowed set
            agrees(index, model, vectors(4, 1), allowed=allowed)
    for allowed in (far, far[:5], far[:1], NONE, np.array([5_000, 2**42]), np.array([7, 5_000])):
        for _ in range(3):
            agrees(index, model, rows[:1], allowed=allowed)


def passages_belong_to_documents(build: Build) -> None:
    """A filter names documents, results are units; documents have one unit or many."""
    documents = np.sort(np.random.default_rng(5).integers(0, 300, 2_000))
    first = np.searchsorted(documents, documents)
    units, rows = units_of(documents, np.arange(2_000) - first), vectors(2_000)
    index, model = build(units, rows.copy(), "cosine"), Model(units, rows)
    for allowed in (np.arange(0, 300, 2), np.array([3, 4, 299]), np.arange(300)):
        agrees(index, model, vectors(4, 1), k=20, allowed=allowed)
    change = difference(units_of(np.array([7, 7, 8]), np.array([0, 60, 1])), vectors(3, 2), units_of([9, 10_000]))
    index.apply(change)
    model.apply(change)
    agrees(index, model, change.vectors, k=3)
    agrees(index, model, vectors(4, 1), k=2_500)
    agrees(index, model, vectors(4, 1), k=10, allowed=np.arange(6, 12))


def changes_show_at_once(build: Build) -> None:
    """Rows added, replaced and removed are so in the next search, filtered or not, whatever the order they come in."""
    random = np.random.default_rng(1)
    units = units_of(np.arange(0, 6_000, 2))
    rows = vectors(3_000)
    index, model = build(units, rows.copy(), "cosine"), Model(units, rows)
    for round in range(4):
        documents = random.choice(8_000, 60, replace=False)
        change = difference(units_of(documents[:40]), vectors(40, 10 + round), units_of(documents[40:]))
        index.apply(change)
        model.apply(change)
        assert len(index) == len(model.rows)
        agrees(index, model, change.vectors[:5], k=1)
        agrees(index, model, vectors(4, round))
        agrees(index, model, vectors(2, round), allowed=np.arange(0, 8_000, 3))
    assert 0 <= index.stale_share < 0.1
    index.apply(difference(NONE, np.empty((0, DIM), np.float32), units_of(np.arange(8_000))))
    assert (len(index), len(index.search(rows[:1], 5)[0][0])) == (0, 0)


def a_full_change_forgets_all(build: Build) -> None:
    """What was there before a full change is gone, even if vectors have another length from then on."""
    index = build(units_of(np.arange(500)), vectors(500), "cosine")
    for dim in (DIM, DIM + 1):
        rows, units = vectors(50, 4, dim), units_of(np.arange(400, 450))
        index.apply(Change(3, True, units, rows.copy(), NONE))
        agrees(index, Model(units, rows), vectors(3, 1, dim), k=60)
        assert len(index) == 50


CHECKS: tuple[Callable[[Build], None], ...] = (
    every_metric_finds_the_nearest,
    few_rows_are_all_found,
    zero_vectors_are_never_found_by_cosine,
    filters_never_starve,
    passages_belong_to_documents,
    changes_show_at_once,
    a_full_change_forgets_all,
)


def check_index(build: Build) -> None:
    """Run every check of the contract.

    Parameters
    ----------
    build : (units, vectors, metric) → an index of them

    Raises
    ------
    AssertionError : the index does something else than the contract says
    """
    for check in CHECKS:
        check(build)
