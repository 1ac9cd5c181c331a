"""Search: a query → the best documents, by meaning, by words or by both. Embeds nothing; stores and indexes are handed in.

One collection or several: candidates of all are ranked as if they were of one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import index as whole_number
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import DataError
from ..core.terms import terms, terms_in, wanted_words
from ..core.types import Hit, Why
from ..core.units import SHIFT
from .passages import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..core.filters import Filter
    from ..core.store import Store
    from ..core.types import Index, Match, Mode, Numbers, Row, Scores, Vector

WIDER = 4  # times as many passages, where those found are of too few documents


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, in each of the collections."""

    text: str | None = None
    mode: Mode = "vector"
    k: int = 10
    filter: Filter | None = None
    prefix: str = ""
    besides: Collection[str] = ()  # ids that are left out
    min_score: float | None = None
    fts_syntax: bool = False  # the text is an expression of FTS5
    diversity: float | None = None  # 0 to 1: how much a hit that is like another one loses
    group: float | None = None  # cosine similarity from which two documents count as one


@dataclass(frozen=True, slots=True)
class Source:
    """One collection to search. `vector` (dim,) is the query as its model has it; None where words alone are searched for."""

    store: Store
    index: Index | None  # None where words alone are searched for
    collection: str
    vector: Vector | None = None
    languages: Collection[str] = ()  # that its model reads
    scale: str = ""  # vectors of the same scale are of the same model and metric, so that their scores can be compared
    whole: bool = False  # the index is one of documents by their own vectors, and knows no passages


@dataclass(frozen=True, slots=True)
class _Found:
    """One document before it is read: its source, number and scores; its units that were found with theirs, the best first."""

    source: int
    number: int
    score: float
    vector: float | None = None
    text: float | None = None
    units: tuple[tuple[int, float], ...] = ()


class _Known(NamedTuple):
    """A document that was found, as it is stored; and the ids of those that are all but the same."""

    found: _Found
    row: Row
    duplicates: tuple[str, ...] = ()


def search(sources: Sequence[Source], query: Query) -> list[Hit]:
    """The best documents, best first; fewer than k only where fewer exist that pass.

    Call inside `store.snapshot()` of all, after `store.index_text` for the modes text and hybrid.

    Raises
    ------
    DataError : k below 1, a `diversity` or `group` outside of 0 to 1, or over collections of different models
    """
    checked_k(query.k)
    allowed = [_allowed(source, query) for source in sources]
    if query.diversity is None and query.group is None:
        found = _ranked(sources, query, query.k + len(query.besides), allowed)
        known = _known(sources, query, found)[: query.k]
    else:
        known = _picked(sources, query, allowed)
    return _hits(sources, query, known)


def checked_k(k: int) -> int:
    """k itself, refused below 1."""
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 1 <= whole_number(k) < 2**31:
        raise DataError(f"the number of results must be a whole number of at least 1, not {k!r}")
    return whole_number(k)


def _allowed(source: Source, query: Query) -> Numbers | None:
    """Numbers that pass filter and prefix; None where everything does."""
    sets = []
    if query.prefix:
        sets.append(source.store.numbers_with_prefix(source.collection, query.prefix))
    if query.filter is not None:
        sets.append(source.store.numbers_that_pass(source.collection, query.filter))
    if len(sets) == 2:
        import numpy as np

        return np.intersect1d(sets[0], sets[1], assume_unique=True)
    return sets[0] if sets else None


# -- candidates and their order


def _ranked(sources: Sequence[Source], query: Query, k: int, allowed: Sequence[Numbers | None]) -> list[_Found]:
    """The k best documents of all sources, those below the lowest score left out."""
    if query.mode == "hybrid":
        found = _by_both(sources, query, k, allowed)
    else:
        lists = [_by_one(sources, query, k, allowed, place) for place in range(len(sources))]
        found = lists[0] if len(lists) == 1 else sorted((each for each_list in lists for each in each_list), key=_by_score)[:k]
    if query.min_score is not None:
        found = [each for each in found if each.score >= query.min_score]
    return found


def _by_score(found: _Found) -> tuple[float, int, int]:
    return -found.score, found.source, found.number


