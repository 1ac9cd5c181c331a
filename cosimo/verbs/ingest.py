"""Ingest: documents → rows of a collection, embedding only what changed. Reads no files; embedder and store are handed in."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ..core.content import content_hash, storable
from ..core.errors import DataError
from ..core.types import Document, Row
from ..core.vectors import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..core.types import Content, Embedder, Known, Metadata, Store, Vector, Vectors

# One commit a batch: enough texts for batches of even length in the embedder (256 were 12% slower than 1,024), few enough
# that Ctrl-C loses seconds. Long texts close a batch early by their characters.
BATCH_TEXTS = 1_024
BATCH_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Added:
    """What adding documents did. `committed` rows are in the file; `cut` of them were longer than the model's window."""

    committed: int = 0  # added + updated + unchanged
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    # no text but white space: not stored, since it would be near to everything and nothing. A row stored under that id
    # before stays, but for `sync`: a query that gives NULLs must not empty a collection
    empty: int = 0
    removed: int = 0  # `sync` only: their source is gone
    embedded: int = 0  # distinct texts that went through the model
    tokens: int = 0  # read by the model
    cut: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What adding documents would do: counts only, nothing is embedded."""

    texts: int = 0
    unchanged: int = 0
    empty: int = 0
    to_embed: int = 0
    tokens: int = 0
    cost: float | None = 0.0  # US dollars; None where the model's price is not public


def add(
    store: Store,
    embedder: Callable[[], Embedder],
    collection: str,
    documents: Iterable[Document],
    *,
    keep_content: bool = True,
    batch_size: int | None = None,
    source: str | None = None,
    sync: bool = False,
    progress: Callable[[Added], None] | None = None,
) -> Added:
    """Embed and store documents, one transaction a batch; of one id given twice, the later text stays.

    Parameters
    ----------
    embedder : called once, when the first text has to be embedded; a run that changes nothing loads no model
    keep_content : store the text beside its vector
    source : where the documents come from; `sync` removes this source's rows that did not come again, but none that
        may be among those the source could not read (`Source.unread`: how their ids begin)
    progress : called after each commit

    Raises
    ------
    DataError : an id that is empty or not text; what was committed before stays
    """
    started, done = time.monotonic(), Added()
    seen: set[str] = set()
    for batch in _batches(documents, batch_size):
        done = _commit(store, embedder, collection, batch, keep_content, source, done)
        if sync:
            seen.update(document.id for document in batch if not _blank(document.content))
        done = replace(done, seconds=time.monotonic() - started)
        if progress is not None:
            progress(done)
    if sync and source is not None:
        unread = getattr(documents, "unread", [])
        kept = (row.id for start in unread for row in store.scan(collection, prefix=start))
        gone = store.prune(collection, source, chain(seen, kept))
        done = replace(done, removed=done.removed + len(gone))
    return replace(done, seconds=time.monotonic() - started)


def plan(store: Store, embedder: Embedder, collection: str, documents: Iterable[Document], *, exists: bool) -> Plan:
    """Count what `add` would do: texts, those to embed, and their tokens. `exists`: the collection is there already."""
    total = Plan()
    for batch in _batches(documents, None):
        work = _sorted(batch, store.known(collection, [d.id for d in batch]) if exists else {})
        texts = [text for text in work.contents.values() if isinstance(text, str)]
        total = Plan(
            total.texts + len(batch),
            total.unchanged + len(work.same),
            total.empty + work.empty,
            total.to_embed + len(work.contents),
            total.tokens + sum(embedder.count_tokens(texts)),
        )
    price = embedder.spec.price
    return replace(total, cost=None if price is None else round(total.tokens * price / 1e6, 6))


def add_vectors(
    store: Store,
    collection: str,
    ids: Sequence[str],
    vectors: Vectors,
    contents: Sequence[Content | None] | None,
    metadata: Sequence[Metadata | None] | None,
) -> int:
    """Store vectors made elsewhere, all of them or none; the number of rows comes back.

    Raises
    ------
    DataError : lists of different lengths, or an id no database can hold
    """
    for name, given in (("vectors", vectors), ("contents", contents), ("metadata", metadata)):
        if given is not None and len(given) != len(ids):
            raise DataError(f"{len(ids)} ids but {len(given)} {name}; give one for each id")
    for id in ids:
        checked_id(id)
    now = int(time.time())

    def rows() -> Iterator[Row]:
        for at, id in enumerate(ids):
            content = contents[at] if contents is not None else None
            digest = content_hash(content) if content is not None else None
            yield Row(id, vectors[at], content, digest, metadata[at] if metadata is not None else None, now)

    with store.atomic():
        return store.put(collection, rows())


def cleaned(document: Document) -> Document:
    """The document as it can be stored: lone surrogates, which no encoding can write, become U+FFFD.

    Raises
    ------
    DataError : no document, or one whose id is empty, not a string, or cannot be written as UTF-8
    """
    if not isinstance(document, Document):
        raise DataError(f"what is added must be documents, not {type(document).__name__}; write cosimo.Document(id, text)")
    checked_id(document.id)
    content = document.content
    if isinstance(content, str):
        content = storable(content)
    elif not isinstance(content, bytes):
        raise DataError(f"the content of '{document.id}' is {type(content).__name__}, not text or bytes")
    return replace(document, content=content)


def checked_id(id: object) -> str:
    """The id itself, refused where no database could hold it."""
    if not isinstance(id, str):
        raise DataError(f"an id must be a string, not {id!r}; use str(id)")
    if not id:
        raise DataError("an id must not be empty")
    if "\0" in id or storable(id) != id:
        raise DataError(f"the id {id!r} holds a NUL or half a surrogate pair, which databases cannot store; rename it")
    return id


def _content(document: Document) -> Content:
    return document.content if document.content is not None else ""


def _blank(content: Content | None) -> bool:
    return not content or (isinstance(content, str) and not content.strip())


def _batches(documents: Iterable[Document], size: int | None) -> Iterator[list[Document]]:
    """Documents in lists of up to `size`; of one id twice in a list, the later one in the earlier one's place."""
    limit = size or BATCH_TEXTS
    batch: dict[str, Document] = {}
    characters = 0
    for document in documents:
        document = cleaned(document)
        batch[document.id] = document
        characters += len(_content(document))
        if len(batch) >= limit or (size is None and characters >= BATCH_CHARACTERS):
            yield list(batch.values())
            batch, characters = {}, 0
    if batch:
        yield list(batch.values())


