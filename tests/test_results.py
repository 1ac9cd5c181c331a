"""Kept results: come back as they were kept, go with their collection, say when rows changed, and harm no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo import Document
from cosimo.core.errors import Corrupt, DataError, NotFound
from cosimo.core.results import Member, Position, Result
from cosimo.verbs.whole import rows, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosimo.collection.collection import Collection
    from cosimo.stores.sqlite import SQLiteStore


@pytest.fixture
def notes() -> Iterator[Collection]:
    with cosimo.open(":memory:") as db:
        notes = db.collection("notes", model="fake:16")
        notes.add(Document(name, f"a text about {name}", {"n": n}) for n, name in enumerate("cab"))
        yield notes


def store_of(notes: Collection) -> SQLiteStore:
    return notes._store  # type: ignore[return-value]


def test_a_result_has_a_name(notes: Collection) -> None:
    for ask in (notes.map, notes.cluster, lambda name: notes.learn_scale(["a"], ["b"], name=name)):
        with pytest.raises(DataError, match="kept under a name"):
            ask(name="")


def a_map(version: int = 1) -> Result:
    arrays = {"axes": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["düne", "海"])}
    return Result("map", "main", version, {"seed": 1, "method": "pca"}, {"kept": 0.5, "title": "海"}, arrays)


def test_a_result_comes_back_as_it_was_kept_and_a_newer_one_replaces_it(notes: Collection) -> None:
    store, made = store_of(notes), a_map()
    store.keep("notes", made, [Position("b", 1.0, 2.0, None, False), Position("a", 0.5, 0.25, 3.0, True)])
    back = store.result("notes", "map", "main")
    assert back is not None
    assert (back.version, back.settings, back.summary) == (made.version, made.settings, made.summary)
    assert all(np.array_equal(back.arrays[name], array) for name, array in made.arrays.items())
    assert list(store.positions("notes", "main")) == [
        Position("a", 0.5, 0.25, 3.0, True),
        Position("b", 1.0, 2.0, None, False),
    ]
    store.keep("notes", Result("map", "main", 8, {}, {}), [Position("c", 1, 1, None, False)])
    assert [(info.kind, info.name, info.version) for info in notes.results()] == [("map", "main", 8)]
    assert [position.id for position in store.positions("notes", "main")] == ["c"]
    assert store.result("notes", "map", "main") == Result("map", "main", 8, {}, {})


def test_members_are_told_by_level_cluster_and_closeness(notes: Collection) -> None:
    store = store_of(notes)
    members = [Member("a", 0, 1, 0.5), Member("b", 0, 1, 0.9), Member("c", 0, -1, 0.1), Member("a", 1, 0, 0.5)]
    store.keep("notes", Result("clusters", "main", 1, {}, {}), members)
    assert [(m.level, m.cluster, m.id) for m in store.members("notes", "main")] == [
        (0, -1, "c"),
        (0, 1, "b"),
        (0, 1, "a"),
        (1, 0, "a"),
    ]


def test_results_go_with_their_collection_and_when_told_to(notes: Collection) -> None:
    store = store_of(notes)
    store.keep("notes", a_map(), [Position("a", 0, 0, None, False)])
    notes.forget("map", "main")
    assert notes.results() == []
    assert list(store.positions("notes", "main")) == []
    with pytest.raises(NotFound, match="keeps no map 'main'; it keeps nothing yet"):
        notes.forget("map", "main")
    store.keep("notes", a_map(), [Position("a", 0, 0, None, False)])
    notes._db.drop("notes")
    for table in ("cosimo_results", "cosimo_arrays", "cosimo_map"):
        assert store._file.value(f"SELECT count(*) FROM {table}") == 0


def test_an_array_that_another_program_spoilt_is_told_and_no_object_is_ever_unpickled(notes: Collection) -> None:
    store = store_of(notes)
    for dtype in ("<f8", "|O", "nonsense"):
        store.keep("notes", a_map())
        with store.atomic():
            store._file.execute("UPDATE cosimo_arrays SET dtype = ?", (dtype,))
        with pytest.raises(Corrupt, match="cannot be read"):
            store.result("notes", "map", "main")


def test_a_whole_collection_is_unit_vectors_in_the_order_the_rows_came_without_those_of_zeros(notes: Collection) -> None:
    notes.add_vectors(["zero", "long"], np.array([[0] * 16, [3e-30] * 16]), ["nothing", "far"])
    made = whole(notes._store, "notes")
    assert made.ids == ["c", "a", "b", "long"]
    assert made.unusable == 1
    assert len(made) == 4
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-6)
    assert [row.content for row in rows(notes._store, "notes", made.numbers[:2].tolist())] == [
        "a text about c",
        "a text about a",
    ]
    assert whole(notes._store, "notes", prefix="a").ids == ["a"]
    assert whole(notes._store, "notes", filter=notes._filter("n >= 1")).ids == ["a", "b"]
    assert not notes._store.changes("notes", made.version, whole=True).numbers.size
