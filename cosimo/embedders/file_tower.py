"""File tower: what towers of pictures, texts and sounds share: each is one model file that a table of the TOML describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .network import Network

if TYPE_CHECKING:
    from .network import Input
    from .towers import Table

KINDS = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}  # of numbers that an input takes


class FileTower:
    """A tower of one model file.

    Parameters
    ----------
    table : the tower's own of the TOML
    default : the model file where the table names none
    precision, threads : as for the engine

    Raises
    ------
    ConfigError : a key that is wrong, or that does not fit the file
    """

    def __init__(self, table: Table, default: str, *, precision: str, threads: int | None = None) -> None:
        self._network = Network(table, table.file("file", default), precision=precision, threads=threads)
        self.files = self._network.files
        self._read(table)
        table.done()
        self.dim = self._network.dim

    def close(self) -> None:
        """Let go of the compiled model."""
        self._network.close()

    def _read(self, table: Table) -> None:
        """Take what the table says beside the file, and check it against the file."""
        raise NotImplementedError

    def _numbers(self, table: Table, *kinds: str) -> Input:
        """The input for numbers, which are of one of these kinds."""
        found = self._network.input(table.port("input"))
        if found.kind not in kinds:
            raise table.wrong(
                "file", f"names {self._network.path}, whose input is of {found.kind}; known are {', '.join(kinds)}"
            )
        return found
