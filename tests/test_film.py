"""Film: seen at an interval by models of pictures, heard by models of sound, found with its times. Made by the tests."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from picture_models import COLOURS, Colours
from PIL import Image
from sound_files import RATE, Tones, film, tones

import cosimo
from cosimo.core import registry
from cosimo.core.errors import DataError
from cosimo.core.pictures import decoded
from cosimo.core.recordings import frames_of, opened
from cosimo.core.sound import wav
from cosimo.core.types import Document, Embedded, ModelSpec, Recording
from cosimo.sources.film import frames
from cosimo.sources.recordings import described, every, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cosimo.core.types import Content, Role

SHOWN = ("red", "green", "blue", "yellow", "black", "red")
HEARD = (300, 900, 1500, 2100, 2700, 3300)


class Senses:
    """Pictures by their colours, sounds by their tones: a space for both."""

    modalities: tuple[str, ...] = ("image", "audio")

    def __init__(self, name: str) -> None:
        self._seen, self._heard = Colours(name), Tones(name)
        self.spec = ModelSpec(f"senses:{name}", 85, "1", modalities=self.modalities, seconds=1.0)

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        rows = np.zeros((len(contents), 85), np.float32)
        for row, content in zip(rows, contents, strict=True):
            if isinstance(content, bytes) and content[:4] == b"RIFF":
                row[5:] = self._heard.embed([content]).vectors[0]
            else:
                row[:5] = self._seen.embed([content]).vectors[0]
        return Embedded(rows, 0, [])

    def count_tokens(self, texts: Sequence[Content]) -> list[int]:
        return [0 for _ in texts]


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix, where in (
        ("tones", "sound_files:Tones"),
        ("colours", "picture_models:Colours"),
        ("senses", f"{__name__}:Senses"),
    ):
        monkeypatch.setitem(registry.EMBEDDERS, prefix, where)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    colours = [COLOURS[name] for name in SHOWN]
    film(folder / "both.mp4", colours, tones(*HEARD))
    film(folder / "mute.mkv", colours)
    film(folder / "blind.mp4", (), tones(*HEARD))
    (folder / "cut.mp4").write_bytes((folder / "both.mp4").read_bytes()[:3_000])
    (folder / "page.mov").write_text("<html>")
    return folder


def coloured(name: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), COLOURS[name]).save(file, "PNG")
    return file.getvalue()


def collection(model: str) -> cosimo.Collection:
    return cosimo.open(":memory:").collection("films", model=model)


# -- parts


def test_a_film_shows_the_middle_of_each_second(films: Path) -> None:
    found = list(parts(Recording(str(films / "mute.mkv"), "video"), Colours("a").spec))
    assert [(part.passage.start, part.passage.end) for part in found] == [(1000 * n, 1000 * n + 1000) for n in range(6)]
    for part, name in zip(found, SHOWN, strict=True):
        assert part.passage.heading == "picture"
        assert np.abs(np.subtract(decoded(part.content).getpixel((48, 32)), COLOURS[name])).max() < 25


def test_what_is_known_of_a_film_is_told(films: Path) -> None:
    told = described((films / "both.mp4").read_bytes())
    assert told == {
        "media": "video", "duration": pytest.approx(6, abs=0.1), "rate": RATE, "channels": 1,
        "width": 96, "height": 64, "fps": 10.0,
    }  # fmt: skip
    assert described((films / "mute.mkv").read_bytes()).keys() == {"media", "duration", "width", "height", "fps"}
    assert described((films / "blind.mp4").read_bytes())["media"] == "audio"


@pytest.mark.parametrize(
    ("matrix", "size", "top"),
    [
        ((1, 0, 0, 1), (96, 64), "above"),
        ((0, 1, -1, 0), (64, 96), "left"),
        ((-1, 0, 0, -1), (96, 64), "below"),
        ((0, -1, 1, 0), (64, 96), "right"),
    ],
)
def test_a_film_that_a_telephone_turned_is_seen_upright(
    matrix: tuple[int, ...], size: tuple[int, int], top: str, tmp_path: Path
) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    side = {"above": np.s_[:32], "below": np.s_[32:], "left": np.s_[:, :48], "right": np.s_[:, 48:]}[top]
    picture[side] = COLOURS["red"]  # what is above once it is turned
    data = bytearray(film(tmp_path / "f.mp4", [picture]).read_bytes())
    at = data.index(b"tkhd") + 44  # ISO 14496-12, track header: the matrix is [[a, b, u], [c, d, v], [x, y, w]]
    a, b, c, d = (each << 16 for each in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    seen = decoded(next(frames(bytes(data), [0.5])))
    assert seen.size == size == tuple(described(bytes(data))[name] for name in ("width", "height"))
    assert seen.getpixel((size[0] // 2, size[1] // 8))[0] > 200
    assert seen.getpixel((size[0] // 2, size[1] * 7 // 8))[0] < 50


def test_large_pictures_of_a_film_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.sources.film.SHORTER", 32)
    path = film(tmp_path / "f.mp4", [COLOURS["blue"]])
    assert decoded(next(frames(path, [0.5]))).size == (48, 32)
    monkeypatch.setattr("cosimo.sources.film.MOST_PIXELS", 6_000)
    with pytest.raises(DataError, match="96 × 64 pixels, more than 6,000"):
        next(frames(path, [0.5]))


def test_long_films_are_looked_at_less_often(monkeypatch: pytest.MonkeyPatch, films: Path) -> None:
    assert every(60) == every(1_800) == 1
    assert every(7_200) == 4
    monkeypatch.setattr("cosimo.sources.recordings.MOST_PICTURES", 3)
    found = list(parts((films / "mute.mkv").read_bytes(), Colours("a").spec))
    assert [part.passage.start for part in found] == [0, 2000, 4000]


def test_the_last_picture_stands_until_the_end_but_not_past_where_a_film_breaks_off(films: Path) -> None:
    assert len(list(frames(films / "mute.mkv", [0.5, 7.0, 15.0, 20.0]))) == 3


def test_a_film_cut_off_in_the_middle_is_seen_as_far_as_it_goes(films: Path) -> None:
    data = (films / "mute.mkv").read_bytes()
    found = list(parts(data[: len(data) // 2], Colours("a").spec))
    assert np.abs(np.subtract(decoded(found[0].content).getpixel((48, 32)), COLOURS["red"])).max() < 25


def test_a_stream_that_begins_in_the_middle_of_a_broadcast_does_not_end_the_others(films: Path) -> None:
    """PyAV knows the streams of the beginning alone, and fails at a packet of another one."""

    class Broadcast:
        def __init__(self, container: Any) -> None:
            self._left = container.demux(video=0)
            self._count = 0

        def demux(self, *_: object) -> Iterator[Any]:
            for packet in self._left:
                self._count += 1
                yield packet
                if self._count in (3, 7):
                    raise IndexError("list index out of range")

    with opened(films / "mute.mkv") as container:
        found = list(frames_of(Broadcast(container), None))
    assert len(found) == 60


# -- in a collection


def test_a_picture_finds_the_second_of_a_film_that_shows_it(home: Path, films: Path) -> None:
    seen = collection("colours:a")
    seen.add(cosimo.read(films, "both.mp4"))
    for number, name in list(enumerate(SHOWN))[1:5]:
        for question in (coloured(name), name):
            best = seen.search(question)[0].passages[0]
            assert best.seconds == (number, number + 1)
            assert best.heading == "picture"
    assert seen.get("both.mp4").metadata["media"] == "video"


def test_a_sound_finds_the_second_of_a_film_that_is_heard(home: Path, films: Path) -> None:
    heard = collection("tones:a")
    heard.add(cosimo.read(films, "b*.mp4"), store=False)
    for number, hertz in enumerate(HEARD):
        for hit in heard.search(wav(tones(hertz), RATE)):
            assert hit.passages[0].seconds == pytest.approx((number, number + 1), abs=0.1)


def test_a_model_of_both_sees_and_hears(home: Path, films: Path) -> None:
    both = collection("senses:a")
    both.add([Document("film", (films / "both.mp4").read_bytes())])
    assert both.search(coloured("blue"))[0].passages[0].seconds == (2, 3)
    assert both.search(wav(tones(1500), RATE))[0].passages[0].seconds == pytest.approx((2, 3), abs=0.1)
    whole = both.search((films / "both.mp4").read_bytes())[0]  # a film as a question is all of its parts
    assert whole.id == "film"
    assert cosimo.embed((films / "both.mp4").read_bytes(), model="senses:a")[0] == pytest.approx(both.vector("film"), abs=1e-6)


def test_films_without_pictures_or_sound_come_where_there_is_something_to_read(home: Path, films: Path) -> None:
    source = cosimo.read(films, "**/*")
    seen = collection("colours:a")
    assert seen.add(source).added == 2
    assert sorted(row.id for row in seen.rows()) == ["both.mp4", "mute.mkv"]
    problems = {problem.name: problem.reason for problem in source.problems}
    assert problems.keys() == {"blind.mp4", "cut.mp4", "page.mov"}
    assert "a sound, and colours:a reads text and pictures" in problems["blind.mp4"]
    assert "damaged, or no sound or film" in problems["cut.mp4"]

    source = cosimo.read(films, "**/*")
    heard = collection("tones:a")
    assert heard.add(source).added == 2
    assert sorted(row.id for row in heard.rows()) == ["blind.mp4", "both.mp4"]
    assert "a picture, and tones:a reads sound" in {each.name: each.reason for each in source.problems}["mute.mkv"]


def test_a_model_of_texts_leaves_films_out(home: Path, films: Path) -> None:
    source = cosimo.read(films, "*.mp4")
    texts = collection("fake:16")
    assert texts.add(source).added == 0
    assert source.left_out == {"a film, and fake:16 reads text": 3}
    with pytest.raises(DataError, match="'f' is a film, and fake:16 reads text"):
        texts.add([Document("f", (films / "both.mp4").read_bytes())])
    with pytest.raises(DataError, match="'f' cannot be read: there is sound in it, and colours:a reads text and pictures"):
        collection("colours:a").add([Document("f", (films / "blind.mp4").read_bytes())])
