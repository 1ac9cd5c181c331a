"""Source: what all sources share. Documents come out one by one; what cannot be read is counted and named. Decodes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.content import storable
from ..core.types import Document, Problem
from .text import looks_binary
from .walk import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..core.types import Content, Metadata, Modality, Recording
    from .walk import Found

KEPT_PROBLEMS = 100  # remembered by name; all are counted, and handed to `on_problem`


class Source(ABC):
    """Documents from one place. Iterating streams them; iterating again reads again (except from a pipe).

    Attributes
    ----------
    on_problem : called with each `Problem` as it is met; may be set after construction
    unread_by : set by whoever embeds the documents, asked about a kind of content when the first of it is met: None where the
        model reads it, else why not ("a picture, and fake:64 reads text"). None: text alone is wanted
    problems : the first 100 problems of the latest run
    problem_count : how many there were
    unread : how the ids begin that may be there but could not be read in the latest run; `sync` leaves their rows alone
    label : what tells this source from others in the database, for `sync`
    left_out : why → how many entries were skipped on purpose in the latest run ("hidden", "binary", ".gitignore", …)
    """

    def __init__(self, *, prefix: str = "", prepend: str = "", on_problem: Callable[[Problem], None] | None = None) -> None:
        self.prefix = prefix
        self.prepend = prepend
        self.on_problem = on_problem
        self.unread_by: Callable[[Modality], str | None] | None = None
        self.problems: list[Problem] = []
        self.problem_count = 0
        self.unread: list[str] = []
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Document]:
        self.problems = []
        self.problem_count = 0
        self.unread = []
        self.left_out = Counter()
        return self._documents()

    @property
    def size(self) -> int | None:
        """About how many documents will come, for a progress bar; None where that cannot be told cheaply."""
        return None

    def spoilt(self, id: str, reason: str) -> None:
        """Count and name a document that came from here and turned out to be damaged when it was looked at."""
        self._report(id.removeprefix(self.prefix), reason, came=True)

    @property
    @abstractmethod
    def label(self) -> str | None:
        """The same words whenever the same thing is read, wherever from; None where that cannot be told."""

    @abstractmethod
    def _documents(self) -> Iterator[Document]:
        """The documents, one by one."""

    def _made(self, id: str, content: Content | Recording | None, metadata: Metadata | None = None) -> Document:
        """A Document under its full id, its text after what is prepended."""
        whole = self.prepend + content if isinstance(content, str) else content
        return Document(self.prefix + id, whole, metadata)

    def _bytes(self, found: Found, encodings: Sequence[str], *, binary: bool) -> bytes | None:
        """What is in a file, or None after saying why not; what is no text is wanted only where `binary`."""
        try:
            data = Path(found.path).read_bytes()
        except OSError as error:
            self._report(found.id, why(error))
            return None
        if not binary and looks_binary(data, encodings):
            self.left_out["binary"] += 1
            return None
        return data

    def _report(self, name: str, reason: str, *, came: bool = False) -> None:
        """Count and name a problem; where its document `came` nevertheless, `sync` knows of it."""
        problem = Problem(printable(name), reason)
        self.problem_count += 1
        start = storable(self._id_start(name))
        if not came and start not in self.unread[-1:]:  # a table says "" for every bad row: once is enough
            self.unread.append(start)
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)
        if self.on_problem:
            self.on_problem(problem)

    def _id_start(self, name: str) -> str:
        """How ids begin that the problem of this name may concern."""
        return self.prefix + name


def printable(name: str) -> str:
    """A name from the file system as it can be shown: undecodable bytes as escapes, on one line."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode()
