"""Searching: what a caller asks, of one collection or several → vectors, modes and indexes → hits. Ranks nothing itself."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..core.errors import BadVector, DataError
from ..core.progress import note
from .indexing import Migrated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from ..core.types import Content, Hit, Mode, ModelSpec, Reranker, Vector
    from ..verbs.search import Query, Source
    from .arguments import Where
    from .questions import Questions

T = TypeVar("T")

TRIES = 2  # a collection gets a model once in its life or twice
MANY = 20_000  # texts: their words take some seconds to index


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `Collection.search`, which explains them."""

    query: Content | ArrayLike | None = None
    k: int = 10
    mode: Mode | None = None
    where: Where = None
    prefix: str = ""
    min_score: float | None = None
    plus: Sequence[Content] = ()
    minus: Sequence[Content] = ()
    like: Sequence[str] = ()
    unlike: Sequence[str] = ()
    diversity: float | None = None
    group: float | None = None
    fts_syntax: bool = False
    rerank: str | Reranker | None = None

    @property
    def combined(self) -> bool:
        """Whether the vector to search for is put together from several."""
        return bool(self.plus or self.minus or self.like or self.unlike)

    @property
    def texts(self) -> bool:
        """Whether any text is part of what is asked."""
        return self.query is not None or bool(self.plus or self.minus)


def search(collections: Sequence[Questions], request: Request) -> list[Hit]:
    """Hits of all collections, the best first."""
    if request.rerank is not None:
        from .reranking import reranked

        return reranked(collections[0], request)
    return again(lambda: _search(collections, request))


def again(ask: Callable[[], T]) -> T:
    """The answer to a question that is asked again where a collection gets another model between question and answer."""
    for _ in range(TRIES):
        try:
            return ask()
        except Migrated:
            continue
    return ask()


def _search(collections: Sequence[Questions], request: Request) -> list[Hit]:
    from ..verbs.search import Query, checked_k

    for each in collections:
        each._must_exist()
    k = checked_k(request.k)
    _refuse(collections, request)
    mode = _mode(collections, request)
    if mode != "vector":
        for each in collections:
            _index_text(each)
    filters = [each._filter(request.where) for each in collections]  # each has its places to look at
    vectors = [None] * len(collections) if mode == "text" else _vectors(collections, request)
    query = Query(
        text=request.query if isinstance(request.query, str) else None,
        mode=mode, k=k, filter=filters[0], prefix=request.prefix, besides=frozenset([*request.like, *request.unlike]),
        min_score=request.min_score, fts_syntax=request.fts_syntax, diversity=request.diversity, group=request.group,
    )  # fmt: skip
    return answer(collections, vectors, query, whole=not request.texts)


def answer(
    collections: Sequence[Questions], vectors: Sequence[Vector | None], query: Query, *, whole: bool = False
) -> list[Hit]:
    """`search` where everything is decided already: vectors are there, the mode can be had, the full text is made.

    Parameters
    ----------
    whole : compare documents by their own vectors, not by those of their passages
    """
    from ..verbs import search as verb

    words = query.mode == "text"  # needs no vectors: on a large collection of which no index is kept that would take seconds
    if len(collections) > 1 and not words:
        for each in collections:
            each._ready_to_search(whole=whole)
    with ExitStack() as stack:
        sources: list[Source] = []
        for each, vector in zip(collections, vectors, strict=True):
            index = None
            if words:
                stack.enter_context(each._store.snapshot())
            else:
                index = stack.enter_context(each._searching(whole=whole))
            languages = each.embedder.spec.languages if query.mode == "hybrid" else ()
            scale = f"{each.model} {each._settings.revision} {index.metric}" if index and len(collections) > 1 else ""
            sources.append(verb.Source(each._store, index, each.name, vector, languages, scale, whole))
        return verb.search(sources, query)


def _index_text(collection: Questions) -> None:
    pending = collection._store.text_pending(collection.name)
    if pending > MANY:
        note(f"indexing the words of {pending:,} texts of {collection.name}, once")
    if pending:
        collection._store.index_text(collection.name)


