"""PDF: a file in, its text out, with the places where its pages begin and the pages that are pictures. Reads no pictures."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..core import registry
from ..core.errors import UnreadableSource
from .extracts import Extract, known, refuse
from .reading_order import Box, page_text, tidied
from .running_lines import without_running_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECONDS = 300.0  # for one file; 10,000 full pages take 70
CHARACTERS = 100_000_000  # of one file
FEW = 50  # characters on a page that is a picture all the same: a stamp, a page number
COVERED = 0.5  # of a page by pictures, for it to be a scanned one
PLACEHOLDERS = frozenset(
    {"untitled", "(anonymous)", "anonymous", "unknown", "(unspecified)"}
)  # of programs, for no title and no author
APART = "\n\n"  # between pages: a place to cut, so that most passages are on one page


def read_pdf(path: Path, _encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a PDF is; `page_starts` in its metadata says where in the text each page begins.

    Raises
    ------
    UnreadableSource : it is encrypted, damaged, a set of pictures, or takes too long
    MissingExtra : pypdfium2 is not installed
    """
    with closing(_opened(path)) as pdf:
        read, scanned, broken = _pages(pdf)
        facts = pdf.get_metadata_dict()
    pages = [tidied(page) for page in without_running_lines(read)]
    if broken and not any(pages):
        raise UnreadableSource("it is damaged: none of its pages can be read")
    if scanned and all(number in scanned or not text for number, text in enumerate(pages, 1)):
        some = f"its {len(pages):,} pages are pictures" if len(pages) > 1 else "its page is a picture"
        raise UnreadableSource(f"{some} without text; recognise the text first (for one, with ocrmypdf)")
    starts, at = [], 0
    for text in pages:
        starts.append(at)
        at += len(text) + len(APART)
    metadata = known(
        type="pdf", title=_said(facts, "Title"), author=_said(facts, "Author"), date=_date(facts),
        pages=len(pages), page_starts=starts, scanned_pages=scanned,
    )  # fmt: skip
    yield Extract(APART.join(pages), metadata, missing=_missing(scanned, broken))


def _opened(path: Path) -> Any:
    """PDFium's document. It reads from the file as it needs."""
    document = registry.load("pypdfium2:PdfDocument")
    error_class = registry.load("pypdfium2:PdfiumError")
    with path.open("rb") as file:
        head = file.read(1024)
    if b"%PDF-" not in head:
        raise refuse("a PDF", head)
    try:
        return document(path)
    except error_class as error:
        if getattr(error, "err_code", None) == registry.load("pypdfium2.raw:FPDF_ERR_PASSWORD"):
            raise UnreadableSource("it is encrypted; save a copy without its password") from error
        raise UnreadableSource("it is damaged: no PDF can be made out in it") from error


def _pages(pdf: Any) -> tuple[list[str], list[int], list[int]]:
    """The lines of each page, and the numbers, from 1, of those that are pictures and those that are damaged."""
    error_class = registry.load("pypdfium2:PdfiumError")
    texts: list[str] = []
    scanned, broken, characters, began = [], [], 0, time.monotonic()
    for number in range(1, len(pdf) + 1):
        try:
            with closing(pdf[number - 1]) as page:
                texts.append(_text(page))
                if len(texts[-1]) <= FEW and _is_picture(page, empty=not tidied(texts[-1])):
                    scanned.append(number)
        except error_class:
            texts.append("")
            broken.append(number)
        characters += len(texts[-1])
        if characters > CHARACTERS:
            raise UnreadableSource(f"it has more than {CHARACTERS:,} characters; split it")
        if time.monotonic() - began > SECONDS:
            raise UnreadableSource(f"its first {number:,} pages took more than {SECONDS:.0f} s; split it")
    return texts, scanned, broken


def _text(page: Any) -> str:
    with closing(page.get_textpage()) as text:
        return page_text(text, Box(*page.get_bbox()))


def _is_picture(page: Any, *, empty: bool) -> bool:
    """Whether pictures cover most of a page, or, where it has no text at all, whether anything is drawn on it."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    if empty:
        return next(page.get_objects(max_depth=1), None) is not None
    width, height = page.get_size()
    covered = 0.0
    for image in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = image.get_bounds()
        covered += max(min(right, width) - max(left, 0), 0) * max(min(top, height) - max(bottom, 0), 0)
    return bool(covered > COVERED * width * height)


def _said(facts: dict[str, str], name: str) -> str:
    value = " ".join(facts.get(name, "").replace("\0", "").split())
    return "" if value.lower() in PLACEHOLDERS else value


def _date(facts: dict[str, str]) -> str | None:
    """`D:20250208122313Z` as `2025-02-08`; the zone of a file's making is rarely true, so the day is enough."""
    digits = facts.get("CreationDate", "").removeprefix("D:")[:8]
    year, month, day = digits[:4], digits[4:6] or "01", digits[6:8] or "01"
    if not (digits.isascii() and digits.isdigit() and len(digits) >= 4 and "01" <= month <= "12" and "01" <= day <= "31"):
        return None
    return f"{year}-{month}-{day}"


def _missing(scanned: Sequence[int], broken: Sequence[int]) -> str:
    """Which pages hold no text to read, as a sentence; empty where all do."""
    parts = [
        f"page{'s' * (len(numbers) > 1)} {_ranges(numbers)} {what}"
        for numbers, what in ((scanned, "without text, scanned"), (broken, "damaged"))
        if numbers
    ]
    return "; ".join(parts) + "; the rest is read" if parts else ""


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 as `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
