"""Word files: DOCX in, its text out as Markdown marks headings, lists and tables. Tracked deletions are gone."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from ..core import registry
from ..core.errors import UnreadableSource
from .extracts import Archive, Extract, bytes_of, known, xml
from .markup import read_markup
from .webpages import language

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

XML = 48 << 20  # bytes of all its XML, of which trees are made: fifty novels


def read_docx(path: Path, _encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a Word file is: insertions taken, deletions left out, notes at its end.

    Raises
    ------
    UnreadableSource : it is encrypted, damaged, not DOCX, or far too large
    MissingExtra : mammoth is not installed
    """
    with Archive(path, "a Word file (.docx)") as archive:
        names = archive.names()
        if "word/document.xml" not in names and not any(name.startswith("word/document") for name in names):
            raise UnreadableSource("it is a ZIP archive, but not a Word file; rename it")
        bytes_of_xml = sum(archive.size(name) for name in names if name.endswith((".xml", ".rels")))
        if bytes_of_xml > XML:
            raise UnreadableSource(f"unpacked, its XML has {bytes_of_xml >> 20:,} MB; at most {XML >> 20} are read")
        core = {each.tag: (each.text or "").strip() for each in xml(archive.read("docProps/core.xml")).iter()}
    convert = registry.load("mammoth:convert_to_html")
    # pictures are left behind; so are their bytes, which would come as text
    html = convert(BytesIO(bytes_of(path)), convert_image=lambda _: []).value
    text = read_markup(html).text.replace("↑", "")
    metadata = known(
        type="docx", title=core.get("title"), author=core.get("creator"), date=core.get("created", "")[:10],
        language=language(core.get("language")),
    )  # fmt: skip
    yield Extract(text.strip(), metadata)
