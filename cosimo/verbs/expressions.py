"""Expressions: `germany + paris - france` as people type it → words and what each counts for. Computes nothing.

+ and - (also − – — ＋ －) with or without spaces, `2*king`, quotes for words with spaces or signs in them. What is known as one
word stays one: `well-known`, `C++`. Words with nothing between them are one phrase: `new york` is `new_york`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST = 2_000  # characters
JOINED = 5  # parts with signs between them that may be one word: `state-of-the-art`
MINUS = "-−–—－‐‑"
PLUS = "+＋"
SIGNS = PLUS + MINUS
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“", "«": "»", "「": "」", "`": "`"}
_TIMES = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*[*×·]\s*")
_SPLIT = re.compile(f"([{re.escape(SIGNS)}])")


class Term(NamedTuple):
    """A word as it was written, and the factor before it."""

    word: str
    weight: float


class _Token(NamedTuple):
    kind: str  # sign, times, word or quoted
    text: str


def parse(text: str, known: Callable[[str], bool]) -> list[Term]:
    """The terms of an expression, in order.

    Parameters
    ----------
    known : whether something is a word; asked where a sign may belong to one

    Raises
    ------
    DataError : no text, no word in it, a sign without a word behind it, or more than 2,000 characters
    """
    if not isinstance(text, str):
        raise DataError(f"a word or a sum of words is a text, not {type(text).__name__}")
    if len(text) > MOST:
        raise DataError(f"an expression of {len(text):,} characters is too long; use at most {MOST:,}")
    terms: list[Term] = []
    weight, bound = 1.0, False  # bound: a sign or a factor that waits for its word
    words: list[str] = []

    def close() -> None:
        if words:
            terms.append(Term(" ".join(words), weight))
            words.clear()

    for kind, part in _tokens(text, known):
        if kind in ("sign", "times"):
            if words:
                close()
                weight = 1.0
            weight *= float(part) if kind == "times" else -1.0 if part in MINUS else 1.0
            bound = True
        else:
            words.append(part)
            bound = False
    close()
    if not terms:
        raise DataError(f"there is no word in '{_short(text)}'; write one, or a sum such as germany + paris - france")
    if bound:
        raise DataError(f"'{_short(text)}' ends with a sign; write the word behind it, or leave it out")
    return terms


def _tokens(text: str, known: Callable[[str], bool]) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
        elif character in QUOTES and (end := text.find(QUOTES[character], position + 1)) > 0:
            if quoted := text[position + 1 : end].strip():
                yield _Token("quoted", quoted)
            position = end + 1
        elif found := _TIMES.match(text, position):
            yield _Token("times", found[1])
            position = found.end()
        elif character in SIGNS:
            yield _Token("sign", character)
            position += 1
        else:
            end = position
            while end < len(text) and not text[end].isspace():
                end += 1
            end = position + _length_of_word(text[position:end], known)
            yield _Token("word", text[position:end])
            position = end


def _length_of_word(run: str, known: Callable[[str], bool]) -> int:
    """How much of what stands together is the first word: the longest beginning that is known and ends at a sign or the end."""
    ends, length = [], 0
    pieces = _SPLIT.split(run)[: 2 * JOINED + 1]  # words and signs in turn; nothing between two signs
    for number, piece in enumerate(pieces):
        length += len(piece)
        signs_end = length == len(run) or pieces[number - 1] == ""  # `C++` ends with its signs
        if piece and (number % 2 == 0 or signs_end):
            ends.append(length)
    for end in reversed(ends):
        if known(run[:end]):
            return end
    return ends[0]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
