"""Cache: an embedder in, the same embedder out that computes nothing twice: not in a call, not in a week, not in two processes.

What a vector depends on is in its key: provider, model, revision, dimension, normalisation, window, role, the exact prompt,
and the content. Kept vectors count no tokens. Where the cache cannot be used, all works as without it, and one warning says so.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import MutableMapping
from contextlib import contextmanager
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import uuid4

from ..core import config
from ..core.errors import Corrupt, StoreError
from ..core.types import Embedded
from .cache_file import LEASE, CacheFile, Kept
from .cache_mappings import InMapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..core.types import Content, Embedder, ModelSpec, Role

FIRST, MOST = 512, 16_384  # texts that are computed before they are stored: what a crash may cost, and what keeps a server busy
PACE = 2.0  # seconds for these
POLL = 0.02, 0.25  # seconds between looks at what another process is computing: at first, and at most

Result = TypeVar("Result")


class CacheWarning(UserWarning):
    """Vectors are not kept; everything else works."""


class Keeper(Protocol):
    """Where vectors are kept."""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Kept]: ...

    def claim(self, keys: Sequence[bytes], owner: str) -> tuple[list[bytes], dict[bytes, Kept]]: ...

    def renew(self, owner: str) -> None: ...

    def release(self, owner: str) -> None: ...

    def keep(self, rows: Mapping[bytes, Kept], model: str, dim: int, owner: str) -> None: ...


class Older(Protocol):
    """Another program's cache, which is read and never written: text → float32 numbers of that length."""

    def find(self, texts: Sequence[str], dim: int) -> dict[str, bytes]: ...


def user_cache() -> CacheFile:
    """The user's own file; one object a process, whoever asks."""
    return _file(config.cache_path(), config.cache_limit())


@cache
def _file(path: Path, limit: int) -> CacheFile:
    return CacheFile(path, limit, own=path == config.own_cache_path())


