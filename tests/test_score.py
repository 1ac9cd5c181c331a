"""Scales between two sets of examples: held-out accuracy, places of texts, sentences and items, colors, what is kept."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from scale_examples import ABSTRACT, CONCRETE, UNSEEN

import cosimo
from cosimo import Document
from cosimo.collection import scoring
from cosimo.collection.example_files import texts_in
from cosimo.core.errors import BadVector, Corrupt, DataError, ModelMismatch, NotFound, UnreadableSource
from cosimo.core.vectors import normalised
from cosimo.interfaces.cli import cli
from cosimo.sources.sentences import sentences
from cosimo.verbs.score import Axis, learn_scale, plain, positions
from cosimo.verbs.scoring.held_out import share
from cosimo.verbs.scoring.shading import Shaded, hex_of, rgb_of, shaded, terminal_color

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.core.types import Vectors

ENDS = ("concrete", "abstract")


@pytest.fixture
def notes() -> Iterator[Collection]:
    with cosimo.open(":memory:") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(Document(str(n), text, {"n": n}) for n, text in enumerate(["cold ice", "cold snow", "hot fire", "hot sun"]))
        yield notes


def around(centre: list[float], count: int, spread: float, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    return normalised((np.array(centre) + spread * random.standard_normal((count, len(centre)))).astype(np.float32))


# -- the scale itself


def test_forty_examples_separate_twenty_pairs_nobody_has_seen(minilm: Path) -> None:
    scale = scoring.scale(CONCRETE, ABSTRACT, ends=ENDS)
    low, high = (scale.score([pair[at] for pair in UNSEEN]) for at in (0, 1))
    right = sum(a < b for a, b in zip(low, high, strict=True))  # type: ignore[operator]
    print(f"{right} of {len(UNSEEN)} pairs in order, {sum(a < 0 for a in low)} concrete and {sum(b > 0 for b in high)} abstract"  # type: ignore[operator]
          f" ones on their side; {scale.trust}")  # fmt: skip
    assert right >= 0.9 * len(UNSEEN)
    assert scale.trust.right is not None
    assert scale.trust.right.value >= 0.9
    # what held-out examples are placed by: unseen texts lie at the ends too, on average
    assert np.mean(low) == pytest.approx(-1, abs=0.3)  # type: ignore[arg-type]
    assert np.mean(high) == pytest.approx(1, abs=0.3)  # type: ignore[arg-type]


def test_held_out_examples_lie_at_the_ends_on_average_and_are_judged_as_brute_force_judges_them() -> None:
    low, high = around([1, 0, 0, 0, 0, 0], 12, 0.4, 1), around([0, 1, 0, 0, 0, 0], 9, 0.4, 2)
    axis, trust = learn_scale(low, high)

    def place(text: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.mean(axis=0, dtype=float), b.mean(axis=0, dtype=float)
        return float(2 * (text - (a + b) / 2) @ (b - a) / ((b - a) @ (b - a)))

    raw_low = [place(low[n], np.delete(low, n, 0), high) for n in range(12)]
    raw_high = [place(high[n], low, np.delete(high, n, 0)) for n in range(9)]
    middle, half = (np.mean(raw_low) + np.mean(raw_high)) / 2, (np.mean(raw_high) - np.mean(raw_low)) / 2
    everything = np.concatenate([low, high])
    expected = [(place(each, low, high) - middle) / half for each in everything]
    assert positions(axis, everything) == pytest.approx(expected, abs=1e-4)
    hits = 0
    for places, others, sign in ((raw_low, raw_high, 1), (raw_high, raw_low, -1)):
        for n, each in enumerate(places):
            between = (np.mean(np.delete(places, n)) + np.mean(others)) / 2
            hits += bool(sign * (between - each) > 0)
    assert trust.right is not None
    assert (trust.right.hits, trust.right.tested, trust.low_examples, trust.high_examples) == (hits, 21, 12, 9)
    assert trust.spread is not None
    assert 0.05 < trust.spread < 1.5


def test_ends_that_mean_nothing_are_said_to_be_no_better_than_chance() -> None:
    random = np.random.default_rng(5)
    _, trust = learn_scale(*normalised(random.standard_normal((40, 32)).astype(np.float32)).reshape(2, 20, 32))
    assert trust.right is not None
    assert trust.right.low < 0.5
    assert "that may be chance" in str(trust)


def test_intervals_are_wilsons() -> None:
    assert share(10, 10)[:3] == pytest.approx((1.0, 0.7225, 1.0), abs=1e-4)
    assert share(0, 10)[:3] == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert share(81, 263)[:3] == pytest.approx((0.3080, 0.2553, 0.3662), abs=1e-4)  # Newcombe's (1998) example


def test_one_example_an_end_makes_a_scale_that_says_it_cannot_be_tested() -> None:
    axis, trust = learn_scale(np.eye(3, dtype=np.float32)[:1], np.eye(3, dtype=np.float32)[1:2])
    assert positions(axis, np.eye(3, dtype=np.float32)) == pytest.approx([-1, 1, 0], abs=1e-6)
    assert trust.right is None
    assert "too few to say how good the scale is" in str(trust)
    two, told = learn_scale(np.eye(3, dtype=np.float32)[:1], np.eye(3, dtype=np.float32)[1:])
    assert told.right is None
    assert np.isfinite(two.direction).all()


@pytest.mark.parametrize("low", [[], [""], ["  ", "\n"]])
def test_an_end_without_examples_is_refused(low: list[str]) -> None:
    with pytest.raises(DataError, match="the low end has no examples; give at least one text, better twenty"):
        scoring.scale(low, ["hot"], model="fake:16")
    with pytest.raises(DataError, match="the high end has no examples"):
        scoring.scale(["cold"], low, model="fake:16")


def test_examples_of_a_scale_may_be_gone_through_once(notes: Collection) -> None:
    low, high = ["cold ice", "cold snow"], ["hot fire", "hot sun"]
    made = notes.learn_scale(iter(low), iter(high))  # type: ignore[arg-type]
    assert (made.trust.low_examples, made.trust.high_examples, made.trust.left_out) == (2, 2, 0)
    assert scoring.scale(iter(low), iter(high), model="fake:64").trust == made.trust  # type: ignore[arg-type]
    with pytest.raises(DataError, match="must be strings, not None"):
        notes.learn_scale([None, "cold"], high)  # type: ignore[list-item]
    with pytest.raises(DataError, match="must be strings, not None"):
        made.score([None])  # type: ignore[list-item]
    with pytest.raises(DataError, match="a scale has two ends"):
        notes.learn_scale(low, high, ends=("a", "b", "c"))  # type: ignore[arg-type]


def test_ends_that_are_the_same_are_refused() -> None:
    for low, high in ((["a text"], ["a text"]), (["a", "b"], ["b", "a"]), (["a text"], ["a text ", "a text"])):
        with pytest.raises(BadVector, match="the two ends of the scale are the same; give examples that differ"):
            scoring.scale(low, high, model="fake:16")
    with pytest.raises(BadVector, match="the two ends of the scale are the same"):
        learn_scale(np.ones((5, 4), np.float32) / 2, np.ones((7, 4), np.float32) / 2)


def test_examples_without_a_direction_and_repeated_ones_are_left_out_and_counted() -> None:
    low = np.array([[1, 0], [0, 0], [np.nan, 1], [0.8, 0.6]], np.float32)
    axis, trust = learn_scale(low, np.array([[0, 1], [np.inf, 0]], np.float32))
    assert (trust.low_examples, trust.high_examples, trust.left_out) == (2, 1, 3)
    assert plain(positions(axis, np.array([[0, 0], [0, 1]], np.float32))) == [None, pytest.approx(1)]
    with pytest.raises(DataError, match="the low end has no example with a vector"):
        learn_scale(low[1:3], np.array([[0, 1]], np.float32))
    assert scoring.scale(["cold", "cold", "ice"], ["hot"], model="fake:16").trust.left_out == 1


def test_an_empty_text_has_no_place() -> None:
    scale = scoring.scale(["cold"], ["hot"], model="fake:16")
    places = scale.score(["", "hot", " \n"])
    assert places[0] is None
    assert places[2] is None
    assert places[1] == pytest.approx(1, abs=1e-5)
    assert scale.score([]) == []
    assert scale.score("hot") == places[1:2]
    assert scale.sentences("").sentences == ()


def test_a_long_text_is_placed_as_a_collection_would_hold_it(notes: Collection) -> None:
    scale = notes.learn_scale(["cold"], ["hot"])
    text = "\n\n".join(f"A hot paragraph number {n} of fire and sun." for n in range(400))
    notes.add([Document("long", text)])
    by_item = {each.id: each.score for each in notes.score(None)}
    assert scale.score(text) == [pytest.approx(by_item["long"], abs=1e-4)]


# -- items, and what is kept


def test_items_are_sorted_by_their_place_and_filtered(notes: Collection) -> None:
    notes.learn_scale(["cold ice", "cold snow"], ["hot fire", "hot sun"])
    found = notes.score()
    assert {each.id for each in found[:2]} == {"2", "3"}
    assert all(a.score >= b.score for a, b in pairwise(found))
    assert notes.score(lowest=True) == found[::-1]
    assert notes.score(1) == found[:1]
    assert {each.id for each in notes.score(where="n < 2")} == {"0", "1"}
    assert [each.id for each in notes.score(prefix="3")] == ["3"]
    with pytest.raises(DataError, match="at least 1, not 0"):
        notes.score(0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_items_and_those_without_a_direction(count: int) -> None:
    with cosimo.open(":memory:") as db:
        few = db.collection("few", model="fake:16")
        few.add([])
        few.learn_scale(["cold"], ["hot"])
        few.add_vectors(["zero"], np.zeros((1, 16)))
        few.add(Document(str(n), "hot") for n in range(count))
        assert [(each.id, each.score) for each in few.score()] == [(str(n), pytest.approx(1, abs=1e-5)) for n in range(count)]


def test_a_kept_scale_comes_back_and_is_learned_again_only_where_something_differs(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = notes.learn_scale(["cold ice", "snow"], ["hot fire", "sun"], ends=ENDS, name="heat")
    back = notes.scale("heat")
    assert np.array_equal(back.axis.direction, made.axis.direction)
    assert (back.axis.offset, back.trust, back.ends) == (made.axis.offset, made.trust, made.ends)
    assert back.score("hot") == made.score("hot")
    calls = []
    monkeypatch.setattr("cosimo.collection.learning.learned", lambda *a: calls.append(a) or scoring.learned(*a))
    notes.learn_scale(["cold ice", "snow"], ["hot fire", "sun"], ends=ENDS, name="heat")
    assert not calls
    notes.learn_scale(["cold ice", "snow"], ["hot fire", "sun"], ends=ENDS, name="heat", refresh=True)
    notes.learn_scale(["cold ice", "snow"], ["hot fire"], ends=ENDS, name="heat")
    assert len(calls) == 2
    notes.learn_scale(["a"], ["b"], save=False)
    assert [(info.kind, info.name) for info in notes.results()] == [("scale", "heat")]
    with pytest.raises(NotFound, match="keeps no scale 'main', but 'heat'; run: cosimo score learn notes"):
        notes.score()
    notes.forget("scale", "heat")
    with pytest.raises(NotFound, match="keeps no scale 'heat', but none yet; run: cosimo score learn notes --name heat"):
        notes.scale("heat")


def test_in_another_models_space_a_scale_is_refused(notes: Collection) -> None:
    kept = notes.learn_scale(["cold"], ["hot"])
    notes.migrate("fake:32")
    told = r"the scale 'main' of 'notes' was learned from vectors of fake:64 \(64\), and there are now those of fake:32 \(32\)"
    for use in (notes.scale, notes.score):
        with pytest.raises(ModelMismatch, match=f"{told}; learn it anew: cosimo score learn notes"):
            use()
    with pytest.raises(ModelMismatch, match="was learned from vectors of fake:64"):
        notes.score(scale=kept)
    with pytest.raises(ModelMismatch, match="was learned from vectors of fake:64"):
        kept.score("hot")
    notes.learn_scale(["cold"], ["hot"])
    assert notes.score(1)
    with pytest.raises(ModelMismatch, match="was learned from vectors of fake:16"):
        notes.score(scale=scoring.scale(["cold"], ["hot"], model="fake:16"))


def test_vectors_from_elsewhere_have_no_model_to_read_examples() -> None:
    with cosimo.open(":memory:") as db:
        bare = db.collection("bare", model=None)
        bare.add_vectors(["a", "b"], np.eye(2))
        with pytest.raises(ModelMismatch, match="has no model"):
            bare.learn_scale(["cold"], ["hot"])
        with pytest.raises(NotFound, match="no collection 'nots'"):
            db.collection("nots").score()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cosimo_arrays SET data = zeroblob(8), shape = '[2]' WHERE array = 'direction'",
        "DELETE FROM cosimo_arrays WHERE array = 'offset'",
        "UPDATE cosimo_results SET summary = '{}'",
        "UPDATE cosimo_results SET settings = '{}'",
        "UPDATE cosimo_arrays SET dtype = '|O'",
    ],
)
def test_a_kept_scale_that_another_program_spoilt_is_told(notes: Collection, damage: str) -> None:
    notes.learn_scale(["cold"], ["hot"])
    with notes._store.atomic():
        notes._store._file.execute(damage)  # type: ignore[attr-defined]
    with pytest.raises(Corrupt, match=r"anew|run: cosimo score learn notes"):
        notes.score()


def test_a_scale_of_nan_scores_nothing() -> None:
    with pytest.raises(Corrupt, match="the kept scale is damaged; learn it anew"):
        positions(Axis(np.full(4, np.nan, np.float32), 0.0), np.ones((1, 4), np.float32))


def test_on_a_file_that_cannot_be_written_a_scale_is_made_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with cosimo.open(path) as db:
        db.collection("notes", model="fake:16").add([Document("a", "cold"), Document("b", "hot")])
    with cosimo.open(path, read_only=True) as db:
        notes = db.collection("notes")
        scale = notes.learn_scale(["cold"], ["hot"])
        assert [each.id for each in notes.score(scale=scale)] == ["b", "a"]
        assert notes.results() == []


# -- sentences and colors


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Mr. Smith paid 3.50 for tea. He left!  Why?", ["Mr. Smith paid 3.50 for tea.", "He left!", "Why?"]),
        ('"Why?" she asked. It was J. R. Tolkien.', ['"Why?" she asked.', "It was J. R. Tolkien."]),
        ("今天天气很好。我们去公园吧！好吗？", ["今天天气很好。", "我们去公园吧！", "好吗？"]),
        ("他说：“走吧。”然后离开了", ["他说：“走吧。”", "然后离开了"]),
        ("مرحبا بالعالم؟ نعم. هذا جيد", ["مرحبا بالعالم؟", "نعم.", "هذا جيد"]),
        ("यह एक वाक्य है। दूसरा वाक्य।", ["यह एक वाक्य है।", "दूसरा वाक्य।"]),
        ("# Title\nOne. Two\n- item\n- item 2\n\n1. First", ["# Title", "One.", "Two", "- item", "- item 2", "1. First"]),
        ("See fig. 3 and e.g. no. 5. Then v2.1 came.", ["See fig. 3 and e.g. no. 5.", "Then v2.1 came."]),
        ("i like it. it is good, etc. and so on", ["i like it.", "it is good, etc. and so on"]),
        ("I said no. Then I went.", ["I said no.", "Then I went."]),
        ("a line\nthat goes on\n", ["a line\nthat goes on"]),
        ("… ... ?!", ["…", "...", "?!"]),
        ("", []),
        (" \n\t ", []),
        ("🙂 Hi. 👋🏽", ["🙂 Hi.", "👋🏽"]),
    ],
)
def test_sentences_are_cut_where_a_reader_cuts_them(text: str, parts: list[str]) -> None:
    spans = sentences(text)
    assert [text[start:end] for start, end in spans] == parts
    assert "".join(parts).split() == "".join(text[a:b] for a, b in spans).split()
    assert "".join("".join(parts).split()) == "".join(text.split()), "nothing but white space is left out"


def test_a_page_shows_whatever_stands_in_the_text_and_runs_nothing() -> None:
    text = 'A <script>alert(1)</script> & "q". \u202eevil‮ \x1b[31m\x00. 你好。 שלום'
    page = shaded(text, sentences(text), [1.0, -1.0, 0.2, None], ("<b>low</b>", "高"), "as <i>good</i>").html()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in page
    assert "&lt;b&gt;low&lt;/b&gt;" in page
    assert "as &lt;i&gt;good&lt;/i&gt;" in page
    assert not set("\u202e\x1b\x00") & set(page)
    assert "你好。" in page
    assert 'dir="auto"' in page
    assert "default-src 'none'" in page
    assert page.count("<mark ") == 3
    assert not any(word in page for word in ("http://", "https://", "src=", "url("))
    assert f"background: {hex_of(0.5)}" in shaded("a", [(0, 1)], [0.5], ("l", "h"))._repr_html_()


def test_half_a_surrogate_pair_does_not_stop_a_page() -> None:
    assert "�" in Shaded("x \ud800", (), ("low", "high"), title="\udfff").html().encode().decode()


def test_colors_grow_with_the_distance_and_stop_at_the_ends() -> None:
    assert rgb_of(0) == (246, 246, 244)
    assert hex_of(99) == hex_of(1.5) != hex_of(1)
    assert hex_of(-99) == hex_of(-1.5)
    assert [rgb_of(place)[2] for place in (0, 0.5, 1, 1.5)] == sorted((rgb_of(p)[2] for p in (0, 0.5, 1, 1.5)), reverse=True)
    assert all(16 <= (terminal_color(sign * place / 10) or 0) <= 231 for place in range(2, 21) for sign in (-1, 1))
    assert terminal_color(0.1) is None
    assert len({terminal_color(place) for place in (-1.5, -0.7, 0, 0.7, 1.5)}) == 5


def test_text_on_every_color_is_read_easily() -> None:
    def light(color: str) -> float:  # relative luminance, WCAG 2
        parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        dark, bright = sorted((light(one), light(other)))
        return (bright + 0.05) / (dark + 0.05)

    assert min(contrast(hex_of(place / 10), "#14171a") for place in range(-20, 21)) > 4.5
    page = shaded("", [], [], ("low", "high")).html()
    colors = [dict(re.findall(r"--(\w+): (#\w{6})", line)) for line in page.splitlines() if "--ink:" in line]
    assert len(colors) == 2, "light and dark"
    for each in colors:
        assert min(contrast(each["ink"], each[name]) for name in ("paper", "low", "high")) > 4.5


# -- at the doors


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "cold.txt").write_text("cold ice\n\ncold snow\n", encoding="utf-8")
    (tmp_path / "hot.csv").write_text("id,text\n1,hot fire\n2,hot sun\n", encoding="utf-8")
    with cosimo.open(tmp_path / "notes.db") as db:
        db.collection("notes", model="fake:64").add(
            [Document("a", "cold ice. hot sun!"), Document("b", "hot fire"), Document("c", "cold snow")]
        )
    return tmp_path


def run(files: Path, *arguments: str, **options: object) -> tuple[int, list[dict[str, object]], str]:
    ends = ["--low", str(files / "cold.txt"), "--high", str(files / "hot.csv")]
    given = [str(files / each.removeprefix("@")) if each.startswith("@") else each for each in arguments]
    given = [part for each in given for part in (ends if each == "ENDS" else [each])]
    done = CliRunner().invoke(cli, ["score", *given], **options)  # type: ignore[arg-type]
    lines = [json.loads(line) for line in done.stdout.splitlines()] if done.exit_code == 0 else []
    return done.exit_code, lines, done.stderr if done.exception is None or done.exit_code == 2 else str(done.exception)


def test_one_line_scores_a_text_its_sentences_or_many(files: Path) -> None:
    model = ("-m", "fake:64")
    code, (line,), said = run(files, "ENDS", *model, "-c", "hot sun")
    assert (code, line["content"]) == (0, "hot sun")
    assert line["score"] > 0.5  # type: ignore[operator]
    assert "cold … hot: 2 and 2 examples" in said
    code, lines, _ = run(files, "ENDS", *model, "--sentences", input="cold ice. hot sun!")
    assert [each["text"] for each in lines] == ["cold ice.", "hot sun!"]
    assert lines[0]["score"] < 0 < lines[1]["score"]  # type: ignore[operator]
    assert (lines[1]["start"], lines[1]["end"]) == (10, 18)
    code, lines, _ = run(files, "ENDS", *model, "--texts", "@hot.csv")
    assert [(each["id"], each["content"]) for each in lines] == [("1", "hot fire"), ("2", "hot sun")]


def test_a_page_is_written_for_a_file_with_its_name_as_the_title(files: Path) -> None:
    (files / "<x>.txt").write_text("cold ice. <b>hot sun</b>!", encoding="utf-8")
    code, lines, said = run(files, "ENDS", "-m", "fake:64", "-i", "@<x>.txt", "--html", "@out.html")
    assert (code, lines) == (0, [])
    assert "2 sentences" in said
    page = (files / "out.html").read_text(encoding="utf-8")
    assert "<title>&lt;x&gt;.txt</title>" in page
    assert "&lt;b&gt;hot sun&lt;/b&gt;" in page
    code, _, error = run(files, "notes", "-d", "@notes.db", "ENDS", "--id", "a", "--html", "@notes.db")
    assert code == 1
    assert "is a database" in error


def test_a_scale_that_was_learned_sorts_the_items(files: Path) -> None:
    code, (told,), _ = run(files, "learn", "notes", "ENDS", "-d", "@notes.db")
    assert (code, told["low"], told["high"], told["low_examples"]) == (0, "cold", "hot", 2)
    assert set(told["right"]) == {"value", "low", "high", "hits", "tested"}  # type: ignore[call-overload]
    assert [each["id"] for each in run(files, "notes", "-d", "@notes.db")[1]] == ["b", "a", "c"]
    assert [each["id"] for each in run(files, "apply", "notes", "--lowest", "-n", "1", "-d", "@notes.db")[1]] == ["c"]
    assert len(run(files, "notes", "--all", "-n", "1", "-d", "@notes.db")[1]) == 3
    assert len(run(files, "notes", "--id", "a", "--sentences", "-d", "@notes.db")[1]) == 2
    assert run(files, "notes", "-c", "hot fire", "-d", "@notes.db")[1][0]["score"] > 0  # type: ignore[operator]
    code, _, error = run(files, "notes", "--name", "other", "-d", "@notes.db")
    assert (code, "keeps no scale 'other', but 'main'" in error) == (1, True)


def test_on_a_terminal_sentences_are_in_colors_and_nothing_in_them_steers(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.interfaces.cli.output.on_terminal", lambda: True)
    given = ["score", "--low", str(files / "cold.txt"), "--high", str(files / "hot.csv"), "-m", "fake:64", "--sentences"]
    done = CliRunner().invoke(cli, given, input="cold ice snow.\nhot\x1b[2J fire sun! 冷冰。", color=True)
    assert done.exit_code == 0, done.output
    assert re.sub(r"\x1b\[[\d;]*m", "", done.stdout) == "cold ice snow.\nhot�[2J fire sun! 冷冰。\n"
    assert f"48;5;{terminal_color(-1.5)}m" in done.stderr
    assert done.stdout.count("\x1b[38;5;16m") >= 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-c", "x"], "Give --low and --high, or a COLLECTION that keeps a scale."),
        (["--low", "@cold.txt", "-c", "x"], "Give both --low and --high."),
        (["ENDS", "-c", "x", "-i", "@cold.txt"], "Give the text once"),
        (["ENDS", "--id", "x"], "need a COLLECTION"),
        (["notes", "-m", "fake:64"], "--model is for texts without a COLLECTION"),
        (["notes", "--sentences"], "take one text"),
        (["ENDS", "--texts", "@hot.csv", "--html", "@o.html"], "take one text"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_loaded(files: Path, arguments: list[str], told: str) -> None:
    code, _, said = run(files, *arguments)
    assert code == 2
    assert told in said


def test_files_that_hold_no_examples_are_told(files: Path) -> None:
    (files / "empty.txt").write_text("\n \n", encoding="utf-8")
    (files / "other.csv").write_text("id,words\n1,hot\n", encoding="utf-8")
    for low, told in (("empty.txt", "holds no texts"), ("none.txt", "no such file|there is no"), (".", "is a folder")):
        with pytest.raises(UnreadableSource, match=told):
            texts_in(str(files / low))
    assert texts_in(str(files / "other.csv")) == ["hot"], "without a column text, all but the first"


def test_routes_give_what_python_gives(files: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    low, high = ["cold ice", "cold snow"], ["hot fire", "hot sun"]
    with cosimo.open(files / "notes.db") as db:
        notes = db.collection("notes")
        scale = notes.learn_scale(low, high, save=False)
        expected = [each._asdict() for each in notes.score(scale=scale)]
        shown = [each._asdict() for each in scale.sentences("cold ice. hot sun!").sentences]
    with running(database=files / "notes.db") as server:
        at = "/v1/collections/notes"
        assert server.post(f"{at}/score", {}).status_code == 404
        told = server.post(f"{at}/learn_scale", {"low": low, "high": high, "ends": ["cold", "hot"]}).json()
        assert (told["ends"], told["low_examples"]) == (["cold", "hot"], 2)
        assert server.client.get(f"{at}/scale/main").json() == told
        assert server.post(f"{at}/score", {"k": 10}).json() == {"scores": expected}
        assert server.post(f"{at}/score_texts", {"texts": ["", "hot sun"]}).json()["scores"] == scale.score(["", "hot sun"])
        assert server.post(f"{at}/score_sentences", {"text": "cold ice. hot sun!"}).json() == {"sentences": shown}
        refused = server.post(f"{at}/learn_scale", {"low": ["a"], "high": ["a"]})
        assert (refused.status_code, "the same" in refused.json()["error"]["message"]) == (400, True)
        assert server.post(f"{at}/score_texts", {"texts": ["a"] * 1001}).status_code == 400
