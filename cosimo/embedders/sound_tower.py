"""Sound tower: the bytes of sounds → the numbers a model file wants, a waveform or a mel spectrogram → vectors.

It hears as much of a sound as its window has; shorter ones are filled up with silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..core.recordings import HIGHEST_RATE, LOWEST_RATE
from ..core.sound import samples
from .file_tower import KINDS, FileTower
from .mel import Mel
from .network import filled
from .towers import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.types import Content, Modality, Vectors
    from .network import Network
    from .towers import Table

BATCH = 8  # sounds computed together
RATE = 16_000
LONGEST = 600.0  # seconds heard at once
LARGEST = 65_536  # samples of a frame, or between two; frequencies
WAVES = {1: "T", 2: "NT", 3: "NCT"}  # sizes of a waveform's input → its layout: batch, channel, time
SPECTROGRAMS = ("NTF", "NFT", "NCTF", "NCFT", "NTFC", "NFTC")  # F: frequencies


class SoundTower(FileTower):
    """A model file of sounds, described by `[audio]`; with a table `[audio.mel]` it wants a spectrogram, else a waveform."""

    modality: Modality = "audio"

    def _read(self, table: Table) -> None:
        self._input = self._numbers(table, "f32", "f16")
        self._rate = table.integer("rate", RATE, LOWEST_RATE) or RATE
        if self._rate > HIGHEST_RATE:
            raise table.wrong("rate", f"is at most {HIGHEST_RATE:,}, not {self._rate:,}")
        mel = table.table("mel")
        self._mel = _mel(mel, self._rate) if mel is not None else None
        self._layout = _layout(table, self._network, self._input.sizes, self._mel)
        self._mean, self._std = table.numbers("mean_std", 2, (0.0, 1.0))
        if self._std <= 0:
            raise table.wrong("mean_std", "is the mean that is taken away and the number above 0 that is divided by")
        sizes = dict(zip(self._layout, self._input.sizes or (None,) * len(self._layout), strict=True))
        self._fixed, self._length = sizes.get("N"), sizes["T"]  # None: any
        self.seconds = _seconds(table, self._network, self._rate, self._mel, self._length)
        self._network.unbatched = "N" not in self._layout

    def embed(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) float32 of the beginnings of sounds; a batch is decoded while another is computed.

        Raises
        ------
        Unread : one that cannot be decoded
        """
        out = np.empty((len(contents), self.dim), np.float32)

        def prepared(places: Sequence[int]) -> dict[int, NDArray[Any]]:
            rows = np.stack([self._heard(contents[place], place) for place in places])  # (n, T) or (n, T, F)
            return {self._input.index: self._laid_out(filled(rows, self._fixed))}

        most = 1 if self._network.unbatched else BATCH
        self._network.run(self._network.batches(len(contents), most, self._fixed), prepared, out)
        return out

    def _heard(self, content: Content, place: int) -> NDArray[Any]:
        assert isinstance(content, bytes)
        try:
            wave = samples(content, rate=self._rate, seconds=self.seconds)
        except DataError as error:
            raise Unread(place, str(error)) from error
        wave = np.pad(wave, (0, max(round(self.seconds * self._rate) - len(wave), 0)))
        numbers = wave if self._mel is None else self._mel(wave)
        numbers = (numbers - self._mean) / self._std
        if self._length is None or len(numbers) == self._length:
            return numbers
        missing = max(self._length - len(numbers), 0)  # a frame at the ends, which other programs count in
        return np.pad(numbers, ((0, missing), (0, 0))[: numbers.ndim], mode="edge")[: self._length]

    def _laid_out(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows (n, T) or (n, T, F) as the file has its sizes."""
        given = "NT" if self._mel is None else "NTF"
        found = (
            rows[0] if self._network.unbatched else rows.transpose([given.index(each) for each in self._layout if each != "C"])
        )
        if "C" in self._layout:
            found = np.expand_dims(found, self._layout.index("C"))
        return np.ascontiguousarray(found, KINDS[self._input.kind])


def _mel(table: Table, rate: int) -> Mel:
    """`[audio.mel]`: the numbers without which a spectrogram is another one are asked for, the others usual."""
    n_fft = table.integer("n_fft", 1_024, 16) or 1_024
    if n_fft > LARGEST:
        raise table.wrong("n_fft", f"is at most {LARGEST:,}, not {n_fft:,}")
    found = Mel(
        rate=rate,
        n_fft=n_fft,
        window=table.integer("window", n_fft, 2) or n_fft,
        hop=table.integer("hop", n_fft // 2) or n_fft // 2,
        n_mels=table.integer("n_mels", 64) or 64,
        f_min=table.number("f_min", 0.0, zero=True) or 0.0,
        f_max=table.number("f_max", rate / 2) or rate / 2,
        scale=table.text("scale", "slaney", ("slaney", "htk")),
        norm=table.flag("norm", True),
        power=table.number("power", 2.0) or 2.0,
        log=table.text("log", "db", ("", "ln", "db")),
        floor=table.number("floor", 1e-10) or 1e-10,
        centered=table.flag("centered", True),
    )
    for key, size in (("hop", found.hop), ("n_mels", found.n_mels)):
        if size > LARGEST:
            raise table.wrong(key, f"is at most {LARGEST:,}, not {size:,}")
    if found.window > n_fft:
        raise table.wrong("window", f"is of at most n_fft = {n_fft} samples, not {found.window}")
    if not found.f_min < found.f_max <= rate / 2:
        raise table.wrong("f_max", f"is between f_min and half of rate, {rate / 2:g}, not {found.f_max:g}")
    table.done()
    return found


def _layout(table: Table, network: Network, sizes: Sequence[int | None] | None, mel: Mel | None) -> str:
    """In which order the input has batch (N), channel (C), time (T) and frequencies (F); where not told, as its sizes say."""
    known = tuple(WAVES.values()) if mel is None else SPECTROGRAMS
    told = table.text("layout", among=("", *known))
    fitting = [each for each in known if sizes is None or len(each) == len(sizes)]
    if sizes is not None and mel is not None:
        fitting = [each for each in fitting if sizes[each.index("F")] in (None, mel.n_mels)]
    if sizes is not None:
        fitting = [each for each in fitting if "C" not in each or sizes[each.index("C")] in (None, 1)]
    if (told and told not in fitting) or not fitting:
        shape = "×".join("?" if size is None else str(size) for size in sizes or ())
        raise table.wrong(
            "layout" if told else "input",
            f"does not fit {network.path}, which takes {shape} numbers"
            + ("" if mel is not None else "; if that is a spectrogram, describe it in a table [audio.mel]"),
        )
    return told or fitting[0]


def _seconds(table: Table, network: Network, rate: int, mel: Mel | None, length: int | None) -> float:
    """How much is heard at once: as the file's input is long, where that is fixed."""
    told = table.number("seconds")
    if told is None and length is None:
        raise table.wrong("seconds", f"has to be told: {network.path} takes sounds of any length")
    if told is not None and not 1 <= told * rate <= LONGEST * rate:
        raise table.wrong("seconds", f"is at least one sample and at most {LONGEST:g}, not {told:g}")
    if length is None:
        return told or LONGEST
    fixed = length / rate if mel is None else ((length - 1) * mel.hop + (0 if mel.centered else mel.window)) / rate
    room = 1 / rate if mel is None else mel.window / rate  # a frame at the ends, which some count in
    if told is not None and told > fixed + room:
        raise table.wrong("seconds", f"is at most {fixed:g}, of which {network.path} takes no more, not {told:g}")
    return told or fixed
