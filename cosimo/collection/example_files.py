"""Example files: texts, or texts and their labels, from whatever `cosimo.read` reads. Learns nothing.

A table's text is its column `text` or `content`; where there is none, all columns but the first and the label, as elsewhere.
Any other file is a text a line.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import UnreadableSource
from .database import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.types import Document
    from ..sources.source import Source

TEXT = ("text", "content")


class ExamplesWarning(UserWarning):
    """Some rows of a file of examples cannot be read."""


class Labelled(NamedTuple):
    """What a file says: (text, label) each; or, where it holds no texts, id → label. And how many rows had no label."""

    examples: list[tuple[str, str]] | None
    labels: dict[str, str] | None
    left_out: int


def is_table(path: str | Path) -> bool:
    """Whether a file is one of rows, by the ending of its name."""
    from ..sources.tables import ENDINGS

    return Path(path).suffix.lower() in ENDINGS


def texts_in(path: str, text: str | None = None) -> list[str]:
    """The texts of a file, empty ones left out.

    Raises
    ------
    UnreadableSource : no such file, or no text in it
    """
    found = [content for _, content in documents_in(path, text)]
    if not found:
        raise UnreadableSource(f"{path} holds no texts; a text a line is wanted, or a table with a column 'text'")
    return found


def documents_in(path: str, text: str | None = None) -> list[tuple[str, str]]:
    """(id, text) of a file; a line's id is its number, from 1."""
    if not is_table(path):
        _refuse_folder(path)
        whole = next(iter(read(path)), None)
        lines = whole.content.splitlines() if whole and isinstance(whole.content, str) else []
        return [(str(number), line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    for column in (text,) if text else TEXT:
        rows = _rows(read(path, text_columns=[column]), also=text is None)
        if rows:
            return _texts(rows)
        rows = _rows(read(path, id_column=column, text_columns=[column]), also=text is None)
        if rows:
            return [(str(number), content) for number, (_, content) in enumerate(_texts(rows), 1)]
    return _texts(list(_all(read(path))))


def labelled_in(path: str, label: str, text: str | None = None) -> Labelled:
    """Texts and labels of a table; or ids and labels, where it has a column `id` and none of texts.

    Parameters
    ----------
    label : the column of labels
    text : that of texts; None: `text` or `content`, else all but that of labels

    Raises
    ------
    UnreadableSource : no such file, not a table, no such column
    """
    if not is_table(path):
        raise UnreadableSource(f"{path} is no table; labelled examples come from CSV, TSV, JSON or NDJSON")
    for column in (text,) if text else TEXT:
        rows = _rows(read(path, id_column=column, text_columns=[column], metadata_columns=[label]), also=text is None)
        if rows:
            return _examples(rows, label)
    rows = _rows(read(path, id_column="id", text_columns=["id"], metadata_columns=[label]), also=True)
    if rows and not text and _only(path, label):
        found = {row.id: said for row in rows if (said := _label(row, label))}
        return Labelled(None, found, len(rows) - len(found))
    return _examples(list(_all(read(path, id_column=label, metadata_columns=[label]))), label)


def pairs_in(path: str) -> list[tuple[str, str]]:
    """Pairs of ids from a table: its columns `source` and `target`, else the first and the only other one.

    Raises
    ------
    UnreadableSource : no such file, not a table, no pair in it
    """
    if not is_table(path):
        raise UnreadableSource(f"{path} is no table; pairs of ids come from CSV, TSV, JSON or NDJSON")
    rows = _rows(read(path, id_column="source", text_columns=["target"]), also=True) or _rows(read(path), also=False)
    found = _texts(rows)
    if not found:
        raise UnreadableSource(f"{path} holds no pairs; two ids a row are wanted, in columns 'source' and 'target'")
    return found


def _only(path: str, label: str) -> bool:
    """Whether a table has no columns but `id` and labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExamplesWarning)  # said where its labels are read
        return not any(row.content for row in _rows(read(path, id_column="id", metadata_columns=[label]), also=True))


def _rows(source: Source, *, also: bool) -> list[Document]:
    """The rows of a table; none where it has not the columns that were tried, and there are others to try."""
    try:
        return list(_all(source))
    except UnreadableSource as error:
        if also and "column" in str(error):
            return []
        raise


def _all(source: Source) -> Iterator[Document]:
    """The rows; a warning where some could not be read, and an error where that is all of them."""
    found = False
    for row in source:
        found = True
        yield row
    if not found and source.problems:
        name, reason = source.problems[0]
        raise UnreadableSource(f"{name}: {reason} (of a column that is needed, and {source.problem_count:,} rows like it)")
    for name, reason in source.problems:
        if not reason.endswith("is empty"):  # a row without a text is none of the examples, and nothing is wrong with it
            warnings.warn(f"what cannot be read is left out, first {name}: {reason}", ExamplesWarning, stacklevel=2)
            return


def _texts(rows: list[Document]) -> list[tuple[str, str]]:
    return [(row.id, row.content.strip()) for row in rows if isinstance(row.content, str) and row.content.strip()]


def _examples(rows: list[Document], label: str) -> Labelled:
    found = [(row.content, _label(row, label)) for row in rows]
    kept = [(content, said) for content, said in found if isinstance(content, str) and content.strip() and said]
    return Labelled(kept, None, len(rows) - len(kept))


def _label(row: Document, label: str) -> str | None:
    from ..verbs.scoring.labels import label_of

    return label_of((row.metadata or {}).get(label))


def _refuse_folder(path: str) -> None:
    if Path(path).expanduser().is_dir():
        raise UnreadableSource(f"{path} is a folder; name a file with a text a line, or a table")
