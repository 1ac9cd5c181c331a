"""More ways to ask: examples, arithmetic, several collections, diversity, near-duplicates as one, FTS5's own syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo.core.errors import BadVector, DataError, NotFound
from cosimo.verbs.diversity import diverse, groups
from cosimo.verbs.examples import combined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database

PLACES = {
    "paris": [1, 1, 0, 0],
    "france": [0, 1, 0, 0],
    "berlin": [1, 0, 1, 0],
    "germany": [0, 0, 1, 0],
    "cheese": [0, 0.2, 0, 1],
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "w.db") as opened:
        yield opened


@pytest.fixture
def places(db: Database) -> Collection:
    collection = db.collection("places", model=None, dim=4)
    collection.add_vectors(list(PLACES), list(PLACES.values()), contents=[f"about {id}" for id in PLACES])
    return collection


def ids(hits: list[cosimo.Hit]) -> list[str]:
    return [hit.id for hit in hits]


# -- examples and arithmetic


def test_examples_find_what_is_like_them_and_not_themselves(places: Collection) -> None:
    assert ids(places.search(like=["france", "germany"], k=2)) == ["paris", "berlin"]
    assert "cheese" not in ids(places.search(like=["paris"], unlike=["cheese"], k=3))
    assert ids(places.search(like=["paris"], unlike=["germany"]))[0] == "france"


def test_vectors_are_added_and_taken_away() -> None:
    vectors = {name: np.array(vector, np.float32) for name, vector in PLACES.items()}
    found = combined([vectors["germany"], vectors["paris"]], [vectors["france"]])
    nearest = max(vectors, key=lambda name: float(vectors[name] @ found / np.linalg.norm(vectors[name])))
    assert nearest == "berlin"
    assert np.linalg.norm(found) == pytest.approx(1)
    with pytest.raises(BadVector, match="cancel"):
        combined([vectors["paris"]], [vectors["paris"]])


def test_texts_are_added_and_taken_away(db: Database) -> None:
    collection = db.collection("texts", model="fake:512")
    collection.add([cosimo.Document(text, text) for text in ("red dress", "blue dress", "red shoes", "blue shoes")])
    assert ids(collection.search("red dress", 1, plus=["blue"], minus=["red"])) == ["blue dress"]
    with pytest.raises(BadVector, match="cancel"):
        collection.search("red", minus=["red"])


def test_examples_need_neither_model_nor_text(places: Collection) -> None:
    assert places.search(like=["paris"], k=1, where=None)[0].why.vector is not None
    with pytest.raises(NotFound, match="nowhere"):
        places.search(like=["nowhere"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing to search for"),
        ({"unlike": ["paris"]}, "nothing to search for"),
        ({"like": ["paris"], "mode": "text"}, "mode text"),
        ({"like": ["paris"], "mode": "hybrid"}, "mode hybrid"),
        ({"query": [1, 0, 0, 0], "fts_syntax": True}, "FTS5"),
        ({"query": "about", "diversity": 2.0}, "diversity"),
        ({"query": "about", "group": -1.0}, "group"),
        ({"query": "about", "diversity": float("nan")}, "diversity"),
        ({"query": [[1, 0, 0, 0], [0, 1, 0, 0]]}, "one vector"),
        ({"query": "about", "plus": [" "]}, "empty"),
    ],
)
def test_what_makes_no_sense_is_said(places: Collection, given: dict[str, object], said: str) -> None:
    with pytest.raises((DataError, BadVector), match=said):
        places.search(**given)  # type: ignore[arg-type]


# -- diversity and near-duplicates


def test_diversity_puts_another_subject_before_the_same_again(db: Database) -> None:
    collection = db.collection("news", model=None, dim=3)
    collection.add_vectors(["a", "a again", "a once more", "b"], [[1, 0, 0.3], [1, 0.01, 0.3], [1, 0.02, 0.3], [0.5, 1, 0.3]])
    query = [1, 0.1, 0.3]
    plain = ids(collection.search(query, 3))
    assert "b" not in plain
    assert "b" in ids(collection.search(query, 2, diversity=0.5))
    assert ids(collection.search(query, 3, diversity=0.0)) == plain
    assert collection.search(query, 1, diversity=1.0)[0].id == plain[0]


def test_near_duplicates_are_one_hit_and_k_counts_hits(db: Database) -> None:
    random = np.random.default_rng(3)
    centres = np.linalg.qr(random.normal(size=(40, 40)))[0]
    vectors = np.concatenate([centres + 0.001 * random.normal(size=(40, 40)) for _ in range(30)])
    collection = db.collection("copies", model=None, dim=40)
    collection.add_vectors([f"{n % 40}-{n // 40}" for n in range(1200)], vectors)
    hits = collection.search(centres[0] + 0.3 * centres[1:].sum(axis=0), 12, group=0.95)
    assert len(hits) == 12
    kinds = [{id.partition("-")[0] for id in (hit.id, *hit.duplicates)} for hit in hits]
    assert all(len(kind) == 1 for kind in kinds)
    assert len(set.union(*kinds)) == 12
    assert len(hits[0].duplicates) == 29


def test_groups_are_under_their_best_and_mmr_is_as_in_the_paper() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 1]]
    assert groups(vectors, 0.9) == [[0, 2], [1, 4], [3]]
    assert groups(vectors[:0], 0.9) == []
    scores = [0.9, 0.8, 0.85, 0.1, 0.7]

    def by_hand(diversity: float) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < 4:
            left = [place for place in range(5) if place not in chosen]
            value = {
                place: (1 - diversity) * scores[place]
                - diversity * max((float(vectors[place] @ vectors[other]) for other in chosen), default=0)
                for place in left
            }
            chosen.append(max(value, key=lambda place: value[place]))
        return chosen

    for diversity in (0.0, 0.3, 0.5, 0.9):
        assert diverse(vectors, scores, 4, diversity) == by_hand(diversity)
    assert diverse(vectors[:0], [], 4, 0.5) == []


# -- several collections


def test_several_collections_of_one_model_are_ranked_as_one(db: Database) -> None:
    texts = [f"note number {n} about {'sqlite' if n % 3 else 'bread'}" for n in range(12)]
    for name, part in (("even", texts[::2]), ("odd", texts[1::2]), ("all", texts)):
        db.collection(name, model="fake:128").add([cosimo.Document(text, text) for text in part])
    both = db.search("bread", 5, collections=["even", "odd"], mode="vector")
    alone = db.collection("all").search("bread", 5, mode="vector")
    assert ids(both) == ids(alone)
    assert [hit.score for hit in both] == pytest.approx([hit.score for hit in alone])
    assert {hit.collection for hit in both} == {"even", "odd"}
    assert {hit.id for hit in db.search("bread", 4, collections=["even", "odd"])} == {text for text in texts if "bread" in text}
    assert {hit.collection for hit in db.search("bread", 30)} == {"even", "odd", "all"}


def test_collections_of_different_models_share_one_list(db: Database) -> None:
    db.collection("small", model="fake:64").add([cosimo.Document("s", "bread and butter"), cosimo.Document("s2", "a bicycle")])
    db.collection("large", model="fake:300").add([cosimo.Document("l", "bread with flour"), cosimo.Document("l2", "a boat")])
    for mode in ("vector", "hybrid", "text"):
        assert set(ids(db.search("bread", 2, mode=mode))) == {"s", "l"}  # type: ignore[arg-type]


def test_several_collections_are_searched_in_a_mode_that_all_have(db: Database, places: Collection) -> None:
    lean = db.collection("lean", model="fake:16")
    lean.add([cosimo.Document("a", "about this")], store=False)
    with pytest.raises(DataError, match="no mode"):
        db.search("about")
    assert ids(db.search("about", collections=["lean"])) == ["a"]
    with pytest.raises(NotFound, match="none"):
        db.search("about", collections=["none", "lean"])


# -- FTS5's syntax


def test_fts_syntax_is_taken_as_it_is_and_chinese_with_it(db: Database) -> None:
    collection = db.collection("fts", model="fake:16")
    texts = {"a": "back up the database", "b": "up and back again", "c": "备份数据库文件", "d": "数据与库"}
    collection.add([cosimo.Document(id, text) for id, text in texts.items()])

    def found(expression: str) -> set[str]:
        return set(ids(collection.search(expression, fts_syntax=True)))

    assert found('"back up"') == {"a"}
    assert found("back NOT database") == {"b"}
    assert found("data*") == {"a"}
    assert found("数据库") == {"c"}
    assert found('"数据" AND 库') == {"c", "d"}
    assert found("数据库 OR back") == {"a", "b", "c"}
    for broken in ("AND", '"', "a NEAR(", "nocolumn: x", "(" * 500):
        with pytest.raises(DataError, match="fts-syntax"):
            collection.search(broken, fts_syntax=True)


# -- said where it would go unnoticed


def test_a_misspelt_field_is_named_where_nothing_is_found(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    from click.testing import CliRunner

    from cosimo.interfaces.cli import cli

    db.collection("c", model="fake:16").add([cosimo.Document("a", "some text", {"year": 2020, "kind": "x"})])
    path = str(db.name)
    for given in (["text", "--where", "yaer >= 2020"], ["--facets", "yaer"]):
        result = CliRunner().invoke(cli, ["search", "c", *given, "-d", path])
        assert result.exit_code == 0
        assert "no item of c has a field 'yaer'; there are: year, kind" in result.stderr
    result = CliRunner().invoke(cli, ["search", "c", "text", "-d", path, "--where", "year >= 2030"])
    assert result.stderr == ""


def test_answers_that_are_not_in_the_collection_are_counted(db: Database, tmp_path: Path) -> None:
    from cosimo.collection.evaluation import evaluate

    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("bread", "bake some bread")])
    (tmp_path / "q.csv").write_text("question,id\nhow to bake bread,bread\nhow to sail,boat\n")
    found = evaluate(tmp_path / "q.csv", collection=collection, modes=["vector"])
    assert found.missing == ("boat",)
    assert found.table()["vector"]["index_recall"] == 1.0


def test_a_plan_counts_no_text_that_is_there_under_another_id(db: Database) -> None:
    collection = db.collection("c", model="fake:64")
    collection.add([cosimo.Document("a", "the same text")])
    plan = collection.plan([cosimo.Document("b", "the same text"), cosimo.Document("c", "another")])
    assert (plan.to_embed, plan.tokens) == (1, 1)
