"""Pictures: the bytes of a file → pixels as a person sees them: upright, in RGB, within limits. Reads no files.

A picture's plugin is called directly and not through `Image.open`: what else Pillow reads (PostScript runs a program) stays
shut, and the limit is ours alone: neither Pillow's nor the list of warnings is changed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .content import modality_of
from .errors import DataError, Error
from .exif import Exif, claims_too_much, read_exif, without_exif
from .registry import load

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 100_000_000  # about 400 MB once decoded
_PLUGINS = {  # how a file begins → what reads it
    b"\xff\xd8\xff": "PIL.JpegImagePlugin:JpegImageFile",
    b"\x89PNG": "PIL.PngImagePlugin:PngImageFile",
    b"GIF8": "PIL.GifImagePlugin:GifImageFile",
    b"RIFF": "PIL.WebPImagePlugin:WebPImageFile",
    b"II": "PIL.TiffImagePlugin:TiffImageFile",
    b"MM": "PIL.TiffImagePlugin:TiffImageFile",
    b"BM": "PIL.BmpImagePlugin:BmpImageFile",
}
_AVIF, _HEIF = "PIL.AvifImagePlugin:AvifImageFile", "pillow_heif:HeifImageFile"  # both begin with a length
_TURNS = {  # EXIF's orientation → what Pillow calls the way back
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
THUMBNAIL = 256  # pixels of the longer side: sharp on a page of many, and some 8 kB
QUALITY = 70
EFFORT = 2  # of WebP's 0 to 6: 1.8 ms where the usual 4 takes 4.5, for files 5% larger


class Seen(bytes):
    """The bytes of a picture that keep its thumbnail, made by whoever decodes them first: a model, as a rule.

    A photograph takes longer to decode than a small model takes to read it; so nobody decodes it for the thumbnail alone.
    """

    thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the header of a picture says: its format, its size as a person sees it, and what the camera wrote."""

    format: str
    width: int
    height: int
    exif: Exif


def facts(data: bytes) -> Facts:
    """What is known of a picture before its pixels are decoded.

    Raises
    ------
    DataError, MissingExtra : as `decoded`, but for damage behind the header
    """
    picture, exif = _opened(data)
    exif = exif or _exif_of(picture)
    width, height = picture.size if exif.orientation < 5 else picture.size[::-1]
    return Facts(str(picture.format), width, height, exif)


def thumbnail(data: bytes) -> bytes:
    """A small copy, upright, as WebP, its longer side of at most 256 pixels; of `Seen` bytes, the one that is there.

    Raises
    ------
    DataError, MissingExtra : as `decoded`
    """
    return (data.thumbnail if isinstance(data, Seen) else None) or _small(_decoded(data, THUMBNAIL))


def decoded(data: bytes, *, at_least: int | None = None) -> Image:
    """A picture in RGB, upright; of an animation the first frame; what is transparent is white.

    Parameters
    ----------
    data : the bytes of a file: JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF; HEIC where pillow-heif is installed
    at_least : of a JPEG, decode at a half, a quarter or an eighth while the shorter side keeps so many pixels: much faster

    Raises
    ------
    DataError : no picture, damaged or cut off, or of more than 100 million pixels (told by its header, before decoding)
    MissingExtra : Pillow is not installed
    """
    picture = _decoded(data, at_least)
    if isinstance(data, Seen) and data.thumbnail is None and max(picture.size) >= THUMBNAIL:
        data.thumbnail = _small(picture.copy())
    return picture


def _decoded(data: bytes, at_least: int | None) -> Image:
    picture, exif = _opened(data)
    try:
        if at_least is not None:
            picture.draft(None, (at_least, at_least))
        picture.load()
        orientation = (exif or _exif_of(picture)).orientation  # a PNG may have it behind its pixels
        upright = picture.transpose(load("PIL.Image:Transpose")[_TURNS[orientation]]) if orientation in _TURNS else picture
        return _in_rgb(upright)
    except Error:
        raise
    except Exception as error:  # plugins fail at damaged files in every way there is
        raise _damaged(error) from error


def _small(picture: Image) -> bytes:
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=EFFORT)
    return file.getvalue()


def _opened(data: bytes) -> tuple[Any, Exif | None]:
    """A picture of which the header is read, within the limit; and its EXIF where it is not for Pillow to read."""
    exif = None
    if data.startswith(b"\xff\xd8\xff"):
        data, block = without_exif(data)
        exif = read_exif(block)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        if claims_too_much(data):
            raise DataError("the picture's header says that it is far longer than the file; it is damaged, or a trap")
        exif = replace(read_exif(data), orientation=1)  # the plugin turns it
    plugin = load(_plugin(data))
    if (size := _size_of_frames(data)) is not None:
        _refuse_large(*size)
    try:
        picture = plugin(io.BytesIO(data))
        _refuse_large(*picture.size)
    except Error:
        raise
    except Exception as error:
        raise _damaged(error) from error
    return picture, exif


def _exif_of(picture: Any) -> Exif:
    block = picture.info.get("exif")
    return read_exif(block) if isinstance(block, bytes) else Exif()


def _plugin(data: bytes) -> str:
    """What reads a file that begins like this.

    Raises
    ------
    DataError : no picture
    """
    if not data:
        raise DataError("the picture has 0 bytes")
    if modality_of(data) != "image":
        like = "HTML" if data[:256].lstrip().lower().startswith((b"<!doctype html", b"<html")) else "none that is known"
        raise DataError(f"it is no picture: it begins like {like}")
    if data[4:8] == b"ftyp":
        return _AVIF if data[8:12] in (b"avif", b"avis") else _HEIF
    return next(target for sign, target in _PLUGINS.items() if data.startswith(sign))


def _size_of_frames(data: bytes) -> tuple[int, int] | None:
    """(width, height) of those whose plugins make room for a frame when they are opened, by their headers."""
    if data.startswith(b"GIF8"):
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if not data.startswith(b"RIFF"):
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        both = int.from_bytes(data[21:25], "little")
        return 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _refuse_large(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise DataError(
            f"the picture has {width:,} × {height:,} pixels, more than {MOST_PIXELS:,} together; make it smaller first"
        )


def _damaged(error: Exception) -> DataError:
    said = " ".join(str(error).split())[:120]
    return DataError(f"the picture is damaged or cut off ({said or type(error).__name__})")


def _in_rgb(picture: Image) -> Image:
    if picture.mode.startswith(("I", "F")):
        picture = _in_eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")  # a copy without the file behind it, where it is RGB already
    whole = picture.convert("RGBA")
    page: Image = load("PIL.Image:new")("RGB", whole.size, "white")
    page.paste(whole, mask=whole.getchannel("A"))
    return page


def _in_eight_bits(picture: Image) -> Image:
    """16 bits by their upper half; 32 bits and fractions, which have no agreed range, from their darkest to their brightest."""
    import numpy as np

    values = np.asarray(picture)
    if values.dtype.itemsize == 2:
        grey = (values >> 8).astype(np.uint8)
    else:
        values = np.nan_to_num(values.astype(np.float32))
        span = float(values.max() - values.min()) or 1.0
        grey = ((values - values.min()) * (255 / span)).astype(np.uint8)
    made: Image = load("PIL.Image:fromarray")(grey)
    return made
