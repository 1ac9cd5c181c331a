"""Indexing: when a collection's index is opened, built, merged and dropped. Wires the store and the index room."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from ..core import compatibility
from ..core.errors import CollectionError, Error, NotFound
from ..core.progress import note
from ..core.types import IndexChoice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ..core.store import Store
    from ..core.types import Change, IndexInfo, Metric, Settings
    from ..indexes.files import About, Made
    from ..indexes.kept import Kept

AUTO = IndexChoice("auto", "cosine", {})
# numbers (rows x dim) written, before which the time to ask whether a merge is due would show: 2,600 rows of 384
LITTLE = 1_000_000
PATIENCE = 0.5  # of the time that a merge takes, which the writes before it must have taken: it never trebles theirs


@dataclass(frozen=True, slots=True)
class IndexReport:
    """A collection's index: what was asked for, what there is, and why."""

    asked: IndexChoice
    info: IndexInfo
    why: str
    disk: int  # bytes; 0 where it is kept in memory
    seconds: float | None = None  # that building it took, where it was built now


class Migrated(CollectionError):
    """The collection got another model between the question and the answer: whoever embedded the question asks again."""


class Rows:
    """A collection as the index room asks for it: `kept.Source`."""

    def __init__(self, store: Store, collection: str, *, whole: bool = False) -> None:
        self._store, self._collection, self._whole = store, collection, whole

    @property
    def writable(self) -> bool:
        """Whether marks can be put into the database."""
        return not self._store.read_only

    @property
    def inside(self) -> bool:
        """Whether this thread is in a snapshot or transaction."""
        return self._store.in_snapshot

    def snapshot(self) -> AbstractContextManager[None]:
        """One state of the database."""
        return self._store.snapshot()

    def changes(self, since: int | None) -> Change:
        """What changed since a version."""
        return self._store.changes(self._collection, since, whole=self._whole)

    def marks(self) -> Collection[str]:
        """Marks of indexes built from this very database."""
        return self._store.marks(self._collection)

    def mark(self, version: int) -> str | None:
        """A new mark, or None."""
        return self._store.mark(self._collection, version)


