"""Picture tower: the bytes of pictures → the numbers a model file wants → vectors. Decodes while others are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..core.pictures import decoded
from ..core.registry import load
from .file_tower import KINDS, FileTower
from .network import filled
from .towers import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..core.types import Content, Modality, Vectors
    from .network import Input, Network
    from .towers import Table

BATCH = 8  # pictures computed together
FINER = 2  # a JPEG is decoded at a half, a quarter or an eighth, as long as it keeps so many times the pixels that are wanted
RESIZES = ("shortest", "squash", "pad")
FILTERS = ("bicubic", "bilinear", "lanczos")
BLANK = (("mean", (0.0,) * 3), ("std", (1.0,) * 3))


class PictureTower(FileTower):
    """A model file of pictures, described by `[image]`."""

    modality: Modality = "image"

    def _read(self, table: Table) -> None:
        self._input = self._numbers(table, "f32", "f16", "u8")
        self._fixed, self._first, shape = _laid_out(table, self._network, self._input)
        self._network.channels_last = not self._first
        self._size, self._crop = _sizes_of(table, shape, self._network)
        self._resize = table.text("resize", "shortest", RESIZES)
        self._filter = table.text("resample", "bicubic", FILTERS).upper()
        self._mean, self._std = (np.array(table.numbers(key, 3, one), np.float32) for key, one in BLANK)
        self._reversed = table.text("channels", "RGB", ("RGB", "BGR")) == "BGR"
        if not (self._std > 0).all():
            raise table.wrong("std", "holds numbers above 0")
        if self._input.kind == "u8" and (self._mean.any() or (self._std != 1).any()):
            raise table.wrong(
                "mean", f"and std are for numbers from 0 to 1, and {self._network.path} takes bytes; leave them out"
            )

    def embed(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) float32; a batch is decoded while another is computed.

        Raises
        ------
        Unread : one that cannot be decoded
        """
        out = np.empty((len(contents), self.dim), np.float32)

        def prepared(places: Sequence[int]) -> dict[int, NDArray[Any]]:
            rows = np.stack([self._pixels(contents[place], place) for place in places])
            return {self._input.index: filled(rows, self._fixed)}

        self._network.run(self._network.batches(len(contents), BATCH, self._fixed), prepared, out)
        return out

    def _pixels(self, content: Content, place: int) -> NDArray[Any]:
        """One picture as the file wants it: (3, h, w) or (h, w, 3)."""
        assert isinstance(content, bytes)
        try:
            picture = decoded(content, at_least=FINER * max(self._size))
        except DataError as error:
            raise Unread(place, str(error)) from error
        pixels = np.asarray(self._fitted(picture))
        if self._reversed:
            pixels = pixels[:, :, ::-1]
        if self._input.kind != "u8":
            pixels = ((pixels.astype(np.float32) / 255 - self._mean) / self._std).astype(KINDS[self._input.kind])
        return np.ascontiguousarray(pixels.transpose(2, 0, 1) if self._first else pixels)

    def _fitted(self, picture: Image) -> Image:
        """Resized and cut to what the file takes."""
        sides, crop = (picture.width, picture.height), (self._crop[1], self._crop[0])
        whole = (self._size[1], self._size[0])
        if self._resize != "squash":
            pick = max if self._resize == "shortest" else min
            scale = pick(want / have for want, have in zip(whole, sides, strict=True))
            whole = (max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale)))
        begin = [(have - want) // 2 for have, want in zip(whole, crop, strict=True)]
        # what is cut off is not made: of 10,000 × 1 pixels the shorter side is 224 once the longer one has 2,240,000
        part = (min(whole[0], crop[0]), min(whole[1], crop[1]))
        ends = zip(begin, part, sides, whole, strict=True)
        box = [(max(at, 0) * have / want, min((max(at, 0) + some) * have / want, have)) for at, some, have, want in ends]
        how = load("PIL.Image:Resampling")[self._filter]
        resized = picture.resize(part, how, box=(box[0][0], box[1][0], box[0][1], box[1][1]))
        if part == crop:
            return resized
        left, top = min(begin[0], 0), min(begin[1], 0)
        return resized.crop((left, top, left + crop[0], top + crop[1]))  # black where there is nothing


def _laid_out(table: Table, network: Network, port: Input) -> tuple[int | None, bool, tuple[int | None, int | None]]:
    """(pictures a batch, where that is fixed; whether channels come before the pixels; height and width, where fixed)."""
    told = table.text("layout", among=("", "NCHW", "NHWC"))
    sizes = port.sizes or (None, None, None, None)
    if len(sizes) != 4:
        raise table.wrong("input", f"'{port.name}' of {network.path} is no picture: it has {len(sizes)} sizes, not 4")
    first = told == "NCHW" if told else sizes[1] == 3
    if not told and 3 not in (sizes[1], sizes[3]):
        raise table.wrong(
            "layout", f"has to be told, NCHW or NHWC: '{port.name}' of {network.path} does not say where its colors are"
        )
    if sizes[1 if first else 3] not in (3, None):
        raise table.wrong(
            "layout", f"is not that of '{port.name}' in {network.path}, which has {sizes[1 if first else 3]} colors so"
        )
    return sizes[0], first, (sizes[2], sizes[3]) if first else (sizes[1], sizes[2])


def _sizes_of(table: Table, shape: tuple[int | None, int | None], network: Network) -> tuple[tuple[int, int], tuple[int, int]]:
    """((height, width) to which pictures are resized, that to which they are then cut)."""
    fixed = (shape[0], shape[1]) if shape[0] and shape[1] else None
    size, crop = table.pair("size"), table.pair("crop")
    size = size or crop or fixed
    if size is None:
        raise table.wrong("size", f"has to be told: {network.path} takes pictures of any size")
    crop = crop or (fixed if fixed and fixed != size else None) or size
    if any(want not in (have, None) for have, want in zip(crop, shape, strict=True)):
        raise table.wrong(
            "crop" if crop != size else "size",
            f"makes pictures of {crop[0]} × {crop[1]}, and {network.path} takes {shape[0] or '?'} × {shape[1] or '?'}",
        )
    return size, crop
