"""Files: a folder and glob patterns in, one Document a file out. Finding them is in `walk`, decoding in `text`.

What is no plain text (PDF, HTML, Word, …) is read as `documents` says; pictures, sound and film as `media` does.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import kinds
from ..core.errors import Error, UnreadableSource
from .documents import extracts, is_document
from .media import inside, media_of, read_media
from .patterns import Patterns
from .source import Source, printable
from .text import decode, known_encodings, unix_lines
from .walk import Found, Walk, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..core.types import Content, Document, Modality, Problem


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

    They come sorted by path. A link to a file is a file of its own; see `Walk` for folders. Metadata of plain texts is None, as
    in `llm`: a size or a date of a file would make an untouched text look changed. Documents (PDF, HTML, Word, EPUB, notebooks,
    mail) are read for their text, and what they say of themselves is metadata; a mailbox gives one Document a message, with
    the id `file.mbox#message-id`. Pictures come where the model that embeds them reads pictures (`unread_by`): the bytes of the
    file, and what they say of themselves as metadata. Sound and film come likewise, as `Recording`s: they stay where they are.
    What the model does not read is left out, be it text.

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
        return sum(1 for _ in self.found(_unheard, Counter()))

    def _documents(self) -> Iterator[Document]:
        why_not = self._why_not()
        for found in self.found(self._report, self.left_out):
            if why_not is not None:
                kind = media_of(found.path) or "text"
                if (reason := why_not(kind)) is not None:
                    self.left_out[reason] += 1
                    continue
                if kind != "text":
                    yield from self._read_media(found, why_not)
                    continue
            if not self._binary and is_document(found.path):
                yield from self._read_document(found)
                continue
            content = self._read(found)
            if content is not None:
                yield self._made(found.id, content)

    def _why_not(self) -> Callable[[Modality], str | None] | None:
        """Asked whether a kind of content is wanted; None where text alone is, or everything as bytes.

        Where nobody said what the model reads, as in a loop over what `cosimo.read` gives, a pattern like `*.jpg` asks for it.
        """
        if self._binary:
            return None
        if self.unread_by is not None:
            return functools.cache(self.unread_by)
        asked = {kind for kind in map(media_of, [*self._patterns.texts, self.folder.name]) if kind is not None}
        if "video" in asked:
            asked |= {"image", "audio"}
        return (lambda kind: None if kind == "text" or kinds.is_read(kind, asked) else "not asked for") if asked else None

    def _read_media(self, found: Found, why_not: Callable[[Modality], str | None]) -> Iterator[Document]:
        """A picture, a sound or a film with its metadata; one that cannot be read is said."""
        try:
            content, metadata = read_media(Path(found.path))
        except Error as error:
            self._report(found.id, str(error))
        except OSError as error:
            self._report(found.id, why(error))
        else:
            reasons = [why_not(kind) for kind in inside(metadata)]  # a film may have nothing but sound, or none
            if None in reasons:
                yield self._made(found.id, content, metadata)
            else:
                self._report(found.id, f"there is nothing in it that the model reads: {reasons[0]}")

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

    def found(self, report: Callable[[str, str], None], left_out: Counter[str]) -> Iterable[Found]:
        """The files that match, by their ids; what cannot be reached is reported, what is skipped is counted."""
        self._require()
        if self.folder.is_dir():
            return Walk(self.folder, self._patterns, everything=self._everything, report=report, left_out=left_out)
        return [Found(self.folder.name, str(self.folder))]

    def _read_document(self, found: Found) -> Iterator[Document]:
        """What is in a file that needs a reader; what cannot be read of it is said, and the rest comes."""
        try:
            for extract in extracts(Path(found.path), self._encodings):
                if extract.missing:
                    self._report(found.id + extract.part, extract.missing)
                if extract.text is not None:
                    yield self._made(found.id + extract.part, extract.text, self._placed(extract.metadata))
        except UnreadableSource as error:
            self._report(found.id, str(error))
        except OSError as error:
            self._report(found.id, why(error))

    def _placed(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """Metadata whose offsets into the text count what is prepended."""
        starts = metadata.get("page_starts")
        return metadata if not starts else {**metadata, "page_starts": [0, *(len(self.prepend) + at for at in starts[1:])]}

    def _read(self, found: Found) -> Content | None:
        """What is in a file, or None after saying why not."""
        asked = self._everything or found.path == str(self.folder)
        data = self._bytes(found, self._encodings, binary=self._binary or asked)
        if data is None or self._binary:
            return data
        try:
            return unix_lines(decode(data, self._encodings))
        except UnreadableSource as error:
            self._report(found.id, str(error))
            return None


def _unheard(name: str, reason: str) -> None:
    """Counting reports nothing: the reading that follows does."""
