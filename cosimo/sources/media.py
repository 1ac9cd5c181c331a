"""Media: a file that is no text and no document in, its content and what it says of itself out. Finds no files.

Which endings are what stands here once, for files read from a folder and for those named on a command line.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..core import pictures
from ..core.errors import DataError
from ..core.kinds import ONE
from ..core.types import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..core.types import Content, Metadata, Modality

MEDIA: dict[str, Modality] = {  # ending of a name → what such files are
    **dict.fromkeys(
        (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif"), "image"
    ),
    **dict.fromkeys(
        (
            ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".aif", ".aiff", ".au", ".caf", ".wma",
            ".amr",
        ),
        "audio",
    ),
    **dict.fromkeys(
        (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".m2ts"), "video"
    ),
}  # fmt: skip
MODELS: dict[Modality, str] = {  # where no model here reads them
    "image": "pictures are read by models such as st:clip-ViT-B-32 or openvino:FOLDER",
    "audio": "sound is read by models such as clap:laion/clap-htsat-unfused or openvino:FOLDER",
    "video": "film is read by models of pictures or sound, such as st:clip-ViT-B-32 or clap:laion/clap-htsat-unfused",
}
LARGEST = 256_000_000  # bytes of a picture's file, all of which are in memory


def media_of(name: str) -> Modality | None:
    """What a file of this name is, where its ending tells; None: text, a document, or nobody knows."""
    return MEDIA.get(PurePath(name).suffix.lower())


def hint(left_out: Mapping[str, int]) -> str:
    """Which models read what was left out, as the end of a sentence: for a run in which nothing else was there."""
    return "".join(f"; {said}" for kind, said in MODELS.items() if any(why.startswith(f"{ONE[kind]},") for why in left_out))


def inside(metadata: Metadata) -> list[Modality]:
    """The kinds of content that a model may read of a file with this metadata: of a film its pictures, its sound, or both."""
    if metadata["media"] != "video":
        return [metadata["media"]]
    return [kind for kind, told in (("image", "width"), ("audio", "rate")) if told in metadata]  # type: ignore[misc]


def read_media(path: Path) -> tuple[Content | Recording, dict[str, Any]]:
    """The content of a file of which `media_of` tells the kind, and its metadata: `media`, `file`, and what is known.

    Raises
    ------
    DataError : it is not what its name says, or damaged; the message is a reason without the file's name
    MissingExtra : a package is not installed
    OSError : the system does not give it
    """
    content, known = _READERS[MEDIA[path.suffix.lower()]](path)
    said = {name: value for name, value in known.items() if value is not None}
    return content, {"media": MEDIA[path.suffix.lower()], **said, "file": str(path.absolute())}


def _picture(path: Path) -> tuple[Content, dict[str, Any]]:
    if (size := path.stat().st_size) > LARGEST:
        raise DataError(f"the picture has {size:,} bytes, more than {LARGEST:,}; make it smaller first")
    data = path.read_bytes()
    return data, picture_facts(data)


def picture_facts(data: bytes) -> dict[str, Any]:
    """What the file of a picture says of itself, as metadata; None for what it does not say.

    Raises
    ------
    DataError : no picture; the message is a reason without a name
    """
    facts = pictures.facts(data)
    exif = facts.exif
    return {
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "taken": exif.taken,
        "place": {"lat": exif.place[0], "lon": exif.place[1]} if exif.place else None,
        "camera": exif.camera,
    }


def _recording(path: Path) -> tuple[Recording, dict[str, Any]]:
    """A sound or a film, which stays where it is; what its ending says may be wrong: a film may have sound alone."""
    from .recordings import described

    stat = path.stat()
    told = described(Recording(str(path)))
    return Recording(str(path.absolute()), told["media"]), told | {"size": stat.st_size, "modified": _date(stat.st_mtime)}


def _date(seconds: float) -> str | None:
    """ISO 8601 of a file's date; None for one that no calendar has."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


_READERS: dict[Modality, Callable[[Path], tuple[Content | Recording, dict[str, Any]]]] = {
    "image": _picture,
    "audio": _recording,
    "video": _recording,
}
