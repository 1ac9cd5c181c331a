"""Keywords: texts of several groups → the words that tell each group from the others. Reads no store, calls no model.

Class-based TF-IDF (Grootendorst, "BERTopic: neural topic modeling with a class-based TF-IDF procedure", 2022), counted in texts
instead of occurrences, so that one long text does not name its group: the share of a group's texts with a term, times how much
larger that is than among all texts. Forms of one word count together; of two neighbouring words that mostly occur together
the pair is a term too. Chinese is cut by jieba where that is installed, else into the runs of two to four characters that
occur as often as what they are made of. So are the Chinese characters of Japanese; its katakana are words, its hiragana, which
are mostly endings, come between.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from functools import cache
from math import log
from typing import TYPE_CHECKING, Any

from ...core.errors import MissingExtra
from ...core.registry import load
from ...core.terms import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

READ = 1_000  # characters of a text: what it is about is said at its beginning, and a thousand texts are read in a second
PAIRED = 0.5  # of the texts with the rarer word of a pair, that have the pair, for the pair to stand for it
PARTICLES = frozenset(("up", "off", "out"))  # the end of a pair, "top up", and no term by themselves
LETTERS = 40  # of a word, at most: more have hashes, base64, and the sentences of scripts without spaces
WHOLE = 0.7  # of the texts with a part of a run of Chinese characters, that have the run, for the part to be none
_NOISE = re.compile(r"```.*?(?:```|\Z)|<[^<>]{1,200}>|\b\w+://\S+|\]\([^)\s]*\)|&\w+;", re.DOTALL)
_CHINESE = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # inside of brackets
_HIRAGANA = "\u3040-\u309f"
# vowel signs of Indic scripts, points of Hebrew and Arabic, and what joins them: parts of a word, and no \w for Python
_SIGNS = "".join(chr(c) for c in (*range(0x300, 0x2000), 0x200C, 0x200D) if unicodedata.category(chr(c)) in ("Mn", "Mc", "Cf"))
_LETTER = rf"[^\W_{_CHINESE}{_HIRAGANA}]"
_WORD = rf"{_LETTER}+(?:[{_SIGNS}]+{_LETTER}*)*"
_TOKEN = re.compile(rf"[{_CHINESE}]+|{_WORD}(?:['’]{_WORD})?|[{_HIRAGANA}]|[^\w\s]")
_HAN = re.compile(f"[{_CHINESE}]")


def keywords(groups: Sequence[Sequence[str]], count: int = 3) -> list[list[str]]:
    """For each group of texts up to `count` terms that tell it from the others, the best first; none where no words are left.

    Parameters
    ----------
    groups : the texts of each; `READ` characters of each text are looked at
    """
    forms: dict[str, Counter[str]] = {}
    held = [_counted(texts, forms) for texts in groups]
    sizes = [max(len(texts), 1) for texts in groups]
    common: Counter[str] = Counter()
    for counts in held:
        common.update(counts)
    total = sum(sizes)
    return [
        [_shown(term, forms) for term in _best(counts, size, common, total, count)]
        for counts, size in zip(held, sizes, strict=True)
    ]


def _counted(texts: Iterable[str], forms: dict[str, Counter[str]]) -> Counter[str]:
    """In how many of these texts each term is; as which words it was written goes into `forms`."""
    counts: Counter[str] = Counter()
    for text in texts:
        found: set[str] = set()
        before = ""
        for form in _words(text):
            if not form:  # a mark or a stop word: no pair reaches across it
                before = ""
                continue
            if _HAN.match(form):
                found.add(form)
                before = ""
                continue
            term = stem(form.casefold())
            forms.setdefault(term, Counter())[form] += 1
            if term not in PARTICLES:
                found.add(term)
            if before and before != term:
                found.add(f"{before} {term}")
            before = term if term not in PARTICLES else ""
        counts.update(found)
    return counts


def _words(text: str) -> Iterator[str]:
    """Words in their order; an empty one where the sequence is broken."""
    text = _NOISE.sub(" . ", unicodedata.normalize("NFKC", text[: 2 * READ]))[:READ]
    for token in _TOKEN.findall(text):
        if _HAN.match(token):
            yield from _chinese(token)
            continue
        word = token.replace("’", "'").removesuffix("'s")
        folded = word.casefold().replace("'", "")
        usable = 1 < len(word) <= LETTERS and any(c.isalpha() for c in word) and "'" not in word and folded not in stop_words()
        yield word if usable else ""


def _chinese(run: str) -> Iterator[str]:
    cut = _jieba()
    if cut is not None:
        yield from (word if len(word) > 1 and word not in stop_words() else "" for word in cut(run))
        return
    for size in (2, 3, 4):
        for start in range(len(run) - size + 1):
            gram = run[start : start + size]
            if gram not in stop_words() and gram[0] not in stop_words() and gram[-1] not in stop_words():
                yield gram


@cache
def stop_words() -> frozenset[str]:
    """Words without a subject of their own, English and Chinese."""
    import tomllib
    from pathlib import Path

    table = tomllib.loads(Path(__file__).with_name("stopwords.toml").read_text(encoding="utf-8"))
    return frozenset(word for words in table.values() for word in words.split())


@cache
def _jieba() -> Any:
    """jieba's cutting; None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own code is of an older Python
        try:
            quiet, cut = load("jieba:setLogLevel"), load("jieba:lcut")
        except MissingExtra:
            return None
    quiet("WARNING")
    return cut


def _best(counts: Counter[str], size: int, common: Counter[str], total: int, most: int) -> list[str]:
    """The terms that say most of a group, none of them twice in other words."""
    least = 2 if size > 3 else 1
    scores = {
        term: held / size * log(1 + (held / size) / (common[term] / total)) for term, held in counts.items() if held >= least
    }
    ranked = sorted(scores, key=lambda term: (-scores[term], term))
    chosen: list[str] = []
    for term in ranked:
        if len(chosen) == most:
            break
        term = _fuller(term, counts, scores)
        if not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
    return chosen


def _fuller(term: str, counts: Counter[str], scores: dict[str, float]) -> str:
    """The pair or longer run that a term mostly stands in; itself where there is none."""
    if " " in term:
        return term
    share = WHOLE if _HAN.match(term) else PAIRED
    longer = [other for other in scores if term != other and term in _parts(other) and counts[other] >= share * counts[term]]
    return max(longer, key=lambda other: (counts[other], len(other), other), default=term)


def _parts(term: str) -> Sequence[str] | str:
    return term if _HAN.match(term) else term.split()


def _overlap(one: str, other: str) -> bool:
    if _HAN.match(one) and _HAN.match(other):
        return bool({one[i : i + 2] for i in range(len(one) - 1)} & {other[i : i + 2] for i in range(len(other) - 1)})
    return bool(set(one.split()) & set(other.split()))


def _shown(term: str, forms: dict[str, Counter[str]]) -> str:
    """A term as it was mostly written."""
    if _HAN.match(term):
        return term
    return " ".join(_form(forms[part]) for part in term.split())


def _form(written: Counter[str]) -> str:
    """The commonest form of a word, the shortest of equals; as it is mostly spelled, in small letters where that is open."""
    folded: Counter[str] = Counter()
    for form, count in written.items():
        folded[form.casefold()] += count
    best = max(folded, key=lambda form: (folded[form], -len(form), form))
    return max((form for form in written if form.casefold() == best), key=lambda form: (written[form], form.islower(), form))
