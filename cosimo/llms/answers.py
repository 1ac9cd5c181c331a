"""Answers: all that a model wrote → its answer. What models think first, many write into the same text."""

from __future__ import annotations

import re

from ..core.content import storable

_BEGINS = re.compile(r"<(?:think|thinking|thought)>")
_ENDS = re.compile(r"</(?:think|thinking|thought)>")


def answer(written: str) -> str:
    """What follows on the thoughts; "" where nothing but thoughts came.

    Templates of several open models put the opening mark into the prompt, so that the text has the closing one alone. A model
    that was cut off leaves the opening one alone. Half a character is U+FFFD.
    """
    written = storable(written).strip()
    begins, ends = _BEGINS.match(written), _ENDS.search(written)
    if begins and not ends:
        return ""
    if ends and (begins or not _BEGINS.search(written, 0, ends.start())):  # else the answer speaks of such marks
        return written[ends.end() :].strip()
    return written
