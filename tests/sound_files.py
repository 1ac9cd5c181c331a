"""Sounds and films that tests make: tones, WAVs of every kind, films of a colour a second; and a model that hears tones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import av
import numpy as np

from cosimo.core.sound import samples
from cosimo.core.types import Embedded, ModelSpec
from cosimo.embedders.adapted import readable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cosimo.core.types import Content, Role

RATE = 16_000


def tones(*hertz: float, rate: int = RATE, seconds: float = 1.0) -> NDArray[np.float32]:
    """One after the other, a second each."""
    times = np.arange(round(rate * seconds)) / rate
    return np.concatenate([0.5 * np.sin(2 * np.pi * each * times) for each in hertz]).astype(np.float32)


def pcm(wave: NDArray[np.float32], rate: int, *, bits: int = 16, channels: int = 1, floating: bool = False) -> bytes:
    """A WAV of another kind than `cosimo.core.sound.wav` writes; every channel is the same."""
    many = np.repeat(wave[:, None], channels, axis=1)
    if floating:
        data = many.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.round(many * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(many * (2 ** (bits - 1) - 1)).astype("<i4")
        data = whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", 3 if floating else 1, channels, rate, rate * align, align, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def film(
    path: Path, pictures: Sequence[tuple[int, int, int] | NDArray[np.uint8]] = (), sound: NDArray[np.float32] | None = None
) -> Path:
    """A film of a picture a second, ten frames each, and its sound."""
    with av.open(str(path), "w") as container:
        seen = container.add_stream("mpeg4", rate=10) if len(pictures) else None
        heard = container.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        if seen is not None:
            _show(container, seen, pictures)
        if heard is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            queue = av.AudioFifo()
            queue.write(frame)
            while piece := queue.read(1024, partial=True):
                container.mux(heard.encode(piece))
            container.mux(heard.encode(None))
    return path


def _show(container: av.container.OutputContainer, stream: av.VideoStream, pictures: Sequence[object]) -> None:
    stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 2_000_000
    for picture in pictures:
        pixels = np.empty((64, 96, 3), np.uint8)
        pixels[:] = picture
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    container.mux(stream.encode(None))


class Tones:
    """Sounds by how strong which frequency is."""

    modalities: tuple[str, ...] = ("audio",)
    most = 0  # contents embedded at once, and bytes of the largest of these batches
    bytes = 0

    def __init__(self, name: str) -> None:
        self.spec = ModelSpec(f"tones:{name}", 80, "1", modalities=self.modalities, seconds=1.0)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        given = readable(contents, self.spec.name, self.modalities)
        Tones.most = max(Tones.most, len(given))
        Tones.bytes = max(Tones.bytes, sum(map(len, given)))
        rows = [self.row(each) for each in given]
        vectors = np.array(rows, np.float32).reshape(len(rows), self.spec.dim) + np.float32(1e-3)
        return Embedded(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 0, [])

    def row(self, content: Content) -> NDArray[np.float64]:
        assert isinstance(content, bytes)
        wave = samples(content, rate=RATE, seconds=1.0)
        return np.abs(np.fft.rfft(wave, RATE))[:8000].reshape(80, 100).sum(axis=1)

    def count_tokens(self, texts: Sequence[Content]) -> list[int]:
        return [0 for _ in texts]
