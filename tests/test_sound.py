"""Sound: read in every shape, in windows, by models of sound, and found with its times. Made by the tests."""

from __future__ import annotations

import json
import os
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from sound_files import RATE, Tones, pcm, tones

import cosimo
from cosimo.core import registry
from cosimo.core.content import content_hash, is_recorded, modality_of
from cosimo.core.errors import DataError
from cosimo.core.recordings import facts
from cosimo.core.sound import samples, wav, windows
from cosimo.core.types import Document, Recording
from cosimo.interfaces.cli import cli
from cosimo.sources.recordings import described, parts

if TYPE_CHECKING:
    from collections.abc import Iterator

WAVE = tones(440, 880)


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.EMBEDDERS, "tones", "sound_files:Tones")


@pytest.fixture
def sounds(home: Path) -> cosimo.Collection:
    return cosimo.open(home.parent / "s.db").collection("sounds", model="tones:a")


# -- samples


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize(
    ("bits", "floating", "off"), [(8, False, 0.01), (16, False, 1e-4), (24, False, 1e-6), (32, False, 1e-6), (32, True, 0)]
)
def test_wavs_of_every_width_and_number_of_channels_are_the_same_sound(
    channels: int, bits: int, floating: bool, off: float
) -> None:
    found = samples(pcm(WAVE, RATE, bits=bits, channels=channels, floating=floating), rate=RATE)
    assert found.dtype == np.float32
    assert found == pytest.approx(WAVE, abs=off or 1e-7)


def test_channels_are_averaged_not_mixed_as_loudspeakers_stand() -> None:
    loud = pcm(tones(440), RATE, channels=1)[44:]
    silent = bytes(len(loud))
    both = np.stack([np.frombuffer(loud, "<i2"), *[np.frombuffer(silent, "<i2")] * 7], axis=1).tobytes()
    header = pcm(np.zeros(RATE, np.float32), RATE, channels=8)[:44]
    assert samples(header + both, rate=RATE) == pytest.approx(tones(440) / 8, abs=1e-4)


@pytest.mark.parametrize(("ending", "codec"), [("wv", "wavpack"), ("w64", "pcm_s16le")])
def test_sixteen_channels_that_lie_one_after_the_other_are_a_sound_too(ending: str, codec: str, tmp_path: Path) -> None:
    import av

    path = tmp_path / f"a.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout="hexadecagonal")
        many = np.repeat((tones(440) * 32_767).astype(np.int16), 16)[None]
        frame = av.AudioFrame.from_ndarray(many, format="s16", layout="hexadecagonal")
        frame.sample_rate, frame.pts = RATE, 0
        shaped = av.AudioResampler(format=stream.format, layout="hexadecagonal", rate=RATE, frame_size=1_600)
        for each in [*shaped.resample(frame), *shaped.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    assert facts(path).channels == 16
    assert samples(path, rate=RATE) == pytest.approx(tones(440), abs=0.01)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 192_000])
