"""Text tower: texts → token ids → vectors of a model file, as the second half of a model of pictures. Knows no pictures."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from .file_tower import FileTower
from .network import filled
from .tokens import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.types import Content, Modality, Vectors
    from .network import Input
    from .towers import Table

BATCH = 32  # texts computed together
WINDOW = 77  # tokens, as CLIP has it, where neither the table nor the file says
NAMES = ("input_ids", "attention_mask", "token_type_ids")  # in the order of `inputs`
KINDS = {"i64": np.int64, "i32": np.int32}


class TextTower(FileTower):
    """A model file of texts and its tokenizer, described by `[text]`."""

    modality: Modality = "text"

    def _read(self, table: Table) -> None:
        vocabulary = table.file("tokenizer", "tokenizer.json")
        self.files = [*self.files, vocabulary]
        self._ids, *others = self._inputs(table)
        self._mask, self._types = (*others, None, None)[:2]
        batch, length = self._ids.sizes if self._ids.sizes and len(self._ids.sizes) == 2 else (None, None)
        self._fixed, whole = batch, table.flag("padded", length is not None)
        self.max_tokens = table.integer("max_tokens", length or WINDOW, 3) or WINDOW
        if length is not None and (self.max_tokens != length or not whole):
            raise table.wrong(
                "max_tokens",
                f"is {length} in {self._network.path}, which takes no other number; leave max_tokens and padded out",
            )
        self._length = self.max_tokens if whole else None
        self._pad = table.integer("pad", 0, 0) or 0
        self._tokenizer = Tokenizer(vocabulary, self.max_tokens, lower=table.flag("lower", False))

    def embed(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) float32; of a text longer than the window the beginning is read."""
        found = [tokens.ids for tokens in self._tokenizer.read([str(text) for text in contents])]
        out = np.empty((len(found), self.dim), np.float32)

        def prepared(places: Sequence[int]) -> dict[int, NDArray[Any]]:
            return {index: filled(rows, self._fixed) for index, rows in self._arrays([found[at] for at in places]).items()}

        self._network.run(self._jobs(found), prepared, out, None if self._mask is None else self._mask.index)
        return out

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special ones included."""
        return self._tokenizer.count(texts)

    def _jobs(self, found: Sequence[Sequence[int]]) -> list[list[int]]:
        """Texts of like length together; of one length alone where nothing tells the file which tokens are padding."""
        order = sorted(range(len(found)), key=lambda place: len(found[place]))
        alike = self._length is not None or self._mask is not None
        groups = [order] if alike else [list(group) for _, group in groupby(order, key=lambda place: len(found[place]))]
        return [
            [group[place] for place in part]
            for group in groups
            for part in self._network.batches(len(group), BATCH, self._fixed)
        ]

    def _arrays(self, rows: Sequence[Sequence[int]]) -> dict[int, NDArray[Any]]:
        """The inputs of the file, by their index."""
        length = self._length or max(len(row) for row in rows)
        ids, mask = np.full((len(rows), length), self._pad, np.int64), np.zeros((len(rows), length), np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)], mask[at, : len(row)] = row, 1
        given = ((self._ids, ids), (self._mask, mask), (self._types, np.zeros_like(ids)))
        return {port.index: values.astype(KINDS[port.kind]) for port, values in given if port is not None}

    def _inputs(self, table: Table) -> list[Input | Any]:
        """The file's inputs for token ids, for the mask and for types; of the last two, None where it has none."""
        told = table.texts("inputs")
        there = {port.name for port in self._network.inputs}
        if not told and len(there) == 1:
            told = tuple(there)
        names = told or tuple(name if name in there else "" for name in NAMES)
        found = [self._network.input(name, "inputs") if name else None for name in names[: len(NAMES)]]
        if found[0] is None or there.difference(names):
            raise table.wrong(
                "inputs", f"has to name those for token ids, mask and types: {self._network.path} has {self._network.told()}"
            )
        for port in found:
            if port is not None and port.kind not in KINDS:
                raise table.wrong(
                    "inputs", f"names '{port.name}' of {self._network.path}, which takes {port.kind} and no token ids"
                )
        return found
