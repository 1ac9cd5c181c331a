"""Columns: the cells of a row in, a Document out. Says which column is the id, which are text, which are metadata."""

from __future__ import annotations

import base64
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.content import storable
from ..core.errors import DataError, UnreadableSource
from ..core.geometry import LATITUDES, LONGITUDES
from ..core.types import Document
from .media import media_of, read_media
from .source import Source, printable
from .walk import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..core.types import Content, Modality, Problem, Recording

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
OBJECT = "metadata"  # the name of an object that is metadata and no text
DEGREES = frozenset((*LATITUDES, *LONGITUDES))  # columns of numbers, whatever zeros a fixed number of decimals ends in


class BadRow(Exception):
    """A row that cannot become a Document; the message is the reason. Never leaves this room."""


class _Plan(NamedTuple):
    """Places of the columns in a row."""

    id: int
    text: tuple[int, ...]
    metadata: tuple[int, ...]
    named: tuple[tuple[str, int], ...]


class Columns:
    """`llm`'s rule, and what goes beyond it.

    The first column is the id, all others joined by a space are the text; an empty cell leaves its place empty. Columns
    of metadata and of named vectors are no text; where text columns are named, nothing else is text. Where none is named,
    an object called `metadata` is the metadata, as `cosimo code --metadata` and `export` write it.

    Parameters
    ----------
    id_column, text_columns, metadata_columns : names; None means the rule above
    named_columns : name of vectors → the column they are made of

    Raises
    ------
    UnreadableSource : text columns are named, but none
    """

    def __init__(
        self,
        *,
        id_column: str | None = None,
        text_columns: Sequence[str] | None = None,
        metadata_columns: Sequence[str] | None = None,
        named_columns: Mapping[str, str] | None = None,
    ) -> None:
        if text_columns is not None and not text_columns:
            raise UnreadableSource("the list of text columns is empty; name at least one, or leave it out")
        self._id = id_column
        self._text = text_columns
        self._metadata = tuple(metadata_columns or ())
        self.named = dict(named_columns or {})
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def check(self, names: Sequence[str], source: str) -> None:
        """Refuse a table whose header lacks a column that was named, or has none for the text.

        Raises
        ------
        UnreadableSource : names the column, and those that are there
        """
        for wanted in filter(None, (self._id, *(self._text or ()), *self._metadata, *self.named.values())):
            if wanted not in names:
                raise UnreadableSource(f"{source} has no column '{wanted}'; it has: {', '.join(names)}")
        if not self._planned(tuple(names)).text:
            raise UnreadableSource(f"{source} has no column for the text beside the id; it has: {', '.join(names)}")

    def document(self, names: Sequence[str], values: Sequence[Any], *, typed: bool = True) -> Document:
        """The Document in a row.

        Parameters
        ----------
        typed : values have types of their own (JSON, SQL); else metadata that reads as a plain number becomes one

        Raises
        ------
        BadRow : no id, or bytes beside text
        """
        whole: Mapping[str, Any] | None = None
        place = self._whole(names, values)
        if place is not None:
            whole = values[place]
            names, values = [*names[:place], *names[place + 1 :]], [*values[:place], *values[place + 1 :]]
        plan = self._planned(tuple(names))
        id = _id_text(values[plan.id], names[plan.id])
        content = _content([values[i] for i in plan.text], [names[i] for i in plan.text])
        metadata = {
            names[i]: _plain(values[i]) if typed else number(values[i], exact=names[i] not in DEGREES) for i in plan.metadata
        }
        named = {name: _content([values[i]], [names[i]]) for name, i in plan.named}
        return Document(id, content, (_plain(whole) if whole is not None else metadata) or None, named or None)

    def _whole(self, names: Sequence[str], values: Sequence[Any]) -> int | None:
        """The place of an object that is the metadata as a whole; None where there is none, or columns were named."""
        if OBJECT not in names or self._text is not None or self._metadata:
            return None
        place = names.index(OBJECT)
        return place if isinstance(values[place], dict) and len(names) > 2 else None

    def _planned(self, names: tuple[str, ...]) -> _Plan:
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) > 1000:  # objects with ever new keys
                self._plans.clear()
            plan = self._plans[names] = self._plan(names)
        return plan

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        if not names:
            raise BadRow("it is empty")
        if self._id is None:
            self._id = names[0]  # of the first row: objects may list their keys in another order later
        if self._id not in names:
            raise BadRow(f"it has no '{self._id}', the column of the ids")
        place = {name: i for i, name in enumerate(names)}
        id = place[self._id]
        metadata = tuple(place[name] for name in self._metadata if name in place)
        named = tuple((name, place[column]) for name, column in self.named.items() if column in place)
        if self._text is None:
            other = {id, *metadata, *(i for _, i in named)}
            return _Plan(id, tuple(i for i in range(len(names)) if i not in other), metadata, named)
        text = tuple(place[name] for name in self._text if name in place)
        if not text:
            raise BadRow(f"it has none of the columns for the text: {', '.join(self._text)}")
        return _Plan(id, text, metadata, named)


class Cells:
    """The cells that some named vectors are made of; `unread_by` says what their model reads, as that of a `Source` does."""

    unread_by: Callable[[Modality], str | None] | None = None


