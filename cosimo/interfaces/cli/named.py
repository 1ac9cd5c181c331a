"""Named: a collection as the command line speaks of it; `-m` left out means as stored, else the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...collection.collection import Collection
    from ...collection.database import Database


def named(db: Database, name: str, model: str | None = None, precision: str | None = None) -> Collection:
    """The collection of that name, whether it is there yet or not."""
    from ...collection.arguments import AS_STORED

    return db.collection(name, model=AS_STORED if model is None else model, precision=precision)
