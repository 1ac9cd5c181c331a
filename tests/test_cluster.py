"""Clusters: sizes, names, levels and noise are what they should be, kept, brought up to date, and sound for odd collections."""

from __future__ import annotations

import json
import re
import sqlite3
import warnings
from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import servers
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.core.errors import Corrupt, DataError, InvalidFilter, MissingExtra, NotFound, ProviderError
from cosimo.core.llm import Completion
from cosimo.core.terms import stem
from cosimo.core.vectors import normalised
from cosimo.interfaces.cli import cli
from cosimo.verbs.clustering import hierarchy, how_many, kmeans
from cosimo.verbs.clustering.agreement import agreement
from cosimo.verbs.clustering.keywords import keywords
from cosimo.verbs.clustering.naming import READ, NamingWarning, prompt_of, title

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database
    from cosimo.core.types import Vectors
    from cosimo.verbs.clustering.clusters import Clusters

SUBJECTS = {
    "bread": "Bake the bread dough in a hot oven",
    "database": "Copy the SQLite database while it is in use",
    "garden": "Plant tomatoes in the garden after the frost",
}


UNSPOKEN = frozenset(  # words of intents that say nothing of their subject
    (
        "a",
        "an",
        "and",
        "by",
        "for",
        "from",
        "get",
        "getting",
        "i",
        "in",
        "into",
        "is",
        "it",
        "my",
        "not",
        "of",
        "or",
        "to",
        "via",
    )
)


def blobs(count: int = 20, groups: int = 3, dim: int = 16, spread: float = 0.15, seed: int = 0) -> tuple[Vectors, list[int]]:
    """(groups × count, dim) unit vectors around random directions, and which each is of."""
    random = np.random.default_rng(seed)
    centres = normalised(random.normal(size=(groups, dim)).astype(np.float32))
    noise = random.normal(scale=spread, size=(groups, count, dim)).astype(np.float32)
    return normalised((centres[:, None] + noise).reshape(-1, dim)), [group for group in range(groups) for _ in range(count)]


def filled(db: Database, name: str = "notes", **more: Any) -> Collection:
    """A collection of three subjects, twenty texts each."""
    vectors, of = blobs(**more)
    subjects = list(SUBJECTS)
    collection = db.collection(name, model=None)
    collection.add_vectors(
        [f"{subjects[g % 3]} {n:02}" for n, g in enumerate(of)], vectors,
        [f"{SUBJECTS[subjects[g % 3]]}, number {n}" for n, g in enumerate(of)],
        [{"subject": subjects[g % 3], "n": n} for n, g in enumerate(of)],
    )  # fmt: skip
    return collection


@pytest.fixture
def notes() -> Iterator[Collection]:
    with cosimo.open(":memory:") as db:
        yield filled(db)


def cut(found: Clusters) -> list[set[str]]:
    """The clusters as sets of ids, whatever their numbers."""
    groups: dict[int, set[str]] = {}
    for id, label in found.labels().items():
        groups.setdefault(label, set()).add(id)
    return sorted(groups.values(), key=min)


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_clusters_have_size_members_by_closeness_medoid_cohesion_and_a_name(notes: Collection) -> None:
    found = notes.cluster(3)
    assert [each.size for each in found.clusters] == [20, 20, 20]
    assert {frozenset(id.split()[0] for id in ids) for ids in cut(found)} == {frozenset([name]) for name in SUBJECTS}
    for each in found.clusters:
        items = found.items(each.id)
        assert items[0].id == each.medoid
        assert all(one.closeness >= two.closeness for one, two in pairwise(items))
        assert each.cohesion == pytest.approx(np.mean([item.closeness for item in items]), abs=1e-4)
        subject = each.medoid.split()[0]
        assert subject in each.name.lower(), each.name
        assert each.name == ", ".join(each.keywords)
        vectors = normalised(np.stack([notes.vector(item.id) for item in items]))
        inside = (vectors @ vectors.T).mean(axis=1)  # the medoid is the item with the highest mean similarity to the others
        assert items[int(inside.argmax())].closeness == pytest.approx(items[0].closeness, abs=1e-5)
    assert (found.why, found.noise, found.unusable, found.computed, found.saved) == ("asked for", 0, 0, True, True)
    assert json.loads(json.dumps(found.to_dict()))["levels"][0][0]["size"] == 20


def test_the_same_seed_gives_the_same_clusters_again_and_another_may_not(notes: Collection) -> None:
    found = [notes.cluster(7, seed=seed, refresh=True) for seed in (1, 1, 2)]
    assert found[0].members == found[1].members
    assert found[0].levels == found[1].levels
    assert found[0].members != found[2].members


def test_where_and_prefix_say_which_items(notes: Collection) -> None:
    assert {id.split()[0] for id in notes.cluster(2, prefix="bread").labels()} == {"bread"}
    assert len(notes.cluster(2, where="n < 10").labels()) == 10
    with pytest.raises(InvalidFilter):
        notes.cluster(2, where="n <")


def test_the_number_of_clusters_is_found(notes: Collection) -> None:
    found = notes.cluster()
    assert len(found.clusters) == 3
    assert "silhouette" in found.why
    assert found.silhouette is not None
    assert found.silhouette > 0.5
    assert found.levels == notes.cluster("auto").levels


