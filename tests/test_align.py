"""Align: a map between two spaces is found where there is one, finds partners it has not seen, and serves as a model."""

from __future__ import annotations

import json
import sqlite3
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.collection.aligning import remapped
from cosimo.collection.models import load_embedder
from cosimo.core import registry
from cosimo.core.errors import (
    CollectionError,
    ConfigError,
    Corrupt,
    DataError,
    ModelMismatch,
    ModelNotFound,
    NotFound,
    StoreError,
)
from cosimo.core.types import Embedded, ModelSpec
from cosimo.core.vectors import normalised
from cosimo.embedders.adapted import readable
from cosimo.interfaces.cli import cli
from cosimo.interfaces.sql import register
from cosimo.testing import check_embedder
from cosimo.verbs.align import Report, align

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosimo.collection.database import Database
    from cosimo.core.types import Content, Role, Vector, Vectors

COLORS = {
    "red": (220, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 220), "yellow": (240, 220, 40), "black": (10, 10, 10),
    "purple": (140, 40, 160), "orange": (250, 140, 20), "gray": (128, 128, 128),
}  # fmt: skip
SHAPES, SIZES = ("circle", "square", "triangle"), {"small": 9, "large": 22}
WORDS = (
    "bread",
    "oven",
    "dough",
    "yeast",
    "flour",
    "cat",
    "dog",
    "owl",
    "horse",
    "bird",
    "file",
    "disk",
    "query",
    "index",
    "rain",
)


def random_vectors(seed: int, n: int, dim: int) -> Vectors:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def sentences(n: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return list(dict.fromkeys(" ".join(random.choice(WORDS, 5)) for _ in range(n)))


# -- the verb, on arrays


@pytest.mark.parametrize("method", ["ridge", "orthogonal"])
@pytest.mark.parametrize("dim", [8, 24])
def test_a_rotation_is_found_exactly(method: Any, dim: int) -> None:
    source = normalised(random_vectors(0, 300, 8))
    turned = np.linalg.qr(random_vectors(1, max(8, dim), max(8, dim)))[0][:8, :dim]  # orthonormal rows
    target = source @ turned
    found = align(source, target, method=method)
    assert np.abs(found.map.of(source) - target).max() < 1e-5
    assert found.report.forward.mapped == found.report.backward.mapped == (1.0, 1.0)
    assert (found.report.forward.unmapped is None) == (dim != 8)


def test_any_linear_map_is_found_by_ridge_and_by_no_rotation() -> None:
    source = normalised(random_vectors(0, 500, 12))
    target = normalised(source @ random_vectors(1, 12, 7) + random_vectors(2, 1, 7))
    ridge, rotation = align(source, target), align(source, target, method="orthogonal")
    assert ridge.report.backward.mapped.at_1 > rotation.report.backward.mapped.at_1
    assert ridge.map.matrix.dtype == ridge.map.offset.dtype == np.float32
    assert ridge.map.of(np.zeros((1, 12), np.float32)).tolist() == [[0.0] * 7], "what has no direction gets none"


def test_the_penalty_grows_with_the_noise_and_noise_alone_is_told_by_chance() -> None:
    source = random_vectors(0, 200, 40)
    clean = source @ random_vectors(1, 40, 40)
    noise = random_vectors(2, 200, 40)
    shares = [align(source, clean + level * noise).report.ridge for level in (0.0, 5.0, 50.0)]
    assert None not in shares
    assert sorted(shares) == shares  # type: ignore[type-var]
    assert len(set(shares)) == 3
    nothing = align(source, noise).report
    assert nothing.forward.chance == pytest.approx((1 / 40, 10 / 40))
    assert nothing.forward.mapped.at_10 < 0.5


def test_a_partner_that_many_have_is_no_wrong_answer_to_the_others() -> None:
    kinds = np.arange(400) % 4
    source = normalised(random_vectors(0, 4, 12)[kinds] + 0.2 * random_vectors(1, 400, 12))
    target = normalised(random_vectors(2, 4, 6))[kinds]
    report = align(source, target, method="contrastive").report
    assert (report.forward.candidates, report.backward.questions) == (4, 4)
    assert report.forward.mapped.at_1 == report.backward.mapped.at_1 == 1.0


@pytest.mark.parametrize("method", ["ridge", "orthogonal", "contrastive"])
def test_the_same_seed_gives_the_same_map(method: Any) -> None:
    source, target = random_vectors(0, 60, 6), random_vectors(1, 60, 5)
    first, again = (align(source, target, method=method, seed=3) for _ in range(2))
    assert np.array_equal(first.map.matrix, again.map.matrix)
    assert first.report == again.report
    assert align(source, target, method=method, seed=4).report != first.report
    assert Report.of(json.loads(json.dumps(first.report.to_dict()))) == first.report


def test_a_source_with_several_partners_is_held_out_with_all_of_them_and_one_of_them_is_enough() -> None:
    source = normalised(random_vectors(0, 50, 10))
    told = np.repeat(source, 4, axis=0)
    captions = told @ np.linalg.qr(random_vectors(1, 10, 10))[0] + 0.01 * random_vectors(2, 200, 10)
    report = align(told, captions, holdout=0.2).report
    assert (report.pairs, report.learned, report.held_out) == (200, 40, 10)
    assert (report.forward.questions, report.forward.candidates) == (10, 40)
    assert (report.backward.questions, report.backward.candidates) == (40, 10)
    assert report.forward.chance.at_1 == pytest.approx(4 / 40)
    assert report.forward.mapped.at_1 == 1.0


def test_a_map_that_makes_everything_the_same_finds_nothing() -> None:
    target = random_vectors(1, 40, 5)
    source = np.ones((40, 4), np.float32) + 1e-7 * random_vectors(0, 40, 4)
    assert align(source, target).report.backward.mapped.at_1 <= 0.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "magic"}, "no way to align is called 'magic'"),
        ({"holdout": 0}, "holdout is the share"),
        ({"holdout": 1.0}, "holdout is the share"),
        ({"holdout": float("nan")}, "holdout is the share"),
        ({"holdout": "much"}, "holdout is the share"),
        ({"holdout": True}, "holdout is the share"),
        ({"holdout": 0.99}, "leaves 0 of 12 to learn from"),
        ({"seed": -1}, "the seed is"),
    ],
)
def test_what_cannot_be_asked_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        align(random_vectors(0, 12, 4), random_vectors(1, 12, 4), **change)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="at least 10 pairs with different sources, and there are 9"):
        align(random_vectors(0, 9, 4), random_vectors(1, 9, 4))
    many, one = random_vectors(0, 20, 4), np.ones((20, 4), np.float32)
    for source, target, side in ((one, many, "source"), (many, one, "target")):
        with pytest.raises(DataError, match=f"all vectors of the {side} are the same"):
            align(source, target)


