"""Models of sound: files described by a TOML, CLAP, and one trained here on spoken digits, through the public path."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from sound_files import RATE, tones
from speech import spoken
from train_sounds import DIGITS, train

import cosimo
from cosimo.collection.models import load_embedder
from cosimo.core.errors import ConfigError, DataError
from cosimo.core.sound import wav
from cosimo.core.types import Document
from cosimo.embedders.mel import Mel
from cosimo.embedders.openvino import OpenVINOEmbedder
from cosimo.interfaces.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PAUSE = 16_500  # samples before each digit, three quarters of a second
NUMBER = ("three", "seven", "one", "eight")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("digits"))


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """What is compiled goes there."""


# -- spoken digits


def test_the_window_that_holds_a_spoken_digit_is_found_by_the_same_digit_in_another_voice(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`en-us+m3` says the number, `en+f2` asks; neither is among the voices of the training."""
    folder, db = tmp_path / "recordings", str(tmp_path / "s.db")
    folder.mkdir()
    wave, spans = _said(NUMBER, "en-us+m3")
    (folder / "number.wav").write_bytes(wav(wave, 22_050))
    run = CliRunner()
    model = f"openvino:{digits.with_suffix('.toml')}"
    done = run.invoke(cli, ["embed-multi", "numbers", "--files", str(folder), "**/*.wav", "-m", model, "-d", db, "-q"])
    assert done.exit_code == 0, done.output
    for digit in NUMBER:
        asked = tmp_path / f"{digit}.wav"
        asked.write_bytes(wav(spoken(digit, "en+f2", speed=140)[0], 22_050))
        found = json.loads(run.invoke(cli, ["search", "numbers", "-i", str(asked), "-d", db]).stdout)
        shares = {other: _overlap(found["seconds"], at) for other, at in zip(NUMBER, spans, strict=True)}
        start, end = found["seconds"]
        with capsys.disabled():
            print(f"\n{digit}: {start:.2f}–{end:.2f} s, score {found['score']:.3f}, of it {shares[digit]:.0%}")
        assert max(shares, key=shares.__getitem__) == digit
        assert shares[digit] > 0.6
        assert sorted(shares.values())[-2] < 0.1


