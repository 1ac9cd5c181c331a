"""Evaluate: measures are those of trec_eval, intervals and tests mean what they say, benchmark folders are read or refused."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosimo.core.errors import DataError, UnreadableSource
from cosimo.sources.beir import load_beir, load_pairs, load_scored_pairs
from cosimo.verbs.evaluate import compare, evaluate, spearman
from cosimo.verbs.measures import measure, ranked

if TYPE_CHECKING:
    from pathlib import Path

Run = dict[str, list[tuple[str, float]]]
Qrels = dict[str, dict[str, int]]
IDS = st.sampled_from(["a", "b", "c", "d", "e", "é", "Z", "10", "9", "中"])
SCORES = st.sampled_from([0.0, 0.25, 0.5, -1.0, 3.0])  # few, so that many are equal; exact in trec_eval's float32


def made(queries: int, *, quality: float, seed: int) -> tuple[Run, Qrels]:
    """Queries with 3 relevant of 30 documents, which score higher by `quality`."""
    chance = random.Random(seed)
    qrels = {f"q{n}": {f"d{m}": 1 + m % 2 for m in range(3)} for n in range(queries)}
    run = {id: [(f"d{m}", chance.random() + (quality if m < 3 else 0)) for m in range(30)] for id in qrels}
    return run, qrels


# -- measures


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.dictionaries(IDS, SCORES, min_size=1), min_size=1),
    st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.dictionaries(IDS, st.integers(0, 3), min_size=1), min_size=1),
)
def test_measures_are_those_of_trec_eval(run: dict[str, dict[str, float]], qrels: Qrels) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    answered = {query: judged for query, judged in qrels.items() if any(judged.values())}
    if not answered:
        return
    names = {"nDCG@3": "nDCG@3", "nDCG": "nDCG", "recall@2": "R@2", "MRR": "RR", "MAP": "AP", "MAP@3": "AP@3"}
    theirs = {ir_measures.parse_measure(name): own for own, name in names.items()}
    found = evaluate({q: list(docs.items()) for q, docs in run.items()}, qrels, measures=list(names))
    assert set(found.queries) == set(answered)
    expected = {(value.query_id, theirs[value.measure]): value.value for value in ir_measures.iter_calc(theirs, answered, run)}
    for number, query in enumerate(found.queries):
        for name in names:
            assert found.values[name][number] == pytest.approx(expected.get((query, name), 0.0), abs=1e-6), (query, name)


@settings(max_examples=50, deadline=None)
@given(st.permutations("abcdefgh"), st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_reciprocal_rank_stops_at_its_depth(order: list[str], relevant: set[str]) -> None:
    ir_measures = pytest.importorskip("ir_measures")  # it cuts this measure by itself, with another order of equal scores
    scores, qrels = {id: float(n) for n, id in enumerate(order)}, {"q": dict.fromkeys(sorted(relevant), 1)}
    found = evaluate({"q": list(scores.items())}, qrels, measures=["MRR@3"]).means["MRR@3"].mean
    assert found == pytest.approx(ir_measures.calc_aggregate([ir_measures.RR @ 3], qrels, {"q": scores})[ir_measures.RR @ 3])


def test_ndcg_by_hand() -> None:
    run = {"q": [("a", 3.0), ("b", 2.0), ("c", 1.0)]}
    found = evaluate(run, {"q": {"b": 2, "c": 1, "x": 1}}, measures=["ndcg@10"])
    gained, ideal = 2 / np.log2(3) + 1 / np.log2(4), 2 + 1 / np.log2(3) + 1 / np.log2(4)
    assert found.means["nDCG@10"].mean == pytest.approx(gained / ideal)


def test_equal_scores_are_ranked_by_id_descending_and_in_any_order_given() -> None:
    assert ranked([("a", 1.0), ("c", 1.0), ("b", 1.0), ("z", 0.5)]) == ["c", "b", "a", "z"]
    assert ranked([("a", float("nan")), ("b", -5.0), ("b", 2.0)]) == ["b", "a"]


def test_query_without_results_counts_nothing_and_one_without_answers_is_left_out() -> None:
    qrels = {"found": {"a": 1}, "missed": {"a": 1}, "unanswered": {"a": 0}, "hated": {"a": -1}}
    run = {"found": [("a", 1.0)], "unanswered": [("a", 1.0)], "elsewhere": [("a", 1.0)]}
    comparison = compare({"vector": run}, qrels, measures=["recall@10"])
    assert comparison.table() == {"vector": {"recall@10": 0.5}}
    assert comparison.skipped == 2
    assert comparison.runs["vector"].queries == ("found", "missed")


@pytest.mark.parametrize("name", ["", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@10@2", "accuracy", "ndcg@9999999"])
def test_unknown_measure_is_an_error_that_names_those_known(name: str) -> None:
    with pytest.raises(DataError, match=r"nDCG@10.*MAP"):
        measure(name)


# -- intervals and differences


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        values = np.random.default_rng(seed).random(60) < 0.3
        run = {str(n): [("a" if hit else "b", 1.0)] for n, hit in enumerate(values)}
        low, high = evaluate(run, {id: {"a": 1} for id in run}, measures=["recall@1"], seed=seed).means["recall@1"][1:]
        held += low <= 0.3 <= high
    assert 52 <= held <= 60


def test_better_run_is_significantly_better_and_the_same_run_is_not() -> None:
    good, qrels = made(100, quality=0.5, seed=1)
    bad, _ = made(100, quality=0.2, seed=2)
    comparison = compare({"good": good, "bad": bad, "again": dict(good)}, qrels)
    better = comparison.difference("nDCG@10", "good", "bad")
    assert better.significant
    assert better.p < 0.001
    assert 0 < better.by.low < better.by.mean < better.by.high
    same = comparison.difference("nDCG@10", "good", "again")
    assert (same.by, same.p, same.significant) == ((0, 0, 0), 1.0, False)
    turned = comparison.difference("nDCG@10", "bad", "good")
    assert turned.by.mean == -better.by.mean
    assert turned.by.low == -better.by.high
    assert len(comparison.differences) == 3 * 5


def test_equal_systems_differ_significantly_about_one_time_in_twenty() -> None:
    wrong = 0
    for seed in range(60):
        one, qrels = made(40, quality=0.3, seed=2 * seed)
        other, _ = made(40, quality=0.3, seed=2 * seed + 1)
        wrong += compare({"a": one, "b": other}, qrels, measures=["nDCG@10"], seed=seed).differences[0].significant
    assert wrong <= 9  # of 60, 3 expected


def test_randomisation_agrees_with_all_sign_flips_of_a_small_set() -> None:
    import itertools

    differences = np.array([0.5, 0.25, -0.125, 1.0, 0.0, 0.5, 0.25, 0.5])
    run = {str(n): [("a", 1.0)] if d > 0 else [] for n, d in enumerate(differences)}
    other = {str(n): [("a", 1.0)] if d < 0 else [] for n, d in enumerate(differences)}
    found = compare({"a": run, "b": other}, {id: {"a": 1} for id in run}, measures=["recall@1"]).differences[0]
    signs = np.sign(differences)
    every = [abs(np.dot(flip, signs)) >= abs(signs.sum()) - 1e-9 for flip in itertools.product([1, -1], repeat=8)]
    assert found.p == pytest.approx(np.mean(every), abs=0.02)


def test_permutation_p_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    one, qrels = made(50, quality=0.35, seed=5)
    other, _ = made(50, quality=0.25, seed=6)
    found = compare({"a": one, "b": other}, qrels, measures=["nDCG@10"])
    a, b = (found.runs[name].values["nDCG@10"] for name in "ab")
    theirs = stats.permutation_test((a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=9999, rng=0)
    assert found.differences[0].p == pytest.approx(theirs.pvalue, abs=0.02)
    interval = stats.bootstrap((a,), np.mean, method="percentile", rng=0).confidence_interval
    assert found.runs["a"].means["nDCG@10"].low == pytest.approx(interval.low, abs=0.005)
    assert found.runs["a"].means["nDCG@10"].high == pytest.approx(interval.high, abs=0.005)


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_compared() -> None:
    good, qrels = made(50, quality=0.5, seed=1)
    bad, _ = made(50, quality=0.2, seed=2)
    both = compare({"good": good, "bad": bad}, qrels)
    assert both.runs["good"].means == evaluate(good, qrels).means
    assert both.differences == compare({"good": good, "bad": bad}, qrels).differences
    assert both.runs["good"].means != evaluate(good, qrels, seed=1).means


def test_table_is_what_the_command_prints_costs_beside_measures() -> None:
    run, qrels = made(10, quality=2, seed=0)
    table = compare({"vector": run, "text": {}}, qrels, costs={"vector": {"ms": 0.4, "bytes": 1536}}).table()
    assert list(table) == ["vector", "text"]
    assert table["vector"].pop("nDCG@10") > 0.9
    assert table["vector"] == {"recall@10": 1, "recall@100": 1, "MRR@10": 1, "MAP": 1, "ms": 0.4, "bytes": 1536}
    assert set(table["text"].values()) == {0.0}
    json.dumps(table)


@pytest.mark.parametrize(
    ("runs", "qrels", "costs"),
    [({}, {"q": {"a": 1}}, {}), ({"r": {}}, {}, {}), ({"r": {}}, {"q": {"a": 0}}, {}), ({"r": {}}, {"q": {"a": 1}}, {"s": {}})],
)
def test_nothing_to_measure_is_an_error(runs: dict[str, Run], qrels: Qrels, costs: dict[str, dict[str, float]]) -> None:
    with pytest.raises(DataError):
        compare(runs, qrels, costs=costs)


def test_unknown_difference_is_an_error() -> None:
    run, qrels = made(5, quality=1, seed=0)
    with pytest.raises(DataError, match="there are: a, b"):
        compare({"a": run, "b": run}, qrels).difference("nDCG@10", "a", "c")


# -- correlation


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 1, width=32)), min_size=4, max_size=60))
def test_spearman_is_that_of_scipy(pairs: list[tuple[int, float]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    gold, scores = [p[0] for p in pairs], [p[1] for p in pairs]
    if len(set(gold)) < 2 or len(set(scores)) < 2:
        with pytest.raises(DataError, match="differ"):
            spearman(gold, scores)
        return
    found = spearman(gold, scores)
    assert found.value == pytest.approx(stats.spearmanr(gold, scores).statistic, abs=1e-9)
    assert -1 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1


@pytest.mark.parametrize(
    ("gold", "scores"), [([1, 2, 3], [1, 2, 3]), ([1, 2, 3, 4], [1, 2, 3]), ([1, 2, 3, 4], [1, 2, 3, float("nan")]), ([], [])]
)
def test_lists_that_have_no_correlation_are_an_error(gold: list[float], scores: list[float]) -> None:
    with pytest.raises(DataError):
        spearman(gold, scores)


# -- folders and lists


def folder(root: Path, **files: str) -> Path:
    """A BEIR folder; `qrels_dev` becomes qrels/dev.tsv."""
    contents = {
        "corpus": '{"_id": "a", "title": "Title", "text": "text"}\n{"_id": 2, "text": "中文"}\n',
        "queries": '{"_id": "q1", "text": "first?"}\n{"_id": "q2", "text": "second?"}\n{"_id": "q3", "text": "third?"}\n',
        "qrels_test": "query-id\tcorpus-id\tscore\nq2\ta\t2\nq2\t2\t0\nq1\t2\t1\n",
    } | files
    for name, text in contents.items():
        kind, _, split = name.partition("_")
        path = root / "qrels" / f"{split}.tsv" if kind == "qrels" else root / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        if text:
            path.write_text(text, encoding="utf-8")
    return root


def test_folder_in_the_layout_of_beir(tmp_path: Path) -> None:
    judged = load_beir(folder(tmp_path))
    assert judged.queries == {"q2": "second?", "q1": "first?"}
    assert judged.qrels == {"q2": {"a": 2, "2": 0}, "q1": {"2": 1}}
    for _ in range(2):  # it can be read again
        assert [(d.id, d.content) for d in judged.documents()] == [("a", "Title\ntext"), ("2", "中文")]


def test_queries_of_a_split_are_read_where_there_is_no_other_file(tmp_path: Path) -> None:
    own = '{"_id": "q9", "text": "ninth?"}\n'
    root = folder(tmp_path, queries="", queries_dev=own, qrels_dev="q9\ta\t1\n", qrels_test="")
    assert load_beir(root, "dev").queries == load_beir(root).queries == {"q9": "ninth?"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"corpus": ""}, r"corpus\.jsonl is missing"),
        ({"queries": ""}, r"neither queries\.jsonl nor queries_test\.jsonl"),
        ({"qrels_test": ""}, "no split 'test'; its folder qrels holds no"),
        ({"qrels_test": "", "qrels_a": "q1\ta\t1", "qrels_b": "q1\ta\t1"}, "no split 'test'; it has: a, b"),
        ({"qrels_test": "query-id\tcorpus-id\tscore\n"}, r"test\.tsv holds no judgements"),
        ({"qrels_test": "query-id\tcorpus-id\tscore\nq1 a 1\n"}, r"test\.tsv:2 is not"),
        ({"qrels_test": "h\th\ts\nq1\ta\t1\nq1\ta\tx\n"}, r"test\.tsv:3: the grade 'x'"),
        ({"qrels_test": "q1\ta\t0.5\n"}, r"test\.tsv:1: the grade '0\.5'"),
        ({"qrels_test": "q1\ta\tinf\n"}, r"test\.tsv holds no judgements"),
        ({"qrels_test": "q8\ta\t1\n"}, "judges the query 'q8'"),
        ({"queries": '{"_id": "q1", "text": "x"}\n{"_id": "q2", "te'}, r"queries\.jsonl:2 is not JSON"),
        ({"queries": '{"_id": "q1"}\n'}, r"queries\.jsonl:1 has no text"),
        ({"queries": '["q1", "text"]\n'}, r"queries\.jsonl:1 is not an object"),
        ({"queries": '{"id": "q1", "text": "x"}\n'}, r"queries\.jsonl:1 has no _id"),
        (
            {"corpus": '{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}\n'},
            r"corpus\.jsonl:2: the id 'a' is there a second",
        ),
        ({"corpus": '{"_id": "a", "text": 5}\n'}, r"corpus\.jsonl:1 has no text"),
        ({"corpus": "[" * 100_000}, r"corpus\.jsonl:1 is not JSON"),
    ],
)
def test_folder_that_is_not_like_that_is_an_error_with_file_and_line(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    root = folder(tmp_path, **files)
    with pytest.raises(UnreadableSource, match=message) as caught:
        list(load_beir(root).documents())
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="missing"):
        load_beir(tmp_path / "nowhere")
    with pytest.raises(UnreadableSource, match="cannot be read"):
        load_pairs(tmp_path)
    (tmp_path / "latin.csv").write_bytes("query,id\ncafé,a\n".encode("latin-1"))
    with pytest.raises(UnreadableSource, match="UTF-8"):
        load_pairs(tmp_path / "latin.csv")


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["", "query,id\n", "\ufeffQuestion,relevant\n"])
def test_list_of_questions_and_ids(tmp_path: Path, header: str) -> None:
    judged = load_pairs(listed(tmp_path, header + '"How, exactly?",a.md\n"How, exactly?",b.md\n怎么备份？,c.md\n'))
    assert judged.qrels == {"How, exactly?": {"a.md": 1, "b.md": 1}, "怎么备份？": {"c.md": 1}}
    assert judged.queries == {query: query for query in judged.qrels}
    assert list(judged.documents()) == []


def test_list_with_grades_and_tabs(tmp_path: Path) -> None:
    assert load_pairs(listed(tmp_path, 'query\tid\tgrade\n"why" and how\ta\t2\nx\tb\t0\n')).qrels == {
        '"why" and how': {"a": 2},
        "x": {"b": 0},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no questions"), ("query,id\n", "no questions"), ("a,b\nc\n", ":2 is not"), ("a,b,c\n", ":1: the grade 'c'"),
     ("a,b\n,c\n", ":2 is not"), ('a,b\n"c,d\n', ":2: a quote")],
)  # fmt: skip
def test_list_that_is_not_like_that_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnreadableSource, match=message):
        load_pairs(listed(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no pairs"), ("score\ta\tb\n", "no pairs"), ("1\ta\tb\nx\ta\tb\n", ":2 is not"), ("1\ta\n", ":1 is not")],
)
def test_scored_pairs_that_are_none_are_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnreadableSource, match=message):
        load_scored_pairs(listed(tmp_path, text))


def test_real_sets_are_read(data: Path) -> None:
    sizes = {}
    for name, split in [("nq-utd", None), ("cosqa", "dev"), ("cosqa", "test"), ("cmrc2018-dev", "test")]:
        judged = load_beir(data / "retrieval" / name, split)
        sizes[name, split] = (sum(1 for _ in judged.documents()), len(judged.queries))
    assert sizes == {
        ("nq-utd", None): (800, 80),
        ("cosqa", "dev"): (6267, 500),
        ("cosqa", "test"): (6267, 500),
        ("cmrc2018-dev", "test"): (848, 3219),
    }
    assert len(load_scored_pairs(data / "stsb" / "en" / "test.tsv")) == 1379
    assert len(load_scored_pairs(data / "stsb" / "zh" / "test.tsv")) == 1379
