"""Schema: the tables of `llm` to the letter, ours beside them, and the numbered steps from any older file to today's.

Ours, kept in step by triggers in plain SQL, so that rows written by any program are noticed:

- `cosimo_rows`: a number for every (collection, id) that survives a REPLACE, and `changed`, the counter's value when the row
  was last touched. Numbers and change log are one table: a log of its own grows with every write, this one only with new ids.
  A deleted row stays with live = 0, so that whoever holds an older version learns of it.
- `cosimo_sources`: where rows came from (a folder, a query), for `prune`.
- `cosimo_collections`: what made a collection, beyond the model's name.
- `cosimo_cut` and `cosimo_vectors`: the passages of long documents. They are a document's as long as the hash kept with them is
  that of its content, so a text that any program replaces is never found by passages of the old one.
- `cosimo_indexes` and `cosimo_marks`: the index asked for, and what shows that an index file was built from this very file.
- `cosimo_similarities` and `cosimo_related`: each item's nearest ones, and up to which change they are known.
- `cosimo_results` and `cosimo_arrays`, `cosimo_cluster_items`, `cosimo_map`: what verbs found out about a whole collection.
- `cosimo_thumbnails`: small copies of pictures, by the hash of the whole ones.
- `cosimo_state`: one row. `version` of this schema; `floor`, the counter below which the log cannot answer; `writing`, set by
  our own writer inside its transaction (so no other program ever sees it set), which then numbers a whole batch at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..core.errors import Corrupt, StoreError
from ..core.units import MAX_SEQ, SHIFT

if TYPE_CHECKING:
    from ..core.sqlite import File

VERSION = 4

# As sqlite-utils 4 writes them for llm 0.36; older versions quote with brackets, which SQLite reads alike.
LLM_TABLES = {
    "_sqlite_migrations": (
        'CREATE TABLE "_sqlite_migrations" (\n   "id" INTEGER PRIMARY KEY,\n   "migration_set" TEXT,\n   "name" TEXT,\n'
        '   "applied_at" TEXT\n)',
        'CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"\n'
        '    ON "_sqlite_migrations" ("migration_set", "name")',
    ),
    "collections": (
        'CREATE TABLE "collections" (\n   "id" INTEGER PRIMARY KEY,\n   "name" TEXT,\n   "model" TEXT\n)',
        'CREATE UNIQUE INDEX "idx_collections_name"\n    ON "collections" ("name")',
    ),
    "embeddings": (
        'CREATE TABLE "embeddings" (\n   "collection_id" INTEGER REFERENCES "collections"("id"),\n   "id" TEXT,\n'
        '   "embedding" BLOB,\n   "content" TEXT,\n   "content_blob" BLOB,\n   "content_hash" BLOB,\n   "metadata" TEXT,\n'
        '   "updated" INTEGER,\n   PRIMARY KEY ("collection_id", "id")\n)',
    ),
}
HASH_INDEX = 'CREATE INDEX IF NOT EXISTS "idx_embeddings_content_hash"\n    ON "embeddings" ("content_hash")'
KEY_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS cosimo_key ON embeddings (collection_id, id)"
LLM_SET = "llm.embeddings"
LLM_STEPS = (  # without these rows llm would run the steps again
    "m001_create_tables",
    "m002_foreign_key",
    "m003_add_updated",
    "m004_store_content_hash",
    "m005_add_content_blob",
)
OURS = {  # table → the version it came with
    "cosimo_state": 1,
    "cosimo_collections": 1,
    "cosimo_sources": 1,
    "cosimo_rows": 1,
    "cosimo_cut": 2,
    "cosimo_vectors": 2,
    "cosimo_looked": 2,
    "cosimo_indexes": 2,
    "cosimo_marks": 2,
    "cosimo_similarities": 2,
    "cosimo_related": 2,
    "cosimo_results": 3,
    "cosimo_arrays": 3,
    "cosimo_cluster_items": 3,
    "cosimo_map": 3,
    "cosimo_thumbnails": 4,
}
NEEDED = {"collections": {"id", "name", "model"}, "embeddings": {"collection_id", "id", "embedding"}}

MIGRATIONS: tuple[tuple[str, ...], ...] = (  # step n brings a file from version n to n + 1
    (
        "CREATE TABLE IF NOT EXISTS cosimo_state (id INTEGER PRIMARY KEY, version INTEGER, written_by TEXT,"
        " floor INTEGER, writing INTEGER)",
        "INSERT INTO cosimo_state SELECT 1, 0, '', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM cosimo_state)",
        "CREATE TABLE IF NOT EXISTS cosimo_collections (collection_id INTEGER PRIMARY KEY, model TEXT, settings TEXT)",
        "CREATE TABLE IF NOT EXISTS cosimo_sources (id INTEGER PRIMARY KEY, collection_id INTEGER, label TEXT,"
        " UNIQUE (collection_id, label))",
        "CREATE TABLE IF NOT EXISTS cosimo_rows (number INTEGER PRIMARY KEY, collection_id INTEGER, id TEXT,"
        " changed INTEGER NOT NULL, live INTEGER NOT NULL, source INTEGER, UNIQUE (collection_id, id))",
        "CREATE INDEX IF NOT EXISTS cosimo_rows_changed ON cosimo_rows (changed)",
    ),
    (
        # passages: how many, 0 where the text was found to fit the window
        "CREATE TABLE IF NOT EXISTS cosimo_cut (number INTEGER PRIMARY KEY, hash BLOB, passages INTEGER)",
        'CREATE TABLE IF NOT EXISTS cosimo_vectors (unit INTEGER PRIMARY KEY, start INTEGER, "end" INTEGER, heading TEXT,'
        " tokens INTEGER, embedding BLOB)",
        # up to which change no text is left that somebody should look at, whether it fits the window
        "CREATE TABLE IF NOT EXISTS cosimo_looked (collection_id INTEGER PRIMARY KEY, version INTEGER)",
        "CREATE TABLE IF NOT EXISTS cosimo_indexes (collection_id INTEGER PRIMARY KEY, kind TEXT, metric TEXT, params TEXT)",
        "CREATE TABLE IF NOT EXISTS cosimo_marks (mark TEXT PRIMARY KEY, collection_id INTEGER, version INTEGER)",
        "CREATE TABLE IF NOT EXISTS cosimo_similarities (collection_id INTEGER, id TEXT, other_id TEXT, score REAL,"
        " PRIMARY KEY (collection_id, id, other_id)) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS cosimo_similarities_other ON cosimo_similarities (collection_id, other_id)",
        "CREATE TABLE IF NOT EXISTS cosimo_related (collection_id INTEGER PRIMARY KEY, version INTEGER, k INTEGER)",
    ),
    (
        "CREATE TABLE IF NOT EXISTS cosimo_results (collection_id INTEGER, kind TEXT, name TEXT, version INTEGER, made INTEGER,"
        " settings TEXT, summary TEXT, PRIMARY KEY (collection_id, kind, name))",
        "CREATE TABLE IF NOT EXISTS cosimo_arrays (collection_id INTEGER, kind TEXT, name TEXT, array TEXT, dtype TEXT,"
        " shape TEXT, data BLOB, PRIMARY KEY (collection_id, kind, name, array))",
        "CREATE TABLE IF NOT EXISTS cosimo_cluster_items (collection_id INTEGER, name TEXT, id TEXT, level INTEGER,"
        " cluster INTEGER, closeness REAL, PRIMARY KEY (collection_id, name, id, level)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS cosimo_map (collection_id INTEGER, name TEXT, id TEXT, x REAL, y REAL, z REAL,"
        " placed INTEGER, PRIMARY KEY (collection_id, name, id)) WITHOUT ROWID",
    ),
    ("CREATE TABLE IF NOT EXISTS cosimo_thumbnails (hash BLOB PRIMARY KEY, data BLOB)",),
)

NEXT = "(SELECT max(floor, coalesce((SELECT max(changed) FROM cosimo_rows), 0)) + 1 FROM cosimo_state)"
# by rowid and first of the conditions: evaluated for every row that our own writer stores
_IDLE = "(SELECT writing FROM cosimo_state WHERE rowid = 1) = 0"
# INSERT OR REPLACE fires no delete trigger, and its conflict policy overrides any inside a trigger: hence an UPDATE and
# an INSERT … WHERE NOT EXISTS instead of an upsert.
_NUMBERED = f"""
  UPDATE cosimo_rows SET changed = {NEXT}, live = 1 WHERE collection_id = new.collection_id AND id = new.id;
  INSERT INTO cosimo_rows (collection_id, id, changed, live) SELECT new.collection_id, new.id, {NEXT}, 1
    WHERE NOT EXISTS (SELECT 1 FROM cosimo_rows WHERE collection_id = new.collection_id AND id = new.id);"""


def _forgotten(row: str, when: str) -> str:
    """Statements that remove the passages of the row that a trigger calls `old` or `new`."""
    cut = f"""FROM cosimo_cut JOIN cosimo_rows USING (number)
    WHERE collection_id = {row}.collection_id AND id = {row}.id AND {when}"""
    return f"""
  DELETE FROM cosimo_vectors WHERE unit BETWEEN
    (SELECT number << {SHIFT} {cut}) AND
    (SELECT number << {SHIFT} | {MAX_SEQ} {cut});
  DELETE FROM cosimo_cut WHERE number = (SELECT number {cut});"""


_REPLACED = _forgotten("new", "hash IS NOT new.content_hash")
_OTHER = "(hash IS NOT new.content_hash OR old.embedding IS NOT new.embedding)"
_MOVED = "(old.collection_id IS NOT new.collection_id OR old.id IS NOT new.id)"
_BURIED = (
    f"UPDATE cosimo_rows SET changed = {NEXT}, live = 0, source = NULL WHERE collection_id = old.collection_id AND id = old.id"
)
# without the functions for JSON, which another program's SQLite may lack; `catalog.settings_json` writes it like this
_NAMED = """SELECT space.id FROM collections own JOIN collections space JOIN cosimo_collections about
    ON about.collection_id = space.id AND instr(about.settings, '"named": true')
    WHERE own.id = old.collection_id AND substr(space.name, 1, length(own.name) + 1) = own.name || '/'
    AND NOT instr(substr(space.name, length(own.name) + 2), '/')"""
TRIGGERS = {
    "cosimo_added": f"""CREATE TRIGGER cosimo_added AFTER INSERT ON embeddings
