"""Every index keeps the one contract."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from cosimo.indexes import choose
from cosimo.indexes.flat import FlatIndex
from cosimo.testing.indexes import CHECKS, check_index

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "flat": {"kind": "flat"},
    "scan": {"kind": "scan"},
    "scan of 2 bits": {"kind": "scan", "params": {"bits": 2}},
    "graph": {"kind": "graph", "params": {"M": 8}},
    "lists of codes": {"kind": "lists", "params": {"nlist": 16}},
    "lists of vectors": {"kind": "lists", "params": {"codes": "none", "nlist": 16}},
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_the_contract(check: Callable[..., None], kind: str) -> None:
    if kind != "flat":
        pytest.importorskip("faiss")
    check(lambda units, vectors, metric: choose.build(units, vectors, metric=metric, **KINDS[kind]))


def test_the_suite_notices_an_index_that_ignores_filters() -> None:
    class Careless(FlatIndex):
        def search(self, queries, k, *, allowed=None):
            return super().search(queries, k)

    with pytest.raises(AssertionError):
        check_index(partial(_built, Careless))


def test_the_suite_notices_an_index_that_keeps_what_is_gone() -> None:
    class Sentimental(FlatIndex):
        def apply(self, change):
            super().apply(change if change.full else change._replace(removed=change.removed[:0]))

    with pytest.raises(AssertionError):
        check_index(partial(_built, Sentimental))


def _built(kind: type[FlatIndex], units, vectors, metric) -> FlatIndex:
    from cosimo.core.types import Change

    index = kind(metric)
    index.apply(Change(1, True, units, vectors, units[:0]))
    return index
