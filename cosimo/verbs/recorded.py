"""Recorded: sounds and films → vectors of their parts, what is stored of them, from when to when a hit lies. Cuts nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.content import content_hash, is_recorded
from ..core.errors import DataError
from ..core.progress import note
from ..core.types import Cut, Document, Recording
from ..core.vectors import checked, mean_of_passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Embedder, Known, Match, Role, Vector

PARTS = 16  # embedded at once: 32 MB of sound, 16 MB of pictures
MOST_BYTES = 999_000_000  # of a content: SQLite's limit for a row is 1,000,000,000
SAME = ("file", "size", "modified")  # metadata of a recording that has not changed: hashing films is reading gigabytes
FACTS = ("media", "duration")  # metadata that every recording has


def cut_of(embedder: Embedder, content: bytes | Recording, role: Role = "document") -> Cut:
    """The parts of a recording that the model reads, with a vector each; a few are in memory at a time.

    Raises
    ------
    DataError : it cannot be read, or holds nothing that the model reads; the message is a reason without a name
    """
    import numpy as np

    from ..sources.recordings import parts

    coming, passages, vectors = parts(content, embedder.spec), [], []
    while some := list(islice(coming, PARTS)):
        passages += [part.passage for part in some]
        vectors.append(checked(embedder.embed([part.content for part in some], role=role).vectors))
    return Cut(passages, np.concatenate(vectors))


def vector_of(cut: Cut) -> Vector:
    """One vector for a recording, to which all its parts count alike."""
    return mean_of_passages(cut.vectors, [1] * len(cut.vectors))


def vectors_of(embedder: Embedder, contents: Sequence[Content], role: Role) -> list[Vector]:
    """A vector for each content: that of a sound or a film is of all its parts, as where they are added.

    Raises
    ------
    DataError : one that cannot be read
    """
    plain = [content for content in contents if not is_recorded(content)]
    found = iter(embedder.embed(plain, role=role).vectors if plain else ())
    return [
        vector_of(cut_of(embedder, content, role)) if isinstance(content, bytes) and is_recorded(content) else next(found)
        for content in contents
    ]


def with_facts(document: Document, known: Known | None = None) -> Document:
    """The document; where it is a recording that does not say them itself, `media` and `duration` are in its metadata.

    One that cannot be read stays as it is: whoever embeds it is told why.

    Parameters
    ----------
    known : what is stored of the same content, which has them
    """
    from ..sources.recordings import described

    content, given = document.content, document.metadata or {}
    if not is_recorded(content) or all(name in given for name in FACTS):
        return document
    assert isinstance(content, bytes | Recording)
    stored = (known.metadata if known else None) or {}
    if not all(name in stored for name in FACTS):
        try:
            stored = described(content)
        except DataError:
            return document
    return replace(document, metadata={**{name: stored[name] for name in FACTS}, **given})


def hash_of(document: Document, held: Known | None) -> bytes:
    """Its content's hash; a recording whose file has the name, size and date stored with `held` is not read for it.

    Raises
    ------
    DataError : a file that cannot be read
    """
    said, stored = document.metadata or {}, (held.metadata if held else None) or {}
    same = isinstance(document.content, Recording) and all(name in said and said[name] == stored.get(name) for name in SAME)
    return held.hash if same and held and held.hash else content_hash(document.content or "")


def kept(document: Document) -> Content | None:
    """What is stored of a content: of a recording its bytes, as far as a database takes them."""
    content = document.content
    if not isinstance(content, Recording):
        return content
    path = Path(content.path)
    try:
        if path.stat().st_size > MOST_BYTES:
            note(f"{document.id} has {path.stat().st_size:,} bytes, more than a database takes: it stays where it is")
            return None
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def timed(match: Match) -> Match:
    """The match; one in a recording with its times. It is told by its heading: a text's has the text beside it."""
    from ..sources.recordings import PICTURE, SOUND

    if match.text is not None or match.heading not in (PICTURE, SOUND):
        return match
    return replace(match, seconds=(match.start / 1000, match.end / 1000))