def test_another_rate_is_the_same_tone_at_the_same_time(rate: int) -> None:
    found = samples(wav(WAVE, RATE), rate=rate)
    assert len(found) == pytest.approx(2 * rate, abs=2)
    inside = slice(rate // 50, rate - rate // 50)  # not where the tone changes
    assert found[inside] == pytest.approx(tones(440, rate=rate)[inside], abs=2e-3)
    back = samples(wav(found, rate), rate=RATE)
    assert back[RATE // 50 : RATE - RATE // 50] == pytest.approx(WAVE[RATE // 50 : RATE - RATE // 50], abs=4e-3)


def test_what_is_above_half_the_rate_is_gone_not_folded() -> None:
    assert np.abs(samples(wav(tones(7_000), RATE), rate=8_000)[200:-200]).max() < 0.01


def test_a_wav_of_ours_is_read_back_exactly_even_above_one() -> None:
    assert (samples(wav(WAVE * 3, RATE), rate=RATE) == WAVE * 3).all()
    assert facts(wav(WAVE, RATE)) == ("audio", 2.0, RATE, 1, None, None, None, None)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("flac", "flac"), ("ogg", "libopus"), ("mp3", "libmp3lame"), ("m4a", "aac"), ("aac", "aac"), ("aiff", "pcm_s16be"),
        ("mka", "ac3"), ("w64", "pcm_s16le"), ("caf", "pcm_s16le"), ("au", "pcm_s16be"), ("wv", "wavpack"), ("ts", "mp2"),
        ("wma", "wmav2"), ("mov", "pcm_s16le"),
    ],
)  # fmt: skip
def test_sounds_of_every_kind_are_read_and_known_by_their_bytes(ending: str, codec: str, tmp_path: Path) -> None:
    import av

    path, rate = tmp_path / f"a.{ending}", 48_000
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame.from_ndarray(tones(440, 880, rate=rate)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        shaped = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 1024)
        for each in [*shaped.resample(frame), *shaped.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    assert is_recorded(path.read_bytes())
    for given in (path, path.read_bytes()):
        found = samples(given, rate=RATE)
        second = np.abs(np.fft.rfft(found[RATE : 2 * RATE]))
        assert len(found) == pytest.approx(2 * RATE, rel=0.05)
        assert 860 < np.argmax(second) * RATE / len(found[RATE : 2 * RATE]) < 900


def test_windows_overlap_by_half_and_end_where_the_sound_does() -> None:
    wave = np.arange(10 * RATE + 1_000, dtype=np.float32) / 1e6
    found = list(windows(wav(wave, RATE), rate=RATE, seconds=4))
    assert [start for start, _ in found] == [0, 2, 4, 6, 6 + 1_000 / RATE]
    assert all((part == wave[round(start * RATE) :][: 4 * RATE]).all() and len(part) == 4 * RATE for start, part in found)
    assert [len(part) for _, part in windows(wav(wave, RATE), rate=RATE, seconds=11)] == [len(wave)]
    assert [start for start, _ in windows(wav(wave[: 8 * RATE], RATE), rate=RATE, seconds=4, hop=4)] == [0, 4]


def test_what_is_held_in_memory_does_not_grow_with_a_sound(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    second = pcm(tones(440, rate=2_000), 2_000)
    with path.open("wb") as file:
        file.write(second[:4] + struct.pack("<I", 36 + 900 * 4_000) + second[8:40] + struct.pack("<I", 900 * 4_000))
        for _ in range(900):
            file.write(second[44:])
    tracemalloc.start()
    count = sum(1 for _ in windows(path, rate=4_000, seconds=10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 179
    assert peak < 1_000_000


# -- bad input


def damaged() -> Iterator[tuple[str, bytes, str]]:
    whole = wav(WAVE, RATE)
    yield "nothing", b"", "0 bytes"
    yield "0 samples", wav(WAVE[:0], RATE), "0 samples"
    yield "HTML", b"<!doctype html><p>Not found", "damaged, or no sound"
    yield "a header cut off", whole[:20], "damaged, or no sound"
    yield "a playlist", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "damaged, or no sound"
    yield "1 sample a second", wav(WAVE, 1), "1 samples a second"
    yield "many samples a second", wav(WAVE, 400_000_000), "400,000,000 samples a second"
    yield (
        "a kind of WAV that nobody knows",
        pcm(WAVE, RATE)[:20] + b"\xcd\xab" + pcm(WAVE, RATE)[22:],
        "neither sound nor film|no sound",
    )
    yield "no channels", whole[:22] + b"\0\0" + whole[24:], "0 channels"


@pytest.mark.parametrize(("data", "said"), [pytest.param(data, said, id=name) for name, data, said in damaged()])
def test_what_is_no_sound_is_told_in_one_sentence(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        samples(data, rate=RATE)
    with pytest.raises(DataError, match=said):
        described(data)


@pytest.mark.parametrize(
    ("said", "taken"), [(b"2020-02-01", "2020-02-01"), (b"1999", "1999"), (b"Caf\xe9 \xff", None), (b"", None), (b"\x01", None)]
)
def test_what_people_write_into_a_sound_spoils_nothing(said: bytes, taken: str | None) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    body = wav(WAVE, RATE)[8:] + chunk(b"LIST", b"INFO" + chunk(b"INAM", said) + chunk(b"ICRD", said))
    told = described(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert (told["duration"], told.get("taken")) == (2.0, taken)


def test_a_sound_that_breaks_off_is_heard_as_far_as_it_goes() -> None:
    assert samples(wav(WAVE, RATE)[: 58 + 4 * RATE], rate=RATE) == pytest.approx(WAVE[:RATE], abs=1e-6)


@pytest.mark.parametrize(("pause", "heard"), [(0.0, 2.0), (0.1, 2.0), (5.0, 7.0), (1e6, 2.0)])
def test_what_follows_a_pause_in_a_recording_keeps_its_time(pause: float, heard: float, tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mka"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for hertz, at in ((440, 0.0), (880, 1.0 + pause)):
            frame = av.AudioFrame.from_ndarray((tones(hertz) * 32_767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, round(at * RATE)
            container.mux(stream.encode(frame))
    found = samples(path, rate=8_000)
    assert len(found) == pytest.approx(8_000 * heard, abs=100)
    assert found[-7_900:-100] == pytest.approx(tones(880, rate=8_000)[100:7_900], abs=0.01)
    assert pause != 5 or np.abs(found[8_100:-8_100]).max() < 0.01


def test_samples_that_are_no_numbers_are_silent() -> None:
    wave = WAVE.copy()
    wave[[5, 500, 5_000]] = np.nan, np.inf, -1e30
    found = samples(wav(wave, RATE), rate=RATE)
    assert (found[[5, 500, 5_000]] == 0).all()
    assert (np.delete(found, [5, 500, 5_000]) == np.delete(WAVE, [5, 500, 5_000])).all()


def test_rates_that_no_sound_can_have_and_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not 10"):
        samples(wav(WAVE, RATE), rate=10)
    with pytest.raises(DataError, match="no file"):
        samples(tmp_path / "none.wav", rate=RATE)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_that_looks_like_an_address_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.wav", "http:b.wav", "-c.wav", "%d é.wav"):
        Path(name).write_bytes(wav(WAVE, RATE))
        assert len(samples(Path(name), rate=RATE)) == len(WAVE)


@pytest.mark.parametrize(
    "data", [b"GIGGLING " * 90, b"\xff\xfeM\0A\0C\0", b"MACHINES", b"caf\xc3\xa9", b"free text", b"fftmoov"]
)
def test_bytes_that_begin_like_sound_and_are_none_are_not_taken_for_it(data: bytes) -> None:
    assert modality_of(data) is None


# -- in a collection


def test_a_window_is_found_with_its_time_whether_the_sound_is_bytes_or_a_file(
    sounds: cosimo.Collection, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(tones(300, 900, 1500, 2100), RATE))
    sounds.add(
        [Document("bytes", path.read_bytes()), Document("file", Recording(str(path))), Document("a", wav(tones(300), RATE))]
    )
    for number, hertz in enumerate((300, 900, 1500, 2100)):
        hits = sounds.search(wav(tones(hertz), RATE), 3)
        assert {hit.id for hit in hits[:2]} <= {"bytes", "file", "a"}
        best = next(hit for hit in hits if hit.id == "file").passages[0]
        assert best.seconds == (number, number + 1)
        assert (best.start, best.end, best.text, best.heading) == (1000 * number, 1000 * number + 1000, None, "sound")
    assert sounds.get("bytes").metadata == {"media": "audio", "duration": 4.0}
    assert sounds.get("file").content == path.read_bytes()
    assert [hit.id for hit in sounds.search(wav(tones(300), RATE), where="media = 'audio' AND duration < 2")] == ["a"]


def test_a_long_sound_is_embedded_in_small_batches(sounds: cosimo.Collection) -> None:
    Tones.most = Tones.bytes = 0
    added = sounds.add([Document("long", wav(tones(*range(300, 6_300, 100)), RATE))])
    assert added.passages == 119
    assert Tones.most == 16
    assert Tones.bytes < 17 * 4 * RATE


def test_unchanged_sounds_are_not_read_again(sounds: cosimo.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [Document("a", wav(tones(300, 900), RATE)), Document("b", wav(tones(500), RATE), {"by": "me"})]
    sounds.add(documents, store=False)
    monkeypatch.setattr("cosimo.sources.recordings.facts", None)
    assert sounds.add(documents, store=False).unchanged == 2
    assert sounds.get("b").metadata == {"by": "me", "media": "audio", "duration": 1.0}
    assert (
        sounds.add([Document("c", documents[0].content, {"media": "audio", "duration": 2.0})]).embedded == 0
    )  # the same sound
    assert sounds.add(documents).unchanged == 2
    assert sounds.get("a").content == documents[0].content  # now it is stored


def test_a_file_is_read_again_where_its_date_or_its_size_is_another_one(
    sounds: cosimo.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosimo.verbs import recorded

    read = []
    monkeypatch.setattr(recorded, "content_hash", lambda content: (read.append(content), content_hash(content))[1])
    path = tmp_path / "a.wav"
    path.write_bytes(wav(tones(300), RATE))
    os.utime(path, (1e9, 1e9))
    sounds.add(cosimo.read(tmp_path, "*.wav"))
    assert sounds.get("a.wav").metadata["modified"] == "2001-09-09T01:46:40+00:00"
    read.clear()
    assert sounds.add(cosimo.read(tmp_path, "*.wav"), sync=True).unchanged == 1
    assert not read
    path.write_bytes(wav(tones(900), RATE))  # as large
    os.utime(path, (1e9, 1e9 + 1))
    assert sounds.add(cosimo.read(tmp_path, "*.wav"), sync=True).updated == 1
    path.write_bytes(wav(tones(900, 900), RATE))
    os.utime(path, (1e9, 1e9 + 1))
    assert sounds.add(cosimo.read(tmp_path, "*.wav"), sync=True).updated == 1
    assert len(read) == 2
    os.utime(path, (1e9, 1e9 + 2))
    assert sounds.add(cosimo.read(tmp_path, "*.wav"), sync=True).unchanged == 1
    assert sounds.get("a.wav").metadata["modified"] == "2001-09-09T01:46:42+00:00"


def test_a_file_that_goes_away_while_others_are_read_is_named_and_its_row_stays(
    sounds: cosimo.Collection, tmp_path: Path
) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(wav(tones(300 + ord(name[0])), RATE))
    source = cosimo.read(tmp_path, "*.wav")
    assert sounds.add(source).added == 2
    (tmp_path / "b.wav").write_bytes(wav(tones(900), RATE))

    class Fleeting(type(source)):
        def _documents(self) -> Iterator[Document]:
            for document in super()._documents():
                if document.id == "b.wav":
                    (tmp_path / "b.wav").unlink()
                yield document

    source = Fleeting(tmp_path, "*.wav")
    assert sounds.add(source, sync=True).removed == 0
    assert source.problems == [("b.wav", f"No such file or directory: {tmp_path / 'b.wav'}")]
    assert len(list(sounds.rows())) == 2


def test_a_text_with_such_metadata_has_no_times(home: Path) -> None:
    notes = cosimo.open(":memory:").collection("notes", model="fake:16")
    notes.add([Document("a", "# sound\n\n" + "of music " * 900, {"media": "audio", "duration": 3.0})])
    found = notes.search("music", mode="vector")[0].passages
    assert found
    assert all(match.seconds is None for match in found)


def test_a_model_and_what_it_cannot_read_are_named(sounds: cosimo.Collection) -> None:
    texts = cosimo.open(":memory:").collection("texts", model="fake:16")
    with pytest.raises(DataError, match=r"'clip' is a sound, and fake:16 reads text"):
        texts.add([Document("clip", wav(WAVE, RATE))])
    with pytest.raises(DataError, match=r"'note' is a text, and tones:a reads sound"):
        sounds.add([Document("note", "a text")])
    with pytest.raises(DataError, match=r"'bad' cannot be read: it has 0 samples"):
        sounds.add([Document("bad", wav(WAVE[:0], RATE))])
    sounds.add([Document("a", wav(WAVE, RATE))])
    with pytest.raises(DataError, match="reads"):
        sounds.search("a text")
    with pytest.raises(DataError, match="mode text searches for words, and a sound has none"):
        sounds.search(wav(WAVE, RATE), mode="text")


def test_files_of_sound_are_read_and_damaged_ones_named(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "good.wav").write_bytes(pcm(tones(300, 900), 192_000, channels=8))
    (folder / "empty.wav").write_bytes(wav(WAVE[:0], RATE))
    (folder / "page.mp3").write_text("<html>")
    (folder / "note.txt").write_text("a text")
    sounds = cosimo.open(":memory:").collection("sounds", model="tones:a")
    source = cosimo.read(folder, "**/*")
    assert sounds.add(source, store=False).added == 1
    assert [problem.name for problem in source.problems] == ["empty.wav", "page.mp3"]
    assert source.left_out == {"a text, and tones:a reads sound": 1}
    found = sounds.get("good.wav")
    assert found.content is None
    assert found.metadata == {
        "media": "audio", "duration": pytest.approx(0.167, abs=1e-3), "rate": 192_000, "channels": 8,
        "file": str(folder / "good.wav"), "size": 512_044, "modified": found.metadata["modified"],
    }  # fmt: skip
    assert found.metadata["modified"].startswith("20")
    assert sounds.add(cosimo.read(folder, "**/*.wav"), sync=True).removed == 0
    texts = cosimo.open(":memory:").collection("texts", model="fake:16")
    source = cosimo.read(folder, "**/*")
    assert texts.add(source).added == 1
    assert source.left_out == {"a sound, and fake:16 reads text": 3}


def test_a_file_whose_sound_cannot_be_decoded_is_named_and_the_run_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).write_bytes(wav(tones(300 + 100 * ord(name[0])), RATE))

    def broken(content: Recording, spec: object) -> object:
        if content.path.endswith("b.wav"):
            raise DataError("it breaks off")
        return parts(content, spec)

    monkeypatch.setattr("cosimo.sources.recordings.parts", broken)
    source = cosimo.read(tmp_path, "*.wav")
    assert cosimo.open(":memory:").collection("s", model="tones:a").add(source).added == 2
    assert source.problems == [("b.wav", "it breaks off")]


def test_a_file_too_large_for_a_database_stays_where_it_is(
    sounds: cosimo.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosimo.verbs.recorded.MOST_BYTES", 100_000)
    for name, seconds in (("small", 1), ("large", 2)):
        (tmp_path / f"{name}.wav").write_bytes(wav(tones(*[300] * seconds), RATE))
    sounds.add(cosimo.read(tmp_path, "*.wav"))
    assert sounds.get("small.wav").content is not None
    assert sounds.get("large.wav").content is None
    assert sounds.add(cosimo.read(tmp_path, "*.wav")).unchanged == 2


def test_the_command_line_finds_sounds_and_says_when(home: Path, tmp_path: Path) -> None:
    folder, clip, db = tmp_path / "folder", tmp_path / "clip.wav", str(tmp_path / "s.db")
    folder.mkdir()
    (folder / "a.wav").write_bytes(wav(tones(300, 900, 1500), RATE))
    clip.write_bytes(wav(tones(900), RATE))
    run = CliRunner()
    done = run.invoke(cli, ["embed-multi", "sounds", "--files", str(folder), "**/*.wav", "-m", "tones:a", "-d", db])
    assert done.exit_code == 0, done.output
    for command in ("search", "similar"):
        done = run.invoke(cli, [command, "sounds", "-i", str(clip), "-d", db])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["seconds"] == [1.0, 2.0]
    shown = run.invoke(cli, ["similar", "sounds", "-i", str(clip), "-d", db, "--plain"])
    assert "sound 0:01.00–0:02.00" in shown.stdout
    one = json.loads(run.invoke(cli, ["embed", "-i", str(clip), "-m", "tones:a"]).stdout)
    assert one == pytest.approx(Tones("a").embed([clip.read_bytes()]).vectors[0].tolist())


def test_a_long_question_is_the_mean_of_its_windows(sounds: cosimo.Collection) -> None:
    long = wav(tones(300, 900), RATE)
    sounds.add([Document("a", long), Document("b", wav(tones(2_500), RATE))])
    assert cosimo.embed(long, model="tones:a")[0] == pytest.approx(sounds.vector("a"), abs=1e-6)
    hit = sounds.search(long, 1)[0]
    assert (hit.id, hit.passages[0].seconds) == ("a", (0.5, 1.5))


@pytest.mark.parametrize("stored", [True, False])
def test_a_collection_of_sounds_gets_another_model(home: Path, tmp_path: Path, stored: bool) -> None:
    (tmp_path / "long.wav").write_bytes(wav(tones(300, 900, 1500), RATE))
    sounds = cosimo.open(":memory:").collection("sounds", model="tones:a")
    sounds.add(cosimo.read(tmp_path, "*.wav"), store=stored)
    assert sounds.migrate("tones:b", () if stored else cosimo.read(tmp_path, "*.wav")).embedded == 1
    hit = sounds.search(wav(tones(1500), RATE), 1)[0]
    assert (sounds.model, hit.id, hit.passages[0].seconds) == ("tones:b", "long.wav", (2, 3))


def test_sounds_are_cut_into_windows_even_where_texts_stay_whole(sounds: cosimo.Collection) -> None:
    sounds.add([Document("long", wav(tones(300, 900, 1500), RATE))], passages=False)
    assert sounds.search(wav(tones(1500), RATE), 1)[0].passages[0].seconds == (2, 3)
