"""Words: the words of a text as `MATCH` compares them. Scripts written without spaces are matched inside, others whole.

Upper and lower case, full and half width are the same (NFKC, case-folded); accents are not. A word is a run of letters,
digits and marks. Of a script without spaces between words (Chinese, Japanese, Thai and so on; Korean too, whose
particles hang on the noun) every run of characters is looked for as it stands, anywhere: no dictionary decides what a word is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

# Thai, Lao, Tibetan, Myanmar, Hangul, Khmer, kana (without the middle dot, which parts words), bopomofo, Han
_UNSPACED = (
    "\u0e00-\u0eff\u0f40-\u0fbc\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u3005-\u3007\u3041-\u3096\u3099-\u309f\u30a1-\u30fa"
    "\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# combining marks that Python's \w leaves out: accents, Hebrew, Arabic, the scripts of India, joiners
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff\u200c\u200d"
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_WORD = re.compile(f"[^\\W_](?:[^\\W_]|[{_MARKS}])*")


class Words(NamedTuple):
    """What has to occur: `whole` as words, `inside` anywhere."""

    whole: frozenset[str]
    inside: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.whole or self.inside)


def folded(text: str) -> str:
    """The text as it is compared."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=64)
def words(text: str) -> Words:
    """The words of a question."""
    text = folded(text)
    return Words(frozenset(_whole(text)), frozenset(_RUN.findall(text)))


def _whole(text: str) -> list[str]:
    return _WORD.findall(text if text.isascii() else _RUN.sub(" ", text))


def occur(wanted: Words, text: str) -> bool:
    """Whether all of the words are in a text."""
    text = folded(text)
    if not all(piece in text for piece in wanted.inside) or not all(word in text for word in wanted.whole):
        return False  # seen without cutting the text into words
    return not wanted.whole or wanted.whole <= set(_whole(text))
