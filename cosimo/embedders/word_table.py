"""Word table: words with a vector each, in memory or read from the file as they are needed. Looks words up; reads no format.

Vectors of up to 1 GiB are held in memory. Of more, only the words are (3,000,000 with their places take 0.6 GB): vectors stay
in the mapped file, and whatever goes through all of them does so in blocks of 65,536.
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..core.errors import DataError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..core.types import Numbers, Scores, Vector, Vectors

BLOCK = 65_536  # rows at a time: 79 MB of 300 numbers each
SCANNED = 300_000  # words among which a misspelt one is looked for: the frequent ones, in a second at most
ONE_HOT = 10_000  # words of a one-hot table, which takes 400 MB then
_TOGETHER = str.maketrans("", "", " _-‐‑–—'’.")


class Rows(Protocol):
    """Vectors by number."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def take(self, numbers: Numbers) -> Vectors: ...  # (m, dim)

    def between(self, start: int, stop: int) -> Vectors: ...  # (stop - start, dim)


class Held:
    """Vectors in memory, or in a mapped array: (n, dim) float32."""

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        self.matrix = matrix
        self.shape: tuple[int, ...] = matrix.shape

    def take(self, numbers: Numbers) -> Vectors:
        """(m, dim), a copy."""
        return np.ascontiguousarray(self.matrix[numbers], np.float32)

    def between(self, start: int, stop: int) -> Vectors:
        """(stop - start, dim), no copy."""
        return self.matrix[start:stop]


class Mapped:
    """Vectors that lie anywhere in a mapped file, little-endian float32.

    Parameters
    ----------
    data : the file's bytes
    places : (n,) where each vector begins
    """

    def __init__(self, data: Any, places: NDArray[np.int64], dim: int) -> None:
        self.shape: tuple[int, ...] = (len(places), dim)
        self._places = places
        # every byte of the file as the beginning of a vector: numpy copies the wanted ones at memcpy's speed, aligned or not
        width = 4 * dim
        self._windows: NDArray[Any] = np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))

    def take(self, numbers: Numbers) -> Vectors:
        """(m, dim), a copy."""
        found = self._windows[self._places[numbers]].view("<f4")
        return np.ascontiguousarray(found.reshape(-1, self.shape[1]), np.float32)

    def between(self, start: int, stop: int) -> Vectors:
        """(stop - start, dim), a copy."""
        return self.take(np.arange(start, stop))


