"""Recordings: a sound or a film in; what is known of it, and the parts that a model reads, out. Embeds nothing.

Sound comes in windows as WAV files, film as pictures at an interval: a model of pictures sees a film, one of sound hears it,
one of both does both. Where a part lies is told in milliseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import DataError
from ..core.kinds import listed
from ..core.recordings import facts, film_of, frames_of, opened
from ..core.sound import samples, wav, windows
from ..core.types import Passage, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.recordings import Facts, Given
    from ..core.types import ModelSpec

SOUND, PICTURE = "sound", "picture"  # headings of parts: of what in the recording they are
SECONDS = 10.0  # of a window, where the model does not say what it hears at once
HIGHEST_RATE = 48_000  # no model hears more
EVERY = 1.0  # seconds between two pictures of a film
MOST_PICTURES = 1_800  # of one film: above half an hour they lie further apart


class Part(NamedTuple):
    """A window of sound or a picture of a film: where it lies, and a file that a model reads."""

    passage: Passage  # `start` and `end` in milliseconds; no text
    content: bytes


def parts(content: bytes | Recording, spec: ModelSpec) -> Iterator[Part]:
    """The parts of a recording for a model, one by one: its pictures, then its sounds.

    Raises
    ------
    DataError : damaged, or nothing in it that the model reads
    """
    given = _given(content)
    known = facts(given)
    for seq, (span, kind, data) in enumerate(_read(given, known, spec)):
        yield Part(Passage(seq, *span, "", kind), data)


def described(content: bytes | Recording) -> dict[str, Any]:
    """Metadata: media, duration in seconds, and what it says of itself; its first moment is decoded, so that damage is known.

    Raises
    ------
    DataError : no recording that can be read; the message is a reason without a name
    """
    given = _given(content)
    known = facts(given)
    if known.rate is not None:
        samples(given, rate=known.rate, seconds=0.01)
    about: dict[str, Any] = {"media": known.media, "duration": round(known.seconds, 3)}
    size = _size(given) if known.width is not None else {}
    told = {"rate": known.rate, "channels": known.channels, **size, "fps": known.fps, "taken": known.taken}
    return about | {name: value for name, value in told.items() if value is not None}


def every(seconds: float) -> float:
    """How far apart the pictures of a film of this length lie, in seconds."""
    return max(EVERY, seconds / MOST_PICTURES)


def _given(content: bytes | Recording) -> Given:
    return Path(content.path) if isinstance(content, Recording) else content


def _read(given: Given, known: Facts, spec: ModelSpec) -> Iterator[tuple[tuple[int, int], str, bytes]]:
    sees, hears = "image" in spec.modalities and known.width is not None, "audio" in spec.modalities and known.rate is not None
    if not sees and not hears:
        raise DataError(f"there is {_inside(known)} in it, and {spec.name} reads {listed(spec.modalities)}")
    if sees:
        yield from _pictures(given, known)
    if hears:
        yield from _sounds(given, known, spec.seconds or SECONDS)


def _inside(known: Facts) -> str:
    return " and ".join(name for name, there in (("film", known.width), ("sound", known.rate)) if there is not None)


def _pictures(given: Given, known: Facts) -> Iterator[tuple[tuple[int, int], str, bytes]]:
    """A picture of the middle of each interval."""
    from .film import frames

    step = every(known.seconds)
    count = max(round(known.seconds / step), 1)
    ends = [*(number * step for number in range(1, count)), known.seconds]
    spans = list(zip([0.0, *ends], ends, strict=False))
    for (start, end), picture in zip(spans, frames(given, [(start + end) / 2 for start, end in spans]), strict=False):
        yield _span(start, end), PICTURE, picture


def _sounds(given: Given, known: Facts, seconds: float) -> Iterator[tuple[tuple[int, int], str, bytes]]:
    rate = min(known.rate or HIGHEST_RATE, HIGHEST_RATE)
    for start, window in windows(given, rate=rate, seconds=seconds):
        yield _span(start, start + len(window) / rate), SOUND, wav(window, rate)


def _span(start: float, end: float) -> tuple[int, int]:
    return round(1000 * start), round(1000 * end)


def _size(given: Given) -> dict[str, int]:
    """Width and height as a player shows them."""
    with opened(given) as container:
        frame = next(frames_of(container, film_of(container)), None)
        if frame is None:
            raise DataError("not one picture of the film in it can be read")
        turned = round(frame.rotation / 90) % 2
        return {"width": frame.height if turned else frame.width, "height": frame.width if turned else frame.height}
