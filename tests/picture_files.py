"""Pictures that tests draw: one colour, with or without what a camera writes into a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from picture_models import COLOURS
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


def encoded(picture: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def drawn(colour: str, size: tuple[int, int] = (48, 32), format: str = "JPEG", **options: object) -> bytes:
    return encoded(Image.new("RGB", size, COLOURS[colour]), format, **options)


def taken_in_paris(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = orientation, "Canon", "Canon EOS 5D"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:01 12:33:10", 0x9011: "+02:00"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)})
    return exif


def photographs(folder: Path) -> Path:
    """Three photographs, one of them with all that a camera writes, and a text."""
    (folder / "summer").mkdir(parents=True)
    (folder / "red.jpg").write_bytes(drawn("red"))
    (folder / "blue.png").write_bytes(drawn("blue", format="PNG"))
    (folder / "summer" / "paris.JPG").write_bytes(drawn("green", exif=taken_in_paris(6)))
    (folder / "notes.txt").write_text("a yellow house")
    return folder
