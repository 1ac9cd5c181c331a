"""LangChain: a model as its `Embeddings`, a collection as its `VectorStore`. Translates names; computes and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from ...core import compatibility, registry
from ...core.errors import DataError, ModelMismatch, NotFound
from ...core.types import Document as Item
from .langchain_embeddings import CosimoEmbeddings

try:
    from langchain_core.documents import Document
    from langchain_core.vectorstores import VectorStore
except ModuleNotFoundError as error:
    raise registry.missing(error.name or "langchain_core") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from langchain_core.embeddings import Embeddings

    from ...collection.arguments import Where
    from ...collection.collection import Collection
    from ...collection.database import Database
    from ...core.types import Hit, Mode

__all__ = ["CosimoEmbeddings", "CosimoVectorStore"]

COLLECTION = "langchain"  # the one used where nobody names one, as other stores do
MEMORY = ":memory:"


class Uneven(DataError, ValueError):
    """Lists that do not belong together. LangChain promises a ValueError, we one of our own: this is both."""


class CosimoVectorStore(VectorStore):
    """A collection for LangChain: its texts are `page_content`, its ids and metadata those of LangChain's documents.

    A document is returned whole; where it is longer than the model's window, it is as near as its best passage. Filters are
    written in any spelling of cosimo's language. Keywords that a method does not know are refused, since one of them may have
    been meant for a filter.

    Parameters
    ----------
    collection : from `Database.collection`; it is created by the first text
    embedding : what makes the vectors. None, or a `CosimoEmbeddings` of the same model: the collection's own model, which
        reads questions as questions and cuts long texts into passages. Any other: a collection made with `model=None`

    Raises
    ------
    ModelMismatch : the collection has a model, and the embedding is another
    """

    def __init__(self, collection: Collection, embedding: Embeddings | None = None) -> None:
        self.collection = collection
        self._foreign = _foreign(collection, embedding)  # None: the collection's own model
        self._owned: Database | None = None  # closed with us

    @classmethod
    def open(
        cls, database: str | Path | None = None, collection: str = COLLECTION, embedding: Embeddings | None = None
    ) -> Self:
        """A collection of a file, which is made where there is none. Use it as a context manager, or close it.

        Parameters
        ----------
        database : path; `:memory:` for none; None for the user's own (`$COSIMO_DB`)
        embedding : as for the class; None goes by what is stored, else the default model

        Raises
        ------
        StoreError : not a database, no permission
        ModelMismatch : another model made the collection
        """
        from ...collection.arguments import AS_STORED
        from ...collection.database import open as open_database

        own = isinstance(embedding, CosimoEmbeddings)
        model = embedding.model if isinstance(embedding, CosimoEmbeddings) else None
        db = open_database(database)
        try:
            store = cls(db.collection(collection, model=AS_STORED if embedding is None else model), None if own else embedding)
        except BaseException:
            db.close()
            raise
        store._owned = db
        return store

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        database: str | Path | None = MEMORY,
        collection: str = COLLECTION,
        **kwargs: Any,
    ) -> Self:
        """A store with these texts in it: in memory, unless a database is named.

        Parameters
        ----------
        database, collection, embedding : as for `open`
        texts, metadatas, ids : as for `add_texts`
        """
        _refuse("from_texts", kwargs)
        store = cls.open(database, collection, embedding)
        try:
            store.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def embeddings(self) -> Embeddings | None:
        """What makes the vectors; None where the collection has no model and no embedding was given."""
        if self._foreign is None and self.collection.model is not None:
            return CosimoEmbeddings.of(self.collection)
        return self._foreign

    # -- in

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those of the same ids; the id of each comes back, made where none was given.

        With the collection's own model only what is new or changed is embedded. A text of nothing but white space is not
        stored, since it would be near to everything; what was stored under its id goes.

        Parameters
        ----------
        batch_size : texts a transaction. Left out: by time, and all at once with an embedding of another package

        Raises
        ------
        DataError : lists of different lengths (a ValueError too), a text or id that cannot be stored
        """
        _refuse("add_texts", kwargs)
        items = _items(list(texts), metadatas, ids)
        latest = {item.id: item for item in items}  # of one id given twice, the later text stays
        filled = [item for item in latest.values() if str(item.content).strip()]
        if self._foreign is None and filled:
            self.collection.add(filled, batch_size=batch_size, progress=_silently)
        elif self._foreign is not None:
            for batch in _batches(filled, batch_size):
                self._add_vectors(self._foreign, batch)
        if len(filled) < len(latest):
            self.collection.delete(latest.keys() - {item.id for item in filled})
        return [item.id for item in items]

    def _add_vectors(self, embedding: Embeddings, items: Sequence[Item]) -> None:
        texts = [str(item.content) for item in items]
        vectors = embedding.embed_documents(texts)
        self.collection.add_vectors([item.id for item in items], vectors, texts, [item.metadata for item in items])

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Delete documents by id, all of them for None; True, whether they were there or not."""
        _refuse("delete", kwargs)
        try:
            self.collection.delete([row.id for row in self.collection.rows()] if ids is None else ids)
        except NotFound:  # nothing was added yet
            return True
        return True

    # -- out

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Documents by id, in the order asked; ids that are not there are left out.

        Raises
        ------
        DataError : a document whose text is not stored
        """
        found = []
        for id in dict.fromkeys(ids):
            try:
                found.append(_document(self.collection.get(id), self.collection.name))
            except NotFound:
                continue
        return found

    def similarity_search(
        self, query: str, k: int = 4, *, filter: Where = None, mode: Mode = "vector", **kwargs: Any
    ) -> list[Document]:
        """The k documents nearest to a question, the nearest first.

        Parameters
        ----------
        filter : on metadata: text, a mapping or `F("year") >= 2020`
        mode : vector goes by meaning alone, as `similarity_search_with_score` does; text by words; hybrid by both

        Raises
        ------
        DataError : an empty question, k below 1, a mode that needs what is not there
        InvalidFilter : not in the filter language
        """
        _refuse("similarity_search", kwargs)
        if mode == "vector":
            return [document for document, _ in self.similarity_search_with_score(query, k, filter=filter)]
        if mode == "hybrid" and self.collection.model is None:
            raise DataError(
                f"mode hybrid needs a collection that embeds its texts itself, and '{self.collection.name}' does not;"
                " use text or vector"
            )
        return [self._shown(hit) for hit in self._hits(query, k, filter, mode)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Where = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The same with scores, higher is nearer: cosine similarities, or what the collection's index was told to score by."""
        _refuse("similarity_search_with_score", kwargs)
        found = self._hits(query if self._foreign is None else self._query_vector(query), k, filter)
        return [(self._shown(hit), hit.score) for hit in found]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Where = None, **kwargs: Any
    ) -> list[Document]:
        """The k documents nearest to a vector.

        Raises
        ------
        DimensionMismatch, BadVector : a vector that does not fit the collection's
        """
        _refuse("similarity_search_by_vector", kwargs)
        return [self._shown(hit) for hit in self._hits(embedding, k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Where = None,
        **kwargs: Any,
    ) -> list[Document]:
        """k of the `fetch_k` nearest documents, each of them relevant and unlike those before.

        Parameters
        ----------
        lambda_mult : 1 keeps the order of nearness, 0 looks at unlikeness alone

        Raises
        ------
        DataError : `lambda_mult` outside of 0 to 1, an empty question
        """
        _refuse("max_marginal_relevance_search", kwargs)
        vector = self._query_vector(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter=filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Where = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The same for a vector."""
        from ...verbs.diversity import diverse, unit_vectors
        from ...verbs.search import checked_k

        _refuse("max_marginal_relevance_search_by_vector", kwargs)
        if not isinstance(lambda_mult, int | float) or not 0 <= lambda_mult <= 1:
            raise DataError(f"lambda_mult must be between 0 and 1, not {lambda_mult!r}")
        if not isinstance(fetch_k, int):
            raise DataError(f"fetch_k is how many documents to choose among, a whole number, not {fetch_k!r}")
        hits = self._hits(embedding, max(checked_k(k), fetch_k), filter)
        # LangChain's own function for this is private to its stores, and takes no relevance but that of whole documents
        vectors = unit_vectors([self.collection.vector(hit.id) for hit in hits])
        return [self._shown(hits[at]) for at in diverse(vectors, [hit.score for hit in hits], k, 1 - lambda_mult)]

    def _query_vector(self, query: str) -> list[float]:
        if not isinstance(query, str) or not query.strip():
            raise DataError("nothing to search for: the text is empty; write what to look for")
        if self._foreign is not None:
            return self._foreign.embed_query(query)
        vector: list[float] = self.collection.embedder.embed([query], role="query").vectors[0].tolist()
        return vector

    def _hits(self, query: str | list[float], k: int, filter: Where, mode: Mode = "vector") -> list[Hit]:
        try:
            return self.collection.search(query, k, where=filter, mode=mode if isinstance(query, str) else None)
        except NotFound:  # what nothing was added to yet is empty, not wrong
            return []

    def _shown(self, hit: Hit) -> Document:
        return _document(hit, self.collection.name)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """Scores on LangChain's scale of 0 to 1. A cosine stays what it is: thresholds are those of `cosimo search`."""
        try:
            metric = self.collection.index_info().info.metric
        except NotFound:
            metric = "cosine"
        if metric == "ip":
            raise DataError("inner products have no scale from 0 to 1; use similarity_search_with_score, or the metric cosine")
        return _of_distance if metric == "l2" else _of_cosine

    # -- the database, where we opened it

    def close(self) -> None:
        """Close the database, if `open` or `from_texts` opened it; else its owner does."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _foreign(collection: Collection, embedding: Embeddings | None) -> Embeddings | None:
    """The embedding that makes the vectors, or None where the collection's own model does."""
    if embedding is not None and not hasattr(embedding, "embed_documents"):
        raise DataError(
            f"{embedding!r} is no Embeddings object of LangChain; for a model by its name write CosimoEmbeddings(…)"
        )
    if embedding is None or collection.model is None:
        return embedding
    if not isinstance(embedding, CosimoEmbeddings):
        raise ModelMismatch(
            f"'{collection.name}' embeds its texts with {collection.model} itself; leave the embedding out, or give a"
            " collection with model=None"
        )
    compatibility.refuse_other_name(collection.name, collection.info().settings, embedding.embedder.spec.name)
    return None


def _items(texts: Sequence[str], metadatas: Sequence[dict[str, Any]] | None, ids: Sequence[str | None] | None) -> list[Item]:
    """Texts as our documents, each with an id."""
    for name, given in (("metadatas", metadatas), ("ids", ids)):
        if given and len(given) != len(texts):
            raise Uneven(f"{len(texts)} texts but {len(given)} {name}; give one for each text")
    known = metadatas or [{}] * len(texts)
    named = ids or [None] * len(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {place} is {type(text).__name__}; LangChain's documents hold text")
        if not isinstance(known[place], Mapping | None):
            raise DataError(f"the metadata of text {place} is {type(known[place]).__name__}; LangChain's is a mapping")
    # {} and not None: what LangChain adds replaces what was there, metadata included
    return [Item(id or str(uuid4()), text, dict(about or {})) for id, text, about in zip(named, texts, known, strict=True)]


def _document(found: Hit | Item, collection: str) -> Document:
    if not isinstance(found.content, str):
        what = "no text" if found.content is None else "binary content"
        raise DataError(
            f"'{found.id}' has {what} in '{collection}', and LangChain's documents are text; add texts with store=True"
        )
    return Document(id=found.id, page_content=found.content, metadata=dict(found.metadata or {}))


def _batches(items: Sequence[Item], size: int | None) -> Iterator[Sequence[Item]]:
    size = size or max(len(items), 1)
    return (items[start : start + size] for start in range(0, len(items), size))


def _refuse(method: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise DataError(f"{method} takes no {', '.join(map(repr, kwargs))}; conditions on metadata are given as filter=")


def _silently(_: object) -> None:
    """No bar: whoever uses LangChain shows progress in its way."""


def _of_cosine(score: float) -> float:
    return min(max(score, 0.0), 1.0)  # below 0 is no nearer than 0; float32 may end at 1.0000001


def _of_distance(score: float) -> float:
    return 1.0 / (1.0 - min(score, 0.0))  # minus the distance: 0 is 1, far is near 0
