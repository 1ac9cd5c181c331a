"""Mel: samples in, a spectrogram on the mel scale out, as models of sound are fed. The scale is HTK's or Slaney's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.sound import Samples

LINEAR_TO, STEPS = 1_000.0, 27.0  # Slaney's scale: linear below 1 kHz, 27 steps for each factor of 6.4 above
PER_HERTZ = 3 / 200


@dataclass(frozen=True)
class Mel:
    """How a spectrogram is made. `log` is "", "ln" (of what `floor` is added to), or "db" (10·log10, at least `floor`)."""

    rate: int
    n_fft: int = 1_024
    hop: int = 320
    n_mels: int = 64
    f_min: float = 50.0
    f_max: float = 14_000.0
    window: int = 1_024  # samples of a frame, filled up with zeros to `n_fft`
    scale: str = "slaney"  # of the frequencies: slaney or htk
    norm: bool = True  # Slaney's: filters of the same area, else of the same height
    power: float = 2.0  # of the magnitudes: 1 or 2
    log: str = "db"
    floor: float = 1e-10
    centered: bool = True  # frames are around their times, the ends mirrored; else within the samples

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """(frames, n_mels) float32 of (n,) samples; fewer than a frame are filled up with silence."""
        given = samples.astype(np.float64)
        if self.centered:
            half = self.window // 2
            given = np.pad(np.pad(given, (0, max(half + 1 - len(given), 0))), half, mode="reflect")
        given = np.pad(given, (0, max(self.window - len(given), 0)))
        frames = np.lib.stride_tricks.sliding_window_view(given, self.window)[:: self.hop]
        energies = np.abs(np.fft.rfft(frames * self._shape, self.n_fft)) ** self.power @ self.filters  # (frames, n_mels)
        if self.log == "ln":
            energies = np.log(energies + self.floor)
        elif self.log == "db":
            energies = 10.0 * np.log10(np.maximum(energies, self.floor))
        found: NDArray[np.float32] = energies.astype(np.float32)
        return found

    @cached_property
    def filters(self) -> NDArray[np.float64]:
        """(n_fft / 2 + 1, n_mels) triangles, each from the middle of the one before to that of the one after."""
        edges = self._hertz(np.linspace(self._mels(self.f_min), self._mels(self.f_max), self.n_mels + 2))
        bins = np.fft.rfftfreq(self.n_fft, 1 / self.rate)[:, None]
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        up, down = (bins - low) / (middle - low), (high - bins) / (high - middle)
        triangles = np.maximum(0, np.minimum(up, down))
        return triangles * (2 / (high - low)) if self.norm else triangles

    @cached_property
    def _shape(self) -> NDArray[np.float64]:
        hann: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)  # periodic
        return hann

    def _mels(self, hertz: float) -> float:
        if self.scale == "htk":
            return float(2595.0 * np.log10(1 + hertz / 700.0))
        if hertz < LINEAR_TO:
            return hertz * PER_HERTZ
        return float(LINEAR_TO * PER_HERTZ + np.log(hertz / LINEAR_TO) * STEPS / np.log(6.4))

    def _hertz(self, mels: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.scale == "htk":
            return 700.0 * (10.0 ** (mels / 2595.0) - 1)
        above = LINEAR_TO * np.exp((mels - LINEAR_TO * PER_HERTZ) * np.log(6.4) / STEPS)
        return np.where(mels < LINEAR_TO * PER_HERTZ, mels / PER_HERTZ, above)
