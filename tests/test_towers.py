"""Towers: model files of pictures and texts behind `openvino:`; two towers trained from nothing, at both runtimes."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import model_files as files
import numpy as np
import pytest
import tiny_models as tiny
import train_pictures
import train_towers
from model_files import BLUE, GREEN, RED, picture

import cosimo
from cosimo import Document
from cosimo.collection.models import load_embedder
from cosimo.core import config
from cosimo.core import pictures as core_pictures
from cosimo.core.errors import BadReply, ConfigError, DataError, ModelMismatch, ModelNotFound
from cosimo.embedders import network, picture_tower
from cosimo.testing import check_embedder

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnx", reason="model files are written with onnx")
pytest.importorskip("PIL")

TABLE = np.array([[9, 9], [0, 0], [1, 0], [0, 1], [3, 1], [1, 4], [2, 2]], np.float32)  # a row for each of files.WORDS


def toml(folder: Path, text: str, name: str = "model.toml") -> str:
    """The name of the model that a TOML describes."""
    (folder / name).write_text(text, encoding="utf-8")
    return f"openvino:{folder / name}"


def exact(name: str) -> Any:
    return load_embedder(name, precision="float32")


# -- pictures


def test_pictures_become_what_the_file_computes_of_them(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "colors.onnx")
    name = toml(tmp_path, 'normalize = false\n[image]\nfile = "colors.onnx"\nmean = [0.5, 0.5, 0.5]\nstd = [0.1, 0.2, 0.5]\n')
    got = exact(name).embed([picture(), picture(BLUE), picture()])
    want = (np.array([RED, BLUE, RED]) / 255 - 0.5) / [0.1, 0.2, 0.5]
    assert np.allclose(got.vectors, want, atol=1e-4)
    assert (got.tokens, list(got.cut)) == (0, [])
    assert exact(name).embed([]).vectors.shape == (0, 3)


def test_vectors_are_of_unit_length_unless_told_otherwise(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    found = exact(toml(tmp_path, "[image]\n")).embed([picture(BLUE)]).vectors[0]
    assert np.allclose(found, np.array(BLUE) / np.linalg.norm(BLUE), atol=1e-4)


def test_an_embedder_of_pictures_fulfils_the_contract(tmp_path: Path) -> None:
    check_embedder(exact(f"openvino:{files.both_towers(tmp_path)}"))


@pytest.mark.parametrize(("how", "box"), [("squash", (8, 8)), ("shortest", (16, 8)), ("pad", (8, 4))])
def test_a_picture_is_resized_as_the_toml_says(tmp_path: Path, how: str, box: tuple[int, int]) -> None:
    from PIL import Image

    files.pixels_themselves(tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    drawn = Image.fromarray(rng.integers(0, 256, (20, 40, 3), np.uint8))
    out = io.BytesIO()
    drawn.save(out, "PNG")
    got = exact(toml(tmp_path, f'normalize = false\n[image]\nresize = "{how}"\n')).embed([out.getvalue()]).vectors[0]
    small = drawn.resize(box, Image.Resampling.BICUBIC)
    want = {"squash": small, "shortest": small.crop((4, 0, 12, 8)), "pad": small.crop((0, -2, 8, 6))}[how]
    assert np.allclose(got, np.asarray(want, np.float32).transpose(2, 0, 1).ravel() / 255, atol=1e-5)


def test_of_a_very_long_picture_only_what_is_seen_is_enlarged(tmp_path: Path) -> None:
    """The whole of this one would have 2 million pixels × 8 thousand million."""
    files.mean_of_colors(tmp_path / "model.onnx")
    got = exact(toml(tmp_path, "[image]\nsize = 2000\ncrop = 8\n")).embed([picture(BLUE, (1_000_000, 1))]).vectors[0]
    assert np.allclose(got, np.array(BLUE) / np.linalg.norm(BLUE), atol=1e-4)


def test_sentence_transformers_is_given_the_middle_of_a_very_long_picture() -> None:
    from cosimo.embedders.sentence_transformers import _picture

    assert _picture(picture(size=(9_000, 3)), []).size == (150, 3)
    assert _picture(picture(size=(90, 30)), []).size == (90, 30)


def test_the_file_is_let_go_of_once_it_is_compiled_and_read_again_after_closing(tmp_path: Path, home: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    for _ in ("compiled", "kept from before"):
        embedder: Any = exact(toml(tmp_path, "[image]\n"))
        first = embedder.embed([picture()]).vectors
        assert embedder._towers["image"]._network._model is None
        for blob in config.compiled_dir().glob("*.blob"):
            blob.unlink()
        embedder.close()
        assert np.array_equal(embedder.embed([picture()]).vectors, first)


def test_a_larger_size_is_cut_to_what_the_file_takes(tmp_path: Path) -> None:
    from PIL import Image

    files.pixels_themselves(tmp_path / "model.onnx")
    drawn = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 12, 3), np.uint8))
    out = io.BytesIO()
    drawn.save(out, "PNG")
    got = (
        exact(toml(tmp_path, 'normalize = false\n[image]\nsize = 12\nresample = "bilinear"\n')).embed([out.getvalue()]).vectors
    )
    assert np.allclose(got[0], np.asarray(drawn.crop((2, 2, 10, 10)), np.float32).transpose(2, 0, 1).ravel() / 255, atol=1e-5)


def test_colors_come_last_or_in_another_order_or_as_bytes(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "last.onnx", last=True)
    files.mean_of_colors(tmp_path / "bytes.onnx", last=True, kind=np.uint8)
    last = toml(tmp_path, 'normalize = false\n[image]\nchannels = "BGR"\n', "last.toml")
    assert np.allclose(exact(last).embed([picture()]).vectors * 255, [RED[::-1]], atol=0.01)
    assert np.allclose(exact(toml(tmp_path, "normalize = false\n[image]\n", "bytes.toml")).embed([picture()]).vectors, [RED])


def test_a_layout_that_no_size_tells_is_asked_for(tmp_path: Path) -> None:
    files.onnx_file(
        tmp_path / "model.onnx",
        [("ReduceMean", ["x"], "mean", {"axes": [1, 2], "keepdims": 0}), ("MatMul", ["mean", "same"], "y", {})],
        {"x": (np.float32, ["n", "a", "b", "c"])}, {"y": (np.float32, ["n", 3])}, same=np.eye(3, dtype=np.float32),
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"\[image\] layout has to be told"):
        exact(toml(tmp_path, "[image]\nsize = 8\n"))
    got = exact(toml(tmp_path, 'normalize = false\n[image]\nsize = 8\nlayout = "NHWC"\n')).embed([picture()])
    assert np.allclose(got.vectors * 255, [RED], atol=0.01)


def test_a_file_that_takes_one_picture_at_a_time_is_given_one(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx", batch=1)
    got = exact(toml(tmp_path, "normalize = false\n[image]\n")).embed([picture(), picture(BLUE), picture(GREEN)])
    assert np.allclose(got.vectors * 255, [RED, BLUE, GREEN], atol=0.01)


def test_a_file_that_takes_four_pictures_at_a_time_is_given_four(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx", batch=4)
    got = exact(toml(tmp_path, "normalize = false\n[image]\n")).embed([picture((n, n, 9)) for n in range(5)])
    assert np.allclose(got.vectors * 255, [(n, n, 9) for n in range(5)], atol=0.01)


def test_a_tflite_file_is_read(tmp_path: Path) -> None:
    pytest.importorskip("tflite", reason="writes the file")
    files.tflite_file(tmp_path / "model.tflite")
    toml(tmp_path, "normalize = false\n[image]\n")
    got = exact(f"openvino:{tmp_path / 'model.tflite'}").embed([picture(), picture(BLUE), picture(GREEN)])
    assert np.allclose(got.vectors * 255, [RED, BLUE, GREEN], atol=0.01)


def test_openvinos_own_format_is_read_and_both_its_files_are_the_model(tmp_path: Path) -> None:
    ov = pytest.importorskip("openvino")
    files.mean_of_colors(tmp_path / "from.onnx", dim=4)
    ov.save_model(ov.Core().read_model(str(tmp_path / "from.onnx")), str(tmp_path / "model.xml"), compress_to_fp16=False)
    name = toml(tmp_path, "[image]\n")
    before = exact(name)
    assert np.allclose(before.embed([picture()]).vectors, 0.5, atol=1e-4)
    weights = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(weights.replace(np.float32(1).tobytes(), np.float32(2).tobytes()))
    assert exact(name).spec.revision != before.spec.revision


def test_what_comes_before_the_last_layer_can_be_had(tmp_path: Path) -> None:
    """As the penultimate layer of a classifier: a node in the middle, spatial, of which the mean is taken."""
    nodes = [
        ("AveragePool", ["pixels"], "features", {"kernel_shape": [4, 4], "strides": [4, 4]}),
        ("ReduceMean", ["features"], "pooled", {"axes": [2, 3], "keepdims": 0}),
        ("MatMul", ["pooled", "classes"], "logits", {}),
    ]
    files.onnx_file(
        tmp_path / "model.onnx", nodes, {"pixels": (np.float32, ["n", 3, 8, 8])}, {"logits": (np.float32, ["n", 7])},
        classes=np.ones((3, 7), np.float32),
    )  # fmt: skip
    assert exact(toml(tmp_path, "[image]\n")).spec.dim == 7
    with pytest.raises(ConfigError, match=r'output is .* not one vector each; write pool = "mean"'):
        exact(toml(tmp_path, '[image]\noutput = "features"\n'))
    for how in ('output = "features"\npool = "mean"', 'output = "pooled"'):
        got = exact(toml(tmp_path, f"normalize = false\n[image]\n{how}\n")).embed([picture()])
        assert np.allclose(got.vectors * 255, [RED], atol=0.01)


def test_of_several_outputs_the_one_that_is_meant_is_named(tmp_path: Path) -> None:
    nodes = [
        ("ReduceMean", ["pixels"], "one", {"axes": [2, 3], "keepdims": 0}),
        ("ReduceMax", ["pixels"], "two", {"axes": [2, 3], "keepdims": 0}),
    ]
    shape = (np.float32, ["n", 3])
    files.onnx_file(tmp_path / "model.onnx", nodes, {"pixels": (np.float32, ["n", 3, 8, 8])}, {"one": shape, "two": shape})
    with pytest.raises(ConfigError, match=r"output has to be named: the outputs of .* are 'one', 'two'"):
        exact(toml(tmp_path, "[image]\n"))
    by_name, by_number = (exact(toml(tmp_path, f"[image]\noutput = {which}\n")).embed([picture()]) for which in ('"two"', 1))
    assert np.array_equal(by_name.vectors, by_number.vectors)


def test_a_damaged_picture_is_named_by_its_place(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    embedder = exact(toml(tmp_path, "[image]\n"))
    with pytest.raises(DataError, match=r"^content 3: the picture is damaged"):
        embedder.embed([picture(), picture(BLUE), picture(), picture(GREEN)[:50]])


def test_few_pictures_are_decoded_at_a_time_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    embedder = load_embedder(toml(tmp_path, "[image]\n"), precision="float32")
    decoded, waiting, held, lock = picture_tower.decoded, [0], [0], threading.Lock()
    asked: list[int | None] = []

    def counted(data: bytes, *, at_least: int | None = None) -> Any:
        with lock:
            waiting[0] += 1
            held[0] = max(held[0], waiting[0])
            asked.append(at_least)
        return decoded(data, at_least=at_least)

    def computed(self: Any, found: Any, mask: Any) -> Any:
        with lock:
            waiting[0] -= len(found)
        return vectors(self, found, mask)

    vectors = network.Network._vectors
    monkeypatch.setattr(picture_tower, "decoded", counted)
    monkeypatch.setattr(network.Network, "_vectors", computed)
    pictures = [picture((n, 0, 200)) for n in range(150)]
    assert len(embedder.embed(pictures + pictures).vectors) == 300
    assert len(asked) == 150
    assert set(asked) == {2 * 8}  # a photograph of 12 million pixels is decoded at an eighth of its sides
    assert 0 < held[0] <= 2 * network.cores() * picture_tower.BATCH


def test_a_photograph_that_is_added_is_decoded_once(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    asked: list[int | None] = []
    read = core_pictures._decoded
    monkeypatch.setattr(core_pictures, "_decoded", lambda data, least: asked.append(least) or read(data, least))
    photographs = {f"{n}": picture((10 * n, 0, 200), (900, 700), "JPEG") for n in range(20)}
    name = toml(tmp_path, "[image]\nsize = 400\ncrop = 8\n")
    shop = cosimo.open(":memory:").collection("shop", model=name)
    shop.add(Document(id, data) for id, data in photographs.items())
    assert asked == [2 * 400] * 20
    small = core_pictures.decoded(shop.thumbnail("7"))
    assert small.size == (256, 199)
    assert np.allclose(np.asarray(small).mean(axis=(0, 1)), (70, 0, 200), atol=4)
    direct = load_embedder(name).embed(list(photographs.values())).vectors
    assert np.array_equal(np.stack([shop.vector(id) for id in photographs]), direct)


def test_one_damaged_picture_among_many_is_left_out_and_the_same_one_1000_times_is_computed_once(
    tmp_path: Path, home: Path
) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    (tmp_path / "photos").mkdir()
    for n in range(64):
        (tmp_path / "photos" / f"{n}.png").write_bytes(picture((n, 0, 200)))
    (tmp_path / "photos" / "40.png").write_bytes(picture((40, 0, 200))[:60])
    shop = cosimo.open(":memory:").collection("shop", model=toml(tmp_path, "[image]\n"))
    source = cosimo.read(tmp_path / "photos")
    assert shop.add(source).added == 63
    assert [problem.name for problem in source.problems] == ["40.png"]
    same = shop.add(Document(f"again {n}", picture(GREEN)) for n in range(1_000))
    assert (same.added, same.embedded) == (1_000, 1)


# -- texts


def test_the_mean_of_tokens_leaves_padding_out(tmp_path: Path) -> None:
    files.words(tmp_path / "model.onnx", TABLE)
    files.tokenizer(tmp_path / "tokenizer.json")
    embedder = exact(toml(tmp_path, 'normalize = false\n[text]\npool = "mean"\nmax_tokens = 4\n'))
    assert embedder.spec.modalities == ("text",)
    assert embedder.spec.max_tokens == 4
    got = embedder.embed(["red shoe", "a", "a red blue green shoe"])
    assert np.allclose(got.vectors, [[1, 1.5], [1, 0], [5 / 4, 6 / 4]], atol=1e-5)
    assert (got.tokens, list(got.cut)) == (2 + 1 + 4, [2])
    assert embedder.count_tokens(["a red blue green shoe"]) == [5]


def test_without_a_mask_texts_of_one_length_are_read_together(tmp_path: Path) -> None:
    files.words(tmp_path / "model.onnx", TABLE, mask=False)
    files.tokenizer(tmp_path / "tokenizer.json")
    embedder = exact(toml(tmp_path, 'normalize = false\n[text]\npool = "mean"\n'))
    texts = ["red shoe", "a", "green", "a red blue", "blue shoe"]
    alone = np.concatenate([embedder.embed([text]).vectors for text in texts])
    assert np.allclose(embedder.embed(texts).vectors, alone)
    assert np.allclose(alone[1], [1, 0])


def test_a_file_of_fixed_length_gets_padded_texts(tmp_path: Path) -> None:
    files.words(tmp_path / "model.onnx", TABLE, mask=False, length=3, kind=np.int32)
    files.tokenizer(tmp_path / "tokenizer.json")
    embedder = exact(toml(tmp_path, 'normalize = false\n[text]\npool = "mean"\npad = 2\n'))
    assert embedder.spec.max_tokens == 3
    assert np.allclose(embedder.embed(["red"]).vectors, (TABLE[3] + 2 * TABLE[2]) / 3)
    assert np.allclose(exact(toml(tmp_path, 'normalize = false\n[text]\npool = "cls"\n')).embed(["red"]).vectors, TABLE[3])


def test_lower_reads_capitals_as_small_letters(tmp_path: Path) -> None:
    files.words(tmp_path / "model.onnx", TABLE)
    files.tokenizer(tmp_path / "tokenizer.json")
    for lower, want in (("true", TABLE[3]), ("false", TABLE[1])):
        got = exact(toml(tmp_path, f'normalize = false\n[text]\npool = "mean"\nlower = {lower}\n')).embed(["RED"])
        assert np.allclose(got.vectors, [want])


# -- both


@pytest.mark.parametrize("whole", [False, True], ids=["two files", "one file"])
@pytest.mark.parametrize("inside", ["", "onnx"])
def test_a_folder_of_two_towers_is_one_model_with_the_prefix_or_without(tmp_path: Path, inside: str, whole: bool) -> None:
    folder = files.both_towers(tmp_path / "both", inside=inside, whole=whole)
    embedder = exact(f"openvino:{folder}")
    assert set(embedder.spec.modalities) == {"text", "image"}
    assert (embedder.spec.dim, embedder.spec.max_tokens) == (3, 16)
    got = embedder.embed([picture(), "blue", "red", picture(BLUE)]).vectors
    assert np.allclose(got @ got.T, [[1, 0.03, 1, 0.03], [0.03, 1, 0.03, 1]] * 2, atol=0.15)
    plain = load_embedder(str(folder), precision="float32")
    assert plain.spec == embedder.spec


def test_a_sound_preprocessor_is_read_and_another_is_refused(tmp_path: Path) -> None:
    folder = files.both_towers(tmp_path)
    settings = {"size": {"height": 8, "width": 8}, "do_center_crop": False, "resample": 2, "do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    assert np.allclose(exact(f"openvino:{folder}").embed([picture()]).vectors, np.array(RED) / np.linalg.norm(RED), atol=1e-4)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"resample": 5}))
    with pytest.raises(ConfigError, match=r"sizes, colors or a filter that are not known here"):
        exact(f"openvino:{folder}")
    for odd in ({"do_rescale": False}, {"rescale_factor": 1 / 127.5}, {"do_resize": False}):
        (folder / "preprocessor_config.json").write_text(json.dumps(settings | odd))
        with pytest.raises(ConfigError, match="wants pictures as they are, or colors that are not from 0 to 1"):
            exact(f"openvino:{folder}")
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"do_normalize": True}))
    with pytest.raises(ConfigError, match="image_mean"):
        exact(f"openvino:{folder}")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelNotFound, match=r"preprocessor_config\.json is missing"):
        load_embedder(str(folder))


def test_what_a_model_in_files_is_can_be_asked(tmp_path: Path, home: Path) -> None:
    from click.testing import CliRunner

    from cosimo.interfaces.cli import cli

    folder = files.both_towers(tmp_path)
    said = CliRunner().invoke(cli, ["models", "info", f"openvino:{folder}"])
    assert {"dim": 3, "max_tokens": 16, "modalities": ["image", "text"]}.items() <= json.loads(said.stdout).items()
    said = CliRunner().invoke(cli, ["models", "info", "clap:laion/clap-htsat-unfused"])
    assert json.loads(said.stdout)["modalities"] == ["text", "audio"]


def test_a_folder_of_one_tower_is_a_model_of_pictures_alone(tmp_path: Path) -> None:
    folder = files.both_towers(tmp_path)
    (folder / "vision_model.onnx").rename(folder / "model.onnx")
    for name in ("text_model.onnx", "tokenizer.json"):
        (folder / name).unlink()
    assert load_embedder(str(folder)).spec.modalities == ("image",)


def test_texts_and_pictures_share_a_collection(tmp_path: Path, home: Path) -> None:
    name = f"openvino:{files.both_towers(tmp_path / 'both')}"
    db = cosimo.open(tmp_path / "a.db")
    db.collection("shop", model=name).add(
        [Document("1", picture()), Document("2", picture(BLUE)), Document("3", "green shoe"), Document("4", picture(GREEN))]
    )
    shop = cosimo.open(tmp_path / "a.db").collection("shop")  # the name that is stored finds the model again
    assert [hit.id for hit in shop.search("red", 1)] == ["1"]
    assert [hit.id for hit in shop.search(picture((0, 10, 200)), 1)] == ["2"]
    assert {hit.id for hit in shop.search("green", 2)} == {"3", "4"}
    assert [hit.id for hit in shop.related("4", 1)] == ["3"]
    assert [hit.id for hit in shop.search(picture(), 1, plus="blue", minus="red")] == ["2"]


def test_a_text_to_a_model_of_pictures_and_a_picture_to_one_of_texts_are_refused(tmp_path: Path, home: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    pictures = toml(tmp_path, "[image]\n")
    files.words(tmp_path / "words.onnx", TABLE)
    files.tokenizer(tmp_path / "tokenizer.json")
    texts = toml(tmp_path, '[text]\npool = "mean"\n', "words.toml")
    with pytest.raises(DataError, match="reads pictures, and content 0 is a text"):
        exact(pictures).embed(["red"])
    with pytest.raises(DataError, match="reads text, and content 1 is a picture"):
        exact(texts).embed(["red", picture()])
    db = cosimo.open(tmp_path / "a.db")
    shop = db.collection("shop", model=pictures)
    shop.add([Document("1", picture()), Document("2", picture(BLUE))])
    for ask in (lambda: shop.search("red"), lambda: shop.add([Document("3", "a text")]), lambda: shop.label(["red", "blue"])):
        with pytest.raises(DataError, match=r"model\.toml reads"):
            ask()
    with pytest.raises(DataError, match=r"words\.toml reads text"):
        db.collection("words", model=texts).add([Document("1", picture())])


def test_other_weights_or_another_meaning_are_another_model(tmp_path: Path, home: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    name = toml(tmp_path, "[image]\n")
    first = exact(name).spec
    toml(tmp_path, '# the same\nname = "openai/clip-vit-base-patch32"\nlogit_scale = 50\n[image]\nfile = "model.onnx"\n')
    same = exact(name).spec
    assert (same.revision, same.logit_scale, same.languages) == (first.revision, 50.0, ("en",))
    db = cosimo.open(tmp_path / "a.db")
    db.collection("shop", model=name).add([Document("1", picture())])
    toml(tmp_path, '[image]\nchannels = "BGR"\n')
    assert exact(name).spec.revision != first.revision
    with pytest.raises(ModelMismatch, match="other weights"):
        cosimo.open(tmp_path / "a.db").collection("shop").search(picture())


# -- what is wrong is told

WRONG = [
    ("[image]\nsise = 8", r"model\.toml: \[image\] sise is no key that is known here; known are file, .*size"),
    ("sise = 8\n[image]", r"model\.toml: sise is no key .*known are name, normalize"),
    ("[image", r"cannot read .*model\.toml"),
    ("image = 3", "image is a table, not 3"),
    ("normalize = 1\n[image]", "normalize is true or false, not 1"),
    ("logit_scale = -1\n[image]", "logit_scale is a number above 0, not -1"),
    ("[image]\nsize = 0", r"\[image\] size is a whole number of pixels"),
    ("[image]\nsize = [8]", r"\[image\] size is a whole number of pixels"),
    ("[image]\nsize = 9\ncrop = 7", r"crop makes pictures of 7 × 7, and .*model\.onnx takes 8 × 8"),
    ("[image]\nmean = [0.5, 0.5]", r"\[image\] mean is a list of 3 numbers"),
    ("[image]\nstd = [1, 1, 0]", r"\[image\] std holds numbers above 0"),
    ('[image]\nresize = "fit"', "resize is one of shortest, squash, pad, not 'fit'"),
    ('[image]\nlayout = "NHWC"', r"layout is not that of 'pixels' in .*model\.onnx"),
    ('[image]\nchannels = 3', r"\[image\] channels is a text, not 3"),
    ('[image]\ninput = "image"', r"input is 'image', which is not there: the inputs of .*model\.onnx are 'pixels'"),
    ("[image]\ninput = 1.5", "input is a name or a number"),
    ('[image]\noutput = "features"', r"output is 'features', which is not there: the outputs of .*model\.onnx are 'embedding'"),
    ("[image]\noutput = 3", "output is 3, which is not there"),
    ('[image]\nfile = "other.onnx"', r"file names .*other\.onnx, and there is no such file"),
    ('[image]\nfile = "no.onnx"', r"no\.onnx is no model that OpenVINO reads"),
    ("[text]\nfile = 'words.onnx'\ntokenizer = 'none.json'", r"\[text\] tokenizer names .*none\.json, and there is no such"),
    ("[text]\nfile = 'words.onnx'\ntokenizer = 'no.onnx'", r"cannot read .*no\.onnx"),
    ("[text]\nfile = 'words.onnx'\ninputs = ['ids']", r"inputs is 'ids', which is not there: .*'input_ids', 'attention_mask'"),
    ("[text]\nfile = 'words.onnx'\ninputs = ['input_ids']", r"inputs has to name those for token ids, mask and types"),
    ("[text]\nfile = 'words.onnx'\ninputs = 'input_ids'", "inputs is a list of texts"),
    ("[text]\nfile = 'model.onnx'", "inputs names 'pixels' of .*which takes f32 and no token ids"),
    ("[text]\nfile = 'words.onnx'\nmax_tokens = 2.5", "max_tokens is a whole number from 3"),
    ("[text]\nfile = 'words.onnx'", 'not one vector each; write pool = "mean"'),
    ("[image]\n[text]\nfile = 'words.onnx'\npool = 'mean'", r"towers of one model give vectors of one length, and .*3.*2"),
    ("name = 'x'", r"model\.toml describes nothing; write a table"),
    ("[image]\nmean = [nan, 0, 0]", r"\[image\] mean is a list of 3 numbers"),
    ("[image]\nstd = [1, 1, inf]", r"\[image\] std is a list of 3 numbers"),
    ("[image]\nfile = '" + "x" * 300 + "'", "there is no such file"),
    ("[image]\nfile = '~nobody-here/model.onnx'", "there is no such file"),
    ("[text]\nfile = 'words.onnx'\npad = 99999999999999999999", "pad is a whole number from 0 to 1,000,000,000"),
    ("[image]\nfile = 'number.onnx'\npool = 'mean'", r"output is \[\] in .*number\.onnx, not \(batch, dim\)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[text.replace("\n", " ") for text, _ in WRONG])
def test_what_a_toml_gets_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    files.words(tmp_path / "words.onnx", TABLE)
    files.tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "no.onnx").write_bytes(b"<html>not a model</html>")
    sizes = {"pixels": (np.float32, ["n", 3, 8, 8])}
    files.onnx_file(
        tmp_path / "number.onnx", [("ReduceMean", ["pixels"], "y", {"keepdims": 0})], sizes, {"y": (np.float32, [])}
    )
    with pytest.raises(ConfigError, match=said) as caught:
        load_embedder(toml(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_toml_of_windows_may_begin_with_a_mark(tmp_path: Path) -> None:
    files.mean_of_colors(tmp_path / "model.onnx")
    (tmp_path / "model.toml").write_bytes(b"\xef\xbb\xbf[image]\r\nsize = 8\r\n")
    assert exact(f"openvino:{tmp_path / 'model.toml'}").spec.dim == 3


def test_what_is_no_number_is_told(tmp_path: Path) -> None:
    nodes = [("ReduceMean", ["pixels"], "mean", {"axes": [2, 3], "keepdims": 0}), ("Sub", ["mean", "mean"], "zero", {})]
    nodes += [("Div", ["zero", "zero"], "y", {})]
    sizes = {"pixels": (np.float32, ["n", 3, 8, 8])}
    files.onnx_file(tmp_path / "model.onnx", nodes, sizes, {"y": (np.float32, ["n", 3])})
    with pytest.raises(BadReply, match=r"model\.toml gives NaN or infinity"):
        exact(toml(tmp_path, "[image]\n")).embed([picture()])


def test_weights_beside_an_onnx_file_are_the_model_whatever_their_name(tmp_path: Path) -> None:
    import onnx

    nodes = [("ReduceMean", ["pixels"], "mean", {"axes": [2, 3], "keepdims": 0}), ("MatMul", ["mean", "w"], "y", {})]
    sizes, path = {"pixels": (np.float32, ["n", 3, 8, 8])}, tmp_path / "model.onnx"
    files.onnx_file(path, nodes, sizes, {"y": (np.float32, ["n", 9])}, w=np.eye(3, 9, dtype=np.float32))
    onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="some weights", size_threshold=0)
    name = toml(tmp_path, "[image]\n")
    before = exact(name).spec
    (tmp_path / "some weights").write_bytes(np.eye(3, 9, 2, dtype=np.float32).tobytes())
    after = exact(name)
    assert before.revision != after.spec.revision
    assert np.allclose(after.embed([picture(BLUE)]).vectors[0, 2:5], np.array(BLUE) / np.linalg.norm(BLUE), atol=1e-4)


def test_names_without_a_model_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="there is no model at"):
        load_embedder(f"openvino:{'x' * 5_000}")
    files.mean_of_colors(tmp_path / "alone.onnx")
    with pytest.raises(ConfigError, match=r"nothing says what .*alone\.onnx reads: write a TOML of the same name"):
        load_embedder(f"openvino:{tmp_path / 'alone.onnx'}")
    with pytest.raises(ModelNotFound, match="there is no model at"):
        load_embedder(f"openvino:{tmp_path / 'none.toml'}")
    with pytest.raises(ConfigError, match=r"holds neither model\.toml nor vision_model\.onnx and text_model\.onnx"):
        load_embedder(f"openvino:{tmp_path}")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match="is no TOML"):
        load_embedder(f"openvino:{tmp_path / 'a.txt'}")
    with pytest.raises(ConfigError, match="are not computed in int8"):
        load_embedder(toml(tmp_path, '[image]\nfile = "alone.onnx"\n'), precision="int8")


# -- photographs


def test_photographs_of_a_class_are_found_by_a_model_of_pictures(
    data: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured on photographs that were not learned from."""
    everything = train_pictures.photographs(data / "clothing")
    name = train_pictures.train(
        {path: kind for path, kind in everything.items() if not train_pictures.held_out(path)}, tmp_path
    )
    shop = cosimo.open(tmp_path / "a.db").collection("shop", model=f"openvino:{name}")
    held = {path.name: kind for path, kind in everything.items() if train_pictures.held_out(path)}
    shop.add(Document(path.name, path.read_bytes(), {"kind": held[path.name]}) for path in everything if path.name in held)
    right: dict[str, list[float]] = {}
    for id, kind in held.items():
        right.setdefault(kind, []).append(np.mean([hit.metadata["kind"] == kind for hit in shop.related(id, 5)]).item())
    precision = float(np.mean([share for shares in right.values() for share in shares]))
    chance = sum((len(shares) / len(held)) ** 2 for shares in right.values())
    with capsys.disabled():
        classes = ", ".join(f"{kind} {np.mean(shares):.2f}" for kind, shares in right.items())
        print(f"\nsame class among 5: {precision:.3f} (chance {chance:.2f}) on {len(held)} held-out photographs: {classes}")
    assert precision > 0.5


