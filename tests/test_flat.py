"""The flat index is the reference answer: it is held against the plainest numpy there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosimo.core.types import Change
from cosimo.core.units import units_of
from cosimo.indexes.flat import FlatIndex

NOTHING = np.empty(0, np.int64)


def documents(units) -> list[int]:
    """Document numbers of units that are whole documents."""
    assert not (units & 0xFFFFF).any()
    return (units >> 20).tolist()


def full(numbers, vectors) -> Change:
    return Change(1, True, units_of(numbers), np.asarray(vectors, np.float32), NOTHING)


def difference(numbers, vectors, removed=()) -> Change:
    return Change(2, False, units_of(numbers), np.asarray(vectors, np.float32), units_of(removed))


def by_hand(rows: dict[int, np.ndarray], query: np.ndarray, k: int) -> list[int]:
    def score(vector: np.ndarray) -> float:
        return float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query))

    usable = [number for number, vector in rows.items() if np.linalg.norm(vector) > 0]
    return sorted(usable, key=lambda number: -score(rows[number]))[:k]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 70))
def test_after_any_changes_the_answer_is_what_a_plain_loop_finds(seed: int, n: int, k: int) -> None:
    random = np.random.default_rng(seed)
    index = FlatIndex()
    rows = {int(i): random.normal(size=6) for i in range(n)}
    index.apply(full(list(rows), list(rows.values())))
    for _ in range(4):
        changed = {int(i): random.normal(size=6) for i in random.integers(0, 2 * n, random.integers(0, 10))}
        removed = [int(i) for i in random.integers(0, 2 * n, random.integers(0, n)) if int(i) not in changed]
        index.apply(difference(list(changed), np.reshape(list(changed.values()), (-1, 6)), removed))
        rows = {i: v for i, v in {**rows, **changed}.items() if i not in removed}
        query = random.normal(size=6)
        numbers, scores = index.search(query[None].astype(np.float32), k)
        assert documents(numbers[0]) == by_hand(rows, query, k)
        assert (np.diff(scores[0]) <= 0).all()
        assert len(index) == len(rows)


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_only_allowed_rows_are_found_and_all_of_them_when_few(share: float) -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(500, 8)).astype(np.float32)
    index = FlatIndex()
    index.apply(full(range(500), vectors))
    allowed = np.sort(random.choice(500, int(500 * share), replace=False)).astype(np.int64)
    numbers, _ = index.search(vectors[:1], 10, allowed=allowed)
    assert documents(numbers[0]) == by_hand({int(i): vectors[i] for i in allowed}, vectors[0], 10)


def test_zero_vectors_are_never_found_and_a_zero_query_finds_nothing() -> None:
    index = FlatIndex()
    index.apply(full([1, 2, 3], [[1, 0], [0, 0], [0, 1]]))
    numbers, _ = index.search(np.array([[1, 1]], np.float32), 10)
    assert sorted(documents(numbers[0])) == [1, 3]
    assert list(index.search(np.zeros((1, 2), np.float32), 10)[0][0]) == []


def test_an_empty_index_answers_with_nothing() -> None:
    numbers, scores = FlatIndex().search(np.ones((2, 4), np.float32), 5)
    assert [len(found) for found in numbers] == [0, 0] == [len(found) for found in scores]


def test_scores_are_cosines_whatever_the_lengths_stored() -> None:
    index = FlatIndex()
    index.apply(full([1, 2, 3], [[1e25, 0], [3e-26, 3e-26], [0, -7]]))
    numbers, scores = index.search(np.array([[2, 0]], np.float32), 3)
    assert documents(numbers[0]) == [1, 2, 3]
    assert scores[0] == pytest.approx([1, 0.5**0.5, 0], abs=1e-6)


def test_equal_scores_keep_the_order_of_the_rows() -> None:
    index = FlatIndex()
    index.apply(full(range(100), np.ones((100, 3))))
    numbers, _ = index.search(np.ones((1, 3), np.float32), 7)
    assert documents(numbers[0]) == list(range(7))


def test_passages_of_an_edited_document_replace_all_it_had() -> None:
    index = FlatIndex()
    index.apply(Change(1, True, units_of([1, 2, 2, 2, 3], np.array([0, 0, 1, 2, 0])), np.eye(5, dtype=np.float32), NOTHING))
    index.apply(Change(2, False, units_of([2, 2], np.array([1, 5])), np.eye(5, dtype=np.float32)[[0, 4]], NOTHING))
    numbers, scores = index.search(np.eye(5, dtype=np.float32)[:1], 10)
    assert sorted(numbers[0].tolist()) == sorted(units_of([1, 2, 2, 3], np.array([0, 1, 5, 0])).tolist())
    assert scores[0][:2].tolist() == [1, 1]
    only = index.search(np.ones((1, 5), np.float32), 10, allowed=np.array([2]))[0][0]
    assert sorted((only & 0xFFFFF).tolist()) == [1, 5]


def test_distances_of_far_away_vectors_keep_their_digits() -> None:
    """Squares of 1e4 leave float32 no digit for a distance of 0.01, so rounding must not choose the nearest."""
    random = np.random.default_rng(2)
    rows = (1e4 + random.normal(size=(2_000, 4)) / 100).astype(np.float32)
    index = FlatIndex("l2")
    index.apply(full(range(2_000), rows))
    query = rows[5] + np.float32(0.004)
    exact = np.sqrt(((rows.astype(np.float64) - query) ** 2).sum(axis=1))
    numbers, scores = index.search(query[None], 10)
    assert exact[documents(numbers[0])] == pytest.approx(np.sort(exact)[:10], rel=1e-4)
    assert -scores[0] == pytest.approx(np.sort(exact)[:10], rel=1e-4)


def test_several_queries_get_the_answers_of_one_at_a_time() -> None:
    random = np.random.default_rng(3)
    index = FlatIndex()
    index.apply(full(range(900), random.normal(size=(900, 16))))
    queries = random.normal(size=(40, 16)).astype(np.float32)
    together, _ = index.search(queries, 5)
    for query, numbers in zip(queries, together, strict=True):
        assert index.search(query[None], 5)[0][0].tolist() == numbers.tolist()
