"""Markup: HTML in, its text out with headings, lists and tables as Markdown marks them. Leaves out what is not shown.

Reads tags as they come and builds no tree: depth costs nothing (libxml2's tree ends at 256 levels, and loses what follows).
No network and no file is ever touched: nothing a page refers to is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "legend", "main", "menu", "nav", "ol",
    "optgroup", "option", "p", "section", "summary", "table", "tbody", "tfoot", "thead", "ul",
})  # fmt: skip
UNSEEN = frozenset({
    "audio", "button", "canvas", "datalist", "embed", "iframe", "map", "noframes", "noscript", "object", "script", "select",
    "style", "svg", "template", "video",
})  # fmt: skip
AROUND = frozenset({"aside", "dialog", "footer", "nav"})  # what stands around the text of a web page; parts of a book's
LISTS = frozenset({"dir", "menu", "ol", "ul"})
CELLS = frozenset({"td", "th"})
LAYOUT = frozenset({*HEADINGS, "li", "pre", "table"})  # in a cell of a table that only arranges a page
FENCE = "```"
INDENTS = 8  # of items of lists in lists
TITLE = 300  # characters: one that is never closed ends somewhere
SOFT_HYPHEN = "\u00ad"  # where a word may be cut; it is not shown, and the word would not be found
BREAK = "\v"  # what <br> is until its block ends
WIDE = r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
BETWEEN_WIDE = re.compile(rf"(?<={WIDE})[ \t]*\n\s*(?={WIDE})")  # a line end of the source: Chinese has no spaces
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
LONG_TAG = re.compile(
    r"(<[a-zA-Z][\w:-]*)[^<>]{100000,}"
)  # libxml2 compares each attribute with all others: minutes for 200,000


@dataclass(slots=True)
class Page:
    """What a page says: its text, and what it says about itself."""

    text: str = ""
    title: str = ""
    language: str = ""  # as declared: `de-CH`
    meta: dict[str, str] = field(default_factory=dict)  # name or property in small letters → content; the first one counts
    elements: int = 0
    depth: int = 0


def read_markup(html: str, *, around: bool = True) -> Page:
    """The text of a page or of a piece of one.

    Parameters
    ----------
    around : with navigation, asides and footers

    Raises
    ------
    MissingExtra : lxml is not installed
    """
    etree_parser = registry.load("lxml.etree:HTMLParser")
    etree_error = registry.load("lxml.etree:LxmlError")
    reader = _Reader(around)
    parser = etree_parser(target=reader, encoding="utf-8", no_network=True, huge_tree=True, remove_pis=True)
    try:
        parser.feed(parsable(html).encode("utf-8", "replace"))
        parser.close()
    except etree_error:  # a page of nothing but a comment, for one: what was read until then counts
        reader.close()
    return reader.page


def parsable(html: str) -> str:
    """The same page without NULs, and without the attributes of tags of 100,000 characters: pictures, or malice."""
    return LONG_TAG.sub(r"\1", html.replace("\0", ""))


class _Reader:
    """Takes what lxml's parser tells, tag by tag. It closes every tag it opens, whatever the page does."""

    def __init__(self, around: bool) -> None:
        self.page = Page()
        self._unseen = UNSEEN if around else UNSEEN | AROUND
        self._blocks: list[str] = []
        self._words: list[str] = []  # of the block that is being read
        self._mark = ""  # before it: "## " or "- "
        self._lists = 0  # how many are open
        self._skipped = 0  # open tags since one whose text is not shown
        self._open = 0
        self._fenced = 0  # open <pre>
        self._cells: list[str] | None = None  # of the table's row that is being read
        self._title: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._open += 1
        self.page.elements += 1
        self.page.depth = max(self.page.depth, self._open)
        if self._skipped or tag in self._unseen or _is_hidden(tag, attributes):
            self._skipped += 1
        elif tag == "title" and not self.page.title:
            self._title = []
        elif tag == "meta":
            self._remember(attributes)
        elif tag == "html":
            self.page.language = attributes.get("lang") or attributes.get("xml:lang") or ""
        elif tag == "br":
            self._words.append("\n" if self._fenced else BREAK)
        elif tag == "tr":
            self._end_row()
            self._end_block()
            self._cells = []
        elif tag in CELLS:
            self._end_cell()
        else:
            self._start_block(tag)

    def _start_block(self, tag: str) -> None:
        if tag in LAYOUT:
            self._end_row()
        if tag == "pre":
            self._fenced += 1
        if tag in LISTS:
            self._lists += 1
        if tag in BLOCKS or tag in HEADINGS or tag in ("li", "pre"):
            self._end_block()
        if tag in HEADINGS:
            self._mark = "#" * HEADINGS[tag] + " "
        elif tag == "li":
            self._mark = "  " * min(max(self._lists - 1, 0), INDENTS) + "- "

    def end(self, tag: str) -> None:
        self._open -= 1
        if self._skipped:
            self._skipped -= 1
        elif tag == "title" and self._title is not None:
            self.page.title, self._title = _one_line("".join(self._title))[:TITLE], None
        elif tag == "tr":
            self._end_row()
        elif tag in CELLS:
            self._end_cell()
        elif tag in BLOCKS or tag in HEADINGS or tag in ("li", "pre"):
            self._end_block()
            self._mark = "" if tag in HEADINGS or tag == "li" else self._mark
        if not self._skipped:
            self._fenced = max(self._fenced - (tag == "pre"), 0)
            self._lists = max(self._lists - (tag in LISTS), 0)

    def data(self, text: str) -> None:
        if self._title is not None:
            self._title.append(text)
        elif not self._skipped:
            self._words.append(text.replace(SOFT_HYPHEN, ""))

    def comment(self, text: str) -> None:
        """Comments are not shown."""

    def close(self) -> Page:
        self._end_row()
        self._end_block()
        self.page.text = _joined(self._blocks)
        self._blocks = []
        return self.page

    def _remember(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("name") or attributes.get("property") or attributes.get("http-equiv") or ""
        self.page.meta.setdefault(name.lower(), _one_line(attributes.get("content") or ""))

    def _end_block(self) -> None:
        whole, self._words = "".join(self._words), []
        if self._cells is not None:  # paragraphs in a cell stay on its line
            self._words = [f"{whole} "] if whole.strip() else []
            return
        mark, self._mark = self._mark, ""
        if self._fenced:
            if whole.strip():
                fence = FENCE
                while fence in whole:
                    fence += "`"
                self._blocks.append(f"{fence}\n{whole.strip(chr(10)).rstrip()}\n{fence}")
            return
        text = _lines(whole, one=mark.startswith("#"))
        if mark.startswith("#"):
            text = text.rstrip("¶ ")  # the link to itself that documentation puts behind headings
        if text:
            self._blocks.append(mark + text)
        elif mark:
            self._mark = mark  # <li><p>text: the mark waits for its text

    def _end_cell(self) -> None:
        text, self._words = _one_line("".join(self._words)), []
        if text and self._cells is not None:
            self._cells.append(text)
        elif text:
            self._words = [text]
            self._end_block()

    def _end_row(self) -> None:
        if self._cells is None:
            return
        self._end_cell()
        cells, self._cells = self._cells, None
        if cells:
            self._blocks.append("| " + " | ".join(cells) if len(cells) > 1 else cells[0])


def _is_hidden(tag: str, attributes: Mapping[str, str]) -> bool:
    return tag not in ("html", "body") and ("hidden" in attributes or bool(HIDDEN.search(attributes.get("style", ""))))


def _lines(text: str, *, one: bool) -> str:
    """Text as a browser shows it: white space is one space, but for the line ends of <br> where there may be some."""
    lines = [_one_line(line) for line in text.split(BREAK)]
    return " ".join(filter(None, lines)) if one else "\n".join(lines).strip()


def _one_line(text: str) -> str:
    return " ".join(BETWEEN_WIDE.sub("", text).split())


def _joined(blocks: list[str]) -> str:
    """Blocks with an empty line between, items of a list and rows of a table without."""
    parts: list[str] = []
    for number, block in enumerate(blocks):
        together = number and block.lstrip()[:2] in ("- ", "| ") and blocks[number - 1].lstrip()[:2] == block.lstrip()[:2]
        parts += ["\n" if together else "\n\n", block] if number else [block]
    return "".join(parts)
