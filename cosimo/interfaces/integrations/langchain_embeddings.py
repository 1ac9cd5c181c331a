"""LangChain's embeddings: a model as its `Embeddings`, with both roles. `langchain` is the door to this; computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ...core import registry
from .loading import Loading

try:
    from langchain_core.embeddings import Embeddings
except ModuleNotFoundError as error:
    raise registry.missing(error.name or "langchain_core") from error

if TYPE_CHECKING:
    from ...collection.collection import Collection
    from ...core.types import Embedder


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
        self._loading = Loading(model)
        registry.split(self.model)  # a slip of the finger shows here, not with the first text

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """The model of a collection, loaded once for both.

        Raises
        ------
        ModelMismatch : the collection's vectors come from elsewhere
        """
        made = cls.__new__(cls)
        made._loading = Loading(collection.model or collection.embedder.spec.name, lambda: collection.embedder)
        return made

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._loading.name

    @property
    def embedder(self) -> Embedder:
        """The model under our names.

        Raises
        ------
        ModelNotFound : its weights are not here and cannot be fetched
        MissingExtra, MissingKey : what it needs
        """
        return self._loading.embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, as documents that are looked for."""
        return self._loading.vectors(texts, "document")

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text that asks."""
        return self._loading.vectors([text], "query")[0]

    def __repr__(self) -> str:
        return f"CosimoEmbeddings(model={self.model!r})"
