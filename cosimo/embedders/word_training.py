"""Word training: texts → a file of word vectors, through gensim (extra `words`): word2vec or fastText. Reads no files.

word2vec: Mikolov et al. 2013, https://arxiv.org/abs/1310.4546. fastText, which learns parts of words beside them: Bojanowski et
al. 2017, https://arxiv.org/abs/1607.04606. Texts are written to a temporary file, a line a sentence: none is held in memory.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.content import storable
from ..core.errors import ConfigError, DataError, UnreadableSource
from ..core.registry import load
from .word_writing import replacing
from .words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO

KINDS = ("word2vec", "fasttext")
LINE = 10_000  # words of a sentence that gensim reads; more are sentences of their own
_SENTENCE = re.compile(r"[.!?…]+[\s\"'”’)\]]+|[。！？；]|\n+")


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training: the file, its words, and what it was made from."""

    path: str
    kind: str
    words: int
    dim: int
    sentences: int
    tokens: int


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
    """Learn a vector for each word of some texts from the words around it, and write them.

    Parameters
    ----------
    target : `.bin` (word2vec's binary form, or with `kind="fasttext"` fastText's, parts of words included), else text
    kind : word2vec or fasttext
    window : words on either side
    min_count : words that occur less often are left out
    skipgram : guess the words around from the word (better with little text); False, the word from those around (CBOW)
    threads : with one, the same texts and seed give the same vectors; more are faster and each time a little different

    Raises
    ------
    MissingExtra : gensim is not installed
    ConfigError : no such kind, a number below 1, or vectors that memory does not hold
    DataError : no word occurs often enough, or something is no text
    UnreadableSource : the file cannot be written, or is a database
    """
    _refuse(kind, seed, {"dim": dim, "window": window, "min_count": min_count, "epochs": epochs, "threads": threads})
    maker = load("gensim.models:Word2Vec" if kind == "word2vec" else "gensim.models:FastText")
    path = Path(target).expanduser()
    if not path.parent.is_dir():
        raise UnreadableSource(f"{path} cannot be written: there is no folder {path.parent}; create it first")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "sentences.txt"
        with corpus.open("w", encoding="utf-8", newline="\n") as file:
            sentences, tokens = _write_sentences(texts, file)
        try:
            model = maker(
                corpus_file=str(corpus), vector_size=dim, window=window, min_count=min_count, epochs=epochs, sg=int(skipgram),
                seed=seed, workers=threads,
            )  # fmt: skip
        except RuntimeError as error:  # an empty vocabulary, in its words
            raise DataError(
                f"no word occurs {min_count} times in these {tokens:,} words; give more text, or a lower --min-count"
            ) from error
        except MemoryError as error:
            raise ConfigError(
                f"vectors of {dim:,} numbers for these words need more memory than there is; lower dim"
            ) from error
    _save(model, path, kind)
    return Trained(str(path), kind, len(model.wv), dim, sentences, tokens)


def _refuse(kind: str, seed: int, numbers: Mapping[str, int]) -> None:
    """Raise `ConfigError` where a number or the kind is none, before texts are read."""
    if kind not in KINDS:
        raise ConfigError(f"no kind of word vectors is called '{kind}'; known: {', '.join(KINDS)}")
    for name, value in numbers.items():
        if value < 1:
            raise ConfigError(f"{name} must be 1 or more, not {value}")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"a seed is a whole number from 0 to {2**32 - 1:,}, not {seed}")


def _write_sentences(texts: Iterable[str], file: IO[str]) -> tuple[int, int]:
    """(sentences, words) written: words in lower case, as most who look one up type it; one line a sentence."""
    sentences = tokens = 0
    for text in texts:
        for sentence in _SENTENCE.split(storable(text)):
            words = [word.replace("_", " ").strip().replace(" ", "_") for word in words_of(sentence.lower())]
            words = [piece for word in words if word for piece in _characters(word)]
            for start in range(0, len(words), LINE):
                file.write(" ".join(words[start : start + LINE]) + "\n")
                sentences += 1
            tokens += len(words)
    if not tokens:
        raise DataError("there is no word in these texts; give some text to learn from")
    return sentences, tokens


def _characters(word: str) -> Iterable[str]:
    """The word; a run of Chinese or Japanese by its characters, since nothing says where its words end."""
    return word if "㐀" <= word[0] <= "鿿" or "぀" <= word[0] <= "ヿ" else (word,)


def _save(model: Any, path: Path, kind: str) -> None:
    with replacing(path) as part:
        if kind == "fasttext" and path.suffix == ".bin":
            load("gensim.models.fasttext:save_facebook_model")(model, str(part))
        else:
            model.wv.save_word2vec_format(str(part), binary=path.suffix == ".bin")