def test_density_finds_groups_and_leaves_noise_between_them() -> None:
    pytest.importorskip("sklearn", reason="needs the extra understand")
    pytest.importorskip("umap", reason="needs the extra understand")
    with cosimo.open(":memory:") as db:
        collection = filled(db, count=18, spread=0.05)
        rows = np.stack([row.vector for row in collection.rows()])
        away = normalised(np.random.default_rng(5).normal(size=(500, 16)).astype(np.float32))
        away = away[np.argsort((away @ rows.T).max(axis=1))[:3]]  # farther from all than anything else
        collection.add_vectors(["far 1", "far 2", "far 3"], away, ["x", "y", "z"])
        found = collection.cluster(method="hdbscan")
        assert [each.size for each in found.clusters] == [18, 18, 18]
        assert (found.noise, {item.id for item in found.items(-1)}) == (3, {"far 1", "far 2", "far 3"})
        assert found.members[-1].cluster == -1
        assert [item["id"] for item in collection.cluster_items(found)] == ["0", "1", "2", "-1"]
        assert collection.cluster(method="hdbscan", refresh=True).members == found.members
        collection.add_vectors(["near", "far 4"], np.stack([collection.vector("bread 00"), -away[0]]), ["n", "f"])
        placed = collection.cluster(method="hdbscan")
        assert placed.labels()["near"] == found.labels()["bread 00"]
        assert placed.labels()["far 4"] == -1
        assert placed.placed == 2


def test_density_of_a_handful_is_noise_and_of_copies_one_group() -> None:
    pytest.importorskip("sklearn", reason="needs the extra understand")
    pytest.importorskip("umap", reason="needs the extra understand")
    with cosimo.open(":memory:") as db:
        few = db.collection("few", model=None)
        few.add_vectors(["a", "b"], np.eye(2, 4), ["x", "y"])
        assert (few.cluster(method="hdbscan").clusters, few.cluster(method="hdbscan").noise) == ((), 2)
        assert [each["id"] for each in few.cluster_items(few.cluster(method="hdbscan"))] == ["-1"]
        same = db.collection("same", model=None)
        same.add_vectors([str(n) for n in range(9)], np.ones((9, 4)))
        assert [each.size for each in same.cluster(method="hdbscan").clusters] == [9]
        copied = db.collection("copied", model=None)
        row = np.random.default_rng(2).normal(size=(1, 300))
        copied.add_vectors([str(n) for n in range(9)], row.repeat(9, axis=0))
        copied.cluster(method="hdbscan")
        copied.add_vectors(["one more"], row)
        found = copied.cluster(method="hdbscan")
        assert (found.placed, found.labels()["one more"]) == (1, 0)


def test_density_takes_copies_for_one_group_and_neither_for_noise_nor_for_several() -> None:
    pytest.importorskip("sklearn", reason="needs the extra understand")
    pytest.importorskip("umap", reason="needs the extra understand")
    from cosimo.verbs.clustering.density import dense

    alone = dense(np.repeat(np.eye(2, 8, dtype=np.float32), (99, 1), axis=0))
    assert alone.tolist() == [0] * 99 + [-1]
    vectors, _ = blobs(count=25, groups=4, spread=0.05)
    found = dense(np.concatenate([vectors, np.repeat(-vectors[:1], 120, axis=0)]), seed=2**32 - 1)
    assert len(set(found[100:].tolist())) == 1
    assert found[100] >= 0


