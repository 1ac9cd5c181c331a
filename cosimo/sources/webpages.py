"""Webpages: HTML in, its main text with title, author, date and language out. Navigation, banners and comments stay behind."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from ..core import registry
from ..core.errors import UnreadableSource
from .charsets import declared, decode_declared
from .extracts import Extract, bytes_of, known, sign
from .markup import Page, parsable, read_markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

QUIET = logging.NullHandler()
# trafilatura reads 15,000 elements in 0.4 s, but 200,000 <span> of a paragraph in 30, and 28,000 elements at 200 levels in 14.
# Its tree ends at 256 levels
MOST_ELEMENTS = 30_000
MOST_LEVELS = 1_000_000  # elements times the depth of the deepest
DEEPEST = 240
SHORT = 250  # characters of a main text that may be the wrong part of the page
LEAST = 0.1  # of what the page shows: with less, it is an overview or a thread, of which one part was taken for all
DATES = ("article:published_time", "date", "dc.date", "dcterms.created", "dc.date.issued", "citation_publication_date")
# trafilatura's own XML → HTML. Its HTML and Markdown tell no code in a line from a block of it, and put \\ before each _
HEADING = re.compile(r'<head rend="(h[1-6])">(.*?)</head>', re.DOTALL)
BLOCK_OF_CODE = re.compile(r"<code>([^<]*\n[^<]*)</code>")
TAGS = {"list": "ul", "item": "li", "row": "tr", "cell": "td", "lb": "br", "quote": "blockquote"}
TAG = re.compile(rf"(</?)({'|'.join(TAGS)})(?=[ />])")
NOT_SHOWN = ["//template", "//*[@hidden]", "//*[contains(translate(@style, 'DISPLAYNOE ', 'displaynoe'), 'display:none')]"]
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=$|[-_])")


def read_page(path: Path, encodings: Sequence[str] = ()) -> Iterator[Extract]:
    """The one document that a web page is.

    Raises
    ------
    UnreadableSource : it is something else, or in an encoding that cannot be told
    MissingExtra : trafilatura or lxml is not installed
    """
    data = bytes_of(path)
    other = sign(data[:1024])
    if other not in (None, "a web page"):
        raise UnreadableSource(f"it is not a web page but {other}; rename it")
    html = parsable(decode_declared(data, declared(data), encodings))
    page = read_markup(html, around=False)
    text = _main(html, page)
    title = page.title or page.meta.get("og:title", "")
    yield Extract(titled(title, text), facts(page, title))


def titled(title: str, text: str) -> str:
    """The text below its title, where no heading says it."""
    if not title or not text or text.startswith("# ") or "\n# " in text:
        return text
    return f"# {title}\n\n{text}"


def facts(page: Page, title: str) -> dict[str, Any]:
    """What a page says about itself, as metadata."""
    date = next((page.meta[name] for name in DATES if page.meta.get(name)), None)
    author = page.meta.get("author") or page.meta.get("dc.creator")
    return known(type="html", title=title, author=author, date=date, language=language(page.language))


def language(tag: str | None) -> str | None:
    """The language of a tag such as `de-CH`: `de`, as filters ask for it."""
    found = LANGUAGE.match((tag or "").strip())
    return found[0].lower() if found else None


def _main(html: str, page: Page) -> str:
    """The main text; all that the page shows where that cannot be told from the rest."""
    if page.elements > MOST_ELEMENTS or page.depth > DEEPEST or page.elements * page.depth > MOST_LEVELS:
        return page.text
    extract = registry.load("trafilatura:extract")
    logging.getLogger("trafilatura").addHandler(QUIET)  # else a page without a main text is an error on stderr
    # fast: not compared with what readability and jusText find, which takes half as long again and changed next to nothing.
    # favor_recall: of release notes and manuals, the text without it was half, and headings were lost
    found = extract(
        html, output_format="xml", fast=True, favor_recall=True, include_comments=False, include_formatting=False,
        prune_xpath=NOT_SHOWN,
    )  # fmt: skip
    main = read_markup(_as_html(found)).text if found else ""
    whole = len(page.text)
    if len(main) < LEAST * whole or (len(main) < SHORT and len(main) < whole / 2):
        return page.text
    return main


def _as_html(found: str) -> str:
    found = BLOCK_OF_CODE.sub(r"<pre>\1</pre>", HEADING.sub(r"<\1>\2</\1>", found))
    return TAG.sub(lambda match: match[1] + TAGS[match[2]], found)
