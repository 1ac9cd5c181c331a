"""Collection: the hall. Wires embedder, store, index and verbs together; every verb is one short method."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from ..core.types import CollectionInfo, Document
from .arguments import source_of
from .judging import Judging
from .models import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from ..core.types import Content, Metadata, Row, Vector
    from ..verbs.ingest import Added, Plan
    from ..verbs.migrate import Migrated, MigrationPlan


class Collection(Judging):
    """Documents with their vectors. Made by `Database.collection`."""

    # -- what it is

    def info(self) -> CollectionInfo:
        """Name, number of rows and settings."""
        self._stored()
        return self._store.info(self.name) or CollectionInfo(self.name, 0, self._settings)

    # -- rows in

    def add(
        self,
        documents: Iterable[Document],
        *,
        store: bool = True,
        batch_size: int | None = None,
        source: str | None = None,
        sync: bool = False,
        passages: bool | None = None,
        progress: Callable[[Added], None] | None = None,
    ) -> Added:
        """Embed and store documents: only what is new or changed is embedded, each batch is one transaction.

        Parameters
        ----------
        store : keep the text beside its vector; without it, text search and `migrate` have nothing to read
        source : a name for where the documents come from; what `cosimo.read` gives has one
        sync : afterwards remove the rows of this `source` that did not come again
        passages : False embeds the beginning of long texts alone. By default they are cut into passages that fit the model's
            window; which of both is decided with the first text. Named vectors that there are none of yet follow
        progress : called after each commit; None draws a bar on a terminal once a second has passed

        Raises
        ------
        DataError : an id or content that cannot be stored
        NotFound : a document's `named` holds a name that `Collection.named` has not made
        ModelMismatch : the model here is not the one that made the collection
        CollectionError : the collection's long texts are not treated as `passages` says
        """
        from ..core.progress import reporting
        from ..verbs import ingest

        source, spaces = source_of(documents, source, sync=sync), self._spaces()
        self._tell(documents)
        self._decide_passages(spaces, passages)
        with (
            self._created(passages),
            self._writing() as written,
            self._writing_to(spaces) as named,
            reporting(documents, progress, "texts") as report,
        ):
            added = ingest.add(
                self._store, lambda: self._embedder_for_writing(passages), self.name, documents,
                keep_content=store, batch_size=batch_size, source=source, sync=sync, progress=report,
                named={name: space._to_write(passages) for name, space in spaces.items()},
            )  # fmt: skip
            written.append(added.added + added.updated + added.removed)
            named.append(added.named + added.removed)
        return added

    def plan(self, documents: Iterable[Document]) -> Plan:
        """What `add` would do, counted; nothing is embedded or written."""
        from ..verbs import ingest

        self._tell(documents)
        return ingest.plan(self._store, self.embedder, self.name, documents, exists=self._stored() is not None)

    def migrate(
        self,
        model: str,
        documents: Iterable[Document] = (),
        *,
        restart: bool = False,
        batch_size: int | None = None,
        progress: Callable[[Migrated], None] | None = None,
    ) -> Migrated:
        """Give the collection another model: all its texts are embedded anew, the old vectors serve until all are there.

        An interrupted run goes on where it stopped. Ids, texts, metadata, times and the order of rows stay as they are. To an
        alignment (`align:NAME`) from the collection's own model nothing is embedded: the stored vectors are mapped at once.

        Parameters
        ----------
        documents : texts by id, such as `cosimo.read` gives, for rows whose text is not stored; it is not stored then either
        restart : lose what an interrupted migration to another model made
        progress : called after each commit; None draws a bar on a terminal once a second has passed

        Raises
        ------
        DataError : rows whose text is neither stored nor given; nothing was embedded
        CollectionError : the collection is half way to another model
        NotFound : no such collection
        """
        from ..core.progress import reporting
        from ..verbs import migrate

        self._must_exist()
        embedder = self._db.embedder(model, self._precision)
        tell(documents, model, lambda: embedder)
        maps = self._db._maps(model, self.name)
        with self._writing() as written, reporting(range(len(self)), progress, "texts") as report:
            if maps:
                migrated = self._db._remapped(self.name, model, embedder.spec, restart=restart)
            else:
                migrated = migrate.migrate(
                    self._migrating_store, embedder, self.name, documents,
                    restart=restart, batch_size=batch_size, progress=report,
                )  # fmt: skip
            self._take_over(model, embedder)
            written.append(migrated.rows)
        return migrated

    def plan_migration(self, model: str, documents: Iterable[Document] = ()) -> MigrationPlan:
        """What `migrate` would do, counted; the time comes from a few texts, where the model costs nothing. Writes nothing.

        Raises
        ------
        DataError : as `migrate`
        NotFound : no such collection
        """
        from ..verbs import migrate

        self._must_exist()
        embedder = self._db.embedder(model, self._precision)
        if self._db._maps(model, self.name):
            return migrate.MigrationPlan(len(self))
        tell(documents, model, lambda: embedder)
        return migrate.plan(self._migrating_store, embedder, self.name, documents)

    def give_up_migration(self) -> int:
        """Forget what an interrupted migration made; the number of texts it had embedded comes back.

        Raises
        ------
        NotFound : no such collection
        """
        self._must_exist()
        return self._migrating_store.give_up_migration(self.name)

    def add_vectors(
        self,
        ids: Sequence[str],
        vectors: ArrayLike,
        contents: Sequence[Content | None] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
    ) -> int:
        """Store vectors made elsewhere, all or none; the number of rows comes back.

        Parameters
        ----------
        vectors : (n, dim) numbers, kept as float32 as they are; scores are cosines whatever their length

        Raises
        ------
        BadVector : NaN, infinity or ragged
        DimensionMismatch : another length than the collection's
        DataError : lists of different lengths, an id no database can hold
        """
        from ..core.vectors import checked
        from ..verbs import ingest

        if not len(ids):
            return 0
        array = checked(vectors, self.dim)
        with self._writing() as written, self._learning(array.shape[1]):
            written.append(ingest.add_vectors(self._store, self.name, ids, array, contents, metadata))
        return written[0]

    def import_rows(self, source: str | Path | BinaryIO, *, format: str | None = None) -> int:
        """Store rows with vectors from a file that `export` wrote, all or none; their number comes back.

        Parameters
        ----------
        format : ndjson, csv, parquet or npy; None goes by the name's ending

        Raises
        ------
        UnreadableSource : not such a file
        BadVector, DimensionMismatch : a vector that does not fit, naming its row
        """
        from ..verbs import exchange

        rows = exchange.import_rows(source, format)
        first = next(rows, None)
        if first is None:
            return 0
        with self._writing() as written, self._learning(len(first.vector)):
            written.append(self._store.put(self.name, chain([first], rows)))
        return written[0]

    def export(self, target: str | Path | BinaryIO, *, format: str | None = None, prefix: str = "") -> int:
        """Write rows with their vectors to a file; their number comes back.

        Parameters
        ----------
        format : ndjson, csv, parquet or npy; None goes by the name's ending
        """
        from ..verbs import exchange

        return exchange.export_rows(self.rows(prefix=prefix), target, format)

    def delete(self, ids: str | Iterable[str]) -> int:
        """Delete items, with what is named of them; how many of them were there comes back."""
        every, spaces = [ids] if isinstance(ids, str) else list(ids), self._spaces()
        if not self._stored() or not every:
            return 0
        with self._writing() as written, self._writing_to(spaces) as named, self._store.atomic():
            written.append(self._store.delete(self.name, every))
            named.append(sum(self._store.delete(space.name, every) for space in spaces.values()))
        return written[0]

    # -- rows out

    def get(self, id: str) -> Document:
        """One item: id, content where it was stored, metadata.

        Raises
        ------
        NotFound : no such item
        """
        row = self._row(id)
        return Document(row.id, row.content, row.metadata)

    def vector(self, id: str) -> Vector:
        """One item's vector as stored, (dim,) float32.

        Raises
        ------
        NotFound : no such item
        """
        return self._row(id).vector

    def thumbnail(self, id: str) -> bytes:
        """A small copy of one picture, WebP of at most 256 pixels; made anew from its bytes or its file where none is kept.

        Raises
        ------
        NotFound : no such item, or it is no picture, or one that is neither stored nor where it was
        """
        from .thumbnails import thumbnail_of

        return thumbnail_of(self._store, self._row(id))

    def rows(self, *, prefix: str = "") -> Iterator[Row]:
        """All rows in the order they came, streamed."""
        self._must_exist()
        return self._store.scan(self.name, prefix=prefix)

    def __len__(self) -> int:
        return self._store.count(self.name) if self._stored() else 0

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self._stored()) and bool(self._store.known(self.name, [id]))

    def __repr__(self) -> str:
        return f"<cosimo.Collection {self.name} in {self._db.name}: {self.model}, {len(self)} rows>"
