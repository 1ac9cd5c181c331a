"""Shortened: an embedder in, the same embedder with shorter vectors out: `NAME@256`. For models whose first numbers say most.

These are trained so (Matryoshka representation learning, arXiv:2205.13147); of any other model the first numbers are arbitrary
ones, which the caller is told where the catalogue knows.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Embedded, Embedder, ModelSpec, Role


class Shortened:
    """The first `dim` numbers of an embedder's vectors, brought to unit length again.

    Raises
    ------
    ModelNotFound : the model's vectors are not longer than `dim`
    """

    def __init__(self, embedder: Embedder, dim: int) -> None:
        self.embedder = embedder
        self._dim = dim
        if dim > embedder.spec.dim:
            name = embedder.spec.name
            raise ModelNotFound(f"'{name}@{dim}' cannot be: this model gives vectors of length {embedder.spec.dim}")

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is; the length is part of its name, since other vectors of it do not fit these."""
        whole = self.embedder.spec
        return replace(whole, name=f"{whole.name}@{self._dim}", dim=self._dim, normalized=True)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Unit vectors (n, dim) float32 in the order asked."""
        import numpy as np

        from ..core.vectors import normalise

        whole = self.embedder.embed(contents, role=role)
        vectors = np.array(whole.vectors[:, : self._dim], np.float32, order="C")
        normalise(vectors)
        return whole._replace(vectors=vectors)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the embedder's own."""
        return self.embedder.count_tokens(texts)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the embedder can do."""
        if name == "embedder":
            raise AttributeError(name)
        return getattr(self.embedder, name)