# -- two towers, trained here


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tiny CLIP at both runtimes."""
    for package in ("torch", "transformers", "sentence_transformers", "onnxscript"):
        pytest.importorskip(package, reason="trains two towers")
    folder = tmp_path_factory.mktemp("towers")
    model = train_towers.trained()
    return {
        "st": f"st:{train_towers.save_for_sentence_transformers(model, folder / 'st')}",
        "openvino": f"openvino:{train_towers.save_as_onnx(model, folder / 'onnx')}",
    }


def shapes_in(path: Path, model: str) -> Any:
    """A collection of three pictures of every combination, those that were held out among them."""
    seen, unseen = train_towers.combinations()
    rng = np.random.default_rng(1)
    shapes = cosimo.open(path).collection("shapes", model=model)
    shapes.add(
        Document(
            f"{train_towers.caption(each)}/{number}", train_towers.png(train_towers.drawn(each, rng)), {"seen": each in seen}
        )
        for each in seen + unseen
        for number in range(3)
    )
    return shapes


@pytest.mark.heavy
@pytest.mark.parametrize("runtime", ["st", "openvino"])
def test_words_find_pictures_of_combinations_that_were_never_seen(
    towers: dict[str, str], tmp_path: Path, home: Path, runtime: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = shapes_in(tmp_path / "a.db", towers[runtime])
    unseen = [train_towers.caption(each) for each in train_towers.combinations()[1]]
    words = np.mean([shapes.search(text, 1)[0].id.split("/")[0] == text for text in unseen])
    rng = np.random.default_rng(2)
    asked = {text: train_towers.png(train_towers.drawn(tuple(text.split()), rng)) for text in unseen}  # type: ignore[arg-type]
    pictures = np.mean([shapes.search(drawn, 1)[0].id.split("/")[0] == text for text, drawn in asked.items()])
    labels = [train_towers.caption(each) for part in train_towers.combinations() for each in part]
    labelled = shapes.label(labels, where="seen = false")
    right = np.mean([each.label == each.id.split("/")[0] for each in labelled])
    with capsys.disabled():
        print(f"\n{runtime}: recall@1 text→picture {words:.3f}, picture→picture {pictures:.3f}, labels {right:.3f}")
    assert words >= 0.9
    assert pictures >= 0.8
    assert right >= 0.9
    assert all(sum(each.shares.values()) == pytest.approx(1, abs=1e-4) for each in labelled)


@pytest.mark.heavy
def test_pictures_find_texts_and_a_picture_with_words_finds_the_mixture(
    towers: dict[str, str], tmp_path: Path, home: Path
) -> None:
    everything = [each for part in train_towers.combinations() for each in part]
    captions = cosimo.open(tmp_path / "a.db").collection("captions", model=towers["openvino"])
    captions.add(Document(text, text) for each in everything if (text := train_towers.caption(each)))
    rng = np.random.default_rng(3)
    asked = {each: train_towers.png(train_towers.drawn(each, rng)) for each in everything}
    found = np.mean([captions.search(drawn, 1)[0].id == train_towers.caption(each) for each, drawn in asked.items()])
    assert found >= 0.9
    shapes = shapes_in(tmp_path / "b.db", towers["openvino"])
    blue = [each for each in everything if each[1] == "blue"]
    mixed = [shapes.search(asked[each], 1, plus="red", minus="blue")[0].id.split("/")[0].split() for each in blue]
    red = np.mean([color == "red" for _, color, _ in mixed])
    same = np.mean([(size, shape) == (each[0], each[2]) for (size, _, shape), each in zip(mixed, blue, strict=True)])
    assert red >= 0.9
    assert same >= 0.5


@pytest.mark.heavy
def test_both_runtimes_give_the_same_vectors(towers: dict[str, str], home: Path) -> None:
    rng = np.random.default_rng(4)
    some = train_towers.combinations()[0][::4]
    contents = [train_towers.png(train_towers.drawn(each, rng)) for each in some] + [
        train_towers.caption(each) for each in some
    ]
    contents += ["red", "a blue large circle and more words than it reads"]
    theirs, ours = (load_embedder(towers[name], precision="float32") for name in ("st", "openvino"))
    a, b = theirs.embed(contents), ours.embed(contents)
    assert np.sum(a.vectors / np.linalg.norm(a.vectors, axis=1, keepdims=True) * b.vectors, axis=1).min() > 0.999
    assert (a.tokens, list(a.cut)) == (b.tokens, list(b.cut))
    assert theirs.spec.logit_scale == pytest.approx(20, abs=10)  # trained from 14.3
    assert set(theirs.spec.modalities) == set(ours.spec.modalities) == {"text", "image"}


@pytest.mark.heavy
def test_a_model_of_texts_sees_through_the_one_it_was_made_for(
    towers: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the multilingual CLIP does, of which the hub holds the texts' half alone."""
    from dataclasses import replace

    from cosimo.embedders import catalog

    folder = towers["st"].removeprefix("st:")
    entry = catalog.entry("sentence-transformers/clip-ViT-B-32-multilingual-v1")
    assert entry is not None
    assert entry.pictures == "sentence-transformers/clip-ViT-B-32"
    there = config.models_dir() / "sentence-transformers--clip-ViT-B-32-multilingual-v1"
    tiny.folder(there, hidden_size=train_towers.DIM)
    monkeypatch.setattr(catalog, "known", lambda: (replace(entry, pictures=folder),))
    for name in ("st:clip-ViT-B-32-multilingual-v1", "clip-ViT-B-32-multilingual-v1"):
        embedder = load_embedder(name)
        assert embedder.spec.modalities == ("text", "image")
        drawn = train_towers.png(train_towers.drawn(("small", "red", "circle"), np.random.default_rng(0)))
        got = embedder.embed(["the cat", drawn]).vectors
        assert np.allclose(got[1], load_embedder(towers["st"]).embed([drawn]).vectors[0], atol=1e-5)
        assert np.allclose(got[0], load_embedder(f"st:{there}").embed(["the cat"]).vectors[0], atol=1e-5)


