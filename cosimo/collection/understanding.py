"""Understanding: what is found out about a collection as a whole. Each is one short method; the verbs do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..core.errors import NotFound, StoreError
from .questions import Questions

if TYPE_CHECKING:
    from ..core.results import KeepingStore, ResultInfo, ResultKind
    from ..verbs.duplicates import Duplicates
    from ..verbs.outliers import Outlier
    from .arguments import Where


class Understanding(Questions):
    """The part of `Collection` that shows what is there."""

    def duplicates(self, threshold: float = 0.95, *, where: Where = None, prefix: str = "") -> list[Duplicates]:
        """Groups of documents that are nearly the same, the largest first; exact. Nothing is deleted.

        Parameters
        ----------
        threshold : cosine similarity from which two are near-duplicates, above 0 and up to 1
        where, prefix : which items, as for `search`

        Raises
        ------
        NotFound : no such collection
        DataError : a threshold that is none
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.duplicates import checked_threshold, duplicates
        from ..verbs.whole import whole

        self._must_exist()
        checked_threshold(threshold)
        return duplicates(whole(self._store, self.name, filter=self._filter(where), prefix=prefix), threshold)

    def outliers(self, k: int = 10, *, neighbours: int = 10, where: Where = None, prefix: str = "") -> list[Outlier]:
        """The k documents least like their nearest neighbours, the most alone first.

        Parameters
        ----------
        neighbours : how many nearest ones count
        where, prefix : which items may be named; their neighbours are any of the collection

        Raises
        ------
        NotFound : no such collection
        DataError : k or neighbours below 1, fewer than two items with a vector
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.outliers import outliers
        from ..verbs.whole import numbers_among, whole

        self._must_exist()
        filter = self._filter(where)
        with self._searching(whole=True) as index:
            among = numbers_among(self._store, self.name, filter=filter, prefix=prefix)
            return outliers(whole(self._store, self.name), index, k, neighbours=neighbours, among=among)

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
