"""Search: a query → the best documents, by meaning, by words or by both. Embeds nothing; store and index are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import DataError
from ..core.terms import terms
from ..core.types import Hit, Why
from ..core.units import SHIFT
from .passages import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..core.filters import Filter
    from ..core.types import Index, Match, Mode, Numbers, Row, Store, Vector

WIDER = 4  # times as many passages, where those found are of too few documents


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `text` serves the words, `vector` (dim,) the meaning; a mode takes what it needs."""

    text: str | None = None
    vector: Vector | None = None
    mode: Mode = "vector"
    k: int = 10
    filter: Filter | None = None
    prefix: str = ""
    besides: str | None = None  # an id that is left out
    min_score: float | None = None
    languages: Collection[str] = ()  # that the model reads


@dataclass(frozen=True, slots=True)
class _Found:
    """One document before it is read: its number, its scores, and its units that were found with theirs, the best first."""

    number: int
    score: float
    vector: float | None = None
    text: float | None = None
    units: tuple[tuple[int, float], ...] = ()


def search(store: Store, index: Index, collection: str, query: Query) -> list[Hit]:
    """The best documents, best first; fewer than k only where fewer exist that pass.

    Call inside `store.snapshot()`, after `store.index_text` for the modes text and hybrid.

    Raises
    ------
    DataError : k below 1
    """
    checked_k(query.k)
    allowed = _allowed(store, collection, query)
    if query.mode == "vector":
        found = _by_meaning(index, query, query.k + (query.besides is not None), allowed)
    elif query.mode == "text":
        found = _by_words(store, collection, query, query.k, allowed)
    else:
        found = _by_both(store, index, collection, query, allowed)
    if query.min_score is not None:
        found = [each for each in found if each.score >= query.min_score]
    return _read(store, collection, query, found)


def checked_k(k: int) -> int:
    """k itself, refused below 1."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise DataError(f"the number of results must be a whole number of at least 1, not {k!r}")
    return k


def _allowed(store: Store, collection: str, query: Query) -> Numbers | None:
    """Numbers that pass filter and prefix; None where everything does."""
    import numpy as np

    sets = []
    if query.prefix:
        sets.append(store.numbers_with_prefix(collection, query.prefix))
    if query.filter is not None:
        sets.append(store.numbers_that_pass(collection, query.filter))
    if not sets:
        return None
    return sets[0] if len(sets) == 1 else np.intersect1d(sets[0], sets[1], assume_unique=True)


def _by_meaning(index: Index, query: Query, k: int, allowed: Numbers | None) -> list[_Found]:
    """The k documents with the best passages: more of them are asked for until they are of k documents."""
    if query.vector is None:
        return []
    asked = k
    while True:
        units, scores = index.search(query.vector[None], asked, allowed=allowed)
        found: dict[int, list[tuple[int, float]]] = {}
        for unit, score in zip(units[0].tolist(), scores[0].tolist(), strict=True):
            found.setdefault(unit >> SHIFT, []).append((unit, score))
        if len(found) >= k or len(units[0]) < asked:
            best = list(found.items())[:k]
            return [_Found(number, parts[0][1], vector=parts[0][1], units=tuple(parts)) for number, parts in best]
        asked *= WIDER


def _by_words(store: Store, collection: str, query: Query, k: int, allowed: Numbers | None) -> list[_Found]:
    rows = store.rows_with(collection, terms(query.text or ""), k, allowed=allowed)
    return [_Found(number, score, text=score) for number, score in rows]


def _by_both(store: Store, index: Index, collection: str, query: Query, allowed: Numbers | None) -> list[_Found]:
    """The candidates of both lists with both scores, in the order of their mix."""
    import numpy as np

    from .fusion import CANDIDATES, mixed, weight_of_vectors

    wanted = max(CANDIDATES, query.k)
    meaning = _by_meaning(index, query, wanted, allowed)
    words = _by_words(store, collection, query, wanted, allowed)
    if not words and not meaning:
        return []
    text = {each.number: each.score for each in words}
    missing = np.array(sorted(text.keys() - {each.number for each in meaning}), np.int64)
    others = _by_meaning(index, query, len(missing), missing) if len(missing) else []
    units = {each.number: each.units for each in meaning + others}
    vector = {each.number: each.score for each in meaning + others}
    numbers = sorted(text.keys() | vector.keys())
    weight = weight_of_vectors(query.text or "", list(text), [each.number for each in meaning], query.languages)
    worst = min(vector.values(), default=0.0)  # a row without a usable vector
    scores = mixed(
        np.array([vector.get(number, worst) for number in numbers], np.float32),
        np.array([text.get(number, 0.0) for number in numbers], np.float32),
        weight,
    )
    best = np.argsort(-scores, kind="stable")[: query.k].tolist()
    return [
        _Found(number, float(scores[at]), vector.get(number), text.get(number), units.get(number, ()))
        for at, number in ((at, numbers[at]) for at in best)
    ]


def _read(store: Store, collection: str, query: Query, found: Sequence[_Found]) -> list[Hit]:
    """Hits with what is stored of them."""
    ids = store.ids_of(collection, [each.number for each in found])
    kept = [each for each in found if each.number in ids and ids[each.number] != query.besides][: query.k]
    rows = store.get(collection, [ids[each.number] for each in kept])
    kept = [each for each in kept if ids[each.number] in rows]
    words = terms(query.text) if query.text and query.mode != "vector" else []
    passages = matches(store, collection, {each.number: each.units for each in kept},
                       {each.number: rows[ids[each.number]].content for each in kept}, words)  # fmt: skip
    return [_hit(rows[ids[each.number]], each, words, passages[each.number]) for each in kept]


def _hit(row: Row, found: _Found, words: Sequence[str], passages: tuple[Match, ...]) -> Hit:
    folded = row.content.casefold() if words and isinstance(row.content, str) else ""
    matched = tuple(word for word in words if word in folded)
    return Hit(row.id, found.score, row.content, row.metadata, Why(found.vector, found.text, matched), passages)
