"""Sound: a recording in, mono samples at one rate out, whole or in windows; and samples as a WAV file. Learns nothing of them.

FFmpeg (through PyAV) reads and resamples. libsndfile reads fewer kinds (no AAC, no film), and would need a resampler beside it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from .errors import DataError
from .recordings import HIGHEST_RATE, LOWEST_RATE, frames_of, opened, sound_of, start_of
from .registry import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from .recordings import Given

    Samples = NDArray[np.float32]  # (n,) of one channel, -1 to 1

LOUDEST = 1e6  # a floating point sample beyond is damage, and silent: one alone would spoil everything
GAP = 0.2  # seconds in which nothing is heard: less than that is how clocks are rounded
MOST_SILENCE = 36_000.0  # seconds that are filled up: more is not a recording that was stopped, but a wrong clock
PLANES = 8  # channels, one after the other, that PyAV can read: of more it reads from anywhere, which ends the process
FLOAT = 3  # the kind of WAV whose samples are floating point numbers


def samples(given: Given, *, rate: int, seconds: float | None = None) -> Samples:
    """A recording's sound as one channel, the mean of its own.

    Parameters
    ----------
    given : a file, or the bytes of one: WAV, FLAC, OGG, MP3, AIFF, M4A, Opus, …, or a film
    rate : samples a second of what comes back
    seconds : at most so much of the beginning; None for everything, which takes 4 bytes a sample

    Returns
    -------
    (n,) float32, -1 to 1; never empty

    Raises
    ------
    DataError : damaged, no sound in it, or a rate that no recording has
    """
    import numpy as np

    most = None if seconds is None else max(round(seconds * rate), 1)
    held, count = [], 0
    for _, chunk in _chunks(given, rate):
        held.append(chunk)
        count += len(chunk)
        if most is not None and count >= most:
            break
    return np.concatenate(held)[:most]


def windows(given: Given, *, rate: int, seconds: float, hop: float | None = None) -> Iterator[tuple[float, Samples]]:
    """(where it begins in seconds, samples) of windows that overlap; what is held in memory does not grow with the recording.

    All are of the full length, the last one ending where the sound does; a sound that is not longer is the one window.

    Parameters
    ----------
    seconds : length of a window
    hop : from the beginning of one to that of the next; None: half a window, so that what one cuts in two the next has whole

    Raises
    ------
    DataError : as `samples`
    """
    import numpy as np

    size, step = max(round(seconds * rate), 1), max(round((seconds / 2 if hop is None else hop) * rate), 1)
    held, before = np.empty(0, np.float32), np.empty(0, np.float32)  # samples from `at` on, and the `step` before
    at, begin = 0, None
    for start, chunk in _chunks(given, rate):
        begin = start if begin is None else begin
        held = np.concatenate([held, chunk])
        while len(held) > size:
            yield begin + at / rate, held[:size]
            before, held, at = held[:step], held[step:], at + step
    last = np.concatenate([before, held])[-size:]
    yield (begin or 0.0) + (at + len(held) - len(last)) / rate, last


def wav(samples: Samples, rate: int) -> bytes:
    """Samples as a WAV file of floating point numbers: reading it gives the same ones back."""
    import numpy as np

    data = np.ascontiguousarray(samples, "<f4").tobytes()
    form = struct.pack("<HHIIHHH", FLOAT, 1, rate, rate * 4, 4, 32, 0)
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"fact", struct.pack("<I", len(data) // 4)) + _chunk(b"data", data)
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data


def _chunks(given: Given, rate: int) -> Iterator[tuple[float, Samples]]:
    """(where the sound begins, about a second of samples at the rate wanted), at least one."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise DataError(f"sound can be had with {LOWEST_RATE:,} to {HIGHEST_RATE:,} samples a second, not {rate!r}")
    found = False
    with opened(given) as container:
        stream = sound_of(container)
        if stream is None:
            raise DataError("there is no sound in it")
        for start, chunk in _resampled(frames_of(container, stream), rate):
            found = True
            yield max(start - start_of(container), 0.0), chunk
    if not found:
        raise DataError("it has 0 samples of sound")


def _resampled(frames: Iterable[Any], rate: int) -> Iterator[tuple[float, Samples]]:
    import numpy as np

    start, own, resampler = 0.0, 0, None
    held: list[Samples] = []
    for frame, wave in _gapless(frames):
        if resampler is None:
            start, own = frame.time or 0.0, frame.sample_rate
            resampler = _Resampler(own, rate)
        held.append(wave)
        if sum(map(len, held)) >= own:
            yield from ((start, chunk) for chunk in resampler(np.concatenate(held)))
            held = []
    if resampler is not None:
        rest = [*(resampler(np.concatenate(held)) if held else ()), *resampler(None)]
        yield from ((start, chunk) for chunk in rest)


def _gapless(frames: Iterable[Any]) -> Iterator[tuple[Any, Samples]]:
    """Frames and their samples, with silence where nothing was recorded, or is damaged: what follows keeps its time."""
    import numpy as np

    start, count, left = None, 0, MOST_SILENCE
    for frame in frames:
        rate, wave = frame.sample_rate, _mono(frame)
        start = frame.time if start is None else start
        missing = 0.0 if frame.time is None or start is None else frame.time - start - count / rate
        if GAP < missing < left:
            left -= missing
            silence = round(missing * rate)
            yield from ((frame, np.zeros(min(rate, silence - at), np.float32)) for at in range(0, silence, rate))
            count += silence
        count += len(wave)
        yield frame, wave


class _Resampler:
    """Samples at one rate in, at another out, a piece at a time."""

    def __init__(self, own: int, rate: int) -> None:
        self._own = own
        self._resampler = load("av:AudioResampler")(format="fltp", layout="mono", rate=rate) if own != rate else None

    def __call__(self, samples: Samples | None) -> list[Samples]:
        """What is ready; after None, the rest."""
        if self._resampler is None:
            return [] if samples is None else [samples]
        frame = None
        if samples is not None:
            frame = load("av:AudioFrame").from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = self._own
        return [made.to_ndarray()[0] for made in self._resampler.resample(frame) if made.samples]


def _mono(frame: Any) -> Samples:
    """The mean of the channels: FFmpeg's own mix leaves some out, and knows no more than 24."""
    import numpy as np

    if frame.format.is_planar and frame.layout.nb_channels > PLANES:
        resampler = load("av:AudioResampler")(format=frame.format.packed, layout=frame.layout, rate=frame.sample_rate)
        frame = resampler.resample(frame)[0]
    values = frame.to_ndarray()  # (channels, n), or (1, n · channels) where they are interleaved
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype.kind in "iu":
        bits = 8 * values.dtype.itemsize
        middle = 2.0 ** (bits - 1)
        values = (values - (middle if values.dtype.kind == "u" else 0.0)) / middle
    mean: Samples = (values[0] if len(values) == 1 else values.mean(axis=0, dtype=np.float64)).astype(np.float32)
    return np.where(np.abs(mean) < LOUDEST, mean, np.float32(0))  # NaN too
