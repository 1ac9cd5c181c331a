"""Extracts: what the readers of documents hand on, and what they share: refusals, limits, ZIP archives. Knows no format."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from ..core.errors import UnreadableSource

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 256 << 20  # bytes of a file that is read as a whole; mailboxes and PDF are not
UNPACKED = 256 << 20  # bytes that an archive's parts may have in all: 40 kB of a bomb become 40 GB
PART = 32 << 20  # bytes of one part: the XML of a novel is a tenth of it, and a tree of it takes twenty times its size
ENTRIES = 20_000
SIGNS = (  # how files begin → what they are
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an encrypted or an old Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format 3", "a SQLite database"),
)


class Extract(NamedTuple):
    """The text of a document, or of one part of it that is a document of its own.

    `text` None: it could not be read, `missing` says why. With a text, `missing` says what of it could not be read.
    """

    text: str | None
    metadata: dict[str, Any]
    part: str = ""  # after the file's id: `#message-id`
    missing: str = ""


def bytes_of(path: Path) -> bytes:
    """A whole file.

    Raises
    ------
    UnreadableSource : it is too large
    OSError : it cannot be read
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise UnreadableSource(f"it has {size >> 20:,} MB; at most {LARGEST >> 20} are read")
    return path.read_bytes()


def sign(head: bytes) -> str | None:
    """What a file is by how it begins, as words for a person; None where that does not tell."""
    found = next((name for start, name in SIGNS if head.startswith(start)), None)
    if found is None and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return found


def refuse(kind: str, head: bytes) -> UnreadableSource:
    """The error for a file that is not what its name says."""
    if not head:
        return UnreadableSource("it is empty (0 bytes)")
    found = sign(head)
    if found and "encrypted" in found:
        return UnreadableSource(f"it is {found}; save it as {kind} without a password")
    return UnreadableSource(f"it is not {kind} but {found}; rename it" if found else f"it is damaged, or not {kind}")


class Archive:
    """A ZIP file that is read part by part, within limits. A part's size is the one in the directory: no more is unpacked.

    Raises
    ------
    UnreadableSource : not a ZIP archive, damaged, encrypted or far larger than what it holds can be
    """

    def __init__(self, path: Path, kind: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            with path.open("rb") as file:
                raise refuse(kind, file.read(1024)) from error
        self._entries = {entry.filename: entry for entry in self._zip.infolist()}
        if len(self._entries) > ENTRIES:
            self._zip.close()
            raise UnreadableSource(f"it holds {len(self._entries):,} parts; at most {ENTRIES:,} are read")
        self._left = UNPACKED

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """The names of its parts, in their order."""
        return list(self._entries)

    def size(self, name: str) -> int:
        """Bytes of a part, unpacked."""
        return self._entries[name].file_size

    def read(self, name: str) -> bytes | None:
        """A part; None where there is none of that name."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.flag_bits & 1:
            raise UnreadableSource("it is encrypted; save a copy without its password")
        self._left -= entry.file_size
        if entry.file_size > PART or self._left < 0:
            raise UnreadableSource(f"unpacked, its part {name[:80]} has {entry.file_size >> 20:,} MB, more than are read")
        try:
            return self._zip.read(entry)
        except Exception as error:  # zlib's, bz2's and lzma's own, and those of zipfile: all mean damage
            raise UnreadableSource(f"its part {name[:80]} is damaged") from error


def xml(data: bytes | None) -> ElementTree.Element:
    """The tree of a small XML part, names without their namespaces; an empty one where there is none.

    expat reads nothing from outside and stops where entities multiply (since 2.4.1, which Python 3.11 needs).
    """
    if not data:
        return ElementTree.Element("empty")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):  # LookupError: an encoding nobody knows
        return ElementTree.Element("empty")
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    return root


def known(**facts: object) -> dict[str, Any]:
    """Metadata of what is known alone."""
    return {name: value for name, value in facts.items() if value not in (None, "", [], 0)}
