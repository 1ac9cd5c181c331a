"""Migrate: a collection with the vectors of one model → the same with those of another. Store and embedder are handed in.

New vectors are committed in batches beside the old ones, which go on serving; when all are there, one transaction swaps them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator as IteratorABC
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core import kinds
from ..core.compatibility import made_by
from ..core.content import content_hash, modality_of
from ..core.errors import CollectionError, DataError, Error, StoreError
from ..core.migrations import Ready
from ..core.types import Document
from .batches import Pace, cleaned, weight
from .embedding import embed_anew, looked_at_from
from .ingest import tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from ..core.migrations import MigratingStore, Swapped
    from ..core.types import Embedder, Modality, ModelSpec, Settings, Vectors

PAGE = 500  # texts looked up at a time
SAMPLE = 64  # texts that a free model embeds so that the time can be told
ROUNDS = 10  # of embedding what other programs wrote meanwhile; each is shorter than the one before


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did so far. `committed` new vectors are in the file, those of an interrupted run among them."""

    model: str
    committed: int = 0  # texts; one that several rows have counts once
    rows: int = 0  # that have new vectors: all, or 0 before the swap
    embedded: int = 0  # texts that went through the model in this run
    tokens: int = 0
    passages: int = 0
    cut: int = 0  # texts of which the model read the beginning alone
    mapped: int = 0  # rows whose vectors an alignment made of the old ones; nothing was embedded
    listed: int = 0  # how long the kept lists of related items were, which went with the old vectors; 0: there were none
    seconds: float = 0.0

    @property
    def empty(self) -> int:
        """Nothing, for the progress bar."""
        return 0


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration would do: counts only."""

    rows: int = 0
    texts: int = 0  # different ones
    to_embed: int = 0  # of them, those an interrupted run has not embedded
    tokens: int = 0
    cost: float | None = 0.0  # US dollars; None where the model's price is not public
    seconds: float | None = 0.0  # None where only paying would tell


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to migrate."""

    rows: int
    given: dict[str, bytes]  # id → hash of the text, for rows that have none stored


def survey(store: MigratingStore, spec: ModelSpec, collection: str, documents: Iterable[Document]) -> Survey:
    """Look whether every row has a text that the model can read; nothing is embedded before.

    Raises
    ------
    DataError : rows without a text, or with one that the model cannot read; how many they are
    """
    rows, nameless, needing = 0, 0, set()
    unread: dict[Modality | None, list[str | None]] = {}
    for row in store.held(collection):
        rows += 1
        if row.content is None and row.id is not None:
            needing.add(row.id)
        nameless += row.content is None and row.id is None
        if row.content is not None and not kinds.is_read(kind := modality_of(row.content), spec.modalities):
            unread.setdefault(kind, []).append(row.id)
    for kind, ids in unread.items():
        said = kinds.unread(kind, spec.name, spec.modalities)
        raise DataError(
            f"{_rows(len(ids))} of '{collection}', such as '{ids[0]}', cannot be embedded: it is {said}; choose another model"
        )
    given = {document.id: hash for hash, document in _given(documents, needing)} if needing else {}
    missing = sorted(needing - given.keys())
    if bare := len(missing) + nameless:
        such = f", such as '{missing[0]}'," if missing else ""
        raise DataError(
            f"{_rows(bare)} of {rows:,} in '{collection}'{such} {'has' if bare == 1 else 'have'} no text, stored or given, and"
            " nothing was embedded; give the texts they came from: --files DIR GLOB"
        )
    return Survey(rows, given)


def plan(store: MigratingStore, embedder: Embedder, collection: str, documents: Iterable[Document] = ()) -> MigrationPlan:
    """Count what `migrate` would do, and tell the time by a sample where that costs nothing. Writes nothing.

    Raises
    ------
    DataError : as `survey`
    """
    documents = _again(documents)
    found, target = survey(store, embedder.spec, collection, documents), target_of(store, embedder.spec, collection)
    longest, dice = looked_at_from(target, lambda: embedder), random.Random(0)
    ready = store.ready(collection) if store.migrating(collection) == target else set()
    seen: set[bytes] = set()
    to_embed, tokens, sample = 0, 0, list[Document]()
    for page in _pages(_texts(store, collection, documents, found.given)):
        new = {hash: document for hash, document in page if hash not in seen}
        seen |= new.keys()
        work = [document for hash, document in new.items() if hash not in ready and not _blank(document)]
        tokens += tokens_of(embedder, work, longest)
        for document in work:  # each has the same chance to be in the sample
            to_embed += 1
            if len(sample) < SAMPLE:
                sample.append(document)
            elif (at := dice.randrange(to_embed)) < SAMPLE:
                sample[at] = document
    price = embedder.spec.price
    return MigrationPlan(
        found.rows, len(seen), to_embed, tokens,
        cost=None if price is None else round(tokens * price / 1e6, 6),
        seconds=_seconds(embedder, sample, tokens, longest) if price == 0 else None,
    )  # fmt: skip


