"""Named vectors: several of an item, in spaces of their own, asked at once with weights; and what goes wrong with them."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo import Document
from cosimo.core import registry
from cosimo.core.content import modality_of
from cosimo.core.errors import CollectionError, DataError, Error, ModelMismatch, NotFound
from cosimo.core.types import Embedded, ModelSpec
from cosimo.interfaces.cli import cli
from cosimo.verbs import mixed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cosimo.collection.collection import Collection
    from cosimo.collection.database import Database
    from cosimo.core.types import Content, Role

SIDE = 4  # pixels
NAMES = {"red": (200, 20, 30), "green": (20, 190, 40), "blue": (10, 30, 210), "grey": (128, 128, 128)}


def picture(*colours: tuple[int, int, int]) -> bytes:
    """A BMP of stripes, one a colour."""
    rows = [bytes(reversed(colours[at * len(colours) // SIDE])) * SIDE for at in range(SIDE)]
    body = b"".join(rows)
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, len(body), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + head + body


class Colours:
    """Pictures → how much of each of 27 colours is in them; called `both`, the names of colours too."""

    def __init__(self, reads: str) -> None:
        modalities = ("text", "image") if reads == "both" else ("image",)
        self.spec = ModelSpec(f"colours:{reads}", 27, "1", modalities=modalities, price=0.0)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        vectors = np.zeros((len(contents), 27), np.float32)
        for vector, content in zip(vectors, contents, strict=True):
            if isinstance(content, str):
                pixels = [NAMES[word] for word in content.split() if word in NAMES]
            elif modality_of(content) == "image":
                pixels = [tuple(content[at + 2 : at - 1 if at else None : -1]) for at in range(54, len(content), 3)]
            else:
                raise DataError("no picture")
            for r, g, b in pixels:
                vector[r // 86 * 9 + g // 86 * 3 + b // 86] += 1
            vector /= np.linalg.norm(vector) or 1
        return Embedded(vectors, len(contents), [])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.EMBEDDERS, "colours", f"{__name__}:Colours")
    monkeypatch.setattr(registry, "LOCAL", registry.LOCAL | {"colours"})


@pytest.fixture
def db(tmp_path: Path, home: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "shop.db") as opened:
        yield opened


RED, GREEN, BLUE = (picture(NAMES[name]) for name in ("red", "green", "blue"))
SHOP = [
    Document("dress", "A long dress for summer evenings", {"price": 40}, {"title": "red dress", "picture": RED}),
    Document("shoes", "Walking shoes with thick soles", {"price": 80}, {"title": "blue shoes", "picture": BLUE}),
    Document(
        "scarf", "Wool, two metres", {"price": 15}, {"title": "red scarf", "picture": picture(NAMES["grey"], NAMES["red"])}
    ),
    Document("hat", "Keeps the sun off", {"price": 25}, {"title": "summer hat"}),
]


@pytest.fixture
def shop(db: Database) -> Collection:
    shop = db.collection("shop", model="fake:64")
    shop.named("title", model="fake:32")
    shop.named("picture", model="colours:image")
    shop.add(SHOP)
    return shop


def ids(hits: Sequence[Any]) -> list[str]:
    return [hit.id for hit in hits]


def refused(kind: type[Error], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_hand(collections: dict[str, Collection], queries: dict[str, Any], weights: dict[str, float]) -> dict[str, float]:
    """id → weighted mean of cosines over everything, one pair after the other."""
    found: dict[str, float] = {}
    own = {row.id for row in collections[""].rows()}
    for name, weight in weights.items():
        query = np.asarray(queries[name], np.float64)
        for row in collections[name].rows():
            lengths = np.linalg.norm(query) * np.linalg.norm(row.vector)
            if row.id in own and lengths > 0:
                cosine = float(query @ row.vector.astype(np.float64) / lengths)
                found[row.id] = found.get(row.id, 0.0) + weight * cosine / sum(weights.values())
    return found


# -- what is kept


def test_named_contents_go_to_collections_of_their_own_with_the_same_ids(shop: Collection, db: Database) -> None:
    assert shop.names() == ["picture", "title"]
    assert [(info.name, info.count, info.settings.model) for info in db.collections()] == [
        ("shop", 4, "fake:64"), ("shop/picture", 3, "colours:image"), ("shop/title", 4, "fake:32"),
    ]  # fmt: skip
    assert shop.named("title").get("hat").content == "summer hat"
    assert shop.named("picture").get("dress").content == RED
    assert db.collection("shop/title").search("red scarf", k=1)[0].id == "scarf"


def test_only_named_contents_that_changed_are_embedded(shop: Collection) -> None:
    again = shop.add(SHOP)
    assert (again.unchanged, again.embedded, again.named) == (4, 0, 0)
    changed = shop.add([Document("hat", SHOP[3].content, SHOP[3].metadata, {"picture": GREEN})])
    assert (changed.unchanged, changed.updated, changed.embedded, changed.named) == (1, 0, 1, 1)
    assert shop.named("title").get("hat").content == "summer hat"
    assert "hat" in shop.named("picture")


def test_a_text_that_is_empty_leaves_named_vectors_to_items_that_are_there(shop: Collection) -> None:
    shop.add([Document("hat", "", None, {"title": "straw hat"}), Document("nobody", "", None, {"title": "nothing"})])
    assert shop.named("title").get("hat").content == "straw hat"
    assert "nobody" not in shop.named("title")
    assert shop.get("hat").content == "Keeps the sun off"


def test_a_batch_is_stored_in_all_spaces_or_in_none(shop: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop._store.put

    def put(collection: str, rows: Any, **more: Any) -> int:
        if collection == "shop/title":
            raise RuntimeError("the disk is full")
        return before(collection, rows, **more)

    monkeypatch.setattr(shop._store, "put", put)
    with pytest.raises(RuntimeError):
        shop.add([Document("new", "Something new", None, {"title": "new", "picture": BLUE})])
    assert "new" not in shop
    assert "new" not in shop.named("picture")


def test_a_picture_that_a_model_of_texts_gets_stores_nothing_of_its_item(shop: Collection) -> None:
    said = refused(DataError, lambda: shop.add([Document("x", "a text", None, {"title": RED})]))
    assert "'x'" in said
    assert "fake:32" in said
    assert "x" not in shop


def test_deleting_an_item_deletes_it_everywhere_and_dropping_a_collection_drops_all(shop: Collection, db: Database) -> None:
    assert shop.delete(["dress", "nobody"]) == 1
    assert "dress" not in shop.named("title")
    assert "dress" not in shop.named("picture")
    db.collection("shop/own", model="fake:8").add([Document("hat", "not of the shop")])
    shop.delete("hat")
    assert "hat" in db.collection("shop/own")
    assert db.drop("shop") == 2
    assert [info.name for info in db.collections()] == ["shop/own"]


def by_sql(db: Database, *statements: str) -> None:
    """What another program does to the file."""
    with closing(sqlite3.connect(db.name)) as other, other:
        for statement in statements:
            other.execute(statement)


def test_an_item_that_another_program_deletes_takes_what_is_named_of_it_along(shop: Collection, db: Database) -> None:
    db.collection("shop/own", model="fake:8").add([Document("dress", "not of the shop")])
    shop.search_mixed("red dress", weights={"title": 1})
    by_sql(db, "DELETE FROM embeddings WHERE id = 'dress' AND collection_id = (SELECT id FROM collections WHERE name = 'shop')")
    assert "dress" not in shop.named("title")
    assert "dress" not in shop.named("picture")
    assert "dress" in db.collection("shop/own")
    assert db.check() == []
    shop.add([Document("dress", "Another one altogether")])
    best = shop.search_mixed("red dress", named={"picture": RED})
    assert {hit.id: set(hit.why.named) for hit in best}["dress"] == {""}
    by_sql(
        db,
        "DELETE FROM embeddings WHERE id = 'hat' AND collection_id IN (SELECT id FROM collections WHERE name = 'shop/title')",
    )
    assert "hat" in shop
    assert "hat" not in ids(shop.search_mixed("summer hat", weights={"title": 1}))


def test_ids_that_another_program_changes_in_all_collections_at_once_are_changed_once(shop: Collection, db: Database) -> None:
    by_sql(db, "UPDATE embeddings SET id = id || '!'")
    assert shop.search_mixed("red dress", k=1, weights={"title": 1})[0].id == "dress!"
    assert db.check() == []
    by_sql(db, "UPDATE embeddings SET id = 'gown' WHERE id = 'dress!' AND content LIKE 'A long dress%'")
    assert [each.kind for each in db.check()] == ["named", "named"]


def test_a_row_that_another_program_replaces_keeps_what_is_named_of_it(shop: Collection, db: Database) -> None:
    by_sql(db, "INSERT OR REPLACE INTO embeddings SELECT * FROM embeddings WHERE id = 'dress'")
    assert "dress" in shop.named("title")


def test_check_tells_named_vectors_of_items_that_there_are_not(shop: Collection, db: Database) -> None:
    assert db.check() == []
    shop.named("title").add([Document("stray", "red dress")])
    found = [(each.kind, each.collection) for each in db.check()]
    assert found == [("named", "shop/title")]
    assert "which 'shop' does not have, so that no search finds them: 1, the first of 'stray'" in db.check()[0].message
    assert [each.kind for each in db.check(repair=True)] == ["named"]
    shop.add([Document("stray", "an item now")])
    assert db.check() == []
    db.store.drop("shop")
    assert [each.collection for each in db.check()] == ["shop/picture", "shop/title"]


def test_sync_removes_items_and_named_contents_that_are_gone(shop: Collection) -> None:
    first = [Document(id, f"text {id}", None, {"title": f"title {id}"}) for id in ("a", "b", "c")]
    shop.add(first, source="s", sync=True)
    done = shop.add([first[0], Document("b", "text b")], source="s", sync=True)
    assert done.removed == 1
    assert {row.id for row in shop.named("title").rows()} == {"a", "dress", "hat", "scarf", "shoes"}
    shop.add([Document("a", "text a"), Document("b", "text b")], source="s", sync=True)  # says nothing of titles any more
    assert "a" in shop.named("title")


def test_a_collection_with_a_slash_is_none_of_named_vectors_until_somebody_says_so(db: Database) -> None:
    notes, older = db.collection("notes", model="fake:16"), db.collection("notes/2020", model="fake:16")
    for each in (notes, older):
        each.add([Document("a", "some text")])
    assert notes.names() == []
    notes.delete("a")
    assert "a" in older
    assert len(db.search("some text")) == 1
    assert notes.named("2020").name == "notes/2020"
    assert notes.names() == ["2020"]


def test_named_vectors_are_not_searched_twice_with_all_collections(shop: Collection, db: Database) -> None:
    assert {hit.collection for hit in db.search("red dress")} == {"shop"}


def test_another_model_for_one_space_leaves_it_one(shop: Collection, db: Database) -> None:
    shop.named("title").migrate("fake:128")
    assert shop.names() == ["picture", "title"]
    assert db.collection("shop").named("title").dim == 128
    assert ids(db.collection("shop").search_mixed("blue shoes", weights={"title": 1}, k=1)) == ["shoes"]


def test_names_that_cannot_be_are_refused(shop: Collection, db: Database) -> None:
    for name in ("", "a/b"):
        assert "slash" in refused(CollectionError, lambda name=name: shop.named(name, model="fake:8"))
    assert "themselves" in refused(CollectionError, lambda: shop.named("title").named("x", model="fake:8"))
    assert "'picture', 'title'" in refused(NotFound, lambda: shop.named("titel"))
    assert "'picture', 'title'" in refused(NotFound, lambda: shop.add([Document("x", "text", None, {"titel": "x"})]))
    assert "x" not in shop
    refused(ModelMismatch, lambda: shop.named("title", model="fake:16"))
    assert "named 'title' of 'x'" in refused(DataError, lambda: shop.add([Document("x", "text", None, {"title": 7})]))  # type: ignore[dict-item]


# -- asking


def test_weights_decide_and_every_cosine_is_told(shop: Collection) -> None:
    assert ids(shop.search_mixed("red dress", k=1, named={"picture": BLUE}, weights={"title": 1, "picture": 0.1})) == ["dress"]
    hit = shop.search_mixed("red dress", k=1, named={"picture": BLUE}, weights={"title": 0.1, "picture": 1})[0]
    assert (hit.id, hit.content, hit.metadata, hit.collection) == (
        "shoes", "Walking shoes with thick soles", {"price": 80}, "shop",
    )  # fmt: skip
    assert hit.why.named["picture"] == pytest.approx(1)
    assert hit.score == pytest.approx((0.1 * hit.why.named["title"] + hit.why.named["picture"]) / 1.1)
    assert hit.why.vector is None
    own = shop.search_mixed("walking shoes", k=1, weights={"": 2, "title": 1})[0]
    assert own.why.named[""] == own.why.vector
    assert set(own.why.named) == {"", "title"}


def test_without_weights_all_count_the_same(shop: Collection) -> None:
    both = shop.search_mixed(named={"title": "red dress", "picture": RED})
    assert both[0].why.named.keys() == {"title", "picture"}
    assert [(h.id, h.score) for h in both] == [
        (h.id, h.score)
        for h in shop.search_mixed(named={"title": "red dress", "picture": RED}, weights={"title": 7, "picture": 7})
    ]
    every = shop.search_mixed("red dress", named={"picture": RED}, k=1)[0]
    assert set(every.why.named) == {"", "title", "picture"}


def test_an_item_without_a_picture_counts_zero_there_and_is_found_by_the_rest(shop: Collection) -> None:
    found = {
        hit.id: hit for hit in shop.search_mixed("summer hat", named={"picture": GREEN}, weights={"title": 1, "picture": 3})
    }
    assert set(found["hat"].why.named) == {"title"}
    assert found["hat"].score == pytest.approx(found["hat"].why.named["title"] / 4)
    assert "hat" not in ids(shop.search_mixed(named={"picture": GREEN}, k=10))


@pytest.mark.parametrize("seed", range(4))
def test_the_weighted_mean_is_that_of_scoring_everything_by_hand(db: Database, seed: int) -> None:
    random = np.random.default_rng(seed)
    n, dims = 700, {"": 8, "a": 5, "b": 16}
    own = db.collection("c", model=None, dim=8)
    spaces = {"": own, **{name: own.named(name, model=None, dim=dims[name]) for name in "ab"}}
    own.add_vectors([f"{i}" for i in range(n)], random.normal(size=(n, 8)), metadata=[{"x": i % 7, "y": i} for i in range(n)])
    for name, share in (("a", 0.6), ("b", 0.9)):
        some = [f"{i}" for i in random.permutation(n)[: int(share * n)]] + ["stray", "other stray"]
        spaces[name].add_vectors(some, random.normal(size=(len(some), dims[name])))
    for where, passes in ((None, lambda i: True), ("x = 3", lambda i: i % 7 == 3), ("y < 20", lambda i: i < 20)):
        chosen = [name for name in dims if random.random() < 0.8] or ["a"]
        weights = {name: float(random.uniform(0.05, 2)) for name in chosen}
        queries = {name: random.normal(size=dims[name]) for name in chosen}
        expected = {id: score for id, score in by_hand(spaces, queries, weights).items() if passes(int(id))}
        for k in (1, 10, 150, 1000):
            hits = own.search_mixed(named=queries, weights=weights, k=k, where=where)
            best = sorted(expected, key=lambda id: -expected[id])[:k]
            assert ids(hits) == best
            assert [hit.score for hit in hits] == pytest.approx([expected[id] for id in best], abs=1e-6)


def test_opposite_lists_are_asked_until_the_best_is_certain(db: Database) -> None:
    """Whoever is first in one list is last in the other; the best is in the middle of both."""
    n = 1001
    angles = np.linspace(0.1, math.pi / 2, n)
    falling = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    own = db.collection("c", model=None, dim=2)
    other = own.named("other", model=None, dim=2)
    names = [f"{i:04}" for i in range(n)]
    own.add_vectors(names, falling)
    other.add_vectors(names, falling[::-1])
    hits = own.search_mixed([1.0, 0.0], k=3)
    assert ids(hits) == ["0500", "0499", "0501"]


@pytest.mark.parametrize(("dim", "most"), [(4, 300), (64, 1500)])
def test_not_everything_is_scored_where_the_best_are_certain_before(db: Database, dim: int, most: int) -> None:
    """Of lists that agree a few items are looked at, of lists that have nothing to do with each other some more."""
    own = db.collection("c", model=None, dim=dim)
    other = own.named("other", model=None, dim=dim)
    random = np.random.default_rng(1)
    vectors = random.normal(size=(3000, dim))
    for each, held in ((own, vectors), (other, vectors if dim == 4 else random.normal(size=(3000, dim)))):
        each.add_vectors([f"{i}" for i in range(3000)], held)
    with own._searching() as index, other._searching() as second:
        asked = [
            mixed._asked(own._store, "c", mixed.Space(name, f"c{name}", each, vectors[0].astype(np.float32), 1.0), None)
            for name, each in (("", index), ("/other", second))
        ]
        assert len(mixed._weighted(asked, 10)[1]) < most


@pytest.mark.parametrize("kind", ["scan", "graph", "lists"])
def test_scores_are_exact_where_indexes_are_approximate(db: Database, kind: str) -> None:
    pytest.importorskip("faiss")
    random, n = np.random.default_rng(3), 3000
    own = db.collection("c", model=None, dim=24)
    spaces = {"": own, "other": own.named("other", model=None, dim=24)}
    for each in spaces.values():
        each.add_vectors([f"{i}" for i in random.permutation(n)], random.normal(size=(n, 24)))
        each.index(kind)
    queries = {name: random.normal(size=24) for name in spaces}
    expected = by_hand(spaces, queries, {"": 1, "other": 2})
    hits = own.search_mixed(named=queries, weights={"": 1, "other": 2})
    assert [hit.score for hit in hits] == pytest.approx([expected[hit.id] for hit in hits], abs=1e-6)
    best = sorted(expected, key=lambda id: -expected[id])[:10]
    assert len(set(best) & set(ids(hits))) >= 8


def test_equal_scores_stand_in_the_order_they_came(db: Database) -> None:
    own = db.collection("c", model=None, dim=2)
    other = own.named("other", model=None, dim=2)
    for each in (own, other):
        each.add_vectors([f"{i}" for i in range(500)], np.tile([1.0, 2.0], (500, 1)))
    assert ids(own.search_mixed([1.0, 1.0], k=5)) == ["0", "1", "2", "3", "4"]


def test_filters_are_those_of_the_collection(shop: Collection) -> None:
    assert ids(shop.search_mixed("red", weights={"title": 1}, where="price < 20")) == ["scarf"]
    assert set(ids(shop.search_mixed("red", weights={"title": 1}, prefix="s"))) == {"scarf", "shoes"}
    assert shop.search_mixed("red", weights={"title": 1}, where="price > 1000") == []
    best = shop.search_mixed("red dress", weights={"title": 1})[0]
    assert ids(shop.search_mixed("red dress", weights={"title": 1}, min_score=best.score)) == ["dress"]


def test_rows_without_an_item_are_never_found(shop: Collection) -> None:
    shop.named("title").add([Document("stray", "red dress")])
    assert "stray" not in ids(shop.search_mixed("red dress", weights={"title": 1}))
    shop.add([Document("stray", "an item now")])
    assert shop.search_mixed("red dress", weights={"title": 1}, k=2)[1].id in ("dress", "stray")


def test_a_long_document_is_as_good_as_its_best_passage(db: Database) -> None:
    shop = db.collection("shop", model="fake:256")
    shop.named("text", model="fake:256")
    filler = "\n\n".join(f"Paragraph {i} speaks of something else altogether, again and again." for i in range(200))
    long = f"{filler}\n\n{'The zeppelin landed beside the lighthouse. ' * 60}\n\n{filler}"
    shop.add([Document("long", long, None, {"text": long}), Document("short", "A ship.", None, {"text": "A ship."})])
    assert shop._store.has_passages("shop/text")
    alone = shop.named("text").search("zeppelin lighthouse", mode="vector")[0]
    hit = shop.search_mixed("zeppelin lighthouse", weights={"text": 1})[0]
    assert (alone.id, hit.id, hit.score) == ("long", "long", pytest.approx(alone.score))
    own = shop.search_mixed("zeppelin lighthouse")[0]
    assert "zeppelin" in (own.passages[0].text or "")


def test_long_texts_are_left_whole_in_all_spaces_that_hold_nothing_yet(db: Database) -> None:
    shop = db.collection("shop", model="fake:64")
    for name in ("begun", "new"):
        shop.named(name, model="fake:64")
    long = "A zeppelin landed beside the lighthouse. " * 300
    shop.named("begun").add([Document("a", long)])
    done = shop.add([Document("b", long, None, {"new": long, "begun": long})], passages=False)
    assert done.cut == 2
    assert [db.store.has_passages(name) for name in ("shop", "shop/new", "shop/begun")] == [False, False, True]


def test_items_behind_a_document_of_many_passages_are_not_taken_for_none(db: Database) -> None:
    """The 100 nearest passages are all of one document; 400 are asked for then, of more than 100 documents."""
    shop = db.collection("shop", model="fake:64")
    shop.add([Document("long", "\n\n".join(f"zeppelin {i} " * 300 for i in range(120)))])
    shop.add([Document(f"{i:03}", f"zeppelin {i}, word{i} word{i + 1} word{i + 2}") for i in range(150)])
    every = shop.search("zeppelin", 151, mode="vector")
    names = [hit.id for hit in every]
    shop.named("other", model=None, dim=2).add_vectors(names, [[0.0, 1.0]] * 150 + [[1.0, 0.0]])
    best = shop.search_mixed(named={"": "zeppelin", "other": [1.0, 0.0]}, k=1)[0]
    assert (len(names), best.id, best.why.named[""]) == (151, names[-1], pytest.approx(every[-1].score))


def test_pictures_and_texts_of_one_model_share_a_space(shop: Collection) -> None:
    shop.named("look", model="colours:both")
    shop.add([Document(d.id, d.content, None, {"look": d.named["picture"]}) for d in SHOP[:3] if d.named])
    assert ids(shop.search_mixed("blue", weights={"look": 1}, k=1)) == ["shoes"]
    assert ids(shop.search_mixed(BLUE, weights={"look": 1, "picture": 1}, k=1)) == ["shoes"]


# -- fusions


def test_reciprocal_ranks_and_ranges_are_what_they_say(db: Database) -> None:
    own = db.collection("c", model=None, dim=2)
    other = own.named("other", model=None, dim=2)
    own.add_vectors(["a", "b", "c"], [[1, 0], [1, 1], [0, 1]])
    other.add_vectors(["b", "c"], [[0, 1], [1, 1]])
    asked: dict[str, Any] = {"named": {"": [1.0, 0.0], "other": [0.0, 1.0]}, "weights": {"": 1, "other": 3}}
    ranks = {hit.id: hit.score for hit in own.search_mixed(**asked, fusion="rrf")}
    assert ranks == pytest.approx({"a": 0.25 / 61, "b": 0.25 / 62 + 0.75 / 61, "c": 0.25 / 63 + 0.75 / 62})
    ranges = {hit.id: hit.score for hit in own.search_mixed(**asked, fusion="relative")}
    assert ranges == pytest.approx({"a": 0.25, "b": 0.25 * math.sqrt(0.5) + 0.75, "c": 0.0})
    assert "known: weighted, rrf, relative" in refused(DataError, lambda: own.search_mixed(**asked, fusion="max"))


def test_weights_of_what_are_no_cosines_are_refused(db: Database) -> None:
    own = db.collection("c", model=None, dim=2)
    own.named("other", model=None, dim=2).add_vectors(["a"], [[1, 0]])
    own.add_vectors(["a"], [[1, 0]])
    own.named("other").index("flat", "l2")
    assert "cosimo index c/other --metric cosine" in refused(DataError, lambda: own.search_mixed([1.0, 0.0]))
    assert ids(own.search_mixed([1.0, 0.0], fusion="rrf")) == ["a"]


# -- what makes no sense


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf, True, "1", None, 10**400])
def test_weights_that_are_none_are_refused(shop: Collection, weight: Any) -> None:
    assert "title" in refused(DataError, lambda: shop.search_mixed("red", weights={"title": weight}))


def test_weights_of_any_size_and_type_of_number_count(shop: Collection) -> None:
    asked: dict[str, Any] = {"named": {"": "summer", "title": "red dress"}}
    usual = [(hit.id, hit.score) for hit in shop.search_mixed(**asked)]
    for weight in (1e308, 1e-300, 3, np.float32(0.5), np.int64(2)):
        found = shop.search_mixed(**asked, weights={"": weight, "title": weight})
        assert [(hit.id, hit.score) for hit in found] == [(id, pytest.approx(score)) for id, score in usual]


def test_questions_that_make_no_sense_are_refused(shop: Collection, db: Database) -> None:
    assert "'picture', 'title'" in refused(NotFound, lambda: shop.search_mixed("red", weights={"titel": 1}))
    assert "'picture', 'title'" in refused(NotFound, lambda: shop.search_mixed(named={"titel": "red"}))
    said = refused(DataError, lambda: shop.search_mixed("red", weights={"picture": 1}))
    assert "colours:image reads pictures" in said
    assert "a picture, and fake:32 reads text" in refused(DataError, lambda: shop.search_mixed(named={"title": RED}))
    assert "no weight" in refused(DataError, lambda: shop.search_mixed("red", named={"picture": RED}, weights={"title": 1}))
    assert "nothing to be asked" in refused(DataError, lambda: shop.search_mixed(weights={"title": 1}))
    for empty in ({}, {"query": ""}, {"named": {"title": " "}}, {"named": {"picture": b""}}, {"query": "x", "weights": {}}):
        assert "nothing to search for" in refused(DataError, lambda empty=empty: shop.search_mixed(**empty))
    refused(DataError, lambda: shop.search_mixed("red", 0, weights={"title": 1}))
    assert "a mapping" in refused(DataError, lambda: shop.search_mixed("red", weights=["title"]))  # type: ignore[arg-type]
    assert "a mapping" in refused(DataError, lambda: shop.search_mixed(named="red"))  # type: ignore[arg-type]
    for least in (math.nan, "0.5", True):
        asked: dict[str, Any] = {"weights": {"title": 1}, "min_score": least}
        assert "min_score must be a number" in refused(DataError, lambda asked=asked: shop.search_mixed("red", **asked))
    for named in ("title", [("title", "x")]):
        said = refused(DataError, lambda named=named: shop.add([Document("x", "text", None, named)]))
        assert said.startswith("what is named of 'x' is")
    refused(Error, lambda: shop.search_mixed(named={"title": [1.0, 2.0]}))
    refused(NotFound, lambda: db.collection("none").search_mixed("red"))


def test_a_space_without_vectors_says_so(shop: Collection, db: Database) -> None:
    shop.named("video", model="fake:8")
    assert "'shop/video' holds no vectors yet" in refused(DataError, lambda: shop.search_mixed("red", weights={"video": 1}))
    found = shop.search_mixed("red", named={"picture": RED})  # without weights it is not asked
    assert found[0].why.named.keys() == {"", "title", "picture"}
    empty = db.collection("empty", model="fake:8")
    empty.add([])
    empty.named("title", model="fake:8")
    assert empty.search_mixed("red") == []


def test_without_weights_a_query_goes_to_those_that_can_be_asked_it(shop: Collection) -> None:
    shop.named("far", model=None, dim=2).add_vectors(["dress"], [[1, 0]])
    assert {name for hit in shop.search_mixed("red dress") for name in hit.why.named} == {"", "title"}
    assert {name for hit in shop.search_mixed(RED) for name in hit.why.named} == {"picture"}
    assert shop.search_mixed("red", named={"far": [1.0, 0.0]}, k=1)[0].why.named.keys() == {"", "title", "far"}
    assert "shop" in refused(DataError, lambda: shop.search_mixed(b"neither a picture nor a sound \xff\xfe"))


def test_vectors_from_elsewhere_are_asked_with_vectors(shop: Collection) -> None:
    far = shop.named("far", model=None, dim=2)
    far.add_vectors(["dress", "hat"], [[1, 0], [0, 1]])
    assert ids(shop.search_mixed(named={"far": [0.1, 1.0]}, k=1)) == ["hat"]
    refused(ModelMismatch, lambda: shop.search_mixed("red", weights={"far": 1}))
    refused(ModelMismatch, lambda: shop.add([Document("dress", "text", None, {"far": "text"})]))


# -- tables


@pytest.fixture
def products(tmp_path: Path) -> Path:
    folder = tmp_path / "products"
    (folder / "photos").mkdir(parents=True)
    for name, colours in (("red", RED), ("blue", BLUE), ("broken", b"<html>not found</html>")):
        (folder / "photos" / f"{name}.bmp").write_bytes(colours)
    (folder / "products.csv").write_text(
        "id,title,description,photo,price\n"
        "1,Red dress,Long and light,photos/red.bmp,40\n"
        "2,Blue shoes,Thick soles,photos/blue.bmp,80\n"
        "3,Hat,Keeps the sun off,,25\n"
    )
    return folder / "products.csv"


def read(path: Path, **columns: str) -> Any:
    named = columns or {"title": "title", "picture": "photo"}
    return cosimo.read(path, text_columns=["description"], metadata_columns=["price"], named_columns=named)


def test_columns_of_a_table_are_texts_or_the_names_of_pictures_beside_it(db: Database, products: Path) -> None:
    shop = db.collection("shop", model="fake:64")
    shop.named("title", model="fake:32")
    shop.named("picture", model="colours:image")
    added = shop.add(read(products))
    assert (added.added, added.named) == (3, 5)
    assert shop.named("picture").get("1").content == RED
    assert shop.named("title").get("3").content == "Hat"
    assert (shop.get("1").content, shop.get("1").metadata) == ("Long and light", {"price": 40})
    assert ids(shop.search_mixed("hat", named={"picture": BLUE}, weights={"title": 0.1, "picture": 1}, k=1)) == ["2"]


def test_named_columns_are_no_text_unless_they_are_said_to_be(products: Path) -> None:
    first = next(iter(cosimo.read(products, named_columns={"title": "title", "picture": "photo"})))
    assert (first.content, first.named) == ("Long and light 40", {"title": "Red dress", "picture": "photos/red.bmp"})
    with pytest.raises(Error, match="no column 'tilte'"):
        next(iter(cosimo.read(products, named_columns={"title": "tilte"})))


def test_a_name_of_a_picture_is_a_text_to_a_model_of_texts(db: Database, products: Path) -> None:
    shop = db.collection("shop", model="fake:64")
    shop.named("file", model="fake:32")
    shop.add(read(products, file="photo"))
    assert shop.named("file").get("1").content == "photos/red.bmp"


def test_pictures_that_cannot_be_read_are_named_and_their_items_stay(db: Database, products: Path) -> None:
    products.write_text(
        "id,title,description,photo,price\n1,Red,Long,photos/gone.bmp,1\n2,Blue,Thick,photos/broken.bmp,2\n3,Hat,Sun,n/a,3\n"
        "4,Blue,Fine,photos/blue.bmp,4\n"
    )
    shop = db.collection("shop", model="fake:64")
    shop.named("picture", model="colours:image")
    source = read(products, picture="photo")
    assert shop.add(source, sync=True).added == 4
    assert [row.id for row in shop.named("picture").rows()] == ["4"]
    said = [problem.reason for problem in source.problems]
    assert len(said) == 3
    assert "no such file" in said[0]
    assert "gone.bmp" in said[0]
    assert "broken.bmp" in said[1]
    assert "a text, and colours:image reads pictures" in said[2]


def test_sync_keeps_what_is_named_by_a_cell_that_cannot_be_read_now_and_removes_the_rest(db: Database, products: Path) -> None:
    shop = db.collection("shop", model="fake:64")
    shop.named("picture", model="colours:image")
    shop.add(read(products, picture="photo"), sync=True)
    head, first, second, _ = products.read_text().splitlines()
    (products.parent / "photos" / "red.bmp").unlink()  # a disk that is not mounted
    (products.parent / "photos" / "blue.bmp").write_bytes(BLUE[:20])
    products.write_text("\n".join([head, first, second]))
    source = read(products, picture="photo")
    done = shop.add(source, sync=True)
    assert (done.removed, source.problem_count, source.unread) == (1, 2, [])
    assert {row.id for row in shop.named("picture").rows()} == {"1", "2"}
    products.write_text("\n".join([head, first.replace("photos/red.bmp", ""), second]))
    shop.add(read(products, picture="photo"), sync=True)
    assert [row.id for row in shop.named("picture").rows()] == ["2"]


# -- the command line


@pytest.fixture
def run(home: Path, products: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(products.parent)

    def call(*arguments: str, code: int = 0) -> Any:
        found = CliRunner().invoke(cli, [*arguments, "-d", str(products.parent / "s.db")], catch_exceptions=False)
        assert found.exit_code == code, found.output
        return found

    return call


EMBED = ("embed-multi", "shop", "products.csv", "--text-columns", "description", "--metadata-columns", "price", "-m", "fake:64")
COLUMNS = ("--named", "title=title", "--named", "picture=photo:colours:image")


def test_embed_multi_makes_named_vectors_of_columns(run: Callable[..., Any]) -> None:
    planned = [json.loads(line) for line in run(*EMBED, *COLUMNS, "--dry-run").stdout.splitlines()]
    assert [(each["collection"], each["to_embed"], each["model"]) for each in planned] == [
        ("shop", 3, "fake:64"), ("shop/title", 3, "fake:64"), ("shop/picture", 2, "colours:image"),
    ]  # fmt: skip
    said = run(*EMBED, *COLUMNS, "--store").stderr
    assert "3 added" in said
    assert "5 named vectors" in said
    assert "3 unchanged" in run(*EMBED, *COLUMNS, "--store").stderr
    listed = [json.loads(line) for line in run("collections").stdout.splitlines()]
    assert [(each["name"], each["num_embeddings"]) for each in listed] == [("shop", 3), ("shop/picture", 2), ("shop/title", 3)]
    assert json.loads(run("get", "shop/title", "3").stdout)["content"] == "Hat"
    run("delete", "shop", "3")
    assert len(run("collections", "--json").stdout.splitlines()) == 3
    run("collections", "delete", "shop")
    assert run("collections").stdout == ""


def test_search_takes_names_and_weights(run: Callable[..., Any]) -> None:
    run(*EMBED, *COLUMNS, "--store")
    mixed = ("search", "shop", "red dress", "--named", "picture=photos/blue.bmp")
    found = [json.loads(line) for line in run(*mixed, "--weight", "title=0.9", "--weight", "picture=0.1").stdout.splitlines()]
    assert found[0]["id"] == "1"
    assert set(found[0]["why"]["named"]) == {"title", "picture"}
    found = [json.loads(line) for line in run(*mixed, "--weight", "title=0.1", "--weight", "picture=0.9").stdout.splitlines()]
    assert found[0]["id"] == "2"
    found = [json.loads(line) for line in run("search", "shop", "thick soles", "--weight", "1").stdout.splitlines()]
    assert (found[0]["id"], set(found[0]["why"]["named"])) == ("2", {""})
    dear = run(*mixed, "--where", "price > 50", "--fusion", "rrf", "-n", "5").stdout.splitlines()
    assert [json.loads(line)["id"] for line in dear] == ["2"]
    only = run("search", "shop", "--named", "title=a hat", "--min-score", "0.1").stdout.splitlines()
    assert json.loads(only[0])["id"] == "3"
    assert "named" not in json.loads(run("search", "shop", "hat", "-n", "1").stdout)["why"]
    by_photo = run("search", "shop", "-i", "photos/red.bmp", "--weight", "picture=1", "-n", "1").stdout
    assert json.loads(by_photo)["id"] == "1"
    assert "'prize'" in run("search", "shop", "hat", "--weight", "title=1", "-w", "prize > 3").stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--weight", "title=none"), "title=none"),
        (("--weight", "title=-1"), "above 0"),
        (("--weight", "title=1", "--weight", "title=2"), "'title' twice"),
        (("--weight", "1", "--weight", "2"), "own vectors twice"),
        (("--named", "title=a", "--named", "title=b"), "'title' twice"),
        (("--named", "title="), "NAME=TEXT"),
        (("--weight", "titel=1"), "'picture', 'title'"),
        (("--named", "picture=gone.jpg"), "gone.jpg"),
        (("--named", "picture"), "NAME="),
        (("--weight", "title=1", "--mode", "text"), "--mode"),
        (("--fusion", "rrf", "--also", "other"), "--also"),
        (("--fusion", "rrf", "--facets", "price"), "--facets"),
        (("--weight", "picture=1", "-i", "photos/red.bmp"), "--named"),
    ],
)
def test_options_that_make_no_sense_are_told(run: Callable[..., Any], wrong: tuple[str, ...], said: str) -> None:
    run(*EMBED, *COLUMNS)
    try:
        found = str(run("search", "shop", "red", *wrong, code=2).output)
    except Error as error:  # ours; `main` makes a line of it
        found = str(error)
    assert said in found


@pytest.mark.parametrize("spelled", ["title", "=title", "title=", "title=:m"])
def test_named_columns_that_are_none_are_told(run: Callable[..., Any], spelled: str) -> None:
    assert "--named" in run(*EMBED, "--named", spelled, code=2).output.splitlines()[-1]
    assert "twice" in run(*EMBED, "--named", "title=title", "--named", "title=photo", code=2).output


def test_named_vectors_of_a_table_that_cannot_be_read_are_not_left_behind(run: Callable[..., Any]) -> None:
    for wrong in (("title=titel",), ("title=title", "--named", "picture=photo:words:gone.vec")):
        with pytest.raises(Error):
            run(*EMBED, "--named", *wrong)
        assert run("collections").stdout == ""
    run(*EMBED, "--named", "title=title", "--no-passages")
    with pytest.raises(Error):
        run(*EMBED, "--named", "title=titel")
    assert len(run("collections").stdout.splitlines()) == 2


def test_named_columns_are_for_tables(run: Callable[..., Any]) -> None:
    assert "--named is for the columns" in run("embed-multi", "x", "--files", ".", "*", "--named", "a=b", code=2).output
