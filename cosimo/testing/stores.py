"""Store contract: what every store must do, as plain functions with assertions. Needs no test runner.

from cosimo.testing.stores import check_store

def test_it_is_a_store(tmp_path):
    check_store(lambda: MyStore(...))        # a fresh, empty one each time it is called
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.content import content_hash
from ..core.errors import BadVector, DataError, DimensionMismatch, Error, NotFound, StoreError
from ..core.types import Cut, Document, Known, Listed, Passage, Row, Settings, Span
from ..core.units import SHIFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.store import Store
    from ..core.types import Change, Vector

DIM = 4
SETTINGS = Settings(model="fake:4", dim=DIM, revision="r1", prompts={"query": "find: "}, pooling="mean", normalized=False)
ODD_IDS = ["100%", "a_b", "a'b", 'a"b', "a\nb", "é", "日本語", "😀", " ", "A", "a", "ab", "[x]", "\\", "x" * 5000]


def vector(*values: float) -> Vector:
    """A vector of the contract's length from up to four numbers."""
    return np.array([*values, *[0.0] * (DIM - len(values))], np.float32)


def row(id: str, *values: float, content: str | bytes | None = None, metadata: dict[str, object] | None = None) -> Row:
    """A row as a caller makes it: no hash, no time."""
    return Row(id, vector(*(values or (1.0,))), content, metadata=metadata)


def held(change: Change) -> dict[int, list[float]]:
    """document number → vector of what a change brings, where no document has passages."""
    return {int(unit) >> SHIFT: found.tolist() for unit, found in zip(change.numbers, change.vectors, strict=True)}


def refuses(kind: type[Error], call: Callable[[], object]) -> str:
    """The message of the error that a call must raise: one line."""
    message = None
    try:
        call()
    except kind as error:
        message = str(error)
    assert message is not None, f"expected {kind.__name__}"
    assert "\n" not in message, f"more than one line: {message}"
    return message


def collections_remember_what_made_them(store: Store) -> None:
    """Settings come back as they were given; unknown names raise `NotFound` everywhere."""
    assert store.collections() == []
    assert store.info("notes") is None
    assert store.create("notes", SETTINGS).settings == SETTINGS
    assert store.create("notes", Settings(model="other")).settings == SETTINGS, "a second create must change nothing"
    store.configure("notes", Settings(model=None, dim=DIM))
    info = store.info("notes")
    assert info is not None
    assert store.settings("notes") == info.settings
    assert store.settings("nothing of that name") is None
    assert (info.count, info.settings.model, info.settings.dim) == (0, None, DIM)
    store.create("alpha", SETTINGS)
    assert [info.name for info in store.collections()] == ["alpha", "notes"]
    calls: list[Callable[[], object]] = [
        lambda: store.put("none", [row("a")]),
        lambda: store.put("none", []),
        lambda: store.get("none", ["a"]),
        lambda: list(store.scan("none")),
        lambda: store.changes("none"),
        lambda: store.count("none"),
        lambda: store.delete("none", ["a"]),
        lambda: store.drop("none"),
        lambda: store.configure("none", SETTINGS),
        lambda: store.prune("none", "s", []),
    ]
    for call in calls:
        refuses(NotFound, call)


def rows_come_back_as_they_were_put(store: Store) -> None:
    """Content of both kinds, metadata, hash, time and the exact vector."""
    store.create("notes", SETTINGS)
    given = Row("a", vector(0.1, -2.5e-30, 3.25), "Grüße\n日本", metadata={"n": 1, "deep": {"x": [None, "é"]}}, updated=1234)
    store.put("notes", [given, Row("b", vector(1), b"\x00\xff"), Row("c", vector(0))])
    found = store.get("notes", ["a", "b", "c", "missing"])
    assert sorted(found) == ["a", "b", "c"]
    assert found["a"].vector.tolist() == given.vector.tolist()
    assert (found["a"].content, found["a"].metadata, found["a"].updated) == (given.content, given.metadata, 1234)
    assert found["a"].hash == content_hash("Grüße\n日本")
    assert (found["b"].content, found["b"].hash) == (b"\x00\xff", content_hash(b"\x00\xff"))
    assert found["b"].updated > 1_700_000_000, "a row without a time gets the present one"
    assert (found["c"].content, found["c"].hash, found["c"].metadata) == (None, None, None)
    assert store.known("notes", ["b", "c", "missing"]).keys() == {"b", "c"}
    assert store.known("notes", ["a"])["a"] == Known(given.hash or content_hash("Grüße\n日本"), True, given.metadata)
    assert store.count("notes") == 3


