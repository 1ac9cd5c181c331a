"""Grammars: a file's name → its language, source text → what tree-sitter finds in it. What that is, grammars.toml says."""

from __future__ import annotations

import re
import time
import tomllib
from functools import cache
from importlib import import_module, resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import UnreadableSource
from ..core.registry import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Match = Mapping[str, Sequence[Any]]  # capture → tree_sitter.Node

AT_ONCE = 1 << 16  # bytes; longer texts are read in such slices, because only then can parsing be ended
PATIENCE = (10.0, 8.0)  # seconds, and for each MB: good code takes 0.15 a MB, 4 where it is one line, 25 where it is no code
_EXPORTED = re.compile(  # `class WIDGETS_API Button : public Widget {`, which would be a function called Button, or nothing
    rb"\b((?:class|struct|union)\s+)((?:[A-Z][A-Z0-9_]+(?:\([^()\n]*\))?\s+)+)"
    rb"(?=[A-Za-z_][\w:]*\s*(?:<[^{};]{0,200}>\s*)?(?:final\s*)?[:{])"
)
_CPP = re.compile(r"^\s*(?:class|namespace|template|using|public:|private:|protected:)\b|\bstd::|\bconstexpr\b", re.MULTILINE)


class Parsed(NamedTuple):
    """What is in one text."""

    matches: list[Match]
    error: int | None  # the line of the first thing that is not in the language


class Grammar:
    """A language as tree-sitter reads it; loaded when it is first used.

    Attributes
    ----------
    language : its name, as in metadata
    docstrings : a string in the body documents it, not a comment above
    macros : a preprocessor hides the grammar: errors in good files are usual
    placeholders : parts of names that say nothing: `module.exports.f` is `f`
    """

    def __init__(self, language: str, row: Mapping[str, Any]) -> None:
        import tree_sitter

        self.language = language
        self.docstrings: bool = row.get("docstrings", False)
        self.macros: bool = row.get("macros", False)
        self.placeholders = frozenset(row.get("placeholders", ()))
        made = tree_sitter.Language(getattr(import_module(row["package"]), row["function"])())
        self._parser = tree_sitter.Parser(made)
        self._query = tree_sitter.Query(made, row["query"])

    def parse(self, source: bytes) -> Parsed:
        """The definitions, comments and attributes in a text in UTF-8, each with its captures.

        Raises
        ------
        UnreadableSource : it is not in this language, or takes as long as what is not
        """
        import tree_sitter

        if self.macros:
            source = _EXPORTED.sub(lambda found: found[1] + b" " * len(found[2]), source)
        tree = self._parser.parse(source) if len(source) <= AT_ONCE else self._patiently(source)
        matches: list[Match] = [captured for _, captured in tree_sitter.QueryCursor(self._query).matches(tree.root_node)]
        return Parsed(matches, _first_error(tree.root_node) if tree.root_node.has_error else None)

    def _patiently(self, source: bytes) -> Any:
        allowed = PATIENCE[0] + PATIENCE[1] * len(source) / 1e6
        end = time.monotonic() + allowed
        try:
            return self._parser.parse(
                lambda place, _: source[place : place + AT_ONCE], progress_callback=lambda *_: time.monotonic() > end
            )
        except ValueError:  # how tree-sitter says that it was stopped
            self._parser.reset()
            raise UnreadableSource(f"it could not be parsed in {allowed:.0f} s; it may be no {self.language}") from None


def _first_error(root: Any) -> int:
    """The line of the first error; the deepest node that holds it is found by going down."""
    node = root
    while not (node.is_error or node.is_missing):
        child = next((child for child in node.children if child.has_error or child.is_missing), None)
        if child is None:
            break
        node = child
    line: int = node.start_point[0] + 1
    return line


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = resources.files(__package__).joinpath("grammars.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _endings() -> dict[str, str]:
    return {ending: name for name, row in _rows().items() for ending in row["endings"]} | {".h": "c"}


def languages() -> tuple[str, ...]:
    """The languages that can be read, in the order of the table; a dialect counts as its language."""
    return tuple(name for name, row in _rows().items() if "like" not in row)


def grammar_of(name: str) -> str | None:
    """The grammar for files with the ending of this name; None where none reads them."""
    return _endings().get(PurePosixPath(name).suffix.lower())


def language_of(grammar: str) -> str:
    """The language that a grammar reads: `tsx` reads TypeScript."""
    spoken: str = _rows()[grammar].get("like", grammar)
    return spoken


def header_grammar(text: str) -> str:
    """The grammar for a `.h`, which is C's ending and C++'s: C++ where a line is not C."""
    return "cpp" if _CPP.search(text) else "c"


@cache
def grammar(name: str) -> Grammar:
    """The grammar of this name.

    Raises
    ------
    MissingExtra : its wheel is not installed
    """
    row = _rows()[name]
    if "like" in row:
        row = _rows()[row["like"]] | row
    try:
        return Grammar(language_of(name), row)
    except ModuleNotFoundError as error:
        raise missing(error.name or row["package"]) from error


def require() -> None:
    """Refuse to go on where there is no parser at all.

    Raises
    ------
    MissingExtra : it names the pip line
    """
    try:
        import_module("tree_sitter")
    except ModuleNotFoundError as error:
        raise missing("tree_sitter") from error
