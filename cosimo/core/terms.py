"""Terms: a text → the words a full-text index holds; a query → what to ask it. CJK scripts as pairs of characters.

FTS5's own tokenizers miss every Chinese word inside a sentence (`unicode61`) or every one of two characters (`trigram`).
So runs of CJK characters are spelled as overlapping pairs before they are indexed: 数据库 becomes 数据 据库 库. The last
character stands alone as well, so that a query of one character is a prefix of some pair wherever it stands.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Han with its extensions, kana, Hangul, bopomofo: scripts that FTS5 would take for one long word
CJK = (  # inside of brackets of a regular expression
    "\u3005\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_ENDING = re.compile(r"(?<=...)(?:ing|ings|ed|er|ers|es|s|ly)$|(?<=..)(?:s)$")
MOST = 1_000  # terms of a query
_RUN = re.compile(f"[{CJK}]+")
_WORD = re.compile(f"[{CJK}]+|[^\\W_{CJK}]+")


def indexed(text: str) -> str:
    """The text as the index takes it: CJK runs as pairs, everything else as it is."""
    if text.isascii():
        return text
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} {run[0][-1]} ", unicodedata.normalize("NFKC", text))


def terms(text: str) -> list[str]:
    """The distinct terms of a query in their order, lower case: words, and CJK pairs (a lone character stays one).

    The first MOST of them: a query of more is a pasted document, and a megabyte of them took eleven seconds.
    """
    found: dict[str, None] = {}
    for run in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        found.update(dict.fromkeys(_pairs(run[0]) if _RUN.match(run[0]) else [run[0]]))
        if len(found) >= MOST:
            break
    return list(found)[:MOST]


def terms_in(text: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Which of a query's terms stand in a text: CJK anywhere, words as whole ones, whatever common ending they have.

    The index compares stems by Porter's algorithm; this knows the endings that matter for telling a reader why.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = set(_WORD.findall(folded))
    stems = {stem(word) for word in words}
    return tuple(term for term in wanted if (term in folded if _RUN.match(term) else term in words or stem(term) in stems))


def stem(word: str) -> str:
    """A word without its commonest English endings."""
    if len(word) > 3:
        word = _ENDING.sub("", word)
        if len(word) > 3 and word[-1] == word[-2]:
            return word[:-1]
        return word.removesuffix("e").removesuffix("i").removesuffix("y")
    return word


def cjk_share(text: str) -> float:
    """Share of the text's letters that are CJK, 0 to 1."""
    letters = sum(len(run) for run in _WORD.findall(text))
    return sum(len(run) for run in _RUN.findall(text)) / letters if letters else 0.0


def match_expression(query_terms: list[str]) -> str:
    """An FTS5 query for any of these terms, each quoted so that nothing in it is syntax; a lone CJK character is a prefix."""
    return " OR ".join(f'"{term}"*' if len(term) == 1 and _RUN.match(term) else f'"{term}"' for term in query_terms)


def fts_expression(text: str) -> str:
    """An expression in FTS5's own syntax, CJK runs spelled as the index has them: phrases of pairs."""
    parts = unicodedata.normalize("NFKC", text).split('"')  # every second one is inside of quotes
    for place, part in enumerate(parts):
        phrase = " ".join if place % 2 else _quoted
        parts[place] = _RUN.sub(lambda run, phrase=phrase: phrase(_pairs(run[0])), part)  # type: ignore[misc]
    return '"'.join(parts)


def wanted_words(expression: str) -> str:
    """The words of an FTS5 expression without its operators, and without what stands after NOT."""
    without = re.sub(r'\bNOT\b\s*("[^"]*"|\([^()]*\)|\S+)', " ", expression)
    return re.sub(r"\b(AND|OR|NOT|NEAR)\b", " ", without)


def _quoted(pairs: list[str]) -> str:
    phrase = f'"{" ".join(pairs)}"'
    return f"{phrase}*" if len(pairs) == 1 and len(pairs[0]) == 1 else phrase


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