def odd_ids_are_ordinary(store: Store) -> None:
    """Wildcards, quotes, newlines and any script are characters like others; half a character is refused."""
    store.create("notes", SETTINGS)
    store.put("notes", [row(id, number + 1.0) for number, id in enumerate(ODD_IDS)])
    assert [found.id for found in store.scan("notes")] == ODD_IDS
    for number, id in enumerate(ODD_IDS):
        assert store.get("notes", [id])[id].vector[0] == number + 1.0
        for prefix in {id, id[:1]}:
            expected = [other for other in ODD_IDS if other.startswith(prefix)]
            assert [found.id for found in store.scan("notes", prefix=prefix)] == expected
            numbers = store.numbers_with_prefix("notes", prefix).tolist()
            assert sorted(store.ids_of("notes", numbers).values()) == sorted(expected)
    assert "half" in refuses(DataError, lambda: store.put("notes", [row("ok"), row("\ud800")]))
    assert store.delete("notes", ["100%", "a_b", "\ud800", "missing"]) == 2
    assert store.count("notes") == len(ODD_IDS) - 2


def bad_vectors_store_nothing(store: Store) -> None:
    """Wrong length, NaN, infinity: the batch is refused and the id named. All zeros are stored."""
    store.create("notes", SETTINGS)
    for kind, bad in ((DimensionMismatch, np.ones(3)), (BadVector, vector(np.nan)), (BadVector, vector(np.inf))):
        rows = [row("fine"), Row("broken", np.asarray(bad, np.float32))]
        assert "broken" in refuses(kind, partial(store.put, "notes", rows))
    assert store.count("notes") == 0
    assert store.put("notes", [row("zero", 0.0)]) == 1


def numbers_survive_replacement(store: Store) -> None:
    """A replaced row keeps its number, and a change says so once."""
    store.create("notes", SETTINGS)
    store.put("notes", [row("a", 1), row("b", 2), row("c", 3)])
    first = store.changes("notes")
    assert first.full
    ids = store.ids_of("notes", list(held(first)))
    number = {id: n for n, id in ids.items()}
    assert {ids[n]: found[0] for n, found in held(first).items()} == {"a": 1, "b": 2, "c": 3}

    store.put("notes", [row("b", 20), row("d", 4)])
    store.delete("notes", ["a"])
    second = store.changes("notes", first.version)
    new = set(held(second)) - set(ids)
    assert not second.full
    assert held(second)[number["b"]][0] == 20
    assert store.ids_of("notes", [*new, number["b"], number["a"]]) == {next(iter(new)): "d", number["b"]: "b"}
    assert second.removed.tolist() == [number["a"] << SHIFT]

    third = store.changes("notes", second.version)
    assert (third.full, len(third.numbers), len(third.removed), third.version) == (False, 0, 0, second.version)


def changes_are_of_one_collection(store: Store) -> None:
    """Others' rows do not show; a collection dropped and made again starts afresh."""
    store.create("notes", SETTINGS)
    store.create("other", SETTINGS)
    store.put("notes", [row("a", 1)])
    version = store.changes("notes").version
    store.put("other", [row("a", 9), row("z", 9)])
    change = store.changes("notes", version)
    assert (change.full, len(change.numbers), len(change.removed)) == (False, 0, 0)
    assert store.drop("notes") == 1
    assert store.info("notes") is None
    store.create("notes", SETTINGS)
    store.put("notes", [row("b", 2)])
    change = store.changes("notes", version)
    assert change.full
    assert [found[0] for found in held(change).values()] == [2]
    assert store.count("other") == 2