def test_real_texts_are_found_again_across_two_models(data: Path, minilm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (data / "stsb" / "en" / "test.tsv").read_text(encoding="utf-8").splitlines()
    texts = list(dict.fromkeys(text for line in lines for text in line.split("\t")[1:] if len(text) > 15))[:800]
    words = cosimo.embed(texts, model=f"words:{data / 'words' / 'word2vec-8k.bin'}")
    known = words.any(axis=1)
    target = cosimo.embed(texts, model=str(minilm))
    reports = {}
    for method in ("ridge", "orthogonal", "contrastive"):
        report = align(words[known], target[known], method=method).report  # type: ignore[arg-type]
        reports[method] = report
        for name, side in (("words → MiniLM", report.forward), ("MiniLM → words", report.backward)):
            with capsys.disabled():
                print(
                    f"\n{method:11} {name}: recall@1 {side.mapped.at_1:.3f}, recall@10 {side.mapped.at_10:.3f}"
                    f" (chance {side.chance.at_10:.3f}, {side.questions} held-out texts)"
                )
            assert side.unmapped is None
            assert side.chance.at_10 < 0.07
            assert side.mapped.at_10 > 0.95
    assert reports["contrastive"].forward.mapped.at_1 > reports["ridge"].forward.mapped.at_1  # tells partners best
    assert reports["ridge"].backward.mapped.at_1 > reports["orthogonal"].backward.mapped.at_1  # a question for what is mapped


# -- collections


class Drawings:
    """An embedder of pictures alone: how much of 64 colors there is, and where it is not white."""

    def __init__(self, name: str = "") -> None:
        self.spec = ModelSpec(f"drawings:{name}", 208, "drawings-1", modalities=("image",), price=0.0)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        from cosimo.core.pictures import decoded

        pictures = readable(contents, self.spec.name, self.spec.modalities)
        vectors = [self._vector(decoded(each)) for each in pictures if isinstance(each, bytes)]
        return Embedded(normalised(np.reshape(vectors, (-1, 208))), len(contents), [])

    def _vector(self, picture: Any) -> Vector:
        pixels = np.asarray(picture).reshape(-1, 3)
        colors = np.bincount(pixels[(pixels < 250).any(axis=1)] // 64 @ np.array([16, 4, 1]), minlength=64)
        where = 255 - np.asarray(picture.resize((12, 12)), np.float32).min(axis=2).ravel()
        return np.concatenate(normalised(colors[None].astype(np.float32)).tolist() + normalised(where[None]).tolist())

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [0] * len(texts)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _drawings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.EMBEDDERS, "drawings", f"{__name__}:Drawings")


def drawing(color: str, shape: str, size: str, seed: int) -> bytes:
    image = pytest.importorskip("PIL.Image", reason="pictures are drawn with Pillow")
    from PIL import ImageDraw

    canvas, random, half = image.new("RGB", (64, 64), "white"), np.random.default_rng(seed), SIZES[size]
    x, y = random.integers(30, 35, 2).tolist()
    pen, box = ImageDraw.Draw(canvas), (x - half, y - half, x + half, y + half)
    if shape == "triangle":
        pen.polygon([(x, y - half), (x - half, y + half), (x + half, y + half)], fill=COLORS[color])
    else:
        getattr(pen, {"circle": "ellipse", "square": "rectangle"}[shape])(box, fill=COLORS[color])
    stream = BytesIO()
    canvas.save(stream, "PNG")
    return stream.getvalue()


def drawings(copies: int) -> list[tuple[str, str, bytes]]:
    """(id, caption, picture) of every combination."""
    return [
        (f"{color}-{shape}-{size}-{copy}", f"a {size} {color} {shape}", drawing(color, shape, size, copy))
        for color in COLORS for shape in SHAPES for size in SIZES for copy in range(copies)
    ]  # fmt: skip


@pytest.fixture
def db(tmp_path: Path, home: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "a.db") as db:
        yield db


@pytest.fixture
def texts(db: Database) -> Database:
    """The same texts by two models."""
    many = [Document(f"t{n}", text, {"n": n}) for n, text in enumerate(sentences(120))]
    db.collection("old", model="fake:48").add(many)
    db.collection("new", model="fake:32").add(many)
    return db


def test_pictures_of_a_model_that_reads_no_text_answer_texts(db: Database, minilm: Path) -> None:
    unseen = {"a small red circle", "a large blue square", "a small yellow triangle", "a large green circle"}
    known = [row for row in drawings(6) if row[1] not in unseen]
    photos, captions = db.collection("photos", model="drawings:1"), db.collection("captions", model=str(minilm))
    photos.add([Document(id, picture) for id, _, picture in known], store=False)  # nothing is left to embed anew
    captions.add([Document(id, caption) for id, caption, _ in known])
    with pytest.raises(DataError):
        photos.search("a small red circle")
    made = db.align("words", "photos", "captions")
    print(made.report)
    assert made.report.backward.mapped.at_1 > 10 * made.report.backward.chance.at_1
    done = photos.migrate(made.model)
    assert (done.mapped, done.embedded) == (len(known), 0)
    later = [Document(id, picture) for id, caption, picture in drawings(6) if caption in unseen]
    assert photos.add(later).added == 24, "pictures that come later go through their own model and the map"
    right = 0
    for caption in sorted(unseen):
        size, color, shape = caption.split()[1:]
        hits = photos.search(caption, k=6)
        share = np.mean([hit.id.startswith(f"{color}-") for hit in hits])
        right += sum(hit.id.startswith(f"{color}-{shape}-{size}-") for hit in hits)
        print(f"{caption}: {share:.0%} of the color, first {hits[0].id}")
        assert share >= 0.5, caption
    print(f"of combinations never seen, recall@6 {right / 24:.2f} (chance {6 / 288:.2f})")
    assert right / 24 > 0.4
    found = photos.search(drawing("purple", "square", "large", 99), k=3)
    assert all(hit.id.startswith("purple-square-large") for hit in found)


def test_stored_vectors_are_mapped_at_once_and_texts_go_through_the_new_model(texts: Database) -> None:
    made = texts.align("up", "old", "new")
    old = texts.collection("old")
    old.relate(3)
    ids, before = [row.id for row in old.rows()], np.stack([row.vector for row in old.rows()])
    info = old.get("t7")
    done = old.migrate("align:up")
    assert (done.rows, done.mapped, done.embedded, done.listed, done.model) == (len(ids), len(ids), 0, 3, "align:up")
    assert [row.id for row in old.rows()] == ids
    assert np.allclose(np.stack([row.vector for row in old.rows()]), made.joined.map.of(before), atol=1e-6)
    assert old.get("t7") == info
    assert (old.model, old.dim) == ("align:up", 32)
    assert old.search(str(info.content), mode="vector", k=1)[0].id == "t7"
    assert old.search(str(info.content), mode="text", k=1)[0].id == "t7", "words are where they were"
    new = texts.collection("new")
    old.add([Document("later", "a cat and a dog in the rain")])
    assert np.allclose(old.vector("later"), new.embedder.embed(["a cat and a dog in the rain"]).vectors[0], atol=1e-6)
    assert old.migrate("align:up").rows == 0, "a second time there is nothing to do"
    assert old.migrate("fake:16").embedded == len(ids) + 1, "and later all is embedded anew, as ever"


def test_another_process_finds_the_model_in_the_file(texts: Database, tmp_path: Path) -> None:
    texts.align("up", "old", "new")
    texts.collection("old").migrate("align:up")
    with cosimo.open(tmp_path / "a.db", read_only=True) as other:
        assert [each.name for each in other.alignments()] == ["up"]
        assert other.alignments()[0].report.pairs == len(other.collection("old"))
        assert other.collection("old").search("bread oven dough", k=1)
    assert [issue.message for issue in texts.check()] == []


def test_passages_are_mapped_with_their_documents(texts: Database) -> None:
    long = Document("long", "\n\n".join(f"{text} {text}" for text in sentences(150, 9)))
    old = texts.collection("old")
    old.add([long])
    made = texts.align("up", "old", "new")
    was = passages(texts)
    assert len(was) > 1
    old.migrate("align:up")
    assert np.allclose(passages(texts), made.joined.map.of(was), atol=1e-6)
    hit = next(hit for hit in old.search(sentences(150, 9)[70], k=200, mode="vector") if hit.id == "long")
    assert hit.passages[0].text


def passages(db: Database) -> Vectors:
    with sqlite3.connect(db.name) as connection:
        blobs = connection.execute("select embedding from cosimo_vectors order by unit").fetchall()
    return np.stack([np.frombuffer(blob, "<f4") for (blob,) in blobs])


def test_the_old_model_need_not_be_there(texts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Drawings):
        def __init__(self, name: str) -> None:
            raise ModelNotFound(f"no weights of {name}")

    gone = texts.collection("gone", model="drawings:1")
    gone.add([Document("t0", drawing("red", "circle", "small", 0))])
    gone.add_vectors([f"t{n}" for n in range(1, 60)], normalised(random_vectors(0, 59, 208)))
    monkeypatch.setattr(f"{__name__}.Drawings", Gone)
    with cosimo.open(texts.name) as fresh:
        fresh.align("up", "gone", "new")
        photos = fresh.collection("gone")
        assert photos.plan_migration("align:up").to_embed == 0
        assert photos.migrate("align:up").mapped == 60
        assert photos.search("bread", k=1)
        with pytest.raises(DataError, match="align:up reads text"):
            photos.add([Document("new", drawing("red", "circle", "small", 1))])


def test_vectors_from_elsewhere_are_aligned_too(texts: Database) -> None:
    ids = [f"t{n}" for n in range(100)]
    for name in ("theirs", "others"):
        texts.collection(name, model=None).add_vectors(ids, 3 * random_vectors(5, 100, 20))
    texts.align("up", "theirs", "new")
    texts.collection("theirs").migrate("align:up")
    assert texts.collection("theirs").search("cat dog owl", k=1)
    with pytest.raises(DataError, match="no text"):  # nobody knows whether they are of the same space
        texts.collection("others").migrate("align:up")
    with pytest.raises(DataError, match="'others' holds vectors from elsewhere, so no question could be read"):
        texts.align("down", "new", "others")


def test_pairs_may_be_given_as_a_list_or_a_table(texts: Database, tmp_path: Path) -> None:
    pairs = [(f"t{n}", f"t{n}") for n in range(60)]
    table = tmp_path / "pairs.csv"
    table.write_text("target,note,source\n" + "".join(f"{b},x,{a}\n" for a, b in pairs) + "t1,x,nothing\n")
    plain = tmp_path / "plain.tsv"
    plain.write_text("photo\tcaption\n" + "".join(f"{a}\t{b}\n" for a, b in pairs))
    given, read, two = (texts.align("try", "old", "new", pairs=each, save=False) for each in (pairs, table, str(plain)))
    assert np.array_equal(given.joined.map.matrix, read.joined.map.matrix)
    assert np.array_equal(given.joined.map.matrix, two.joined.map.matrix)
    assert (given.report.pairs, given.report.left_out, read.report.left_out) == (60, 0, 1)
    assert texts.alignments() == []
    (tmp_path / "empty.csv").write_text("source,target\n")
    for odd, said in (
        ([("t1", "t2", "t3")], "pairs are"),
        ([("t1", 2)], "both texts"),
        (7, "pairs are"),
        ([], "none of the 0 pairs"),
        ([("x", "y")], "none of the 1 pairs that were given, such as 'x' and 'y'"),
        (tmp_path / "none.csv", "none.csv"),
        (tmp_path / "empty.csv", "empty.csv"),
        (tmp_path / "a.db", "is no table"),
    ):
        with pytest.raises(cosimo.Error, match=said):
            texts.align("try", "old", "new", pairs=odd)  # type: ignore[arg-type]


def test_bad_names_and_collections_are_said(texts: Database) -> None:
    for name in ("", "two words", "a\nb", "x" * 101, "\x1b[31m", None):
        with pytest.raises(DataError, match="an alignment needs a name"):
            texts.align(name, "old", "new")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cannot be aligned with itself"):
        texts.align("up", "old", "old")
    with pytest.raises(NotFound, match="no collection 'nothing'"):
        texts.align("up", "old", "nothing")
    texts.collection("apart", model="fake:16").add([Document("z", "other ids")])
    with pytest.raises(DataError, match="no ids in common"):
        texts.align("up", "old", "apart")
    with pytest.raises(NotFound, match="keeps no alignment 'up', but none yet"):
        texts.collection("old").migrate("align:up")
    odd = texts.align("häß@7:☃", "old", "new")
    assert texts.collection("old").migrate(odd.model).mapped
    assert texts.collection("old").search("bread", k=1)


def test_a_name_that_is_taken_is_replaced_only_when_asked(texts: Database) -> None:
    texts.align("up", "old", "new")
    texts.collection("copy", model="fake:48").add([Document("a", "bread and dough")])
    texts.collection("copy").migrate("align:up")
    for source in ("old", "new"):
        with pytest.raises(DataError, match="there is an alignment 'up', kept with 'old'"):
            texts.align("up", source, "old" if source == "new" else "new")
    with pytest.raises(DataError, match="'copy' was made with the alignment 'up', kept with 'old'"):
        texts.align("up", "new", "old", replace=True)
    with pytest.raises(DataError, match="'copy' was made with align:up, a map already"):
        texts.align("over", "copy", "new")
    texts.drop("copy")
    texts.align("up", "new", "old", replace=True)
    assert [(each.source, each.target) for each in texts.alignments()] == [("new", "old")]


def test_a_name_that_another_program_took_meanwhile_is_not_given_twice(
    texts: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any, **more: Any) -> Any:
        monkeypatch.undo()
        with cosimo.open(texts.name) as other:
            other.align("up", "new", "old")
        return align(*given, **more)

    monkeypatch.setattr("cosimo.collection.aligning.align", slow)
    with pytest.raises(DataError, match="there is an alignment 'up', kept with 'new'"):
        texts.align("up", "old", "new")
    assert [each.source for each in texts.alignments()] == ["new"]


def test_an_alignment_that_goes_while_a_collection_is_about_to_be_mapped_leaves_it_as_it_was(
    texts: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts.align("up", "old", "new")

    def changed(seed: int | None) -> Any:
        def first(db: Any, collection: str, *given: Any, **more: Any) -> Any:
            monkeypatch.undo()
            with cosimo.open(texts.name) as other:
                if seed is None:
                    other.forget_alignment("up")
                else:
                    other.align("up", "old", "new", replace=True, method="orthogonal", seed=seed)
            return remapped(db, collection, *given, **more)

        return first

    for seed, error, said in ((7, StoreError, "replaced the alignment of align:up"), (None, NotFound, "no alignment 'up'")):
        monkeypatch.setattr("cosimo.collection.aligning.remapped", changed(seed))
        with pytest.raises(error, match=said):
            texts.collection("old").migrate("align:up")
        assert texts.collection("old").model == "fake:48"
    assert texts.alignments() == []


def test_what_collections_are_made_with_stays(texts: Database) -> None:
    texts.align("up", "old", "new")
    texts.collection("copy", model="fake:48").add([Document("a", "bread and dough")])
    texts.collection("copy").migrate("align:up")
    old = texts.collection("old")
    for gone in (lambda: texts.drop("old"), lambda: texts.forget_alignment("up"), lambda: old.forget("alignment", "up")):
        with pytest.raises(DataError, match="'copy' was made with the alignment 'up'"):
            gone()
    texts.drop("new")  # the target was needed to learn from, its model alone is needed now
    assert texts.collection("copy").search("bread", k=1, mode="vector")[0].id == "a"
    texts.drop("copy")
    texts.forget_alignment("up")
    with pytest.raises(NotFound, match="keeps no alignment 'up'"):
        texts.forget_alignment("up")


def test_a_model_that_changed_since_is_no_model_of_it(texts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    texts.align("up", "old", "new")
    texts.collection("old").migrate("align:up")
    monkeypatch.setattr("cosimo.embedders.fake.REVISION", "another")
    with (
        cosimo.open(texts.name) as fresh,
        pytest.raises(ModelMismatch, match=r"alignment 'up' was learned from vectors of fake:32 .*cosimo migrate old --model"),
    ):
        fresh.collection("old").search("bread", mode="vector")
    with cosimo.open(texts.name) as fresh:
        fresh.collection("old").migrate("fake:16")
        with pytest.raises(ModelMismatch, match="cosimo align up old new --replace"):  # nothing is made with it any more
            _ = fresh.embedder("align:up").spec


def test_a_server_that_only_a_file_names_is_sent_nothing(texts: Database) -> None:
    texts.align("up", "old", "new")
    texts.collection("old").migrate("align:up")
    with sqlite3.connect(texts.name) as connection:
        connection.execute("update cosimo_results set settings = replace(settings, 'fake:32', 'http://192.0.2.1/v1#m')")
    with cosimo.open(texts.name) as fresh, pytest.raises(ConfigError, match="cosimo models trust http://192"):
        fresh.collection("old").search("a secret", mode="vector")


def test_a_collection_may_be_begun_with_an_alignment(texts: Database) -> None:
    texts.align("up", "old", "new")
    begun = texts.collection("begun", model="align:up")
    begun.add([Document("a", "bread oven"), Document("b", "cat dog")])
    assert texts.collection("begun").search("dog", k=1)[0].id == "b"
    assert begun.migrate("fake:16").embedded == 2


def test_a_migration_half_way_is_not_lost_unasked(texts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    texts.align("up", "old", "new")
    old = texts.collection("old")
    store: Any = texts.store
    store.begin_migration("old", texts.collection("new").info().settings)
    with pytest.raises(CollectionError, match="half way to fake:32"):
        old.migrate("align:up")
    assert old.migrate("align:up", restart=True).mapped
    assert store.migrating("old") is None


def test_a_damaged_vector_or_alignment_is_said_and_nothing_is_changed(texts: Database) -> None:
    texts.align("up", "old", "new")
    with sqlite3.connect(texts.name) as connection:
        connection.execute("update embeddings set embedding = x'00000000' where id = 't3' and collection_id = 1")
    with pytest.raises(DataError, match="run: cosimo check"):
        texts.collection("old").migrate("align:up")
    assert texts.collection("old").model == "fake:48"
    assert len(texts.collection("old").vector("t4")) == 48
    with sqlite3.connect(texts.name) as connection:
        connection.execute("update cosimo_results set summary = '{}' where kind = 'alignment'")
    with pytest.raises(Corrupt, match="'up' is damaged"):
        texts.alignments()
    texts.align("up", "new", "old", replace=True)
    assert texts.alignments()[0].source == "new"


def test_outside_of_a_database_there_is_no_such_model(texts: Database) -> None:
    for ask in (lambda: load_embedder("align:up"), lambda: cosimo.embed("x", model="align:up")):
        with pytest.raises(ModelNotFound, match="'align:up' is kept in a database"):
            ask()
    texts.align("up", "old", "new")
    with pytest.raises(ConfigError, match="precision"):
        texts.embedder("align:up", "int8")


def test_it_keeps_the_rules_of_embedders(texts: Database) -> None:
    texts.align("up", "old", "new")
    embedder = texts.embedder("align:up")
    check_embedder(embedder)
    assert (embedder.spec.name, embedder.spec.dim, embedder.spec.modalities) == ("align:up", 32, ("text",))


def test_pictures_and_texts_come_back_in_the_order_given(texts: Database) -> None:
    photos = texts.collection("photos", model="drawings:1")
    photos.add([Document(f"t{n}", drawing(color, "circle", "small", n)) for n, color in enumerate([*COLORS, *COLORS])])
    texts.align("both", "photos", "new")
    embedder, picture = texts.embedder("align:both"), drawing("red", "square", "large", 1)
    assert embedder.spec.modalities == ("text", "image")
    mixed = embedder.embed(["bread", picture, "cat", picture])
    assert np.allclose(mixed.vectors[[0, 2]], embedder.embed(["bread", "cat"]).vectors)
    assert np.allclose(mixed.vectors[1], embedder.embed([picture]).vectors[0])
    assert np.array_equal(mixed.vectors[1], mixed.vectors[3])
    with pytest.raises(DataError, match="align:both reads text and pictures, and content 1 is a sound"):
        embedder.embed(["bread", b"RIFF0000WAVEfmt "])


def test_texts_that_the_source_alone_reads_are_cut_for_the_source(texts: Database) -> None:
    photos = texts.collection("photos", model="drawings:1")
    photos.add([Document(f"t{n}", drawing(color, "circle", "small", n)) for n, color in enumerate([*COLORS, *COLORS])])
    texts.align("shown", "old", "photos")
    embedder, old = texts.embedder("align:shown"), texts.collection("old")
    assert embedder.spec.max_tokens == old.embedder.spec.max_tokens is not None
    old.migrate("align:shown")
    long = "\n\n".join(sentences(150, 9))
    assert old.add([Document("long", long)]).passages > 1
    assert old.search(drawing("red", "circle", "small", 5), k=1)


def test_a_read_only_file_keeps_nothing_and_says_so(texts: Database) -> None:
    with cosimo.open(texts.name, read_only=True) as closed:
        assert closed.align("up", "old", "new", save=False).report.pairs
        with pytest.raises(StoreError):
            closed.align("up", "old", "new")


def test_named_vectors_are_aligned_with_their_items(texts: Database) -> None:
    """A table of pairs of contents is a collection of the one and its named vectors of the other."""
    shop = texts.collection("shop", model="fake:32")
    shop.named("title", model="fake:48")
    shop.add([Document(f"p{n}", text, named={"title": text}) for n, text in enumerate(sentences(60))])
    texts.align("up", "shop/title", "shop")
    assert texts.collection("old").migrate("align:up").mapped == len(texts.collection("new"))
    texts.collection("shop/title").migrate("align:up")
    shop = texts.collection("shop")
    hits = shop.search_mixed(sentences(60)[7], weights={"": 1, "title": 1}, k=1)
    assert hits[0].id == "p7"
    assert shop.add([Document("later", "a cat", named={"title": "a dog"})]).named == 1
    with pytest.raises(DataError, match="'old' was made with the alignment 'up', kept with 'shop/title'"):
        texts.drop("shop")


# -- other doors


def test_a_server_searches_what_is_mapped_and_serves_the_alignment_that_its_file_keeps(texts: Database) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    texts.align("up", "old", "new")
    texts.collection("old").migrate("align:up")
    asked = "bread oven dough"
    with running(models=("fake:8", "align:up"), database=Path(texts.name)) as server:
        hit = server.post("/v1/collections/old/search", {"query": asked, "k": 1, "mode": "vector"}).json()["hits"][0]
        assert hit["id"] == texts.collection("old").search(asked, k=1, mode="vector")[0].id
        added = server.post("/v1/collections/old/add", {"documents": [{"id": "later", "content": "a cat"}]})
        assert added.json()["added"] == 1
        made = server.embed(asked, model="align:up").json()["data"][0]["embedding"]
        assert np.allclose(made, texts.embedder("align:up").embed([asked]).vectors[0], atol=1e-6)
    with pytest.raises(ModelNotFound, match="'align:up' is kept in a database"), running(models=("align:up",)):
        pass


def test_sql_searches_what_is_mapped_where_both_models_may_be_used(texts: Database) -> None:
    texts.align("up", "old", "new")
    texts.collection("old").migrate("align:up")
    first = texts.collection("old").search("bread oven dough", k=1, mode="vector")[0].id
    with sqlite3.connect(texts.name) as connection:
        for models in (None, ["fake:32"]):
            register(connection, models=models)
            found = connection.execute("SELECT similar('old', 'bread oven dough', 1)").fetchone()[0]
            assert json.loads(found)[0]["id"] == first
        for models, sql, said in (
            (["fake:8"], "similar('old', 'bread')", "fake:32 may not be used here"),
            (None, "embed('align:up', 'bread')", "'align:up' is kept in a database"),
        ):
            register(connection, models=models)
            with pytest.raises(sqlite3.OperationalError, match=said):
                connection.execute(f"SELECT {sql}")


# -- the command line


@pytest.fixture
def run(texts: Database) -> Any:
    """A command on that database: (exit code, stdout, stderr)."""
    path = texts.name
    texts.close()

    def command(*given: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(cli, [*given, "-d", path])
        return done.exit_code, done.stdout, str(done.exception) if isinstance(done.exception, cosimo.Error) else done.stderr

    return command


def test_the_command_learns_lists_migrates_and_forgets(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, said = run("align", "up", "old", "new", "--method", "orthogonal", "--holdout", "0.5", "--seed", "3")
    record = json.loads(out)
    assert (code, record["model"], record["method"], record["held_out"]) == (0, "align:up", "orthogonal", record["pairs"] // 2)
    assert 0 <= record["backward"]["mapped"]["at_1"] <= record["backward"]["mapped"]["at_10"] <= 1
    assert "cosimo migrate old --model align:up" in said
    assert [json.loads(line)["source"] for line in run("align", "list")[1].splitlines()] == ["old"]
    assert json.loads(run("migrate", "old", "--model", "align:up", "--dry-run")[1])["to_embed"] == 0
    code, _, said = run("migrate", "old", "--model", "align:up")
    assert code == 0
    assert "vectors mapped, nothing embedded" in said
    assert run("search", "old", "bread and dough", "-n", "1")[0] == 0
    assert len(json.loads(run("embed", "-m", "align:up", "-c", "bread")[1])) == 32
    monkeypatch.setenv("COSIMO_MODEL", "align:up")
    assert len(json.loads(run("embed", "-c", "bread")[1])) == 32
    assert run("align", "forget", "up")[0] == 1
    assert run("migrate", "old", "--model", "fake:16")[0] == 0
    assert run("align", "forget", "up") == (0, "", "")
    assert run("align", "list")[1] == ""


def test_the_command_says_what_is_wrong(run: Any, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a,b\nt1,t2\n")
    assert run("align", "up", "old", "new", "--no-save")[0] == 0
    for given, text in (
        (["up", "old", "old"], "cannot be aligned with itself"),
        (["up", "old", "new", "--holdout", "2"], "holdout is the share"),
        (["up", "old", "new", "--pairs", str(tmp_path / "p.csv")], "at least 10 pairs"),
        (["up", "old", "new", "--pairs", str(tmp_path / "no.csv")], "no.csv"),
        (["forget", "up"], "keeps no alignment 'up'"),
    ):
        code, out, said = run("align", *given)
        assert (code, out) == (1, ""), given
        assert text in said
    assert "is kept in a database" in str(CliRunner().invoke(cli, ["embed", "-m", "align:up", "-c", "x"]).exception)
