"""Database: a file of collections, and the ways in: `open`, `embed`, `read`. Search and storage lie behind `Collection`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from ..core import config, registry
from ..core.content import is_recorded
from ..core.errors import CollectionError, NotFound, StoreError, UnreadableSource
from .alignments import Alignments
from .arguments import AS_STORED, Given, Where, several
from .collection import Collection
from .indexing import Indexing
from .models import as_made
from .models import load_embedder as load_embedder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from numpy.typing import ArrayLike

    from ..core.store import Store
    from ..core.types import CollectionInfo, Content, Embedder, Finding, Hit, Metric, Mode, Reranker, Role, Settings, Vectors
    from ..sources.source import Source
    from ..verbs.comparison import Comparison
    from .models import Cache


def open(
    address: str | Path | None = None,
    *,
    read_only: bool = False,
    create: bool = True,
    busy_timeout: float = config.BUSY_TIMEOUT,
    cache: Cache = None,
) -> Database:
    """Open a database: a path to a SQLite file, by default the user's own (`$COSIMO_DB`).

    Parameters
    ----------
    read_only : nothing is ever written, not even our own tables
    create : False refuses a file that is not there
    busy_timeout : seconds to wait for another writer
    cache : where vectors are kept so that no text is paid for twice. None: in the user's own file, for models with a price or
        a network (`$COSIMO_CACHE`); True, for every model; False, nowhere; any `MutableMapping[str, bytes]`, there

    Raises
    ------
    StoreError : not a database, no permission, or a missing file with `create=False`
    """
    if not isinstance(address, str | Path | None):
        raise StoreError(f"a database is opened by its path or address, not {address!r}; give a string or a Path")
    path = str(address) if address is not None else str(_own_file(create and not read_only))
    store = registry.store_class(path)(path, read_only=read_only, create=create, busy_timeout=busy_timeout)
    return Database(store, path, cache=cache)


def embed(contents: Content | Sequence[Content], *, model: str | None = None, role: Role = "document") -> Vectors:
    """Embed texts, or pictures, sounds and films as bytes, with the default model or the one named; nothing is stored.

    Returns
    -------
    (n, dim) float32, in the order given; one text gives (1, dim)
    """
    many = [contents] if isinstance(contents, str | bytes) else list(contents)
    embedder = load_embedder(config.default_model() if model is None else model)
    if not any(is_recorded(content) for content in many):
        return embedder.embed(many, role=role).vectors
    import numpy as np

    from ..verbs.recorded import vectors_of

    return np.stack(vectors_of(embedder, many, role))


def read(
    source: str | Path | BinaryIO,
    pattern: str = "**/*",
    *,
    format: str | None = None,
    sql: str | None = None,
    encodings: Sequence[str] = (),
    binary: bool = False,
    everything: bool = False,
    code: bool = False,
    id_column: str | None = None,
    text_columns: Sequence[str] | None = None,
    metadata_columns: Sequence[str] | None = None,
    named_columns: Mapping[str, str] | None = None,
    prefix: str = "",
    prepend: str = "",
) -> Source:
    """Documents from a folder, a table, a file or a query; they are read as they are used.

    Parameters
    ----------
    source : a folder; a CSV, TSV, JSON or NDJSON file or stream (rows); a SQLite file, with `sql`; any other file (one text)
    pattern : which files of a folder, as `pathlib.Path.glob` has it
    format : csv, tsv, json or ndjson, where name and content do not tell
    sql : a query whose first column is the id
    encodings : tried after UTF-8, before one is detected
    binary, everything : for folders: bytes instead of text; hidden and git-ignored files too
    code : for folders and files: one Document a function, method and class, as `cosimo code` finds them
    id_column, text_columns, metadata_columns : for tables: the first, all others, none by default
    named_columns : for tables: name of vectors → the column they are made of, which may hold names of pictures' files
    prefix, prepend : put before every id, before every text

    Returns
    -------
    an iterable of `Document` whose `problems` name what could not be read

    Raises
    ------
    UnreadableSource : nothing there, or not what `format` says
    """
    from ..sources.files import Files
    from ..sources.queries import Query
    from ..sources.tables import ENDINGS, Table

    columns: dict[str, Any] = {
        "id_column": id_column, "text_columns": text_columns, "metadata_columns": metadata_columns,
        "named_columns": named_columns, "prefix": prefix, "prepend": prepend,
    }  # fmt: skip
    if sql is not None:
        return Query(_path(source), sql, **columns)
    path = Path(source).expanduser() if isinstance(source, str | Path) else None
    if code:
        from ..sources.code import Code

        if path is None:
            raise UnreadableSource("programs are read from a folder or a file, not from a stream")
        return Code(path, pattern, encodings=encodings, everything=everything, prefix=prefix, prepend=prepend)
    if path is None or format is not None or (path.suffix.lower() in ENDINGS and not path.is_dir()):
        return Table(source, format=format, encodings=encodings, **columns)
    return Files(path, pattern, encodings=encodings, binary=binary, everything=everything, prefix=prefix, prepend=prepend)


def _path(source: str | Path | BinaryIO) -> Path:
    if not isinstance(source, str | Path):
        raise UnreadableSource("a query needs the path of a SQLite file, not a stream")
    return Path(source).expanduser()


def _place(info: CollectionInfo) -> tuple[str, str]:
    """By which collections are listed."""
    whose, _, name = info.name.rpartition("/") if info.settings.named else (info.name, "", "")
    return whose, name


def _own_file(create: bool) -> Path:
    path = config.database_path()
    if create:
        make_folder(path.parent)
    return path


def make_folder(folder: Path) -> None:
    """Make the folder that holds a database of the user's own.

    Raises
    ------
    StoreError : the system does not allow it
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}; name a database elsewhere with -d") from error


