"""Words: texts → the mean of their words' vectors, from a file of word vectors (`words:glove.6B.100d.txt`). Reads no format.

`words:FILE` is the plain mean. `words:FILE@sif` lets frequent words count for less: each for a / (a + p), p how often it occurs
(smooth inverse frequency; Arora, Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings"). The second
half of that method, the removal of what a set of texts has in common, depends on the set; see `without_common`. An embedder
gives a text the same vector whatever stands beside it, so it goes without: 0.665 instead of 0.680 (Spearman, STS-Benchmark dev,
word2vec-8k.bin; the mean has 0.523). A component made from the table's own words in place of the texts lowered it by 0.006.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.content import texts_of
from ..core.errors import ConfigError, ModelNotFound
from ..core.types import Embedded, ModelSpec
from . import weights, word_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..core.types import Content, Role, Vectors
    from .word_table import WordTable

WINDOW = 512  # words; of a longer text cosimo makes passages
SIF = "@sif"
A = 1e-4  # of the 1e-3 to 1e-5 that the authors found to differ little; 1e-3 was 0.007 lower (as above)
# p of the r-th word is 1 / (r + 2.7), summed to 1 (Mandelbrot 1953): files have words by frequency, without the numbers
ZIPF = 2.7
LOOKED_AT = 200  # first words: where these are in alphabetical order, all are
_CJK = "㐀-鿿豈-﫿぀-ヿ"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['’_-][^\W_{_CJK}]+)*")
_CHINESE = re.compile(f"[{_CJK}]+")
# not the `s` of `Syria's`, whose vector is that of the letter: 0.577 instead of 0.544 (@sif, STS-Benchmark test)
_PART = re.compile(r"[^\W_]{2,}")
LONGEST = 8  # characters of a Chinese or Japanese word


def words_of(text: str) -> list[str]:
    """The words of a text as they are written, without punctuation; Chinese and Japanese ones run together still."""
    return _WORD.findall(text)


class WordsEmbedder:
    """A file of word vectors as a model of texts.

    Parameters
    ----------
    name : the file; `@sif` at the end weighs words by how rare they are

    Raises
    ------
    ModelNotFound : no such file
    UnreadableSource : no word file, or a damaged one
    ConfigError : `@sif`, and nothing says how frequent the words are
    """

    def __init__(self, name: str) -> None:
        path = Path(name).expanduser()
        self._sif = not path.exists() and name.endswith(SIF)
        self.path = Path(name.removesuffix(SIF)).expanduser().absolute() if self._sif else path.absolute()
        if not self.path.is_file():
            raise ModelNotFound(f"there is no file of word vectors at {self.path}; write words: and its path")
        self.table = word_files.read(self.path)
        self._texts = TextsOfWords(self.table, sif=self._sif)

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its name has the whole path, its revision is the SHA-256 of the file."""
        return ModelSpec(
            name=f"words:{self.path}{SIF if self._sif else ''}",
            dim=self.table.dim,
            revision=weights.remembered(self.path),
            max_tokens=WINDOW,
            pooling=f"sif {A:g}" if self._sif else "mean",
            normalized=False,  # a text without a known word is zero
            price=0.0,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Unit vectors (n, dim) float32 in the order asked; a text without a known word is zero, which is found nowhere.

        Raises
        ------
        DataError : content that is not text
        """
        import numpy as np

        from ..core.vectors import normalise

        texts = texts_of(contents, "words:")
        order = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        found = [words_of(text) for text in order]
        vectors = self._texts.means_of([words[:WINDOW] for words in found])
        normalise(vectors)
        rows = np.fromiter((order[text] for text in texts), np.int64, len(texts))
        read = sum(min(len(words), WINDOW) for words in found)
        return Embedded(vectors[rows], read, [at for at, row in enumerate(rows) if len(found[row]) > WINDOW])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words in each text, known or not, uncut; Chinese and Japanese ones that run together count as one."""
        return [len(words_of(text)) for text in texts]

    def close(self) -> None:
        """The table goes with the object."""


class TextsOfWords:
    """Texts as the mean of their words.

    Parameters
    ----------
    sif : weigh words by how rare they are

    Raises
    ------
    ConfigError : `sif`, and nothing says how frequent the words are
    """

    def __init__(self, table: WordTable, *, sif: bool = False) -> None:
        self.table = table
        self._sif = sif
        if sif:
            self._refuse_alphabetical()

    def means(self, texts: Sequence[str]) -> Vectors:
        """The weighted mean of each text's words, (n, dim) float32, of any length; no text is cut."""
        return self.means_of([words_of(text) for text in texts])

    def means_of(self, texts: Sequence[Sequence[str]]) -> Vectors:
        """The same of texts that are words already."""
        import numpy as np

        means = np.zeros((len(texts), self.table.dim), np.float32)
        for row, words in enumerate(texts):
            numbers, made = self._known(words)
            rows = np.concatenate([self.table.take(numbers), *made])
            weights = np.concatenate([self._weights[numbers], np.ones(len(made), np.float32)])
            usable = np.isfinite(rows).all(axis=1)
            if usable.any():
                means[row] = weights[usable] @ rows[usable] / np.float32(usable.sum())  # (m,) @ (m, dim) -> (dim,)
        return means

    def _known(self, words: Sequence[str]) -> tuple[list[int], list[Vectors]]:
        """(numbers of the words that the table has, vectors (1, dim) made from the parts of those that it has not)."""
        numbers, made = [], []
        for word in words:
            for known in self._pieces(word):
                if isinstance(known, int):
                    numbers.append(known)
                elif self.table.compose is not None and (vector := self.table.compose(known)) is not None:
                    made.append(vector[None])
        return numbers, made

    def _pieces(self, word: str) -> Iterator[int | str]:
        """The word's number, or those of its parts: of `e-mail`, and of a run of Chinese the longest known words in turn."""
        number = self.table.known(word)
        if number is not None:
            yield number
        elif _CHINESE.fullmatch(word):
            yield from self._segments(word)
        else:
            parts = _PART.findall(word)
            if len(parts) < 2:
                yield word
                return
            for part in parts:
                known = self.table.known(part)
                yield part if known is None else known

    def _segments(self, run: str) -> Iterator[int]:
        start = 0
        while start < len(run):
            for end in range(min(start + LONGEST, len(run)), start, -1):
                number = self.table.index.get(run[start:end])
                if number is not None:
                    yield number
                    break
            else:
                end = start + 1
            start = end

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        """(words,) what each counts for."""
        import numpy as np

        if not self._sif:
            return np.ones(len(self.table), np.float32)
        counts = self.table.counts
        if counts is None:
            counts = 1 / (np.arange(len(self.table)) + ZIPF)
        weights: NDArray[np.float32] = (A / (A + counts / counts.sum())).astype(np.float32)
        return weights

    def _refuse_alphabetical(self) -> None:
        first = [word for word, _ in zip(self.table.index, range(LOOKED_AT), strict=False)]
        if self.table.counts is None and len(first) == LOOKED_AT and first == sorted(first):
            raise ConfigError(
                f"{self.table.name} has its words by the alphabet, and so does not tell how frequent they are; leave @sif out"
            )


def without_common(means: Vectors) -> Vectors:
    """Vectors (n, dim) less their first principal component: what all texts of the set have in common (Arora et al. 2017).

    Fewer than two texts have nothing to tell it from, and stay as they are.
    """
    import numpy as np

    if len(means) < 2 or not means.any():
        return means
    # the largest eigenvector of (dim, n) @ (n, dim): the component of the vectors as they are, not centred
    first = np.linalg.eigh((means.T @ means).astype(np.float64))[1][:, -1].astype(np.float32)
    less: Vectors = means - (means @ first)[:, None] * first
    return less
