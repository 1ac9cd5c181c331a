"""EPUB: a book in, its chapters out in the order to read them, as one text with its headings. Looks at no pictures."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..core.errors import UnreadableSource
from .charsets import declared, decode_declared
from .extracts import Archive, Extract, known, xml
from .markup import read_markup
from .webpages import language

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

PAGES = ("application/xhtml+xml", "text/html")
ENDINGS = (".xhtml", ".html", ".htm")


def read_epub(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a book is.

    Raises
    ------
    UnreadableSource : it is encrypted, damaged, not EPUB, or far too large
    MissingExtra : lxml is not installed
    """
    with Archive(path, "an EPUB") as archive:
        package, folder = _package(archive)
        chapters = _chapters(archive, package, folder)
        if not chapters:
            raise UnreadableSource("it is a ZIP archive without chapters, so not an EPUB; rename it")
        locked = _locked(archive)
        if any(name in locked for name in chapters):
            raise UnreadableSource("it is encrypted by its seller (DRM), so its text cannot be read")
        texts, lost = [], []
        for name in chapters:
            data = archive.read(name)
            if data is None:
                lost.append(name)
            else:
                texts.append(read_markup(decode_declared(data, declared(data) or "utf-8", encodings)).text)
    missing = f"{len(lost)} of its {len(chapters)} chapters are not in it, {lost[0]} for one; the rest is read" if lost else ""
    yield Extract("\n\n".join(filter(None, texts)), _facts(package), missing=missing)


def _package(archive: Archive) -> tuple[Element, str]:
    """The list of what is in the book, and the folder its names start from."""
    container = xml(archive.read("META-INF/container.xml"))
    named = [each.get("full-path", "") for each in container.iter("rootfile")]
    found = [name for name in (*named, *archive.names()) if name.endswith(".opf") or name in named]
    path = found[0] if found else ""
    return xml(archive.read(path)), posixpath.dirname(path)


def _chapters(archive: Archive, package: Element, folder: str) -> list[str]:
    """Names of the parts to read, in order: the spine's, or where it leads nowhere, the manifest's, or those of the archive."""
    items = {each.get("id", ""): each for each in package.iter("item")}
    spine = [items[each.get("idref", "")] for each in package.iter("itemref") if each.get("idref", "") in items]
    there = set(archive.names())
    for chosen in (spine, list(items.values())):
        names = [_within(folder, each.get("href", "")) for each in chosen if each.get("media-type", PAGES[0]) in PAGES]
        if any(name in there for name in names):
            return list(dict.fromkeys(names))
    return sorted(name for name in there if name.lower().endswith(ENDINGS))


def _within(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _locked(archive: Archive) -> set[str]:
    """Parts that are encrypted; fonts often are, and matter to no one here."""
    if "META-INF/encryption.xml" not in archive.names():
        return set()
    return {unquote(each.get("URI", "")) for each in xml(archive.read("META-INF/encryption.xml")).iter("CipherReference")}


def _facts(package: Element) -> dict[str, Any]:
    def said(name: str) -> list[str]:
        return [" ".join((each.text or "").split()) for each in package.iter(name) if (each.text or "").strip()]

    return known(
        type="epub", title=next(iter(said("title")), None), author=", ".join(said("creator")),
        date=next(iter(said("date")), "")[:10], language=language(next(iter(said("language")), None)),
    )  # fmt: skip
