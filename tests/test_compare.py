"""Two models side by side: figures are those of brute force and of the papers, bad input is told, everything can be shown."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo.core.errors import DataError, Error, MissingExtra, ModelNotFound, NotFound
from cosimo.core.types import Embedded, ModelSpec
from cosimo.interfaces.cli import cli
from cosimo.verbs import compare as room
from cosimo.verbs.comparison import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosimo.collection.database import Database

EXAMPLE = Path(__file__).parents[1] / "examples" / "compare_models.ipynb"
WORDS = ["bread", "oven", "dough", "flour", "water", "salt", "yeast", "milk", "cheese", "apple", "pear", "moon", "star", "rain"]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "notes.db") as opened:
        random = np.random.default_rng(4)
        notes = opened.collection("notes", model="fake:64")
        notes.add(cosimo.Document(f"{n:03}", " ".join(random.choice(WORDS, 6)) + f" {n}", {"n": n}) for n in range(300))
        yield opened


def unit(db: Database, name: str = "notes") -> tuple[list[str], np.ndarray]:
    rows = list(db.collection(name).rows())
    vectors = np.stack([row.vector for row in rows]).astype(np.float64)
    return [row.id for row in rows], vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(vectors: np.ndarray, k: int) -> list[set[int]]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return [set(row.tolist()) for row in np.argsort(-scores, axis=1)[:, :k]]


def rounded(vectors: np.ndarray, shape: str) -> np.ndarray:
    if shape == "int8":
        scale = np.abs(vectors).max(axis=0) / 127
        return np.rint(vectors / scale) * scale
    return vectors[:, : int(shape)].copy()


@pytest.mark.parametrize("shape", ["int8", "32", "8"])
def test_overlap_is_that_of_brute_force(db: Database, shape: str) -> None:
    _, vectors = unit(db)
    other = rounded(vectors, shape)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    expected = [len(a & b) / 10 for a, b in zip(nearest(vectors, 10), nearest(other, 10), strict=True)]
    found = db.compare("notes", f"notes@{shape}", sample=None)
    assert found.pairs[0].overlap == pytest.approx(np.mean(expected), abs=0.002)  # equal scores fall either way
    assert found.sampled == found.items == 300
    agree = [abs(found.overlaps[id] - each) < 1e-4 for id, each in zip(unit(db)[0], expected, strict=True)]
    assert np.mean(agree) > 0.95
    assert [side.overlap for side in found.disagreements] == sorted(found.overlaps.values())[:5]


def test_rank_biased_overlap_is_that_of_the_paper() -> None:
    a = np.array([[1, 2, 3, 4, 5]])
    assert room.rank_biased_overlap(a, a)[0] == pytest.approx(1)
    assert room.rank_biased_overlap(a, a + 10)[0] == 0
    b, p = np.array([[2, 1, 3, 9, 5]]), 0.9
    shared = [0, 2, 3, 3, 4]  # in common up to each depth
    by_hand = shared[-1] / 5 * p**5 + (1 - p) / p * sum(x / d * p**d for d, x in enumerate(shared, 1))
    assert room.rank_biased_overlap(a, b)[0] == pytest.approx(by_hand)
    first, last = np.array([[9, 2, 3, 4, 5]]), np.array([[1, 2, 3, 4, 9]])
    assert room.rank_biased_overlap(a, first)[0] < room.rank_biased_overlap(a, last)[0]


@pytest.mark.parametrize(("depth", "items"), [(1, 3), (5, 8), (10, 12), (10, 1_000)])
def test_overlaps_of_full_short_and_empty_lists_are_those_of_sets(depth: int, items: int) -> None:
    random = np.random.default_rng(depth)
    a, b = (np.stack([random.permutation(items)[:depth] for _ in range(60)]) for _ in range(2))
    for row in (*a[::3], *b[::4]):
        row[random.integers(0, depth + 1) :] = -1  # fewer were found
    b[::5] = a[::5]
    for x, y, overlap, rbo in zip(a, b, room.overlap(a, b), room.rank_biased_overlap(a, b), strict=True):
        left, right = x[x >= 0].tolist(), y[y >= 0].tolist()
        long = max(len(left), len(right))
        shared = [len(set(left[:d]) & set(right[:d])) for d in range(1, long + 1)]
        assert overlap == pytest.approx(shared[-1] / long if long else 1)
        series = sum(x / d * 0.9**d for d, x in enumerate(shared, 1))
        assert rbo == pytest.approx(shared[-1] / long * 0.9**long + series / 9 if long else 1)


def test_long_lists_take_no_table_of_all_pairs() -> None:
    lists = np.stack([np.random.default_rng(n).permutation(4_000) for n in range(100)])
    tracemalloc.start()
    room.rank_biased_overlap(lists, lists[:, ::-1])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60 * lists.nbytes  # all pairs of ranks: 1.6 GB, and eight times that where they are summed


def test_linear_cka_sees_through_turns_and_scales_and_nothing_else() -> None:
    random = np.random.default_rng(1)
    a = random.standard_normal((200, 12)).astype(np.float32)
    turn, _ = np.linalg.qr(random.standard_normal((12, 12)))
    assert room.linear_cka(a, (3 * a @ turn + 1).astype(np.float32)) == pytest.approx(1, abs=1e-5)
    assert room.linear_cka(a, random.standard_normal((200, 12)).astype(np.float32)) < 0.2
    assert room.linear_cka(a, np.ones((200, 3), np.float32)) == 0
    b = (a[:, :7] + random.standard_normal((200, 7))).astype(np.float32)
    centre = np.eye(200) - 1 / 200
    one, other = (centre @ (each.astype(np.float64) @ each.T.astype(np.float64)) @ centre for each in (a, b))
    by_kernels = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
    assert room.linear_cka(a, b) == pytest.approx(by_kernels, abs=1e-5)
    assert room.linear_cka(1e30 * a, 1e-20 * b) == pytest.approx(by_kernels, abs=1e-4)


def test_vectors_of_one_are_put_to_the_index_of_the_other_where_lengths_agree(db: Database) -> None:
    found = db.compare("notes", "notes@int8", "notes=fake:64", "notes=fake:32")
    cross = {(pair.a, pair.b): pair.cross for pair in found.pairs}
    assert cross["notes", "notes=fake:64"] == found.pairs[1].overlap == 1  # the very same model
    assert (cross["notes", "notes@int8"] or 0) > 0.9
    assert cross["notes", "notes=fake:32"] is None


def test_l2_and_an_inverted_file_can_be_asked(db: Database) -> None:
    exact = db.compare("notes", "notes@32", sample=None)
    by_distance = db.compare("notes", "notes@32", sample=None, metric="l2")
    assert by_distance.pairs[0].overlap == pytest.approx(exact.pairs[0].overlap, abs=0.02)  # unit vectors: the same order
    lists = db.compare(
        "notes", "notes@32", sample=None, metric="l2", index="lists", params={"nlist": 4, "nprobe": 2, "codes": "none"}
    )
    assert 0.3 < lists.pairs[0].overlap <= 1
    with pytest.raises(DataError, match="no index is of the type 'tree'"):
        db.compare("notes", "notes@32", index="tree")
    with pytest.raises(DataError, match="no metric is called 'manhattan'"):
        db.compare("notes", "notes@32", metric="manhattan")  # type: ignore[arg-type]


def test_questions_and_items_are_shown_side_by_side_as_each_would_answer(db: Database) -> None:
    found = db.compare("notes", "notes@32", k=4, questions="bread oven dough", ids=["007"], sample=20)
    item, question = found.questions
    hits = db.collection("notes").search("bread oven dough", 4, mode="vector")
    assert [near.id for near in question.lists["notes"]] == [hit.id for hit in hits]
    assert question.lists["notes"][0].score == pytest.approx(hits[0].score, abs=1e-5)
    assert [near.id for near in item.lists["notes"]] == [hit.id for hit in db.collection("notes").related("007", 4)]
    assert set(found.texts) >= {near.id for near in question.lists["notes@32"]}
    assert found.texts["007"] == db.collection("notes").get("007").content


def test_collections_of_other_cuttings_are_asked_for_passages(tmp_path: Path) -> None:
    long = ["bread and water. " * 200 + f"the moon of {place} is far away." for place in ("jupiter", "mars", "saturn")]
    with cosimo.open(tmp_path / "cut.db") as db:
        for name, passages in (("cut", True), ("whole", False)):
            documents = [cosimo.Document(f"{n}", text) for n, text in enumerate(long)]
            db.collection(name, model="fake:256").add(documents, passages=passages)
        (side,) = db.compare("cut", "whole", k=3, questions=["the moon of mars is far away."]).questions
        expected = db.collection("cut").search("the moon of mars is far away.", 3, mode="vector")
        assert [near.score for near in side.lists["cut"]] == [pytest.approx(hit.score, abs=1e-5) for hit in expected]
        assert side.lists["cut"][0].score != pytest.approx(side.lists["whole"][0].score, abs=1e-3)


def test_judged_questions_tell_which_is_better(db: Database, tmp_path: Path) -> None:
    judged = tmp_path / "judged.csv"
    rows = [(row.content, row.id) for row in db.collection("notes").rows()][:40]
    judged.write_text("query,id\n" + "".join(f"{text},{id}\n" for text, id in rows), encoding="utf-8")
    found = db.compare("notes", "notes@2", judged=judged)
    by_name = {view.name: view.ndcg for view in found.views}
    assert by_name["notes"] is not None
    assert by_name["notes"].mean == pytest.approx(1)
    assert by_name["notes@2"] is not None
    assert by_name["notes@2"].mean < 0.5


def test_a_filter_and_a_seed_choose_the_items(db: Database) -> None:
    assert db.compare("notes", "notes@32", where="n < 50").items == 50
    a, b, c = (db.compare("notes", "notes@32", sample=30, seed=seed) for seed in (1, 1, 2))
    assert list(a.overlaps) == list(b.overlaps) != list(c.overlaps)
    assert a.overlaps == b.overlaps
    assert len(a.overlaps) == a.sampled == 30


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("notes",), DataError, "a comparison needs two or more"),
        (("notes", "notes"), DataError, "two of what is to be compared have one name"),
        (("notes", "nots"), NotFound, "no collection 'nots'"),
        (("notes", "notes@65"), DataError, "asks for 65 numbers of vectors that have 64"),
        (("notes", "notes@int4"), NotFound, "no collection 'notes@int4'"),
        (("notes", "bare=fake:8"), DataError, "'bare' stores no texts that fake:8 could embed"),
        (("notes", "bare"), DataError, "have 0 items in common; a comparison needs at least 3"),
        (("notes", "few"), DataError, "have 2 items in common"),
    ],
)
def test_bad_names_are_told_in_a_sentence(db: Database, names: tuple[str, ...], error: type[Exception], message: str) -> None:
    db.collection("bare", model=None).add_vectors(["x", "y", "z"], np.eye(3))
    db.collection("few", model=None).add_vectors(["001", "002", "zero"], [[1, 0], [0, 1], [0, 0]])
    with pytest.raises(error, match=message):
        db.compare(*names)


def test_vectors_from_elsewhere_are_compared_and_cannot_be_asked_questions(db: Database) -> None:
    random = np.random.default_rng(2)
    ids = [f"{n:03}" for n in range(300)]
    for name, dim in (("a", 8), ("b", 12)):
        db.collection(name, model=None).add_vectors(ids, random.standard_normal((300, dim)))
    found = db.compare("a", "b")
    assert found.pairs[0].overlap < 0.2
    assert (found.views[0].model, found.views[0].embed_ms) == (None, None)
    with pytest.raises(ModelNotFound, match="no model of these collections can be run here"):
        db.compare("a", "b", questions=["anything"])
    (side,) = db.compare("a", "notes", questions=["bread"]).questions
    assert (len(side.lists["a"]), len(side.lists["notes"])) == (0, 10)
    with pytest.raises(DataError, match="a question is empty"):
        db.compare("notes", "a", questions=[" "])
    with pytest.raises(DataError, match="'404' is not among the 300 items"):
        db.compare("a", "b", ids=["404"])
    for sample in (0, -1, "x", 2.5):
        with pytest.raises(DataError, match="a sample is of 1 item or more"):
            db.compare("a", "b", sample=sample)  # type: ignore[arg-type]
    for seed in (-1, "x", None):
        with pytest.raises(DataError, match="a seed is a whole number from 0 on"):
            db.compare("a", "b", sample=5, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one by one"):
        db.compare(["a", "b"], "a")  # type: ignore[arg-type]


def test_a_name_of_a_collection_is_one_whatever_is_in_it(db: Database) -> None:
    texts = [cosimo.Document(str(n), f"{word} {n}") for n, word in enumerate(WORDS)]
    for name in ("a", "a=b", "a@8", "a=b@8"):
        db.collection(name, model="fake:32").add(texts)
    dims = {
        name: db.compare(name, "a", k=3).views[0].dim for name in ("a=b", "a@8", "a@16", "a@8@4", "a=b@8", "a=b@8@2", "a=b@16")
    }
    assert dims == {"a=b": 32, "a@8": 32, "a@16": 16, "a@8@4": 4, "a=b@8": 32, "a=b@8@2": 2, "a=b@16": 16}
    assert db.compare("a=b=fake:8", "a@8=fake:4@2", k=3).views[0].model == "fake:8"


class Paid:
    """A model with a price, that counts what it is asked."""

    spec = ModelSpec("paid", 8, price=0.02)

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, contents: Sequence[str], *, role: str = "document") -> Embedded:
        self.asked += contents
        return Embedded(np.random.default_rng(1).standard_normal((len(contents), 8)).astype(np.float32), 1, [])


def test_nothing_is_paid_for_a_comparison_that_is_refused(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = Paid()
    of_database = db.embedder
    monkeypatch.setattr(db, "embedder", lambda model, *more: paid if model == "paid" else of_database(model, *more))
    db.collection("bare", model=None).add_vectors(["x", "y", "z"], np.eye(3))
    (tmp_path / "judged.csv").write_text("query,id\nbread,another\n", encoding="utf-8")
    for names, given in (
        (("notes=paid",), {}), (("notes=paid", "notes=paid"), {}), (("notes=paid", "notes@999"), {}),
        (("notes=paid", "nots"), {}), (("notes=paid", "notes"), {"k": 0}), (("notes=paid", "notes"), {"sample": 0}),
        (("notes=paid", "notes"), {"seed": -1}), (("notes=paid", "notes"), {"ids": "404"}),
        (("notes=paid", "notes"), {"questions": ["bread", " "]}), (("notes=paid", "bare"), {}),
        (("notes=paid", "notes"), {"judged": tmp_path / "judged.csv"}), (("notes=paid", "bare=fake:8"), {}),
        (("notes=paid", "notes"), {"metric": "x"}), (("notes=paid", "notes"), {"where": "n <"}),
    ):  # fmt: skip
        with pytest.raises(Error):
            db.compare(*names, **given)  # type: ignore[arg-type]
        assert paid.asked == [], (names, given)
    found = db.compare("notes", "notes=paid", sample=10)
    assert len(paid.asked) == 300
    assert (found.views[0].embed_ms is None, found.views[1].embed_ms) == (False, None)


def test_pictures_among_texts_are_left_out_for_a_model_of_texts(db: Database) -> None:
    mixed = db.collection("mixed", model="fake:8")
    mixed.add_vectors(
        [str(n) for n in range(12)], np.random.default_rng(0).standard_normal((12, 8)),
        [b"\x89PNG" if n % 2 else f"bread {n}" for n in range(12)],
    )  # fmt: skip
    found = db.compare("mixed", "mixed@4", "mixed=fake:16", k=3)
    assert [view.items for view in found.views] == [12, 12, 6]
    assert found.items == 6
    db.collection("pictures", model=None).add_vectors(["x", "y", "z"], np.eye(3), [b"\x89PNG"] * 3)
    with pytest.raises(DataError, match="stores no texts that fake:8 could embed"):
        db.compare("pictures", "pictures=fake:8")


def test_an_index_for_questions_is_built_where_there_are_any(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosimo.indexes import choose

    built: list[int] = []
    build = choose.build
    monkeypatch.setattr(
        choose, "build", lambda numbers, *more, **given: (built.append(len(numbers)), build(numbers, *more, **given))[1]
    )
    db.compare("notes", "notes@8")
    assert built == [300, 300]
    db.compare("notes", "notes@8", questions=["bread", "oven"])
    assert built == [300] * 6


def test_rows_that_are_all_the_same_are_no_error(db: Database) -> None:
    for name in ("same", "also"):
        db.collection(name, model=None).add_vectors(list("abcd"), np.ones((4, 5)))
    found = db.compare("same", "also")
    assert (found.k, found.pairs[0].overlap, found.pairs[0].cka) == (3, 1, 0)


def test_what_is_shown_is_escaped_and_plain_data_is_json(db: Database) -> None:
    hostile = '<script>alert("x")</script>'
    ids = [f"{hostile}{n}" for n in range(5)]
    for name in ("one", "two"):
        vectors = np.random.default_rng(len(name) + ord(name[0])).standard_normal((5, 4))
        db.collection(name, model=None).add_vectors(ids, vectors, [hostile] * 5)
    found = db.compare("one", "two")
    html = found._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["disagreements"][0]["lists"]["one"][0]["id"].startswith("<script>")
    assert str(found).startswith("5 items that all have")
    assert Found("a", 1.0)._asdict() == {"id": "a", "score": 1.0}


def test_a_picture_is_drawn_and_other_endings_are_told(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = db.compare("notes", "notes@32")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cosimo\[understand\]'"):
        found.plot()
    monkeypatch.undo()
    pytest.importorskip("matplotlib", reason="needs the extra understand")
    found.plot(tmp_path / "agree.png")
    assert (tmp_path / "agree.png").read_bytes().startswith(b"\x89PNG")
    for name in ("agree.docx", "agree"):
        with pytest.raises(DataError, match=r"name one that ends in \.png or \.svg"):
            found.plot(tmp_path / name)
    for path in (tmp_path / "no" / "agree.png", tmp_path / "agree.png" / "agree.png"):
        with pytest.raises(DataError, match="cannot write"):
            found.plot(path)


def test_names_of_any_letters_stand_in_a_picture_and_on_a_terminal_as_they_are(db: Database, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra understand")
    names = ["$x^2$ \\frac", "中文 שלום 🙂", "a" * 300]
    ids = [f"\x1b[31mred\x07{n}\r\nline" for n in range(6)]
    for number, name in enumerate(names):
        db.collection(name, model=None).add_vectors(ids, np.random.default_rng(number).standard_normal((6, 4)), ids)
    found = db.compare(*names, k=2, ids=ids[0])
    for text in (str(found), found._repr_html_()):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\r" not in text
        assert "[31mred" in text
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure = found.plot(tmp_path / "agree.svg")
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == [names[0], names[1], "a" * 39 + "…"]
    assert not any(label.get_parse_math() for label in (*labels, *figure.axes[0].get_xticklabels()))
    assert [str(warning.message) for warning in said if "Glyph" in str(warning.message)] == []
    ElementTree.fromstring((tmp_path / "agree.svg").read_bytes())


def test_the_command_prints_one_object(db: Database, tmp_path: Path) -> None:
    file = str(tmp_path / "notes.db")
    run = CliRunner().invoke(cli, ["compare", "notes", "notes@32", "-n", "5", "-c", "bread", "--sample", "0", "-d", file])
    found = json.loads(run.stdout)
    assert (found["k"], found["sampled"], len(found["questions"])) == (5, 300, 1)
    run = CliRunner().invoke(cli, ["compare", "notes", "notes@32", "--nlist", "4", "-d", file])
    assert (run.exit_code, "--nlist needs --type lists" in run.stderr) == (2, True)
    run = CliRunner().invoke(cli, ["compare", "notes", "notes@32", "--plot", "agree.docx", "-d", file])
    assert (run.stdout, type(run.exception)) == ("", DataError)


def test_the_route_compares_collections_alone(db: Database, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    with running(database=tmp_path / "notes.db") as server:
        found = server.post("/v1/compare", {"names": ["notes", "notes@32"], "k": 3, "sample": 50}).json()
        assert (found["k"], found["sampled"], len(found["pairs"])) == (3, 50, 1)
        for wrong in (
            {"names": ["notes"]}, {"names": "notes"}, {"names": ["notes", "notes@8"], "seed": -1, "sample": 5},
            {"names": [f"notes@{n}" for n in range(1, 64)]}, {"names": ["notes", "notes@8"], "questions": ["bread"] * 1_000},
            {"names": ["notes", "notes@8"], "sample": 0}, {"names": ["notes", "notes@8"], "judged": "x.csv"},
        ):  # fmt: skip
            assert server.post("/v1/compare", wrong).status_code == 400
        db.collection("a=b", model=None).add_vectors(["x", "y", "z"], np.eye(3))
        assert server.post("/v1/compare", {"names": ["a=b@2", "a=b"], "k": 1}).status_code == 200
        refused = server.post("/v1/compare", {"names": ["notes", "notes=openai:text-embedding-3-small"]})
        assert (refused.status_code, "compares collections alone" in refused.text) == (400, True)


def test_the_notebook_runs(minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra understand")
    notebook = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    shared: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], cell["id"], "exec"), shared)
            assert cell["outputs"] == [], "commit it without outputs"
    assert shared["found"].pairs[0].overlap < 0.9
    assert "<table>" in shared["found"]._repr_html_()
    assert shared["pair"].overlap > 0
    shared["db"].close()
