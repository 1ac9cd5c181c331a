"""Sentences: a text in, where each of its sentences begins and ends out. Reads no files, calls no model.

A full stop ends a sentence where white space follows and what comes next is no lower-case letter, unless it belongs to an
abbreviation, an initial or the number of a list item. 。！？ end one wherever they stand; the marks of Arabic, Urdu, Hindi,
Armenian and Ethiopic are known. Empty lines, headings and items of lists end one without a mark. The places of Unicode's rules
(UAX #29), which cutting into passages uses, know no abbreviations.
"""

from __future__ import annotations

import re

_CLOSERS = "\"'”’»)\\]}›〉》」』】）］*_"
_END = re.compile(
    rf"[.!?…‽؟۔։።]+[{_CLOSERS}]*(?=\s|$)"
    rf"|[。！？｡．।॥︒﹒]+[…{_CLOSERS}]*"
    r"|\n[ \t\r]*\n\s*"  # an empty line
    r"|\n(?=[ \t]*(?:#{1,6} |[-*+•] |\d{1,3}[.)] |>|\|))"  # a heading, an item of a list, a quotation, a row of a table
)
_HEADING = re.compile(r"[ \t]*#{1,6} ")
_TITLES = {
    "mr", "mrs", "ms", "dr", "prof", "st", "sra", "rev", "hon", "lt", "sgt", "m", "mme", "mlle", "vs", "cf", "e.g", "i.e",
    "z.b", "d.h", "bzw", "u.a",
}  # fmt: skip
_BEFORE_NUMBERS = {
    "no", "nr", "p", "pp", "vol", "fig", "figs", "eq", "sec", "ch", "approx", "ca", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sep", "sept", "oct", "nov", "dec",
}  # fmt: skip
_IN_BETWEEN = {"etc", "al", "inc", "ltd", "corp", "co", "jr", "a.m", "p.m", "u.s", "usw"}
_WORD = re.compile(r"[^\s(\[“„«]*$")


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text are: (start, end) in characters, without white space around; nothing else is left out."""
    found, start = [], 0
    for mark in _END.finditer(text):
        newline = mark[0].startswith("\n")
        if not newline and not _ends(text, start, mark):
            continue
        found += _trimmed(text, start, mark.end())
        start = mark.end()
    found += _trimmed(text, start, len(text))
    return [piece for span in found for piece in _without_heading(text, *span)]


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that began at `start`."""
    if mark[0][0] in "。！？｡．।॥︒﹒":
        return True
    after = text[mark.end() : mark.end() + 40].lstrip()
    word = _WORD.search(text, start, mark.start())
    last = word[0].lower() if word else ""
    before = text[start : mark.start()].strip()
    if after[:1].islower() and (mark[0][0] in ".…" or mark[0][-1] in _CLOSERS):
        # "Why?" she asked. But a text without any capitals has sentences too
        return mark[0] == "." and before[:1].islower() and last not in _TITLES | _BEFORE_NUMBERS | _IN_BETWEEN
    if mark[0] != ".":
        return True
    if last.isdigit() and before == last and len(last) < 4:  # 1. An item
        return False
    initial = len(last) == 1 and last.isalpha() and last.isascii() and last != "i" and after[:1].isupper()
    return not (initial or last in _TITLES or (last in _BEFORE_NUMBERS and after[:1].isdigit()))


def _trimmed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The span without white space around it; none where nothing is left."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return [(start + left, start + len(piece.rstrip()))] if piece.strip() else []


def _without_heading(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A heading and what follows it on the next line are two."""
    line = text.find("\n", start, end)
    if line < 0 or not _HEADING.match(text, start):
        return [(start, end)]
    return [*_trimmed(text, start, line), *_trimmed(text, line, end)]
