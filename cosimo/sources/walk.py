"""Walk: a folder and patterns in, the files that match out, sorted. Decides what is left out; opens none of them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import UnreadableSource
from .ignore import NAME as IGNORE_FILE
from .ignore import Ignore

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .patterns import Patterns, States

SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})  # `.git` is hidden
VENV_MARK = "pyvenv.cfg"
JUNCTION = 0xA0000003  # Windows' other kind of link to a folder (stat.IO_REPARSE_TAG_MOUNT_POINT, defined there alone)


class Found(NamedTuple):
    """A file that a pattern matched."""

    id: str  # relative to the folder, with "/" on every system
    path: str


class _Folder(NamedTuple):
    """A folder still to be listed."""

    id: str  # "" for the root, else with "/" at its end
    path: str
    states: States
    rules: Ignore


class Walk:
    """Iterate over the files below a folder that match.

    Left out, unless `everything`: what is hidden, ignored by a `.gitignore`, in `node_modules`, `__pycache__` or a
    virtual environment. The folder itself is never left out, nor is what a part of a pattern spells letter by letter.

    A link to a file is a file of its own; links to folders are entered as `Patterns` says.
    """

    def __init__(
        self,
        root: Path,
        patterns: Patterns,
        *,
        everything: bool,
        report: Callable[[str, str], None],
        left_out: Counter[str],
    ) -> None:
        self._root = root
        self._patterns = patterns
        self._everything = everything
        self._report = report
        self._left_out = left_out

    def __iter__(self) -> Iterator[Found]:
        rules = Ignore() if self._everything else Ignore.at(self._root)
        todo: list[Found | _Folder] = [_Folder("", str(self._root), self._patterns.start, rules)]
        while todo:
            entry = todo.pop()
            if isinstance(entry, Found):
                yield entry
            else:
                todo += reversed(self._listed(entry))

    def _listed(self, folder: _Folder) -> list[Found | _Folder]:
        """What one folder holds that matches or has to be entered, sorted by name."""
        try:
            with os.scandir(folder.path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not folder.id:
                raise UnreadableSource(f"the folder {self._root} cannot be listed: {why(error)}") from error
            self._report(folder.id, why(error))
            return []
        if not self._everything and any(entry.name == IGNORE_FILE for entry in entries):
            folder = folder._replace(rules=folder.rules.enter(folder.path))
        followed = (self._followed(folder, entry) for entry in entries)
        return [each for each in followed if each is not None]

    def _followed(self, folder: _Folder, entry: os.DirEntry[str]) -> Found | _Folder | None:
        """One entry of a folder: a file to read, a folder to enter, or nothing."""
        name = entry.name
        is_folder = _is_folder(entry)
        linked = is_folder and _is_link(entry)
        step = self._patterns.step(folder.states, name, linked=linked)
        if not step.matches and not (is_folder and step.inside):
            return None
        asked = self._patterns.step(folder.states, name, linked=linked, spelled=True)
        skipped = None if self._everything else _skipped(folder.rules, entry, is_folder=is_folder)
        if skipped:
            step = asked
            if not step.matches and not (is_folder and step.inside):
                self._left_out[skipped] += 1
                return None
        if not is_folder:
            return self._regular(folder, entry)
        if step.matches and not step.loose:
            self._report(folder.id + name, "it is a folder; to read what is in it, end the pattern with /**")
        if not step.inside:
            return None
        rules = folder.rules.named(name) if asked.inside else folder.rules.below(name)
        return _Folder(f"{folder.id}{name}/", entry.path, step.inside, rules)

    def _regular(self, folder: _Folder, entry: os.DirEntry[str]) -> Found | None:
        """A file, if it can be one: a pipe would be waited for, a broken link leads nowhere."""
        id = folder.id + entry.name
        try:
            mode = entry.stat().st_mode
            id.encode()
        except UnicodeEncodeError:
            self._report(id, "its name is not Unicode, so it cannot be an id; rename it")
        except OSError as error:
            linked = entry.is_symlink()
            self._report(id, "it is a link that leads nowhere" if linked else why(error))
        else:
            if stat.S_ISREG(mode):
                return Found(id, entry.path)
            self._report(id, "it is a device, pipe or socket, not a file")
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    if os.name == "nt":
        return entry.is_symlink() or getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == JUNCTION
    return entry.is_symlink()


def _skipped(rules: Ignore, entry: os.DirEntry[str], *, is_folder: bool) -> str | None:
    """Why an entry is left out by default; None where it is not."""
    if entry.name.startswith("."):
        return "hidden"
    if is_folder and entry.name in SKIPPED_FOLDERS:
        return entry.name
    if rules.levels and rules.ignores(entry.name, folder=is_folder and not entry.is_symlink()):
        return IGNORE_FILE
    if is_folder and os.path.exists(os.path.join(entry.path, VENV_MARK)):  # noqa: PTH110, PTH118 - a Path costs 3 µs
        return "virtual environment"
    return None


def why(error: OSError, missing: str = "it vanished during the run") -> str:
    """The reason in an error of the operating system, as a person would say it."""
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, FileNotFoundError):
        return missing
    return (error.strerror or str(error)).lower()
