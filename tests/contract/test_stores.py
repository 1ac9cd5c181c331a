"""Every store keeps the one contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cosimo.stores.sqlite import SQLiteStore
from cosimo.testing.stores import CHECKS, check_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cosimo.core.store import Store


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("where", ["file", "memory"])
def test_sqlite_keeps_the_contract(check: Callable[[Store], None], where: str, tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "a.db" if where == "file" else ":memory:") as store:
        check(store)
        assert store.check() == [] or {finding.kind for finding in store.check()} == {"zero"}


def test_the_suite_notices_a_store_that_loses_rows() -> None:
    class Forgetful(SQLiteStore):
        def put(self, collection, rows, *, source=None):
            return super().put(collection, list(rows)[:-1], source=source)

    with pytest.raises(AssertionError):
        check_store(lambda: Forgetful(":memory:"))
