"""Code: a folder of programs in, one Document a function, method or class out. What those are, is in `definitions`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.errors import DataError, MissingExtra, UnreadableSource
from .definitions import KINDS, definitions
from .files import Files
from .grammars import grammar, grammar_of, header_grammar, language_of, require
from .grammars import languages as languages_known
from .readable import LONGEST, readable
from .source import Source
from .text import decode, known_encodings, unix_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..core.types import Document, Problem
    from .definitions import Definition
    from .grammars import Grammar
    from .walk import Found

SQUEEZED = (10_000, 400)  # characters of a file, and of its average line, from which it is minified and no one's to read
_DECLARED = re.compile(rb"^[ \t\f]*(?:#|//|/\*).*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)  # PEP 263, and Ruby's


class Code(Source):
    """The definitions in the source files below a folder, or in one file, as Documents: id = `package/module.py:Class.method`.

    Metadata holds `file` (relative to the folder), `root` (the folder), `language`, `kind`, `name`, `line` (of the name),
    `start_line` and `end_line` (decorators included), `signature` and `docstring`; the content is what `readable` makes.

    Parameters
    ----------
    folder : a folder, or one file; it is always read, whatever folder it is in
    patterns : which files, as `pathlib.Path.glob`; those with the ending of a language are read
    languages, kinds : only these; none named is all
    longest : characters of a definition that are embedded
    encodings : tried in order where a text is not UTF-8 and does not say what it is
    everything : also hidden and git-ignored files, minified ones, and those with a NUL byte
    prefix, prepend : put before every id, before every text
    on_problem : called with each file that cannot be read, or not wholly; the run goes on

    Raises
    ------
    UnreadableSource : the folder is not there, a pattern cannot be one, an encoding is unknown
    DataError : a language or kind that there is not
    MissingExtra : when it is read, and there is no tree-sitter
    """

    def __init__(
        self,
        folder: str | Path,
        patterns: str | Sequence[str] = "**/*",
        *,
        languages: Sequence[str] = (),
        kinds: Sequence[str] = (),
        longest: int = LONGEST,
        encodings: Sequence[str] = (),
        everything: bool = False,
        prefix: str = "",
        prepend: str = "",
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        super().__init__(prefix=prefix, prepend=prepend, on_problem=on_problem)
        self._files = Files(folder, patterns, everything=everything, prefix=prefix)
        self._languages = _known("language", languages, languages_known())
        self._kinds = _known("kind", kinds, KINDS)
        self._longest = longest
        self._encodings = known_encodings(encodings)
        one = not self._files.folder.is_dir()
        self._everything = everything or one
        self._root = self._files.folder.resolve()
        if one:
            self._root = self._root.parent
        if one and grammar_of(self._files.folder.name) is None:
            raise UnreadableSource(f"{folder} has no ending of a program in {', '.join(languages_known())}")
        self._missing: set[str] = set()

    @property
    def label(self) -> str:
        """Folder, patterns and filters: the same folder read for other definitions is another source."""
        chosen = [*sorted(self._languages), *sorted(self._kinds)]
        return " ".join(["code", *chosen, self._files.label.removeprefix("files ")])

    def _documents(self) -> Iterator[Document]:
        require()
        self._missing = set()
        for found in self._files.found(self._walked, self.left_out):
            name = grammar_of(found.id)
            if name is None or not (self._asked(name) or found.id.endswith(".h")):
                continue
            text = self._text(found)
            if text is None:
                continue
            if found.id.lower().endswith(".h"):
                name = header_grammar(text)
                if not self._asked(name):
                    continue
            reader = self._grammar(name, found)
            if reader is not None:
                yield from self._defined(found, text, reader)

    def _asked(self, grammar: str) -> bool:
        return not self._languages or language_of(grammar) in self._languages

    def _walked(self, name: str, reason: str) -> None:
        """A file that cannot be reached is a problem if it would be read."""
        if grammar_of(name) is not None or name.endswith("/"):
            self._report(name, reason)

    def _text(self, found: Found) -> str | None:
        """What is in a file, or None after saying why not."""
        data = self._bytes(found, self._encodings, binary=self._everything)
        if data is None:
            return None
        text = unix_lines(_decoded(data, self._encodings)).removeprefix("\ufeff")
        if not self._everything and (
            ".min." in found.id or (len(text) > SQUEEZED[0] and len(text) > SQUEEZED[1] * (text.count("\n") + 1))
        ):
            self.left_out["minified"] += 1
            return None
        return text

    def _grammar(self, name: str, found: Found) -> Grammar | None:
        """The grammar, or None after saying what to install: once a language, for none of its files can be read."""
        try:
            return grammar(name)
        except MissingExtra as error:
            if name in self._missing:
                self.problem_count += 1
                self.unread.append(self._id_start(found.id))
            else:
                self._missing.add(name)
                self._report(found.id, str(error))
            return None

    def _defined(self, found: Found, text: str, reader: Grammar) -> Iterator[Document]:
        try:
            inside = definitions(text, reader, longest=self._longest)
        except UnreadableSource as error:
            self._report(found.id, str(error))
            return
        if inside.error is not None and reader.macros and inside.definitions:
            self.left_out["what macros hide"] += (
                1  # most files of C++ are not C++ before the preprocessor: 5,490 of torch's headers
            )
        elif inside.error is not None:
            self._report(found.id, f"it has a syntax error in line {inside.error}; what could be parsed is read")
        for each in inside.definitions:
            if not self._kinds or each.kind in self._kinds:
                yield self._document(found, each, reader.language)

    def _document(self, found: Found, each: Definition, language: str) -> Document:
        metadata = {
            "file": found.id,
            "line": each.line,
            "start_line": each.start,
            "end_line": each.end,
            "name": each.name,
            "kind": each.kind,
            "language": language,
            "signature": each.signature,
            "docstring": each.doc or None,
            "root": self._root.as_posix(),
        }
        return self._made(f"{found.id}:{each.name}", readable(each, language, self._longest), metadata)


def _known(what: str, asked: Sequence[str], there: Sequence[str]) -> frozenset[str]:
    for each in asked:
        if each not in there:
            raise DataError(f"no {what} is called '{each}'; there are: {', '.join(there)}")
    return frozenset(asked)


def _decoded(data: bytes, encodings: Sequence[str]) -> str:
    """A program as text. It is ASCII but for comments and strings, so what no one can tell is read as Latin-1, not refused."""
    declared = [match.decode("ascii", "ignore") for match in _DECLARED.findall(b"\n".join(data[:1000].split(b"\n", 2)[:2]))]
    for tried in ([*declared, *encodings], encodings):  # what is declared may be no encoding at all
        try:
            return decode(data, known_encodings(tried))
        except UnreadableSource:
            continue
    return data.decode("latin-1")
