"""Maps: coordinates that are true and stay where they are, new items beside what they are like, pictures of anybody's texts."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sqlite3
import sys
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.core.errors import DataError, MissingExtra, NotFound
from cosimo.core.results import Member, Result
from cosimo.core.vectors import pack
from cosimo.interfaces.cli import cli
from cosimo.verbs.maps import projections, scene
from cosimo.verbs.maps.faithfulness import SAMPLE, faithfulness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database

HOSTILE = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a\u2028b\u2029c", "<!--<script>", "]]>", "_hidden",
    "{{data}} {{script}}", "\"'&<>`${alert(3)}", "\ud800 half", "\x00\x1b[31mred", "مرحبا بالعالم", "שלום עולם", "数据库与搜索",
    "👩‍👩‍👧 family", "$x_2^{",
]  # fmt: skip


def grouped(count: int, dim: int = 32, groups: int = 4, seed: int = 0) -> np.ndarray:
    """(count, dim) unit vectors in groups: item i is of group i % groups."""
    random = np.random.default_rng(seed)
    middles = np.random.default_rng(99).standard_normal((groups, dim))
    vectors = middles[np.arange(count) % groups] + 0.35 * random.standard_normal((count, dim))
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "things.db") as db:
        yield db


@pytest.fixture
def things(db: Database) -> Collection:
    """Sixty of them in four groups."""
    collection = db.collection("things", model=None, dim=32)
    collection.add_vectors(
        [f"group{at % 4}/{at:02}" for at in range(60)], grouped(60), [f"# Thing {at}\nof group {at % 4}" for at in range(60)],
        [{"group": at % 4, "size": at * 1.5, "url": f"https://example.com/{at}"} for at in range(60)],
    )  # fmt: skip
    return collection


def places(made: Any) -> dict[str, list[float]]:
    return dict(zip(made.ids, made.points.tolist(), strict=True))


# -- coordinates


def test_a_pca_is_that_of_a_singular_value_decomposition() -> None:
    vectors = grouped(200)
    axes = projections.principal(vectors, 3)
    middle = vectors - vectors.mean(axis=0)
    left, values, _ = np.linalg.svd(middle.astype(np.float64), full_matrices=False)
    assert np.allclose(np.abs(projections.projected(vectors, axes)), np.abs(left[:, :3] * values[:3]), atol=1e-5)
    assert axes.share == pytest.approx((values[:3] ** 2).sum() / (values**2).sum(), abs=1e-6)


def test_axes_of_long_vectors_are_found_by_iteration_as_by_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = grouped(300, dim=120, groups=8)
    exact = projections.principal(vectors, 3).axes
    monkeypatch.setattr(projections, "FULL", 10)
    assert np.allclose(projections.principal(vectors, 3).axes, exact, atol=1e-6)


def test_the_highest_of_each_row_are_found_whatever_their_number() -> None:
    random = np.random.default_rng(3)
    for columns in (5, 1000, 9000):
        scores = random.standard_normal((7, columns)).astype(np.float32)
        assert np.array_equal(projections.highest(scores, 4), np.argsort(-scores, axis=1)[:, :4])
    assert np.array_equal(projections.highest(np.zeros((2, 9000), np.float32), 3), [[0, 1, 2], [0, 1, 2]])


def test_trustworthiness_is_that_of_scikit_learn() -> None:
    manifold = pytest.importorskip("sklearn.manifold", reason="scikit-learn is in the extra `understand`")
    vectors = grouped(400)
    for points in (projections.projected(vectors, projections.principal(vectors, 2)), grouped(400, dim=2, seed=5)):
        found = faithfulness(vectors, points)
        assert found.trustworthiness == pytest.approx(manifold.trustworthiness(vectors, points, n_neighbors=10), abs=1e-4)
        assert found.looked_at == 400


def test_of_many_items_a_sample_says_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = grouped(3_000)
    points = projections.projected(vectors, projections.principal(vectors, 2))
    everything = faithfulness(vectors, points)
    monkeypatch.setattr("cosimo.verbs.maps.faithfulness.EVERY", 1_000)
    some = faithfulness(vectors, points)
    assert (everything.looked_at, some.looked_at) == (3_000, SAMPLE)
    assert some.trustworthiness == pytest.approx(everything.trustworthiness, abs=0.01)
    assert some.kept == pytest.approx(everything.kept, abs=0.02)


def test_a_perfect_map_is_trusted_and_a_random_one_is_not() -> None:
    flat = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)
    perfect = faithfulness(flat, 7 * flat)
    assert (perfect.trustworthiness, perfect.kept) == (1, 1)
    assert faithfulness(flat, np.random.default_rng(1).standard_normal((300, 2)).astype(np.float32)).trustworthiness < 0.6


@pytest.mark.parametrize(("method", "package"), [("umap", "umap"), ("tsne", "sklearn")])
@pytest.mark.parametrize("dim", [2, 3])
def test_a_seed_gives_the_same_picture_again_and_groups_stay_together(
    things: Collection, method: str, package: str, dim: int
) -> None:
    pytest.importorskip(package, reason="is in the extra `understand`")
    first = things.map(method, dim=dim, seed=7, save=False)
    assert np.array_equal(first.points, things.map(method, dim=dim, seed=7, save=False).points)
    assert first.points.shape == (60, dim)
    assert first.trustworthiness > 0.85
    assert (first.method, first.saved, first.outcome) == (method, False, "made")


def test_new_items_are_placed_where_those_lie_that_they_are_like() -> None:
    points, vectors = grouped(80, dim=2, groups=2) * 10, grouped(80, groups=2)
    placed = projections.among(grouped(20, groups=2, seed=8), vectors, points)
    away = np.linalg.norm(placed[:, None] - points[None], axis=2)
    assert (np.argmin(away, axis=1) % 2 == np.arange(20) % 2).all()
    assert np.allclose(projections.among(vectors[:5], vectors, points), points[:5], atol=0.02)


# -- a map that is kept


def test_a_kept_map_is_given_back_and_new_items_move_nothing(things: Collection) -> None:
    first = things.map("pca")
    assert (first.outcome, first.saved, int(first.placed.sum())) == ("made", True, 0)
    assert things.map().outcome == "kept"
    things.add_vectors(["new/1", "new/2"], grouped(62)[60:])
    things.delete("group0/00")
    later = things.map()
    before, after = places(first), places(later)
    assert later.outcome == "placed"
    assert [id for id, placed in zip(later.ids, later.placed, strict=True) if placed] == ["new/1", "new/2"]
    assert all(after[id] == before[id] for id in after.keys() & before.keys())
    assert "group0/00" not in after
    assert things.map().outcome == "kept"
    assert {position.id for position in things._store.positions("things", "main")} == set(after)  # type: ignore[attr-defined]


def test_what_a_pca_places_lies_exactly_where_its_axes_say(things: Collection) -> None:
    first = things.map("pca")
    new = grouped(70)[60:]
    things.add_vectors([f"new/{at}" for at in range(10)], new)
    axes = projections.principal(grouped(60), 2)
    later = places(things.map())
    assert np.allclose([later[f"new/{at}"] for at in range(10)], projections.projected(new, axes), atol=1e-4)
    assert len(first) == 60


def test_an_item_that_changed_is_placed_anew(things: Collection) -> None:
    first = places(things.map("pca"))
    things.add_vectors(["group0/04"], grouped(2)[1:])  # now of group 1
    later = things.map()
    assert places(later)["group0/04"] != first["group0/04"]
    assert later.placed.sum() == 1
    assert not things.map(refresh=True).placed.any()


def test_a_map_stays_where_the_log_of_changes_ended(things: Collection, db: Database) -> None:
    first = places(things.map("pca"))
    other = db.collection("other", model=None, dim=2)
    other.add_vectors(["a"], [[1, 2]])
    db.drop("other")
    things.add_vectors(["new"], grouped(61)[60:])
    later = things.map()
    assert later.placed.sum() == 1
    assert all(places(later)[id] == place for id, place in first.items())


def test_a_map_of_a_few_is_made_anew_once_most_items_are_new(things: Collection) -> None:
    things.map("pca")
    things.add_vectors([f"new/{at}" for at in range(100)], grouped(160)[60:])
    assert things.map().outcome == "made"


def test_what_is_left_out_is_as_it_was_kept_and_other_wishes_make_it_anew(things: Collection) -> None:
    things.map("pca", dim=3, seed=4)
    again = things.map()
    assert (again.dim, again.method, again.outcome) == (3, "pca", "kept")
    assert things.map(dim=2).outcome == "made"
    assert len(things.map(where="group = 1")) == 15
    assert len(things.map(prefix="group2/", name="second")) == 15
    assert {info.name for info in things.results()} == {"main", "second"}
    assert len(things.map(where="group = 1")) == 15


def test_another_model_makes_another_map(db: Database) -> None:
    notes = db.collection("notes", model="fake:16")
    notes.add(Document(f"n{at}", f"text {at}") for at in range(20))
    notes.map("pca")
    notes.migrate("fake:32")
    assert notes.map("pca").outcome == "made"


def test_a_damaged_map_is_made_anew(things: Collection, tmp_path: Path) -> None:
    damages = [
        "DELETE FROM cosimo_map WHERE id = 'group0/00'", "UPDATE cosimo_map SET x = 'nonsense'", "DELETE FROM cosimo_arrays",
        "UPDATE cosimo_arrays SET dtype = '|O'", "UPDATE cosimo_results SET settings = '{}'",
        "UPDATE cosimo_results SET settings = '[1]'", "UPDATE cosimo_results SET settings = '{'",
        "UPDATE cosimo_results SET summary = 'null'", "UPDATE cosimo_results SET summary = '{\"kept\": \"most\"}'",
        "UPDATE cosimo_arrays SET dtype = '<U1' WHERE array = 'marks'",
    ]  # fmt: skip
    for damage in damages:
        things.map("pca")
        with sqlite3.connect(tmp_path / "things.db") as other:
            other.execute(damage)
        other.close()
        made = things.map("pca")
        assert (made.outcome, len(made)) == ("made", 60), damage


@pytest.mark.parametrize("damage", ["shape = '[2, 32]'", "data = zeroblob(40), shape = '[5]'", "dtype = '<i8'"])
def test_where_the_axes_of_a_kept_pca_are_damaged_new_items_lie_beside_their_like(
    things: Collection, tmp_path: Path, damage: str
) -> None:
    before = places(things.map("pca"))
    with sqlite3.connect(tmp_path / "things.db") as other:
        other.execute(f"UPDATE cosimo_arrays SET {damage} WHERE array = 'axes'")
    other.close()
    things.add_vectors(["copy"], grouped(60)[:1])
    made = things.map()
    assert (made.outcome, int(made.placed.sum())) == ("placed", 1)
    assert places(made)["copy"] == pytest.approx(before["group0/00"], abs=1e-2)


def test_a_kept_map_is_given_without_making_one(things: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="keeps no map 'main'"):
        things.kept_map()
    made = things.map("pca", where="group < 2", prefix="group", seed=3)
    kept = things.kept_map()
    assert (kept.ids, kept.outcome, kept.settings) == (made.ids, "kept", made.settings)
    things.add_vectors(["group1/new"], grouped(62)[61:], metadata=[{"group": 1}])
    assert (things.kept_map().outcome, things.kept_map().saved) == ("placed", False)
    monkeypatch.setattr("cosimo.verbs.atlas._made", lambda *given: pytest.fail("a map is made"))
    things.add_vectors([f"group0/new{at}" for at in range(40)], grouped(40, seed=1), metadata=[{"group": 0}] * 40)
    with pytest.raises(NotFound, match="keeps no map 'main' that holds for what is there now; make one: cosimo map things"):
        things.kept_map()


def test_a_file_that_cannot_be_written_gives_its_map_all_the_same(things: Collection, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "things.db", read_only=True) as reader:
        made = reader.collection("things").map("pca")
        assert (made.saved, made.outcome, len(made)) == (False, "made", 60)
    things.map("pca")
    things.add_vectors(["new"], grouped(61)[60:])
    with cosimo.open(tmp_path / "things.db", read_only=True) as reader:
        made = reader.collection("things").map()
        assert (made.saved, made.outcome, made.placed.sum()) == (False, "placed", 1)


# -- bad input


def test_none_one_and_two_items(db: Database) -> None:
    few = db.collection("few", model=None, dim=3)
    few.add_vectors(["zero"], [[0, 0, 0]])
    with pytest.raises(DataError, match="a map needs at least 1 item"):
        few.map()
    few.add_vectors(["one"], [[1, 2, 3]])
    one = few.map(refresh=True)
    assert (one.points.tolist(), one.unusable, one.trustworthiness) == ([[0, 0]], 1, None)
    few.add_vectors(["two"], [[3, 2, 1]])
    two = few.map(refresh=True, dim=3)
    assert (two.method, two.share) == ("pca", pytest.approx(1))
    assert two.points[:, 1:].tolist() == [[0, 0], [0, 0]]
    assert abs(two.points[0, 0]) > 0.1


@pytest.mark.parametrize("method", ["auto", "pca", "umap", "tsne"])
def test_items_that_are_all_the_same_lie_in_one_place(db: Database, method: str) -> None:
    same = db.collection("same", model=None, dim=8)
    same.add_vectors([str(at) for at in range(30)], np.tile(np.arange(1, 9), (30, 1)))
    made = same.map(method)
    assert np.ptp(made.points) < 1e-6
    assert made.method == "pca"
    assert bool(made.why) == (method != "pca")


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_many_copies_among_others_break_no_layout(db: Database, method: str) -> None:
    pytest.importorskip("umap" if method == "umap" else "sklearn", reason="is in the extra `understand`")
    vectors = np.concatenate([np.tile(grouped(1), (40, 1)), grouped(20)])
    copies = db.collection("copies", model=None, dim=32)
    copies.add_vectors([f"{at:02}" for at in range(60)], vectors)
    assert np.isfinite(copies.map(method).points).all()


def test_vectors_of_zeros_and_nan_from_another_program_are_left_out(things: Collection, tmp_path: Path) -> None:
    broken = [np.zeros(32), np.full(32, np.nan), np.full(32, np.inf), np.ones(31)]
    with sqlite3.connect(tmp_path / "things.db") as other:
        for at, vector in enumerate(broken):
            other.execute(
                "UPDATE embeddings SET embedding = ? WHERE id = ?", (pack(vector.astype(np.float32)), f"group{at}/{at:02}")
            )
    other.close()
    made = things.map("pca")
    assert (len(made), made.unusable) == (56, 4)
    assert np.isfinite(made.points).all()


@pytest.mark.parametrize(("given", "said"), [
    ({"method": "magic"}, "no method is called 'magic'; known: auto, pca, umap, tsne"), ({"dim": 4}, "from 2 to 3, not 4"),
    ({"dim": 2.0}, r"dimensions of a map are a whole number from 2 to 3, not 2\.0"), ({"neighbours": 1}, "from 2 to"),
    ({"seed": -1}, "the seed is a whole number from 0"), ({"seed": "x"}, "the seed is"),
    ({"neighbours": 3.5}, "neighbours is a whole number"),
])  # fmt: skip
def test_wishes_that_cannot_be_met_are_told(things: Collection, given: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        things.map(**given)


def test_without_its_package_umap_is_a_pca_unless_asked_for_by_name(
    things: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    made = things.map()
    assert made.method == "pca"
    assert "pip install 'cosimo[understand]'" in made.why
    for method in ("umap", "tsne"):
        with pytest.raises(MissingExtra, match=r"cosimo\[understand\]"):
            things.map(method)


def test_pictures_without_matplotlib_name_the_extra(
    things: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"cosimo\[understand\]"):
        things.export_map(things.map("pca"), tmp_path / "map.png")
    assert not list(tmp_path.glob("*map.png*"))


# -- what a picture shows


def shown(collection: Collection, **given: Any) -> scene.Scene:
    made = collection.map("pca")
    return scene.scene(collection._store, made, kept=collection._store, **given)  # type: ignore[arg-type]


def test_titles_links_and_fields_are_those_of_the_items(things: Collection) -> None:
    found = shown(things)
    assert found.titles[:2] == ["Thing 0", "Thing 4"]
    assert found.links[1] == "https://example.com/4"
    assert {(field.name, field.kind) for field in found.fields} == {
        ("folder", "category"), ("group", "category"), ("size", "number"), ("url", "text"),
    }  # fmt: skip
    assert found.color == "folder"
    assert found.field is not None
    assert found.field.counts == [15] * 4
    group = np.array([int(id[5]) for id in found.map.ids])
    for code, place in enumerate(found.field.places):
        middle = found.map.points[group == int(found.field.values[code][5])].mean(axis=0)
        assert np.linalg.norm(place - middle) < 0.3
    assert shown(things, title="size").titles[0] == "0.0"


@pytest.mark.parametrize("address", [
    "javascript:alert(1)", "data:text/html,x", "//example.com", "file:///etc/passwd", "http://", "https://ex ample.com", "http://[",
    " https://example.com", "https://example.com/\n", "vbscript:x", "/a/path",
])  # fmt: skip
def test_an_address_that_is_no_web_page_is_no_link(address: str) -> None:
    assert not scene.safe(address)
    assert scene.safe("https://example.com/ü?q=1#x")


def test_a_field_may_have_one_value_ten_thousand_numbers_or_none(db: Database) -> None:
    count = 10_000
    many = db.collection("many", model=None, dim=4)
    data: list[dict[str, Any]] = [
        {"one": "x", "each": f"value {at}", "number": at / 7, "odd": [[], {}, None, True, 10**400, {"a": 1}][at % 6]}
        for at in range(count)
    ]
    data[5] |= {"number": float("inf"), "rare": ["first", "second"]}
    many.add_vectors([str(at) for at in range(count)], grouped(count, dim=4), metadata=data)
    found = {field.name: field for field in shown(many).fields}
    assert (found["one"].values, found["one"].counts) == (["x"], [count])
    assert (found["each"].kind, len(found["each"].values)) == ("text", count)
    assert found["number"].kind == "number"
    assert np.isnan(found["number"].numbers).sum() == 1
    assert (found["rare"].values, int((found["rare"].codes >= 0).sum())) == (["first"], 1)
    assert found["odd"].values[1:] == ["yes", '{"a": 1}'] or set(found["odd"].values) >= {"yes", '{"a": 1}'}
    forced = shown(many, color="each").field
    assert forced is not None
    assert (forced.name, forced.kind, len(forced.places)) == ("each", "category", scene.SHOWN)
    with pytest.raises(NotFound, match="no item has the field 'nothing'; there are: each, number, odd, one, rare"):
        shown(many, color="nothing")


def test_fields_of_any_name_are_found_and_none_is_taken_for_clusters(db: Database) -> None:
    named = db.collection("named", model=None, dim=4)
    data = [{"cluster": at / 2, "\x1bkind": f"k{at % 3}", "author": f"somebody {at}"} for at in range(60)]
    named.add_vectors([f"{'ab'[at % 2]}/{at:02}" for at in range(60)], grouped(60, dim=4), metadata=data)
    for color, name, kind in [
        ("cluster", "cluster (metadata)", "number"), ("\x1bkind", "kind", "category"), ("author", "author", "category"),
        (None, "folder", "category"),
    ]:  # fmt: skip
        found = shown(named, color=color)
        assert found.field is not None
        assert (found.color, found.field.name, found.field.kind) == (name, name, kind)
        assert len({field.name for field in found.fields}) == len(found.fields) == 4
    file = io.BytesIO()
    named.export_map(named.map("pca"), file, format="ndjson", color="cluster")
    assert "cluster" not in json.loads(file.getvalue().splitlines()[0]), "no clusters are kept"


def test_kept_clusters_give_their_names_and_noise_has_none(things: Collection) -> None:
    store: Any = things._store
    listed = [{"id": 0, "name": "first <b>", "size": 30}, {"id": 1, "name": "second", "size": 15}]
    members = [Member(id, 0, int(id[5]) // 2 if id[5] != "3" else -1, 0.5) for id in things.map("pca").ids]
    store.keep("things", Result("clusters", "main", 1, {}, {"clusters": listed}), members)
    found = shown(things)
    assert found.color == "cluster"
    assert found.field is not None
    assert (found.field.values, found.field.counts, int((found.field.codes < 0).sum())) == (
        ["first <b>", "second"],
        [30, 15],
        15,
    )
    with pytest.raises(NotFound, match="keeps no clusters 'others'"):
        shown(things, clusters="others")


# -- files


@pytest.fixture
def hostile(db: Database) -> Collection:
    """Items whose ids, texts, metadata and names of fields are somebody's attack."""
    collection = db.collection("</title><script>alert(0)</script>", model=None, dim=8)
    ids = [f"{at}/{text}".replace("\ud800", "").replace("\x00", "") for at, text in enumerate(HOSTILE)]
    collection.add_vectors(
        ids, grouped(len(ids), dim=8), HOSTILE,
        [{"url": f"javascript:alert('{text}')", "label": text, text: text} for text in HOSTILE],
    )  # fmt: skip
    return collection


