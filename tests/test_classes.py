"""Classes from labels, examples or names: accuracy on what was held out, confidence that is worth its name, labels written."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.collection import scoring
from cosimo.collection.example_files import ExamplesWarning, documents_in, labelled_in
from cosimo.core.errors import Corrupt, DataError, ModelMismatch, NotFound, UnreadableSource
from cosimo.core.vectors import normalised
from cosimo.interfaces.cli import cli
from cosimo.verbs import classes as room
from cosimo.verbs.classes import learn_classes
from cosimo.verbs.scoring.class_report import Report
from cosimo.verbs.scoring.held_out import calibration_error, confidences, divisor_of, stratified
from cosimo.verbs.scoring.logistic import logistic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.core.types import Vectors

TEXTS = {
    "food": ["bake bread", "bake pizza", "cook soup", "cook rice and bread", "bread soup"],
    "sport": ["run a race", "win a race", "play a game", "win the game", "run and play"],
}


@pytest.fixture
def notes() -> Iterator[Collection]:
    """Ten labelled items, and two without a label."""
    with cosimo.open(":memory:") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(documents())
        yield notes


def documents() -> list[Document]:
    made = [Document(f"{label}{n}", text, {"kind": label, "n": n}) for label in TEXTS for n, text in enumerate(TEXTS[label])]
    return [*made, Document("new1", "bake soup"), Document("new2", "win a game", {"kind": None, "other": 1})]


def clouds(count: int, classes: int, dim: int, spread: float, seed: int = 0) -> tuple[Vectors, list[str]]:
    """Unit vectors around the centres of classes, and their labels."""
    random = np.random.default_rng(seed)
    centres = normalised(random.standard_normal((classes, dim)).astype(np.float32))
    which = np.arange(count) % classes
    vectors = centres[which] + spread * random.standard_normal((count, dim)).astype(np.float32) / np.sqrt(dim)
    return normalised(vectors.astype(np.float32)), [f"c{number:03}" for number in which.tolist()]


# -- on real questions


@pytest.fixture(scope="module")
def banking(data: Path, minilm: Path) -> dict[str, tuple[Vectors, list[str]]]:
    """The 77 intents: vectors and labels of both parts."""
    made = {}
    for part in ("train", "test"):
        found = labelled_in(str(data / "banking77" / f"{part}.tsv"), "label")
        assert found.examples is not None
        made[part] = (normalised(cosimo.embed([text for text, _ in found.examples])), [label for _, label in found.examples])
    return made


@pytest.mark.heavy  # 13,000 texts are embedded
@pytest.mark.parametrize(("method", "least"), [("means", 0.845), ("regression", 0.925)])
def test_intents_of_bank_questions(banking: dict[str, tuple[Vectors, list[str]]], method: room.Method, least: float) -> None:
    (vectors, labels), (unseen, truth) = banking["train"], banking["test"]
    assert (len(vectors), len(unseen)) == (10_003, 3_080)
    made = learn_classes(vectors, labels, method=method, folds=3)
    found = made.classify([str(n) for n in range(len(truth))], unseen)
    right = np.array([each.label == label for each, label in zip(found, truth, strict=True)])
    sure = np.array([each.confidence for each in found])
    off = calibration_error(sure, right)
    print(f"{method}: {right.mean():.4f} of {len(truth):,} right; confidence is off by {off:.3f}; {made.report}")
    assert right.mean() >= least
    assert off < 0.03, "confidence is as often right as it says"
    assert made.report.accuracy is not None
    assert made.report.accuracy.value == pytest.approx(right.mean(), abs=0.02)
    assert right[sure >= 0.9].mean() > 0.97


# -- logistic regression


@pytest.mark.parametrize(("count", "classes", "dim", "strength"), [(60, 3, 5, 1.0), (200, 7, 20, 10.0), (90, 3, 40, 0.1)])
def test_the_regression_is_scikit_learns(count: int, classes: int, dim: int, strength: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    vectors, labels = clouds(count, classes, dim, 1.5)
    number = np.array([int(label[1:]) for label in labels])
    ours = logistic(vectors, number, classes, strength=strength)
    theirs = linear_model.LogisticRegression(C=strength, max_iter=5_000, tol=1e-8).fit(vectors.astype(float), number)
    assert ours.weights == pytest.approx(theirs.coef_, abs=2e-3)
    assert confidences(ours.scores(vectors), 1.0) == pytest.approx(theirs.predict_proba(vectors.astype(float)), abs=1e-3)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = clouds(300, 4, 12, 1.2)
    number = np.array([int(label[1:]) for label in labels])
    whole = logistic(vectors, number, 4, strength=10.0)
    monkeypatch.setattr("cosimo.verbs.scoring.logistic.CELLS", 4)
    blocks = logistic(vectors, number, 4, strength=10.0)
    assert blocks.weights == pytest.approx(whole.weights, abs=2e-3)
    assert blocks.bias == pytest.approx(whole.bias, abs=2e-3)


def test_a_regression_of_identical_vectors_knows_how_often_each_class_is() -> None:
    vectors = np.full((8, 4), 0.5, np.float32)
    made = logistic(vectors, np.array([0, 0, 0, 0, 0, 0, 1, 1]), 2, strength=10.0)
    assert confidences(made.scores(vectors[:1]), 1.0)[0] == pytest.approx([0.75, 0.25], abs=1e-3)


# -- what is held out


def test_each_example_is_tested_once_and_every_class_is_spread_over_the_folds() -> None:
    classes = np.array([0] * 50 + [1] * 10 + [2] * 3 + [3])
    parts = list(stratified(classes, 5, seed=1))
    tested = np.concatenate([test for _, test in parts])
    assert sorted(tested.tolist()) == list(range(63)), "the only one of its class is never held out"
    for learned, test in parts:
        assert not set(learned.tolist()) & set(test.tolist())
        assert len(learned) + len(test) == 64
        assert np.bincount(classes[test], minlength=4)[:2].tolist() == [10, 2]
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(parts, stratified(classes, 5, seed=1), strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(parts, stratified(classes, 5, seed=2), strict=True))


@pytest.mark.parametrize("method", ["regression", "means"])
def test_copies_of_an_example_are_held_out_together(method: room.Method) -> None:
    random = np.random.default_rng(5)
    noise = normalised(random.standard_normal((60, 64)).astype(np.float32))
    labels = random.permutation(["a", "b"] * 30).tolist()
    report = learn_classes(np.tile(noise, (3, 1)), labels * 3, method=method).report
    assert report.accuracy is not None
    assert report.accuracy.tested == 180
    assert 0.25 < report.accuracy.value < 0.75, "labels by chance: who has seen a copy is right nearly always"
    classes, alike = np.array([0, 0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 3, 4, 4])
    parts = list(stratified(classes, 5, 0, alike))
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == [0, 1, 2, 3, 4, 5], "class 2 has one text, twice"
    assert all(not set(alike[learned].tolist()) & set(alike[test].tolist()) for learned, test in parts)
    both = learn_classes(np.tile(noise[:1], (4, 1)), ["a", "b", "a", "b"], method=method)
    assert both.report.accuracy is None, "one text with two labels tests nothing"


def test_confidence_is_fitted_to_what_is_right() -> None:
    random = np.random.default_rng(0)
    scores = random.standard_normal((4_000, 5)).astype(np.float32) * 2
    chances = np.cumsum(confidences(scores, 1.0).astype(float), axis=1)
    truth = (random.random((4_000, 1)) > chances[:, :4]).sum(axis=1)
    assert divisor_of(scores, truth) == pytest.approx(1, abs=0.06)
    assert divisor_of(scores * 10, truth) == pytest.approx(10, abs=0.6)
    sure = confidences(scores, 1.0)
    assert calibration_error(sure.max(axis=1), sure.argmax(axis=1) == truth) < 0.03
    few = np.eye(3, dtype=np.float32)[:2]
    assert confidences(few, divisor_of(few, np.array([0, 1]))).max() < 0.9, "two right answers do not make it certain"


def test_accuracy_is_that_of_examples_held_out_and_not_of_those_learned() -> None:
    random = np.random.default_rng(3)
    noise = normalised(random.standard_normal((200, 64)).astype(np.float32))
    made = learn_classes(noise, ["a", "b"] * 100, method="regression")
    seen = made.classify([str(n) for n in range(200)], noise)
    assert np.mean([each.label == label for each, label in zip(seen, ["a", "b"] * 100, strict=True)]) > 0.75
    assert made.report.accuracy is not None
    assert 0.3 < made.report.accuracy.value < 0.7
    assert made.report.baseline == 0.5


def test_the_report_counts_what_is_found_and_confused() -> None:
    vectors, labels = clouds(400, 4, 8, 1.0)
    made = learn_classes(vectors, [*labels[:390], *["", None] * 5], method="means")
    report = made.report
    assert report.accuracy is not None
    assert (report.examples, report.left_out, report.accuracy.tested) == (390, 10, 390)
    wrong = report.accuracy.tested - report.accuracy.hits
    assert sum(each.times for each in report.confused) == wrong > 0
    assert sum(each.examples for each in report.classes) == 390
    weighted = sum(each.examples * (each.recall or 0) for each in report.classes) / 390
    assert weighted == pytest.approx(report.accuracy.value, abs=1e-3)
    assert [each.share for each in report.answered] == sorted((each.share for each in report.answered), reverse=True)
    assert all(each.label != each.taken_for for each in report.confused)
    assert Report.of(json.loads(json.dumps(report.to_dict()))) == report
    assert learn_classes(vectors, labels, method="means").report == learn_classes(vectors, labels, method="means").report


def test_of_many_examples_and_classes_no_more_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = clouds(600, 6, 8, 0.6)
    whole = learn_classes(vectors, labels, method="means")
    monkeypatch.setattr(room, "SCORES", 600)
    monkeypatch.setattr(room, "TESTED", 300)
    monkeypatch.setattr(room, "BLOCK", 60)
    monkeypatch.setattr("cosimo.verbs.scoring.held_out.FITTED", 100)
    for method in ("means", "regression"):
        some = learn_classes(vectors, labels, method=method)
        assert some.report.accuracy is not None
        assert some.report.accuracy.tested == 100
    part = learn_classes(vectors, labels, method="means")
    ids = [str(n) for n in range(600)]
    assert [each.label for each in part.classify(ids, vectors)] == [each.label for each in whole.classify(ids, vectors)]


# -- labels of a collection


def test_a_field_is_learned_and_says_what_other_items_are(notes: Collection) -> None:
    made = notes.learn_classes("kind")
    assert made.labels == ("food", "sport")
    assert made.report.method == "regression"
    assert (made.report.examples, made.report.left_out) == (10, 2)
    found = {each.id: each for each in notes.classify()}
    assert (found["new1"].label, found["new2"].label) == ("food", "sport")
    assert all(0.5 <= (each.confidence or 0) <= 1 for each in found.values())
    assert made.classify(["cook bread", "a game"])[0].label == "food"
    assert [each.id for each in made.classify(["cook bread", "a game"])] == ["0", "1"]
    assert {each.id for each in notes.classify(where="kind IS NULL")} == {"new1", "new2"}
    assert notes.learn_classes("kind", method="means", name="other").report.method == "means"
    assert [(info.kind, info.name) for info in notes.results()] == [("classes", "main"), ("classes", "other")]


def test_labels_may_be_numbers_booleans_and_fields_inside_of_others(notes: Collection) -> None:
    assert notes.learn_classes("n", where="n <= 1").labels == ("0", "1")
    notes.add(Document(f"x{n}", f"text {n}", {"a": {"b": n % 2 == 0}, "list": ["x"]}) for n in range(6))
    assert notes.learn_classes("a.b").labels == ("false", "true")
    with pytest.raises(DataError, match="has a label in the field 'list'"):
        notes.learn_classes("list")


def test_below_a_confidence_there_is_no_label(notes: Collection) -> None:
    made = notes.learn_classes("kind")
    sure = made.classify("cook bread soup")[0]
    unsure = made.classify("zebra")[0]
    assert (sure.confidence or 0) > (unsure.confidence or 0)
    least = ((sure.confidence or 0) + (unsure.confidence or 0)) / 2
    labels = [each.label for each in made.classify(["cook bread soup", "zebra"], min_confidence=least)]
    assert labels == ["food", None]
    assert made.classify("zebra", min_confidence=1.0)[0].confidence == unsure.confidence
    assert {each.label for each in notes.classify(min_confidence=1.0)} <= {None, "food", "sport"}
    for wrong in (-0.1, 1.01, float("nan"), float("inf")):
        with pytest.raises(DataError, match=r"a least confidence is a number from 0 to 1, not"):
            notes.classify(min_confidence=wrong)


def test_what_is_kept_comes_back_and_is_learned_again_where_rows_changed(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr("cosimo.collection.learning.learn", lambda *a, **b: calls.append(a) or learn_classes(*a, **b))
    made = notes.learn_classes("kind")
    back = notes.classes()
    assert (back.report, back.labels, back.classes.divisor) == (made.report, made.labels, made.classes.divisor)
    assert np.array_equal(back.classes.linear.weights, made.classes.linear.weights)
    notes.learn_classes("kind")
    assert len(calls) == 1
    notes.add([Document("food9", "rice", {"kind": "food"})])
    assert notes.learn_classes("kind").report.examples == 11
    notes.add([Document("new1", "bake soup", {"kind": "food"})])  # its text and vector are as before
    assert notes.learn_classes("kind").report.examples == 12
    notes.learn_classes("kind", seed=1)
    notes.learn_classes("kind", seed=1, refresh=True)
    assert len(calls) == 5
    assert notes.learn_classes("kind", save=False).report == notes.learn_classes("kind", save=False).report


def test_in_another_models_space_classes_are_refused(notes: Collection) -> None:
    kept = notes.learn_classes("kind", name="mine")
    notes.migrate("fake:32")
    told = r"the classes 'mine' of 'notes' were learned from vectors of fake:64 \(64\), .+ fake:32 \(32\)"
    with pytest.raises(ModelMismatch, match=f"{told}; learn them anew: cosimo classify learn notes --name mine"):
        notes.classes("mine")
    with pytest.raises(ModelMismatch, match="learned from vectors of fake:64"):
        notes.classify(kept)
    with pytest.raises(ModelMismatch, match="learned from vectors of fake:64"):
        kept.classify("bread")


def test_examples_from_elsewhere_and_labels_by_id(notes: Collection) -> None:
    made = notes.learn_classes(examples=[(text, label) for label in TEXTS for text in TEXTS[label]])
    assert {each.id: each.label for each in notes.classify()}["new1"] == "food"
    assert made.report.examples == 10
    by_id = notes.learn_classes(labels={f"{label}{n}": label for label in TEXTS for n in range(5)} | {"gone": "food"})
    assert by_id.report.examples == 10
    assert by_id.report.accuracy == notes.learn_classes("kind").report.accuracy
    with pytest.raises(DataError, match="none of the 1 labelled ids is an item of 'notes'"):
        notes.learn_classes(labels={"gone": "food"})


def test_names_alone_sort_texts_and_a_field_tests_them(notes: Collection) -> None:
    made = notes.learn_classes(names=["bake bread", "win_a_race", " bake bread "])
    assert made.labels == ("bake bread", "win_a_race")
    assert made.report.accuracy is None
    assert "how good it is cannot be said: there are no examples" in str(made.report)
    assert [each.label for each in made.classify(["bread", "race"])] == ["bake bread", "win_a_race"]
    tested = notes.learn_classes("kind", method="names", template="the kind of {} it is")
    assert tested.report.accuracy is not None
    assert (tested.report.method, tested.report.accuracy.tested, tested.labels) == ("names", 10, ("food", "sport"))
    for names, told in ((["one"], "two classes or more, not 1"), ([], "not 0"), (["a", "a"], "not 1")):
        with pytest.raises(DataError, match=told):
            notes.learn_classes(names=names)
    with pytest.raises(DataError, match=r"a template holds \{\} once"):
        notes.learn_classes(names=["a", "b"], template="a {} and a {}")
    with pytest.raises(DataError, match="names are for method names"):
        notes.learn_classes(names=["a", "b"], method="means")


def test_without_a_collection_classes_are_learned_from_texts_alone() -> None:
    made = scoring.classifier([(text, label) for label in TEXTS for text in TEXTS[label]], model="fake:64")
    assert [each.label for each in made.classify(["soup and bread", "", "a race"])] == ["food", None, "sport"]
    assert made.classify("")[0].confidence is None
    with pytest.raises(DataError, match="classes need two labels or more, and there is none"):
        scoring.classifier([], model="fake:64")
    assert scoring.classifier(names=["food", "sport"], model="fake:64").labels == ("food", "sport")


# -- what is odd


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_examples(count: int) -> None:
    with cosimo.open(":memory:") as db:
        few = db.collection("few", model="fake:16")
        few.add([])
        few.add(Document(str(n), f"text {n}", {"kind": f"k{n}"}) for n in range(count))
        if count == 2:
            made = few.learn_classes("kind")
            assert made.report.accuracy is None
            assert "two different examples a class are needed" in str(made.report)
            assert [each.label for each in few.classify()] == ["k0", "k1"]
        else:
            with pytest.raises(DataError, match=r"no item of 'few' .* field 'kind'|two labels or more, and there is one: 'k0'"):
                few.learn_classes("kind")


def test_one_example_a_class_is_learned_and_said_to_be_untested() -> None:
    made = learn_classes(np.eye(5, dtype=np.float32), list("abcde"))
    assert made.report.accuracy is None
    assert [each.recall for each in made.report.classes] == [None] * 5
    assert [each.label for each in made.classify(list("01234"), np.eye(5, dtype=np.float32))] == list("abcde")
    mixed = learn_classes(np.eye(5, dtype=np.float32)[[0, 2, 3, 1]], ["a", "a", "a", "b"], method="means")
    assert mixed.report.accuracy is not None
    assert mixed.report.accuracy.tested == 3, "the only b is never held out"


def test_a_field_with_one_value_is_refused(notes: Collection) -> None:
    with pytest.raises(DataError, match="classes need two labels or more, and there is one: 'food'"):
        notes.learn_classes("kind", prefix="food")


def test_a_field_nobody_has_is_named_beside_those_there_are(notes: Collection) -> None:
    with pytest.raises(DataError, match="has a label in the field 'knid'; there are: kind, n, other"):
        notes.learn_classes("knid")


def test_a_field_of_ten_thousand_values_is_no_label_but_has_means() -> None:
    random = np.random.default_rng(0)
    vectors = normalised(random.standard_normal((10_000, 16)).astype(np.float32))
    labels = [f"id{n}" for n in range(10_000)]
    with pytest.raises(DataError, match="10,000 labels for 10,000 items, so hardly two share one; choose another field"):
        learn_classes(vectors, labels)
    made = learn_classes(vectors, labels, method="means")
    assert made.report.accuracy is None
    assert [each.label for each in made.classify(labels[:50], vectors[:50])] == labels[:50]
    twice, both = np.concatenate([vectors, vectors]), labels + labels
    assert learn_classes(twice, both).report.method == "means", "a regression of so many classes takes too long"
    with pytest.raises(DataError, match="takes too long; choose method means"):
        learn_classes(twice, both, method="regression")


def test_a_field_of_long_texts_is_no_label(notes: Collection) -> None:
    notes.add(Document(f"long{n}", f"t {n}", {"essay": f"{n}" + "word " * 200}) for n in range(3))
    with pytest.raises(DataError, match="the field 'essay' holds texts of more than 500 characters, no labels"):
        notes.learn_classes("essay")


@pytest.mark.parametrize("method", ["means", "regression"])
def test_vectors_that_are_all_the_same(method: room.Method) -> None:
    same = np.full((12, 4), 0.5, np.float32)
    made = learn_classes(same, ["a"] * 8 + ["b"] * 4, method=method)
    (found,) = made.classify(["x"], same[:1])
    assert found.label in ("a", "b")
    assert 0.4 <= (found.confidence or 0) <= 0.9
    assert made.report.accuracy is None
    assert "two different examples a class are needed" in str(made.report)


def test_vectors_of_zeros_and_nan_teach_nothing_and_are_taken_for_nothing() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0, 0], [np.nan, 1]], np.float32)
    made = learn_classes(vectors, ["a", "a", "b", "b", "a", "b"])
    assert (made.report.examples, made.report.left_out) == (4, 2)
    found = made.classify(["zero", "one"], np.array([[0, 0], [1, 0]], np.float32))
    assert [(each.label, each.confidence is None) for each in found] == [(None, True), ("a", False)]
    with cosimo.open(":memory:") as db:
        bare = db.collection("bare", model=None)
        kinds = [{"kind": kind} for kind in ("a", "a", "b", "b", "b")]
        bare.add_vectors(list("12345"), [[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0, 0]], metadata=kinds)
        bare.learn_classes("kind")
        assert [(each.id, each.label) for each in bare.classify()] == [("1", "a"), ("2", "a"), ("3", "b"), ("4", "b")]
        with pytest.raises(ModelMismatch, match="has no model"):
            bare.learn_classes("kind", method="names")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"label": "kind", "method": "forest"}, "no method is called 'forest'; known are auto, regression"),
        ({"label": "kind", "folds": 1}, "held out is a whole number from 2 to 100, not 1"),
        ({"label": "kind", "folds": 2.5}, r"held out is a whole number from 2 to 100, not 2\.5"),
        ({"label": "kind", "seed": -1}, "the seed is a whole number from 0 to 4,294,967,295, not -1"),
        ({"label": "kind", "seed": "x"}, "the seed is a whole number"),
        ({"examples": ["a text", "another"]}, "pairs"),
        ({"examples": [(None, "a"), ("text", "b")]}, "must be strings, not None"),
        ({"labels": ["a"]}, "a mapping of ids to labels"),
        ({"names": "sport"}, "two classes or more, not 1"),
        ({"names": [1, 2]}, "must be strings, not 1"),
        ({"label": "kind", "labels": {"a": "b"}}, "learned from one thing"),
        ({}, "learned from one thing"),
        ({"label": "kind", "where": "n >="}, "."),
    ],
)
def test_arguments_that_make_no_sense(notes: Collection, given: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        notes.learn_classes(**given)  # type: ignore[arg-type]


def test_labels_and_examples_may_be_of_any_shape(notes: Collection) -> None:
    texts = [*TEXTS["food"], *TEXTS["sport"]]
    for first, second in ((0, 1), (False, True), (np.int64(0), np.int64(1)), ("\ud800", "b")):
        numbers = [first] * 5 + [second] * 5
        made = notes.learn_classes(examples=zip(texts, numbers, strict=True))  # type: ignore[arg-type]
        alone = scoring.classifier(zip(texts, numbers, strict=True), model="fake:64")  # type: ignore[arg-type]
        by_id = notes.learn_classes(labels=dict(zip([row.id for row in notes.rows()], numbers, strict=False)))  # type: ignore[arg-type]
        assert len(made.labels) == 2
        assert made.labels == alone.labels == by_id.labels == notes.classes().labels
        assert made.report.examples == alone.report.examples == 10
    assert notes.learn_classes(names=(name for name in ("food", "sport"))).labels == ("food", "sport")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="names are for method names"):
        scoring.classifier(names=["food", "sport"], method="means", model="fake:64")


def test_classes_that_another_program_spoilt_are_told(notes: Collection) -> None:
    for damage in (
        "UPDATE cosimo_arrays SET data = zeroblob(8), shape = '[2]' WHERE array = 'weights'",
        "UPDATE cosimo_arrays SET data = x'000000000000f87f' WHERE array = 'divisor'",  # NaN
        "DELETE FROM cosimo_arrays WHERE array = 'bias'",
        "UPDATE cosimo_results SET summary = '{}'",
        "UPDATE cosimo_results SET settings = '{}'",
    ):
        notes.learn_classes("kind", refresh=True)
        with notes._store.atomic():
            notes._store._file.execute(damage)  # type: ignore[attr-defined]
        with pytest.raises(Corrupt, match=r"anew|run: cosimo classify learn notes"):
            notes.classify()
    with pytest.raises(NotFound, match="keeps no classes 'x', but 'main'; run: cosimo classify learn notes --name x"):
        notes.classify("x")


# -- written into metadata


def test_labels_are_written_where_there_are_none_and_nothing_else_is_touched(notes: Collection) -> None:
    notes.learn_classes("kind")
    before = {row.id: row for row in notes.rows()}
    done = notes.write_labels(notes.classify(), "kind")
    assert (done.written, done.left) == (2, 10)
    after = {row.id: row for row in notes.rows()}
    assert list(after) == list(before)
    for id, row in after.items():
        assert (row.content, row.hash) == (before[id].content, before[id].hash)
        assert np.array_equal(row.vector, before[id].vector)
    assert after["new1"].metadata == {"kind": "food"}
    assert after["new2"].metadata == {"kind": "sport", "other": 1}
    assert after["food3"].metadata == before["food3"].metadata
    assert notes.search("bake", 3, where="kind = 'food'")[0].metadata


def test_labels_written_over_others_are_taken_back_where_there_is_too_little_confidence(notes: Collection) -> None:
    notes.learn_classes("kind")
    assert notes.write_labels(notes.classify(), "guess").written == 12
    assert notes.write_labels(notes.classify(), "guess", overwrite=True).written == 0
    unsure = [each._replace(label=None) for each in notes.classify()]
    assert notes.write_labels(unsure, "guess") == (0, 12)
    assert notes.write_labels(unsure, "guess", overwrite=True) == (12, 0)
    assert all((row.metadata or {})["guess"] is None for row in notes.rows())
    assert notes.write_labels(unsure, "fresh").written == 0, "no field is made for what has no label"
    assert notes.write_labels([unsure[0]._replace(id="gone", label="x")], "guess").written == 0


def test_what_another_program_wrote_in_place_of_metadata_is_never_written_over(tmp_path: Path) -> None:
    others = ["{not json", "[1, 2]", "3", '"text"', b"\xff\xfe"]
    with cosimo.open(tmp_path / "notes.db") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(documents())
        notes.learn_classes("kind")
        ids = [row.id for row in notes.rows()]
        with contextlib.closing(sqlite3.connect(tmp_path / "notes.db")) as file, file:
            for id, other in zip(ids, [*others, None, "", "null"], strict=False):
                file.execute("UPDATE embeddings SET metadata = ? WHERE id = ?", (other, id))
        for overwrite in (False, True):
            done = notes.write_labels(notes.classify(), "guess", overwrite=overwrite)
            assert done == ((len(ids) - len(others), len(others)) if not overwrite else (0, len(others)))
        with contextlib.closing(sqlite3.connect(tmp_path / "notes.db")) as file:
            stored = dict(file.execute("SELECT id, metadata FROM embeddings"))
    assert [stored[id] for id in ids[: len(others)]] == others
    assert all("guess" in json.loads(stored[id]) for id in ids[len(others) :])


@pytest.mark.parametrize("field", ["id", "content", "*", "a.b"])
def test_labels_are_not_written_where_they_do_not_belong(notes: Collection, field: str) -> None:
    with pytest.raises(DataError, match="a field at the top of the metadata, not into"):
        notes.write_labels([], field)


# -- files


def test_labelled_files_of_every_shape(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("label\ttext\nx\tone\n\ttwo\ny\t\nz\tthree\n", encoding="utf-8")
    assert labelled_in(str(tmp_path / "a.tsv"), "label").examples == [("one", "x"), ("three", "z")]
    (tmp_path / "b.ndjson").write_text(
        '{"content": "eins <b>", "label": 1}\n{"content": "zwei", "label": null}\n{"content": "drei", "label": true}\n',
        encoding="utf-8",
    )
    found = labelled_in(str(tmp_path / "b.ndjson"), "label")
    assert (found.examples, found.left_out) == ([("eins <b>", "1"), ("drei", "true")], 1)
    (tmp_path / "c.csv").write_text("id,kind\na,x\nb,y\nc,\n", encoding="utf-8")
    assert labelled_in(str(tmp_path / "c.csv"), "kind")[1:] == ({"a": "x", "b": "y"}, 1)
    (tmp_path / "d.csv").write_text("question,intent\nhow?,q\n", encoding="utf-8")
    assert labelled_in(str(tmp_path / "d.csv"), "intent").examples == [("how?", "q")]
    assert labelled_in(str(tmp_path / "d.csv"), "intent", "question").examples == [("how?", "q")]
    for name, label, text, told in (
        ("a.tsv", "kind", None, "no column 'kind'"),
        ("a.tsv", "label", "words", "no column 'words'"),
        ("none.csv", "label", None, "cannot be read"),
        ("a.txt", "label", None, "is no table"),
    ):
        with pytest.raises(UnreadableSource, match=told):
            labelled_in(str(tmp_path / name), label, text)
    (tmp_path / "t.txt").write_text("one\n\nthree\n", encoding="utf-8")
    assert documents_in(str(tmp_path / "t.txt")) == [("1", "one"), ("3", "three")]
    assert documents_in(str(tmp_path / "a.tsv"))[0] == ("x", "one")


# -- at the doors


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "cut.ndjson").write_text('{"text":"a","label":"x"}\n{"text":"b"\n{"text":"c","label":"y"}\n', encoding="utf-8")
    (tmp_path / "ids.ndjson").write_text('{"id":"a","label":"x"}\n{"id"\n', encoding="utf-8")
    for name, read in (("cut", labelled_in), ("ids", labelled_in), ("cut", lambda path, _: documents_in(path))):
        with pytest.warns(ExamplesWarning, match=rf"cannot be read is left out, first .*{name}\.ndjson:2") as told:
            found = read(str(tmp_path / f"{name}.ndjson"), "label")
        assert found
        assert len(told) == 1


@pytest.fixture
def files(tmp_path: Path) -> Path:
    with cosimo.open(tmp_path / "notes.db") as db:
        db.collection("notes", model="fake:64").add(documents())
    rows = [{"text": text, "label": label} for label in TEXTS for text in TEXTS[label]]
    (tmp_path / "examples.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "ids.csv").write_text("id,kind\nfood0,eat\nfood1,eat\nsport0,move\nsport1,move\n", encoding="utf-8")
    return tmp_path


def run(files: Path, *arguments: str, **options: object) -> tuple[int, list[dict[str, object]], str]:
    given = [str(files / each.removeprefix("@")) if each.startswith("@") else each for each in arguments]
    done = CliRunner().invoke(cli, ["classify", *given], **options)  # type: ignore[arg-type]
    lines = [json.loads(line) for line in done.stdout.splitlines()] if done.exit_code == 0 else []
    return done.exit_code, lines, done.stderr if done.exception is None or done.exit_code == 2 else str(done.exception)


def test_two_lines_make_a_classifier_and_use_it(files: Path) -> None:
    here = ("-d", "@notes.db")
    code, (told,), _ = run(files, "learn", "notes", "--label", "kind", *here)
    assert (code, told["examples"], told["left_out"]) == (0, 10, 2)
    code, (found,), _ = run(files, "notes", "-c", "bake a bread", *here)
    assert (found["label"], found["content"]) == ("food", "bake a bread")
    _, lines, _ = run(files, "notes", "--where", "kind IS NULL", *here)
    assert [(each["id"], each["label"], set(each)) for each in lines] == [
        ("new1", "food", {"id", "label", "confidence"}),
        ("new2", "sport", {"id", "label", "confidence"}),
    ]
    _, lines, said = run(files, "apply", "notes", "--write", "kind", *here)
    assert (len(lines), "2 items written, 10 left as they were" in said) == (12, True)
    code, (told,), _ = run(files, "learn", "notes", "--examples", "@ids.csv", "--label", "kind", "--name", "by-id", *here)
    assert (code, [each["label"] for each in told["classes"]]) == (0, ["eat", "move"])  # type: ignore[attr-defined]


def test_without_a_collection_a_file_or_names_are_enough(files: Path) -> None:
    model = ("-m", "fake:64")
    _, (found,), said = run(files, "--examples", "@examples.ndjson", "-c", "bake a bread", *model)
    assert found["label"] == "food"
    assert "regression, 2 classes, 10 examples" in said
    _, (found,), said = run(files, "--names", "food,sport", *model, input="the sport of food and sport")
    assert found["label"] == "sport"
    _, lines, _ = run(files, "--names", "bread,race", "--texts", "@examples.ndjson", "--min-confidence", "0.999", *model)
    assert len(lines) == 10
    assert {each["label"] for each in lines} <= {"bread", "race", None}
    _, lines, _ = run(files, "notes", "--names", "bread,race", "-d", "@notes.db")
    assert len(lines) == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-c", "x"], "Give a COLLECTION that keeps classes, or --examples, --names or --labels."),
        (["notes", "--label", "kind"], "cosimo classify learn COLLECTION --label FIELD"),
        (["--names", "a,b", "-c", "x", "-i", "y"], "Give the text once"),
        (["--names", "a,b", "-c", "x", "--where", "n = 1"], "need a COLLECTION"),
        (["--names", "a,b", "-c", "x", "--write", "f"], "--write is for the items"),
        (["notes", "-c", "x", "--write", "f"], "--write is for the items"),
        (["notes", "--overwrite"], "--overwrite goes with --write"),
        (
            ["--examples", "@ids.csv", "--label", "kind", "-c", "x", "-m", "fake:8"],
            "labels ids, which are items of a COLLECTION",
        ),
    ],
)
def test_what_makes_no_sense_is_told(files: Path, arguments: list[str], told: str) -> None:
    code, _, said = run(files, *arguments)
    assert code == 2
    assert told in said


def test_on_a_terminal_a_report_is_a_table(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.interfaces.cli.output.on_terminal", lambda: True)
    done = CliRunner().invoke(cli, ["classify", "learn", "notes", "--label", "kind", "-d", str(files / "notes.db")])
    assert done.exit_code == 0, done.output
    assert "regression, 2 classes, 10 examples" in done.stdout
    for word in ("answered", "right of those", "food", "sport"):
        assert word in done.stdout


def test_routes_give_what_python_gives(files: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    with cosimo.open(files / "notes.db") as db:
        notes = db.collection("notes")
        made = notes.learn_classes("kind", save=False)
        expected = [each._asdict() for each in notes.classify(made)]
        texts = [each._asdict() for each in made.classify(["bread", ""])]
    at = "/v1/collections/notes"
    with running(database=files / "notes.db") as server:
        told = server.post(f"{at}/learn_classes", {"label": "kind"}).json()
        assert told == json.loads(json.dumps(made.report.to_dict()))
        assert server.client.get(f"{at}/classes/main").json() == told
        assert server.post(f"{at}/classify", {}).json() == {"predictions": expected, "count": 12}
        page = server.post(f"{at}/classify", {"limit": 2, "offset": 1}).json()
        assert page == {"predictions": expected[1:3], "count": 12}
        assert server.post(f"{at}/classify_texts", {"texts": ["bread", ""]}).json()["predictions"] == texts
        assert server.post(f"{at}/write_labels", {"field": "kind"}).json() == {"written": 2, "left": 10}
        for body, status in (({"label": "knid"}, 400), ({"label": "kind", "method": "forest"}, 400), ({"lable": "kind"}, 400)):
            assert server.post(f"{at}/learn_classes", body).status_code == status
        assert server.post(f"{at}/classify", {"classes": "none"}).status_code == 404
        assert server.post(f"{at}/classify", {"min_confidence": 2}).status_code == 400
    with running(database=files / "notes.db", read_only=True) as server:
        for route, body in (("learn_classes", {"label": "kind"}), ("write_labels", {"field": "x"})):
            assert server.post(f"{at}/{route}", body).status_code == 403
        assert server.post(f"{at}/classify_texts", {"texts": ["bread"]}).json()["count"] == 1
