"""Loading: a model's name → the model, loaded with its first text, once for all threads. Knows none of the other programs."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from ...core import config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...core.types import Content, Embedder, Role


class Loading:
    """A model that is loaded when it is first needed. Copies and processes that it is sent to load their own.

    Parameters
    ----------
    name : as in `cosimo embed -m`; None for the default (`$COSIMO_MODEL`)
    load : what gives the model, if not its name does
    """

    def __init__(self, name: str | None = None, load: Callable[[], Embedder] | None = None) -> None:
        self.name = config.default_model() if name is None else name
        self._load = load or partial(_by_name, self.name)
        self._embedder: Embedder | None = None
        self._lock = Lock()

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

    def vectors(self, texts: Sequence[Content], role: Role) -> list[list[float]]:
        """A vector for each text; for none nothing is loaded."""
        if not texts:
            return []
        found: list[list[float]] = self.embedder.embed(list(texts), role=role).vectors.tolist()
        return found

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), (self.name, self._load)


def _by_name(name: str) -> Embedder:
    from ...collection.database import load_embedder

    return load_embedder(name)
