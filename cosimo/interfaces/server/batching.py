"""Batching: texts of many requests → calls of one embedder. Bounded, fair to small requests; knows nothing of HTTP."""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from ...core.errors import DataError, ProviderError, RateLimited, Refused
from ...core.types import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...core.types import Content, Embedder, ModelSpec, Role, Vectors

TEXTS = 64  # of a batch, while others wait
ALONE = 256  # of a batch that is one request's
SHARE = 16  # texts of one request in a batch with others: who asks for one text does not wait for who asks for 2,000
CHARACTERS = 32_768  # of a batch: 0.2 s of the default model on two cores, which is how long a newcomer waits
GATHER = 0.05  # seconds that a small batch waits while another one is computed: alone it would cost twice as much a text


class Done(NamedTuple):
    """What a request gets."""

    vectors: Vectors  # (n, dim)
    tokens: int


class Full(RateLimited):
    """Too much is waiting already; `seconds` says when to come again."""

    def __init__(self, waiting: int, seconds: int) -> None:
        super().__init__(f"the server is busy: {waiting:,} texts wait already; try again in {seconds} s")
        self.seconds = seconds


class _Job:
    """One request's texts, and what is known of its answer."""

    __slots__ = ("future", "left", "role", "since", "taken", "texts", "tokens", "vectors")

    def __init__(self, texts: Sequence[Content], role: Role) -> None:
        self.texts, self.role, self.since = texts, role, time.monotonic()
        self.future: Future[Done] = Future()
        self.taken = self.tokens = 0
        self.left = len(texts)
        self.vectors: Vectors | None = None


class _Part(NamedTuple):
    job: _Job
    start: int
    stop: int

    @property
    def texts(self) -> Sequence[Content]:
        return self.job.texts[self.start : self.stop]


