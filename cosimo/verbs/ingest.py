"""Ingest: documents → rows of a collection, embedding only what changed. Reads no files; embedder and store are handed in."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ..core import compatibility, kinds
from ..core.content import content_hash, is_recorded, modality_of
from ..core.errors import DataError, Error
from ..core.types import Cut, Document, Recording, Row, Settings
from . import pictured
from .batches import BATCH_TEXTS, FIRST_CHARACTERS, Pace, batches, blank, checked_id
from .embedding import Embeddings, embed_texts, embeddings_held, looked_at_from, passages_of
from .named import Space, parts_of, pruned
from .recorded import hash_of, kept, with_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..core.results import PicturingStore
    from ..core.store import Store
    from ..core.types import Content, Embedder, Known, Metadata, Vectors


@dataclass(frozen=True, slots=True)
class Added:
    """What adding documents did. `committed` rows are in the file."""

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
    passages: int = 0  # that texts longer than the window were cut into
    cut: int = 0  # texts of which the model read the beginning alone
    named: int = 0  # contents whose named vectors are new or changed; what was embedded of them is counted above
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
    named: Mapping[str, Space] | None = None,
) -> Added:
    """Embed and store documents, one transaction a batch; of one id given twice, the later text stays.

    Parameters
    ----------
    embedder : called when a text has to be embedded; a run that changes nothing loads no model
    keep_content : store the text beside its vector
    source : where the documents come from; `sync` removes this source's rows that did not come again, but none that
        may be among those the source could not read (`Source.unread`: how their ids begin)
    progress : called after each commit
    named : name → where `Document.named` of that name goes, in the transaction of its document

    Raises
    ------
    DataError : an id that is empty or not text (what was committed before stays); `sync` after no document at all
    NotFound : a document with named contents that have no place
    """
    started, done, pace = time.monotonic(), Added(), Pace(batch_size)
    own, named = Space(collection, embedder), named or {}
    seen: dict[Space, set[str]] = {own: set()}  # who writes where → ids that have something there
    for batch in batches(documents, pace):
        before, parts = done, parts_of(store, own, named, batch)
        done = _commit(store, parts, keep_content, source, done, getattr(documents, "spoilt", _refuse_spoilt))
        for space, part in parts:
            there = (d.id for d in part if not blank(d.content) or (d.content is None and space is not own))
            seen.setdefault(space, set()).update(there if sync else ())
        done = replace(done, seconds=time.monotonic() - started)
        pace.took(done.embedded - before.embedded, done.seconds - before.seconds)
        if progress is not None:
            progress(done)
    for space in seen:
        done = _complete(store, space.embedder, space.collection, done)
    if sync and source is not None:
        done = replace(done, removed=pruned(store, own, named, source, seen, getattr(documents, "unread", [])))
    return replace(done, seconds=time.monotonic() - started)


def plan(store: Store, embedder: Embedder, collection: str, documents: Iterable[Document], *, exists: bool) -> Plan:
    """Count what `add` would do: texts, those to embed, and their tokens. `exists`: the collection is there already."""
    total, settings = Plan(), store.settings(collection) if exists else None
    longest = looked_at_from(settings or Settings(None), lambda: embedder)
    for batch in batches(documents, Pace(BATCH_TEXTS)):
        work = _sorted(batch, store.known(collection, [d.id for d in batch]) if exists else {}, _refuse_spoilt)
        held = embeddings_held(store, collection, work.contents, longest) if exists else {}
        new = [document for hash, document in work.contents.items() if hash not in held]
        total = Plan(
            total.texts + len(batch),
            total.unchanged + len(work.same),
            total.empty + work.empty,
            total.to_embed + len(new),
            total.tokens + tokens_of(embedder, new, longest),
        )
    price = embedder.spec.price
    return replace(total, cost=None if price is None else round(total.tokens * price / 1e6, 6))


def tokens_of(embedder: Embedder, documents: Sequence[Document], longest: int | None) -> int:
    """Tokens that the model will read, the headings of passages included."""
    texts = [document for document in documents if isinstance(document.content, str)]
    short = [d.content for d in texts if isinstance(d.content, str) and (longest is None or len(d.content) <= longest)]
    long = [d for d in texts if isinstance(d.content, str) and longest is not None and len(d.content) > longest]
    return sum(embedder.count_tokens(short)) + sum(p.tokens for passages in passages_of(embedder, long) for p in passages)


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


def _content(document: Document) -> Content | Recording:
    return document.content if document.content is not None else ""


@dataclass(frozen=True, slots=True)
class _Work:
    """One batch, sorted by what has to be done."""

    todo: list[Document]  # new or changed text
    same: list[Document]  # the text is stored already
    empty: int
    hashes: dict[str, bytes]  # id → hash of the text to embed
    contents: dict[bytes, Document]  # a document for each distinct text to embed


def _sorted(batch: list[Document], known: dict[str, Known], spoilt: Callable[[str, str], None]) -> _Work:
    texts = [document for document in batch if not blank(document.content)]
    empty, hashes = len(batch) - len(texts), {}
    for document in texts:
        try:
            hashes[document.id] = hash_of(document, known.get(document.id))
        except DataError as error:  # a recording that went away
            spoilt(document.id, str(error))
    texts = [document for document in texts if document.id in hashes]
    todo = [d for d in texts if d.id not in known or known[d.id].hash != hashes[d.id]]
    return _Work(
        todo,
        [d for d in texts if d.id in known and known[d.id].hash == hashes[d.id]],
        empty,
        hashes,
        {hashes[d.id]: d for d in todo},
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """What a batch brings to one collection, embedded and not written yet."""

    space: Space
    before: Settings | None
    known: dict[str, Known]
    work: _Work
    made: Embeddings
    rows: list[Row]
    thumbnails: dict[bytes, bytes]


def _made(store: Store, space: Space, batch: list[Document], keep_content: bool, spoilt: Callable[[str, str], None]) -> _Made:
    before = store.settings(space.collection)
    known = store.known(space.collection, [document.id for document in batch])
    work = _sorted(batch, known, spoilt)
    embedder = _reading(space.embedder, work.todo)
    if any(not isinstance(document.content, str) for document in work.todo):
        embedder()  # what it does not read is told before anything is decoded
    made, looked = _looked_at(store, embedder, space.collection, work.contents)
    if reasons := looked.damaged | made.unread:
        for document in work.todo:
            if (reason := reasons.get(work.hashes[document.id])) is not None:
                spoilt(document.id, reason)
        work = replace(work, todo=[document for document in work.todo if work.hashes[document.id] not in reasons])
    work = _with_facts(work, known, keep_content)
    rows = [_row(document, work.hashes[document.id], made, keep_content) for document in work.todo]
    return _Made(space, before, known, work, made, rows, looked.thumbnails)


def _looked_at(
    store: Store, embedder: Callable[[], Embedder], collection: str, contents: dict[bytes, Document]
) -> tuple[Embeddings, pictured.Pictured]:
    """Embedded, and pictures looked at on the way; where the model failed at damaged ones, the others once more."""
    contents = pictured.seen(contents)
    try:
        made = _embedded(store, embedder, collection, contents)
    except Error:
        looked = pictured.looked_at(contents)
        if not looked.damaged:
            raise
        whole = {hash: document for hash, document in contents.items() if hash not in looked.damaged}
        return _embedded(store, embedder, collection, whole), looked
    return made, pictured.looked_at(contents)


def _with_facts(work: _Work, known: dict[str, Known], keep_content: bool) -> _Work:
    """Pictures, sounds and films with what is known of them; of recordings that have not changed, the bytes to store alone."""

    def unchanged(document: Document) -> Document:
        if not is_recorded(document.content):
            return pictured.with_facts(document) if document.metadata else document
        held = known[document.id]
        content = kept(document) if keep_content and not held.has_content else None
        return replace(with_facts(document, held) if document.metadata else document, content=content)

    return replace(
        work, todo=[pictured.with_facts(with_facts(document)) for document in work.todo], same=list(map(unchanged, work.same))
    )


def _write(store: Store, part: _Made, keep_content: bool, source: str | None) -> None:
    space, work = part.space, part.work
    if work.todo:
        now = store.settings(space.collection)
        _refuse_migrated(space.collection, part.before, now, space.embedder if part.made.embedded else None)
    # writes, and locks, only where something differs
    store.touch(space.collection, work.same, store=keep_content, source=source)
    if work.todo:
        store.put(space.collection, part.rows, source=source)
    if part.thumbnails and hasattr(store, "put_thumbnails"):
        cast("PicturingStore", store).put_thumbnails(part.thumbnails)


def _commit(
    store: Store,
    parts: list[tuple[Space, list[Document]]],
    keep_content: bool,
    source: str | None,
    done: Added,
    spoilt: Callable[[str, str], None],
) -> Added:
    """Bring one batch into the file, in one transaction, and count it: the documents first, then what is named of them."""
    all_made = [_made(store, space, batch, keep_content, spoilt) for space, batch in parts]
    with store.atomic() if any(part.work.todo for part in all_made) else nullcontext():
        for part in all_made:
            _write(store, part, keep_content, source)
    own, work = all_made[0], all_made[0].work
    updated = sum(d.id in own.known for d in work.todo)
    return replace(
        done,
        committed=done.committed + len(work.todo) + len(work.same),
        added=done.added + len(work.todo) - updated,
        updated=done.updated + updated,
        unchanged=done.unchanged + len(work.same),
        empty=done.empty + work.empty,
        embedded=done.embedded + sum(part.made.embedded for part in all_made),
        tokens=done.tokens + sum(part.made.tokens for part in all_made),
        passages=done.passages + sum(part.made.passages for part in all_made),
        cut=done.cut + sum(part.work.hashes[d.id] in part.made.cut_off for part in all_made for d in part.work.todo),
        named=done.named + sum(len(part.work.todo) for part in all_made[1:]),
    )


def _refuse_migrated(
    collection: str, before: Settings | None, now: Settings | None, embedder: Callable[[], Embedder] | None
) -> None:
    """Raise `ModelMismatch` where another process gave the collection another model while this batch was embedded."""
    if before is None or now is None:
        return
    compatibility.refuse_other_name(collection, now, before.model)
    if embedder is not None:
        compatibility.refuse_other_weights(collection, now, embedder().spec)


def _embedded(store: Store, embedder: Callable[[], Embedder], collection: str, contents: dict[bytes, Document]) -> Embeddings:
    settings = store.settings(collection) if contents else None
    if settings is not None and settings.passages is None:
        embedder()  # the collection of another program learns now what is done with long texts
        settings = store.settings(collection)
    if settings is None:
        return Embeddings()
    return embed_texts(store, embedder, collection, contents, looked_at_from(settings, embedder))


def _row(document: Document, hash: bytes, made: Embeddings, keep_content: bool) -> Row:
    vector, cut = made.found[hash]
    if cut is not None and not keep_content and not is_recorded(document.content):  # headings are text too
        cut = Cut([replace(passage, heading="") for passage in cut.passages], cut.vectors)
    content = kept(document) if keep_content else None
    return Row(document.id, vector, content, hash, document.metadata, int(time.time()), cut)


def _complete(store: Store, embedder: Callable[[], Embedder], collection: str, done: Added) -> Added:
    """Cut the long texts that nobody has cut yet: another program's rows, and those of an older cosimo."""
    settings = store.settings(collection)
    if settings is None or settings.model is None or not (settings.window or done.embedded):
        return done
    longest = looked_at_from(settings, embedder)
    for rows in _some(store.uncut(collection, longest)) if longest is not None else ():
        texts = {content_hash(row.content or ""): Document(row.id, row.content) for row in rows}
        made = embed_texts(store, embedder, collection, texts, longest)
        cut = [(row, *made.found[content_hash(row.content or "")]) for row in rows]
        store.put_cuts(collection, [replace(row, vector=vector, cut=parts) for row, vector, parts in cut])
        done = replace(
            done,
            embedded=done.embedded + made.embedded,
            tokens=done.tokens + made.tokens,
            passages=done.passages + made.passages,
        )
    return done


def _some(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of about a second's work."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if sum(len(each.content or "") for each in batch) >= FIRST_CHARACTERS:
            yield batch
            batch = []
    if batch:
        yield batch


def _reading(embedder: Callable[[], Embedder], documents: list[Document]) -> Callable[[], Embedder]:
    """The embedder, which names the first document that its model does not read: the model itself knows no ids."""

    def reading() -> Embedder:
        spec = (found := embedder()).spec
        for document in documents:
            if not kinds.is_read(kind := modality_of(_content(document)), spec.modalities):
                said = kinds.unread(kind, spec.name, spec.modalities)
                raise DataError(f"the content of '{document.id}' is {said}; leave it out, or choose a model that reads it")
        return found

    return reading


def _refuse_spoilt(id: str, reason: str) -> None:
    raise DataError(f"'{id}' cannot be read: {reason}")
