"""LangChain's embeddings: a model as its `Embeddings`, with both roles. `langchain` is the door to this; computes nothing."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Self

from ...core import config, registry

try:
    from langchain_core.embeddings import Embeddings
except ModuleNotFoundError as error:
    raise registry.missing(error.name or "langchain_core") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...collection.collection import Collection
    from ...core.types import Embedder, Role


class CosimoEmbeddings(Embeddings):
    """Any model that cosimo runs, for LangChain. It is loaded with the first text; texts beyond its window are cut.

    The asynchronous methods are LangChain's own, which run these in threads; they may be called from several.

    Parameters
    ----------
    model : its name, as in `cosimo embed -m`; None for the default (`$COSIMO_MODEL`)

    Raises
    ------
    ModelNotFound : no such kind of model
    """

    def __init__(self, model: str | None = None) -> None:
        self.model = config.default_model() if model is None else model
        registry.split(self.model)  # a slip of the finger shows here, not with the first text
        self._load: Callable[[], Embedder] = self._by_name
        self._embedder: Embedder | None = None
        self._lock = Lock()

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """The model of a collection, loaded once for both.

        Raises
        ------
        ModelMismatch : the collection's vectors come from elsewhere
        """
        made = cls(collection.model or collection.embedder.spec.name)
        made._load = lambda: collection.embedder
        return made

    @property
    def embedder(self) -> Embedder:
        """The model under our names.

        Raises
        ------
        ModelNotFound : its weights are not here and cannot be fetched
        MissingExtra, MissingKey : what it needs
        """
        with self._lock:  # threads that ask at once wait for one to load it
            if self._embedder is None:
                self._embedder = self._load()
            return self._embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, as documents that are looked for."""
        return self._embed(texts, "document")

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text that asks."""
        return self._embed([text], "query")[0]

    def _embed(self, texts: Sequence[str], role: Role) -> list[list[float]]:
        if not texts:
            return []
        vectors: list[list[float]] = self.embedder.embed(list(texts), role=role).vectors.tolist()
        return vectors

    def _by_name(self) -> Embedder:
        from ...collection.database import load_embedder

        return load_embedder(self.model)

    def __repr__(self) -> str:
        return f"CosimoEmbeddings(model={self.model!r})"