def _seconds(embedder: Embedder, sample: list[Document], tokens: int, longest: int | None) -> float:
    """How long so many tokens take, by some of the texts."""
    if not sample:
        return 0.0
    texts = {content_hash(document.content or ""): document for document in sample}
    embed_anew(embedder, dict(list(texts.items())[:1]), longest)  # the model is loaded and compiled now
    started = time.perf_counter()
    made = embed_anew(embedder, texts, longest)
    return round((time.perf_counter() - started) * tokens / max(made.tokens, 1), 1)


def target_of(store: MigratingStore, spec: ModelSpec, collection: str) -> Settings:
    """What the file will remember once the collection is the model's; long texts are treated as before."""
    stored = store.settings(collection)
    return made_by(spec, passages=stored is None or stored.passages is not False, named=stored is not None and stored.named)


def migrate(
    store: MigratingStore,
    embedder: Embedder,
    collection: str,
    documents: Iterable[Document] = (),
    *,
    restart: bool = False,
    batch_size: int | None = None,
    progress: Callable[[Migrated], None] | None = None,
) -> Migrated:
    """Embed every text of a collection with another model and swap the vectors.

    Parameters
    ----------
    documents : the texts of rows that have none stored, by id; read twice. Texts stay unstored
    restart : give up an interrupted migration to another model
    progress : called after each commit

    Raises
    ------
    DataError : as `survey`
    CollectionError : the collection is half way to another model
    StoreError : other programs write faster than can be embedded, or ended the migration
    """
    started, documents = time.monotonic(), _again(documents)
    spec, target = embedder.spec, target_of(store, embedder.spec, collection)
    if store.settings(collection) == target and not (restart and store.migrating(collection)):
        return Migrated(spec.name)
    found = survey(store, spec, collection, documents)
    with _begun(store, collection, target, restart):
        done, pace = Migrated(spec.name, committed=len(store.ready(collection))), Pace(batch_size)
        for _ in range(ROUNDS):
            before = done
            for batch in _batches(store, collection, _texts(store, collection, documents, found.given), pace):
                done = _commit(store, embedder, collection, target, batch, done, pace)
                done = replace(done, seconds=time.monotonic() - started)
                if progress is not None:
                    progress(done)
            swapped = store.swap(collection, target, found.given)
            if swapped.done:
                return replace(done, rows=swapped.rows, listed=swapped.listed, seconds=time.monotonic() - started)
            _refuse(collection, swapped, stuck=done.committed == before.committed)
        raise StoreError(
            f"other programs write into '{collection}' faster than it can be embedded; stop them and run this again"
        )


def remap(
    store: MigratingStore, spec: ModelSpec, collection: str, map: Callable[[Vectors], Vectors], *, restart: bool = False
) -> Migrated:
    """Give a collection a model into whose space its vectors can be mapped: nothing is embedded, no text is read.

    Raises
    ------
    CollectionError : the collection is half way to another model
    StoreError : another program gave it another model meanwhile
    DataError : a vector that is not of the collection's length
    """
    started, target, stored = time.monotonic(), target_of(store, spec, collection), store.settings(collection)
    if stored is None or stored == target:
        return Migrated(spec.name)
    half = store.migrating(collection)
    if half is not None and not restart:
        raise _half_way(store, collection, half, target)
    done = store.remap(collection, stored, target, map)
    return Migrated(spec.name, rows=done.rows, mapped=done.rows, listed=done.listed, seconds=time.monotonic() - started)


def _half_way(store: MigratingStore, collection: str, half: Settings, target: Settings) -> CollectionError:
    return CollectionError(
        f"'{collection}' is half way to {half.model} ({len(store.ready(collection)):,} texts); go on with that model, or"
        f" lose them and begin with {target.model}: --restart"
    )


