"""Word writing: a `WordTable` → a file of word vectors as word2vec has them. Reads none."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .word_table import WordTable

DATABASE = b"SQLite format 3"
_CONTROL = re.compile(rb"[\x00-\x1f]")


def write(path: str | Path, table: WordTable) -> None:
    """A table as word2vec has it: binary where the name ends in .bin, else text with a header, which `.vec` is too.

    Raises
    ------
    UnreadableSource : the file cannot be written, or is a database
    """
    path = Path(path).expanduser()
    binary = path.suffix == ".bin"
    with replacing(path) as part, part.open("wb") as file:
        file.write(f"{len(table)} {table.dim}\n".encode())
        words = iter(table.index)
        for _, rows in table.blocks():
            for row in rows:
                word = _CONTROL.sub(b"_", next(words).encode("utf-8", "replace"))  # a line end would be the word's end
                if binary:
                    file.write(word.replace(b" ", b"_") + b" " + row.astype("<f4").tobytes() + b"\n")
                else:
                    file.write(word + b" " + " ".join(map(str, row)).encode() + b"\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to that takes the place of `path` at the end; after an error `path` is as it was.

    Raises
    ------
    UnreadableSource : it cannot be written, or is a database
    """
    try:
        if path.is_dir():
            raise UnreadableSource(f"{path} is a folder; name a file in it")
        if path.is_file():
            with path.open("rb") as file:
                if file.read(len(DATABASE)) == DATABASE:
                    raise UnreadableSource(f"{path} is a database, which words would replace; name another file")
        part = path.with_name(f"{path.name}.part")
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be written: {error.strerror or error}") from error
