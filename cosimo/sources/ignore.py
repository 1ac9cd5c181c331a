"""Ignore: `.gitignore` files → whether an entry is left out. Reads those files, with pathspec's patterns; walks no folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = ".gitignore"
PROBE = "cosimo-probe"  # a name that only a pattern made for everything would match


class _Rule(NamedTuple):
    """One line of a file.

    pathspec compiles it. Its own verdict is about whole paths: a pattern that matches a folder counts for all below it, and
    ranks after one that matches the file, which gets `*`, `!*/`, `!*.md` wrong (seen in 1.1.1, compared with git). A
    walk asks from the top down and needs what git does: is it this very entry, and which line was the last to say so.
    """

    pattern: Any  # pathspec's GitIgnoreSpecPattern
    include: bool  # False: the line begins with "!"
    folders: bool  # it ends in "/": for folders alone
    anchored: bool  # a "/" before its end: it is about the path; else about the name, at any depth
    rest: bool  # it ends in "**": it is about all below, whatever else it matched on the way

    def matches(self, path: str, name: str, *, folder: bool) -> bool:
        """Whether the entry `path + name` itself, not a folder above it, is what the line is about."""
        if self.folders and not folder:
            return False
        end = "/" if self.folders else ""
        if not self.anchored:
            return self._fits(name + end)
        return self._fits(path + name + end) and (self.rest or not path or not self._fits(path))

    def _fits(self, path: str) -> bool:
        return self.pattern.match_file(path) is not None


class _Level(NamedTuple):
    """One `.gitignore`: its rules, and the path from its folder to the folder the walk is in ("" or "a/b/")."""

    rules: tuple[_Rule, ...]
    path: str

    def verdict(self, name: str, *, folder: bool) -> bool | None:
        """What the last line that matches says; None where none does."""
        said = (rule.include for rule in reversed(self.rules) if rule.matches(self.path, name, folder=folder))
        return next(said, None)


class Ignore(NamedTuple):
    """The rules that hold in one folder: those of its own `.gitignore` and of the folders above it, nearest last.

    The global `core.excludesFile` and `.git/info/exclude` are not read: they belong to one person's machine.
    """

    levels: tuple[_Level, ...] = ()

    @classmethod
    def at(cls, root: Path) -> Ignore:
        """The rules at the folder named by the user: of the folders above it, up to the root of its repository.

        A rule that leaves out `root` itself, or all that is in it, is dropped: whoever names a folder wants it read.
        """
        rules = cls()
        for folder, name in _repository_above(root):
            rules = rules.enter(folder).named(name)
        return rules

    def enter(self, folder: str | Path) -> Ignore:
        """These rules and those of the `.gitignore` in `folder`, which is the folder they are for."""
        rules = _read(Path(folder) / NAME)
        return Ignore((*self.levels, _Level(rules, ""))) if rules else self

    def below(self, name: str) -> Ignore:
        """These rules inside the folder `name`."""
        return Ignore(tuple(_Level(level.rules, f"{level.path}{name}/") for level in self.levels))

    def named(self, name: str) -> Ignore:
        """These rules inside the folder `name`, asked for by name: without the ones that would leave out all that is in it."""
        left_out = self.ignores(name, folder=True)
        kept = []
        for level in self.levels:
            rules = (rule for rule in level.rules if not _empties(rule, f"{level.path}{name}/", left_out=left_out))
            kept.append(_Level(tuple(rules), level.path))
        return Ignore(tuple(kept)).below(name)

    def ignores(self, name: str, *, folder: bool) -> bool:
        """Whether the entry `name` of this folder is left out; the nearest file that says anything decides."""
        said = (level.verdict(name, folder=folder) for level in reversed(self.levels))
        return next((verdict for verdict in said if verdict is not None), False)


def _empties(rule: _Rule, folder: str, *, left_out: bool) -> bool:
    """Whether a rule leaves out whatever is in `folder`, and not because of a pattern made for everywhere.

    `logs/*` does. `*` does where it left the folder out as well; where `!*/` lets folders in, it is a list of what to keep.
    A rule about the folder's own name may stay: nobody asks again.
    """
    if not rule.include or not rule.matches(folder, PROBE, folder=False):
        return False
    return left_out or not rule.matches("", PROBE, folder=False)


def _repository_above(root: Path) -> list[tuple[Path, str]]:
    """(folder, name of the next one) from the root of the repository down to the parent of `root`; empty outside of one."""
    current = root.resolve()
    steps: list[tuple[Path, str]] = []
    while not os.path.exists(current / ".git"):  # noqa: PTH110 - Path.exists raises where a folder may not be looked into
        if current.parent == current:
            return []
        steps.append((current.parent, current.name))
        current = current.parent
    return steps[::-1]


def _read(path: Path) -> tuple[_Rule, ...]:
    """The rules in one file; none where there is none, or where it cannot be read, as git treats it."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    return tuple(rule for line in lines for rule in _rules(line))


def _rules(line: str) -> Iterator[_Rule]:
    """The rule in a line; nothing for comments, blank lines and lines that git would not understand either ("!")."""
    from pathspec import GitIgnoreSpec

    try:
        patterns = list(GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return
    bare = line.rstrip().removeprefix("!")
    for pattern in patterns:
        if pattern.include is not None:
            yield _Rule(pattern, pattern.include, bare.endswith("/"), "/" in bare[:-1], bare.rstrip("/").endswith("**"))
