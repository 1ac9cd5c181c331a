"""Served: what one server holds: its models, each behind a batcher, its reranker and its database. Opens and closes them."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from ...collection.database import Database, load_embedder
from ...collection.models import as_made
from ...core import registry
from ...core.errors import ModelNotFound, NotFound
from ...embedders.rerank import load_reranker
from .batching import GATHER, Batcher
from .metrics import Metrics
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from ...core.types import Embedder, Reranker
    from ...core.types import Settings as Made
    from .settings import Settings

REMOTE = 8  # requests to a provider at a time
CLOSING = 2.0  # seconds: who wanted what is left was answered, or told that it will not come
WARM = "warm " * 200  # more tokens than are computed without the engine, which takes a moment to load


class Served:
    """The models and the database of one server. Nothing is loaded before it is asked for, or `warm` is called."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.vocabulary = Vocabulary()
        self.broken = False  # the first model could not be loaded
        self.crowd = 0  # requests to collections and the reranker that run or wait for a thread
        self.names = {registry.canonical(name): name for name in settings.models}
        self._batchers: dict[str, Batcher] = {}
        self._lock = Lock()
        for name in settings.models:  # a misspelt name, or a model that is not here, ends it before anybody asks
            self.batcher(name).load()
        self._reranker = load_reranker(settings.rerank) if settings.rerank else None  # one for all threads

    @property
    def default(self) -> str:
        """The model that is meant where none is named."""
        return registry.canonical(self.settings.models[0])

    def model(self, asked: str | None) -> str:
        """The full name of a served model.

        Raises
        ------
        ModelNotFound : it is not served
        """
        if asked is None or asked in self.settings.aliases:
            return self.default
        name = registry.canonical(asked) if asked.strip() and "\0" not in asked else asked
        if name not in self.names:
            known = ", ".join([*self.settings.models, *self.settings.aliases])
            raise ModelNotFound(f"the model '{asked}' is not served here; served: {known}")
        return name

    def batcher(self, model: str) -> Batcher:
        """The batcher of a model, made at its first use: of those served, and of those that the database's collections have."""
        name = registry.canonical(model)
        with self._lock:
            if name not in self._batchers:
                workers, gather = (2, GATHER) if is_local(name) else (REMOTE, 0.0)
                once = _Once(self.names.get(name, model))
                kept = registry.is_kept(name) and self.settings.database is not None
                self._batchers[name] = Batcher(
                    (lambda: self.database.embedder(name)) if kept else once,  # each time: another may be in its place by then
                    waiting=self.settings.waiting,
                    workers=workers,
                    gather=gather,
                    count=lambda texts, tokens, seconds: self.metrics.batch(name, texts, tokens, seconds),
                )
            return self._batchers[name]

    @staticmethod
    def lengths(model: str) -> tuple[tuple[int, ...], bool]:
        """The lengths to which a model's vectors may be cut, and whether any is one: what its makers trained it for."""
        from ...embedders import catalog, providers

        facts = catalog.entry(model) or providers.facts(model)
        return (facts.dims, facts.shortens) if facts else ((), False)

    @property
    def batchers(self) -> dict[str, Batcher]:
        """All there are, by the model's name."""
        return dict(self._batchers)

    @property
    def reranker(self) -> Reranker:
        """What reranks.

        Raises
        ------
        ModelNotFound : the server was started without
        """
        if self._reranker is None:
            raise ModelNotFound("no model that reranks is served here; start the server with --rerank MODEL")
        return self._reranker

    @cached_property
    def database(self) -> Database:
        """The database; opened by `start`.

        Raises
        ------
        NotFound : the server was started without
        """
        if self.settings.database is None:
            raise NotFound("no database is served here; start the server with -d FILE")
        from ...collection.database import open

        opened = open(self.settings.database, read_only=self.settings.read_only)
        return _Batched(self, opened)

    def warm(self) -> None:
        """Load the first model, so that the first request finds it ready; one that is elsewhere is left alone."""
        if is_local(self.default):
            try:
                self.batcher(self.default).embed([WARM])
            except BaseException:
                self.broken = True
                raise

    @property
    def usable(self) -> bool:
        """Whether the first model could be loaded, when the server began or since."""
        return not self.broken or self.metrics.embedded(self.default) > 0

    def close(self) -> None:
        """Finish what waits, as far as that takes no longer than `CLOSING`, and close the database."""
        closing = [Thread(target=batcher.close, daemon=True) for batcher in self.batchers.values()]
        until = time.monotonic() + CLOSING
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(max(until - time.monotonic(), 0.0))
        if "database" in self.__dict__:
            self.database.close()


class _Once:
    """Loads an embedder when it is first called, once for all threads."""

    def __init__(self, model: str) -> None:
        self._model, self._lock = model, Lock()
        self._found: Embedder | None = None

    def __call__(self) -> Embedder:
        if self._found is None:
            with self._lock:
                if self._found is None:
                    self._found = load_embedder(self._model)
        return self._found


class _Batched(Database):
    """A database whose texts are embedded together with those of all other requests."""

    def __init__(self, served: Served, opened: Database) -> None:
        super().__init__(opened.store, Path(opened.name).name)  # where on the disk it is, is nobody's business
        self._served = served

    def embedder(self, model: str, precision: str | None = None, stored: Made | None = None) -> Embedder:
        """The batcher of a model; a collection that is older than the model's prompts is embedded for alone.

        An alignment comes from the file, and its two models are batched.
        """
        if registry.is_kept(model):
            return super().embedder(model, precision, stored)
        batcher = self._served.batcher(model)
        if stored is None or as_made(batcher.load(), stored) is batcher.load():
            return batcher
        return super().embedder(model, precision, stored)


def is_local(model: str) -> bool:
    """True for a model that this machine computes."""
    return registry.split(model)[0] in registry.LOCAL