class WordTable:
    """Words and their vectors, the most frequent first where the file has them so.

    Parameters
    ----------
    index : word → number, in the order of the numbers
    rows : the vectors by number
    name : what errors call it
    counts : (n,) how often each word occurred in what it was trained on, where that is known
    compose : the vector of a word that is not in the table, from its parts (fastText); None where there is none
    notes : what was noticed on the way, a sentence each
    """

    def __init__(
        self,
        index: Mapping[str, int],
        rows: Rows,
        name: str,
        *,
        counts: NDArray[np.float64] | None = None,
        compose: Callable[[str], Vector | None] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.index = index
        self.name = name
        self.counts = counts
        self.compose = compose
        self.notes = tuple(notes)
        self._rows = rows

    def __len__(self) -> int:
        return len(self.index)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._rows.shape[1]

    @cached_property
    def words(self) -> list[str]:
        """All words, by number."""
        return list(self.index)

    # -- vectors

    def take(self, numbers: Sequence[int] | Numbers) -> Vectors:
        """The vectors of these words as the file has them, (m, dim) float32."""
        return self._rows.take(np.asarray(numbers, np.int64))

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """(number of the first, vectors (m, dim)) of all words, a block at a time."""
        for start in range(0, len(self), BLOCK):
            yield start, self._rows.between(start, min(start + BLOCK, len(self)))

    def cosines(self, queries: Vectors) -> Iterator[tuple[int, Scores]]:
        """(number of the first, cosines (q, m)) of unit vectors (q, dim) with all words, a block at a time.

        Where a word's vector is zero, NaN or infinite, the cosine is NaN.
        """
        for start, rows in self.blocks():
            with np.errstate(all="ignore"):
                yield start, (queries @ rows.T) / self._lengths(start, rows)  # (q, dim) @ (dim, m) -> (q, m)

    def _lengths(self, start: int, rows: Vectors) -> NDArray[np.float32]:
        """(m,) lengths of the vectors of a block; NaN where there is no direction. Computed once."""
        kept = self._known_lengths
        if start not in kept:
            with np.errstate(all="ignore"):
                lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64)).astype(np.float32)
            lengths[~(np.isfinite(lengths) & (lengths > 0))] = np.nan
            kept[start] = lengths
        return kept[start]

    @cached_property
    def _known_lengths(self) -> dict[int, NDArray[np.float32]]:
        return {}

    # -- words

    def known(self, word: str) -> int | None:
        """The number of a word as it is written, or in another case, or with `_` for spaces; None where there is none."""
        index = self.index
        for variant in _variants(word):
            number = index.get(variant)
            if number is not None:
                return number
        return None

    def find(self, word: str) -> int | None:
        """`known`, and where that finds nothing, the most frequent word with the same letters: `New-York` is `newyork`."""
        number = self.known(word)
        if number is None and (target := _folded(word)):
            longest = 2 * len(word) + 8
            return next((n for n, each in enumerate(self.index) if len(each) <= longest and _folded(each) == target), None)
        return number

    def vector(self, word: str) -> Vector:
        """A word's vector, (dim,) float32; from its parts where the table has none but a way to make one.

        Raises
        ------
        NotFound : no such word; the message names those that are spelled alike
        DataError : its vector is zero, NaN or infinite
        """
        number = self.find(word)
        found = self.take([number])[0] if number is not None else self.compose(word) if self.compose else None
        if found is None:
            raise self.unknown(word)
        if not (np.isfinite(found).all() and found.any()):
            raise DataError(f"the vector of '{_short(word)}' in {self.name} is zero or no number, so it is near to nothing")
        return found

    def unknown(self, word: str) -> NotFound:
        """The error for a word that is not there."""
        parts = word.split()
        if 1 < len(parts) <= 10 and all(self.known(part) is not None for part in parts):
            advice = f"write {' + '.join(parts)}"
        elif near := self.alike(word):
            advice = f"spelled alike: {', '.join(near)}"
        else:
            advice = "none is spelled alike"
        return NotFound(f"'{_short(word)}' is not among the {len(self):,} words of {self.name}; {advice}")

    def alike(self, word: str, k: int = 3) -> list[str]:
        """The k words spelled most like one, among the most frequent; fewer or none where none is."""
        from difflib import get_close_matches

        target = word.casefold()
        if not target or len(target) > 60:
            return []
        near: dict[str, str] = {}
        for each in islice(self.index, SCANNED):
            if abs(len(each) - len(target)) <= 2:
                folded = each.casefold()
                # the same beginning or end, as most slips leave it: difflib needs 10 µs a word
                if folded[:1] == target[:1] or folded[-2:] == target[-2:]:
                    near.setdefault(folded, each)
        return [near[found] for found in get_close_matches(target, near, k, 0.7)]


def one_hot(words: Sequence[str]) -> WordTable:
    """A vector for each word that is 1 at the word's own place and 0 elsewhere: no two words have anything in common.

    How computers kept words before there were embeddings; a baseline to compare with. Sums of such vectors count words.

    Raises
    ------
    DataError : no words, or more than 10,000
    """
    index = {word: number for number, word in enumerate(dict.fromkeys(word for word in words if word))}
    if not index:
        raise DataError("a table of no words has no vectors; give some words")
    if len(index) > ONE_HOT:
        raise DataError(f"one-hot vectors of {len(index):,} words are as long as that each; give at most {ONE_HOT:,} words")
    return WordTable(index, Held(np.eye(len(index), dtype=np.float32)), "these one-hot vectors")


def _variants(word: str) -> Iterator[str]:
    """Spellings to try, the likeliest first."""
    word = word.strip() if word.isascii() else unicodedata.normalize("NFC", word.strip())
    yield word
    lower = word.lower()
    yield from (lower, word.capitalize(), word.title(), word.upper())
    parts = lower.replace("-", " ").replace("_", " ").split()
    if len(parts) > 1 and not word.endswith(("-", "_")):
        for joint in ("_", "-", " "):
            joined = joint.join(parts)
            yield from (joint.join(word.replace("_", " ").split()), joined, joined.title())


def _folded(word: str) -> str:
    """Letters and digits alone, whatever their case and width."""
    return (word if word.isascii() else unicodedata.normalize("NFKC", word)).casefold().translate(_TOGETHER)


def _short(word: str) -> str:
    return word if len(word) <= 60 else f"{word[:59]}…"