@contextmanager
def _begun(store: MigratingStore, collection: str, target: Settings, restart: bool) -> Iterator[None]:
    """The collection half way to its next model; as it was again where nothing came of it."""
    half = store.migrating(collection)
    if half is not None and half != target and not restart:
        raise _half_way(store, collection, half, target)
    if half != target or restart:
        store.begin_migration(collection, target)
    try:
        yield
    except BaseException:
        # a wrong key, say: nothing was paid, and the next model that is tried should not have to hear of this one
        with suppress(Error):  # what went wrong first is what is told
            if store.migrating(collection) == target and not store.ready(collection):
                store.give_up_migration(collection)
        raise


def _refuse(collection: str, swapped: Swapped, *, stuck: bool) -> None:
    if swapped.textless:
        raise DataError(
            f"{_rows(swapped.textless)} without a text came into '{collection}' meanwhile; what was embedded is kept: run this"
            " again with the texts they came from (--files DIR GLOB)"
        )
    if stuck:  # nothing to embed, and yet not all there: the source did not give the same texts twice
        raise DataError(
            f"{_rows(swapped.waiting)} of '{collection}' had a text when the source was read first, and none the second time;"
            " run this again"
        )


def _commit(
    store: MigratingStore,
    embedder: Embedder,
    collection: str,
    target: Settings,
    batch: dict[bytes, Document],
    done: Migrated,
    pace: Pace,
) -> Migrated:
    """Embed one batch and keep it, in one transaction."""
    import numpy as np

    began = time.monotonic()
    blank = [hash for hash, document in batch.items() if _blank(document)]
    texts = {hash: document for hash, document in batch.items() if hash not in blank}
    made = embed_anew(embedder, texts, looked_at_from(target, lambda: embedder))
    # other programs store blank texts too: they are near to everything and nothing, and no search returns a zero vector
    ready = [Ready(hash, np.zeros(target.dim or 0, np.float32), None) for hash in blank]
    ready += [Ready(hash, found.vector, found.cut) for hash, found in made.found.items()]
    store.make_ready(collection, target, ready)
    pace.took(made.embedded, time.monotonic() - began)
    return replace(
        done,
        committed=done.committed + len(batch),
        embedded=done.embedded + made.embedded,
        tokens=done.tokens + made.tokens,
        passages=done.passages + made.passages,
        cut=done.cut + len(made.cut_off),
    )


def _batches(
    store: MigratingStore, collection: str, texts: Iterable[tuple[bytes, Document]], pace: Pace
) -> Iterator[dict[bytes, Document]]:
    """Texts that are not ready yet, in lists of one commit each."""
    batch: dict[bytes, Document] = {}
    characters = 0
    for page in _pages(texts):
        different = dict(page)
        ready = store.ready(collection, list(different))
        for hash, document in different.items():
            if hash in ready or hash in batch:
                continue
            batch[hash] = document
            characters += weight(document.content)
            if pace.is_full(len(batch), characters):
                yield batch
                batch, characters = {}, 0
    if batch:
        yield batch


def _texts(
    store: MigratingStore, collection: str, documents: Iterable[Document], given: dict[str, bytes]
) -> Iterator[tuple[bytes, Document]]:
    """(hash, document) of every row's text: those stored, then those given."""
    for row in store.held(collection):
        if row.content is not None:
            yield content_hash(row.content), Document(row.id or "", row.content)
    for hash, document in _given(documents, given) if given else ():
        given[document.id] = hash  # what is embedded counts: a file may change between two readings
        yield hash, document


def _given(documents: Iterable[Document], wanted: Container[str]) -> Iterator[tuple[bytes, Document]]:
    """(hash, document) of what a source has for some ids; blank texts are none."""
    for document in documents:
        if document.id in wanted and document.content and not _blank(document):
            document = cleaned(document)
            yield content_hash(document.content or ""), document


def _pages(texts: Iterable[tuple[bytes, Document]]) -> Iterator[list[tuple[bytes, Document]]]:
    page = []
    for text in texts:
        page.append(text)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _again(documents: Iterable[Document]) -> Iterable[Document]:
    """Documents that can be read twice: a generator is read into memory."""
    return list(documents) if isinstance(documents, IteratorABC) else documents


def _blank(document: Document) -> bool:
    return isinstance(document.content, str) and not document.content.strip()


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"
