"""Words: a table of word vectors → neighbours, sums and differences, the odd one out, likeness. Opens nothing.

Sums are those of Mikolov, Yih and Zweig (2013, "Linguistic regularities in continuous space word representations"): unit
vectors are added, and what is nearest to the sum by cosine is the answer, the words that were given left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import BadVector, DataError
from .expressions import parse
from .search import checked_k

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.types import Vector, Vectors
    from ..embedders.word_table import WordTable
    from .expressions import Term

READ = 10_000  # words put into a collection at a time


class Neighbour(NamedTuple):
    """A word and its cosine similarity to what was asked for."""

    word: str
    score: float


@dataclass(frozen=True, slots=True)
class OddOne:
    """The word that is least like the others, and how like the mean of the others each is, the least first."""

    word: str
    scores: tuple[Neighbour, ...]


def neighbours(table: WordTable, expression: str, k: int = 10, *, with_inputs: bool = False) -> list[Neighbour]:
    """The k words nearest to a word or a sum of words, best first.

    Parameters
    ----------
    expression : `germany + paris - france`; see `expressions`
    with_inputs : let the words that were given be answers too; the nearest to a sum is mostly one of them

    Raises
    ------
    NotFound : a word that is not in the table; the message names those that are spelled alike
    DataError : no expression, or k below 1
    BadVector : what is added and what is taken away cancel each other out
    """
    k = checked_k(k)
    terms = parse(expression, lambda word: table.known(word) is not None)
    target = vector_of(table, terms)
    left_out = set() if with_inputs else {table.find(term.word) for term in terms}
    return _nearest(table, target, k, left_out)


def vector_of(table: WordTable, terms: Sequence[Term]) -> Vector:
    """The unit vector of a sum, (dim,) float32, each word's vector at unit length.

    Raises
    ------
    NotFound, DataError, BadVector : as `neighbours`
    """
    import numpy as np

    from ..core.vectors import normalised

    total = np.zeros(table.dim, np.float32)
    for term in terms:
        total += np.float32(term.weight) * normalised(table.vector(term.word)[None])[0]
    if float(np.linalg.norm(total)) < 1e-6 * sum(abs(term.weight) for term in terms) or not total.any():
        raise BadVector("what is added and what is taken away cancel each other out; leave something out")
    found: Vector = normalised(total[None])[0]
    return found


def _nearest(table: WordTable, target: Vector, k: int, left_out: set[int | None]) -> list[Neighbour]:
    import numpy as np

    from ..core.vectors import top_k

    wanted = min(k + len(left_out), len(table))
    numbers, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    for start, found in table.cosines(target[None]):
        best = top_k(found[0], wanted)
        numbers = np.concatenate([numbers, best + start])
        scores = np.concatenate([scores, found[0][best]])
        kept = top_k(scores, wanted)
        numbers, scores = numbers[kept], scores[kept]
    words = table.words
    pairs = zip(numbers.tolist(), np.clip(scores, -1, 1).tolist(), strict=True)
    return [Neighbour(words[number], score) for number, score in pairs if number not in left_out][:k]


def similarity(table: WordTable, a: str, b: str) -> float:
    """Cosine similarity of two words, or of two sums of words.

    Raises
    ------
    NotFound, DataError, BadVector : as `neighbours`
    """
    one, other = (vector_of(table, parse(text, lambda word: table.known(word) is not None)) for text in (a, b))
    return max(-1.0, min(1.0, float(one @ other)))


def odd_one_out(table: WordTable, words: Sequence[str]) -> OddOne:
    """Which of some words fits the others least: whose cosine with the mean of the others is the lowest.

    Raises
    ------
    NotFound : as `neighbours`
    DataError : fewer than three different words
    """
    import numpy as np

    from ..core.vectors import normalised

    words = list(dict.fromkeys(words))
    if len(words) < 3:
        raise DataError(f"to be the odd one out takes three words or more, not {len(words)}")
    units = normalised(np.stack([table.vector(word) for word in words]))  # (n, dim)
    others = normalised(units.sum(axis=0) - units)
    cosines = np.clip(np.einsum("ij,ij->i", units, others), -1, 1)
    scores = [Neighbour(words[n], float(cosines[n])) for n in np.argsort(cosines, kind="stable")]
    return OddOne(scores[0].word, tuple(scores))


def put_into(table: WordTable, add: Callable[[list[str], Vectors], int]) -> tuple[int, int]:
    """Hand all words over with their vectors, some at a time: (words handed over, words left out, whose vector is no number).

    Parameters
    ----------
    add : takes words and their vectors (m, dim)
    """
    import numpy as np

    put = left_out = 0
    words = table.words
    for start in range(0, len(table), READ):
        numbers = np.arange(start, min(start + READ, len(table)))
        rows = table.take(numbers)
        usable = np.isfinite(rows).all(axis=1) & np.array(["\0" not in words[n] for n in numbers], bool)
        left_out += int((~usable).sum())
        if usable.any():
            put += add([words[number] for number in numbers[usable]], rows[usable])
    return put, left_out
