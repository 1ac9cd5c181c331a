"""HTTP: texts → vectors of a model on a server that speaks OpenAI's or Cohere's shape. Sends nothing before the first text.

The server is the one that the model's name says, and no other. Requests go out several at a time, each of a size that the
provider takes; where one is refused as too much, it is halved until the text is found that is too long.
"""

from __future__ import annotations

import json
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ..core import config, keys
from ..core.content import texts_of
from ..core.errors import BadReply, ConfigError, DataError, MissingKey, ModelNotFound, RateLimited, Refused
from ..core.http import CONCURRENT, Server, is_local
from ..core.parallel import in_parallel
from ..core.types import Embedded, ModelSpec
from ..core.vectors import normalise
from . import estimate, wire
from .providers import WINDOW, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from ..core.http import Patience
    from ..core.types import Content, Role, Settings, Vectors
    from .providers import Endpoint

COMFORTABLE = 128  # texts of a request where more are allowed: eight of these at a time are answered sooner than one of 1,024
ROUNDING = 1e-3  # of a vector's length, that is still taken for 1: servers compute in half precision
PROBE = "length"  # embedded once where nobody knows how long the vectors of a model are


class _Got(NamedTuple):
    """The vectors of some texts."""

    places: Sequence[int]
    vectors: Vectors
    tokens: int
    cut: list[int]  # places of texts that were not read to their end


class _Call(NamedTuple):
    """What the requests of one call of `embed` have in common."""

    texts: Sequence[str]
    sizes: Sequence[int]  # estimated tokens
    window: int
    role: Role