class RowSource(Source):
    """What files of rows and queries share: columns → Documents, bad rows reported and passed over.

    Attributes
    ----------
    cells : name of vectors → what their model reads
    folder : in which the files lie whose names are in cells
    """

    folder = Path()

    def __init__(
        self,
        name: str,
        columns: Columns,
        *,
        prefix: str = "",
        prepend: str = "",
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        super().__init__(prefix=prefix, prepend=prepend, on_problem=on_problem)
        self.name = printable(name)
        self._columns = columns
        self.cells = {name: Cells() for name in columns.named}

    def _row(self, where: str, names: Sequence[str], values: Sequence[Any], *, typed: bool = True) -> Document | None:
        """The Document in one row, or None after saying why not."""
        try:
            found = self._columns.document(names, values, typed=typed)
        except BadRow as error:
            self._report(where, str(error))
            return None
        made = self._made(found.id, found.content, found.metadata)
        return replace(made, named=dict(self._named(where, found.named))) if found.named else made

    def _named(
        self, where: str, cells: Mapping[str, Content | Recording | None]
    ) -> Iterator[tuple[str, Content | Recording | None]]:
        """What is named of a row: a file, where the model reads such ones and the cell is the name of one; else the cell."""
        for name, cell in cells.items():
            ask = self.cells[name].unread_by or _unread_as_text
            kind = media_of(cell) if isinstance(cell, str) else None
            found: Content | Recording | None = None
            try:
                if isinstance(cell, str) and kind is not None and ask(kind) is None:
                    found = read_media(self.folder / cell)[0]
                elif not isinstance(cell, str) or not cell.strip() or (unread := ask("text")) is None:
                    found = cell
                else:
                    self._report(where, f"{name}: {unread}", came=True)
            except OSError as error:
                self._report(where, f"{name}: {cell!r}: {why(error, 'there is no such file')}", came=True)
            except DataError as error:
                self._report(where, f"{name}: {cell!r}: {error}", came=True)
            yield name, found

    def _id_start(self, name: str) -> str:
        """A row that cannot be read may have had any id."""
        return ""


class NamedColumn:
    """What a source has under one name, as documents by themselves."""

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name

    def __iter__(self) -> Iterator[Document]:
        for document in self._source:
            if document.named and self._name in document.named:
                yield Document(document.id, document.named[self._name])

    @property
    def unread_by(self) -> Callable[[Modality], str | None] | None:
        """As that of a `Source`."""
        return self._cells.unread_by

    @unread_by.setter
    def unread_by(self, ask: Callable[[Modality], str | None]) -> None:
        self._cells.unread_by = ask

    @property
    def _cells(self) -> Cells:
        return self._source.cells[self._name] if isinstance(self._source, RowSource) else Cells()


def _unread_as_text(kind: Modality) -> str | None:
    """What is said where nobody says what a model reads."""
    return None if kind == "text" else "not a text"


def unique(names: Sequence[str]) -> list[str]:
    """Names of a header, each once: the second `a` is `a_2`, a nameless third column is `column_3`."""
    found: list[str] = []
    for place, name in enumerate(names, 1):
        bare = base = name.strip() or f"column_{place}"
        count = 1
        while bare in found:
            count += 1
            bare = f"{base}_{count}"
        found.append(bare)
    return found


def number(cell: str, *, exact: bool = True) -> Any:
    """A cell of a text table: a number where it reads as one and writes back the same (`12`, `-3.5`; not `007`, `3.10`).

    Not `exact`, `3.10` is one too.
    """
    if not NUMBER.fullmatch(cell):
        return storable(cell)
    value = float(cell) if "." in cell else int(cell) if len(cell) < 19 else cell  # SQLite's integers end at 19 digits
    return value if not exact or str(value) == cell else cell


def as_text(value: Any) -> str:
    """A value as a person would read it: `true`, `a, b`, `size: 3, colour: red`; nothing for a missing one."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {as_text(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(as_text(each) for each in value)
    return str(value)


def _id_text(value: Any, name: str) -> str:
    if isinstance(value, bytes | list | dict):
        kind = {bytes: "binary", list: "a list"}.get(type(value), "an object")
        raise BadRow(f"its id '{name}' is {kind}, not a text or number")
    id = storable(as_text(value))
    if not id:
        raise BadRow(f"its id '{name}' is empty")
    if "\0" in id:
        raise BadRow(f"its id '{name}' holds a NUL, which databases cannot store")
    return id


def _content(values: list[Any], names: list[str]) -> Content:
    """One column of bytes is binary content; everything else is text."""
    if len(values) == 1 and isinstance(values[0], bytes):
        return values[0]
    for value, name in zip(values, names, strict=True):
        if isinstance(value, bytes):
            raise BadRow(f"its column '{name}' holds bytes; to embed them, make it the only text column")
    try:
        return storable(" ".join(map(as_text, values)))
    except RecursionError:
        raise BadRow("it is nested too deeply") from None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: bytes as base64, no NaN, no half characters; structure stays."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        if isinstance(value, dict):
            return {storable(key): _plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [_plain(each) for each in value]
    except RecursionError:
        raise BadRow("it is nested too deeply") from None
    return value
