"""LlamaIndex: a model as its `BaseEmbedding`, with both roles. Translates names; computes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...core import registry
from .loading import Loading

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import Field, PrivateAttr
except ModuleNotFoundError as error:
    raise registry.missing(error.name or "llama_index") from error

if TYPE_CHECKING:
    from ...core.types import Embedder, Role

__all__ = ["CosimoEmbedding"]

BATCH = 256  # LlamaIndex asks for 10 at a time, which leaves nothing to sort by length


class CosimoEmbedding(BaseEmbedding):
    """Any model that cosimo runs, for LlamaIndex. It is loaded with the first text; texts beyond its window are cut.

    Parameters
    ----------
    model_name : as in `cosimo embed -m`; left out: the default (`$COSIMO_MODEL`)
    embed_batch_size : texts of a call, at most 2,048
    others : `BaseEmbedding`'s own, such as `embeddings_cache`

    Raises
    ------
    ModelNotFound : no such kind of model
    """

    model_name: str = Field(default="", description="Name of the model, as cosimo knows it.")
    embed_batch_size: int = Field(default=BATCH, description="Texts of a call.", gt=0, le=2048)
    _loading: Any = PrivateAttr()

    def __init__(self, model_name: str | None = None, **others: Any) -> None:
        loading = Loading(model_name or None)
        registry.split(loading.name)  # a slip of the finger shows here, not with the first text
        super().__init__(model_name=loading.name, **others)
        self._loading = loading

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores it."""
        return "CosimoEmbedding"

    @property
    def embedder(self) -> Embedder:
        """The model under our names.

        Raises
        ------
        ModelNotFound : its weights are not here and cannot be fetched
        MissingExtra, MissingKey : what it needs
        """
        loaded: Embedder = self._loading.embedder
        return loaded

    def _embed(self, texts: list[str], role: Role) -> list[list[float]]:
        vectors: list[list[float]] = self._loading.vectors(texts, role)
        return vectors

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embed([query], "query")[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embed([text], "document")[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embed(texts, "document")

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