WHEN {_IDLE} AND typeof(new.id) = 'text' BEGIN{_NUMBERED}{_REPLACED}
END""",
    "cosimo_changed": f"""CREATE TRIGGER cosimo_changed AFTER UPDATE ON embeddings
WHEN {_IDLE} AND typeof(new.id) = 'text' BEGIN{_forgotten("old", _MOVED)}
  {_BURIED} AND {_MOVED};{_NUMBERED}{_forgotten("new", _OTHER)}
END""",
    "cosimo_removed": f"""CREATE TRIGGER cosimo_removed AFTER DELETE ON embeddings WHEN {_IDLE} BEGIN{_forgotten("old", "TRUE")}
  {_BURIED};
END""",
    # an item that another program deletes: what is named of it must not be another's who gets its id. By itself, since a
    # trigger does not call itself: this one has the rows of named vectors numbered, and their passages removed, by the other.
    # None follows a change of ids: scripts that change those of all collections at once would change them twice
    "cosimo_unnamed": f"""CREATE TRIGGER cosimo_unnamed AFTER DELETE ON embeddings WHEN {_IDLE} BEGIN
  DELETE FROM embeddings WHERE id = old.id AND collection_id IN ({_NAMED});
END""",
    "cosimo_dropped": f"""CREATE TRIGGER cosimo_dropped AFTER DELETE ON collections BEGIN
  UPDATE cosimo_state SET floor = {NEXT};
  DELETE FROM cosimo_rows WHERE collection_id = old.id AND live = 0;
  DELETE FROM cosimo_sources WHERE collection_id = old.id;
  DELETE FROM cosimo_collections WHERE collection_id = old.id;
  DELETE FROM cosimo_looked WHERE collection_id = old.id;
  DELETE FROM cosimo_indexes WHERE collection_id = old.id;
  DELETE FROM cosimo_marks WHERE collection_id = old.id;
  DELETE FROM cosimo_similarities WHERE collection_id = old.id;
  DELETE FROM cosimo_related WHERE collection_id = old.id;
  DELETE FROM cosimo_results WHERE collection_id = old.id;
  DELETE FROM cosimo_arrays WHERE collection_id = old.id;
  DELETE FROM cosimo_cluster_items WHERE collection_id = old.id;
  DELETE FROM cosimo_map WHERE collection_id = old.id;
