"""Embedding: texts → a vector for each, and passages for those longer than the model's window. Writes nothing.

A text that the collection holds already, under whatever id, is not embedded again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..core.content import is_recorded
from ..core.errors import DataError
from ..core.types import Cut, Document, Recording
from ..core.vectors import checked, mean_of_passages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.store import Store
    from ..core.types import Content, Embedder, Passage, Settings, Vector, Vectors

# A text of so many characters less than the window has tokens is not looked at: a token is at least a character, but for a few
# signs that models spell out (㍿ is four), and room is left for special tokens and a prompt
MARGIN = 32


class Embedding(NamedTuple):
    """What is stored of a text beside itself. `cut` None: it is too short for anybody to look whether it fits."""

    vector: Vector
    cut: Cut | None = None


@dataclass(slots=True)
class Embeddings:
    """What embedding some texts gave."""

    found: dict[bytes, Embedding] = field(default_factory=dict)  # hash → one for every text asked for
    embedded: int = 0  # texts that went through the model
    passages: int = 0  # that they were cut into
    tokens: int = 0
    unread: dict[bytes, str] = field(default_factory=dict)  # hash → why a recording could not be read; it is not in `found`
    cut_off: set[bytes] = field(default_factory=set)  # hashes of texts of which the model read the beginning alone


def looked_at_from(settings: Settings, embedder: Callable[[], Embedder]) -> int | None:
    """The number of characters above which a text may be longer than the window; None where texts stay whole."""
    if settings.passages is False:
        return None
    window = settings.window or embedder().spec.max_tokens
    return None if window is None else max(window - MARGIN, 1)


def embed_texts(
    store: Store, embedder: Callable[[], Embedder], collection: str, texts: Mapping[bytes, Document], longest: int | None
) -> Embeddings:
    """Vectors for distinct texts.

    Parameters
    ----------
    embedder : called only if something has to be embedded
    texts : hash → a document with this content; its id may tell that it is a program
    longest : `looked_at_from`
    """
    result = Embeddings(embeddings_held(store, collection, texts, longest))
    missing = {hash: document for hash, document in texts.items() if hash not in result.found}
    if missing:
        _embed(embedder(), missing, _long(missing, longest), result)
    return result


def embed_anew(embedder: Embedder, texts: Mapping[bytes, Document], longest: int | None) -> Embeddings:
    """As `embed_texts`, whatever the collection holds already: for another model than the one that made that.

    Raises
    ------
    DataError : a recording that cannot be read
    """
    result = Embeddings()
    if texts:
        _embed(embedder, texts, _long(texts, longest), result)
    for hash, reason in result.unread.items():
        raise DataError(f"'{texts[hash].id}' cannot be read: {reason}")
    return result


def embeddings_held(
    store: Store, collection: str, texts: Mapping[bytes, Document], longest: int | None
) -> dict[bytes, Embedding]:
    """What the collection has already of these texts, whatever the id; hash → embedding."""
    long = _long(texts, longest)
    short = [hash for hash in texts if hash not in long]
    found = {hash: Embedding(vector) for hash, vector in store.vectors_of(collection, short).items()} if short else {}
    if long:
        found |= {hash: Embedding(*held) for hash, held in store.cuts_of(collection, list(long)).items()}
    return found


def _long(texts: Mapping[bytes, Document], longest: int | None) -> set[bytes]:
    """Those that may be in passages; sounds and films always are."""
    return {
        hash
        for hash, document in texts.items()
        if is_recorded(document.content) or (longest is not None and _length(document) > longest)
    }


def passages_of(embedder: Embedder, documents: Sequence[Document]) -> list[list[Passage]]:
    """The passages of each document, as the model's window has it; a single one for a text that fits."""
    from ..sources.passages import cut_all, room

    limit = room(embedder.spec, embedder.count_tokens)
    if limit is None or not documents:
        return [[] for _ in documents]
    return cut_all(documents, count=embedder.count_tokens, max_tokens=limit)


def _embed(embedder: Embedder, contents: Mapping[bytes, Document], long: set[bytes], result: Embeddings) -> None:
    """All texts, pictures and passages in one call, so that the model can sort them by length; recordings one by one."""
    texts = {hash: document for hash, document in contents.items() if not is_recorded(document.content)}
    if texts:
        _embed_texts(embedder, texts, long, result)
    for hash in contents.keys() - texts.keys():
        _embed_recording(embedder, hash, contents[hash].content, result)
    result.embedded = len(contents) - len(result.unread)


def _embed_recording(embedder: Embedder, hash: bytes, content: Content | Recording | None, result: Embeddings) -> None:
    from .recorded import cut_of, vector_of

    assert isinstance(content, bytes | Recording)
    try:
        cut = cut_of(embedder, content)
    except DataError as error:
        result.unread[hash] = str(error)
        return
    result.found[hash] = Embedding(vector_of(cut), cut)
    result.passages += len(cut.passages)


def _embed_texts(embedder: Embedder, texts: Mapping[bytes, Document], long: set[bytes], result: Embeddings) -> None:
    from ..sources.passages import reading

    looked = [hash for hash in texts if hash in long]
    cut = dict(zip(looked, passages_of(embedder, [texts[hash] for hash in looked]), strict=True))
    parts: list[tuple[bytes, list[Passage], list[Content]]] = []
    for hash, document in texts.items():
        passages = cut.get(hash, [])
        if len(passages) > 1:
            parts.append((hash, passages, [reading(passage) for passage in passages]))
        else:
            parts.append((hash, [], [_whole(document)]))
    reply = embedder.embed([content for _, _, contents in parts for content in contents], role="document")
    vectors, at, incomplete = checked(reply.vectors), 0, set(reply.cut)
    for hash, passages, contents in parts:
        own = vectors[at : at + len(contents)]
        result.found[hash] = _assembled(own, passages, looked_at=hash in long)
        if incomplete.intersection(range(at, at + len(contents))):
            result.cut_off.add(hash)
        at += len(contents)
        result.passages += len(passages)
    result.tokens = reply.tokens


def _assembled(vectors: Vectors, passages: Sequence[Passage], *, looked_at: bool) -> Embedding:
    if passages:
        return Embedding(mean_of_passages(vectors, [passage.tokens for passage in passages]), Cut(passages, vectors))
    return Embedding(vectors[0], Cut([], vectors[:0]) if looked_at else None)


def _length(document: Document) -> int:
    return len(document.content) if isinstance(document.content, str) else 0


def _whole(document: Document) -> Content:
    return document.content if isinstance(document.content, str | bytes) else ""
