"""Tables: CSV, TSV, JSON and NDJSON in, one Document a row out. Which cell is what is in `columns`; SQL is in `queries`."""

from __future__ import annotations

import io
import json
import sys
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..core.errors import UnreadableSource
from .columns import Columns, RowSource, unique
from .delimited import find_delimiter, rows
from .pipes import HEAD, Rejoined, first_bytes
from .text import encoding_of, known_encodings, repaired, stream_encoding
from .walk import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..core.types import Document, Problem

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
FORMATS = {"csv": "csv", "tsv": "tsv", "json": "json", "ndjson": "ndjson", "jsonl": "ndjson", "nl": "ndjson"}


class Table(RowSource):
    """The rows of a file or a pipe as Documents.

    Parameters
    ----------
    source : a path, "-" for standard input, or a binary stream; a stream is read as it comes and can be read once
    format : csv, tsv, json, ndjson (also: jsonl, nl); None goes by the name's ending, then by the content
    encodings : tried in order where the text is not UTF-8, before one is detected
    id_column, text_columns, metadata_columns, named_columns : see `Columns`; names of files are relative to the table
    prefix, prepend : put before every id, before every text
    on_problem : called with each row that cannot be used (`rows.csv:17`); the run goes on

    CSV, TSV and NDJSON stream: memory stays flat. JSON is one list of objects, or an object that holds one; it is parsed as
    a whole before the first row comes, so that nothing of a file cut in half is used.

    A row with more or fewer cells than the header is reported: cells that slid would give wrong texts under wrong ids. Metadata
    in CSV becomes a number where it reads as a plain one. Line ends inside cells become "\\n", as `llm` reads them.

    Raises
    ------
    UnreadableSource : no such file, nothing in it, not that format, an unknown column or encoding
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        format: str | None = None,
        encodings: Sequence[str] = (),
        id_column: str | None = None,
        text_columns: Sequence[str] | None = None,
        metadata_columns: Sequence[str] | None = None,
        named_columns: Mapping[str, str] | None = None,
        prefix: str = "",
        prepend: str = "",
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        self._stream: BinaryIO | None = None
        if isinstance(source, str | Path) and str(source) != "-":
            self.path: Path | None = Path(source).expanduser()
            name = str(source)
        else:
            self.path = None
            self._stream = sys.stdin.buffer if isinstance(source, str | Path) else source
            name = "stdin" if self._stream is sys.stdin.buffer else str(getattr(self._stream, "name", "stream"))
        columns = Columns(
            id_column=id_column, text_columns=text_columns, metadata_columns=metadata_columns, named_columns=named_columns
        )
        super().__init__(name, columns, prefix=prefix, prepend=prepend, on_problem=on_problem)
        self.folder = self.path.parent if self.path else self.folder
        if format is not None and format not in FORMATS:
            raise UnreadableSource(f"no format is called '{format}'; known are csv, tsv, json and ndjson")
        ending = ENDINGS.get(self.path.suffix.lower()) if self.path else None
        self.format = FORMATS[format] if format else ending
        self._encodings = known_encodings(encodings)

    @property
    def label(self) -> str | None:
        """The file; pipes cannot be told apart, so they have none."""
        return f"table {self.path.resolve().as_posix()} {self.prefix}".rstrip() if self.path else None

    @property
    def size(self) -> int | None:
        """About how many rows: lines of a CSV or NDJSON file, counted at a gigabyte a second; None for JSON and pipes."""
        if self.path is None or self.format in (None, "json"):
            return None
        try:
            lines = sum(chunk.count(b"\n") for chunk in self._chunks(self.path))
        except OSError:
            return None
        return max(lines - (self.format != "ndjson"), 0)

    def _documents(self) -> Iterator[Document]:
        try:
            with self._opened() as text:
                yield from self._read(text)
        except OSError as error:
            raise UnreadableSource(f"{self.name} cannot be read: {why(error, 'there is no such file')}") from error
        except UnicodeError as error:
            reason = f"part of it is not {getattr(error, 'encoding', 'text')}"
            raise UnreadableSource(f"{self.name} cannot be read: {reason}; declare its encoding with --encoding") from error

    def _opened(self) -> io.TextIOWrapper:
        """The source as text, line ends as "\\n"; bytes that are no text come as surrogates, for their row to be reported."""
        try:
            if self.path is None:
                assert self._stream is not None
                head = first_bytes(self._stream)
                encoding = stream_encoding(head, self._encodings)
                raw: BinaryIO = io.BufferedReader(Rejoined(head, self._stream), HEAD)
            else:
                path = self.path
                encoding = encoding_of(lambda: self._chunks(path), self._encodings)
                raw = path.open("rb")
        except UnreadableSource as error:
            reason = str(error).partition("; ")[0]  # what follows speaks of files
            raise UnreadableSource(f"{self.name} cannot be read: {reason}; declare its encoding with --encoding") from None
        return io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape")

    @staticmethod
    def _chunks(path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk

    def _read(self, text: io.TextIOWrapper) -> Iterator[Document]:
        """Documents in a text of whatever format."""
        first, blank = "", 0
        for first in text:
            if first.strip():
                break
            blank += 1
        if not first.strip():
            raise UnreadableSource(f"{self.name} is empty; check where it comes from")
        lines = chain([first], text)
        start = first.lstrip()[0]
        if self.format == "ndjson":
            return self._ndjson(lines, blank)
        if self.format == "json" or (self.format is None and start in "[{"):
            if start == "{" and _is_object(first):
                more = list(_until_filled(text))
                if more and more[-1].strip():
                    return self._ndjson(chain([first], more, text), blank)
                lines = chain([first])
            return self._json("".join(lines))
        return self._delimited(lines, blank)

    def _ndjson(self, lines: Iterable[str], blank: int) -> Iterator[Document]:
        for number, line in enumerate(lines, blank + 1):
            if not line.strip():
                continue
            where = f"{self.name}:{number}"
            fixed = repaired(line, self._encodings)
            if fixed is None:
                self._report(where, "it is not in the encoding of the rest")
                continue
            try:
                item = json.loads(fixed)
            except (ValueError, RecursionError) as error:
                self._report(where, f"it is not JSON: {_json_reason(error)}")
                continue
            yield from self._item(where, item)

    def _json(self, text: str) -> Iterator[Document]:
        fixed = repaired(text, self._encodings)
        if fixed is None:
            raise UnreadableSource(f"{self.name} is not all in one encoding; repair it, or declare it with --encoding")
        try:
            found = json.loads(fixed)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(f"{self.name} is no JSON, or cut off: {_json_reason(error, line=True)}") from error
        for number, item in enumerate(self._items(found), 1):
            yield from self._item(f"{self.name}:item {number}", item)

    def _items(self, found: Any) -> list[Any]:
        """The list in a JSON file: itself, or the only list of objects in an object; an object without one is a row."""
        if isinstance(found, list):
            return found
        if not isinstance(found, dict):
            raise UnreadableSource(f"{self.name} holds a single value, not a list of objects with an id and a text")
        lists = [key for key, value in found.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(lists) > 1:
            raise UnreadableSource(f"{self.name} holds several lists ({', '.join(lists)}); keep the one to embed")
        return found[lists[0]] if lists else [found]

    def _item(self, where: str, item: Any) -> Iterator[Document]:
        if not isinstance(item, dict):
            self._report(where, "it is not an object with an id and a text")
            return
        made = self._row(where, tuple(item), tuple(item.values()))
        if made is not None:
            yield made

    def _delimited(self, lines: Iterator[str], blank: int) -> Iterator[Document]:
        head = list(islice(lines, 20 if self.path else 1))  # a pipe may give its next line much later
        delimiter = find_delimiter(head, "\t" if self.format == "tsv" else ",")
        table = rows(chain(head, lines), delimiter)
        header = next(table)[1]
        if header is None:
            raise UnreadableSource(f"{self.name}: a quote opened in the header is never closed")
        names = unique([repaired(name, self._encodings) or "" for name in header])
        self._columns.check(names, self.name)
        for number, cells in table:
            where = f"{self.name}:{number + blank}"
            fixed = None if cells is None else [repaired(cell, self._encodings) for cell in cells]
            if fixed is None:
                self._report(where, "a quote opened in this row is never closed; what follows it was not read")
            elif len(fixed) != len(names):
                self._report(where, f"it has {len(fixed)} cells, the header has {len(names)}")
            elif None in fixed:
                self._report(where, "it is not in the encoding of the rest")
            elif (made := self._row(where, names, fixed, typed=False)) is not None:
                yield made


def _until_filled(lines: Iterable[str]) -> Iterator[str]:
    """Lines up to and with the first that is not blank."""
    for line in lines:
        yield line
        if line.strip():
            return


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_reason(error: Exception, *, line: bool = False) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        place = f"line {error.lineno}, column {error.colno}" if line else f"column {error.colno}"
        return f"{error.msg[:1].lower()}{error.msg[1:]} at {place}"
    return "it holds a number of more digits than can be read"  # Python stops at 4,300
