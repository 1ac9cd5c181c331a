"""Pictures: read from files, described, embedded, shown small, asked with. Drawn by the tests."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import struct
import subprocess
import sys
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from picture_files import drawn, encoded, photographs, taken_in_paris
from picture_models import Colours, plug_in
from PIL import Image, TiffImagePlugin

import cosimo
from cosimo.core.errors import DataError, NotFound
from cosimo.core.exif import read_exif
from cosimo.core.pictures import decoded, facts, thumbnail
from cosimo.core.types import Hit
from cosimo.interfaces.cli.hits import about
from cosimo.sources.files import Files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug_in(monkeypatch, tmp_path / "site")
    Colours.loaded = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return photographs(tmp_path / "photos")


@pytest.fixture
def photos(home: Path, folder: Path) -> cosimo.Collection:
    collection = cosimo.open(":memory:").collection("photos", model="colours:a")
    collection.add(cosimo.read(folder))
    return collection


# -- pixels


HALVES = Image.new("RGB", (60, 40), "red")
HALVES.paste("blue", (0, 0, 60, 20))  # above
TAGGED = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


@pytest.mark.parametrize("format", TAGGED)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright_in_every_orientation_and_format(format: str, orientation: int) -> None:
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's numbers of the operations that undo what a camera did
    stored = HALVES.transpose(back[orientation]) if orientation > 1 else HALVES
    data = encoded(stored, format, exif=taken_in_paris(orientation))
    picture, known = decoded(data), facts(data)
    assert picture.size == (60, 40) == (known.width, known.height)
    assert picture.getpixel((30, 5))[2] > 200
    assert picture.getpixel((30, 35))[0] > 200
    assert known.exif.camera == "Canon EOS 5D"
    assert known.exif.place == (None if format == "TIFF" else (48.858222, 2.2945))  # Pillow writes no place into a TIFF


def test_a_png_may_say_behind_its_pixels_which_way_is_up() -> None:
    data = encoded(HALVES.transpose(4), "PNG")  # as orientation 8 stores it
    block = taken_in_paris(8).tobytes().removeprefix(b"Exif\0\0")
    end = data.index(b"IEND") - 4
    data = data[:end] + chunk(b"eXIf", block) + data[end:]
    assert decoded(data).size == HALVES.size


@pytest.mark.parametrize(
    ("picture", "format", "expected"),
    [
        (Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", (0, 255, 255)),
        (Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "TIFF", (0, 255, 255)),
        (Image.fromarray(np.full((8, 8), 40_000, np.uint16)), "PNG", (156, 156, 156)),
        (Image.fromarray(np.full((8, 8), 40_000, np.uint16)), "TIFF", (156, 156, 156)),
        (Image.fromarray(np.tile(np.linspace(-2, 2, 8, dtype=np.float32), (8, 1))), "TIFF", (145, 145, 145)),
        (Image.new("1", (8, 8), 1), "PNG", (255, 255, 255)),
        (Image.new("LA", (8, 8), (0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 128)), "PNG", (255, 127, 127)),
        (Image.new("RGB", (8, 8), "blue").convert("P"), "GIF", (0, 0, 255)),
    ],
    ids=["cmyk", "cmyk tiff", "16 bit", "16 bit tiff", "fractions", "1 bit", "transparent", "half transparent", "palette"],
)
def test_every_kind_of_pixels_becomes_rgb(picture: Image.Image, format: str, expected: tuple[int, int, int]) -> None:
    found = decoded(encoded(picture, format))
    assert found.mode == "RGB"
    assert np.abs(np.array(found.getpixel((4, 4))) - expected).max() <= 3


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    assert decoded(data).getpixel((8, 8))[0] > 240


def test_heic_is_read_where_pillow_heif_is_installed() -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(HALVES).save(file)
    assert decoded(file.getvalue()).size == (60, 40)
    assert facts(file.getvalue()).format == "HEIF"


def test_without_the_package_for_a_format_its_pip_line_is_the_reason(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (folder / "a.heic").write_bytes(BAD["heic"][0])
    source = cosimo.read(folder)
    cosimo.open(":memory:").collection("photos", model="colours:a").add(source)
    assert [(each.name, each.reason) for each in source.problems] == [
        ("a.heic", "this needs the package pillow_heif; run: pip install 'cosimo[media]'")
    ]


def test_a_large_jpeg_is_decoded_at_a_reduced_scale_on_request() -> None:
    data = drawn("red", (1600, 1200))
    assert decoded(data).size == (1600, 1200)
    assert decoded(data, at_least=224).size == (400, 300)
    assert Image.open(io.BytesIO(thumbnail(data))).size == (256, 192)


# -- what is no picture


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def resized(data: bytes, sign: bytes, offset: int, size: bytes) -> bytes:
    """A file whose header says another size."""
    at = data.index(sign) + offset
    return data[:at] + size + data[at + len(size) :]


NOISE = encoded(Image.effect_noise((300, 200), 90).convert("RGB"))
BAD = {
    "html": (b"<!DOCTYPE html><title>not found</title>", "it is no picture: it begins like HTML"),
    "empty": (b"", "0 bytes"),
    "text": (b"hello", "it is no picture"),
    "truncated": (NOISE[: len(NOISE) // 2], "damaged or cut off"),
    "a few bytes": (NOISE[:20], "damaged or cut off"),
    "only a sign": (b"\xff\xd8\xff", "damaged or cut off"),
    "png 30,000": (png_of(30_000, 30_000), "30,000 × 30,000 pixels"),
    "jpeg 30,000": (resized(drawn("red"), b"\xff\xc0", 5, struct.pack(">HH", 30_000, 30_000)), "30,000 × 30,000 pixels"),
    "gif 30,000": (resized(drawn("red", format="GIF"), b"GIF8", 6, struct.pack("<HH", 30_000, 30_000)), "30,000 × 30,000"),
    "webp 16,383": (
        resized(drawn("red", format="WEBP"), b"VP8 ", 14, struct.pack("<HH", 16_383, 16_383)), "16,383 × 16,383 pixels",
    ),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 40, "damaged or cut off"),
    "avif": (b"\0\0\0\x18ftypavif" + b"\0" * 40, "damaged or cut off"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_in_one_sentence_before_pixels_are_made(name: str) -> None:
    import tracemalloc

    data, said = BAD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracemalloc.start()
        with pytest.raises(DataError, match=said) as error:
            decoded(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert peak < 5_000_000


def test_limits_are_ours_and_those_of_pillow_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(drawn("red", format="PNG")).size == (48, 32)
    assert Image.MAX_IMAGE_PIXELS == 10


def with_exif(block: bytes) -> bytes:
    """A JPEG with this block of EXIF, in as many segments as it takes."""
    data = drawn("red")
    parts = [block[at : at + 65_000] for at in range(0, len(block), 65_000)] or [b""]
    segments = [b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts]
    return data[:2] + b"".join(segments) + data[2:]


def entries(*rows: tuple[int, int, int, int], number: int | None = None) -> bytes:
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows) if number is None else number)
    return head + b"".join(struct.pack("<HHII", *row) for row in rows)


HOSTILE = {
    "nothing": b"",
    "no directory": b"II*\0\xff\xff\xff\xff",
    "a directory in itself": entries((0x8769, 4, 1, 8), (0x8825, 4, 1, 8)) + b"\x08\0\0\0",
    "more entries than bytes": entries((0x0110, 2, 9, 0), number=65_535),
    "values past the end": entries((0x0110, 2, 2**31, 2**32 - 1), (0x9003, 2, 2**32 - 1, 8)),
    "a thousand times its length": entries(*((tag, 7, 2**20, 8) for tag in range(65_000))) + b"\0" * 300_000,
    "orientation 99": entries((0x0112, 3, 1, 99)),
    "orientation as text": entries((0x0112, 2, 2, 0x3636)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_exif_is_passed_over_and_the_picture_read(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(with_exif(HOSTILE[name])).size == (48, 32)
        assert facts(with_exif(HOSTILE[name])).exif.place is None


@pytest.mark.parametrize(
    "values",
    [
        {2: (91.0, 0.0, 0.0)},
        {1: "X"},
        {2: (TiffImagePlugin.IFDRational(0, 0), 0.0, 0.0)},
        {4: (181.0, 0.0, 0.0)},
        {4: (1.0, 2.0, 3.0, 4.0)},
    ],
    ids=["91 north", "no side", "0/0", "181 east", "four parts"],
)
def test_a_place_that_cannot_be_is_none(values: dict[int, object]) -> None:
    exif = taken_in_paris()
    exif.get_ifd(0x8825).update(values)
    assert read_exif(exif.tobytes()).place is None
    assert read_exif(exif.tobytes()).taken == "2024-05-01T12:33:10+02:00"


def test_a_tiff_whose_header_claims_far_more_than_the_file_holds_is_refused() -> None:
    with pytest.raises(DataError, match="far longer than the file"):
        decoded(HOSTILE["a thousand times its length"])


# -- files


def test_a_folder_of_photographs_becomes_documents_with_what_the_camera_wrote(folder: Path, home: Path) -> None:
    collection = cosimo.open(":memory:").collection("photos", model="colours:a")
    added = collection.add(cosimo.read(folder))
    assert added.added == 4
    paris = collection.get("summer/paris.JPG").metadata
    assert paris == {
        "media": "image", "format": "JPEG", "width": 32, "height": 48, "taken": "2024-05-01T12:33:10+02:00",
        "place": {"lat": 48.858222, "lon": 2.2945}, "camera": "Canon EOS 5D", "file": str(folder / "summer" / "paris.JPG"),
    }  # fmt: skip
    assert collection.get("notes.txt").content == "a yellow house"
    near = collection.search("green", where="NEAR(place, 48.86, 2.29, 2000)")
    assert [hit.id for hit in near] == ["summer/paris.JPG"]
    assert {hit.id for hit in collection.search("yellow", where="media = 'image'")} == {
        "red.jpg", "blue.png", "summer/paris.JPG",
    }  # fmt: skip


def test_pictures_are_left_out_for_a_model_of_texts_and_texts_for_one_of_pictures(folder: Path, home: Path) -> None:
    db = cosimo.open(":memory:")
    source = cosimo.read(folder)
    assert db.collection("texts", model="fake:16").add(source).added == 1
    assert dict(source.left_out) == {"a picture, and fake:16 reads text": 3}
    source = cosimo.read(folder)
    assert db.collection("pictures", model="pictures:a").add(source).added == 3
    assert dict(source.left_out) == {"a text, and pictures:a reads pictures": 1}


def test_a_run_over_texts_asks_no_model_what_it_reads(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("red")
    path = tmp_path / "notes.db"
    cosimo.open(path).collection("notes", model="st:some-model-that-is-nowhere@16")
    source = Files(tmp_path / "a")
    asked: list[str] = []
    source.unread_by = lambda kind: asked.append(kind)
    assert len(list(source)) == 1
    assert asked == ["text"]


def test_damaged_pictures_are_named_and_the_run_goes_on_and_sync_leaves_their_rows(folder: Path, home: Path) -> None:
    db = cosimo.open(":memory:")
    photos = db.collection("photos", model="colours:a")
    photos.add(cosimo.read(folder), sync=True)
    before = photos.vector("red.jpg")
    for name in ("html", "empty", "png 30,000"):
        (folder / f"{name}.jpg").write_bytes(BAD[name][0])
    (folder / "red.jpg").write_bytes(NOISE[: len(NOISE) // 2])  # its header is whole
    (folder / "blue.png").unlink()
    source = cosimo.read(folder)
    added = photos.add(source, sync=True)
    assert (added.added, added.updated, added.unchanged, added.removed) == (0, 0, 2, 1)
    assert {problem.name for problem in source.problems} == {"html.jpg", "empty.jpg", "png 30,000.jpg", "red.jpg"}
    assert np.array_equal(photos.vector("red.jpg"), before)


def test_pictures_are_read_as_bytes_where_that_is_asked_for(folder: Path, home: Path) -> None:
    documents = {document.id: document for document in cosimo.read(folder, "*.jpg", binary=True)}
    assert documents["red.jpg"].content == (folder / "red.jpg").read_bytes()
    assert documents["red.jpg"].metadata is None
    assert dict(cosimo.read(folder, "*.txt", binary=True).left_out) == {}


# -- one given directly


def test_a_picture_for_a_model_of_texts_and_a_text_for_one_of_pictures_are_named(home: Path) -> None:
    db = cosimo.open(":memory:")
    with pytest.raises(DataError, match="the content of 'x' is a picture, and fake:16 reads text"):
        db.collection("a", model="fake:16").add([cosimo.Document("x", drawn("red"))])
    with pytest.raises(DataError, match="the content of 'y' is a text, and pictures:a reads pictures"):
        db.collection("b", model="pictures:a").add([cosimo.Document("x", drawn("red")), cosimo.Document("y", "red")])
    with pytest.raises(DataError, match="'x' cannot be read: the picture is damaged or cut off"):
        db.collection("c", model="colours:a").add([cosimo.Document("x", NOISE[:500])])
    assert [info.name for info in db.collections()] == []


def test_a_migration_to_a_model_of_texts_names_the_pictures(photos: cosimo.Collection) -> None:
    with pytest.raises(DataError, match=r"3 rows of 'photos', such as 'blue.png', cannot be embedded: it is a picture"):
        photos.migrate("fake:16")
    assert photos.migrate("colours:b").rows == 4


def test_a_migration_takes_pictures_that_are_not_stored_from_their_files(folder: Path, home: Path) -> None:
    photos = cosimo.open(":memory:").collection("photos", model="colours:a")
    photos.add(cosimo.read(folder, "**/*.jpg"), store=False)
    with pytest.raises(DataError, match="no text, stored or given"):
        photos.migrate("colours:b")
    assert photos.migrate("colours:b", cosimo.read(folder, "**/*.jpg")).rows == 1
    assert (photos.model, photos.get("red.jpg").content) == ("colours:b", None)


def test_what_adding_would_do_is_counted_for_pictures_too(folder: Path, home: Path) -> None:
    photos = cosimo.open(":memory:").collection("photos", model="colours:a")
    plan = photos.plan(cosimo.read(folder))
    assert (plan.texts, plan.to_embed) == (4, 4)
    photos.add(cosimo.read(folder))
    assert photos.plan(cosimo.read(folder)).unchanged == 4


def test_a_run_in_which_nothing_changed_embeds_nothing(folder: Path, home: Path) -> None:
    photos = cosimo.open(":memory:").collection("photos", model="colours:a")
    photos.add(cosimo.read(folder))
    again = photos.add(cosimo.read(folder))
    assert (again.embedded, again.unchanged, again.updated) == (0, 4, 0)


# -- stored, or small


def test_bytes_are_stored_on_request_and_thumbnails_always(folder: Path, home: Path, tmp_path: Path) -> None:
    db = cosimo.open(tmp_path / "p.db")
    photos = db.collection("photos", model="colours:a")
    photos.add(cosimo.read(folder, "**/*.jpg"), store=False)
    assert photos.get("red.jpg").content is None
    small = Image.open(io.BytesIO(photos.thumbnail("red.jpg")))
    assert (small.format, small.size) == ("WEBP", (48, 32))
    photos.add(cosimo.read(folder, "**/*.jpg"), store=True)
    assert photos.get("red.jpg").content == (folder / "red.jpg").read_bytes()


def test_a_thumbnail_goes_with_the_last_row_that_has_its_picture(home: Path, tmp_path: Path) -> None:
    db = cosimo.open(tmp_path / "p.db")
    a, b = db.collection("a", model="colours:a"), db.collection("b", model="colours:a")
    for collection in (a, b):
        collection.add([cosimo.Document("red", drawn("red")), cosimo.Document("blue", drawn("blue"))])

    def kept() -> int:
        return db.store._file.value("SELECT count(*) FROM cosimo_thumbnails")

    assert kept() == 2
    a.delete("red")
    assert kept() == 2
    b.add([cosimo.Document("red", drawn("green"))])  # replaces the last one
    assert kept() == 2
    db.drop("b")
    assert kept() == 1
    db.drop("a")
    assert kept() == 0


def test_thumbnails_of_rows_that_another_program_deleted_go_with_a_repair(home: Path, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "p.db") as db:
        db.collection("photos", model="colours:a").add([cosimo.Document(name, drawn(name)) for name in ("red", "blue")])
    with sqlite3.connect(tmp_path / "p.db") as other:
        other.execute("DELETE FROM embeddings WHERE id = 'red'")
    with cosimo.open(tmp_path / "p.db") as db:
        assert db.check(repair=True) == []
        assert db.store._file.value("SELECT count(*) FROM cosimo_thumbnails") == 1


def test_a_missing_thumbnail_is_made_from_stored_bytes_or_the_unchanged_file(folder: Path, home: Path, tmp_path: Path) -> None:
    db = cosimo.open(tmp_path / "p.db")
    photos = db.collection("photos", model="colours:a")
    photos.add(cosimo.read(folder), store=False)
    photos.add([cosimo.Document("stored", drawn("yellow"))])
    db.store._file.execute("DELETE FROM cosimo_thumbnails")
    assert photos.thumbnail("stored").startswith(b"RIFF")
    assert photos.thumbnail("red.jpg").startswith(b"RIFF")
    (folder / "blue.png").write_bytes(drawn("black", format="PNG"))
    with pytest.raises(NotFound, match=r"'blue.png' .* another picture"):
        photos.thumbnail("blue.png")
    with pytest.raises(NotFound, match=r"'notes.txt' is no picture"):
        photos.thumbnail("notes.txt")
    with pytest.raises(NotFound, match="no item 'nothing'"):
        photos.thumbnail("nothing")


def test_files_of_the_version_before_get_their_table_with_the_first_write(home: Path, tmp_path: Path) -> None:
    db = cosimo.open(tmp_path / "p.db")
    photos = db.collection("photos", model="colours:a")
    photos.add([cosimo.Document("red", drawn("red"))])
    db.store._file.execute("DROP TABLE cosimo_thumbnails")
    db.store._file.execute("UPDATE cosimo_state SET version = 3")
    db.close()
    db = cosimo.open(tmp_path / "p.db", read_only=True)
    assert db.collection("photos").thumbnail("red").startswith(b"RIFF")
    db.close()
    db = cosimo.open(tmp_path / "p.db")
    db.collection("photos").add([cosimo.Document("blue", drawn("blue"))])
    assert db.store._file.value("SELECT count(*) FROM cosimo_thumbnails") == 1
    assert db.collection("photos").search("red")[0].id == "red"


def test_bytes_given_directly_say_what_they_are(home: Path) -> None:
    photos = cosimo.open(":memory:").collection("photos", model="colours:a")
    document = cosimo.Document("x", drawn("red"), {"price": 7})
    for _ in range(2):  # nothing is lost where nothing changed
        photos.add([document, cosimo.Document("y", drawn("blue"))])
        assert photos.get("x").metadata == {"media": "image", "format": "JPEG", "width": 48, "height": 32, "price": 7}
        assert photos.get("y").metadata == {"media": "image", "format": "JPEG", "width": 48, "height": 32}
    assert [hit.id for hit in photos.search("blue", where="media = 'image' AND price = 7")] == ["x"]


def test_the_page_of_a_map_holds_the_thumbnails(photos: cosimo.Collection, tmp_path: Path) -> None:
    photos.export_map(photos.map(method="pca"), tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text()
    for id in ("red.jpg", "blue.png"):
        assert base64.b64encode(photos.thumbnail(id)).decode() in page
    assert page.count("UklGR") == 3  # RIFF


# -- asked with pictures


def test_a_picture_finds_pictures_and_a_text_beside_it_shifts_what_is_meant(photos: cosimo.Collection) -> None:
    assert photos.search(drawn("blue", (9, 9)))[0].id == "blue.png"
    both = photos.search(drawn("blue"), plus="but red", k=2)
    assert {hit.id for hit in both} == {"blue.png", "red.jpg"}
    less = photos.search("red blue", minus=drawn("blue"), k=1)
    assert less[0].id == "red.jpg"
    assert photos.search("red", plus=[drawn("green"), "green"], k=1)[0].id == "summer/paris.JPG"


def test_the_vector_of_a_mixture_is_the_sum_of_unit_vectors(photos: cosimo.Collection) -> None:
    picture, text = (photos.embedder.embed([content]).vectors[0] for content in (drawn("blue"), "but red"))
    wanted = (picture + text) / np.linalg.norm(picture + text)
    for hit in photos.search(drawn("blue"), plus="but red"):
        assert hit.score == pytest.approx(float(wanted @ photos.vector(hit.id)), abs=1e-5)


def test_texts_and_pictures_of_one_space_are_found_by_meaning_unless_words_are_asked_for(photos: cosimo.Collection) -> None:
    photos.add([cosimo.Document("about red", "red is not the colour of everything yellow or green")])
    assert photos.search("red")[0].id == "red.jpg"  # no word of it is in a picture
    assert [hit.id for hit in photos.search("red", mode="text")] == ["about red"]
    assert photos.search("red", mode="hybrid")[0].id == "about red"
    assert {hit.id for hit in photos.search("yellow", k=2)} == {"notes.txt", "about red"}


def test_other_bytes_than_pictures_are_refused_as_a_question(photos: cosimo.Collection) -> None:
    with pytest.raises(DataError, match="the question is binary, and colours:a reads text and pictures"):
        photos.search(b"nothing that is known")
    with pytest.raises(DataError, match="the text is empty"):
        photos.search(b"")
    with pytest.raises(DataError, match="plus takes texts and the bytes of pictures"):
        photos.search("red", plus=[7])


# -- on the command line


@pytest.fixture
def cosimo_says(folder: Path, home: Path, tmp_path: Path):
    """Runs a command as a person does: (what it printed, what it said besides)."""

    def run(*arguments: str, code: int = 0) -> tuple[list[dict[str, object]], str]:
        done = subprocess.run(
            [sys.executable, "-m", "cosimo", *arguments, "-d", "p.db"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()] if not code else [], done.stderr

    return run


def test_photographs_are_added_and_asked_with_on_the_command_line(cosimo_says, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shoe.jpg").write_bytes(drawn("blue"))
    (folder / "broken.jpg").write_bytes(NOISE[:3000])
    _, said = cosimo_says("embed-multi", "photos", "--files", "photos", "**/*", "-m", "colours:a")
    assert "broken.jpg: the picture is damaged or cut off" in said
    assert "4 added, 1 not readable" in said
    _, said = cosimo_says("embed-multi", "photos", "shoe.jpg", "--store")
    assert "1 added" in said
    found, said = cosimo_says("search", "photos", "-i", "shoe.jpg", "-n", "2")
    assert [hit["id"] for hit in found] == ["blue.png", "shoe.jpg"]
    assert (found[0]["passage"], found[0]["metadata"]["width"]) == (None, 48)
    assert said == ""
    for command in (("search", "photos", "but red"), ("similar", "photos", "-c", "but red")):
        both, _ = cosimo_says(*command, "-i", "shoe.jpg", "-n", "3")
        assert {hit["id"] for hit in both} == {"blue.png", "red.jpg", "shoe.jpg"}
        assert both[0]["score"] == pytest.approx(2**-0.5, abs=0.01)
    similar, _ = cosimo_says("similar", "photos", "shoe.jpg", "-n", "1")
    assert (similar[0]["id"], similar[0]["content"]) == ("blue.png", None)


def test_a_picture_on_a_terminal_shows_what_is_known_of_it() -> None:
    known = {"media": "image", "width": 40, "height": 30, "taken": "2024-05-01T12:33:10", "camera": "Canon"}
    assert about(Hit("a", 1.0, None, known)) == "40 × 30, 2024-05-01T12:33:10, Canon"
    assert about(Hit("a", 1.0, b"12345", None)) == "(5 bytes)"
    assert about(Hit("a", 1.0, None, {"width": 3})) is None


def test_where_no_model_reads_the_pictures_the_summary_says_which_would(cosimo_says) -> None:
    _, said = cosimo_says("embed-multi", "photos", "--files", "photos", "**/*.jpg", "-m", "fake:16")
    assert "skipped (a picture, and fake:16 reads text); pictures are read by models such as st:clip-ViT-B-32" in said
    _, said = cosimo_says("embed", "-m", "fake:16", "-i", "photos/red.jpg", code=1)
    assert said == "Error: fake:16 reads text, and content 0 is a picture\n"


def test_a_text_that_begins_like_a_picture_is_a_text(cosimo_says, tmp_path: Path) -> None:
    (tmp_path / "bm.txt").write_text("BMW is a car, red or green")
    cosimo_says("embed", "notes", "car", "-i", "bm.txt", "-m", "colours:a", "--store")
    found, _ = cosimo_says("search", "notes", "-i", "bm.txt", "but red")  # a text and a text: the same as --plus
    assert found[0]["id"] == "car"
    assert found[0]["passage"] == "BMW is a car, red or green"
