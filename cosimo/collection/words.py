"""Words: the hall's word tables: `load` a file, ask it, put it into a collection; and the tokens of a text in context.

Every method is a short one; `verbs/words.py` and its neighbours do the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import config
from .arguments import several

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from ..core.types import Embedder, Vector, Vectors
    from ..embedders.context import TokenVectors
    from ..embedders.word_table import WordTable
    from ..embedders.word_training import Trained
    from ..verbs.word_tests import Analogies, Likeness
    from ..verbs.words import Neighbour, OddOne
    from .collection import Collection


def load(path: str | Path, *, limit: int | None = None) -> Words:
    """The words of a file: word2vec (binary or text), GloVe, or fastText.

    Parameters
    ----------
    limit : read this many words from the beginning alone

    Raises
    ------
    UnreadableSource : no word file, or one that is cut short or damaged
    MissingExtra : fastText's `.bin`, and gensim is not installed
    """
    from ..embedders.word_files import read

    return Words(read(path, limit=limit))


def made_of(words: Sequence[str], vectors: ArrayLike) -> Words:
    """A table of words and their vectors (n, dim) from elsewhere.

    Raises
    ------
    BadVector : NaN, infinity or ragged
    DataError : not one vector a word, a word twice, or an empty one
    """
    from ..core.errors import DataError
    from ..core.vectors import checked
    from ..embedders.word_table import Held, WordTable

    words, matrix = several(words), checked(vectors)
    if "" in words:
        raise DataError("a word is empty; give each vector a word")
    index = {word: number for number, word in enumerate(words)}
    if not len(words) == len(index) == len(matrix):
        raise DataError(f"{len(index)} different words and {len(matrix)} vectors; give one vector for each word")
    return Words(WordTable(index, Held(matrix), "these words"))


def one_hot(words: Sequence[str]) -> Words:
    """A table in which each word is 1 at a place of its own: no word is like another. The baseline before embeddings.

    Raises
    ------
    DataError : no words, or more than 10,000
    """
    from ..embedders.word_table import one_hot

    return Words(one_hot(several(words)))


def embed_tokens(text: str, *, model: str | Embedder | None = None) -> TokenVectors:
    """The tokens of a text, where each stands, and its vector in this text, by a local model (left out: the default).

    Parameters
    ----------
    model : its name, or one that is loaded already, for many texts

    Raises
    ------
    ConfigError : a model whose tokens cannot be seen
    DataError : an empty text
    """
    from ..embedders.context import embed_tokens
    from .models import load_embedder

    if model is None or isinstance(model, str):
        model = load_embedder(model or config.default_model(), cache=False)
    return embed_tokens(model, text)


def train(
    texts: Iterable[str],
    target: str | Path,
    *,
    kind: str = "word2vec",
    dim: int = 100,
    window: int = 5,
    min_count: int = 5,
    epochs: int = 5,
    skipgram: bool = True,
    seed: int = 0,
    threads: int = 1,
) -> Trained:
    """Learn a vector for each word of some texts, and write them to a file that `load` reads. Through gensim.

    Parameters
    ----------
    target : `.bin` (word2vec's binary form; with `kind="fasttext"` fastText's, parts of words included), else text
    kind : word2vec or fasttext
    window, min_count, epochs : words on either side; how often a word must occur; how often the texts are read
    skipgram : guess the words around from the word; False, the word from those around
    threads : with one, the same texts and seed give the same vectors

    Raises
    ------
    MissingExtra : gensim is not installed
    DataError : no word occurs often enough
    """
    from ..embedders.word_training import train

    texts = [texts] if isinstance(texts, str) else texts
    return train(
        texts, target, kind=kind, dim=dim, window=window, min_count=min_count, epochs=epochs, skipgram=skipgram, seed=seed,
        threads=threads,
    )  # fmt: skip


class Words:
    """A table of word vectors, and what can be asked of it. Made by `load`, `made_of` and `one_hot`."""

    def __init__(self, table: WordTable) -> None:
        self.table = table

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.table.dim

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd about the file, a sentence each."""
        return self.table.notes

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.index)

    def __contains__(self, word: object) -> bool:
        return word in self.table.index

    def __repr__(self) -> str:
        return f"<cosimo.Words {self.table.name}: {len(self):,} words of {self.dim} numbers>"

    def vector(self, word: str) -> Vector:
        """A word's vector as the file has it, (dim,) float32; case and `_` for spaces need not be right.

        Raises
        ------
        NotFound : no such word
        """
        return self.table.vector(word)

    def neighbours(self, expression: str, k: int = 10, *, with_inputs: bool = False) -> list[Neighbour]:
        """The k words nearest to a word, or to a sum such as `germany + paris - france`, best first.

        Parameters
        ----------
        with_inputs : let the words that were given be answers too

        Raises
        ------
        NotFound : a word that is not in the table; the message names those that are spelled alike
        DataError : no expression
        BadVector : what is added and what is taken away cancel each other out
        """
        from ..verbs.words import neighbours

        return neighbours(self.table, expression, k, with_inputs=with_inputs)

    def similarity(self, a: str, b: str) -> float:
        """Cosine similarity of two words, or of two sums of words.

        Raises
        ------
        NotFound, DataError, BadVector : as `neighbours`
        """
        from ..verbs.words import similarity

        return similarity(self.table, a, b)

    def odd_one_out(self, words: Sequence[str]) -> OddOne:
        """Which of three or more words fits the others least.

        Raises
        ------
        NotFound, DataError : as `neighbours`
        """
        from ..verbs.words import odd_one_out

        return odd_one_out(self.table, several(words))

    def analogies(self, path: str | Path) -> Analogies:
        """How many analogies of a file are answered (`questions-words.txt`), by section.

        Raises
        ------
        UnreadableSource : no such file
        DataError : no question has all its words in the table
        """
        from ..sources.word_questions import load_analogies
        from ..verbs.word_tests import analogies

        return analogies(self.table, load_analogies(path))

    def likeness(self, path: str | Path) -> Likeness:
        """How well cosines order the pairs of a file (WordSim, SimLex), compared with people: Spearman's correlation.

        Raises
        ------
        UnreadableSource : no such file
        DataError : fewer than four pairs are known
        """
        from ..sources.word_questions import load_word_pairs
        from ..verbs.word_tests import likeness

        return likeness(self.table, load_word_pairs(path))

    def sentences(self, texts: Sequence[str], *, sif: bool = False) -> Vectors:
        """Unit vectors (n, dim) of texts, from their words; a text without a known word is zero.

        Parameters
        ----------
        sif : frequent words count for less, and what all these texts have in common is taken out (Arora et al. 2017).
            `words:FILE@sif` as a model does the first alone. The most frequent words must stand first in the file

        Raises
        ------
        DataError : something that is not text
        ConfigError : `sif`, and nothing says how frequent the words are
        """
        from ..core.content import texts_of
        from ..core.vectors import normalised
        from ..embedders.words import TextsOfWords, without_common

        means = TextsOfWords(self.table, sif=sif).means(texts_of(several(texts), self.table.name))
        return normalised(without_common(means) if sif else means)

    def into(self, collection: Collection) -> tuple[int, int]:
        """Store every word in a collection under itself: (words stored, words left out, whose vector is no number).

        Give the collection the model `words:FILE`, and texts can be searched for too.

        Raises
        ------
        DimensionMismatch : the collection holds vectors of another length
        """
        from ..verbs.words import put_into

        return put_into(self.table, lambda words, vectors: collection.add_vectors(words, vectors, words))

    def save(self, path: str | Path) -> None:
        """Write the table as word2vec has it: binary for `.bin`, else text.

        Raises
        ------
        UnreadableSource : the file cannot be written
        """
        from ..embedders.word_writing import write

        write(path, self.table)