def test_spoken_digits_are_told_apart_in_voices_never_heard(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    embedder = OpenVINOEmbedder(str(digits))
    voices = ("en+m3", "en+f2", "en-us+m5", "en-gb-scotland+f5")
    said = [wav(spoken(digit, voice, speed=145)[0], 22_050) for voice in voices for digit in DIGITS]
    vectors = embedder.embed(said).vectors.reshape(len(voices), 10, -1)
    right = [
        int((vectors[asked] @ vectors[other].T).argmax(axis=1)[digit]) == digit
        for asked in range(len(voices)) for other in range(len(voices)) if other != asked for digit in range(10)
    ]  # fmt: skip
    with capsys.disabled():
        print(f"\none of ten digits, in another voice: {sum(right)} of {len(right)}")
    assert np.mean(right) > 0.9


def _said(words: tuple[str, ...], voice: str) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
    """Words with pauses, as one wave, and from when to when each is said."""
    pieces, spans, at = [], [], 0
    for word in words:
        pause, wave = np.zeros(PAUSE, np.float32), spoken(word, voice)[0]
        spans.append(((at + len(pause)) / 22_050, (at + len(pause) + len(wave)) / 22_050))
        pieces += [pause, wave]
        at += len(pause) + len(wave)
    return np.concatenate([*pieces, np.zeros(PAUSE, np.float32)]), spans


def _overlap(window: list[float], span: tuple[float, float]) -> float:
    return round(max(min(window[1], span[1]) - max(window[0], span[0]), 0) / (span[1] - span[0]), 2)


# -- spectrograms


@pytest.mark.parametrize("hertz", [300.0, 1_000.0, 3_000.0])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_a_tone_is_in_the_filter_of_its_frequency(scale: str, hertz: float) -> None:
    mel = Mel(RATE, n_fft=2_048, hop=512, n_mels=64, f_min=0, f_max=8_000, window=2_048, scale=scale, log="")
    middles = (np.arange(1_025) * RATE / 2_048) @ mel.filters / mel.filters.sum(axis=0)
    loudest = int(mel(tones(hertz)).mean(axis=0).argmax())
    assert abs(loudest - np.abs(middles - hertz).argmin()) <= 1


@pytest.mark.parametrize(("n_fft", "hears"), [(256, False), (255, True)])
def test_the_last_number_of_an_odd_frame_is_below_half_the_rate(n_fft: int, hears: bool) -> None:
    mel = Mel(RATE, n_fft=n_fft, n_mels=20, f_min=0, f_max=8_000, window=n_fft)
    assert (mel.filters[-1].max() > 1e-9) == hears


def test_frames_lie_where_others_have_them() -> None:
    wave = tones(440)
    assert Mel(RATE, n_fft=512, hop=160, window=400, centered=False)(wave[:15_600]).shape == (96, 64)  # as VGGish has it
    assert Mel(48_000, n_fft=1_024, hop=480)(tones(440, rate=48_000, seconds=10)).shape == (1_001, 64)  # as CLAP
    assert Mel(RATE)(wave[:10]).shape == (2, 64)


@pytest.mark.heavy
@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("log", ["", "ln", "db"])
def test_spectrograms_are_those_of_transformers(centered: bool, scale: str, log: str) -> None:
    utils = pytest.importorskip("transformers.audio_utils", reason="transformers is not installed")
    wave = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    mel = Mel(RATE, 512, 160, 40, 50, 7_000, 400, scale, scale == "slaney", 2.0, log, 1e-10, centered)
    filters = utils.mel_filter_bank(257, 40, 50, 7_000, RATE, norm="slaney" if mel.norm else None, mel_scale=scale)
    expected = utils.spectrogram(
        wave, np.pad(utils.window_function(400, "hann"), 0), frame_length=400, hop_length=160, fft_length=512,
        mel_filters=filters, center=centered, log_mel={"": None, "ln": "log", "db": "dB"}[log], power=2.0,
    ).T  # fmt: skip
    assert mel(wave) == pytest.approx(expected, rel=1e-4, abs=1e-4)


# -- model files


def saved(path: Path, shape: list[int], layout: str, toml: str) -> Path:
    """A model whose vector is the mean of its input over everything but frequencies, or of sixteen pieces of a waveform."""
    import openvino
    from openvino import opset13 as ops

    given = ops.parameter(shape, np.float32, name="sound")
    if "F" in layout:
        found = ops.reduce_mean(given, [at for at, size in enumerate(layout) if size in "CT"], False)
    else:
        pieces = ops.reshape(ops.abs(given), [-1, 16, shape[-1] // 16 if "N" in layout else 100], False)
        found = ops.reduce_mean(pieces, [2], False)
    openvino.save_model(openvino.Model([found], [given], "m"), path.with_suffix(".xml"), compress_to_fp16=False)
    path.with_suffix(".toml").write_text("normalize = false\n[audio]\n" + toml)
    return path.with_suffix(".xml")


MEL = "[audio.mel]\nn_fft = 512\nhop = 320\nn_mels = 64\nf_min = 0\n"
SHAPES = {
    "NFT": [-1, 64, 51], "NTF": [-1, 51, 64], "NCFT": [-1, 1, 64, 51], "NCTF": [2, 1, 51, 64], "NTFC": [-1, 51, 64, 1],
    "NFTC": [-1, 64, 51, 1],
}  # fmt: skip


@pytest.mark.parametrize("layout", SHAPES)
def test_spectrograms_in_every_layout_are_the_same_model(layout: str, tmp_path: Path) -> None:
    embedder = OpenVINOEmbedder(str(saved(tmp_path / "m", SHAPES[layout], layout, MEL)))
    assert (embedder.spec.seconds, embedder.spec.dim, embedder.spec.modalities) == (1.0, 64, ("audio",))
    mel = Mel(RATE, n_fft=512, hop=320, n_mels=64, f_min=0, f_max=8_000, window=512)
    waves = [tones(300), tones(2_000), tones(500)[:8_000]]
    found = embedder.embed([wav(wave, RATE) for wave in waves]).vectors
    silence = np.zeros(8_000, np.float32)
    expected = [mel(wave).mean(axis=0) for wave in (*waves[:2], np.concatenate([waves[2], silence]))]
    assert found == pytest.approx(np.array(expected), abs=0.05)


@pytest.mark.parametrize("layout", ["NT", "NCT", "T"])
def test_waveforms_are_cut_and_filled_up_to_what_a_file_takes(layout: str, tmp_path: Path) -> None:
    shape = {"NT": [-1, 16_000], "NCT": [-1, 1, 16_000], "T": [16_000]}[layout]
    embedder = OpenVINOEmbedder(str(saved(tmp_path / "m", shape, layout, "")))
    loud = np.linspace(0, 1, 16_000, dtype=np.float32)
    found = embedder.embed([wav(loud, RATE), wav(loud[:8_000], RATE), wav(np.concatenate([loud, loud]), RATE)]).vectors
    expected = loud.reshape(16, -1).mean(axis=1)
    if layout == "T":  # pieces of a tenth of a second, as YAMNet gives frames: their mean is the vector
        assert found[0] == pytest.approx(loud.reshape(-1, 16, 100).mean(axis=(0, 2)), abs=1e-3)
    else:
        assert found[0] == pytest.approx(expected, abs=1e-3)
        assert found[1] == pytest.approx(np.where(np.arange(16) < 8, expected, 0), abs=1e-3)
    assert found[2] == pytest.approx(found[0], abs=1e-6)


def test_a_file_that_takes_any_length_wants_to_be_told_how_much(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seconds has to be told"):
        OpenVINOEmbedder(str(saved(tmp_path / "m", [-1, -1, 64], "NTF", MEL)))
    embedder = OpenVINOEmbedder(str(saved(tmp_path / "m", [-1, -1, 64], "NTF", "seconds = 2.0\n" + MEL)))
    assert embedder.spec.seconds == 2.0
    assert embedder.embed([wav(tones(300), RATE)]).vectors.shape == (1, 64)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", r"layout|input does not fit .*, which takes \?×64×51 numbers; if that is a spectrogram, describe it"),
        (MEL.replace("64", "40"), "input does not fit"),
        ('layout = "NTF"\n' + MEL, "layout does not fit"),
        ("rate = 10\n" + MEL, "rate is a whole number from 1000.*, not 10"),
        ("rate = 2_000_000\n" + MEL, "rate is at most 1,000,000, not 2,000,000"),
        ("seconds = 2.0\n" + MEL, "seconds is at most 1, of which .* takes no more, not 2"),
        ("seconds = 1e-9\n" + MEL, "seconds is at least one sample and at most 600, not 1e-09"),
        (MEL.replace("512", "1_000_000"), "n_fft is at most 65,536, not 1,000,000"),
        (MEL.replace("320", "100_000"), "hop is at most 65,536, not 100,000"),
        ("loudness = 1\n" + MEL, "loudness is no key"),
        ('input = "wave"\n' + MEL, "input is 'wave', which is not there: the inputs of .* are 'sound'"),
        (MEL + "f_max = 9000\n", "f_max is between f_min and half of rate, 8000, not 9000"),
        (MEL + "window = 600\n", "window is of at most n_fft = 512"),
        (MEL + 'log = "e"\n', "log is one of ln, db, not 'e'"),
        (MEL + "hops = 1\n", "hops is no key"),
        ("mean_std = [0, 0]\n" + MEL, "mean_std is the mean"),
    ],
)
def test_a_wrong_toml_is_told_with_its_key(toml: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        OpenVINOEmbedder(str(saved(tmp_path / "m", [-1, 64, 51], "NFT", toml)))


def test_what_a_model_of_sound_cannot_read_is_told_by_its_place(tmp_path: Path) -> None:
    embedder = OpenVINOEmbedder(str(saved(tmp_path / "m", [-1, 16_000], "NT", "")))
    good = wav(tones(300), RATE)
    with pytest.raises(DataError, match="content 1: it is damaged"):
        embedder.embed([good, b"RIFFxxxxWAVEfmt "])
    for other in ("a text", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(DataError, match="content 1"):
            embedder.embed([good, other])


def test_an_onnx_model_of_sound_is_read(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper

    given = helper.make_tensor_value_info("wave", TensorProto.FLOAT, ["n", 16_000])
    found = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 16])
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [-1, 16, 1_000])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [2])
    nodes = [
        helper.make_node("Abs", ["wave"], ["loud"]),
        helper.make_node("Reshape", ["loud", "shape"], ["pieces"]),
        helper.make_node("ReduceMean", ["pieces", "axes"], ["embedding"], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "m", [given], [found], [shape, axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(tmp_path / "m.onnx"))
    (tmp_path / "m.toml").write_text("[audio]\n")
    notes = cosimo.open(":memory:").collection("notes", model=f"openvino:{tmp_path / 'm.onnx'}")
    notes.add([Document("up", wav(np.linspace(0, 1, 16_000, dtype=np.float32), RATE)), Document("flat", wav(tones(300), RATE))])
    hit = notes.search(wav(np.linspace(0, 0.5, 16_000, dtype=np.float32), RATE), 1)[0]
    assert (hit.id, hit.passages[0].seconds) == ("up", (0, 1))


# -- CLAP


@pytest.fixture(scope="module", params=["rand_trunc", "fusion"])
def clap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLAP of random weights, as the hub has large ones."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    text = {
        "vocab_size": 8, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
        "max_position_embeddings": 34,
    }  # fmt: skip
    audio = {
        "spec_size": 64, "num_mel_bins": 16, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4, "hidden_size": 32,
        "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "num_hidden_layers": 2,
        "num_classes": 4, "enable_fusion": request.param == "fusion",
    }  # fmt: skip
    settings = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=24)
    transformers.ClapModel(settings).save_pretrained(folder)
    transformers.ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation=request.param).save_pretrained(folder)
    words = {word: at for at, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "a", "dog", "cat", "barks"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


@pytest.mark.heavy
def test_clap_gives_texts_and_sounds_the_vectors_of_transformers(clap: Path) -> None:
    import torch
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    embedder = load_embedder(f"clap:{clap}")
    spec = embedder.spec
    assert (spec.dim, spec.max_tokens, spec.modalities, spec.seconds) == (24, 32, ("text", "audio"), 1.0)
    assert spec.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
    wave = tones(440, rate=48_000)
    given = [wav(wave, 48_000), "a dog barks", wav(tones(900), RATE), "a cat"]
    found = embedder.embed(given).vectors
    model, features = ClapModel.from_pretrained(clap).eval(), ClapFeatureExtractor.from_pretrained(clap)
    with torch.inference_mode():
        heard = features([wave], sampling_rate=48_000, return_tensors="pt")
        heard["is_longer"] = torch.zeros_like(heard["is_longer"])
        sound = model.get_audio_features(**heard).pooler_output[0].numpy()
        text = model.get_text_features(**AutoTokenizer.from_pretrained(clap)("a dog barks", return_tensors="pt")).pooler_output[
            0
        ]
    assert found[0] == pytest.approx(sound, abs=1e-5)
    assert found[1] == pytest.approx(text.numpy(), abs=1e-5)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert embedder.embed([given[2]]).vectors[0] == pytest.approx(found[2], abs=1e-5)  # whatever else is in a batch
    assert embedder.embed(["a cat " * 30, "a cat"]).cut == [0]


@pytest.mark.heavy
def test_clap_searches_sounds_by_texts_and_by_sounds(clap: Path) -> None:
    sounds = cosimo.open(":memory:").collection("sounds", model=f"clap:{clap}")
    sounds.add([Document("long", wav(tones(300, 900, 2_700), RATE)), Document("text", "a dog barks")])
    hit = sounds.search(wav(tones(900), RATE), 1)[0]
    assert (hit.id, hit.passages[0].seconds) == ("long", (1, 2))
    assert {hit.id for hit in sounds.search("a dog", 2)} == {"long", "text"}
    assert sounds.search("a dog barks", 1)[0].id == "text"
    with pytest.raises(DataError, match="it is damaged"):
        sounds.add([Document("bad", b"RIFFxxxxWAVEfmt ")])


@pytest.mark.heavy
def test_a_model_that_brings_a_program_is_refused_and_nothing_of_it_runs(
    clap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for name, kind in (("other", "other"), ("clap", "clap")):
        folder = tmp_path / name
        shutil.copytree(clap, folder)
        about = json.loads((folder / "config.json").read_text())
        about |= {"model_type": kind, "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own", "AutoTokenizer": "own.Own"}}
        (folder / "config.json").write_text(json.dumps(about))
        (folder / "own.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\nclass Own: pass\n")
    with pytest.raises(ConfigError, match="trust_remote_code"):
        cosimo.embed("a", model=f"clap:{tmp_path / 'other'}")
    assert cosimo.embed("a", model=f"clap:{tmp_path / 'clap'}").shape == (1, 24)
    assert not (tmp_path / "ran").exists()


@pytest.mark.heavy
def test_a_model_that_is_no_clap_is_named(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match="is a model of the kind bert, not clap"):
        cosimo.embed("a", model=f"clap:{tmp_path}")