def passages_come_with_their_document(store: Store) -> None:
    """A cut document is known by its passages, or whole where asked; they go when its text does."""
    store.create("notes", SETTINGS)
    whole = row("long", 1, content="first part, second part")
    parts = [Passage(0, 0, 11, "first part,", "", 4), Passage(1, 12, 23, "second part", "Title", 4)]
    store.put("notes", [replace(whole, cut=Cut(parts, np.stack([vector(2), vector(3)]))), row("short", 9)])
    first = store.changes("notes")
    number = next(n for n, id in store.ids_of("notes", (first.numbers >> SHIFT).tolist()).items() if id == "long")
    units = [number << SHIFT, number << SHIFT | 1]
    assert {int(unit): found[0] for unit, found in zip(first.numbers, first.vectors, strict=True) if unit in units} == {
        units[0]: 2,
        units[1]: 3,
    }
    assert sorted(found[0] for found in held(store.changes("notes", whole=True)).values()) == [1, 9]
    assert store.spans_of("notes", units) == {units[0]: Span(0, 11, ""), units[1]: Span(12, 23, "Title")}
    assert store.all_spans_of("notes", [number]) == {number: [Span(0, 11, ""), Span(12, 23, "Title")]}
    hash = content_hash(whole.content or "")
    assert [passage.heading for passage in store.cuts_of("notes", [hash])[hash][1].passages] == ["", "Title"]

    store.put("notes", [row("long", 5, content="another text")])
    second = store.changes("notes", first.version)
    assert (second.numbers.tolist(), second.vectors[:, 0].tolist()) == ([units[0]], [5])
    assert store.spans_of("notes", units) == {}
    assert store.cuts_of("notes", [hash]) == {}


def long_texts_are_found_once(store: Store) -> None:
    """`uncut` gives the long texts that have no passages yet, and after all were taken those alone that came later."""
    store.create("notes", SETTINGS)
    store.put("notes", [row("a", 1, content="short"), row("b", 2, content="long " * 9), row("c", 3, content="also long " * 9)])
    found = list(store.uncut("notes", 20))
    assert [each.id for each in found] == ["b", "c"]
    none = Cut([], np.empty((0, DIM), np.float32))
    store.put_cuts("notes", [replace(each, vector=vector(7), cut=none) for each in found])
    assert store.get("notes", ["b"])["b"].vector[0] == 7
    assert list(store.uncut("notes", 20)) == []
    store.put("notes", [row("d", 4, content="long again " * 9)])
    assert [each.id for each in store.uncut("notes", 20)] == ["d"]


def touch_leaves_vectors(store: Store) -> None:
    """Metadata, missing content and source labels are brought up to date; what is the same counts for nothing."""
    store.create("notes", SETTINGS)
    store.put("notes", [Row("a", vector(1), None, content_hash("text"), {"x": 1}), row("b", 2)])
    same = Document("a", "text", {"x": 1})
    assert store.touch("notes", [same, Document("missing", "text")], store=False) == 0
    assert store.touch("notes", [same], store=True) == 1
    assert store.get("notes", ["a"])["a"].content == "text"
    assert store.touch("notes", [same], store=True) == 0
    assert store.touch("notes", [Document("a", "another text")], store=True) == 0, "metadata None leaves what is stored"
    assert store.touch("notes", [Document("a", "text", {"x": 2})], store=True, source="s") == 1
    assert store.touch("notes", [Document("a", "text", {"x": 2})], store=True, source="s") == 0
    found = store.get("notes", ["a"])["a"]
    assert (found.content, found.metadata, found.vector[0]) == ("text", {"x": 2}, 1.0)
    assert store.touch("notes", [Document("a", "text", {})], store=True) == 1
    assert store.get("notes", ["a"])["a"].metadata is None
    assert store.prune("notes", "s", []) == ["a"]


def prune_takes_one_source(store: Store) -> None:
    """Rows of that source that are not kept go; others and unlabelled rows stay."""
    store.create("notes", SETTINGS)
    store.put("notes", [row("a"), row("b"), row("c")], source="folder")
    store.put("notes", [row("x")], source="other")
    store.put("notes", [row("y"), row("b", 5)])  # b keeps its label
    assert store.prune("notes", "folder", (id for id in ["a", "new"])) == ["b", "c"]
    assert store.prune("notes", "folder", ["a"]) == []
    assert store.prune("notes", "nobody's", []) == []
    assert sorted(found.id for found in store.scan("notes")) == ["a", "x", "y"]


