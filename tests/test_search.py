"""Search by meaning, by words and by both: modes, filters, reasons; and evaluation through the hall."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo import F
from cosimo.collection.evaluation import evaluate
from cosimo.core.errors import DataError, InvalidFilter, UnreadableSource
from cosimo.verbs.fusion import mixed, weight_of_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.database import Database

TEXTS = {
    "sqlite": ("Back up a SQLite database file while it is in use", {"year": 2020, "kind": "db"}),
    "postgres": ("Dump a PostgreSQL database every night", {"year": 2022, "kind": "db"}),
    "bread": ("Bake sourdough bread with flour and water", {"year": 2021, "kind": "food"}),
    "chinese": ("每天备份数据库", {"year": 2023, "kind": "db"}),
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "s.db") as opened:
        opened.collection("c", model="fake:64").add([cosimo.Document(id, *rest) for id, rest in TEXTS.items()])
        yield opened


def ids(hits: list[cosimo.Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_each_mode_says_why(db: Database) -> None:
    c = db.collection("c")
    text = c.search("database backup", mode="text")
    assert set(ids(text)) == {"sqlite", "postgres"}
    assert text[0].why.vector is None
    assert text[0].score == text[0].why.text
    assert "database" in text[0].why.terms
    vector = c.search("database backup", mode="vector")
    assert (len(vector), vector[0].why.text, vector[0].why.terms) == (4, None, ())
    hybrid = {hit.id: hit.why for hit in c.search("database", mode="hybrid")}
    assert hybrid["sqlite"].vector is not None
    assert hybrid["sqlite"].text is not None
    assert hybrid["bread"].text is None


def test_hybrid_is_the_default_where_texts_are_stored(db: Database) -> None:
    c = db.collection("c")
    assert c.search("数据库", k=1)[0].id == "chinese"  # a model of words only in Latin letters would not find it
    lean = db.collection("lean", model="fake:64")
    lean.add([cosimo.Document("a", "some words")], store=False)
    assert lean.search("some words")[0].why.text is None
    with pytest.raises(DataError, match="--store"):
        lean.search("some words", mode="text")


def test_text_mode_loads_no_model(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "t.db") as db:
        db.store.create("c", cosimo.core.types.Settings("a-model-nobody-has", 2))  # type: ignore[attr-defined]
        c = db.collection("c")
        c.add_vectors(["a"], [[1, 0]], contents=["plain words"])
        assert ids(c.search("plain", mode="text")) == ["a"]
        assert ids(c.search([1, 0])) == ["a"]


@pytest.mark.parametrize(
    "where", ["kind = 'db' AND year >= 2022", {"kind": "db", "year": {"$gte": 2022}}, (F("kind") == "db") & (F("year") >= 2022)]
)
@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_filters_in_three_spellings_hold_in_every_mode(db: Database, where: object, mode: str) -> None:
    assert set(ids(db.collection("c").search("database", 10, mode=mode, where=where))) == {"postgres", "chinese"}  # type: ignore[arg-type]


def test_filters_hold_for_related_items_and_facets(db: Database) -> None:
    c = db.collection("c")
    assert ids(c.related("sqlite", 10, where="kind = 'food'")) == ["bread"]
    assert c.facets("kind") == {"db": 3, "food": 1}
    assert c.facets("kind", where=F("year") < 2022) == {"db": 1, "food": 1}


def test_a_filter_never_starves_the_result(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with cosimo.open(tmp_path / "f.db") as db:
        c = db.collection("c", model=None, dim=8)
        c.add_vectors(
            [f"{i}" for i in range(2000)], random.normal(size=(2000, 8)), metadata=[{"rare": i % 100 == 0} for i in range(2000)]
        )
        for k in (1, 10, 20, 50):
            assert len(c.search(random.normal(size=8), k, where="rare = true")) == min(k, 20)


def test_rows_of_a_transaction_that_failed_are_found_no_more(db: Database) -> None:
    fresh = db.collection("fresh", model="fake:16")
    fresh.add([cosimo.Document("kept", "a text")])
    with suppress(RuntimeError), db.store.atomic():
        fresh.add([cosimo.Document("undone", "a text"), cosimo.Document("undone too", "a text")])
        fresh.delete("kept")
        assert set(ids(fresh.search("a text", mode="vector"))) == {"undone", "undone too"}
        raise RuntimeError
    assert ids(fresh.search("a text", mode="vector")) == ["kept"]
    fresh.add([cosimo.Document("other", "a text")])
    assert set(ids(fresh.search("a text", mode="vector"))) == {"kept", "other"}


def test_rows_of_a_transaction_that_failed_pass_no_filter_later(db: Database) -> None:
    fresh = db.collection("fresh", model="fake:16")
    fresh.add([cosimo.Document("kept", "a text", {"year": 2020})])
    undone = [cosimo.Document("undone", "a text", {"year": 2020})]
    with suppress(RuntimeError), db.store.atomic():
        fresh.add(undone)
        assert len(fresh.search("a text", where="year = 2020")) == 2
        raise RuntimeError
    fresh.search("a text")
    fresh.add([cosimo.Document("other", "a text", {"year": 1999})])
    assert [hit.id for hit in fresh.search("a text", where="year = 2020")] == ["kept"]


@pytest.mark.parametrize(
    "where", ["year >", "year = 2020) OR (1 = 1", "'; drop table embeddings; --", {"$nonsense": 1}, "(" * 1000]
)
def test_bad_filters_are_one_sentence_and_change_nothing(db: Database, where: object) -> None:
    with pytest.raises(InvalidFilter) as error:
        db.collection("c").search("x", where=where)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert len(db.collection("c")) == 4


def test_min_score_cuts_the_tail(db: Database) -> None:
    hits = db.collection("c").search(TEXTS["bread"][0], mode="vector", min_score=0.5)
    assert ids(hits) == ["bread"]


MEGABYTES = ["x" * 1_000_000, " ".join(f"w{n}" for n in range(150_000)), "the " * 250_000, "😀" * 250_000, "数据库" * 330_000]


@pytest.mark.parametrize("query", ["*", '"', "NEAR(", "the of and", "😀", '" OR 1=1 --', "\0", *MEGABYTES])
def test_odd_queries_have_a_defined_answer(db: Database, query: str) -> None:
    assert len(db.collection("c").search(query, 10)) <= 4
    assert isinstance(db.collection("c").search(query, 10, mode="text"), list)


def test_words_and_numbers_do_not_mix(db: Database) -> None:
    with pytest.raises(DataError, match="words"):
        db.collection("c").search(np.ones(64), mode="hybrid")
    with pytest.raises(DataError, match="no mode"):
        db.collection("c").search("x", mode="fuzzy")  # type: ignore[arg-type]


def test_the_weight_follows_agreement_and_script() -> None:
    agree, apart = list(range(10)), list(range(100, 110))
    assert weight_of_vectors("words", agree, list(range(30)), ["en"]) == pytest.approx(0.65)
    assert weight_of_vectors("words", apart, list(range(30)), ["en"]) == pytest.approx(1.0)
    assert weight_of_vectors("数据库", agree, list(range(30)), ["en"]) == 0
    assert weight_of_vectors("数据库", agree, list(range(30)), ["en", "zh"]) == pytest.approx(0.65)
    assert weight_of_vectors("数据库", agree, list(range(30)), []) == pytest.approx(0.65)


def test_a_mix_orders_by_both_and_survives_equal_scores() -> None:
    vector, text = np.array([0.9, 0.5, 0.1], np.float32), np.array([0, 5, 0], np.float32)
    assert list(np.argsort(-mixed(vector, text, 0.5))) == [1, 0, 2]
    assert np.isfinite(mixed(np.ones(3, np.float32), text, 0.5)).all()
    assert mixed(vector[:1], text[:1], 0.5) == pytest.approx(0.5)
    assert 0 < mixed(vector, text, 0.5).min() < mixed(vector, text, 0.5).max() < 1


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": id, "title": "", "text": text} for id, (text, _) in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries_test.jsonl").write_text('{"_id": "q1", "text": "SQLite database"}\n{"_id": "q2", "text": "备份"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tsqlite\t1\nq2\tchinese\t1\n")
    return folder


def test_evaluation_measures_modes_side_by_side(beir: Path) -> None:
    table = evaluate(beir, models=["fake:64"]).table()
    assert list(table) == ["vector", "text", "hybrid"]
    assert table["text"]["nDCG@10"] == 1
    assert set(table["hybrid"]) >= {"nDCG@10", "recall@10", "MRR@10", "MAP", "ms", "bytes"}
    assert len(evaluate(beir, models=["fake:64", "fake:32"], modes=["vector"]).table()) == 2


def test_evaluation_of_a_collection_reads_questions_from_a_table(db: Database, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("query,id\nSQLite database,sqlite\nsourdough,bread\n")
    table = evaluate(tmp_path / "q.csv", collection=db.collection("c"), modes=["text"]).table()
    assert table["text"]["MRR@10"] == 1
    with pytest.raises(UnreadableSource):
        evaluate(tmp_path, models=["fake:64"])
