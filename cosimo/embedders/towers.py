"""Towers: what reads one kind of content and gives vectors: a picture tower, a text tower, a sound tower. Reads nothing itself.

`openvino:` puts together those that one model has; the towers' own files say how each reads its content.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.types import Content, Modality, Vectors


LARGEST = 1_000_000_000  # whole number: ids of tokens are less, and every array holds it


class Tower(Protocol):
    """One model file and how its content is prepared."""

    modality: Modality
    dim: int
    files: Sequence[Path]  # whose bytes decide the vectors

    def embed(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) float32 in the order given, of whatever length the file gives.

        Raises
        ------
        Unread : one of them cannot be read
        """

    def close(self) -> None:
        """Let go of the compiled model."""


class Unread(DataError):
    """A content that a tower cannot read; `at` is its place in what the tower was given."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


class Table:
    """A table of a model's TOML, taken key by key; what is wrong is told with the file, the table and the key.

    Parameters
    ----------
    path : the TOML; files are looked for beside it
    name : of the table; "" for the file's own keys
    """

    def __init__(self, path: Path, name: str, values: Mapping[str, Any]) -> None:
        self.path, self.name, self._values = path, name, dict(values)
        self._known: list[str] = []

    def wrong(self, key: str, said: str) -> ConfigError:
        """The error about a key, to be raised."""
        return ConfigError(f"{self.path}: {f'[{self.name}] ' if self.name else ''}{key} {said}")

    def text(self, key: str, default: str = "", among: Sequence[str] = ()) -> str:
        """A string, one of `among` where there are any."""
        found = self._taken(key, default)
        if not isinstance(found, str):
            raise self.wrong(key, f"is a text, not {found!r}")
        if among and found not in among:
            raise self.wrong(key, f"is one of {', '.join(filter(None, among))}, not {found!r}")
        return found

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        found = self._taken(key, default)
        if not isinstance(found, bool):
            raise self.wrong(key, f"is true or false, not {found!r}")
        return found

    def integer(self, key: str, default: int | None = None, least: int = 1) -> int | None:
        """A whole number of at least so much."""
        found = self._taken(key, default)
        if found is not None and (isinstance(found, bool) or not isinstance(found, int) or not least <= found <= LARGEST):
            raise self.wrong(key, f"is a whole number from {least} to {LARGEST:,}, not {found!r}")
        return found

    def number(self, key: str, default: float | None = None, *, zero: bool = False) -> float | None:
        """A number above 0, or 0 where that makes sense."""
        found = self._taken(key, default)
        right = (
            not isinstance(found, bool) and isinstance(found, int | float) and (0 < found < LARGEST or (zero and found == 0))
        )
        if found is not None and not right:
            raise self.wrong(key, f"is a number {'from' if zero else 'above'} 0, not {found!r}")
        return None if found is None else float(found)

    def numbers(self, key: str, count: int, default: Sequence[float]) -> tuple[float, ...]:
        """So many numbers."""
        found = self._taken(key, list(default))
        right = isinstance(found, list) and len(found) == count
        if not right or any(
            isinstance(each, bool) or not isinstance(each, int | float) or not abs(each) < LARGEST for each in found
        ):
            raise self.wrong(key, f"is a list of {count} numbers, not {found!r}")
        return tuple(float(each) for each in found)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; none where it is left out."""
        found = self._taken(key, [])
        if not isinstance(found, list) or any(not isinstance(each, str) for each in found):
            raise self.wrong(key, f"is a list of texts, not {found!r}")
        return tuple(found)

    def port(self, key: str) -> str | int | None:
        """The name or the number of an input or output; None where it is left out."""
        found = self._taken(key, None)
        if isinstance(found, bool) or not isinstance(found, str | int | None):
            raise self.wrong(key, f"is a name or a number, not {found!r}")
        return found

    def pair(self, key: str) -> tuple[int, int] | None:
        """One whole number for both sides, or [height, width]; None where it is left out."""
        found = self._taken(key, None)
        sides = [found, found] if isinstance(found, int) else found
        if sides is None:
            return None
        wrong = not isinstance(sides, list) or len(sides) != 2
        if wrong or any(isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= 4096 for side in sides):
            raise self.wrong(key, f"is a whole number of pixels to 4096, or [height, width], not {found!r}")
        return sides[0], sides[1]

    def file(self, key: str, default: str) -> Path:
        """A file that is there."""
        path = self.path.parent / expanded(self.text(key, default))
        if not is_there(path):
            raise self.wrong(key, f"names {path}, and there is no such file")
        return path

    def table(self, key: str) -> Table | None:
        """A table in this one; None where there is none."""
        found = self._taken(key, None)
        if not isinstance(found, dict | None):
            raise self.wrong(key, f"is a table, not {found!r}")
        return None if found is None else Table(self.path, key, found)

    def done(self) -> None:
        """Raise `ConfigError` where keys are left that nobody asked for."""
        if left := sorted(set(self._values).difference(self._known)):
            raise self.wrong(left[0], f"is no key that is known here; known are {', '.join(self._known)}")

    def _taken(self, key: str, default: Any) -> Any:
        self._known.append(key)
        return self._values.get(key, default)


def expanded(name: str) -> Path:
    """The name as a path; `~` is the user's folder, and that of nobody stays as it is."""
    with suppress(RuntimeError):
        return Path(name).expanduser()
    return Path(name)


def is_there(path: Path, kind: Callable[[Path], bool] = Path.is_file) -> bool:
    """Whether it is a file, or a folder; no name is too long to be asked about."""
    try:
        return kind(path)
    except OSError:
        return False