def named_vectors_are_paired_with_their_items(store: Store) -> None:
    """`named` tells collections that say so from others with a slash; `paired` knows which rows are of the same item."""
    for name, named in (("shop", False), ("shop/title", True), ("shop/own", False), ("shop/a/b", True), ("shops/x", True)):
        store.create(name, replace(SETTINGS, named=named))
    assert store.named("shop") == ["shop/title"]
    assert store.named("shop/title") == []
    store.put("shop", [row(id) for id in "abc"])
    store.put("shop/title", [row(id) for id in "cxa"])
    pairs = store.paired("shop", "shop/title")
    here, there = pairs.numbers.tolist(), pairs.others.tolist()
    assert not pairs.every, "one row of the other has no partner"
    assert store.paired("shop/title", "shop").every is False
    assert here == sorted(here)
    assert list(store.ids_of("shop", here).values()) == ["a", "c"]
    assert [store.ids_of("shop/title", there)[number] for number in there] == ["a", "c"]
    store.delete("shop", ["a"])
    assert len(store.paired("shop", "shop/title").numbers) == 1
    assert len(store.paired("shop", "shops/x").numbers) == 0
    store.delete("shop/title", ["a", "x"])
    assert store.paired("shop", "shop/title").every
    refuses(NotFound, lambda: store.paired("shop", "none"))


def texts_find_their_vectors(store: Store) -> None:
    """`vectors_of`: the same text under two ids has one hash; unknown hashes are left out."""
    store.create("notes", SETTINGS)
    store.put("notes", [row("a", 1, content="same"), row("b", 1, content="same"), row("c", 3, content="other")])
    found = store.vectors_of("notes", [content_hash("same"), content_hash("none")])
    assert {hash: list(vector) for hash, vector in found.items()} == {content_hash("same"): [1, 0, 0, 0]}
    assert store.count("notes") == 3


def lists_of_related_items_are_kept(store: Store) -> None:
    """Lists are replaced item by item, in one transaction, on top of what their maker knew; they go with the collection."""
    for name in ("notes", "other"):
        store.create(name, SETTINGS)
        store.put(name, [row(id) for id in "abc"])
        assert (store.listed(name), store.last_listed(name), store.listing(name, "abc")) == (None, {}, set())
        assert list(store.similarities(name)) == []
    first, second = Listed(store.changes("notes").version, 2), Listed(store.changes("notes").version + 1, 2)
    both = [("a", [("b", 0.5), ("c", 0.5)]), ("b", [("a", 0.5)])]
    assert store.put_lists("notes", both, gone=[], before=None, now=first) == (3, 0)
    assert store.listed("notes") == first
    assert store.last_listed("notes") == {"a": (2, 0.5), "b": (1, 0.5)}
    assert store.listing("notes", ["b", "c", "nobody"]) == {"a"}
    refuses(StoreError, lambda: store.put_lists("notes", [("b", [])], gone=[], before=None, now=second))
    changed = [("a", [("c", 0.75), ("b", 0.5)])]
    assert store.put_lists("notes", changed, gone=["b", "nobody"], before=first, now=second) == (1, 1)
    assert list(store.similarities("notes")) == [("a", "c", 0.75), ("a", "b", 0.5)]
    assert store.listed("other") is None
    store.drop("notes")
    store.create("notes", SETTINGS)
    assert store.listed("notes") is None
    assert list(store.similarities("notes")) == []


def transactions_nest(store: Store) -> None:
    """All of an `atomic` block or nothing; an inner block that fails undoes itself alone."""
    store.create("notes", SETTINGS)
    try:
        with store.atomic():
            store.put("notes", [row("a")])
            raise KeyError("outer")
    except KeyError:
        pass
    assert store.count("notes") == 0
    with store.atomic():
        store.put("notes", [row("b")])
        refuses(BadVector, lambda: store.put("notes", [row("c", np.nan)]))
        store.put("notes", [row("d")])
    assert [found.id for found in store.scan("notes")] == ["b", "d"]
    assert len(store.changes("notes").numbers) == 2
    with store.snapshot(), store.snapshot():
        assert store.count("notes") == 2


CHECKS: tuple[Callable[[Store], None], ...] = (
    collections_remember_what_made_them,
    rows_come_back_as_they_were_put,
    odd_ids_are_ordinary,
    bad_vectors_store_nothing,
    numbers_survive_replacement,
    changes_are_of_one_collection,
    passages_come_with_their_document,
    long_texts_are_found_once,
    touch_leaves_vectors,
    prune_takes_one_source,
    named_vectors_are_paired_with_their_items,
    texts_find_their_vectors,
    lists_of_related_items_are_kept,
    transactions_nest,
)


def check_store(make_store: Callable[[], Store]) -> None:
    """Run every check of the contract, each on a store of its own.

    Parameters
    ----------
    make_store : gives a fresh, empty store each time it is called; it is closed afterwards

    Raises
    ------
    AssertionError : the store does something else than the contract says
    """
    for check in CHECKS:
        store = make_store()
        try:
            check(store)
        finally:
            store.close()
