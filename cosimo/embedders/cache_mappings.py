"""Cache mappings: other places for vectors than our file: any mapping of text to bytes, a folder; and LangChain's, to read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import uuid
import zlib
from array import array
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError, StoreError
from .cache_file import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TAIL = 5  # bytes behind the numbers: CRC-32 of key and numbers, and whether the text was cut


class InMapping:
    """Vectors in a mapping of the caller's. Its errors count as "cannot be used", whatever class they are of."""

    def __init__(self, mapping: MutableMapping[str, bytes], namespace: str) -> None:
        self._mapping = mapping
        self._namespace = namespace

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        """What is kept of these keys and undamaged."""
        found = {}
        for key in keys:
            with self._translated():
                value = self._mapping.get(self._name(key))
            if isinstance(value, bytes) and len(value) > _TAIL and value[-_TAIL:-1] == _sum(key, value[:-_TAIL]):
                found[key] = Kept(value[:-_TAIL], cut=bool(value[-1]))
        return found

    def claim(self, keys: Sequence[bytes], owner: str) -> tuple[list[bytes], dict[bytes, Kept]]:
        """All of them: a mapping has no way to ask others."""
        return list(keys), {}

    def renew(self, owner: str) -> None:
        """Nothing was claimed."""

    def release(self, owner: str) -> None:
        """Nothing was claimed."""

    def keep(self, rows: Mapping[bytes, Kept], model: str, dim: int, owner: str) -> None:
        """Store vectors."""
        for key, kept in rows.items():
            with self._translated():
                self._mapping[self._name(key)] = kept.vector + _sum(key, kept.vector) + bytes([kept.cut])

    def _name(self, key: bytes) -> str:
        return self._namespace + key.hex()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever stands behind the mapping: nobody can list these classes
            kind = type(self._mapping).__name__
            raise StoreError(f"the {kind} that was given as a cache fails ({type(error).__name__}: {error})") from error


class Folder(MutableMapping[str, bytes]):
    """A folder as a mapping: one file a key, replaced in one step. Keys are names of files: letters, digits, `._-`, and `:`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()

    def __getitem__(self, key: str) -> bytes:
        try:
            return self._place(key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        place = self._place(key)
        part = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
        try:
            part.write_bytes(value)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    def __delitem__(self, key: str) -> None:
        try:
            self._place(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        for file in self.path.iterdir() if self.path.is_dir() else ():
            if not file.name.startswith("."):
                yield file.name.replace("%3A", ":")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _place(self, key: str) -> Path:
        name = key.replace(":", "%3A")  # which no file of Windows may have
        if not name or name.startswith(".") or any(c in name for c in '/\\<>"|?*\0'):
            raise KeyError(key)
        return self.path / name


class LangChainFiles:
    """The vectors that LangChain's `CacheBackedEmbeddings` kept in a `LocalFileStore`. Read, never written.

    Its keys are the namespace and a hash of the text alone, one of four, its values lists of numbers in JSON. It has one vector
    for a text, whatever the role, so only documents are looked up.

    Parameters
    ----------
    path : the store's folder
    namespace : as it was given to `CacheBackedEmbeddings.from_bytes_store`, usually the model's name

    Raises
    ------
    ConfigError : no folder there
    """

    def __init__(self, path: str | Path, namespace: str = "") -> None:
        self._path = Path(path).expanduser()
        self._namespace = namespace
        if not self._path.is_dir():
            raise ConfigError(f"there is no folder {self._path}; name the one that LocalFileStore was given")

    def find(self, texts: Sequence[str], dim: int) -> dict[str, bytes]:
        """Text → `dim` float32 numbers, of those that are there, whole, of that length and finite."""
        found = {}
        for text in texts:
            for name in _langchain_names(text):
                try:
                    numbers = json.loads((self._path / (self._namespace + name)).read_bytes())
                    vector = array("f", numbers)
                except (OSError, ValueError, TypeError, OverflowError):
                    continue
                if len(vector) == dim and all(map(math.isfinite, vector)):
                    found[text] = _little(vector)
                    break
        return found


def _langchain_names(text: str) -> list[str]:
    data = text.encode("utf-8", "replace")
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    others = (hashlib.blake2b(data), hashlib.sha256(data), hashlib.sha512(data))
    return [str(uuid.uuid5(uuid.UUID(int=1985), sha1)), *(each.hexdigest() for each in others)]


def _little(vector: array[float]) -> bytes:
    import sys

    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tobytes()


def _sum(key: bytes, vector: bytes) -> bytes:
    return zlib.crc32(vector, zlib.crc32(key)).to_bytes(4, "little")
