"""Files: a folder and glob patterns in, one Document a file out. Finding them is in `walk`, decoding in `text`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UnreadableSource
from .patterns import Patterns
from .source import Source, printable
from .text import decode, known_encodings, looks_binary, unix_lines
from .walk import Found, Walk, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..core.types import Content, Document, Problem


class Files(Source):
    """The files below a folder, or one file, as Documents: id = path relative to the folder, with "/" on every system.

    Parameters
    ----------
    folder : a folder, or one file (then `patterns` are not used, and nothing is skipped); `~` is the user's home
    patterns : as `pathlib.Path.glob`: `*.md` here, `**/*.md` here and below, `docs/**` all below docs
    encodings : tried in order where a text is not UTF-8, before one is detected
    binary : give the bytes; else text, with line ends as "\\n" (what `llm` hashes)
    everything : turn the default skips off: hidden names, `.gitignore`, `node_modules`, `__pycache__`, virtual
        environments, files with a NUL byte in their first 8 kB
    prefix, prepend : put before every id, before every text
    on_problem : called with each file that cannot be read; the run goes on

    They come sorted by path. A link to a file is a file of its own; see `Walk` for folders. Metadata is None, as in
    `llm`: a size or a date would make an untouched text look changed.

    Raises
    ------
    UnreadableSource : the folder is not there or cannot be listed, a pattern cannot be one, an encoding is unknown
    """

    def __init__(
        self,
        folder: str | Path,
        patterns: str | Sequence[str] = "**/*",
        *,
        encodings: Sequence[str] = (),
        binary: bool = False,
        everything: bool = False,
        prefix: str = "",
        prepend: str = "",
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        super().__init__(prefix=prefix, prepend=prepend, on_problem=on_problem)
        self.folder = Path(folder).expanduser()
        self._patterns = Patterns((patterns,) if isinstance(patterns, str) else tuple(patterns))
        self._encodings = known_encodings(encodings)
        self._binary = binary
        self._everything = everything
        self._require()

    @property
    def label(self) -> str:
        """Folder and patterns: the same folder read for other files is another source."""
        return " ".join(["files", self.folder.resolve().as_posix(), *self._patterns.texts, self.prefix]).rstrip()

    @property
    def size(self) -> int:
        """How many files match; reads none of them (0.2 s for 10,000)."""
        return sum(1 for _ in self._walk(_unheard, Counter()))

    def _documents(self) -> Iterator[Document]:
        self._require()
        for found in self._walk(self._report, self.left_out):
            content = self._read(found)
            if content is not None:
                yield self._made(found.id, content)

    def _require(self) -> None:
        try:
            self.folder.stat()
        except FileNotFoundError:
            raise UnreadableSource(
                f"there is no folder or file {self.folder}; check the name and where it starts from"
            ) from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = why(error) if isinstance(error, OSError) else str(error)
            raise UnreadableSource(f"{printable(str(self.folder))} cannot be read: {reason}") from error

    def _walk(self, report: Callable[[str, str], None], left_out: Counter[str]) -> Iterable[Found]:
        if self.folder.is_dir():
            return Walk(self.folder, self._patterns, everything=self._everything, report=report, left_out=left_out)
        return [Found(self.folder.name, str(self.folder))]

    def _read(self, found: Found) -> Content | None:
        """What is in a file, or None after saying why not."""
        try:
            data = Path(found.path).read_bytes()
        except OSError as error:
            self._report(found.id, why(error))
            return None
        if self._binary:
            return data
        asked = self._everything or found.path == str(self.folder)
        if not asked and looks_binary(data, self._encodings):
            self.left_out["binary"] += 1
            return None
        try:
            return unix_lines(decode(data, self._encodings))
        except UnreadableSource as error:
            self._report(found.id, str(error))
            return None


def _unheard(name: str, reason: str) -> None:
    """Counting reports nothing: the reading that follows does."""
