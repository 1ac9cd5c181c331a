"""Mixing: what a caller asks of several named vectors at once → vectors, weights and indexes → hits. Fuses nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..core import kinds
from ..core.content import modality_of
from ..core.errors import DataError
from .arguments import refuse_mode, refuse_no_number
from .searching import again, one_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from ..core.types import Content, Hit, Vector
    from ..verbs.mixed import Fusion
    from .arguments import Where
    from .questions import Questions


@dataclass(frozen=True, slots=True)
class Mixture:
    """The arguments of `Collection.search_mixed`, which explains them."""

    query: Content | ArrayLike | None = None
    k: int = 10
    named: Mapping[str, Content | ArrayLike] | None = None
    weights: Mapping[str, float] | None = None
    fusion: Fusion = "weighted"
    where: Where = None
    prefix: str = ""
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What one of the spaces is asked."""

    name: str
    space: Questions
    query: Any
    weight: float


def search_mixed(collection: Questions, mixture: Mixture) -> list[Hit]:
    """Hits of the collection by what all spaces say, the best first."""
    return again(lambda: _search(collection, mixture))


def _search(collection: Questions, mixture: Mixture) -> list[Hit]:
    from ..verbs import mixed

    collection._must_exist()
    refuse_no_number("min_score", mixture.min_score)
    parts = _parts(collection, mixture)
    if not collection._store.has_rows(collection.name):
        return []
    for part in parts:
        if not part.space._store.has_rows(part.space.name):
            raise DataError(f"'{part.space.name}' holds no vectors yet; add some, or leave '{part.name}' out")
    filter = collection._filter(mixture.where)
    vectors = _vectors(parts)
    for part in parts:
        part.space._ready_to_search()
    text = next((part.query for part in parts if isinstance(part.query, str)), "")
    question = mixed.Question(mixture.k, mixture.fusion, filter, mixture.prefix, mixture.min_score, text)
    with ExitStack() as stack:
        spaces = [
            mixed.Space(part.name, part.space.name, stack.enter_context(part.space._searching()), vector, part.weight)
            for part, vector in zip(parts, vectors, strict=True)
        ]
        return mixed.search_mixed(collection._store, collection.name, spaces, question)


def _parts(collection: Questions, mixture: Mixture) -> list[_Part]:
    """Which spaces are asked, what, and how much each counts.

    Raises
    ------
    NotFound : a name that there is not
    DataError : a weight that is none, a name without a query or weight, nothing to search for
    """
    from ..verbs.named import unknown

    for what, value in (("named", mixture.named), ("weights", mixture.weights)):
        if value is not None and not isinstance(value, Mapping):
            raise DataError(f"{what} is a mapping of names, not {value!r:.60}")
    given: dict[str, Any] = dict(mixture.named or {})
    weights = mixture.weights
    spaces: dict[str, Questions] = {"": collection, **collection._spaces()}
    for name in (*given, *(weights or ())):
        if name not in spaces:
            raise unknown(collection.name, name, list(spaces)[1:])
    if weights is None:
        asked = [name for name, space in spaces.items() if name in given or _can_be_asked(space, mixture.query)]
        weights = dict.fromkeys(spaces if mixture.query is not None and not asked else asked, 1.0)
    for name in weights:
        if name not in given and mixture.query is None:
            raise DataError(f"'{name}' has a weight and nothing to be asked; name what, or give a query for all")
        given.setdefault(name, mixture.query)
    for name in given:
        if name not in weights:
            raise DataError(f"'{name}' is asked and has no weight; give it one, or leave all weights out")
    if not given:
        raise DataError("nothing to search for: give a query, or one for a name")
    for query in given.values():
        refuse_mode(query, None)
    return [_Part(name, spaces[name], given[name], _weight(name, weight)) for name, weight in weights.items()]


def _can_be_asked(space: Questions, query: Any) -> bool:
    """Whether it has anything to say to a query that is for all."""
    if query is None or not space._store.has_rows(space.name):
        return False
    if not isinstance(query, str | bytes):
        return True
    return space.model is not None and kinds.is_read(modality_of(query), space.embedder.spec.modalities)


def _weight(name: str, weight: object) -> float:
    try:
        number = float(weight) if isinstance(weight, Real) and not isinstance(weight, bool) else 0.0
    except OverflowError:  # a whole number of 400 digits
        number = inf
    if not 0 < number < inf:
        whose = f"of '{name}'" if name else "of the collection's own vectors"
        raise DataError(f"the weight {whose} must be a number above 0, not {weight!r:.60}; leave out what shall not count")
    return number


def _vectors(parts: Sequence[_Part]) -> list[Vector]:
    """The queries as each space's model has them; equal ones embedded once a model."""
    made: dict[tuple[int, Content], Vector] = {}
    return [_vector(part, made) for part in parts]


def _vector(part: _Part, made: dict[tuple[int, Content], Vector]) -> Vector:
    from ..verbs.recorded import vectors_of

    query = part.query
    if not isinstance(query, str | bytes):
        return one_vector(query, part.space.dim)
    embedder = part.space.embedder
    kind, spec = modality_of(query), embedder.spec
    if not kinds.is_read(kind, spec.modalities):
        what = kinds.unread(kind, spec.name, spec.modalities)
        raise DataError(f"'{part.space.name}' was asked with {what}; name something else for it, or weigh the others alone")
    key = (id(embedder), query)
    if key not in made:
        made[key] = vectors_of(embedder, [query], "query")[0]
    return made[key]
