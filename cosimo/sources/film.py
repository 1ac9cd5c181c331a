"""Film: a recording in, what it shows at an interval out, upright, as BMP files. Hears nothing, embeds nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..core.errors import DataError
from ..core.recordings import film_of, frames_of, opened, start_of
from ..core.registry import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from ..core.recordings import Given

SHORTER = 512  # pixels of the shorter side that are kept: no model of pictures looks at more
MOST_PIXELS = 100_000_000  # of a frame, as of a picture
STILL = 10.0  # seconds for which the last frame may stand: one that stands longer is that of a file that breaks off


def frames(given: Given, times: Sequence[float]) -> Iterator[bytes]:
    """What a film shows at these times, in seconds, ascending: a picture each, as far as the film goes.

    Every frame that others need is decoded: films are compressed so that most can be seen no other way.

    Raises
    ------
    DataError : no film that can be read
    """
    with opened(given) as container:
        stream = film_of(container)
        if stream is None:
            raise DataError("there is no film in it")
        if stream.width * stream.height > MOST_PIXELS:
            raise DataError(f"it has {stream.width:,} × {stream.height:,} pixels, more than {MOST_PIXELS:,}")
        stream.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONREF"  # half the work; a frame or two earlier is the same to a model
        begin, shown, at = start_of(container), None, 0
        for frame in frames_of(container, stream):
            if frame.time is None:
                continue
            while shown is not None and at < len(times) and frame.time - begin > times[at]:
                yield _bmp(shown)
                at += 1
            if at == len(times):
                return
            shown = frame
        if shown is None:
            raise DataError("not one picture of the film in it can be read")
        last = shown.time - begin
        yield from [_bmp(shown)] * sum(time <= last + STILL for time in times[at:])


def upright(frame: Any) -> Image:
    """A frame in RGB as a player shows it (telephones say which way is up, and film askew), no larger than models look at."""
    scale = min(SHORTER / min(frame.width, frame.height), 1)
    width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    picture: Image = frame.reformat(width, height, "rgb24", interpolation="AREA").to_image()
    turn = load("PIL.Image:Transpose")
    turns = {90: turn.ROTATE_90, 180: turn.ROTATE_180, 270: turn.ROTATE_270}
    way = turns.get(round(frame.rotation / 90) * 90 % 360)
    return picture if way is None else picture.transpose(way)


def _bmp(frame: Any) -> bytes:
    """BMP: written and read in no time."""
    file = io.BytesIO()
    upright(frame).save(file, "BMP")
    return file.getvalue()
