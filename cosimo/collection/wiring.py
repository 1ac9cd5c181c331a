"""Wiring: what every method of a collection needs: its settings, its model, its index. The verbs are in `collection.py`."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..core import compatibility, registry, trust
from ..core.errors import ModelMismatch, NotFound, StoreError
from ..core.types import Settings
from .arguments import AsStored, name_of
from .models import tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from ..core.migrations import MigratingStore
    from ..core.store import Store
    from ..core.types import Embedder, Row
    from ..indexes.kept import Kept
    from .arguments import Given
    from .database import Database
    from .indexing import Indexing


class Wired:
    """One collection of a database, and what its verbs are made of."""

    def __init__(self, db: Database, name: str, model: Given, dim: int | None, precision: str | None) -> None:
        self._db = db
        self.name = name
        self._precision = precision
        self._indexing, self._whole = db.indexing(name), db.indexing(name, whole=True)
        self._asked = model
        stored = db.store.settings(name)
        self._settings = stored or Settings(name_of(model), dim)
        if stored:
            compatibility.refuse_other_dim(name, stored, dim)
            self._refuse_another_model(stored)

    # -- what it is

    @property
    def model(self) -> str | None:
        """The id of the model that makes its vectors; None where they come from elsewhere."""
        return self._settings.model

    @property
    def dim(self) -> int | None:
        """Length of its vectors; None as long as nothing is known of them."""
        return self._settings.dim

    @cached_property
    def embedder(self) -> Embedder:
        """The collection's model, loaded at first use and held against what made the vectors.

        Raises
        ------
        ModelNotFound : it cannot be run here (search by id and by vector still works)
        ModelMismatch : its weights or prompts are not those that made the collection
        ConfigError : it is on a server that the file names, and the user never did
        """
        stored = self._stored()
        # what was asked for: a folder, say, that holds the weights of the hub id that is stored
        model = self.model if isinstance(self._asked, AsStored) else self._asked
        if model is None:
            raise ModelMismatch(f"'{self.name}' holds vectors from elsewhere and has no model; add and search vectors")
        if isinstance(self._asked, AsStored) and stored is not None:
            trust.refuse_unnamed(model, self.name)
        else:
            trust.remember(model)
        embedder = self._db.embedder(model, self._precision, stored)
        if stored is not None:
            compatibility.refuse_other_weights(self.name, stored, embedder.spec)
        return embedder

    # -- for the verbs

    @property
    def _store(self) -> Store:
        return self._db.store

    @property
    def _migrating_store(self) -> MigratingStore:
        if not hasattr(self._store, "swap"):
            raise StoreError(f"{self._db.name} cannot migrate; make another collection with the new model, and drop this one")
        return cast("MigratingStore", self._store)

    def _take_over(self, model: str, embedder: Embedder) -> None:
        """Speak of the model that the collection has now, whichever was asked for before."""
        trust.remember(model)
        self._asked, self._settings = model, self._store.settings(self.name) or self._settings
        self.__dict__["embedder"] = embedder

    def _stored(self) -> Settings | None:
        """What the file says made it, now: others may have created it since, or made it anew with another model."""
        stored = self._store.settings(self.name)
        if stored is not None and stored != self._settings:
            self._refuse_another_model(stored)
            self._settings = stored
            self.__dict__.pop("embedder", None)  # to be held against these settings at its next use
        return stored

    def _must_exist(self) -> None:
        if self._stored() is None:
            names = ", ".join(repr(info.name) for info in self._db.collections()) or "no collection yet"
            raise NotFound(f"no collection '{self.name}' in {self._db.name}; it holds {names}")

    def _row(self, id: str) -> Row:
        self._must_exist()
        row = self._store.get(self.name, [id]).get(id)
        if row is None:
            raise NotFound(f"no item '{id}' in collection '{self.name}'")
        return row

    def _searching(self, *, whole: bool = False) -> AbstractContextManager[Kept]:
        """The index with everything in it that any program has written by now, and one snapshot of the file.

        With `whole`, of documents by their own vectors, even where they are cut into passages.
        """
        return self._index_of(whole).searching(self._settings)

    def _ready_to_search(self, *, whole: bool = False) -> None:
        """Open or build that index; outside of all snapshots, where several collections are searched at once."""
        self._index_of(whole).ready(self._settings)

    def _index_of(self, whole: bool) -> Indexing:
        return self._whole if whole and self._store.has_passages(self.name) else self._indexing

    @contextmanager
    def _writing(self) -> Iterator[list[int]]:
        """Around a write: put the number of rows into the list; what comes of it for the index is done afterwards."""
        with self._whole.writing() as of_documents, self._indexing.writing() as written:
            yield written
            of_documents += written
        self._indexing.merge(self._settings)
        self._whole.merge(self._settings)

    def _create_if_new(self, passages: bool | None = None) -> None:
        if stored := self._stored():
            compatibility.refuse_other_passages(self.name, stored, passages)
            return
        spec = self.embedder.spec if self._settings.model is not None else None
        settings = compatibility.made_by(spec, passages=passages is not False) if spec else self._settings
        self._settings = self._store.create(self.name, settings).settings
        if spec:  # another process may have made it in between, with another model
            compatibility.refuse_other_name(self.name, self._settings, spec.name)
            compatibility.refuse_other_weights(self.name, self._settings, spec)

    @contextmanager
    def _created(self, passages: bool | None) -> Iterator[None]:
        """The collection, there. One that is made for rows of which none comes is gone again."""
        made = self._stored() is None
        self._create_if_new(passages)
        try:
            yield
        except BaseException:
            if made:
                with suppress(StoreError, NotFound), self._store.atomic():  # what made the rows fail may make this fail
                    if not self._store.count(self.name):
                        self._store.drop(self.name)
            raise

    @contextmanager
    def _learning(self, dim: int) -> Iterator[None]:
        """One transaction, in which a collection of no length yet takes this one; rows that are refused leave none behind."""
        if self._stored() is None and self._settings.model is not None:
            _ = self.embedder  # loaded, or even fetched, before other writers have to wait
        with self._store.atomic():
            self._create_if_new()
            settings = self._stored() or self._settings  # as the file has it: another program may have been first
            if settings.dim is None:
                settings = replace(settings, dim=dim)
                self._store.configure(self.name, settings)
            yield
        self._settings = settings

    def _embedder_for_writing(self, passages: bool | None = None) -> Embedder:
        """The embedder; a collection begun by another program learns here what makes its vectors from now on."""
        if self._settings.revision is None or self._settings.passages is None:
            named = self._settings.named
            self._settings = compatibility.made_by(self.embedder.spec, passages=passages is not False, named=named)
            self._store.configure(self.name, self._settings)
        return self.embedder

    def _tell(self, documents: object) -> None:
        """Let a source know how to ask what the model reads."""
        tell(documents, self.model if isinstance(self._asked, AsStored) else self._asked, lambda: self.embedder)

    def _refuse_another_model(self, stored: Settings) -> None:
        model = self._asked
        if isinstance(model, AsStored) or model == stored.model:
            return
        if model is not None and stored.model is not None:
            folder = Path(model).is_dir()  # which model its weights are, only they can tell
            model = self._db.embedder(model, self._precision).spec.name if folder else registry.canonical(model)
        compatibility.refuse_other_name(self.name, stored, model)
