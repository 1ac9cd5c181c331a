"""Tokens: texts → token ids, cut to the model's window. Knows vocabulary files; no weights, no vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import ConfigError, ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHARACTERS = 8  # a token, generously: English prose has 4.5, and what falls short is read again, twice as long


class Tokens(NamedTuple):
    """One text as the model reads it."""

    ids: list[int]
    cut: bool  # the text went on behind the window


class Tokenizer:
    """A model's own `tokenizer.json`.

    Parameters
    ----------
    folder : the model's folder, or the file itself under whatever name
    window : tokens a text may have, special ones included
    lower : lower-case first

    Raises
    ------
    ModelNotFound : no tokenizer.json
    ConfigError : one that cannot be read, or a window too small for its special tokens
    """

    def __init__(self, folder: Path, window: int, *, lower: bool = False) -> None:
        import tokenizers

        path = folder if folder.is_file() else folder / "tokenizer.json"
        if not path.is_file():
            raise ModelNotFound(f"{folder} holds no model: tokenizer.json is missing")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
            self._tokenizer.no_padding()  # some files ask for it: batches are padded later, and less
            self._tokenizer.enable_truncation(window)
        except Exception as error:  # the package raises plain `Exception`
            raise ConfigError(f"cannot read {path}: {error}; fetch the model again") from error
        self._special = int(self._tokenizer.num_special_tokens_to_add(False))
        self._window = window
        self._lower = lower

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """Ids of each text, at most `window` of them, in the order given."""
        clean = [self._clean(text) for text in texts]
        heads = [_head(text, CHARACTERS * self._window) for text in clean]
        found = [Tokens(e.ids, bool(e.overflowing)) for e in self._tokenizer.encode_batch_fast(heads)]
        for place, (text, head) in enumerate(zip(clean, heads, strict=True)):
            if len(head) < len(text):
                found[place] = self._rest(text, len(head), found[place])
        return found

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special ones included: more than the window where it would be cut."""
        encodings = self._tokenizer.encode_batch_fast([self._clean(text) for text in texts])
        return [len(e.ids) + sum(len(part.ids) - self._special for part in e.overflowing) for e in encodings]

    def seen(self, text: str) -> tuple[list[int], list[str], list[tuple[int, int]], list[bool], bool]:
        """One text's (ids, tokens, places in characters, whether each is a special token, whether the text went on)."""
        if self._lower:  # letter by letter: some become two in lower case, and places would shift
            text = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
        found = self._tokenizer.encode(text)
        special = [bool(mask) for mask in found.special_tokens_mask]
        return found.ids, found.tokens, found.offsets, special, bool(found.overflowing)

    def _clean(self, text: str) -> str:
        if not text.isascii():  # surrogate halves, which no encoder takes: pairs are joined, single ones become U+FFFD
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = text.strip()
        return text.lower() if self._lower else text

    def _rest(self, text: str, size: int, found: Tokens) -> Tokens:
        """The first tokens of a long text, of which a head of `size` characters has been read.

        The head ends before white space, so its words are the text's words and its tokens the text's first tokens.
        Where that fills the window no later character can change them; else twice as much is read (white space, or
        long words that are one token), in the end everything.
        """
        while not found.cut and size < len(text):
            head = _head(text, 2 * size)
            size = len(head)
            encoding = self._tokenizer.encode(head)
            found = Tokens(encoding.ids, bool(encoding.overflowing))
        return found


def _head(text: str, limit: int) -> str:
    """The text up to the last white space before `limit`; everything where there is none, as in Chinese."""
    if len(text) <= limit:
        return text
    for place in range(limit, limit // 2, -1):
        if text[place].isspace():
            return text[:place]
    return text