def _refuse(collections: Sequence[Questions], request: Request) -> None:
    """Raise `DataError` for what makes no sense together."""
    from .arguments import refuse_mode, refuse_no_number

    for name in ("min_score", "diversity", "group"):
        refuse_no_number(name, getattr(request, name))
    for name in ("plus", "minus", "like", "unlike"):
        of, what = (str | bytes, "texts and the bytes of pictures") if name in ("plus", "minus") else (str, "ids")
        if not all(isinstance(each, of) for each in getattr(request, name)):
            raise DataError(f"{name} takes {what}; these are {getattr(request, name)!r}"[:200])
    if request.query is None and not (request.plus or request.like):
        raise DataError("nothing to search for: give a text, a vector, or examples")
    if request.combined and request.mode in ("text", "hybrid"):
        raise DataError(
            f"mode {request.mode} searches for words, and a sum of contents or examples has none; leave the mode out"
        )
    if request.fts_syntax and (not isinstance(request.query, str) or request.combined or request.mode in ("vector", "hybrid")):
        raise DataError("an expression of FTS5 is searched for in mode text alone; leave out the other mode, or --fts-syntax")
    if (request.like or request.unlike) and len(collections) > 1:
        raise DataError("examples are items of one collection; search one at a time")
    if request.query is not None:
        refuse_mode(request.query, request.mode)
    for content in (*request.plus, *request.minus):
        refuse_mode(content, None)


def _mode(collections: Sequence[Questions], request: Request) -> Mode:
    """The mode asked for where all collections can be searched in it, else what all can."""
    if request.combined:
        return "vector"
    asked: Mode | None = "text" if request.fts_syntax else request.mode
    modes = {
        each._mode(request.query, asked) for each in collections if len(collections) == 1 or each._store.has_rows(each.name)
    }
    if not modes:  # all are empty: any will do
        return "vector"
    if len(modes) == 1:
        return modes.pop()
    for mode in ("vector", "text"):
        if modes <= {mode, "hybrid"}:
            return mode
    raise DataError("some of these collections have no stored texts and others no model, so no mode can search them together")


def _vectors(collections: Sequence[Questions], request: Request) -> list[Vector | None]:
    """The query as each collection's model has it; embedded once a model."""
    made: dict[tuple[int, int | None], Vector] = {}
    found: list[Vector | None] = []
    for each in collections:
        key = (id(each.embedder) if _to_embed(request) else 0, each.dim)
        if key not in made:
            made[key] = _vector(each, request)
        found.append(made[key])
    return found


def _to_embed(request: Request) -> bool:
    return isinstance(request.query, str | bytes) or bool(request.plus or request.minus)


def one_vector(given: ArrayLike, dim: int | None) -> Vector:
    """(dim,) what was given to search for.

    Raises
    ------
    BadVector, DimensionMismatch : no vector, several, or one of another length
    """
    from ..core.vectors import checked

    found = checked(given, dim)
    if len(found) != 1:
        raise BadVector(f"a search is for one vector, not {len(found)}; search for each in turn")
    vector: Vector = found[0]
    return vector


def _refuse_unread(spec: ModelSpec, asked: Sequence[Content]) -> None:
    """Raise `DataError` for a question of a kind that the model does not read; it says what can be done."""
    from ..core import kinds
    from ..core.content import modality_of

    for content in asked:
        kind = modality_of(content)
        if not kinds.is_read(kind, spec.modalities):
            instead = "; `cosimo align` can teach it words" if kind == "text" else ""
            raise DataError(f"the question is {kinds.unread(kind, spec.name, spec.modalities)}{instead}")


def _vector(collection: Questions, request: Request) -> Vector:
    """The query as one vector of the collection's model."""
    from ..verbs.recorded import vectors_of

    query = request.query
    texts = [query] if isinstance(query, str | bytes) else []
    texts = [*texts, *request.plus, *request.minus]
    if texts:
        _refuse_unread(collection.embedder.spec, texts)
    made = vectors_of(collection.embedder, texts, "query") if texts else []
    if query is not None and not isinstance(query, str | bytes):
        made.insert(0, one_vector(query, collection.dim))
    if not request.combined:
        one: Vector = made[0]
        return one
    from ..verbs.examples import combined

    at = len(made) - len(request.minus)
    from ..verbs.related import vector_of

    like, unlike = ([vector_of(collection._store, collection.name, id) for id in ids] for ids in (request.like, request.unlike))
    return combined(made[:at], made[at:], like, unlike)