@dataclass(frozen=True, slots=True)
class _Work:
    """One batch, sorted by what has to be done."""

    todo: list[Document]  # new or changed text
    same: list[Document]  # the text is stored already
    empty: int
    hashes: dict[str, bytes]  # id → hash of the text to embed
    contents: dict[bytes, Content]  # distinct texts to embed


def _sorted(batch: list[Document], known: dict[str, Known]) -> _Work:
    texts = [document for document in batch if not _blank(document.content)]
    hashes = {document.id: content_hash(_content(document)) for document in texts}
    todo = [d for d in texts if d.id not in known or known[d.id].hash != hashes[d.id]]
    return _Work(
        todo,
        [d for d in texts if d.id in known and known[d.id].hash == hashes[d.id]],
        len(batch) - len(texts),
        hashes,
        {hashes[d.id]: _content(d) for d in todo},
    )


def _commit(
    store: Store,
    embedder: Callable[[], Embedder],
    collection: str,
    batch: list[Document],
    keep_content: bool,
    source: str | None,
    done: Added,
) -> Added:
    """Bring one batch into the file, in one transaction, and count it."""
    known = store.known(collection, [document.id for document in batch])
    work = _sorted(batch, known)
    _refuse_bytes(embedder, work.todo)
    vectors, reply = _vectors(store, embedder, collection, work.contents)
    now = int(time.time())
    rows = (
        Row(d.id, vectors[work.hashes[d.id]], d.content if keep_content else None, work.hashes[d.id], d.metadata, now)
        for d in work.todo
    )
    with store.atomic() if work.todo else nullcontext():
        store.touch(collection, work.same, store=keep_content, source=source)  # writes, and locks, only where something differs
        if work.todo:
            store.put(collection, rows, source=source)
    updated = sum(d.id in known for d in work.todo)
    return replace(
        done,
        committed=done.committed + len(work.todo) + len(work.same),
        added=done.added + len(work.todo) - updated,
        updated=done.updated + updated,
        unchanged=done.unchanged + len(work.same),
        empty=done.empty + work.empty,
        embedded=done.embedded + reply.embedded,
        tokens=done.tokens + reply.tokens,
        cut=done.cut + sum(work.hashes[d.id] in reply.cut for d in work.todo),
    )


def _refuse_bytes(embedder: Callable[[], Embedder], documents: list[Document]) -> None:
    """Name the document that a model of texts cannot read: the model itself knows no ids."""
    first = next((document.id for document in documents if isinstance(document.content, bytes)), None)
    if first is not None and (spec := embedder().spec).modalities == ("text",):
        raise DataError(f"the content of '{first}' is binary, and {spec.name} reads text; leave it out or decode it first")


class _Reply(NamedTuple):
    embedded: int
    tokens: int
    cut: set[bytes]


def _vectors(
    store: Store, embedder: Callable[[], Embedder], collection: str, contents: dict[bytes, Content]
) -> tuple[dict[bytes, Vector], _Reply]:
    """A vector for each distinct text; one the collection holds under any id is not embedded again."""
    vectors = dict(store.vectors_of(collection, list(contents))) if contents else {}
    missing = [digest for digest in contents if digest not in vectors]
    if not missing:
        return vectors, _Reply(0, 0, set())
    reply = embedder().embed([contents[digest] for digest in missing], role="document")
    vectors.update(zip(missing, checked(reply.vectors), strict=True))
    return vectors, _Reply(len(missing), reply.tokens, {missing[at] for at in reply.cut})
