"""Content: its hash, which says whether it changed; what of a text a database can hold; what bytes are."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataError
from .kinds import ONE, listed
from .types import Recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .types import Content, Modality

_SURROGATES = re.compile("[\ud800-\udfff]")

_SIGNS: tuple[tuple[bytes, Modality], ...] = (  # how the bytes of a file begin → what it is; RIFF and ISO media say so later
    (b"\xff\xd8\xff", "image"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"II+\0", "image"),
    (b"MM\0+", "image"),
    (b"BM", "image"),
    (b"fLaC", "audio"),
    (b"OggS", "audio"),  # film too, which few make
    (b"ID3", "audio"),
    (b"FORM", "audio"),
    (b"caff", "audio"),
    (b".snd", "audio"),
    (b"#!AMR", "audio"),
    (b"wvpk", "audio"),
    (b"MAC ", "audio"),
    (b"RF64", "audio"),  # a WAV of more than 4 GB
    (b"riff\x2e\x91\xcf\x11", "audio"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"\0\0\x01\xba", "video"),
    (b"\0\0\x01\xb3", "video"),
    (b"FLV\x01", "video"),
    (b"0&\xb2u\x8ef\xcf\x11", "video"),  # Windows Media, sound too
)
_RIFF: dict[bytes, Modality] = {b"WAVE": "audio", b"WEBP": "image", b"AVI ": "video"}
_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip")  # QuickTime films older than the box that says what they are
_PICTURE_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"F4A "})


def modality_of(content: Content | Recording) -> Modality | None:
    """What a content is, by the first bytes of a file: text, image, audio, video; None where they do not tell."""
    if isinstance(content, str):
        return "text"
    if isinstance(content, Recording):
        return content.media
    head = content[:16]
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "image" if brand in _PICTURE_BRANDS else "audio" if brand in _SOUND_BRANDS else "video"
    if head[4:8] in _BOXES or b"GGG" in (content[:377:188], content[4:389:192]):  # packets of a broadcast begin with G
        return "video"
    if head[:1] == b"\xff" and len(head) > 1 and (head[1] & 0xE6 == 0xE2 or head[1] & 0xF6 == 0xF0):
        return "audio"  # a frame of MPEG audio, layer 2 or 3, or of AAC
    return next((kind for sign, kind in _SIGNS if head.startswith(sign)), None)


def storable(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD: half a character has no UTF-8, and no database takes it.

    Raises
    ------
    DataError : something else than a string, an integer id for one
    """
    if not isinstance(text, str):
        raise DataError(f"ids and texts must be strings, not {text!r}; use str()")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def texts_of(contents: Sequence[Content], name: str, prompt: str = "") -> list[str]:
    """The contents as a model of texts reads them, the prompt before each that does not begin with it.

    Raises
    ------
    DataError : one that is not text
    """
    refuse_unread(contents, name, ("text",))
    return [text if text.startswith(prompt) else prompt + text for text in contents if isinstance(text, str)]


def refuse_unread(contents: Sequence[Content], name: str, modalities: Sequence[str]) -> None:
    """Raise `DataError` for the first content of a kind that a model does not read."""
    for position, content in enumerate(contents):
        kind = modality_of(content) if isinstance(content, str | bytes) else None
        if kind not in modalities:
            found = ONE[kind] if kind else type(content).__name__
            raise DataError(f"{name} reads {listed(modalities)}, and content {position} is {found}")


def is_recorded(content: Content | Recording | None) -> bool:
    """Whether it is a sound or a film, which are embedded in parts."""
    return isinstance(content, bytes | Recording) and modality_of(content) in ("audio", "video")


def content_hash(content: Content | Recording) -> bytes:
    """16 bytes of MD5 over the content as it is stored (text as UTF-8): the column `content_hash` of `llm`'s tables.

    Raises
    ------
    DataError : a recording whose file cannot be read
    """
    if isinstance(content, Recording):  # a film is larger than memory
        try:
            with Path(content.path).open("rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        except OSError as error:
            raise DataError(f"{error.strerror}: {content.path}") from error
    data = content if isinstance(content, bytes) else storable(content).encode()
    return hashlib.md5(data, usedforsecurity=False).digest()  # MD5 because the file format says so; nothing is protected by it
