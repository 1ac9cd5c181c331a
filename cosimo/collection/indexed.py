"""Indexed: what a collection is told, and tells, of its index. Searches need none of this: they keep it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wiring import Wired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.types import Metric
    from .indexing import IndexReport


class Indexed(Wired):
    """The part of `Collection` that is about its index."""

    def index(
        self, type: str | None = None, metric: Metric | None = None, *, params: Mapping[str, int | str] | None = None
    ) -> IndexReport:
        """Build the index now, of the type asked for, and keep to that type from now on.

        Parameters
        ----------
        type : flat (all rows, exactly), scan (codes of all rows), graph (HNSW), lists (IVF), or auto, which goes by the
            number of rows. Left out: as asked for last, else auto
        metric : cosine, ip (inner product) or l2 (minus the distance). Left out: as asked for last, else cosine
        params : of the type, such as `{"nprobe": 16}`. What is left out is measured, or usual; for another type all of them

        Raises
        ------
        DataError : a type, metric or parameter that there is not
        MissingExtra : FAISS is not installed, and a type that needs it was named
        StoreError : the database cannot be written
        NotFound : no such collection
        """
        self._must_exist()
        return self._indexing.choose(self._settings, type, metric, params)

    def index_info(self) -> IndexReport:
        """The index that searches use, opened or built as for a search.

        Raises
        ------
        NotFound : no such collection
        """
        self._must_exist()
        return self._indexing.report(self._settings)

    def drop_index(self) -> bool:
        """Remove the index's files, and what was asked for; True if there was any. Searches go by the number of rows again.

        Raises
        ------
        NotFound : no such collection
        StoreError : the database cannot be written
        """
        self._must_exist()
        self._whole.remove()
        return self._indexing.drop()