def test_without_the_extra_density_says_what_to_install(notes: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cosimo\[understand\]'"):
        notes.cluster(method="hdbscan")


def test_clusters_stand_in_groups_and_these_in_groups() -> None:
    with cosimo.open(":memory:") as db:
        collection = filled(db, groups=20)
        found = collection.cluster(20)
        assert [len(level) for level in found.levels] == [20, 4]
        for child in found.clusters:
            assert child.parent is not None
        for above in found.levels[1]:
            children = [each for each in found.clusters if each.parent == above.id]
            assert above.size == sum(each.size for each in children)
            assert above.parent is None
        assert [each.size for each in found.levels[1]] == sorted((each.size for each in found.levels[1]), reverse=True)
        kept = [m for m in collection._store.members("notes", "main") if m.level == 1]  # type: ignore[attr-defined]
        assert {m.id: m.cluster for m in kept} == {m.id: found.clusters[m.cluster].parent for m in found.members}
    assert (hierarchy.levels(8), hierarchy.levels(77), hierarchy.levels(1000)) == ([], [9, 3], [32, 6])


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_second_call_gives_back_what_is_kept_and_names_keep_several(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = notes.cluster(3), notes.cluster(4, name="four")
    monkeypatch.setattr(kmeans, "kmeans", lambda *_, **__: pytest.fail("computed again"))
    again = notes.cluster(3)
    assert (again.computed, again.saved) == (False, True)
    assert (again.levels, again.members, again.silhouette) == (first.levels, first.members, first.silhouette)
    assert notes.clusters().members == first.members
    assert notes.clusters("four").members == other.members
    assert [(info.kind, info.name) for info in notes.results()] == [("clusters", "four"), ("clusters", "main")]
    with pytest.raises(NotFound, match="keeps no clusters 'five'"):
        notes.clusters("five")


def test_what_is_left_out_is_as_it_was_kept(notes: Collection) -> None:
    made = notes.cluster(5, seed=3)
    assert notes.cluster().members == made.members
    assert notes.cluster("auto").seed == 3
    assert len(notes.cluster("auto").clusters) == 3
    assert notes.cluster(4, method="kmeans").why == "asked for"
    again = notes.cluster(refresh=True)
    assert (len(again.clusters), again.computed, again.seed) == (4, True, 3)
    assert len(notes.cluster(seed=0, name="other").clusters) == 3
    assert {each.split()[0] for each in notes.cluster(where="n < 20").labels()} == {"bread"}


def test_new_items_go_to_the_nearest_cluster_and_names_stay(notes: Collection) -> None:
    before = notes.cluster(3)
    notes.add_vectors(["new"], notes.vector("garden 40")[None], ["Something else altogether"])
    notes.delete("bread 00")
    after = notes.cluster(3)
    assert after.labels()["new"] == before.labels()["garden 40"]
    assert "bread 00" not in after.labels()
    assert [each.name for each in after.clusters] == [each.name for each in before.clusters]
    assert {id: label for id, label in after.labels().items() if id != "new"} == {
        id: label for id, label in before.labels().items() if id != "bread 00"
    }
    assert (after.computed, after.placed, sum(each.size for each in after.clusters)) == (True, 2, 60)
    assert notes.cluster(3).computed is False


def test_what_has_changed_much_is_made_anew(notes: Collection) -> None:
    notes.cluster(3)
    vectors, _ = blobs(count=5, seed=9)
    notes.add_vectors([f"more {n}" for n in range(13)], vectors[:13])
    assert notes.cluster(3).placed == 0
    assert notes.cluster(3, refresh=True).placed == 0


def test_changes_add_up_until_all_is_made_anew(notes: Collection) -> None:
    notes.cluster(3)
    placed = []
    for n in range(14):
        notes.add_vectors([f"more {n}"], notes.vector("garden 40")[None])
        placed.append(notes.cluster(3).placed)
    assert placed == [*range(1, 13), 0, 1]


def test_a_cluster_that_would_be_left_empty_makes_all_anew() -> None:
    with cosimo.open(":memory:") as db:
        collection = filled(db, spread=0.02)
        collection.add_vectors(["alone"], -np.ones((1, 16)), ["alone"])
        found = collection.cluster(4)
        assert found.clusters[-1].size == 1
        collection.delete("alone")
        after = collection.cluster(4)
        assert after.placed == 0
        assert min(each.size for each in after.clusters) > 0


def test_another_model_makes_them_anew(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        collection = db.collection("notes", model="fake:16")
        collection.add([Document(str(n), f"text {n % 3} of some words {n}") for n in range(30)])
        collection.cluster(3)
        collection.migrate("fake:32")
        found = collection.cluster(3)
        assert (found.computed, found.placed) == (True, 0)
        assert collection._store.result("notes", "clusters", "main").arrays["centres_0"].shape == (3, 32)  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_written_gives_clusters_and_keeps_none(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        filled(db)
    with cosimo.open(tmp_path / "notes.db", read_only=True) as db:
        found = db.collection("notes").cluster(3)
        assert (len(found.clusters), found.saved) == (3, False)
        assert db.collection("notes").results() == []
    with cosimo.open(tmp_path / "notes.db") as db:
        assert db.collection("notes").cluster(3, save=False).saved is False
        assert db.collection("notes").results() == []
        kept = db.collection("notes").cluster(3)
    with cosimo.open(tmp_path / "notes.db", read_only=True) as db:
        found = db.collection("notes").cluster(3)
        assert (found.computed, found.members) == (False, kept.members)


@pytest.mark.parametrize("damage", [
    "UPDATE cosimo_results SET summary = '{}'", "UPDATE cosimo_results SET summary = 'nonsense'",
    "UPDATE cosimo_results SET settings = '[1]'", "DELETE FROM cosimo_cluster_items", "DELETE FROM cosimo_arrays",
    "UPDATE cosimo_cluster_items SET cluster = 99 WHERE id = 'bread 05'", "UPDATE cosimo_arrays SET data = x'00'",
    "UPDATE cosimo_cluster_items SET closeness = 'x' WHERE id = 'bread 05'",
    "DELETE FROM cosimo_cluster_items WHERE id = 'bread 05'",
])  # fmt: skip
@pytest.mark.parametrize("refresh", [False, True])
def test_what_another_program_damaged_is_made_anew_and_never_shown(tmp_path: Path, damage: str, refresh: bool) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        made = filled(db).cluster(3)
    with sqlite3.connect(tmp_path / "notes.db") as file:
        file.execute(damage)
    with cosimo.open(tmp_path / "notes.db") as db:
        notes = db.collection("notes")
        with pytest.raises(Corrupt, match=r"anew|--fresh"):
            notes.clusters()
        found = notes.cluster(3, refresh=refresh)
        assert (found.computed, found.members) == (True, made.members)
        assert notes.clusters().members == made.members


def test_clusters_that_another_program_makes_anew_meanwhile_are_not_mixed_with_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.db"
    with cosimo.open(path) as db, cosimo.open(path) as other:
        notes = filled(db)
        two = notes.cluster(2)
        notes.add_vectors(["new"], notes.vector("garden 40")[None])
        read = type(notes._store).result

        def slowly(store: Any, *about: Any) -> Any:
            found = read(store, *about)
            monkeypatch.undo()
            other.collection("notes").cluster(9)
            return found

        monkeypatch.setattr(type(notes._store), "result", slowly)
        found = notes.cluster(2)
        assert {id: label for id, label in found.labels().items() if id != "new"} == two.labels()
        notes.cluster(2)
        monkeypatch.setattr(type(notes._store), "result", slowly)
        assert len(notes.clusters().clusters) == max(member.cluster for member in two.members) + 1


def test_rows_are_compared_in_parts_of_a_bounded_size() -> None:
    for rows, clusters in ((100_000, 10), (100_000, 50_000), (5, 10**8), (0, 3)):
        parts = list(kmeans.blocks(rows, clusters))
        assert sum(len(range(rows)[part]) for part in parts) == rows
        assert all((part.stop - part.start) * clusters <= max(kmeans.CELLS, clusters) for part in parts)


def test_a_file_of_llms_own_is_clustered(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        filled(db)
    with sqlite3.connect(tmp_path / "notes.db") as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE name LIKE 'cosimo_%'")]
        for kind in ("TRIGGER", "TABLE"):
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind.lower(),)).fetchall():
                if name in names:
                    file.execute(f"DROP {kind} {name}")
    with cosimo.open(tmp_path / "notes.db", read_only=True) as db:
        assert len(db.collection("notes").cluster(3).clusters) == 3


# -- odd collections ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows(rows: int) -> None:
    with cosimo.open(":memory:") as db:
        collection = db.collection("few", model=None, dim=4)
        collection.add_vectors(["warm up"], np.ones((1, 4)))
        collection.delete("warm up")
        collection.add_vectors([str(n) for n in range(rows)], np.eye(rows, 4), ["one text"] * rows)
        if not rows:
            with pytest.raises(DataError, match="needs at least 1 items with a vector, and there are 0"):
                collection.cluster(2)
            return
        assert [each.size for each in collection.cluster().clusters] == [rows]
        assert [each.size for each in collection.cluster(rows).clusters] == [1] * rows
        with pytest.raises(DataError, match=f"{rows + 1} clusters of {rows} items cannot be"):
            collection.cluster(rows + 1)


def test_rows_that_are_all_equal_are_one_cluster() -> None:
    with cosimo.open(":memory:") as db:
        collection = db.collection("same", model=None)
        collection.add_vectors([str(n) for n in range(50)], np.ones((50, 8)), ["the same text"] * 50)
        for k in (5, "auto"):
            found = collection.cluster(k)
            assert [each.size for each in found.clusters] == [50]
            assert found.clusters[0].cohesion == pytest.approx(1, abs=1e-4)
        assert collection.cluster(5).why == "asked for; only 1 differ"
        assert collection.cluster(5).silhouette == 0


@pytest.mark.parametrize("k", [0, -1, "abc", "", 1.5, True, "10"])
def test_a_number_of_clusters_that_cannot_be(notes: Collection, k: Any) -> None:
    with pytest.raises(DataError, match="'auto' or a whole number from 1 on"):
        notes.cluster(k)


@pytest.mark.parametrize(("given", "words"), [
    ({"method": "magic"}, "no method is called 'magic'; known: kmeans, hdbscan"), ({"seed": -1}, "the seed"),
    ({"k": 3, "method": "hdbscan"}, "leave the number out"), ({"name": " "}, "under a name"), ({"truncate": -1}, "truncate"),
    ({"seed": 2**32}, "from 0 to 4,294,967,295"), ({"seed": 1.5}, "the seed"), ({"seed": True}, "the seed"),
    ({"name": "\ud800"}, "whole characters"), ({"name": "x" * 1_001}, "up to 1,000"), ({"name_with": 5}, "and 5 has not"),
    ({"prompt": "Sum up."}, "name_with"), ({"name_with": "fake", "prompt": " "}, "prompt is empty"),
])  # fmt: skip
def test_arguments_that_cannot_be(notes: Collection, given: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        notes.cluster(**given)


def test_numbers_of_numpy_are_whole_numbers_too(notes: Collection) -> None:
    k, seed = np.int64(3), np.uint8(4)
    assert len(notes.cluster(k, seed=seed).clusters) == 3  # type: ignore[arg-type]
    assert (notes.cluster().seed, notes.cluster(3, seed=4).computed) == (4, False)


def test_zero_and_damaged_vectors_of_other_programs_are_left_out_and_counted(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        filled(db)
    with sqlite3.connect(tmp_path / "notes.db") as file:
        for id, vector in (("zero", np.zeros(16)), ("nan", np.full(16, np.nan)), ("short", np.ones(3))):
            row = (id, vector.astype("<f4").tobytes())
            file.execute("INSERT INTO embeddings (collection_id, id, embedding) VALUES (1, ?, ?)", row)
    with cosimo.open(tmp_path / "notes.db") as db:
        found = db.collection("notes").cluster(3)
        assert (len(found.members), found.unusable) == (60, 3)
        assert np.isfinite([each.cohesion for each in found.clusters]).all()


def test_rows_without_stored_text_are_named_by_their_medoid(notes: Collection) -> None:
    bare = notes._db.collection("bare", model=None)
    vectors, _ = blobs()
    bare.add_vectors([f"id {n}" for n in range(59)], vectors[:59])
    bare.add_vectors(["picture"], vectors[59:], [b"\x89PNG"])
    for each in bare.cluster(3).clusters:
        assert (each.name, each.keywords) == (each.medoid, ())
    assert next(bare.cluster_items(bare.cluster(3)))["items"][0]["content"] is None
    assert bare.naming_prompts(bare.cluster(3)) == []
    assert bare.cluster(3, name_with="fake:3").clusters[0].name == bare.cluster(3).clusters[0].medoid


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("installed", [True, False])
def test_chinese_texts_are_named_by_chinese_words(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosimo.verbs.clustering import keywords as room

    if installed:
        pytest.importorskip("jieba", reason="needs the extra understand")
    else:
        monkeypatch.setattr(room, "_jieba", lambda: None)
    found = keywords([
        ["我想备份数据库", "数据库怎么备份", "如何恢复数据库的备份", "数据库太大了"],
        ["怎样烤面包", "面包的面团要发酵多久", "烤箱里的面包", "我喜欢吃面包"],
        ["今天的天气很好", "明天的天气怎么样", "天气预报说下雨", "下雨的天气"],
    ])  # fmt: skip
    assert "数据库" in found[0]
    assert "面包" in " ".join(found[1])
    assert "天气" in " ".join(found[2])
    assert not any(word in ("的", "怎么", "怎样", "如何") for words in found for word in words)


def test_right_to_left_and_emoji_texts_have_names() -> None:
    arabic = ["كيف أخبز الخبز في الفرن", "الخبز الطازج من الفرن", "وصفة الخبز"]
    found = keywords([arabic, ["\U0001f600 \U0001f680", "\U0001f600"], ["", "   ", "12 34 --"]])
    assert "الخبز" in found[0]
    assert found[1:] == [[], []]
    with cosimo.open(":memory:") as db:
        odd = db.collection("odd", model=None)
        odd.add_vectors(["a", "\U0001f600", "c"], np.eye(3), [arabic[0], "\U0001f600\U0001f680", "\u202eabc \x00 def"])
        names = {each.medoid: each.name for each in odd.cluster(3).clusters}
        assert names["\U0001f600"] == "\U0001f600"
        json.dumps(names, ensure_ascii=False).encode()


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize(("texts", "word"), [
    (["किताब की दुकान", "नई किताब पढ़ो", "पुरानी किताब"], "किताब"), (["한국어 공부", "한국어 책을 읽기", "오늘 한국어"], "한국어"),
    (["データベースのバックアップ", "データベースを復元する", "このデータベース"], "データベース"),
    (["הלֶחֶם חם", "הלֶחֶם טרי"], "הלֶחֶם"),
    (["தமிழ் மொழி", "தமிழ் நூல்"], "தமிழ்"),
])  # fmt: skip
def test_words_of_other_scripts_stay_whole(
    texts: list[str], word: str, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosimo.verbs.clustering import keywords as room

    if installed:
        pytest.importorskip("jieba", reason="needs the extra understand")
    else:
        monkeypatch.setattr(room, "_jieba", lambda: None)
    found = keywords([texts, ["fresh bread", "more bread"]])[0]
    assert word in " ".join(found).split(), found
    assert not any(word in ("する", "の", "この") for word in found)


def test_hashes_and_encoded_pictures_are_no_words() -> None:
    assert keywords([["x" * 5_000, f"bread {'0a' * 32}"], ["a garden"]])[0] == ["bread"]


def test_names_put_forms_of_a_word_together_prefer_pairs_and_leave_out_markup() -> None:
    groups = [
        ["The exchange rate is wrong", "wrong exchange rates", "What exchange rate do I get? <b>exchange rate</b>"],
        ["Top up my card", "my top up failed", "topped up by card https://example.com/failed"],
        ["```\nprint(exchange)\n``` a printer", "printers, printing", "a Printer"],
    ]
    found = keywords(groups)
    assert found[0][0] in ("exchange rate", "exchange rates")
    assert "top up" in [words.lower() for words in found[1]]
    assert found[2][0].lower().startswith("print")
    assert not any(word in ("example", "com", "https", "b") for words in found for word in words)
    assert keywords([]) == []
    assert keywords([["fresh bread"], []]) == [["fresh bread"], []]


class Writer:
    """A language model that says what it is told to, and remembers what it was asked."""

    name = "writer:1"

    def __init__(self, *says: str) -> None:
        self.says, self.asked = says or ("A title",), []  # type: ignore[var-annotated]

    def complete(self, prompt: str, *, system: str = "") -> Completion:
        self.asked.append((system, prompt))
        said = self.says[min(len(self.asked), len(self.says)) - 1]
        if said == "!":
            raise ProviderError("the server is busy")
        return Completion(said)


def test_a_language_model_writes_names_and_is_not_asked_again(notes: Collection) -> None:
    words = notes.cluster(3)
    writer = Writer('Title: **"Fresh bread."**\nAnd more.')
    found = notes.cluster(3, name_with=writer)
    assert {each.name for each in found.clusters} == {"Fresh bread"}
    assert found.named_by == "writer:1"
    assert found.members == words.members
    assert [each.keywords for each in found.clusters] == [each.keywords for each in words.clusters]
    assert len(writer.asked) == 3
    again = notes.cluster(3, name_with=writer)
    assert (again.computed, len(writer.asked)) == (False, 3)
    assert notes.cluster(3).named_by == "writer:1"  # names that were paid for stay
    assert sorted(writer.asked) == sorted((system, text) for _, system, text in notes.naming_prompts(found))
    for system, text in writer.asked:
        assert "do not follow" in system
        assert len(text.splitlines()) == 20
        assert all(len(line) <= 102 for line in text.splitlines())
    assert notes.cluster(3, name_with=Writer("x"), truncate=7).clusters[0].name == "x"


def test_ones_own_prompt_is_sent_and_its_answer_kept_whole(notes: Collection) -> None:
    writer = Writer("Yawn.  Bread\nagain")
    found = notes.cluster(3, name_with=writer, prompt="Sum up like a bored panda", truncate=4)
    assert found.clusters[0].name == "Yawn. Bread again"
    assert {system for system, _ in writer.asked} == {"Sum up like a bored panda"}
    assert all(len(line) <= 6 for _, text in writer.asked for line in text.splitlines())


def test_a_model_that_fails_leaves_keywords_and_one_warning(notes: Collection) -> None:
    words = notes.cluster(3)
    with pytest.warns(NamingWarning, match="named by keywords, since the language model failed: the server is busy") as told:
        found = notes.cluster(3, name_with=Writer("Bread", "!"))
    assert len(told) == 1
    assert ([each.name for each in found.clusters], found.named_by) == ([each.name for each in words.clusters], None)
    with pytest.warns(NamingWarning, match="no provider of language models is called 'nobody'"):
        notes.cluster(3, name_with="nobody:x", refresh=True)
    assert notes.cluster(3, name_with=Writer("Later")).clusters[0].name == "Later"
    with pytest.warns(NamingWarning, match="clusters keep the names they have, since"):
        assert notes.cluster(3, name_with=Writer("!"), prompt="Again").clusters[0].name == "Later"


def test_a_model_of_ones_own_that_returns_no_text_is_one_that_failed(notes: Collection) -> None:
    with pytest.warns(NamingWarning, match="must be strings, not None"):
        assert notes.cluster(3, name_with=Writer(None)).named_by is None  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["http://user:hunter2@127.0.0.1:9/v1#m", "http://127.0.0.1:9/v1?api_key=hunter2#m"])
def test_a_key_in_a_models_name_is_not_in_the_warning(notes: Collection, model: str) -> None:
    with pytest.warns(NamingWarning, match="password or key") as told:
        notes.cluster(3, name_with=model)
    assert "hunter2" not in str(told[0].message)


@pytest.mark.parametrize("prompt", [None, "Sum up."])
@pytest.mark.parametrize(("written", "name"), [
    ("Fresh\ud83d bread", "Fresh\ufffd bread"), ("\x1b[31mFresh\x00 \u202ebread\x9b", "[31mFresh bread"),
    ("\U0001f468\u200d\U0001f373 bread", "\U0001f468\u200d\U0001f373 bread"), ("\ud800", "\ufffd"),
])  # fmt: skip
def test_a_name_holds_nothing_that_no_file_or_terminal_takes(
    notes: Collection, prompt: str | None, written: str, name: str
) -> None:
    found = notes.cluster(3, name_with=Writer(written), prompt=prompt)
    assert {each.name for each in notes.clusters().clusters} == {each.name for each in found.clusters} == {name}


@pytest.mark.parametrize("prompt", [None, "Sum up \ud800."])
def test_a_cluster_for_which_a_model_writes_nothing_keeps_its_keywords(notes: Collection, prompt: str | None) -> None:
    words = [each.name for each in notes.cluster(3).clusters]
    found = notes.cluster(3, name_with=Writer("\n \x00" if prompt else "***"), prompt=prompt)
    assert ([each.name for each in found.clusters], found.named_by) == (words, "writer:1")


def test_groups_of_clusters_are_named_from_the_names_in_them() -> None:
    writer = Writer("Some")
    with cosimo.open(":memory:") as db:
        found = filled(db, groups=20).cluster(20, name_with=writer)
    assert len(writer.asked) == 24
    assert {each.name for level in found.levels for each in level} == {"Some"}
    assert {text.splitlines()[0] for _, text in writer.asked[20:]} == {"- Some"}


def test_an_openai_shaped_server_names_clusters(notes: Collection, home: Path) -> None:
    def script(asked: servers.Asked) -> servers.Answer:
        text = asked.body["messages"][1]["content"]
        return servers.Answer(200, {"choices": [{"message": {"content": "Baking" if "bread" in text else "Other"}}]})

    with servers.running(servers.Server(script)) as server:
        found = notes.cluster(3, name_with=f"{server.address}/v1#m")
    assert sorted(each.name for each in found.clusters) == ["Baking", "Other", "Other"]


@pytest.mark.parametrize(("written", "expected"), [
    ("Bread", "Bread"), ('"Bread and more."', "Bread and more"), ("**Title:** Bread", "Bread"), ("\n\n# Bread\nmore", "Bread"),
    ("标题：《烤面包》", "烤面包"), ("- Bread", "Bread"), ("***", ""),
    ("x" * 500, "x" * 80), ("Title - Bread", "Title - Bread"),
])  # fmt: skip
def test_a_title_is_taken_out_of_what_models_write(written: str, expected: str) -> None:
    assert title(written) == expected


def test_a_prompt_has_a_limit_whatever_the_texts() -> None:
    assert len(prompt_of(["x" * 10**6] * 100, 0)) <= READ + 100
    assert len(prompt_of(["x" * 10**6] * 100).splitlines()) == 50
    assert prompt_of(["", "  ", "a\nb"]) == "- a b"


# -- held against labels -----------------------------------------------------------------------------------------------


def test_clusters_are_held_against_a_field(notes: Collection) -> None:
    found = notes.cluster(3)
    same = notes.compare_labels(found, "subject")
    assert (same.nmi, same.ari, same.purity) == (pytest.approx(1), pytest.approx(1), 1)
    assert (same.items, same.clusters, same.labels, same.unlabelled) == (60, 3, 3, 0)
    many = notes.compare_labels(found, "n")
    assert (many.labels, many.ari, many.purity) == (60, 0, pytest.approx(3 / 60))
    with pytest.raises(DataError, match="has the field 'nothing'; fields there are: subject, n"):
        notes.compare_labels(found, "nothing")
    notes.add_vectors(["new"], notes.vector("garden 40")[None], ["x"], [{"subject": None}])
    assert notes.compare_labels(notes.cluster(3), "subject").unlabelled == 1


def test_a_field_of_one_value_or_ten_thousand() -> None:
    groups = [n % 100 for n in range(10_000)]
    one = agreement(groups, ["same"] * 10_000)
    assert (one.nmi, one.ari, one.purity, one.labels) == (0, 0, 1, 1)
    many = agreement(groups, list(range(10_000)))
    assert (many.labels, many.purity) == (10_000, 0.01)
    assert many.nmi == pytest.approx(2 * np.log(100) / (np.log(100) + np.log(10_000)))
    alike = agreement([0] * 5, ["x"] * 5)
    assert (alike.nmi, alike.ari, alike.purity) == (1, 1, 1)
    assert agreement([], []).nmi == 1


def test_agreement_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra understand")
    random = np.random.default_rng(0)
    for rows, columns, size in ((3, 5, 50), (20, 7, 500), (1, 4, 30), (40, 40, 40), (2, 2, 3)):
        one, other = random.integers(0, rows, size), random.integers(0, columns, size)
        found = agreement(one.tolist(), other.tolist())
        assert found.nmi == pytest.approx(metrics.normalized_mutual_info_score(other, one), abs=1e-9)
        assert found.ari == pytest.approx(metrics.adjusted_rand_score(other, one), abs=1e-9)
        table = metrics.cluster.contingency_matrix(other, one)
        assert found.purity == pytest.approx(table.max(axis=0).sum() / size)


# -- the parts ---------------------------------------------------------------------------------------------------------


def test_silhouette_and_levels_are_those_of_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="needs the extra understand")
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    vectors, of = blobs(count=40, groups=6, spread=0.4)
    for labels in (np.array(of), np.random.default_rng(0).integers(0, 9, len(of)), np.array([0] * 239 + [1])):
        expected = silhouette_score(vectors, labels, metric="cosine")
        assert how_many.silhouette(vectors, labels.astype(np.int64)) == pytest.approx(expected, abs=1e-5)
    for groups in (2, 7, 30, 240):
        expected = AgglomerativeClustering(groups).fit_predict(vectors)
        assert adjusted_rand_score(expected, hierarchy.grouped(vectors, groups)) == pytest.approx(1)
    assert hierarchy.grouped(vectors[:1], 1).tolist() == [0]


def test_mini_batches_are_as_good_as_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = blobs(count=400, groups=30, dim=32, spread=0.3)
    whole = kmeans.kmeans(vectors, 30)
    monkeypatch.setattr(kmeans, "ALL", 5_000)
    monkeypatch.setattr(kmeans, "FIRST", 1_000)
    batched = kmeans.kmeans(vectors, 30)
    assert batched.quality > whole.quality - 0.01
    assert np.array_equal(batched.labels, kmeans.kmeans(vectors, 30).labels)
    labels, closeness = kmeans.nearest(vectors, batched.centres)
    assert np.array_equal(labels, batched.labels)
    np.testing.assert_allclose(closeness, batched.closeness, atol=1e-6)


def test_sums_follow_the_rows_that_move() -> None:
    vectors, of = blobs(spread=0.8)
    groups = kmeans._Sums(vectors, np.zeros(len(of), np.int64), 4)
    for labels in (np.array(of), np.random.default_rng(1).integers(0, 4, len(of))):
        groups.move(labels)
        expected = np.stack([vectors[labels == k].sum(axis=0, dtype=np.float64) for k in range(4)])
        np.testing.assert_allclose(groups._sums, expected, atol=1e-5)
        assert groups.counts.tolist() == np.bincount(labels, minlength=4).tolist()


# -- the command line and the server -----------------------------------------------------------------------------------


def run(*args: str | Path, terminal: bool = False, monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    if terminal and monkeypatch:
        monkeypatch.setattr("cosimo.interfaces.cli.output.on_terminal", lambda: True)
    return CliRunner(env={"COLUMNS": "120"}).invoke(cli, ["cluster", *map(str, args)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with cosimo.open(tmp_path / "notes.db") as db:
        filled(db)
    return tmp_path / "notes.db"


def test_in_a_pipe_it_prints_what_users_of_llm_cluster_know(file: Path) -> None:
    found = json.loads(run("notes", "3", "-d", file, "--truncate", "8").stdout)
    assert [set(each) >= {"id", "items", "summary"} for each in found] == [True] * 3
    assert [each["id"] for each in found] == ["0", "1", "2"]
    assert found[0]["items"][0].keys() == {"id", "content"}
    assert all(len(item["content"]) == 8 for each in found for item in each["items"])
    whole = json.loads(run("notes", "--k", "3", "-d", file, "--truncate", "0").stdout)
    assert all("number" in item["content"] for each in whole for item in each["items"])
    assert [each["summary"] for each in whole] == [each["summary"] for each in found]


def test_on_a_terminal_it_prints_a_table(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("notes", "3", "-d", file, terminal=True, monkeypatch=monkeypatch)
    assert done.exit_code == 0
    assert re.search(r"^0\s+20\s+0\.\d{3}\s+\S", done.stdout, re.MULTILINE)
    assert "3 clusters of 60 items, asked for; silhouette 0." in done.stderr
    assert "kept as 'main'" in done.stderr


def test_labels_prompts_and_names_on_the_command_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run("notes", "3", "-d", file, "--compare-labels", "subject").stdout)["nmi"] == 1
    lines = run("notes", "3", "-d", file, "--show-prompt", "--name-with", "nobody:x").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1", "2"]
    assert json.loads(lines[0])["prompt"].startswith("- ")
    named = json.loads(run("notes", "3", "-d", file, "--summary", "-m", "fake:3").stdout)
    assert named[0]["summary"] in {" ".join(text.split()[:2]) for text in SUBJECTS.values()}  # "- Bake the", without the mark
    monkeypatch.setenv("COSIMO_LLM", "fake:4")
    assert len(json.loads(run("notes", "3", "-d", file, "--summary", "--prompt", "x").stdout)[0]["summary"].split()) == 4


@pytest.mark.parametrize(("args", "code", "words"), [
    (("notes", "0"), 1, "whole number from 1 on"), (("notes", "abc"), 1, "not 'abc'"),
    (("notes", "100"), 1, "100 clusters of 60"), (("notes", "--k=--5"), 1, "not '--5'"),
    (("notes", "9" * 5_000), 1, "not '999"),
    (("notes", "--name", "\udcff"), 1, "whole characters"), (("notes", "--seed", str(2**32)), 1, "the seed"),
    (("notes", "3", "--k", "4"), 2, "Give K once"), (("notes", "3", "-m", "x"), 2, "--summary"),
    (("notes", "3", "--name-with", "x", "--summary"), 2, "give one"), (("notes", "3", "--prompt", "x"), 2, "--name-with"),
    (("nothing", "3"), 1, "no collection 'nothing'"), (("notes", "3", "--compare-labels", "zzz"), 1, "field 'zzz'"),
    (("notes", "3", "--truncate", "-1"), 1, "truncate"),
])  # fmt: skip
def test_wrong_use_is_one_sentence(file: Path, args: tuple[str, ...], code: int, words: str) -> None:
    done = run(*args, "-d", file)
    assert done.exit_code != 0
    assert words in f"{done.output} {done.exception}"
    assert (done.exit_code == 2) == (code == 2)


def test_the_server_gives_what_python_gives(file: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import refused, running

    with running(database=file) as server:
        reply = server.post("/v1/collections/notes/cluster", {"k": 3, "truncate": 5})
        assert reply.status_code == 200, reply.text
        body = reply.json()
        with cosimo.open(file) as db:
            found = db.collection("notes").cluster(3)
        assert [each["summary"] for each in body["clusters"]] == [each.name for each in found.clusters]
        assert [item["id"] for item in body["clusters"][0]["items"]] == [item.id for item in found.items(0)]
        assert (found.computed, body["saved"]) == (False, True)
        assert server.post("/v1/collections/notes/cluster", {"items": False}).json()["clusters"][0]["items"] == []
        with cosimo.open(file) as db:
            agreement = asdict(db.collection("notes").compare_labels(found, "subject"))
        assert body["agreement"] is None
        assert server.post("/v1/collections/notes/cluster", {"compare_labels": "subject"}).json()["agreement"] == agreement
        for wrong in ({"compare_labels": "nothing"}, {"seed": 2**32}, {"name": "x" * 1_001}):
            refused(server.post("/v1/collections/notes/cluster", wrong), 400)
        for wrong in ({"k": 0}, {"k": "abc"}, {"k": 61}, {"method": "x"}, {"name_with": "fake"}, {"where": "n <"}):
            refused(server.post("/v1/collections/notes/cluster", wrong), 400)
        refused(server.post("/v1/collections/nothing/cluster", {"k": 3}), 404)
    with running(database=file, read_only=True) as server:
        assert server.post("/v1/collections/notes/cluster", {"k": 2}).json()["saved"] is False


# -- real data ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def banking(data: Path, minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,080 questions of 77 intents with vectors of the default model, embedded once."""
    path = tmp_path_factory.mktemp("banking") / "banking.db"
    lines = (data / "banking77" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    with cosimo.open(path) as db:
        db.collection("bank", model="all-MiniLM-L6-v2").add(
            [Document(f"q{n:04}", text, {"intent": intent}) for n, (intent, text) in enumerate(rows)], passages=False
        )
    return path


def test_clusters_of_bank_questions_agree_with_their_intents(banking: Path) -> None:
    with cosimo.open(banking, read_only=True) as db:
        bank = db.collection("bank")
        found = [bank.compare_labels(bank.cluster(77, seed=seed), "intent") for seed in range(5)]
    nmi = [each.nmi for each in found]
    print(f"k-means, k = 77: NMI {np.mean(nmi):.4f} ({min(nmi):.4f} to {max(nmi):.4f}),", end=" ")
    print(f"ARI {np.mean([each.ari for each in found]):.4f}, purity {np.mean([each.purity for each in found]):.4f}")
    assert np.mean(nmi) >= 0.785


def test_names_of_clusters_hold_the_key_word_of_their_intent(banking: Path) -> None:
    with cosimo.open(banking, read_only=True) as db:
        bank = db.collection("bank")
        found = bank.cluster(77)
        intents = {row.id: str((row.metadata or {})["intent"]) for row in bank.rows()}
    picked = np.random.default_rng(0).choice(77, 20, replace=False)
    right = 0
    for number in sorted(picked.tolist()):
        cluster = found.clusters[number]
        intent, count = Counter(intents[item.id] for item in found.items(number)).most_common(1)[0]
        wanted = {stem(word) for word in re.findall(r"[a-z]+", intent.lower()) if word not in UNSPOKEN}
        said = {stem(word) for word in re.findall(r"\w+", cluster.name.lower())}
        right += bool(wanted & said)
        print(f"{'yes' if wanted & said else 'no ':4} {count:3} of {cluster.size:3} {intent:45} {cluster.name}")
    print(f"{right} of {len(picked)}")
    assert right >= 15


def test_articles_are_sorted_without_a_number(data: Path, minilm: Path) -> None:
    with warnings.catch_warnings(), cosimo.open(":memory:") as db:
        til = db.collection("til", model="all-MiniLM-L6-v2")
        til.add(cosimo.read(data / "til", "**/*.md"), passages=False)
        found = til.cluster()
        assert 8 <= len(found.clusters) <= 43
        named = " ".join(each.name for each in found.clusters)
    for word in ("SQLite", "Datasette", "Python"):
        assert word.lower() in named.lower(), named