class Indexing:
    """The index of one collection, for all who ask one `Database`."""

    def __init__(self, store: Store, name: str, *, whole: bool = False) -> None:
        self._store, self._name, self._whole = store, name, whole
        self._key = key_of(name, whole=whole)
        self._kept: Kept | None = None
        self._made_for: tuple[IndexChoice, Made] | None = None
        self._settings: Settings | None = None  # of the last write
        self._lock = Lock()
        self._written = self._looked = 0  # rows since the last merge; of them before the last look whether one is due
        self._seconds = 0.0  # that writing them took

    # -- searching

    def ready(self, settings: Settings) -> Kept:
        """The index, opened or built if a search needs that. Takes seconds where it is built: call it outside of a snapshot."""
        kept = self._of(settings)
        kept.ready()
        return kept

    @contextmanager
    def searching(self, settings: Settings) -> Iterator[Kept]:
        """The index with everything in it that any program has written by now, and one state of the database with it.

        Searching several at once, call `ready` for each before: inside of the first one's snapshot nobody can wait for a build.

        Raises
        ------
        Migrated : the rows are no longer those that `settings` speak of
        """
        kept = self.ready(settings)
        with self._store.snapshot():
            now = self._store.settings(self._name)
            if now is not None and not compatibility.comparable(now, settings):
                raise Migrated(f"'{self._name}' got another model, {now.model}, a moment ago; ask again")
            kept.current()
            yield kept
        if kept.damaged and not self._store.in_snapshot:  # else at the next search
            kept.ready()

    def _of(self, settings: Settings) -> Kept:
        """The index that is asked for now: another process may have chosen another since."""
        from ..indexes.files import Made
        from ..indexes.kept import Kept

        choice = self._store.index_choice(self._name) or AUTO
        made = Made(settings.model, settings.dim or 0)
        with self._lock:
            if self._kept is None or self._made_for != (choice, made):
                self._kept = Kept(
                    Rows(self._store, self._name, whole=self._whole), self._store.derived, self._key, made,
                    kind=choice.kind, metric=choice.metric, params=choice.params, warn=_warn, tell=note,
                )  # fmt: skip
                self._made_for = choice, made
            return self._kept

    # -- after writes

    @contextmanager
    def writing(self) -> Iterator[list[int]]:
        """Around a write: put the number of rows into the list, and call `merge` afterwards."""
        rows: list[int] = []
        started = time.monotonic()
        try:
            yield rows
        finally:
            self._written += sum(rows)
            self._seconds += time.monotonic() - started

    def merge(self, settings: Settings | None = None) -> None:
        """Take what was written into the index, if that is due; without settings: if it is at all, as no more will be written.

        What goes wrong is said, and not raised: what was written is stored, and a search builds what it needs.
        """
        closing, self._settings = settings is None, settings or self._settings
        settings, new = self._settings, self._written - self._looked
        if settings is None or not settings.dim or not self._written or (new * settings.dim < LITTLE and not closing):
            return
        if self._store.in_snapshot:  # a transaction of the caller's: after a later write, or at the end
            return
        self._looked = self._written
        try:
            if self._due(settings, closing):
                self._of(settings).merge()
                self._written, self._looked, self._seconds = 0, 0, 0.0
        except NotFound:  # another program has dropped the collection
            return
        except (Error, OSError, MemoryError) as error:
            _warn(f"the index of '{self._name}' was not built: {str(error) or 'not enough memory'}")

    def _due(self, settings: Settings, closing: bool) -> bool:
        """Whether to look closer, from what the manifest and the change log say alone."""
        from ..indexes import choose

        choice, dim = self._store.index_choice(self._name) or AUTO, settings.dim or 0
        if self._store.derived is None:  # nothing to be kept; searches build in memory once that pays
            return False
        about = self._about(settings)
        if self._whole and about is None:  # not every collection of passages is asked for documents like another one
            return False
        pending = self._store.changed(self._name, about.version if about else None)
        per_document = max(1, about.rows) / max(1, about.documents) if about else 1
        rows = (about.rows if about else 0) + int(pending * per_document)
        if choice.kind == "auto" and choose.choose(rows, dim).kind == "flat":
            return False
        worth = pending * per_document > choose.FRESH_SHARE * rows
        return worth and (closing or self._seconds > PATIENCE * choose.seconds_to_build(choice.kind, rows, dim))

    def _about(self, settings: Settings) -> About | None:
        from ..indexes import files

        folder, made = self._store.derived, files.Made(settings.model, settings.dim or 0)
        return files.about(folder, self._key, made, self._store.marks(self._name)) if folder is not None else None

    # -- by hand

    def choose(
        self, settings: Settings, kind: str | None, metric: Metric | None, params: Mapping[str, int | str] | None
    ) -> IndexReport:
        """Remember what is asked for, and build it now.

        Raises
        ------
        DataError : a kind, metric or parameter that there is not
        """
        from ..indexes import choose

        before, started = self._store.index_choice(self._name), time.monotonic()
        was = before or AUTO
        if params is None:
            params = was.params if kind in (None, was.kind) else {}
        choice = IndexChoice(kind or was.kind, metric or was.metric, dict(params))
        choose.checked(choice.kind, choice.metric, choice.params)
        if choice != was:
            self._store.choose_index(self._name, choice)
        kept = self._of(settings)
        kept.rebuild()
        return self._report(settings, kept, time.monotonic() - started)

    def report(self, settings: Settings) -> IndexReport:
        """What the next search uses; opened or built for that."""
        with self.searching(settings) as kept:
            return self._report(settings, kept, None)

    def _report(self, settings: Settings, kept: Kept, seconds: float | None) -> IndexReport:
        about, info = self._about(settings), kept.describe()
        disk = about.size if about is not None and kept.on_disk else 0
        asked = self._store.index_choice(self._name) or AUTO
        return IndexReport(asked, info, kept.why(), disk, seconds)

    def drop(self) -> bool:
        """Forget what was asked for and remove the files; whether there was any of it."""
        asked = self._store.index_choice(self._name) is not None
        self._store.choose_index(self._name, None)
        return self.remove() or asked

    def remove(self) -> bool:
        """Remove the files; whether there were any."""
        from ..indexes import files

        self._kept = None
        folder = self._store.derived
        return folder is not None and files.drop(folder, self._key)


def key_of(collection: str, *, whole: bool = False) -> str:
    """A collection's name as files have it: readable as far as every system allows, told apart by a hash. No "-" in it."""
    readable = re.sub(r"[^a-z0-9]+", "_", collection.casefold())[:32].strip("_")
    digest = hashlib.sha256(collection.encode("utf-8", "replace")).hexdigest()[:10]
    key = f"{readable}_{digest}" if readable else digest
    return f"{key}_whole" if whole else key


def _warn(sentence: str) -> None:
    """To the program's log; where it keeps none, Python prints the sentence on stderr."""
    logging.getLogger("cosimo.index").warning(sentence)
