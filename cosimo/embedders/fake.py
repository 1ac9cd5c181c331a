"""Fake: texts → vectors by hashing words and their parts. No model, no network; for tests, demonstrations and dry runs."""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

from ..core.content import texts_of
from ..core.errors import ModelNotFound
from ..core.types import Embedded, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Content, Role, Vector

REVISION = "words-and-trigrams-1"  # changes whenever the same text would get another vector
MAX_TOKENS = 512
_WORD = re.compile(r"[㐀-鿿豈-﫿぀-ヿ]|\w+|[^\w\s]")  # a Chinese or Japanese character is a word


class FakeEmbedder:
    """Vectors of hashed words and letter trigrams: deterministic everywhere, and texts that share words are near.

    Parameters
    ----------
    dim : length of the vectors, as the text after `fake:` (`fake:256`)

    Raises
    ------
    ModelNotFound : `dim` is not a whole number from 1 to 65,536
    """

    def __init__(self, dim: str = "256") -> None:
        if not (dim.isascii() and dim.isdigit() and 1 <= int(dim) <= 65_536):
            raise ModelNotFound(f"no model is called 'fake:{dim}'; write fake: and a length, as in fake:256")
        self.spec = ModelSpec(
            name=f"fake:{int(dim)}",
            dim=int(dim),
            revision=REVISION,
            max_tokens=MAX_TOKENS,
            prompts={"query": "query: "},
            pooling="sum",
            price=0.0,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Unit vectors (n, dim) float32 in the order asked; `bytes` raise `DataError`."""
        import numpy as np

        texts = texts_of(contents, self.spec.name, self.spec.prompts.get(role, ""))
        vectors = np.zeros((len(texts), self.spec.dim), np.float32)
        known: dict[str, Vector] = {}
        tokens = 0
        cut = []
        for position, text in enumerate(texts):
            words = _WORD.findall(text.lower())
            if len(words) > MAX_TOKENS:
                cut.append(position)
            if text not in known:
                tokens += min(len(words), MAX_TOKENS)
                known[text] = self._vector(words[:MAX_TOKENS])
            vectors[position] = known[text]
        return Embedded(vectors, tokens, cut)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words in each text, uncut."""
        return [len(_WORD.findall(text.lower())) for text in texts]

    def close(self) -> None:
        """Nothing is held."""

    def _vector(self, words: Sequence[str]) -> Vector:
        import numpy as np

        vector = np.zeros(self.spec.dim, np.float32)
        vector[0] = 1e-3  # so that a text without words has a direction too
        for feature, weight in _features(words):
            number = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
            vector[number % self.spec.dim] += weight if number >> 31 else -weight
        length = float(np.linalg.norm(vector))
        return vector / np.float32(length or 1)


def _features(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Whole words count most; trigrams bring `backup` near `backups`; a weak mark of order keeps anagrams apart."""
    for word in words:
        yield word, 1.0
        if len(word) > 3:
            padded = f"<{word}>"
            for start in range(len(padded) - 2):
                yield padded[start : start + 3], 0.3
    for first, second in pairwise(words):
        yield f"{first} {second}", 0.1
