"""Word tests: a table of word vectors and questions with known answers → how many it answers. Reads no file.

Analogies as word2vec's own compute-accuracy and gensim count them: words without case, of words that differ in case alone the
more frequent one; the answer is the word nearest to b - a + c, of unit vectors, a, b and c left out; a question counts where
all its four words are in the table. With word2vec-8k.bin and questions-words.txt that gives 4,686 questions and 0.784. The
choices matter: with the case as it is written 3,852 are covered (0.753), with a, b and c allowed as answers 0.255 are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..core.errors import DataError
from .evaluate import spearman

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..embedders.word_table import WordTable
    from ..sources.word_questions import WordPair

    Numbers = NDArray[np.int64]

MOST = 300_000  # most frequent words that may be answers, as gensim has it: more cost time and answer less
TOGETHER = 512  # questions at a time: 600 MB of cosines with 300,000 words


@dataclass(frozen=True, slots=True)
class Section:
    """One section's questions: how many there are, how many the table has all words of, how many it answers."""

    name: str
    questions: int
    covered: int
    right: int

    @property
    def accuracy(self) -> float | None:
        """Right ones among those covered; None where none is."""
        return self.right / self.covered if self.covered else None


@dataclass(frozen=True, slots=True)
class Analogies:
    """How many analogies are answered; `total` is of all sections."""

    total: Section
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Spearman's correlation of cosines with people's scores, its 95% interval, and of how many pairs both words are known."""

    spearman: float
    low: float
    high: float
    pairs: int
    covered: int


def analogies(table: WordTable, questions: Mapping[str, Sequence[tuple[str, str, str, str]]]) -> Analogies:
    """How many of `a is to b as c is to d` the table answers, by section.

    Raises
    ------
    DataError : no question has all its words in the table
    """
    import numpy as np

    from ..core.vectors import normalised

    place, numbers = _caseless(table)
    asked = [(section, [place.get(word.lower()) for word in each]) for section, rows in questions.items() for each in rows]
    covered = [(section, row) for section, row in asked if None not in row]
    if not covered:
        raise DataError(f"{table.name} has not all four words of any of the {len(asked):,} questions")
    units = normalised(table.take(numbers))  # (words, dim)
    wanted = np.array([row for _, row in covered], np.int64)
    right = np.concatenate([_right(units, wanted[start : start + TOGETHER]) for start in range(0, len(wanted), TOGETHER)])
    sections = []
    for name, rows in questions.items():
        here = np.array([section == name for section, _ in covered], bool)
        sections.append(Section(name, len(rows), int(here.sum()), int(right[here].sum())))
    total = Section("total", len(asked), len(covered), int(right.sum()))
    return Analogies(total, tuple(sections))


def _caseless(table: WordTable) -> tuple[dict[str, int], Numbers]:
    """(word in lower case → place, the number in the table of the word at each place)."""
    import numpy as np

    place: dict[str, int] = {}
    numbers: list[int] = []
    for number, word in enumerate(islice(table.index, MOST)):
        if place.setdefault(word.lower(), len(numbers)) == len(numbers):
            numbers.append(number)
    return place, np.array(numbers, np.int64)


def _right(units: NDArray[np.float32], wanted: Numbers) -> NDArray[np.bool_]:
    """(q,) whether the nearest to b - a + c is d."""
    import numpy as np

    a, b, c, d = wanted.T
    scores = (units[b] - units[a] + units[c]) @ units.T  # (q, dim) @ (dim, words) -> (q, words)
    scores[np.arange(len(wanted))[:, None], wanted[:, :3]] = -np.inf
    found: NDArray[np.bool_] = scores.argmax(axis=1) == d
    return found


def likeness(table: WordTable, pairs: Iterable[WordPair]) -> Likeness:
    """How well cosines order pairs of words, compared with people. Pairs with a word that is not known are left out.

    Raises
    ------
    DataError : fewer than four pairs are known, or all scores are the same
    """
    import numpy as np

    from ..core.vectors import normalised

    pairs = list(pairs)
    found = [(pair.score, table.known(pair.a), table.known(pair.b)) for pair in pairs]
    known = [(score, a, b) for score, a, b in found if a is not None and b is not None]
    if len(known) < 4:
        raise DataError(f"{table.name} has both words of {len(known)} of the {len(pairs):,} pairs; a correlation needs four")
    one, other = (normalised(table.take(numbers)) for numbers in ([a for _, a, _ in known], [b for _, _, b in known]))
    cosines = np.einsum("ij,ij->i", one, other)
    result = spearman([score for score, _, _ in known], cosines)
    return Likeness(result.value, result.low, result.high, len(pairs), len(known))
