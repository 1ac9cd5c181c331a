"""Collection: the hall. Wires embedder, store, index and verbs together; every verb is one short method."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from ..core.errors import BadVector, DataError
from ..core.types import CollectionInfo, Document
from .arguments import filter_of, refuse_mode, source_of
from .indexed import Indexed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from ..core.filters import Filter
    from ..core.types import Content, Hit, Metadata, Mode, Row, Similarity, Vector
    from ..verbs.ingest import Added, Plan
    from ..verbs.search import Query
    from ..verbs.similarities import Related
    from ..verbs.similarity_table import Exported
    from .arguments import Where


class Collection(Indexed):
    """Documents with their vectors. Made by `Database.collection`."""

    # -- what it is

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
        passages: bool | None = None,
        progress: Callable[[Added], None] | None = None,
    ) -> Added:
        """Embed and store documents: only what is new or changed is embedded, each batch is one transaction.

        Parameters
        ----------
        store : keep the text beside its vector; without it, text search and `migrate` have nothing to read
        source : a name for where the documents come from; what `cosimo.read` gives has one
        sync : afterwards remove the rows of this `source` that did not come again
        passages : False embeds the beginning of long texts alone. By default they are cut into passages that fit the model's
            window; which of both is decided with the first text
        progress : called after each commit; None draws a bar on a terminal once a second has passed

        Raises
        ------
        DataError : an id or content that cannot be stored
        ModelMismatch : the model here is not the one that made the collection
        CollectionError : the collection's long texts are not treated as `passages` says
        """
        from ..core.progress import reporting
        from ..verbs import ingest

        source = source_of(documents, source, sync=sync)
        self._create_if_new(passages)
        with self._writing() as written, reporting(documents, progress, "texts") as report:
            added = ingest.add(
                self._store, lambda: self._embedder_for_writing(passages), self.name, documents,
                keep_content=store, batch_size=batch_size, source=source, sync=sync, progress=report,
            )  # fmt: skip
            written.append(added.added + added.updated + added.removed)
        return added

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
        with self._writing() as written, self._learning(array.shape[1]):
            written.append(ingest.add_vectors(self._store, self.name, ids, array, contents, metadata))
        return written[0]

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
        with self._writing() as written, self._learning(len(first.vector)):
            written.append(self._store.put(self.name, chain([first], rows)))
        return written[0]

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
        if not self._stored():
            return 0
        with self._writing() as written:
            written.append(self._store.delete(self.name, [ids] if isinstance(ids, str) else list(ids)))
        return written[0]

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
        return self.answer(Query(text, vector, chosen, k, self._filter(where), prefix, min_score=min_score))

    def answer(self, query: Query) -> list[Hit]:
        """`search` where everything is decided already: the vector is there, the mode can be had, the full text is made."""
        from ..verbs.search import search

        if query.mode == "hybrid":
            query = replace(query, languages=self.embedder.spec.languages)
        with self._searching() as index:
            return search(self._store, index, self.name, query)

    def related(self, id: str, k: int = 10, *, where: Where = None, prefix: str = "") -> list[Hit]:
        """The k documents nearest to one that is stored, itself left out; needs no model.

        Raises
        ------
        NotFound : no such collection or item
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.related import related

        self._must_exist()
        filter = self._filter(where)
        with self._searching() as index:
            return related(self._store, index, self.name, id, k, prefix=prefix, filter=filter)

    def relate(self, k: int = 10, *, full: bool = False) -> Related:
        """Keep every item's k nearest in the database; only lists that what changed may touch are made anew.

        Parameters
        ----------
        full : make every list anew, as another `k` does too; the outcome is the same

        Raises
        ------
        NotFound : no such collection
        DataError : k below 1
        StoreError : the database cannot be written, or another program saved lists meanwhile
        """
        from ..verbs.similarities import relate

        self._must_exist()
        return relate(self._store, self.name, k, full=full)

    def similarities(self) -> Iterator[Similarity]:
        """The lists as `relate` left them, streamed: by id, the nearest first, equal scores in the order of ids.

        Raises
        ------
        NotFound : no such collection, or no lists of it are kept
        """
        from ..verbs.similarities import kept

        self._must_exist()
        return kept(self._store, self.name)

    def export_similarities(self, target: str | Path, table: str = "similarities") -> Exported:
        """Make a plain table (id, other_id, score) of a SQLite file hold the lists that `relate` keeps.

        Parameters
        ----------
        target : made where there is none; it may be this database
        table : what else was in it is removed, what is there already is left alone

        Raises
        ------
        NotFound : no such collection, or no lists of it are kept
        StoreError : the file cannot be written, or has a table of that name with other columns
        """
        from ..verbs.similarity_table import export_similarities

        return export_similarities(self._store, self.similarities(), target, table)

    def facets(self, field: str, *, where: Where = None) -> dict[str, int]:
        """How many items have each value of a metadata field, most frequent first; a list counts for each of its items.

        Raises
        ------
        NotFound : no such collection
        InvalidFilter : `where` is not in the filter language
        """
        self._must_exist()
        return self._store.facets(self.name, field, filter=self._filter(where))

    def _filter(self, where: Where) -> Filter | None:
        """A filter in any spelling; what answers its questions of place is up to date then."""
        filter = filter_of(where)
        if filter is not None:
            self._store.index_places(self.name, filter)
        return filter

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

    def has_text(self) -> bool:
        """True where texts are stored beside the vectors, so that words can be searched for."""
        return self._stored() is not None and self._store.has_text(self.name)

    def __len__(self) -> int:
        return self._store.count(self.name) if self._stored() else 0

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self._stored()) and bool(self._store.known(self.name, [id]))

    def __repr__(self) -> str:
        return f"<cosimo.Collection {self.name} in {self._db.name}: {self.model}, {len(self)} rows>"

    # -- what was asked for

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