class CachedEmbedder:
    """An embedder that looks first, and keeps what it computes.

    Parameters
    ----------
    embedder : computes what is not kept
    kept : a `CacheFile`, or any mapping of text to bytes: a dict, a folder, Redis behind one. In a mapping, several processes
        may compute the same text at the same time
    provider : the kind of the model, and whatever else decides a vector that `embedder.spec` does not say (precision)
    older : another program's cache, looked into for documents that are not kept; what is found there is kept here
    namespace : before every key of a mapping
    """

    def __init__(
        self,
        embedder: Embedder,
        kept: Keeper | MutableMapping[str, bytes],
        *,
        provider: str = "",
        older: Older | None = None,
        namespace: str = "cosimo:",
    ) -> None:
        self.embedder = embedder
        self._kept: Keeper = InMapping(kept, namespace) if isinstance(kept, MutableMapping) else kept
        self._provider = provider
        self._older = older
        self._reading = self._writing = True
        self._some = FIRST

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self.embedder.spec

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """As the embedder's own; `tokens` are those of what was computed now."""
        contents = list(contents)
        if not self._reading or not contents or not all(isinstance(content, str | bytes) for content in contents):
            return self.embedder.embed(contents, role=role)
        import numpy as np

        keys = keys_of(self.spec, self._provider, contents, role)
        todo = dict(zip(keys, contents, strict=True))  # each content once
        found = self._find(todo, role)
        tokens = self._compute({key: content for key, content in todo.items() if key not in found}, role, found)
        vectors = np.frombuffer(bytearray().join([found[key].vector for key in keys]), "<f4").astype(np.float32, copy=False)
        cut = [position for position, key in enumerate(keys) if found[key].cut]
        return Embedded(vectors.reshape(len(keys), -1), tokens, cut)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the embedder's own."""
        return self.embedder.count_tokens(texts)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the embedder can do."""
        if name == "embedder":  # not there yet, while an object is copied
            raise AttributeError(name)
        return getattr(self.embedder, name)

    # -- looking

    def _find(self, todo: Mapping[bytes, Content], role: Role) -> dict[bytes, Kept]:
        """What is kept, here or by the other program, and is as long as the model's vectors are."""
        kept = self._try(self._kept.find, list(todo), otherwise=dict[bytes, Kept]())
        dim = self.spec.dim
        found = {key: each for key, each in kept.items() if len(each.vector) == 4 * dim}
        if self._older is not None and role == "document":
            texts = {content: key for key, content in todo.items() if key not in found and isinstance(content, str)}
            taken = {texts[text]: Kept(vector, cut=False) for text, vector in self._older.find(list(texts), dim).items()}
            if taken:
                self._keep(taken, "")
            found |= taken
        return found

    # -- computing

    def _compute(self, missing: dict[bytes, Content], role: Role, found: dict[bytes, Kept]) -> int:
        """Fill `found` with what is missing; the tokens that were read. What others compute meanwhile is waited for."""
        tokens, pause = 0, POLL[0]
        while missing:
            owner = uuid4().hex
            mine, new = self._claim(list(missing), owner)
            if mine:
                started = time.monotonic()
                with self._working(owner):
                    reply = self.embedder.embed([missing[key] for key in mine], role=role)
                rows, cut = reply.vectors.astype("<f4", copy=False), set(reply.cut)
                computed = {key: Kept(rows[n].tobytes(), n in cut) for n, key in enumerate(mine)}
                self._keep(computed, owner)
                self._took(len(mine), time.monotonic() - started)
                tokens += reply.tokens
                new = new | computed
            elif not new:
                time.sleep(pause)
                pause = min(pause * 1.5, POLL[1])
            found |= new
            missing = {key: content for key, content in missing.items() if key not in new}
        return tokens

    def _claim(self, keys: list[bytes], owner: str) -> tuple[list[bytes], dict[bytes, Kept]]:
        """The first keys that nobody computes, now the owner's; and what has been computed since somebody looked."""
        for start in range(0, len(keys), self._some):
            some = keys[start : start + self._some]
            if not self._writing:
                return keys, {}
            mine, new = self._try(self._kept.claim, some, owner, otherwise=(some, dict[bytes, Kept]()), writing=True)
            if mine or new:
                return mine, new
        return [], {}

    def _took(self, count: int, seconds: float) -> None:
        """Take more texts at a time where they are fast, fewer where they are slow."""
        if count == self._some and seconds < PACE / 2:
            self._some = min(self._some * 2, MOST)
        elif seconds > PACE * 2:
            self._some = max(self._some // 2, FIRST)

    def _keep(self, rows: Mapping[bytes, Kept], owner: str) -> None:
        self._try(self._kept.keep, rows, self.spec.name, self.spec.dim, owner, otherwise=None, writing=True)

    @contextmanager
    def _working(self, owner: str) -> Iterator[None]:
        """Renew a claim as long as the work goes on; give it up where the work fails."""
        done = Event()

        def renew() -> None:
            while not done.wait(LEASE / 3):
                self._try(self._kept.renew, owner, otherwise=None, writing=True)

        Thread(target=renew, daemon=True).start()
        try:
            yield
        except BaseException:
            self._try(self._kept.release, owner, otherwise=None, writing=True)
            raise
        finally:
            done.set()

    def _try(self, call: Callable[..., Result], *given: Any, otherwise: Result, writing: bool = False) -> Result:
        """What a call on the cache gives; where it fails, say so once and do without."""
        if not self._reading or (writing and not self._writing):
            return otherwise
        try:
            return call(*given)
        except StoreError as error:
            if isinstance(error, Corrupt):  # it has been put aside: the next call begins a new one
                warnings.warn(f"the cache of vectors was damaged and is begun anew: {error}", CacheWarning, stacklevel=2)
                return otherwise
            self._writing, self._reading = False, writing
            warnings.warn(f"computed vectors are not kept: {error}", CacheWarning, stacklevel=2)
            return otherwise


def keys_of(spec: ModelSpec, provider: str, contents: Sequence[Content], role: Role) -> list[bytes]:
    """16 bytes for each content: a hash of it and of all that decides its vector."""
    prompt = spec.prompts.get(role, "")
    about = [provider, spec.name, spec.revision, spec.dim, spec.normalized, spec.pooling, spec.max_tokens, role, prompt]
    base = hashlib.blake2b(json.dumps(about).encode(), digest_size=16, person=b"cosimo vectors 1")
    found = []
    for content in contents:
        digest = base.copy()
        if isinstance(content, str):
            digest.update(b"\0text\0")
            digest.update(content.encode("utf-8", "surrogatepass"))
        else:
            digest.update(b"\0bytes\0")
            digest.update(content)
        found.append(digest.digest())
    return found