class Batcher:
    """One embedder for many who ask at the same time. Is itself an `Embedder`, for threads.

    Whoever comes first waits for nobody; what arrives while batches are computed makes up the next ones.

    Parameters
    ----------
    load : gives the embedder; called when it is first needed
    waiting : texts that may wait
    workers : batches computed at a time
    gather : seconds that a small batch waits for more while others are computed
    count : told (texts, tokens, seconds) of each batch
    """

    def __init__(
        self,
        load: Callable[[], Embedder],
        *,
        waiting: int = 4096,
        workers: int = 2,
        gather: float = GATHER,
        count: Callable[[int, int, float], None] = lambda *_: None,
    ) -> None:
        self._load, self._most, self._gather, self._count = load, waiting, gather, count
        self._changed = Condition()
        self._queues: dict[Role, deque[_Job]] = {"document": deque(), "query": deque()}
        self._waiting = self._running = 0
        self._rate = 0.0  # texts a second, of late
        self._closed = False
        self._threads = [Thread(target=self._work, name="cosimo-embed", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    # -- for those who ask

    def load(self) -> Embedder:
        """The embedder itself, loaded now if it is not yet.

        Raises
        ------
        Error : it cannot be
        """
        return self._load()

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self._load().spec

    @property
    def waiting(self) -> int:
        """Texts that wait."""
        return self._waiting

    def submit(self, texts: Sequence[Content], role: Role) -> Future[Done]:
        """Have texts embedded. Cancel the future when nobody wants them any more.

        Raises
        ------
        Full : too many texts wait
        """
        with self._changed:
            if self._waiting and self._waiting + len(texts) > self._most:
                raise Full(self._waiting, self._seconds())
            return self._queued(texts, role)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim), as the model gives them; waits for its turn instead of being refused."""
        if not contents:
            return self._load().embed(contents, role=role)
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._waiting + len(contents) <= self._most)
            future = self._queued(contents, role)
        vectors, tokens = future.result()
        return Embedded(vectors, tokens, self._cut(contents))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut."""
        return self._load().count_tokens(texts)

    def close(self) -> None:
        """Finish what waits, then stop; what comes later is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _cut(self, contents: Sequence[Content]) -> Sequence[int]:
        window = self.spec.max_tokens
        texts = [content for content in contents if isinstance(content, str)]
        if window is None or len(texts) < len(contents) or max(map(len, texts)) <= window:  # a token is a character or more
            return ()
        return [at for at, count in enumerate(self.count_tokens(texts)) if count > window]

    def _queued(self, texts: Sequence[Content], role: Role) -> Future[Done]:
        if self._closed:
            raise ProviderError("the server is being stopped; try again in a moment")
        job = _Job(texts, role)
        self._queues[role].append(job)
        self._waiting += len(texts)
        self._changed.notify()
        return job.future

    def _seconds(self) -> int:
        """How long what waits will take, roughly."""
        return min(max(math.ceil(self._waiting / self._rate), 1), 60) if self._rate else 1

    # -- for the workers

    def _work(self) -> None:
        while parts := self._next():
            started = time.monotonic()
            try:
                self._compute(parts)
            finally:
                texts = sum(part.stop - part.start for part in parts)
                seconds = time.monotonic() - started
                with self._changed:
                    self._running -= 1
                    rate = texts / max(seconds, 1e-6) * len(self._threads)
                    self._rate = 0.8 * self._rate + 0.2 * rate if self._rate else rate

    def _next(self) -> list[_Part]:
        """The next batch, waiting for one; empty when the server stops and nothing is left."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: any(self._queues.values()) or self._closed)
                if self._running and self._waiting < TEXTS // 2 and not self._closed:
                    self._changed.wait_for(lambda: not self._running or self._waiting >= TEXTS // 2, timeout=self._gather)
                if parts := list(self._taken()):
                    self._running += 1
                    self._changed.notify_all()  # there is room, for whoever waits for that
                    return parts
                if self._closed and not any(self._queues.values()):
                    return []

    def _taken(self) -> Iterator[_Part]:
        """Parts of the requests of one role, in turn; what is left of a request goes to the end."""
        queue = min((queue for queue in self._queues.values() if queue), key=lambda queue: queue[0].since, default=None)
        if queue is None:
            return
        room, characters = (TEXTS if len(queue) > 1 else ALONE), CHARACTERS
        share = room if len(queue) == 1 else max(SHARE, room // len(queue))
        for _ in range(len(queue)):
            job = queue.popleft()
            if job.future.done():  # nobody waits for it any more, or a part of it failed
                self._waiting -= len(job.texts) - job.taken
                continue
            start, stop = job.taken, min(job.taken + min(share, room), len(job.texts))
            for at in range(start, stop):
                if characters <= 0:
                    stop = at
                    break
                characters -= len(job.texts[at])
            job.taken, room = stop, room - (stop - start)
            self._waiting -= stop - start
            yield _Part(job, start, stop)
            if stop < len(job.texts):
                queue.append(job)
            if room <= 0 or characters <= 0:
                return

    def _compute(self, parts: list[_Part]) -> None:
        """Embed a batch and hand out what came of it. A text that is refused fails its own request, not its neighbours'."""
        texts = [text for part in parts for text in part.texts]
        started = time.monotonic()
        try:
            embedder = self._load()
            found = embedder.embed(texts, role=parts[0].job.role)
            tokens = [found.tokens] if len(parts) == 1 else self._tokens(embedder, parts, found)
        except (DataError, Refused) as error:
            if len(parts) == 1:
                self._failed(parts, error)
            else:
                for part in parts:
                    self._compute([part])
            return
        except BaseException as error:  # a thread that dies of it would leave everybody waiting
            self._failed(parts, error)
            return
        self._count(len(texts), found.tokens, time.monotonic() - started)
        at = 0
        for part, read in zip(parts, tokens, strict=True):
            size = part.stop - part.start
            self._deliver(part, found.vectors[at : at + size], read)
            at += size

    @staticmethod
    def _tokens(embedder: Embedder, parts: list[_Part], found: Embedded) -> list[int]:
        """What each request's texts come to: counted anew where the embedder tells the sum alone."""
        counts = iter(found.counts)
        if not len(found.counts):
            texts = [text for part in parts for text in part.texts if isinstance(text, str)]
            if len(texts) < len(found.vectors):  # pictures among them: nobody counts those
                return [found.tokens * (part.stop - part.start) // len(found.vectors) for part in parts]
            window = embedder.spec.max_tokens or found.tokens
            counts = iter([min(count, window) for count in embedder.count_tokens(texts)])
        return [sum(next(counts) for _ in range(part.stop - part.start)) for part in parts]

    def _failed(self, parts: list[_Part], error: BaseException) -> None:
        for part in parts:
            if self._wanted(part.job):
                part.job.future.set_exception(error)

    def _wanted(self, job: _Job) -> bool:
        """Whether somebody waits for the outcome, which is then no longer to be cancelled; true once."""
        with self._changed:
            return not job.future.running() and not job.future.done() and job.future.set_running_or_notify_cancel()

    def _deliver(self, part: _Part, vectors: Vectors, tokens: int) -> None:
        import numpy as np

        job, size = part.job, part.stop - part.start
        with self._changed:  # two parts of one request may be ready at the same time
            if size == len(job.texts):
                job.vectors = vectors
            else:
                if job.vectors is None:
                    job.vectors = np.empty((len(job.texts), vectors.shape[1]), np.float32)
                job.vectors[part.start : part.stop] = vectors
            job.tokens += tokens
            job.left -= size
        if not job.left and self._wanted(job):
            job.future.set_result(Done(job.vectors, job.tokens))
