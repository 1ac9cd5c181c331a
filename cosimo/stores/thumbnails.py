"""Thumbnails: small copies of pictures by the hash of the whole ones, beside the rows. Makes none.

They are derived. One goes with the last row that has its hash, where this program deletes that row; what other programs delete
is noticed when a collection is dropped, and by `check --repair`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..core.content import storable
from . import schema
from .rows import chunks
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..core.sqlite import File
    from .catalog import Entry

SINCE = schema.OURS["cosimo_thumbnails"]
_LEFT = "NOT EXISTS (SELECT 1 FROM embeddings WHERE content_hash = cosimo_thumbnails.hash)"


class Thumbnails(Transactions):
    """The part of the SQLite store that keeps thumbnails."""

    def thumbnail(self, hash: bytes) -> bytes | None:
        """The small copy of the picture with this hash, as WebP; None where none is kept."""
        with self._reading() as state:
            if state.version < SINCE:
                return None
            found: bytes | None = self._file.value("SELECT data FROM cosimo_thumbnails WHERE hash = ?", (hash,))
            return found

    def put_thumbnails(self, thumbnails: Mapping[bytes, bytes]) -> None:
        """Keep small copies, hash → WebP."""
        with self._writing():
            self._file.execute_many("INSERT OR REPLACE INTO cosimo_thumbnails VALUES (?, ?)", thumbnails.items())

    @contextmanager
    def _released(self, entry: Entry, ids: Iterable[str]) -> Iterator[None]:
        """Around a write that replaces or deletes rows of a collection: the thumbnails that no row has afterwards go."""
        if not self._file.value("SELECT 1 FROM cosimo_thumbnails LIMIT 1"):
            yield
            return
        held: set[bytes] = set()
        for chunk in chunks(ids):
            sql = (
                "SELECT hash FROM embeddings JOIN cosimo_thumbnails ON hash = content_hash"
                f" WHERE collection_id = ? AND id IN ({','.join('?' * len(chunk))})"
            )
            held.update(hash for (hash,) in self._file.rows(sql, (entry.number, *map(storable, chunk))))
        yield
        self._file.execute_many(f"DELETE FROM cosimo_thumbnails WHERE hash = ? AND {_LEFT}", [(hash,) for hash in held])


def sweep(file: File) -> None:
    """Remove all that no row has any more."""
    file.execute(f"DELETE FROM cosimo_thumbnails WHERE {_LEFT}")