def test_a_page_holds_anybodys_text_and_runs_none_of_it(hostile: Collection) -> None:
    target = io.BytesIO()
    assert hostile.export_map(hostile.map("pca"), target, format="html", color="label") == len(HOSTILE)
    page = target.getvalue().decode()
    blocks = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [attributes for attributes, _ in blocks] == [' type="application/json" id="data"', ""]
    assert page.lower().count("<script") == 2
    data = json.loads(blocks[0][1])
    assert not set("<>&\u2028\u2029") & set(blocks[0][1])
    assert any("onerror" in title for title in data["texts"])
    assert set(data["links"]) == {""}
    digest = base64.b64encode(hashlib.sha256(blocks[1][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "innerHTML" not in re.sub(r"//.*", "", blocks[1][1])
    assert "<title>&lt;/title&gt;" in page
    assert not re.search(r"(src|href)=[\"']?https?:", page)


def test_a_page_is_the_same_for_the_same_map_and_shortens_what_is_too_long(
    things: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosimo.verbs.maps.map_page.LONGEST", 9)
    for name in ("a.html", "b.html"):
        things.export_map(things.map("pca"), tmp_path / name)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "b.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert (data["texts"][0], data["cut"][0]) == ("# Thing 0", 1)
    points = np.frombuffer(base64.b64decode(data["points"]), "<f4").reshape(-1, 2)
    assert np.array_equal(points, things.map().points)


def test_rows_for_other_viewers_come_back_as_they_were(things: Collection, tmp_path: Path) -> None:
    made = things.map("pca", dim=3)
    for name in ("map.csv", "map.ndjson"):
        assert things.export_map(made, tmp_path / name) == 60
    with (tmp_path / "map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "map.ndjson").read_text(encoding="utf-8").splitlines()]
    assert list(rows[0]) == list(lines[0]) == ["id", "x", "y", "z", "placed", "title", "content", "metadata"]
    assert [float(row["z"]) for row in rows] == [line["z"] for line in lines] == made.points[:, 2].tolist()
    assert rows[3]["content"] == lines[3]["content"] == "# Thing 12\nof group 0"
    parquet = pytest.importorskip("pyarrow.parquet", reason="is in the extra `parquet`")
    things.export_map(made, tmp_path / "map.parquet")
    table = parquet.read_table(tmp_path / "map.parquet").to_pylist()
    assert [(row["id"], row["x"], row["title"]) for row in table] == [(line["id"], line["x"], line["title"]) for line in lines]


def test_a_map_takes_the_place_of_no_database_and_of_no_unknown_kind_of_file(things: Collection, tmp_path: Path) -> None:
    made = things.map("pca")
    with pytest.raises(DataError, match="may end in"):
        things.export_map(made, tmp_path / "map.docx")
    (tmp_path / "map.html").write_bytes((tmp_path / "things.db").read_bytes())
    with pytest.raises(DataError, match="is a database"):
        things.export_map(made, tmp_path / "map.html")
    with pytest.raises(DataError, match="cannot be written as 'docx'"):
        things.export_map(made, io.BytesIO(), format="docx")


def test_pictures_show_any_label_and_one_warning_names_letters_that_no_font_has(hostile: Collection) -> None:
    pytest.importorskip("matplotlib", reason="is in the extra `understand`")
    made = hostile.map("pca")
    drawn = []
    for format, begin in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        target = io.BytesIO()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            hostile.export_map(made, target, format=format, color="label")
        assert target.getvalue().startswith(begin)
        assert [str(warning.message) for warning in said if "Glyph" in str(warning.message)] == []
        told = [str(warning.message) for warning in said if warning.category.__name__ == "GlyphWarning"]
        assert len(told) <= 1
        drawn.append(target.getvalue())
    assert drawn[0] == drawn[2]
    assert b"<script" not in drawn[1]
    assert b"<img" not in drawn[1]
    ElementTree.fromstring(drawn[1])


def test_letters_of_a_font_that_is_not_there_are_told() -> None:
    pytest.importorskip("matplotlib", reason="is in the extra `understand`")
    from cosimo.verbs.lettering import fonts_for

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fonts = fonts_for(["plain", "𓀀"])  # a font with hieroglyphs is found where there is one
    assert fonts[0] == "DejaVu Sans"
    assert [str(warning.message) for warning in said if "in the picture" in str(warning.message)] or len(fonts) > 1


@pytest.mark.parametrize("color", ["group", "size", "placed", "url", None])
@pytest.mark.parametrize("dim", [2, 3])
def test_pictures_are_drawn_in_the_colors_of_any_kind_of_field(things: Collection, color: str | None, dim: int) -> None:
    image = pytest.importorskip("matplotlib.image", reason="is in the extra `understand`")
    things.map("pca", dim=dim)
    things.add_vectors(["new"], grouped(61)[60:])
    target = io.BytesIO()
    things.export_map(things.map(), target, format="png", color=color, dark=dim == 3)
    target.seek(0)
    pixels = image.imread(target)[..., :3]
    ground = pixels[5, pixels.shape[1] // 2]
    assert (np.abs(pixels - ground).sum(axis=2) > 0.2).mean() > 0.002


# -- the command line


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def test_the_command_keeps_a_map_and_says_so_in_a_line(things: Collection, tmp_path: Path) -> None:
    database, page = str(tmp_path / "things.db"), str(tmp_path / "map.html")
    made = json.loads(run("map", "things", "--method", "pca", "-d", database, "--html", page).output)
    assert (made["items"], made["method"], made["outcome"], made["saved"], made["files"]) == (60, "pca", "made", True, [page])
    assert json.loads(run("map", "things", "-d", database).output)["outcome"] == "kept"
    assert json.loads(run("map", "things", "-d", database, "--fresh", "--no-save").output)["saved"] is False
    assert (tmp_path / "map.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    rows = [json.loads(line) for line in run("map", "things", "-d", database, "--to", "-").stdout.splitlines()]
    assert len(rows) == 60


def test_wrong_names_of_files_are_told_before_any_work(things: Collection, tmp_path: Path) -> None:
    wrong = [("--html", "map.png"), ("--plot", "map.html"), ("--to", "map.svg"), ("--html", ""), ("--name", " ")]
    for option, name in (*wrong, ("--html", str(tmp_path / "gone" / "map.html")), ("--color", "colour of hair")):
        result = CliRunner().invoke(cli, ["map", "things", "-d", str(tmp_path / "things.db"), option, name])
        assert result.exit_code != 0
    assert things.results() == []


# -- over HTTP


def test_a_color_may_be_any_field_that_items_have(things: Collection, tmp_path: Path) -> None:
    for field in (*things.fields(), "folder", "placed"):
        result = run("map", "things", "--method", "pca", "-d", str(tmp_path / "things.db"), "--no-save", "--color", field)
        assert result.exit_code == 0, field


def test_a_map_over_http_is_that_of_python_and_its_page_opens_in_a_browser(things: Collection, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import refused, running

    with running(database=tmp_path / "things.db") as server:
        refused(server.client.get("/v1/collections/things/map.html"), 404)
        made = server.post("/v1/collections/things/map", {"method": "pca", "where": "group < 2"}).json()
        assert (made["items"], made["saved"], made["outcome"]) == (30, True, "made")
        assert made["points"] == things.map(where="group < 2").to_dict()["points"]
        assert "points" not in server.post("/v1/collections/things/map", {"where": "group < 2", "points": False}).json()
        page = server.client.get("/v1/collections/things/map.html", params={"color": "size"})
        assert page.headers["content-type"].startswith("text/html")
        assert '"color":"size"' in page.text
        refused(server.post("/v1/collections/things/map", {"method": "magic"}), 400)
        refused(server.post("/v1/collections/nothing/map", {}), 404)
        refused(server.client.get("/v1/collections/things/map.html", params={"color": "nothing"}), 404)
        things.add_vectors([f"new{at}" for at in range(60)], grouped(60, seed=2), metadata=[{"group": 0}] * 60)
        refused(server.client.get("/v1/collections/things/map.html"), 404)
    with running(database=tmp_path / "things.db", read_only=True) as server:
        assert server.post("/v1/collections/things/map", {"method": "pca", "dim": 3}).json()["saved"] is False
