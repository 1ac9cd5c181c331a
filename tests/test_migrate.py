"""Migrate: another model for a collection, the old vectors serving until the swap; nothing lost, nothing paid twice."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.core.content import content_hash
from cosimo.core.errors import BadVector, CollectionError, DataError, MissingKey, ModelMismatch, NotFound, StoreError
from cosimo.core.types import Embedded
from cosimo.embedders.fake import FakeEmbedder
from cosimo.interfaces.cli import cli
from cosimo.verbs import migrate as verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database
    from cosimo.core.types import Content, Role

TEXTS = {
    "bread.md": "Bake bread in a hot oven.",
    "cats.md": "Cats sleep all day.",
    "copy.md": "Bake bread in a hot oven.",
    "data.md": "SQLite keeps rows in one file.",
}
LONG = "".join(f"Paragraph {n} is about the number {n} and the animal {'cat' if n % 2 else 'owl'}.\n\n" for n in range(200))


class Other(FakeEmbedder):
    """A model of another name with vectors of the same length, that counts what it is given."""

    def __init__(self, dim: str = "64", *, name: str = "other:64", before: Callable[[], None] = lambda: None) -> None:
        super().__init__(dim)
        self.spec = replace(self.spec, name=name, revision="other-1", prompts={"query": "ask: ", "document": "say: "})
        self.texts: list[Content] = []
        self.before = before

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        self.before()
        self.texts += contents
        made = super().embed(contents, role=role)
        return made._replace(vectors=np.ascontiguousarray(-made.vectors))


@pytest.fixture
def path(tmp_path: Path, home: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with cosimo.open(path) as db:
        yield db


@pytest.fixture
def notes(db: Database) -> Collection:
    notes = db.collection("notes", model="fake:64")
    notes.add([Document(id, text, {"length": len(text)}) for id, text in TEXTS.items()], source="here")
    return notes


def rows(path: Path, columns: str = "*", table: str = "embeddings", order: str = "rowid") -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(f"select {columns} from {table} order by {order}").fetchall()


def tables(path: Path) -> set[str]:
    return {name for (name,) in rows(path, "name", "sqlite_master")}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["migrate", *arguments], catch_exceptions=False)


# -- what stays and what changes


def test_vectors_are_those_of_the_new_model_and_everything_else_stays(notes: Collection, path: Path) -> None:
    kept = "rowid, collection_id, id, content, content_blob, content_hash, metadata, updated"
    before, numbers = rows(path, kept), rows(path, "number, id, source", "cosimo_rows")
    done = notes.migrate("fake:96")
    assert rows(path, kept) == before
    assert rows(path, "number, id, source", "cosimo_rows") == numbers
    assert (done.rows, done.embedded, done.model) == (4, 3, "fake:96")
    for id, text in TEXTS.items():
        assert np.array_equal(notes.vector(id), FakeEmbedder("96").embed([text]).vectors[0])


def test_the_file_says_which_model_it_is_and_keeps_nothing_of_the_way_there(notes: Collection, path: Path) -> None:
    notes.migrate("fake:96")
    assert rows(path, "model", "collections") == [("fake:96",)]
    assert notes.info().settings.dim == 96
    assert not tables(path) & {"cosimo_migrations", "cosimo_next", "cosimo_next_passages"}
    with cosimo.open(path) as again:
        assert again.check() == []
        assert again.collection("notes").search("bread", k=1, mode="vector")[0].id in ("bread.md", "copy.md")


def test_the_handle_that_migrated_goes_on_with_the_new_model(notes: Collection) -> None:
    notes.search("bread")
    notes.migrate("fake:96")
    assert notes.model == "fake:96"
    assert notes.search("where cats sleep", k=1, mode="vector")[0].id == "cats.md"
    assert notes.add([Document("new.md", "Owls wake at night.")]).added == 1
    assert notes.vector("new.md").shape == (96,)
    assert notes.related("bread.md", k=1)[0].id == "copy.md"


def test_a_model_of_the_same_length_leaves_no_old_vector_in_any_index(notes: Collection, db: Database) -> None:
    notes.search("bread")
    notes.relate(2)
    done = verb.migrate(db.store, Other(), "notes")
    assert (done.rows, done.listed) == (4, 2)
    other = db.collection("notes")
    query = Other().embed(["Cats sleep all day."]).vectors[0]
    assert other.search(query, k=1)[0].score == pytest.approx(1)
    with pytest.raises(NotFound, match="has no related items saved; run"):
        other.similarities()
    assert other.relate(2).full
    assert {hit.id for hit in other.related("bread.md", k=1)} == {"copy.md"}


def test_documents_get_the_document_prompt_of_the_new_model(notes: Collection, db: Database) -> None:
    verb.migrate(db.store, Other(), "notes")
    settings = db.store.settings("notes")
    assert settings is not None
    assert settings.prompts == {"query": "ask: ", "document": "say: "}
    document, query = (Other().embed(["Cats sleep all day."], role=role).vectors[0] for role in ("document", "query"))
    assert np.array_equal(db.collection("notes").vector("cats.md"), document)
    assert not np.array_equal(document, query)


def test_long_texts_are_cut_anew_for_the_new_window(notes: Collection, db: Database) -> None:
    notes.add([Document("long.md", LONG)])

    class Narrow(Other):
        def __init__(self) -> None:
            super().__init__("32", name="narrow:32")
            self.spec = replace(self.spec, max_tokens=128)

    before = db.store.changes("notes").numbers.shape[0]
    done = verb.migrate(db.store, Narrow(), "notes")
    after = db.store.changes("notes")
    assert done.passages > before - 4  # shorter passages, so more of them
    assert after.vectors.shape == (4 + done.passages, 32)
    assert db.check() == []


def test_texts_stay_whole_where_they_were(db: Database) -> None:
    whole = db.collection("whole", model="fake:64")
    whole.add([Document("long.md", LONG)], passages=False)
    done = whole.migrate("fake:96")
    assert (done.passages, done.cut) == (0, 1)
    assert whole.info().settings.passages is False


def test_full_text_is_not_indexed_again_and_other_collections_notice_nothing(notes: Collection, db: Database) -> None:
    other = db.collection("other", model="fake:32")
    other.add([Document("x", "Another text.")])
    notes.search("bread"), other.search("text")
    seen = db.store.changes("other").version
    notes.migrate("fake:96")
    assert db.store.text_pending("notes") == 0
    assert [hit.id for hit in notes.search("sqlite", mode="text")] == ["data.md"]
    change = db.store.changes("other", seen)
    assert not change.full
    assert len(change.numbers) == len(change.removed) == 0


def test_a_file_of_llm_migrates(path: Path) -> None:
    import llm
    import sqlite_utils

    class Theirs(llm.EmbeddingModel):
        model_id = "theirs"

        def embed_batch(self, items: Any) -> Any:
            return ([float(len(item)), 1.0] for item in items)

    theirs = llm.Collection("notes", sqlite_utils.Database(str(path)), model=Theirs())
    theirs.embed_multi([("a", "Bake bread."), ("b", "Cats sleep.")], store=True)
    theirs.db.close()
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        assert notes.migrate("fake:96").rows == 2
        assert notes.search("bread", k=1)[0].id == "a"
    assert rows(path, "model", "collections") == [("fake:96",)]


def test_rows_that_other_programs_left_odd_are_migrated_too(notes: Collection, db: Database, path: Path) -> None:
    with sqlite3.connect(path) as theirs:
        theirs.execute("update embeddings set content = 'Owls wake at night.' where id = 'cats.md'")  # the hash is old now
        theirs.execute("insert into embeddings (collection_id, id, content, embedding) values (1, x'01', 'A blob id.', x'00')")
        theirs.execute("insert into embeddings (collection_id, id, content, embedding) values (1, 'blank', '  ', x'00')")
        theirs.execute("insert into embeddings (collection_id, id, content, embedding) values (1, 'number', 5, x'00')")
    assert notes.migrate("fake:96").rows == 7
    assert np.array_equal(notes.vector("cats.md"), FakeEmbedder("96").embed(["Owls wake at night."]).vectors[0])
    assert {(len(vector),) for (vector,) in rows(path, "embedding")} == {(4 * 96,)}
    assert not notes.vector("blank").any()  # near to nothing
    assert [finding.kind for finding in db.check()] == ["id", "zero"]


def test_a_collection_of_vectors_from_elsewhere_migrates_where_texts_are_stored(db: Database) -> None:
    shapes = db.collection("shapes", model=None, dim=2)
    shapes.add_vectors(["cube", "ball"], np.eye(2), contents=["a cube", "a ball"])
    shapes.migrate("fake:96")
    assert shapes.search("a ball", k=1)[0].id == "ball"


def test_a_server_that_a_collection_migrated_to_is_one_the_user_named(notes: Collection, db: Database) -> None:
    name = "https://models.example/v1#m"
    db._embedders[name, None] = Other(name=name)
    notes.migrate(name)
    assert db.collection("notes").search("bread", k=1, mode="vector")


def test_the_model_it_has_already_is_nothing_to_do(notes: Collection) -> None:
    assert notes.migrate("fake:64").embedded == 0


# -- texts that are not stored


@pytest.fixture
def unstored(db: Database, tmp_path: Path) -> Collection:
    folder = tmp_path / "notes"
    folder.mkdir()
    for id, text in TEXTS.items():
        (folder / id).write_text(text)
    unstored = db.collection("unstored", model="fake:64")
    unstored.add(cosimo.read(folder), store=False)
    return unstored


def test_texts_are_read_from_their_source_and_not_stored(unstored: Collection, tmp_path: Path) -> None:
    unstored.migrate("fake:96", cosimo.read(tmp_path / "notes"))
    assert unstored.get("cats.md").content is None
    assert np.array_equal(unstored.vector("cats.md"), FakeEmbedder("96").embed([TEXTS["cats.md"]]).vectors[0])
    assert unstored.add(cosimo.read(tmp_path / "notes"), store=False).unchanged == 4


def test_a_source_that_can_be_read_once_is_enough(unstored: Collection) -> None:
    assert unstored.migrate("fake:96", (Document(id, text) for id, text in TEXTS.items())).rows == 4


def test_a_text_that_changed_in_its_source_is_embedded_as_it_is_now(unstored: Collection, tmp_path: Path) -> None:
    (tmp_path / "notes" / "cats.md").write_text("Owls wake at night.")
    unstored.migrate("fake:96", cosimo.read(tmp_path / "notes"))
    assert np.array_equal(unstored.vector("cats.md"), FakeEmbedder("96").embed(["Owls wake at night."]).vectors[0])
    assert unstored.add(cosimo.read(tmp_path / "notes"), store=False).unchanged == 4


def test_headings_of_texts_that_are_not_stored_are_not_stored_either(db: Database, path: Path) -> None:
    secret = db.collection("secret", model="fake:64")
    documents = [Document("a", f"# Private\n\n{LONG}")]
    secret.add(documents, store=False)
    assert secret.migrate("fake:96", documents).passages > 1
    assert {heading for (heading,) in rows(path, "heading", "cosimo_vectors", "unit")} == {""}


def test_rows_without_a_text_are_refused_before_anything_is_embedded(unstored: Collection, db: Database) -> None:
    model, some = Other(), [Document("cats.md", "Cats."), Document("bread.md", " ")]
    for documents, number in ([], "4 rows"), (some, "3 rows"):
        with pytest.raises(DataError, match=f"{number} of 4 in 'unstored', such as 'bread.md', ha(s|ve) no text"):
            verb.migrate(db.store, model, "unstored", documents)
        with pytest.raises(DataError, match=number):
            unstored.plan_migration("fake:96", documents)
    assert model.texts == []
    assert db.store.migrating("unstored") is None


def test_binary_contents_are_refused_before_anything_is_embedded(notes: Collection, db: Database, path: Path) -> None:
    with sqlite3.connect(path) as theirs:
        theirs.execute("update embeddings set content = null, content_blob = x'ffd8' where id = 'cats.md'")
    with pytest.raises(DataError, match=r"1 row of 'notes', such as 'cats.md', cannot be embedded: it is"):
        notes.migrate("fake:96")


class Restless:
    """A source that has something else each time it is read."""

    def __init__(self, *readings: dict[str, str]) -> None:
        self.readings = iter(readings)

    def __iter__(self) -> Iterator[Document]:
        return iter([Document(id, text) for id, text in next(self.readings).items()])


def test_a_file_that_changes_between_two_readings_is_embedded_as_it_was_at_the_second(unstored: Collection) -> None:
    unstored.migrate("fake:96", Restless(TEXTS, {**TEXTS, "cats.md": "Owls wake at night."}))
    assert np.array_equal(unstored.vector("cats.md"), FakeEmbedder("96").embed(["Owls wake at night."]).vectors[0])


def test_a_file_that_is_gone_at_the_second_reading_ends_it_and_changes_nothing(unstored: Collection) -> None:
    less = {id: text for id, text in TEXTS.items() if id != "cats.md"}
    with pytest.raises(DataError, match="1 row of 'unstored' had a text when the source was read first, and none"):
        unstored.migrate("fake:96", Restless(TEXTS, less, less))
    assert unstored.model == "fake:64"
    assert unstored.search("bread", k=1)


# -- interrupted, and others at work


class Stop(Exception):
    """What a test raises in the middle."""


def stopping_after(calls: int) -> Callable[[], None]:
    left = iter(range(calls))

    def call() -> None:
        if next(left, None) is None:
            raise Stop

    return call


def test_an_interrupted_migration_goes_on_and_embeds_nothing_twice(db: Database, path: Path) -> None:
    notes = db.collection("notes", model="fake:64")
    notes.add(Document(str(n), f"Text number {n}.") for n in range(50))
    first, second = Other(before=stopping_after(3)), Other()
    with pytest.raises(Stop):
        verb.migrate(db.store, first, "notes", batch_size=10)
    assert notes.search(FakeEmbedder("64").embed(["Text number 7."]).vectors[0], k=1)[0].id == "7"  # the old vectors answer
    assert [info.name for info in db.collections()] == ["notes"]
    done = verb.migrate(db.store, second, "notes", batch_size=10)
    assert (len(first.texts), len(second.texts), done.embedded, done.committed) == (30, 20, 20, 50)
    assert sorted(map(str, first.texts + second.texts)) == sorted(f"Text number {n}." for n in range(50))


def test_a_text_that_changes_meanwhile_is_noticed(notes: Collection, db: Database, path: Path) -> None:
    def change() -> None:
        with sqlite3.connect(path) as theirs:
            theirs.execute("update embeddings set content = 'Owls wake at night.', content_hash = null where id = 'cats.md'")
            theirs.execute("delete from embeddings where id = 'copy.md'")
            theirs.execute(
                "insert or replace into embeddings (collection_id, id, content, embedding) values (1, 'n', 'New.', x'')"
            )

    verb.migrate(db.store, Other(before=change), "notes")
    assert [id for (id,) in rows(path, "id")] == ["bread.md", "cats.md", "data.md", "n"]
    now = db.collection("notes")
    assert np.array_equal(now.vector("cats.md"), Other().embed(["Owls wake at night."]).vectors[0])
    assert np.array_equal(now.vector("n"), Other().embed(["New."]).vectors[0])
    assert db.check() == []


def test_rows_without_text_that_come_meanwhile_end_it_with_what_was_paid_kept(notes: Collection, db: Database) -> None:
    def add() -> None:
        notes.add([Document("unstored.md", "Unstored.")], store=False)

    with pytest.raises(DataError, match="1 row without a text came into 'notes' meanwhile"):
        verb.migrate(db.store, Other(before=add), "notes")
    assert len(db.store.ready("notes")) == 3
    model = Other()
    verb.migrate(db.store, model, "notes", [Document("unstored.md", "Unstored.")])
    assert model.texts == ["Unstored."]


def test_another_target_half_way_is_an_error_that_names_both_ways_out(notes: Collection, db: Database) -> None:
    with pytest.raises(Stop):
        verb.migrate(db.store, Other(before=stopping_after(1)), "notes", batch_size=1)
    with pytest.raises(CollectionError, match=r"half way to other:64 \(1 texts\).*--restart"):
        notes.migrate("fake:96")
    assert notes.migrate("fake:96", restart=True).embedded == 3
    assert notes.model == "fake:96"


def test_a_model_that_embeds_nothing_leaves_nothing_half_way(notes: Collection, db: Database, path: Path) -> None:
    def no_key() -> None:
        raise MissingKey("a key is wanted")

    before = tables(path)
    with pytest.raises(MissingKey):
        verb.migrate(db.store, Other(before=no_key), "notes")
    assert db.store.migrating("notes") is None
    assert tables(path) == before
    assert notes.migrate("fake:96").rows == 4  # without --restart


def test_giving_up_leaves_the_collection_as_it_was(notes: Collection, db: Database, path: Path) -> None:
    before = rows(path)
    with pytest.raises(Stop):
        verb.migrate(db.store, Other(before=stopping_after(2)), "notes", batch_size=1)
    assert notes.give_up_migration() == 2
    assert notes.give_up_migration() == 0
    assert rows(path) == before
    assert "cosimo_next" not in tables(path)


def test_what_a_dropped_collection_left_half_way_is_not_taken_for_anothers(notes: Collection, db: Database, path: Path) -> None:
    with pytest.raises(Stop):
        verb.migrate(db.store, Other(before=stopping_after(1)), "notes", batch_size=1)
    db.drop("notes")
    again = db.collection("others", model="fake:64")
    again.add([Document("a", TEXTS["bread.md"])])
    assert rows(path, "id", "collections", "id") == [(1,)]  # the number of the one that was dropped
    assert db.store.migrating("others") is None
    assert again.plan_migration("fake:96").to_embed == 1
    assert again.migrate("fake:96").embedded == 1


def test_two_processes_may_end_the_same_migration(notes: Collection, db: Database, path: Path) -> None:
    def other_process() -> None:
        with cosimo.open(path) as theirs:
            verb.migrate(theirs.store, Other(), "notes")

    with pytest.raises(StoreError, match="another program ended or replaced the migration"):
        verb.migrate(db.store, Other(before=other_process), "notes")
    assert verb.migrate(db.store, Other(), "notes").embedded == 0  # it is done
    assert db.check() == []


def test_a_vector_that_is_no_vector_stops_it_and_leaves_the_old_ones(notes: Collection, db: Database) -> None:
    class Broken(Other):
        def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
            return Embedded(np.full((len(contents), 64), np.nan, np.float32), 1, [])

    with pytest.raises(BadVector):
        verb.migrate(db.store, Broken(), "notes")
    assert db.store.ready("notes") == set()
    assert notes.search("bread", k=1)


def test_an_addition_under_way_does_not_put_old_vectors_among_the_new(notes: Collection, db: Database, path: Path) -> None:
    def migrate() -> None:
        with cosimo.open(path) as theirs:
            verb.migrate(theirs.store, Other(), "notes")

    class Slow(FakeEmbedder):
        def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
            migrate()
            return super().embed(contents, role=role)

    db._embedders["fake:64", None] = Slow("64")
    with pytest.raises(ModelMismatch, match="was made with other:64"):
        db.collection("notes", model="fake:64").add([Document("late.md", "Too late.")])
    assert "late.md" not in db.collection("notes")


def test_a_search_that_began_with_the_old_model_is_answered_by_the_new(notes: Collection, db: Database, path: Path) -> None:
    asked = db.collection("notes")
    asked.search("bread")

    class Slow(FakeEmbedder):
        def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
            with cosimo.open(path) as theirs:
                theirs.collection("notes").migrate("fake:96")
            return super().embed(contents, role=role)

    asked.__dict__["embedder"] = Slow("64")
    assert asked.search("where cats sleep", k=1, mode="vector")[0].id == "cats.md"
    assert asked.model == "fake:96"


def test_every_search_meanwhile_is_answered_by_one_model_or_the_other(db: Database, path: Path) -> None:
    notes = db.collection("notes", model="fake:64")
    notes.add(Document(str(n), f"Text number {n}.") for n in range(300))
    query, asked = "number 123", db.collection("notes")
    old = asked.search(query, 5, mode="vector")
    answers, ended, failed = [], Event(), []

    def ask() -> None:
        try:
            with cosimo.open(path, read_only=True) as theirs:
                reader = theirs.collection("notes")
                while not ended.is_set() or not answers:
                    answers.append(reader.search(query, 5, mode="vector"))
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=ask)
    thread.start()
    notes.migrate("fake:96", batch_size=20)
    notes.migrate("fake:64", batch_size=20)
    notes.migrate("fake:96", batch_size=20)
    ended.set()
    thread.join()
    new = notes.search(query, 5, mode="vector")
    assert failed == []
    assert old != new
    assert all(answer in (old, new) for answer in answers)


# -- asking beforehand, and the command


def test_a_plan_counts_and_writes_nothing(notes: Collection, path: Path) -> None:
    before = path.read_bytes()
    plan = notes.plan_migration("fake:96")
    assert (plan.rows, plan.texts, plan.to_embed, plan.cost) == (4, 3, 3, 0.0)
    assert plan.tokens == sum(FakeEmbedder("96").count_tokens(sorted(set(TEXTS.values()))))
    assert plan.seconds is not None
    assert path.read_bytes() == before


def test_a_model_with_a_price_is_not_called_to_tell_the_time(notes: Collection, db: Database) -> None:
    model = Other()
    model.spec = replace(model.spec, price=2.0)
    plan = verb.plan(db.store, model, "notes")
    assert (plan.cost, plan.seconds) == (round(plan.tokens * 2e-6, 6), None)
    assert model.texts == []


def test_a_plan_leaves_out_what_an_interrupted_run_embedded(notes: Collection, db: Database) -> None:
    with pytest.raises(Stop):
        verb.migrate(db.store, Other(before=stopping_after(2)), "notes", batch_size=1)
    assert verb.plan(db.store, Other(), "notes").to_embed == 1
    assert notes.plan_migration("fake:96").to_embed == 3


def test_a_collection_that_is_not_there(db: Database) -> None:
    with pytest.raises(NotFound):
        db.collection("nothing").migrate("fake:96")


def test_mixing_models_says_how_to_migrate(notes: Collection, db: Database) -> None:
    with pytest.raises(ModelMismatch, match="run: cosimo migrate notes --model fake:96"):
        db.collection("notes", model="fake:96")


def test_the_command_plans_migrates_and_says_when_there_is_nothing_to_do(notes: Collection, path: Path) -> None:
    done = run("notes", "-m", "fake:96", "-d", str(path), "--dry-run")
    plan = json.loads(done.stdout)
    assert (plan["from"], plan["to"], plan["to_embed"], plan["cost"]) == ("fake:64", "fake:96", 3, 0.0)
    done = run("notes", "-m", "fake:96", "-d", str(path), "--progress", "json", "--batch-size", "2")
    assert [json.loads(line)["committed"] for line in done.stdout.splitlines()] == [2, 3]
    assert "4 rows now with fake:96; 3 embedded" in done.stderr
    assert "nothing to do" in run("notes", "-m", "fake:96", "-d", str(path)).stderr


def test_the_command_says_that_saved_related_items_are_gone(notes: Collection, path: Path) -> None:
    notes.relate(3)
    assert "cosimo related notes --all --save -n 3" in run("notes", "-m", "fake:96", "-d", str(path)).stderr
    assert "related" not in run("notes", "-m", "fake:64", "-d", str(path)).stderr


def test_a_disk_that_is_full_at_the_swap_is_told_as_such(
    notes: Collection, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, *_: Any) -> None:
        file.execute("ROLLBACK")  # as SQLite does by itself
        raise StoreError("no space left")

    monkeypatch.setattr("cosimo.stores.swap._replace_passages", full)
    with pytest.raises(StoreError, match="no space left"):
        notes.migrate("fake:96")
    monkeypatch.undo()
    assert notes.search("bread", k=1, mode="vector")
    assert notes.migrate("fake:96").embedded == 0


def test_the_command_reads_files_and_refuses_what_makes_no_sense(unstored: Collection, path: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "notes")
    done = run("unstored", "-m", "fake:96", "-d", str(path), "--files", folder, "*.md")
    assert "4 rows now with fake:96" in done.stderr
    assert run("unstored", "-d", str(path)).exit_code == 2
    assert run("unstored", "-m", "fake:64", "--prefix", "x", "-d", str(path)).exit_code == 2
    assert run("unstored", "-m", "fake:64", "--give-up", "-d", str(path)).exit_code == 2
    assert "0 texts forgotten" in run("unstored", "--give-up", "-d", str(path)).stderr


def test_hashes_of_texts_are_what_ready_vectors_are_kept_by(notes: Collection, db: Database) -> None:
    with pytest.raises(Stop):
        verb.migrate(db.store, Other(before=stopping_after(1)), "notes", batch_size=1)
    hash = content_hash(TEXTS["bread.md"])
    assert db.store.ready("notes", [hash, b"x" * 16]) == {hash}
