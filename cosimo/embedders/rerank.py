"""Rerank: a query and texts → how well each answers it. Cross-encoders on this machine, and models on servers.

A server is asked in the shape that Cohere, Jina, Voyage, vLLM, infinity, llama.cpp and others share (`documents` in, `index`
and `relevance_score` out), or in that of TEI (`texts` in, `index` and `score` out). One model's scores order texts for a query;
what they mean beyond that differs: a probability here, a logit there.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import config, registry
from ..core.content import storable
from ..core.errors import BadReply, ConfigError, Error, ModelNotFound, Refused
from ..core.http import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Reranker, Scores

ITEMS = 100  # texts of a request; Cohere takes 1,000, but a reply has to come in time
TEI_ITEMS = 32  # as TEI is set up
LARGEST = float(np.finfo(np.float32).max)


def load_reranker(name: str) -> Reranker:
    """The model that a name means. Nothing is loaded or sent before the first texts.

    Parameters
    ----------
    name : `cross-encoder/ms-marco-MiniLM-L6-v2` and other hub ids, or a folder (sentence-transformers' cross-encoders);
        `cohere:rerank-v3.5`, `jina:…`, `voyage:…`, `tei:…` and what else has `/rerank`; `http://host:port/v1#name`;
        `fake:256` for tests

    Raises
    ------
    ModelNotFound : no such kind of model
    MissingKey : the provider wants a key, and none is set
    """
    adapter, rest = registry.split(name)
    if adapter == "http":
        return HTTPReranker(name)
    if adapter == "fake":
        return FakeReranker(rest)
    if adapter in ("local", "st"):
        return CrossEncoder(rest)
    raise ModelNotFound(f"'{name}' cannot rerank; name a cross-encoder, a provider's model as cohere:NAME, or a server")


class CrossEncoder:
    """A cross-encoder that sentence-transformers runs. Threads may share it; they wait for each other.

    Parameters
    ----------
    name : a hub id or a folder
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = Lock()

    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        """(n,) float32, in the order asked, as the model's own settings shape them.

        Raises
        ------
        MissingExtra : sentence-transformers is not installed
        ModelNotFound, ConfigError : the model is not here, or gives more than one number a pair
        """
        if not texts:
            return np.empty(0, np.float32)
        with self._lock:
            found = self._model.predict([(query, text) for text in texts], show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, np.float32)

    @cached_property
    def _model(self) -> Any:
        encoder = registry.load("sentence_transformers:CrossEncoder")
        folder = Path(self.name).expanduser()
        where = str(folder) if folder.is_dir() else self.name
        try:
            model = encoder(where, local_files_only=config.offline(), trust_remote_code=False)
        except Error:
            raise
        except Exception as error:  # the package and the hub's raise dozens of kinds
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelNotFound(f"the cross-encoder '{self.name}' cannot be loaded: {said}") from error
        if model.config.num_labels != 1:
            labels = model.config.num_labels
            raise ConfigError(
                f"'{self.name}' gives {labels} numbers for a pair of texts, so it cannot rerank; name another model"
            )
        return model


class HTTPReranker:
    """A model on a server.

    Parameters
    ----------
    name : a provider and a model, or an address and a model

    Raises
    ------
    ModelNotFound, MissingKey, ConfigError : as for `HTTPEmbedder`
    """

    def __init__(self, name: str) -> None:
        from .http import headers_of, secret_of
        from .providers import resolve
        from .wire import hopeless

        self.name = name
        self._endpoint = endpoint = resolve(name)
        self._secret = secret = secret_of(endpoint)
        self._server = Server(endpoint.origin, headers=headers_of(endpoint, secret), secret=secret, hopeless=hopeless)
        self._ways = tuple(self._known_ways())

    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        """(n,) float32, in the order asked.

        Raises
        ------
        MissingKey, ModelNotFound, RateLimited, Timeout, BadReply, ProviderError : what the server did, in one sentence
        """
        query, clean = storable(query), [storable(text) for text in texts]
        found: list[float] = []
        while len(found) < len(clean):
            found += self._some(query, clean[len(found) :])
        return np.array(found, np.float32)

    def _some(self, query: str, texts: Sequence[str]) -> list[float]:
        """The scores of the first texts, by the first way of asking that the server takes; it is kept to from then on."""
        from .http import explained

        told: Refused | None = None
        for path, field in self._ways:
            some = texts[: TEI_ITEMS if field == "texts" else ITEMS]
            try:
                reply = self._server.post(path, {"model": self._endpoint.model, "query": query, field: list(some)})
            except Refused as refused:
                if told is None or told.status in (404, 405):  # that there is nothing is the least that can be said
                    told = refused
                if refused.status not in (400, 404, 405, 422):
                    break
            else:
                self._ways = ((path, field),)  # in one step: threads share it
                return read(reply, len(some), self._server.name)
        assert told is not None  # there is a way at least
        raise explained(told, self._endpoint, self._secret, self._ways[0][0]) from told

    def _known_ways(self) -> Iterator[tuple[str, str]]:
        """(path, name of the texts), in the order in which they are tried."""
        provider, paths = self._endpoint.provider, self._endpoint.paths
        ours = [path.removesuffix(provider.path) + "/rerank" for path in paths]
        if provider.name != "tei":
            yield from ((path, "documents") for path in ours)
        if provider.name == "tei" or not provider.needs_key:
            yield "/rerank", "texts"


class FakeReranker:
    """Words in common, for tests and dry runs: cosines of `fake:DIM`'s vectors."""

    def __init__(self, dim: str) -> None:
        from .fake import FakeEmbedder

        self._embedder = FakeEmbedder(dim)

    def scores(self, query: str, texts: Sequence[str]) -> Scores:
        """(n,) float32 in [-1, 1], in the order asked."""
        from ..core.vectors import cosine

        # the query as a document: the fake model's prompt for queries is a word in common with none
        rows = self._embedder.embed([query, *texts]).vectors
        return cosine(rows[1:], rows[:1])[:, 0]


def read(reply: Any, count: int, server: str) -> list[float]:
    """The scores in a reply of any of the shapes, in the order in which the texts were sent.

    Raises
    ------
    BadReply : a text without a score, or with two, or a score that is no number
    """
    items = reply.get("results", reply.get("data")) if isinstance(reply, dict) else reply
    if not isinstance(items, list):
        raise BadReply(f"{server} gives no scores in its reply; is it a server that reranks?")
    found: dict[int, float] = {}
    for item in items:
        place, score = (
            (item.get("index"), item.get("relevance_score", item.get("score"))) if isinstance(item, dict) else (None, None)
        )
        if type(place) is not int or not 0 <= place < count or place in found:
            raise BadReply(f"{server} gives a score for a text that was not sent, or two for one")
        if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) <= LARGEST:
            raise BadReply(f"{server} gives a score that is no number")
        found[place] = float(score)
    if len(found) != count:
        raise BadReply(f"{server} gives {len(found)} scores for {count} texts")
    return [found[place] for place in range(count)]
