"""Recordings: sound or film, a file or its bytes → what is known of it, and its streams, opened by FFmpeg. Interprets none."""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from .errors import DataError
from .registry import load

if TYPE_CHECKING:
    from collections.abc import Iterator

Given: TypeAlias = bytes | Path  # the whole file either way

# What FFmpeg may take a file for, whatever its name says: a playlist (HLS, concat) would make it open other files and addresses
_FORMATS = (
    "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,ape,wv,amr,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,mpegvideo,asf"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # samples a second; a header that says less or more is damaged
SAID = 100  # characters of what FFmpeg says


class Facts(NamedTuple):
    """What a recording says of itself; None where it does not."""

    media: Literal["audio", "video"]
    seconds: float
    rate: int | None = None  # samples a second of its sound
    channels: int | None = None
    width: int | None = None  # pixels as they are stored: a telephone's film may have to be turned
    height: int | None = None
    fps: float | None = None
    taken: str | None = None  # ISO 8601


def facts(given: Given) -> Facts:
    """What is known of a recording before anything is decoded.

    Raises
    ------
    DataError : no sound or film that can be read; the message is a reason without a name
    """
    with opened(given) as container:
        sound, film = sound_of(container), film_of(container)
        if sound is None and film is None:
            raise DataError("there is neither sound nor film in it that can be decoded")
        seconds = _seconds(container)
        if seconds <= 0:
            raise DataError("it has 0 samples of sound" if film is None else "it is 0 seconds long")
        rate = film.average_rate if film is not None else None
        return Facts(
            "video" if film is not None else "audio",
            seconds,
            sound.rate if sound is not None else None,
            sound.channels if sound is not None else None,
            film.width if film is not None else None,
            film.height if film is not None else None,
            round(float(rate), 3) if rate else None,
            _date(container.metadata.get("creation_time") or container.metadata.get("date") or ""),
        )


def _date(said: str) -> str | None:
    """What begins with a year; people write other things into tags."""
    return said if said[:4].isdecimal() and len(said) >= len("2001") else None


@contextmanager
def opened(given: Given) -> Iterator[Any]:
    """An `av` container; FFmpeg's errors become `DataError`s as long as it is open."""
    failure = load("av.error:FFmpegError")
    if isinstance(given, bytes) and not given:
        raise DataError("it has 0 bytes")
    if isinstance(given, Path):
        _require(given)
    try:
        with _container(given) as container:
            yield container
    except failure as error:
        raise _damaged(error) from error


def _require(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        path.open("rb").close()
    except OSError as error:  # of which FFmpeg makes damage
        raise DataError(f"{error.strerror}: {path}") from error


def _container(given: Given) -> Any:
    open_container = load("av:open")
    # `a:b.wav` alone would be of a protocol `a`
    where = io.BytesIO(given) if isinstance(given, bytes) else str(given.absolute())
    try:
        return open_container(where, options=_OPTIONS, metadata_errors="replace")  # titles in Latin-1
    except (ValueError, OverflowError) as error:  # PyAV's own, to what no stream can have
        raise _damaged(error) from error


def sound_of(container: Any) -> Any:
    """The first stream of sound, or None.

    Raises
    ------
    DataError : its header says what no recording has
    """
    stream = next(filter(_is_decodable, container.streams.audio), None)
    if stream is not None and not (stream.channels and LOWEST_RATE <= stream.rate <= HIGHEST_RATE):
        raise DataError(
            f"its header says {stream.rate:,} samples a second in {stream.channels} channels, which no recording has"
        )
    return stream


def film_of(container: Any) -> Any:
    """The first stream of moving pictures, or None: the cover of a record is none."""
    cover = load("av.stream:Disposition").attached_pic
    return next((each for each in container.streams.video if _is_decodable(each) and not each.disposition & cover), None)


def _is_decodable(stream: Any) -> bool:
    """Whether FFmpeg knows how it is compressed."""
    return stream.codec_context is not None


def start_of(container: Any) -> float:
    """The time that its clocks show at the beginning, in seconds."""
    return float((container.start_time or 0) / 1_000_000)


def frames_of(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames. A damaged packet is left out, and where the file breaks off it ends: the rest is worth having."""
    failure = load("av.error:FFmpegError")
    packets = _packets(container, stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, failure):
            return
        try:
            yield from packet.decode()
        except failure:
            continue


def _packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Packets; one of a stream that begins in the middle of a broadcast, which PyAV does not know, is left out."""
    while True:
        try:
            yield from container.demux(*streams)
        except IndexError:
            continue
        return


def _seconds(container: Any) -> float:
    """How long it is: as its header says, else as its last packet does, which needs it read once."""
    if container.duration is not None and container.duration > 0:
        return float(container.duration / 1_000_000)
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in _packets(container)
        if packet.pts is not None and packet.time_base is not None
    ]
    return max(max(ends, default=0.0) - start_of(container), 0.0)


def _damaged(error: Exception) -> DataError:
    said = str(getattr(error, "strerror", None) or error).split(":")[0]
    return DataError(f"it is damaged, or no sound or film that can be read ({' '.join(said.split())[:SAID]})")