def _by_one(sources: Sequence[Source], query: Query, k: int, allowed: Sequence[Numbers | None], place: int) -> list[_Found]:
    """The k best of one source, by meaning or by words alone; on a scale of its own where others are on another."""
    from .fusion import CANDIDATES, mixed

    words = query.mode == "text"
    alike = len(sources) == 1 if words else len({source.scale for source in sources}) == 1
    wanted = k if alike else max(CANDIDATES, k)
    if words:
        found = _by_words(sources, query, wanted, allowed[place], place)
    else:
        found = _by_meaning(sources, wanted, allowed[place], place)
    if alike or not found:
        return found
    import numpy as np

    scores = np.array([each.score for each in found], np.float32)
    put = mixed(scores, scores, 1.0).tolist()
    return [replace(each, score=score) for each, score in zip(found[:k], put[:k], strict=True)]


def _by_meaning(sources: Sequence[Source], k: int, allowed: Numbers | None, place: int) -> list[_Found]:
    vector, index = sources[place].vector, sources[place].index
    if vector is None or index is None:
        return []
    best = nearest(index, vector, k, allowed)
    return [_Found(place, number, parts[0][1], parts[0][1], None, tuple(parts)) for number, parts in best.items()]


def nearest(index: Index, vector: Vector, k: int, allowed: Numbers | None = None) -> dict[int, list[tuple[int, float]]]:
    """The k documents with the best passages, best first: number → its units that were found, with their scores.

    More passages are asked for until they are of k documents. Fewer come only where there are no more.
    """
    asked = k
    while True:
        units, scores = index.search(vector[None], asked, allowed=allowed)
        found: dict[int, list[tuple[int, float]]] = {}
        for unit, score in zip(units[0].tolist(), scores[0].tolist(), strict=True):
            found.setdefault(unit >> SHIFT, []).append((unit, score))
        if len(found) >= k or len(units[0]) < asked:
            return dict(list(found.items())[:k])
        asked *= WIDER


def _by_words(sources: Sequence[Source], query: Query, k: int, allowed: Numbers | None, place: int) -> list[_Found]:
    store, collection, text = sources[place].store, sources[place].collection, query.text or ""
    if query.fts_syntax:
        rows = store.rows_matching(collection, text, k, allowed=allowed)
    else:
        rows = store.rows_with(collection, terms(text), k, allowed=allowed)
    return [_Found(place, number, score, text=score) for number, score in rows]


def _by_both(sources: Sequence[Source], query: Query, k: int, allowed: Sequence[Numbers | None]) -> list[_Found]:
    """The candidates of both kinds of all sources, in the order of the mix of their scores."""
    import numpy as np

    from .fusion import CANDIDATES, mixed

    wanted = max(CANDIDATES, k)
    gathered = [_both_scores(sources, query, wanted, allowed[place], place) for place in range(len(sources))]
    found = [each for each_list in gathered for each in each_list]
    if not found:
        return []
    weights = np.concatenate([_weights(sources[place], query, each_list) for place, each_list in enumerate(gathered)])
    scores = mixed(_meanings(sources, gathered), _words(gathered), weights)
    best = np.argsort(-scores, kind="stable")[:k].tolist()
    return [replace(found[at], score=float(scores[at])) for at in best]


def _weights(source: Source, query: Query, found: Sequence[_Found]) -> Scores:
    """(n,) how much meaning counts against words, by how far both agree within the source."""
    import numpy as np

    from .fusion import weight_of_vectors

    by_words = [each.number for each in sorted(found, key=lambda each: -(each.text or 0.0)) if each.text is not None]
    by_meaning = [each.number for each in sorted(found, key=lambda each: -(each.vector or 0.0)) if each.vector is not None]
    weight = weight_of_vectors(query.text or "", by_words, by_meaning, source.languages)
    return np.full(len(found), weight, np.float32)


def _both_scores(sources: Sequence[Source], query: Query, wanted: int, allowed: Numbers | None, place: int) -> list[_Found]:
    """The candidates of one source by meaning and by words, with both scores, by number."""
    import numpy as np

    words = _by_words(sources, query, wanted, allowed, place)
    meaning = _by_meaning(sources, wanted, allowed, place)
    text = {each.number: each.score for each in words}
    missing = np.array(sorted(text.keys() - {each.number for each in meaning}), np.int64)
    if len(missing):
        meaning += _by_meaning(sources, len(missing), missing, place)
    found = {each.number: replace(each, text=text.get(each.number)) for each in meaning}
    for each in words:
        found.setdefault(each.number, each)
    return [found[number] for number in sorted(found)]


