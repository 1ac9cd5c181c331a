"""Batches: a stream of documents → lists that are one commit each. Embeds nothing, stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.content import storable
from ..core.errors import DataError
from ..core.types import Document, Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.types import Content

# One commit a batch. Left to itself a batch takes about as long as BATCH_SECONDS: Ctrl-C then loses seconds and a bar moves,
# while the embedder still has enough texts to sort by length (256 short ones at a time were 12% slower than 1,024).
BATCH_SECONDS = 1.5
FIRST_TEXTS, FEWEST_TEXTS, BATCH_TEXTS = 64, 32, 1_024
FIRST_CHARACTERS, FEWEST_CHARACTERS, BATCH_CHARACTERS = 100_000, 20_000, 1_000_000


class Pace:
    """How much the next batch takes: a fixed number of texts, or what was embedded in BATCH_SECONDS so far."""

    def __init__(self, size: int | None = None) -> None:
        self.fixed = size is not None
        self.texts = size or FIRST_TEXTS
        self.characters = FIRST_CHARACTERS
        self.given = 0  # characters of the last batch

    def took(self, embedded: int, seconds: float) -> None:
        """Learn from the last batch; one that embedded nothing says that reading is all there is to do."""
        if self.fixed:
            return
        share = BATCH_SECONDS / seconds if embedded and seconds > 0 else float(BATCH_CHARACTERS)
        self.texts = _within(FEWEST_TEXTS, max(embedded, 1) * share, BATCH_TEXTS)
        self.characters = _within(FEWEST_CHARACTERS, max(self.given, 1) * share, BATCH_CHARACTERS)

    def is_full(self, texts: int, characters: int) -> bool:
        """Whether a batch is large enough to be committed."""
        self.given = characters
        return texts >= self.texts or (not self.fixed and characters >= self.characters)


def _within(low: int, wanted: float, high: int) -> int:
    return int(min(max(wanted, low), high))


def batches(documents: Iterable[Document], pace: Pace) -> Iterator[list[Document]]:
    """Documents in lists of as many as `pace` says; of one id twice in a list, the later one in the earlier one's place.

    Raises
    ------
    DataError : something that cannot be stored
    """
    batch: dict[str, Document] = {}
    characters = 0
    for document in documents:
        document = cleaned(document)
        batch[document.id] = document
        characters += weight(document.content) + sum(map(weight, (document.named or {}).values()))
        if pace.is_full(len(batch), characters):
            yield list(batch.values())
            batch, characters = {}, 0
    if batch:
        yield list(batch.values())


def weight(content: Content | Recording | None) -> int:
    """Characters, as `Pace` counts them: of bytes one for 64, so that pictures come in dozens and a batch stays below 64 MB.

    A recording on its own is a second's work and more.
    """
    if isinstance(content, Recording):
        return FIRST_CHARACTERS
    return -(-len(content) // 64) if isinstance(content, bytes) else len(content or "")


def blank(content: Content | Recording | None) -> bool:
    """Whether there is nothing to embed."""
    return not content or (isinstance(content, str) and not content.strip())


def cleaned(document: Document) -> Document:
    """The document as it can be stored: lone surrogates, which no encoding can write, become U+FFFD.

    Raises
    ------
    DataError : no document, or one whose id is empty, not a string, or cannot be written as UTF-8
    """
    if not isinstance(document, Document):
        raise DataError(f"what is added must be documents, not {type(document).__name__}; write cosimo.Document(id, text)")
    checked_id(document.id)
    content = _storable(document.content, f"the content of '{document.id}'")
    if not document.named:
        return replace(document, content=content)
    if not isinstance(document.named, Mapping):
        raise DataError(f"what is named of '{document.id}' is {type(document.named).__name__}, not a mapping of names")
    named = {
        name: None if each is None else _storable(each, f"what is named '{name}' of '{document.id}'")
        for name, each in document.named.items()
    }
    return replace(document, content=content, named=named)


def _storable(content: object, which: str) -> Content | Recording:
    if isinstance(content, str):
        return storable(content)
    if isinstance(content, bytes | Recording):
        return content
    raise DataError(f"{which} is {type(content).__name__}, not text or bytes")


def checked_id(id: object) -> str:
    """The id itself, refused where no database could hold it."""
    if not isinstance(id, str):
        raise DataError(f"an id must be a string, not {id!r}; use str(id)")
    if not id:
        raise DataError("an id must not be empty")
    if "\0" in id or storable(id) != id:
        raise DataError(f"the id {id!r} holds a NUL or half a surrogate pair, which databases cannot store; rename it")
    return id