class Database(Alignments):
    """Collections in one database. Use it as a context manager, or close it."""

    def __init__(self, store: Store, name: str, *, cache: Cache = None) -> None:
        self.store = store
        self.name = name
        self._cache = cache
        self._embedders: dict[tuple[str, str | None], Embedder] = {}
        # of collections that began with other prompts: those are in the key too
        self._older: dict[tuple[str, str | None, tuple[tuple[str, str], ...]], Embedder] = {}
        self._rerankers: dict[str, Reranker] = {}
        self._indexings: dict[tuple[str, bool], Indexing] = {}

    def collection(
        self, name: str, *, model: Given = AS_STORED, dim: int | None = None, precision: str | None = None
    ) -> Collection:
        """A collection by name; it is created by the first thing added to it.

        Parameters
        ----------
        model : what embeds its texts. Left out: as stored, else the default. None: vectors come from elsewhere
        dim : length of the vectors, for `model=None`

        Raises
        ------
        ModelMismatch : the collection was made by another model
        DimensionMismatch : the collection's vectors have another length than `dim`
        """
        if not name:
            raise CollectionError("a collection must have a name")
        return Collection(self, name, model, dim, precision)

    def collections(self) -> list[CollectionInfo]:
        """All collections, by name; named vectors stand below the collection that they are of."""
        return sorted(self.store.collections(), key=_place)

    def drop(self, name: str) -> int:
        """Delete a collection with all its rows and named vectors; the number of its rows comes back.

        Raises
        ------
        NotFound : no such collection
        DataError : an alignment goes with it that another collection is made with
        """
        with self.store.atomic():
            named = self.store.named(name)
            self._refuse_drop([name, *named])
            gone = self.store.drop(name)
            for each in named:
                self.store.drop(each)
        for each in (name, *named):
            for whole in (False, True):
                self.indexing(each, whole=whole).remove()
        return gone

    def search(
        self,
        query: Content | ArrayLike,
        k: int = 10,
        *,
        collections: Sequence[str] | None = None,
        mode: Mode | None = None,
        where: Where = None,
        prefix: str = "",
        min_score: float | None = None,
        diversity: float | None = None,
        group: float | None = None,
    ) -> list[Hit]:
        """The k best documents of several collections, best first; `hit.collection` says where each is from.

        Cosines of one model are compared as they are. Of different models, and for words, whose rarity is each collection's
        own, what counts is how far a document is above the average candidate of its collection.

        Parameters
        ----------
        collections : names; None searches all, but for named vectors, which are of items that are searched already
        query, mode, where, prefix, min_score, diversity, group : as for `Collection.search`

        Raises
        ------
        NotFound : no such collection
        DataError : they cannot be searched in the same mode
        """
        from .searching import Request, search

        everyone = [info.name for info in self.collections() if not info.settings.named]
        names = everyone if collections is None else list(dict.fromkeys(collections))
        if not names:
            raise NotFound(f"{self.name} has no collection to search")
        request = Request(query, k, mode, where, prefix, min_score, diversity=diversity, group=group)
        return search([self.collection(name) for name in names], request)

    def compare(
        self,
        *names: str,
        k: int = 10,
        questions: str | Sequence[str] = (),
        ids: str | Sequence[str] = (),
        where: Where = None,
        sample: int | None = 1000,
        seed: int = 0,
        metric: Metric = "cosine",
        index: str = "flat",
        params: Mapping[str, int | str] | None = None,
        judged: str | Path | None = None,
        split: str | None = None,
    ) -> Comparison:
        """How much models, lengths, precisions or chunkings agree on the same items, and where they do not.

        Parameters
        ----------
        names : two or more: a collection; one as NAME@128 (its first numbers alone), NAME@int8, NAME@float16 or NAME@bit; or
            NAME=MODEL, its stored texts by another model, embedded now and kept nowhere. Items are matched by id
        k : neighbours looked at
        questions, ids : texts and items whose neighbours are shown side by side
        where : only items that pass this filter
        sample, seed : how many items' neighbours are compared (None: all), and which
        metric, index, params : how neighbours are searched: as for `Collection.index`; flat is exact
        judged, split : a folder or CSV of judged questions, as `cosimo eval` takes them, for nDCG@10 of each

        Raises
        ------
        NotFound : no such collection
        DataError : fewer than two, too few items in common, an unknown metric, index or parameter, texts that are not stored
        ModelNotFound : questions, and no model to embed them
        """
        from .comparing import Options, compare

        options = Options(k, several(questions), several(ids), where, sample, seed, metric, index, params, judged, split)
        return compare(self, names, options)

    def check(self, *, repair: bool = False) -> list[Finding]:
        """What is wrong with the file: damage, orphans, stale rows, bad vectors; empty where nothing is.

        Parameters
        ----------
        repair : rebuild what is derived from the rows; rows themselves are never touched
        """
        return self.store.check(repair=repair)

    def backup(self, target: str | Path) -> None:
        """Copy the database while it is in use.

        Raises
        ------
        StoreError : `target` exists, or cannot be written
        """
        self.store.backup(target)

    def embedder(self, model: str, precision: str | None = None, stored: Settings | None = None) -> Embedder:
        """The embedder of a model, loaded once for all collections.

        Parameters
        ----------
        stored : what made the collection that asks, whose prompts it goes on with
        """
        if registry.is_kept(model):  # in the file, where another process may put another one
            return self._aligned(model, precision)
        key = (model, precision)
        if key not in self._embedders:
            self._embedders[key] = load_embedder(model, precision=precision, cache=self._cache)
        embedder = self._embedders[key]
        if stored is None or (twin := as_made(embedder, stored)) is embedder:
            return embedder
        return self._older.setdefault((*key, tuple(sorted(stored.prompts.items()))), twin)

    def reranker(self, model: str) -> Reranker:
        """The model that reranks by this name, loaded once."""
        if model not in self._rerankers:
            from ..embedders.rerank import load_reranker

            self._rerankers[model] = load_reranker(model)
        return self._rerankers[model]

    def indexing(self, name: str, *, whole: bool = False) -> Indexing:
        """The index of a collection's passages, or of its documents as a whole; one for all who ask this database."""
        return self._indexings.setdefault((name, whole), Indexing(self.store, name, whole=whole))

    def close(self) -> None:
        """Close the file. What was written goes into the indexes first, where it slows searches down enough to be worth it."""
        try:
            for indexing in self._indexings.values():
                indexing.merge()
        finally:
            self._indexings.clear()
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:  # whoever interrupts a program does not wait for an index
            self._indexings.clear()
        self.close()

    def __repr__(self) -> str:
        return f"<cosimo.Database {self.name}>"
