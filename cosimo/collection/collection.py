"""Collection: the hall. Wires embedder, store, index and verbs together; every verb is one short method."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..core import compatibility, registry
from ..core.errors import BadVector, DataError, ModelMismatch, NotFound
from ..core.types import CollectionInfo, Document, Settings
from .arguments import AsStored, filter_of, name_of, refuse_mode, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from ..core.types import Content, Embedder, Hit, Metadata, Mode, Row, Store, Vector
    from ..indexes.flat import FlatIndex
    from ..verbs.ingest import Added, Plan
    from ..verbs.search import Query
    from .arguments import Given, Where
    from .database import Database


class Collection:
    """Documents with their vectors. Made by `Database.collection`."""

    def __init__(self, db: Database, name: str, model: Given, dim: int | None, precision: str | None) -> None:
        self._db = db
        self.name = name
        self._precision = precision
        self._index: FlatIndex | None = None
        self._version: int | None = None
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
        """
        stored = self._stored()
        # what was asked for: a folder, say, that holds the weights of the hub id that is stored
        model = self.model if isinstance(self._asked, AsStored) else self._asked
        if model is None:
            raise ModelMismatch(f"'{self.name}' holds vectors from elsewhere and has no model; add and search vectors")
        embedder = self._db.embedder(model, self._precision)
        if stored is not None:
            compatibility.refuse_other_weights(self.name, stored, embedder.spec)
        return embedder

    def info(self) -> CollectionInfo:
        """Name, number of rows and settings."""
        self._stored()
        return self._store.info(self.name) or CollectionInfo(self.name, 0, self._settings)

    # -- rows in

    def add(
        self,
        documents: Iterable[Document],
        *,
        store: bool = True,
        batch_size: int | None = None,
        source: str | None = None,
        sync: bool = False,
        progress: Callable[[Added], None] | None = None,
    ) -> Added:
        """Embed and store documents: only what is new or changed is embedded, each batch is one transaction.

        Parameters
        ----------
        store : keep the text beside its vector; without it, text search and `migrate` have nothing to read
        source : a name for where the documents come from; what `cosimo.read` gives has one
        sync : afterwards remove the rows of this `source` that did not come again
        progress : called after each commit; None draws a bar on a terminal once a second has passed

        Raises
        ------
        DataError : an id or content that cannot be stored
        ModelMismatch : the model here is not the one that made the collection
        """
        from ..core.progress import reporting
        from ..verbs import ingest

        source = source_of(documents, source, sync=sync)
        self._create_if_new()
        with reporting(documents, progress, "texts") as report:
            return ingest.add(
                self._store, self._embedder_for_writing, self.name, documents,
                keep_content=store, batch_size=batch_size, source=source, sync=sync, progress=report,
            )  # fmt: skip

    def plan(self, documents: Iterable[Document]) -> Plan:
        """What `add` would do, counted; nothing is embedded or written."""
        from ..verbs import ingest

        return ingest.plan(self._store, self.embedder, self.name, documents, exists=self._stored() is not None)

    def add_vectors(
        self,
        ids: Sequence[str],
        vectors: ArrayLike,
        contents: Sequence[Content | None] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
    ) -> int:
        """Store vectors made elsewhere, all or none; the number of rows comes back.

        Parameters
        ----------
        vectors : (n, dim) numbers, kept as float32 as they are; scores are cosines whatever their length

        Raises
        ------
        BadVector : NaN, infinity or ragged
        DimensionMismatch : another length than the collection's
        DataError : lists of different lengths, an id no database can hold
        """
        from ..core.vectors import checked
        from ..verbs import ingest

        if not len(ids):
            return 0
        array = checked(vectors, self.dim)
        with self._learning(array.shape[1]):
            return ingest.add_vectors(self._store, self.name, ids, array, contents, metadata)

    def import_rows(self, source: str | Path | BinaryIO, *, format: str | None = None) -> int:
        """Store rows with vectors from a file that `export` wrote, all or none; their number comes back.

        Parameters
        ----------
        format : ndjson, csv, parquet or npy; None goes by the name's ending

        Raises
        ------
        UnreadableSource : not such a file
        BadVector, DimensionMismatch : a vector that does not fit, naming its row
        """
        from ..verbs import exchange

        rows = exchange.import_rows(source, format)
        first = next(rows, None)
        if first is None:
            return 0
        with self._learning(len(first.vector)):
            return self._store.put(self.name, chain([first], rows))

    def export(self, target: str | Path | BinaryIO, *, format: str | None = None, prefix: str = "") -> int:
        """Write rows with their vectors to a file; their number comes back.

        Parameters
        ----------
        format : ndjson, csv, parquet or npy; None goes by the name's ending
        """
        from ..verbs import exchange

        return exchange.export_rows(self.rows(prefix=prefix), target, format)

    def delete(self, ids: str | Iterable[str]) -> int:
        """Delete items; how many of them were there comes back."""
        return self._store.delete(self.name, [ids] if isinstance(ids, str) else list(ids)) if self._stored() else 0

    # -- questions

    def search(
        self,
        query: Content | ArrayLike,
        k: int = 10,
        *,
        mode: Mode | None = None,
        where: Where = None,
        prefix: str = "",
        min_score: float | None = None,
    ) -> list[Hit]:
        """The k best documents for a text or a vector, best first; fewer only where fewer exist that pass.

        Parameters
        ----------
        query : a text, which the collection's model embeds as a query, or (dim,) numbers
        mode : vector (meaning), text (words, BM25) or hybrid (both). Left out: hybrid for a text where texts are stored,
            else vector
        where : a filter on metadata, as text, mapping or `F("year") >= 2020`
        prefix : only ids that begin with this
        min_score : leave out hits below it

        Raises
        ------
        NotFound : the collection does not exist
        DataError : k below 1, an empty text, a mode that needs what is not there
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.search import Query, checked_k

        self._must_exist()
        checked_k(k)
        chosen = self._mode(query, mode)
        if chosen != "vector":
            self._store.index_text(self.name)
        text = query if isinstance(query, str) else None
        vector = None if chosen == "text" else self._query_vector(query)
        return self.answer(Query(text, vector, chosen, k, filter_of(where), prefix, min_score=min_score))

    def answer(self, query: Query) -> list[Hit]:
        """`search` where everything is decided already: the vector is there, the mode can be had, the full text is made."""
        from ..verbs.search import search

        if query.mode == "hybrid":
            query = replace(query, languages=self.embedder.spec.languages)
        with self._store.snapshot():
            return search(self._store, self._fresh_index(), self.name, query)

    def related(self, id: str, k: int = 10, *, where: Where = None, prefix: str = "") -> list[Hit]:
        """The k documents nearest to one that is stored, itself left out; needs no model.

        Raises
        ------
        NotFound : no such collection or item
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.related import related

        self._must_exist()
        filter = filter_of(where)
        with self._store.snapshot():
            return related(self._store, self._fresh_index(), self.name, id, k, prefix=prefix, filter=filter)

    def facets(self, field: str, *, where: Where = None) -> dict[str, int]:
        """How many items have each value of a metadata field, most frequent first; a list counts for each of its items.

        Raises
        ------
        NotFound : no such collection
        InvalidFilter : `where` is not in the filter language
        """
        self._must_exist()
        return self._store.facets(self.name, field, filter=filter_of(where))

    def get(self, id: str) -> Document:
        """One item: id, content where it was stored, metadata.

        Raises
        ------
        NotFound : no such item
        """
        row = self._row(id)
        return Document(row.id, row.content, row.metadata)

    def vector(self, id: str) -> Vector:
        """One item's vector as stored, (dim,) float32.

        Raises
        ------
        NotFound : no such item
        """
        return self._row(id).vector

    def rows(self, *, prefix: str = "") -> Iterator[Row]:
        """All rows in the order they came, streamed."""
        self._must_exist()
        return self._store.scan(self.name, prefix=prefix)

    def __len__(self) -> int:
        return self._store.count(self.name) if self._stored() else 0

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self._stored()) and bool(self._store.known(self.name, [id]))

    def __repr__(self) -> str:
        return f"<cosimo.Collection {self.name} in {self._db.name}: {self.model}, {len(self)} rows>"

    # -- wiring

    @property
    def _store(self) -> Store:
        return self._db.store

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

    def _mode(self, query: object, asked: Mode | None) -> Mode:
        """The mode asked for where it can be had, else what can."""
        refuse_mode(query, asked)
        if not isinstance(query, str):
            return "vector"
        if asked == "vector" or (self.has_text() and (asked == "text" or self.model is not None)):
            return asked or "hybrid"
        if asked == "text":
            raise DataError(f"'{self.name}' stores no texts to search for words; add them with store=True (--store)")
        return "text" if self.has_text() and self.model is None else "vector"

    def has_text(self) -> bool:
        """True where texts are stored beside the vectors, so that words can be searched for."""
        return self._stored() is not None and self._store.has_text(self.name)

    def _query_vector(self, query: Content | ArrayLike) -> Vector:
        from ..core.vectors import checked

        if isinstance(query, str | bytes):
            vectors = self.embedder.embed([query], role="query").vectors
        else:
            vectors = checked(query, self.dim)
        if len(vectors) != 1:
            raise BadVector(f"a search is for one vector, not {len(vectors)}; search for each in turn")
        one: Vector = vectors[0]
        return one

    def _fresh_index(self) -> FlatIndex:
        """The index with everything in it that any program has written by now."""
        from ..core.units import units_of
        from ..indexes.flat import FlatIndex

        change = self._store.changes(self.name, self._version)
        self._index = FlatIndex() if self._index is None else self._index
        self._index.apply(change._replace(numbers=units_of(change.numbers), removed=units_of(change.removed)))
        self._version = change.version
        return self._index

    def _create_if_new(self) -> None:
        if self._stored() is not None:
            return
        spec = self.embedder.spec if self._settings.model is not None else None
        self._settings = self._store.create(self.name, compatibility.made_by(spec) if spec else self._settings).settings
        if spec:  # another process may have made it in between, with another model
            compatibility.refuse_other_name(self.name, self._settings, spec.name)
            compatibility.refuse_other_weights(self.name, self._settings, spec)

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

    def _embedder_for_writing(self) -> Embedder:
        """The embedder; a collection begun by another program learns here what makes its vectors from now on."""
        if self._settings.revision is None:
            self._settings = compatibility.made_by(self.embedder.spec)
            self._store.configure(self.name, self._settings)
        return self.embedder

    def _refuse_another_model(self, stored: Settings) -> None:
        model = self._asked
        if isinstance(model, AsStored) or model == stored.model:
            return
        if model is not None and stored.model is not None:
            folder = Path(model).is_dir()  # which model its weights are, only they can tell
            model = self._db.embedder(model, self._precision).spec.name if folder else registry.canonical(model)
        compatibility.refuse_other_name(self.name, stored, model)