class HTTPEmbedder:
    """A model on a server.

    Parameters
    ----------
    name : `openai:text-embedding-3-small`, `ollama:bge-m3`, …, or an address and a model, `http://gpu-box:8000/v1#bge-m3`;
        `@256` at the end asks for vectors of that length
    patience : how long to wait for the server; by default as `$COSIMO_HTTP_TIMEOUT` and `$COSIMO_HTTP_PATIENCE` say

    Raises
    ------
    ModelNotFound : no such provider, no model in the name, or a length that the model cannot give
    MissingKey : the provider wants a key, and none is set
    ConfigError : an address or a key that cannot be used
    """

    def __init__(self, name: str, *, patience: Patience | None = None) -> None:
        self._endpoint = endpoint = resolve(name)
        self._secret = secret_of(endpoint)
        self._most = min(endpoint.provider.items, COMFORTABLE)
        self._concurrent = config.http_concurrency() or CONCURRENT
        self._server = Server(
            endpoint.origin, headers=headers_of(endpoint, self._secret), secret=self._secret, patience=patience,
            concurrent=self._concurrent, hopeless=wire.hopeless,
        )  # fmt: skip
        self._paths = endpoint.paths
        self._packed = bool(endpoint.provider.base64)
        self._dim = endpoint.dim or (endpoint.facts.dim if endpoint.facts else None)
        self._unit = endpoint.facts.normalized if endpoint.facts else None
        self._prompts = dict(endpoint.facts.prompts) if endpoint.facts else {}
        self._told: int | None = None  # the window, once somebody was asked; 0 where nobody knows
        self._lock = Lock()
        self._spec: ModelSpec | None = None

    @property
    def spec(self) -> ModelSpec:
        """What the model is. Of one that nobody has described, one word is embedded to learn the length of its vectors.

        Raises
        ------
        Error : as `embed`, where the server has to be asked
        """
        if self._spec is None:
            if self._dim is None or self._unit is None:
                self._probe()
            endpoint, facts = self._endpoint, self._endpoint.facts
            local = not endpoint.provider.needs_key and is_local(endpoint.origin)
            self._spec = ModelSpec(
                name=endpoint.name,
                dim=self._dim or 0,
                max_tokens=self._window(),
                prompts=self._prompts,
                normalized=self._unit is not False,
                languages=facts.languages if facts else (),
                price=facts.price if facts and facts.price is not None else 0.0 if local else None,
            )
        return self._spec

    @property
    def asked(self) -> str:
        """What decides its vectors beside `spec`, for the keys of a cache: which server is asked, and in which words.

        A name alone does not say: Azure's is the customer's own, and a variable or a user's file may name another server.
        """
        endpoint, provider = self._endpoint, self._endpoint.provider
        path = endpoint.paths[0].partition("?")[0]  # a version of the interface is none of the model
        about = [endpoint.origin, path, endpoint.model, dict(provider.extra), dict(provider.model_for), wire.roles_of(endpoint)]
        return json.dumps(about, sort_keys=True, default=str)

    def remember(self, made: Settings) -> None:
        """What a collection knows of the model since it was made: nobody has to be asked, and replies are held against it."""
        with self._lock:
            self._dim = self._dim or made.dim
            self._unit = made.normalized if self._unit is None else self._unit
            if self._told is None:
                self._told = 0 if made.window in (None, WINDOW) else made.window

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim) float32 in the order asked; the same text twice is sent once.

        A text longer than the window is sent whole, and shortened only where the server refuses it; both is told as `cut`,
        as far as the server says how much it read. `tokens` are the server's count, or an estimate where it gives none.

        Raises
        ------
        MissingKey, ModelNotFound, RateLimited, Timeout, BadReply, ProviderError : what the server did, in one sentence
        DataError : content that is not text, or a text that the server takes no beginning of
        """
        texts = texts_of(contents, self._endpoint.name, self._prompts.get(role, ""))
        if not texts:
            return Embedded(np.empty((0, self.spec.dim), np.float32), 0, [])
        order = list(dict.fromkeys(texts))
        call = _Call(order, estimate.tokens(order), self._window(), role)
        vectors: Vectors | None = None
        tokens = 0
        cut: set[str] = set()
        for got in in_parallel(partial(self._embed_some, call), self._requests(call), self._concurrent):
            if vectors is None:
                vectors = np.empty((len(order), got.vectors.shape[1]), np.float32)
            vectors[got.places] = got.vectors
            tokens += got.tokens
            cut.update(order[place] for place in got.cut)
        assert vectors is not None
        if self._unit is not False:
            normalise(vectors)
        if len(order) < len(texts):
            place = {text: number for number, text in enumerate(order)}
            vectors = vectors[np.fromiter((place[text] for text in texts), np.int64, len(texts))]
        return Embedded(vectors, tokens, [number for number, text in enumerate(texts) if text in cut])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An upper estimate of each text's tokens (see `estimate`): the vocabulary is on the server."""
        return estimate.tokens(texts)

    def close(self) -> None:
        """Let go of the connections; the next text opens new ones."""
        self._server.close()

    # -- requests

    def _requests(self, call: _Call) -> Iterator[list[int]]:
        """Positions of the texts of each request; a text that may be too long is alone, so that the reply tells of it."""
        group: list[int] = []
        total = 0
        for place, size in enumerate(call.sizes):
            if size > call.window:
                yield [place]
                continue
            if group and (len(group) >= self._most or total + size > self._endpoint.provider.tokens):
                yield group
                group, total = [], 0
            group.append(place)
            total += size
        if group:
            yield group

    def _embed_some(self, call: _Call, places: list[int], stop: Event) -> _Got:
        """One request, halved as long as it is too much for the server."""
        try:
            answer = self._ask([call.texts[place] for place in places], call.role, stop)
        except Refused as refused:
            if not wire.too_much(refused):
                raise explained(refused, self._endpoint, self._secret, self._paths[-1]) from refused
            if len(places) == 1:
                return self._shortened(call, places[0], stop, refused)
            half = (len(places) + 1) // 2
            first, second = (self._embed_some(call, part, stop) for part in (places[:half], places[half:]))
            if not first.cut + second.cut:  # it was not one text, but how many they are
                self._most = min(self._most, half)
            return _joined(first, second)
        read = answer.tokens if answer.tokens is not None else sum(min(call.sizes[place], call.window) for place in places)
        cut = call.sizes[places[0]] > call.window and self._is_cut(answer.tokens, call.window)
        return _Got(places, answer.vectors, read, list(places) if cut else [])

    def _is_cut(self, tokens: int | None, window: int) -> bool:
        """Whether a text that was taken, and may be longer than the window, was read in part alone."""
        if not self._knows_window and not self._endpoint.provider.truncates:
            return False  # the window was assumed, and the server took the text: it has a larger one
        return tokens is None or tokens >= window

    def _shortened(self, call: _Call, place: int, stop: Event, refused: Refused) -> _Got:
        """The beginning of a text that the server refuses as too long; half as much each time, down to what must fit."""
        text, size = call.texts[place], call.sizes[place]
        keep, least = len(text), max(len(text) * call.window // size, 1)
        while keep > least:
            keep = max(keep // 2, least)
            try:
                answer = self._ask([text[:keep]], call.role, stop)
            except Refused as again:
                if not wire.too_much(again):
                    raise explained(again, self._endpoint, self._secret, self._paths[-1]) from again
                refused = again
            else:
                return _Got([place], answer.vectors, answer.tokens or call.window, [place])
        raise DataError(
            f"{self._server.name} refuses the text {wire.named(text)} as too long for '{self._endpoint.model}': "
            f"{refused.said or refused.status}; shorten it, or say how much the model reads (docs/servers.md, 'Window')"
        ) from refused

    def _ask(self, texts: Sequence[str], role: Role, stop: Event | None = None) -> wire.Answer:
        """One request: packed where the server does that, else as lists of numbers."""
        packed = self._packed
        try:
            reply = self._post(wire.ask(self._endpoint, texts, role, packed=packed), len(texts), stop)
        except Refused as refused:
            if not packed or refused.status not in (400, 415, 422, 501) or wire.too_much(refused) or wire.no_model(refused):
                raise
            reply = self._post(wire.ask(self._endpoint, texts, role, packed=False), len(texts), stop)
            self._packed = False
        answer = wire.read(self._endpoint, reply, texts, self._server.name)
        self._learn(answer.vectors)
        return answer

    def _post(self, body: dict[str, Any], count: int, stop: Event | None) -> Any:
        """The reply of the first of the addresses that is there."""
        most = (1 << 20) + 32 * count * (self._dim or 16_384)  # a number is at most 25 characters, a comma and a blank
        paths = self._paths  # another thread may find out meanwhile which it is
        for left, path in enumerate(paths, 1 - len(paths)):
            try:
                reply = self._server.post(path, body, most=most, stop=stop)
            except Refused as refused:
                if refused.status in (404, 405) and left and not wire.no_model(refused):
                    continue
                raise
            self._paths = (path,)
            return reply
        raise AssertionError("no address")  # `paths` is never empty

    # -- what is learnt of the model

    def _probe(self) -> None:
        try:
            self._ask([PROBE], "document")
        except Refused as refused:
            raise explained(refused, self._endpoint, self._secret, self._paths[-1]) from refused

    def _learn(self, vectors: Vectors) -> None:
        """Remember the length of the first vectors, hold all others against it, and note whether they are of unit length."""
        with self._lock:
            if self._dim is None:
                self._dim = vectors.shape[1]
            if vectors.shape[1] != self._dim:
                asked = f"; leave '@{self._endpoint.dim}' out" if self._endpoint.dim else ""
                raise BadReply(
                    f"{self._server.name} gave vectors of length {vectors.shape[1]} with '{self._endpoint.model}', "
                    f"not {self._dim}{asked or '; has the model there changed?'}"
                )
            if self._unit is None:
                self._unit = bool((np.abs(np.linalg.norm(vectors, axis=1) - 1) < ROUNDING).all())

    @property
    def _knows_window(self) -> bool:
        facts, provider = self._endpoint.facts, self._endpoint.provider
        return bool((facts and facts.max_tokens) or provider.window or self._told)

    def _window(self) -> int:
        """Tokens that the model reads of a text: what is known, else what the server says, else what most models do."""
        facts, provider = self._endpoint.facts, self._endpoint.provider
        if facts and facts.max_tokens:
            return facts.max_tokens
        if provider.window is None and self._told is None:
            self._told = self._described() or 0
        return provider.window or self._told or WINDOW

    def _described(self) -> int | None:
        """The window as the server describes its model, in the way of vLLM or of TEI."""
        how = self._endpoint.provider.describes
        if how in ("models", "any"):
            for item in _listed(self._look(self._paths[0].replace("/embeddings", "/models"))):
                if item.get("id") == self._endpoint.model and (found := _number(item.get("max_model_len"))):
                    return found
        info = self._look("/info") if how in ("info", "any") else None
        return _number(info.get("max_input_length")) if isinstance(info, dict) else None

    def _look(self, path: str) -> Any:
        """What the server says of itself; None where it says nothing that can be read."""
        try:
            return self._server.get(path)
        except (Refused, BadReply, ConfigError):
            return None


def secret_of(endpoint: Endpoint) -> str | None:
    """The key that a server wants, from the environment or the file; None where it may want none.

    Raises
    ------
    MissingKey : it wants one, and none is set
    """
    provider = endpoint.provider
    found = keys.find(endpoint.key_name, provider.key)
    if found is None and provider.needs_key:
        variable = f"set {provider.key[0]}, or " if provider.key else ""
        raise MissingKey(f"{provider.title} wants a key, and none is set; {variable}run: cosimo keys set {endpoint.key_name}")
    return found


def headers_of(endpoint: Endpoint, secret: str | None) -> dict[str, str]:
    """What carries the key in a request."""
    if secret is None:
        return {}
    header = endpoint.provider.header
    return {header: secret} if header else {"Authorization": f"Bearer {secret}"}


def explained(refused: Refused, endpoint: Endpoint, secret: str | None, path: str) -> Exception:
    """A refusal as the error that says what to do."""
    host = urlsplit(endpoint.origin).netloc
    said = f" ({refused.said})" if refused.said else ""
    if refused.status == 401 or (refused.status == 403 and "key" in refused.said.lower()):
        what = "refuses the key" if secret else "wants a key, and none is set"
        return MissingKey(f"{host} {what}{said}; run: cosimo keys set {endpoint.key_name}")
    if wire.no_quota(refused):
        return RateLimited(f"the account's quota at {host} is used up{said}; look at your plan there")
    if wire.no_model(refused):
        return ModelNotFound(f"{host} has no model '{endpoint.model}'{said}; look up its name there")
    if refused.status in (404, 405):
        where = f"{endpoint.origin}{path}"
        return ConfigError(f"there is nothing at {where} ({refused.status}); check the address, which often ends in /v1")
    return refused


def _joined(first: _Got, second: _Got) -> _Got:
    return _Got(
        [*first.places, *second.places], np.concatenate([first.vectors, second.vectors]), first.tokens + second.tokens,
        first.cut + second.cut,
    )  # fmt: skip


def _listed(reply: Any) -> list[dict[str, Any]]:
    items = reply.get("data") if isinstance(reply, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
