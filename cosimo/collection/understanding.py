"""Understanding: what is found out about a collection as a whole. Each is one short method; the verbs do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..core.errors import NotFound, StoreError
from .questions import Questions

if TYPE_CHECKING:
    from ..core.results import KeepingStore, ResultInfo, ResultKind


class Understanding(Questions):
    """The part of `Collection` that shows what is there."""

    def results(self) -> list[ResultInfo]:
        """Clusters, maps and small models that are kept in the file, by kind and name.

        Raises
        ------
        NotFound : no such collection
        """
        self._must_exist()
        return self._keeping_store.results(self.name)

    def forget(self, kind: ResultKind, name: str) -> None:
        """Remove a kept result.

        Raises
        ------
        NotFound : no such collection, or no result of that kind and name
        """
        self._must_exist()
        if not self._keeping_store.forget(self.name, kind, name):
            kept = ", ".join(f"{info.kind} '{info.name}'" for info in self.results()) or "nothing yet"
            raise NotFound(f"'{self.name}' keeps no {kind} '{name}'; it keeps {kept}")

    @property
    def _keeping_store(self) -> KeepingStore:
        if not hasattr(self._store, "keep"):
            raise StoreError(f"{self._db.name} cannot keep what is found out about a collection; ask for it with save=False")
        return cast("KeepingStore", self._store)

    def _ready_to_keep(self) -> None:
        """Make our tables where there are none: before the version of the rows is asked for, and before hours of work.

        Raises
        ------
        StoreError : the file cannot be written
        """
        with self._store.atomic():
            pass