def _meanings(sources: Sequence[Source], gathered: Sequence[Sequence[_Found]]) -> Scores:
    """(n,) scores by meaning of all candidates, on one scale: of different models, how far above their average they are."""
    import numpy as np

    from .fusion import standardised

    several = len({source.scale for source in sources}) > 1
    lists = []
    for found in gathered:
        worst = min((each.vector for each in found if each.vector is not None), default=0.0)  # for one without a usable vector
        scores = np.array([worst if each.vector is None else each.vector for each in found], np.float32)
        lists.append(standardised(scores) if several and len(scores) else scores)
    return np.concatenate(lists)


def _words(gathered: Sequence[Sequence[_Found]]) -> Scores:
    """(n,) BM25 of all candidates. How rare a word is differs between collections: of several, each on a scale of its own."""
    import numpy as np

    from .fusion import standardised

    lists = [np.array([each.text or 0.0 for each in found], np.float32) for found in gathered]
    return np.concatenate(lists if len(lists) == 1 else [standardised(scores) if len(scores) else scores for scores in lists])


# -- what is kept of the order


def _comparable(sources: Sequence[Source], query: Query) -> bool:
    """Whether scores are on the scale of cosines."""
    return query.mode == "hybrid" or (
        query.mode == "vector" and all(source.index is not None and source.index.metric == "cosine" for source in sources)
    )


def _known(sources: Sequence[Source], query: Query, found: Sequence[_Found], *, vectors: bool = False) -> list[_Known]:
    """Documents with what is stored of them, those to leave out left out."""
    rows = [
        source.store.rows_of(source.collection, [each.number for each in found if each.source == place], vectors=vectors)
        for place, source in enumerate(sources)
    ]
    known = [_Known(each, rows[each.source][each.number]) for each in found if each.number in rows[each.source]]
    return [each for each in known if each.row.id not in query.besides] if query.besides else known


def _picked(sources: Sequence[Source], query: Query, allowed: Sequence[Numbers | None]) -> list[_Known]:
    """The k best that are different enough: near-duplicates under their best one, the order by relevance and novelty."""
    from .diversity import diverse, groups, unit_vectors
    from .fusion import CANDIDATES

    for name, value in (("diversity", query.diversity), ("group", query.group)):
        if value is not None and not 0 <= value <= 1:
            raise DataError(f"{name} must be between 0 and 1, not {value!r}")
    if len({source.scale for source in sources}) > 1:
        raise DataError(
            "diversity and group compare vectors, and those of different models cannot be; search one model's at a time"
        )
    asked = max(CANDIDATES, WIDER * query.k)
    while True:
        found = _ranked(sources, query, asked, allowed)
        known = _known(sources, query, found, vectors=True)
        vectors = unit_vectors([each.row.vector for each in known])
        members = groups(vectors, query.group) if query.group is not None else [[place] for place in range(len(known))]
        if len(members) >= query.k or len(found) < asked:
            break
        asked *= WIDER
    leaders = [group[0] for group in members]
    relevance = [known[place].found.score for place in leaders]
    order = diverse(vectors[leaders], relevance, query.k, query.diversity or 0.0, comparable=_comparable(sources, query))
    return [known[leaders[at]]._replace(duplicates=tuple(known[place].row.id for place in members[at][1:])) for at in order]


def _hits(sources: Sequence[Source], query: Query, known: Sequence[_Known]) -> list[Hit]:
    words = _terms(query)
    placing = words or terms(query.text or "")  # by meaning alone, words still say which page of a match is meant
    passages: dict[tuple[int, int], tuple[Match, ...]] = {}
    for place, source in enumerate(sources):
        units = {each.found.number: each.found.units for each in known if each.found.source == place}
        rows = {each.found.number: each.row for each in known if each.found.source == place}
        if units:
            shown = matches(source.store, source.collection, units, rows, placing, whole=source.whole)
            passages |= {(place, number): parts for number, parts in shown.items()}
    return [
        Hit(
            each.row.id, each.found.score, each.row.content, each.row.metadata, _why(each, words),
            passages[each.found.source, each.found.number], each.duplicates, sources[each.found.source].collection,
        )
        for each in known
    ]  # fmt: skip


def _terms(query: Query) -> list[str]:
    """The words whose presence speaks for a document."""
    if not query.text or query.mode == "vector":
        return []
    return terms(wanted_words(query.text) if query.fts_syntax else query.text)


def _why(known: _Known, words: Sequence[str]) -> Why:
    content = known.row.content
    there = terms_in(content, words) if words and known.found.text is not None and isinstance(content, str) else ()
    return Why(known.found.vector, known.found.text, there)
