"""Patterns: `**/*.md` → which entries of a folder match, and which folders are worth entering. Touches no disk."""

from __future__ import annotations

import fnmatch
import os
import re
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

from ..core.errors import UnreadableSource

IGNORE_CASE = re.IGNORECASE if os.name == "nt" else re.NOFLAG  # as pathlib does

States = frozenset[tuple[int, int]]  # (pattern, part): the parts that the next name may match


class Step(NamedTuple):
    """What one name does to the patterns."""

    matches: bool  # a pattern ends with it
    inside: States  # where the patterns stand inside a folder of that name; empty: no need to enter
    loose: bool  # it matches only a last part `*`, which says nothing about this name


class Patterns:
    """A set of glob patterns, followed one path part at a time.

    As `pathlib.Path.glob`, with two choices: a final `**` takes the files too (as Python 3.13 does), and `**` does not
    walk through links to folders while every other part does (as Python 3.11 to 3.13 do), so that loops end.

    Raises
    ------
    UnreadableSource : a pattern is empty, absolute, climbs with `..`, or has `**` beside other characters
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.texts = patterns
        self._parts = [_parts(pattern) for pattern in patterns]
        self.start = self._closed({(number, 0) for number in range(len(self._parts))})

    def _closed(self, states: set[tuple[int, int]]) -> States:
        """`**` may also stand for no folder at all: its successor is open wherever it is."""
        todo = list(states)
        while todo:
            number, part = todo.pop()
            if self._parts[number][part] == "**" and (number, part + 1) not in states:
                states.add((number, part + 1))
                todo.append((number, part + 1))
        return frozenset(states)

    def step(self, states: States, name: str, *, linked: bool = False, spelled: bool = False) -> Step:
        """Follow `name` from `states`.

        Parameters
        ----------
        linked : it is a link to a folder
        spelled : only by the parts that ask for it: those that say it letter by letter, and for a hidden name those that
            begin with a dot (`.git` has to be said in full)
        """
        matches, loose = False, True
        inside: set[tuple[int, int]] = set()
        for number, part in states:
            parts = self._parts[number]
            pattern = parts[part]
            if pattern == "**":
                if not linked and not spelled:
                    inside.add((number, part))
            elif _regex(pattern).match(name) and (not spelled or _asks_for(pattern, name)):
                if part + 1 < len(parts):
                    inside.add((number, part + 1))
                else:
                    matches = True
                    loose = loose and pattern == "*"
        return Step(matches, self._closed(inside), loose)


def _parts(pattern: str) -> tuple[str, ...]:
    path = PurePath(pattern)
    parts = path.parts
    if not parts:
        raise UnreadableSource("a pattern is empty; write for example '**/*.md'")
    if path.anchor or ".." in parts:
        raise UnreadableSource(f"the pattern '{pattern}' leaves the folder; name a folder to start from and a pattern below it")
    if any("**" in part and part != "**" for part in parts):
        raise UnreadableSource(f"the pattern '{pattern}' has ** beside other characters; write for example '**/*.md'")
    return (*parts, "*") if parts[-1] == "**" else parts


def _asks_for(part: str, name: str) -> bool:
    literal = not any(c in part for c in "*?[")
    return literal or (name.startswith(".") and part.startswith(".") and name != ".git")


@lru_cache(maxsize=256)
def _regex(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part), IGNORE_CASE)
