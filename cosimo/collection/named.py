"""Named: further vectors of a collection's items, each kind in a collection of its own beside it: `shop/picture` of `shop`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..core.errors import CollectionError
from .arguments import AS_STORED, AsStored
from .indexed import Indexed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..verbs.named import Space
    from .arguments import Given
    from .collection import Collection


class Named(Indexed):
    """The part of `Collection` that is about its named vectors."""

    def named(self, name: str, *, model: Given = AS_STORED, dim: int | None = None, precision: str | None = None) -> Collection:
        """The named vectors of this collection's items: a collection of its own, with the same ids.

        It keeps its own model, index, passages and results. Content, metadata and filters of a search are this one's.

        Parameters
        ----------
        model : makes them, if they are not there yet, with the model of this name; None: vectors come from elsewhere.
            Left out: they must be there
        dim : length of the vectors, for `model=None`

        Raises
        ------
        NotFound : there are none of this name, and no model was given
        CollectionError : a name that is empty or holds a slash, or named vectors of named vectors
        ModelMismatch, DimensionMismatch : they were made otherwise
        """
        if not isinstance(name, str) or not name or "/" in name:
            raise CollectionError(f"named vectors cannot be called {name!r}; use at least one character, and no slash")
        stored = self._stored()
        if stored is not None and stored.named:
            raise CollectionError(f"'{self.name}' are named vectors themselves; ask their collection for others")
        full = f"{self.name}/{name}"
        there = self._store.settings(full)
        if there is None and isinstance(model, AsStored):
            from ..verbs.named import unknown

            raise unknown(self.name, name, self.names())
        space = self._db.collection(full, model=model, dim=dim, precision=precision)
        if there is None or not there.named:
            space._become_named()
        self._given[name] = space
        return space

    def names(self) -> list[str]:
        """What there are named vectors of, by name."""
        return [full[len(self.name) + 1 :] for full in self._store.named(self.name)]

    # -- for the verbs

    def _spaces(self) -> dict[str, Collection]:
        """name → its collection."""
        return {name: self._given.get(name) or self._db.collection(f"{self.name}/{name}") for name in self.names()}

    @cached_property
    def _given(self) -> dict[str, Collection]:
        """Those that were asked for by name: whoever said `model=FOLDER` once need not say it again."""
        return {}

    @contextmanager
    def _writing_to(self, spaces: Mapping[str, Collection]) -> Iterator[list[int]]:
        """Around a write to several: as `_writing`, each told of all rows, at most too early to ask whether a merge is due."""
        rows: list[int] = []
        with ExitStack() as stack:
            each = [stack.enter_context(space._writing()) for space in spaces.values()]
            yield rows
            for written in each:
                written += rows

    def _become_named(self) -> None:
        """Make the collection, and have the file remember that it is no collection by itself."""
        if self._stored() is None and self._settings.model is not None:
            _ = self.embedder  # loaded, or even fetched, before other writers have to wait
        with self._store.atomic():
            self._create_if_new()
            self._store.configure(self.name, replace(self._store.settings(self.name) or self._settings, named=True))
        self._settings = self._store.settings(self.name) or self._settings

    def _tell(self, documents: object) -> None:
        super()._tell(documents)
        cells = getattr(documents, "cells", {})
        for name, space in self._spaces().items() if cells else ():
            if name in cells:
                space._tell(cells[name])

    def _decide_passages(self, spaces: Mapping[str, Collection], passages: bool | None) -> None:
        """Have those that hold nothing yet treat long texts as a caller says; the others go on as they began."""
        for space in spaces.values() if passages is not None else ():
            settings = space._stored()
            if settings and settings.passages == (not passages) and not self._store.has_rows(space.name):
                self._store.configure(space.name, replace(settings, passages=passages))

    def _to_write(self, passages: bool | None) -> Space:
        from ..verbs.named import Space

        return Space(self.name, lambda: self._embedder_for_writing(passages))
