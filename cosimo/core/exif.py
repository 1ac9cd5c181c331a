"""EXIF: what a camera wrote into a picture's file: which way is up, when, where, with what. Knows bytes, no pixels.

Read here and not by Pillow, which reads every entry: a hostile file says that each of 65,535 is as long as the file. What
makes no sense is left out, and nothing is an error: a photograph with a broken date is a photograph.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    Value: TypeAlias = str | list[float]  # text, or numbers; a fraction with 0 below is NaN

_ORIENTATION, _MAKE, _MODEL, _EXIF, _GPS = 0x0112, 0x010F, 0x0110, 0x8769, 0x8825
_TAKEN, _DIGITIZED, _OFFSET = 0x9003, 0x9004, 0x9011
_SOUTH_OR_NORTH, _LATITUDE, _WEST_OR_EAST, _LONGITUDE = 1, 2, 3, 4
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # type of an entry → bytes of a value
_NUMBERS = {3: "H", 4: "I", 5: "I", 9: "i", 10: "i"}  # those that the entries here have; 5 and 10 are fractions, two each
MOST_ENTRIES, MOST_VALUES = 512, 256  # a real one has some sixty; the longest text here is a date or a name
MOST_AGAIN = 8  # how often the entries of one file may say its length together; a real TIFF stays below 2
_MARKER = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Exif:
    """What is known; None where the file does not say, or says nonsense."""

    orientation: int = 1  # 1 to 8, as the standard numbers them; 1 is upright
    taken: str | None = None  # ISO 8601, with the offset from UTC where the camera knew it
    place: tuple[float, float] | None = None  # latitude, longitude in degrees
    camera: str | None = None


def read_exif(blob: bytes) -> Exif:
    """What a block of EXIF says, with its `Exif` marker or without; a TIFF file is such a block."""
    block = blob.removeprefix(_MARKER)
    first = _directory(block, _first_offset(block))
    exif, gps = (_directory(block, _offset(first.get(tag))) for tag in (_EXIF, _GPS))
    way = first.get(_ORIENTATION)
    orientation = int(way[0]) if isinstance(way, list) and way and way[0] in range(1, 9) else 1
    return Exif(orientation, _taken(exif), _place(gps), _camera(first))


def without_exif(jpeg: bytes) -> tuple[bytes, bytes]:
    """A JPEG file without its EXIF, and the EXIF."""
    kept, exif = [jpeg[:2]], b""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and (marker := jpeg[at + 1 : at + 2]) not in (b"", b"\xda"):  # 0xda: the pixels begin
        if marker == b"\xff":  # padding
            at += 1
            continue
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == b"\xe1" and jpeg[at + 4 : at + 10] == _MARKER:
            exif += jpeg[at + 10 : end]  # a long one comes in several segments
        else:
            kept.append(jpeg[at:end])
        at = end
    return b"".join([*kept, jpeg[at:]]), exif


def claims_too_much(tiff: bytes) -> bool:
    """Whether the entries of a TIFF's first directory say that they are many times as long as the file."""
    order, at = _order(tiff), _first_offset(tiff)
    sizes = (count * _SIZES.get(kind, 1) for _, kind, count, _ in _entries(tiff, order, at, most=65_535))
    return sum(min(size, len(tiff)) for size in sizes) > MOST_AGAIN * len(tiff)


def _order(block: bytes) -> str:
    return ">" if block[:2] == b"MM" else "<"


def _first_offset(block: bytes) -> int:
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return 0
    return int.from_bytes(block[4:8], "big" if block[:2] == b"MM" else "little")


def _offset(value: Value | None) -> int:
    return int(value[0]) if isinstance(value, list) and value and value[0] > 0 else 0


def _entries(block: bytes, order: str, at: int, most: int) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, type, number of values, the four bytes that hold them or say where they are) of a directory; none at 0."""
    if not 8 <= at <= len(block) - 2:
        return
    (number,) = struct.unpack_from(f"{order}H", block, at)
    for place in range(at + 2, min(at + 2 + 12 * min(number, most), len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", block, place)
        yield tag, kind, count, block[place + 8 : place + 12]


def _directory(block: bytes, at: int) -> dict[int, Value]:
    """The entries of a directory that can be read: no other directory is followed, so none can lead back."""
    order, found = _order(block), {}
    for tag, kind, count, held in _entries(block, order, at, MOST_ENTRIES):
        size = count * _SIZES.get(kind, 1)
        if not count or count > MOST_VALUES or kind not in (2, *_NUMBERS):
            continue
        if size > 4:
            (start,) = struct.unpack(f"{order}I", held)
            held = block[start : start + size]
        if len(held) >= size:
            found[tag] = _value(held[:size], kind, order)
    return found


def _value(held: bytes, kind: int, order: str) -> Value:
    if kind == 2:
        return held.partition(b"\0")[0].decode("utf-8", "replace").strip()
    letter = _NUMBERS[kind]
    numbers = struct.unpack(f"{order}{len(held) // struct.calcsize(letter)}{letter}", held)
    if kind in (5, 10):
        return [over / under if under else math.nan for over, under in zip(numbers[::2], numbers[1::2], strict=True)]
    return [float(number) for number in numbers]


def _taken(exif: dict[int, Value]) -> str | None:
    said = exif.get(_TAKEN) or exif.get(_DIGITIZED)
    try:
        taken = datetime.strptime(str(said), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:  # 0000:00:00 00:00:00 of a camera whose clock was never set, for one
        return None
    offset = str(exif.get(_OFFSET, ""))
    return taken + offset if re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", offset) else taken


def _place(gps: dict[int, Value]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(_LATITUDE), gps.get(_SOUTH_OR_NORTH), "NS", 90)
    longitude = _degrees(gps.get(_LONGITUDE), gps.get(_WEST_OR_EAST), "EW", 180)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(value: Value | None, side: Value | None, sides: str, most: int) -> float | None:
    """Degrees, minutes and seconds as one number, negative in the south and in the west."""
    if not isinstance(value, list) or len(value) > 3 or side not in tuple(sides):
        return None
    degrees = sum(part / 60.0**at for at, part in enumerate(value))
    if not 0 <= degrees <= most:  # NaN too
        return None
    return round(-degrees if side == sides[1] else degrees, 6)  # a tenth of a metre


def _camera(first: dict[int, Value]) -> str | None:
    make, model = (str(first.get(tag, "")).strip() for tag in (_MAKE, _MODEL))
    if model.lower().startswith(make.lower()):  # "Canon", "Canon EOS 5D"
        return model or None
    return f"{make} {model}".strip()