END""",
    "cosimo_renamed": f"""CREATE TRIGGER cosimo_renamed AFTER UPDATE OF id, name ON collections BEGIN
  UPDATE cosimo_state SET floor = {NEXT};
END""",
}


@dataclass(frozen=True, slots=True)
class State:
    """What a file holds: decides how it is read, and what a writer has to bring up to date first."""

    stamp: int  # PRAGMA schema_version when this was found out
    tables: bool  # collections and embeddings exist
    columns: frozenset[str]  # of embeddings
    version: int  # of our tables; 0: there are none
    written_by: str
    tracked: bool  # our tables and all triggers are in place: numbers and changes can be trusted

    def column(self, name: str) -> str:
        """A column of embeddings for a SELECT; NULL where a file by an older `llm` has none of that name."""
        return name if name in self.columns else "NULL"


def inspect(file: File) -> State:
    """Look at a file without changing it. Call inside a transaction.

    Raises
    ------
    StoreError : it holds tables of these names that are another program's
    """
    stamp = file.value("PRAGMA schema_version")
    found = {(kind, name): sql for kind, name, sql in file.rows("SELECT type, name, sql FROM sqlite_master")}
    for table, needed in NEEDED.items():
        if ("table", table) in found and not needed <= columns_of(file, table):
            raise StoreError(f"{file.name} has a table '{table}' that is another program's; name another file with -d")
    version, written_by = 0, ""
    if ("table", "cosimo_state") in found:  # whatever a later version changes, these two columns stay
        version, written_by = (file.rows("SELECT version, written_by FROM cosimo_state") or [(0, "")])[0]
        if version <= VERSION and any(("table", table) not in found for table, since in OURS.items() if since <= version):
            version = 0  # somebody removed a table: the steps put back what is missing
    triggers = all(found.get(("trigger", name)) == sql for name, sql in TRIGGERS.items())
    return State(
        stamp=stamp,
        tables=all(("table", table) in found for table in NEEDED),
        columns=frozenset(columns_of(file, "embeddings")),
        version=version,
        written_by=written_by,
        tracked=version == VERSION and triggers and not file.value("SELECT writing FROM cosimo_state"),
    )


def columns_of(file: File, table: str) -> set[str]:
    """Names of a table's columns; none if it does not exist."""
    return {row[0] for row in file.rows("SELECT name FROM pragma_table_info(?)", (table,))}


