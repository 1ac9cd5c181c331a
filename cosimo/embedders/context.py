"""Context: a text → each of its tokens with its place and its vector in this text. Of local models alone; pools nothing.

What a word file cannot say: there *bank* has one vector, here it has another in every sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.content import storable
from ..core.errors import ConfigError, DataError, NotFound
from ..core.vectors import normalised

if TYPE_CHECKING:
    from ..core.types import Embedder, Vector, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The tokens of a text as the model reads it.

    `spans` are (start, end) in characters: `text[start:end]` is the token, but for its case. A word may be several tokens.
    `vectors` are (tokens, dim) float32, of any length. `cut`: the text went on behind the model's window.
    """

    text: str
    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    vectors: Vectors
    cut: bool = False

    def of(self, word: str, occurrence: int = 1) -> Vector:
        """The unit vector (dim,) of a word or phrase where it stands in the text: the mean of its tokens.

        Parameters
        ----------
        occurrence : the first, the second, …

        Raises
        ------
        NotFound : it does not stand there, or not so often, or behind the window
        """
        start, end = self._place(word, occurrence)
        inside = [number for number, (a, b) in enumerate(self.spans) if a < end and b > start]
        if not inside:
            raise NotFound(f"'{word}' stands behind the part of the text that the model reads")
        found: Vector = normalised(self.vectors[inside].mean(axis=0, keepdims=True))[0]
        return found

    def _place(self, word: str, occurrence: int) -> tuple[int, int]:
        import re

        if not word.strip():
            raise DataError("no word is empty; name one that stands in the text")
        whole = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", self.text, re.IGNORECASE))
        places = whole or list(re.finditer(re.escape(word), self.text, re.IGNORECASE))  # Chinese has no spaces
        if not 1 <= occurrence <= len(places):
            times = {0: "not at all", 1: "once"}.get(len(places), f"{len(places)} times")
            raise NotFound(f"'{word}' stands in the text {times}; name a word of it")
        return places[occurrence - 1].span()


def embed_tokens(embedder: Embedder, text: str) -> TokenVectors:
    """The tokens of a text with their vectors: the last layer's, before they are pooled; special tokens left out.

    Raises
    ------
    ConfigError : the model is not one whose tokens can be seen here
    DataError : the text is empty
    """
    reader: Any = getattr(embedder, "tokens_in_context", None)
    if reader is None:
        raise ConfigError(f"{embedder.spec.name} shows no vectors of single tokens; use a local model such as all-MiniLM-L6-v2")
    if not text.strip():
        raise DataError("the text is empty; there are no tokens in it")
    text = storable(text)
    tokens, spans, vectors, cut = reader(text)
    return TokenVectors(text, tuple(tokens), tuple(spans), vectors, cut)