@pytest.mark.heavy
def test_code_that_a_model_of_pictures_brings_is_run_where_the_user_said_so(
    towers: dict[str, str], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = tmp_path / "brings"
    shutil.copytree(towers["st"].removeprefix("st:"), folder)
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[0] | {"type": "theirs.Module"}]))
    (folder / "theirs.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'run')!r}).touch()\n"
        "from sentence_transformers.models import CLIPModel as Module\n"
    )
    with pytest.raises(ConfigError, match=r"code of its own.*trust_remote_code = true under \[st\."):
        load_embedder(f"st:{folder}")
    assert not (tmp_path / "run").exists()
    config.providers_path().parent.mkdir(parents=True, exist_ok=True)
    config.providers_path().write_text(f"[st.'{folder}']\ntrust_remote_code = true\n", encoding="utf-8")
    drawn = train_towers.png(train_towers.drawn(("small", "red", "circle"), np.random.default_rng(0)))
    assert len(load_embedder(f"st:{folder}").embed([drawn, "red"]).vectors) == 2
    assert (tmp_path / "run").exists()


@pytest.mark.heavy
def test_siglip_reads_each_text_as_it_was_trained_whatever_stands_beside_it(home: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}
    text = {"vocab_size": len(train_towers.WORDS), "max_position_embeddings": 8, "projection_size": 32}
    text |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 1}
    model = SiglipModel(
        SiglipConfig(text_config=small | text, vision_config={**small, "image_size": 32, "patch_size": 8})
    ).eval()
    tokenizer = train_towers.tokenizer()
    for part in (model, tokenizer, SiglipImageProcessorPil(size={"height": 32, "width": 32})):
        part.save_pretrained(tmp_path)
    embedder = load_embedder(f"st:{tmp_path}")
    assert embedder.spec.modalities == ("text", "image")
    got = embedder.embed(["red circle", picture(), "small red circle"]).vectors
    ids = tokenizer(["red circle", "small red circle"], padding="max_length", max_length=8, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found = model.get_text_features(input_ids=ids)
    assert np.allclose(got[[0, 2]], getattr(found, "pooler_output", found).numpy(), atol=1e-5)
    assert np.allclose(embedder.embed(["red circle"]).vectors[0], got[0], atol=1e-5)