def prepare(file: File, state: State) -> State:
    """Bring a file up to date for writing. Call inside `file.atomic()`.

    Raises
    ------
    Corrupt : a newer cosimo wrote it
    """
    if state.version > VERSION:
        raise Corrupt(
            f"{file.name} was written by a newer cosimo ({state.written_by}, file version {state.version}; this one writes "
            f"{VERSION}); run: pip install -U cosimo"
        )
    _prepare_llm(file)
    for step in MIGRATIONS[state.version :]:
        for sql in step:
            file.execute(sql)
    if state.version < VERSION:
        file.execute("UPDATE cosimo_state SET version = ?, written_by = ?", (VERSION, _our_version()))
    if not state.tracked:
        track(file)
    return inspect(file)


def _our_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cosimo")
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"


def _prepare_llm(file: File) -> None:
    """The tables of `llm`, with what its newer versions added to them; its own next run then finds nothing to do."""
    present = {name for (name,) in file.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, statements in LLM_TABLES.items():
        if table not in present:
            for sql in statements:
                file.execute(sql)
    _add_columns(file)
    _add_key(file)
    done = set(LLM_STEPS)
    if not file.rows("SELECT 1 FROM pragma_foreign_key_list('embeddings')"):
        done.remove("m002_foreign_key")  # needs a table rewrite, which llm may do when it likes
    recorded = {name for (name,) in file.rows("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (LLM_SET,))}
    now = str(datetime.now(UTC))
    file.execute_many(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
        [(LLM_SET, name, now) for name in LLM_STEPS if name in done - recorded],
    )


def _add_columns(file: File) -> None:
    """m003 to m005 of `llm`, by adding columns: it rewrites the table for their order alone, which nothing depends on.

    Tables that hold vectors and nothing else, as a script makes them, get the columns that `llm` had from the beginning too.
    """
    columns = columns_of(file, "embeddings")
    for name in ("content", "metadata"):
        if name not in columns:
            file.execute(f"ALTER TABLE embeddings ADD COLUMN {name} TEXT")
    if "updated" not in columns:
        file.execute("ALTER TABLE embeddings ADD COLUMN updated INTEGER")
        file.execute("UPDATE embeddings SET updated = ? WHERE updated IS NULL", (int(time.time()),))
    if "content_blob" not in columns:
        file.execute("ALTER TABLE embeddings ADD COLUMN content_blob BLOB")
    if "content_hash" not in columns:
        file.execute("ALTER TABLE embeddings ADD COLUMN content_hash BLOB")
        _hash_all(file)
    file.execute(HASH_INDEX)


def _add_key(file: File) -> None:
    """A key, where a script made the table without one: a row of an id that is there would come beside it, not in its place.

    Raises
    ------
    StoreError : several rows of one id
    """
    unique = file.rows("SELECT name FROM pragma_index_list('embeddings') WHERE \"unique\" AND NOT partial")
    columns = ({column for (column,) in file.rows("SELECT name FROM pragma_index_info(?)", index)} for index in unique)
    if any(each <= {"collection_id", "id"} for each in columns):
        return
    twice = "WHERE collection_id IS NOT NULL AND id IS NOT NULL GROUP BY collection_id, id HAVING count(*) > 1 LIMIT 1"
    for collection, id in file.rows(f"SELECT collection_id, id FROM embeddings {twice}"):
        raise StoreError(
            f"{file.name} has several rows of the id '{id}' in collection number {collection}, so none of them can be replaced;"
            " delete all but one"
        )
    file.execute(KEY_INDEX)


def _hash_all(file: File) -> None:
    """MD5 of every stored text, and for rows without one something that no text hashes to: as `llm` fills the column."""
    from ..core.content import content_hash

    after = -(2**63)
    query = "SELECT rowid, content FROM embeddings WHERE content IS NOT NULL AND rowid > ? ORDER BY rowid LIMIT 1000"
    while page := file.rows(query, (after,)):
        hashes = [(content_hash(content if isinstance(content, bytes) else str(content)), rowid) for rowid, content in page]
        file.execute_many("UPDATE embeddings SET content_hash = ? WHERE rowid = ?", hashes)
        after = page[-1][0]
    file.execute("UPDATE embeddings SET content_hash = randomblob(16) WHERE content IS NULL")


def track(file: File) -> None:
    """Put our triggers in place, and `cosimo_rows` in step with what is there.

    What happened while they were missing is unknown, so the floor rises: whoever holds an older version starts afresh.
    """
    for name, sql in TRIGGERS.items():
        file.execute(f"DROP TRIGGER IF EXISTS {name}")
        file.execute(sql)
    realign(file)


def realign(file: File) -> None:
    """Number every row, and forget numbers without one, deleted rows among them. Call inside `file.atomic()`."""
    # a file that we only read so far was numbered by rowid; it keeps those
    number = "NULL" if file.value("SELECT 1 FROM cosimo_rows LIMIT 1") else "rowid"
    file.execute(f"UPDATE cosimo_state SET floor = {NEXT}, writing = 0")
    file.execute(
        "DELETE FROM cosimo_rows WHERE NOT EXISTS (SELECT 1 FROM embeddings e"
        " WHERE e.collection_id = cosimo_rows.collection_id AND e.id = cosimo_rows.id)"
    )
    file.execute("UPDATE cosimo_rows SET live = 1 WHERE live = 0")
    file.execute("DELETE FROM cosimo_looked")
    file.execute(
        "DELETE FROM cosimo_cut WHERE NOT EXISTS (SELECT 1 FROM cosimo_rows r JOIN embeddings e"
        " ON e.collection_id = r.collection_id AND e.id = r.id"
        " WHERE r.number = cosimo_cut.number AND e.content_hash IS cosimo_cut.hash)"
    )
    file.execute(f"DELETE FROM cosimo_vectors WHERE unit >> {SHIFT} NOT IN (SELECT number FROM cosimo_cut)")
    file.execute(
        f"INSERT INTO cosimo_rows (number, collection_id, id, changed, live) SELECT {number}, collection_id, id,"
        " (SELECT floor FROM cosimo_state), 1 FROM embeddings e WHERE typeof(id) = 'text' AND collection_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM cosimo_rows r WHERE r.collection_id = e.collection_id AND r.id = e.id) ORDER BY rowid"
    )
