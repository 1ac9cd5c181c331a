"""The local embedder: numbers, order, windows, prompts, odd texts, damaged folders, and what must not leave the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny_models as tiny

from cosimo.core import config
from cosimo.core.errors import ConfigError, DataError, ModelNotFound
from cosimo.embedders import batches, local, safetensors
from cosimo.embedders.fake import FakeEmbedder
from cosimo.embedders.local import LocalEmbedder

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["the cat sat on the mat.", "a dog", "", "query: the dog sat on a mat. the cat sat on the dog."]
HAPPY = ["That is a happy person", "That is a very happy person", "That is a happy dog", "Today is a sunny day"]


def exact(folder: Path) -> LocalEmbedder:
    return LocalEmbedder(str(folder), precision="float32", threads=1)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tokens are left to the engine, like many."""
    monkeypatch.setattr(local, "FEW", 0)


@pytest.fixture(params=["numpy", "openvino"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which a model is computed."""
    monkeypatch.setattr(local, "FEW", 10_000 if request.param == "numpy" else 0)
    return str(request.param)


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_float32_gives_the_published_numbers(minilm: Path, by: str) -> None:
    vectors = LocalEmbedder(str(minilm), precision="float32").embed(["Hello world", *HAPPY]).vectors
    assert vectors[0, :5] == pytest.approx([-0.03447721, 0.03102321, 0.00673498, 0.02610898, -0.039362], abs=1e-6)
    assert vectors[1] @ vectors[2:].T == pytest.approx([0.942915, 0.694577, 0.256876], abs=1e-5)


def test_default_precision_keeps_published_cosines(minilm: Path) -> None:
    vectors = LocalEmbedder(str(minilm)).embed(HAPPY).vectors
    assert vectors[0] @ vectors[1:].T == pytest.approx([0.942915, 0.694577, 0.256876], abs=5e-4)


def test_many_texts_in_the_default_precision_stay_near_float32(minilm: Path, data: Path) -> None:
    texts = [
        path.read_text(encoding="utf-8")[: 100 + 7 * number]
        for number, path in enumerate(sorted((data / "til").rglob("*.md"))[:60])
    ]
    fast = LocalEmbedder(str(minilm)).embed(texts).vectors
    slow = LocalEmbedder(str(minilm), precision="float32").embed(texts).vectors
    assert (fast * slow).sum(axis=1).min() > 0.9999


def test_int8_is_near(minilm: Path, compiled: None) -> None:
    fast = LocalEmbedder(str(minilm), precision="int8").embed(HAPPY).vectors
    slow = LocalEmbedder(str(minilm), precision="float32").embed(HAPPY).vectors
    assert (fast * slow).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", ["cls", "mean"]])
def test_both_graphs_agree_with_the_formulas(tmp_path: Path, home: Path, by: str, kind: str, pooling: str | list[str]) -> None:
    folder = tiny.folder(
        tmp_path / "m", kind=kind, pooling=pooling, normalize=False, prefix="" if kind == "bert" else "roberta."
    )
    embedder = exact(folder)
    shape = tiny.config(kind)
    names = [pooling] if isinstance(pooling, str) else pooling
    pools = {
        "mean": lambda x: x.mean(0),
        "cls": lambda x: x[0],
        "max": lambda x: x.max(0),
        "lasttoken": lambda x: x[-1],
        "mean_sqrt_len_tokens": lambda x: x.sum(0) / len(x) ** 0.5,
    }
    got = embedder.embed(TEXTS).vectors
    assert got.shape == (4, 32 * len(names))
    for vector, tokens in zip(got, embedder._tokenizer.read(TEXTS), strict=True):
        states = tiny.reference(shape, tiny.arrays(shape), tokens.ids)
        assert vector == pytest.approx(np.concatenate([pools[name](states) for name in names]), abs=2e-5)


def test_normalisation_follows_the_folder(tmp_path: Path, home: Path, by: str) -> None:
    plain = exact(tiny.folder(tmp_path / "a", normalize=False))
    unit = exact(tiny.folder(tmp_path / "b", normalize=True))
    assert (plain.spec.normalized, unit.spec.normalized) == (False, True)
    raw, one = plain.embed(TEXTS).vectors, unit.embed(TEXTS).vectors
    assert np.abs(np.linalg.norm(raw, axis=1) - 1).min() > 0.01
    assert one == pytest.approx(raw / np.linalg.norm(raw, axis=1, keepdims=True), abs=1e-6)


def test_old_pooling_files_are_read(tmp_path: Path, home: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    tiny.write(folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    assert exact(folder).spec.pooling == "cls"


def test_dense_layer_after_pooling(tmp_path: Path, home: Path, by: str) -> None:
    folder = tiny.folder(tmp_path / "m", normalize=False)
    plain = exact(folder).embed(TEXTS).vectors
    (folder / "2_Dense").mkdir()
    weight = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    tiny.safetensors(folder / "2_Dense" / "model.safetensors", {"linear.weight": weight, "linear.bias": np.ones(8, np.float32)})
    activation = "torch.nn.modules.activation.Tanh"
    tiny.write(folder, "2_Dense/config.json", {"in_features": 32, "out_features": 8, "activation_function": activation})
    modules = json.loads((folder / "modules.json").read_text())
    tiny.write(folder, "modules.json", [*modules, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])
    embedder = exact(folder)
    assert embedder.spec.dim == 8
    assert embedder.embed(TEXTS).vectors == pytest.approx(np.tanh(plain @ weight.T + 1), abs=1e-5)


def test_onnx_folder_gives_what_its_graph_says(tmp_path: Path, home: Path) -> None:
    table = np.random.default_rng(2).standard_normal((len(tiny.WORDS), 32)).astype(np.float32)
    folder = tiny.folder(tmp_path / "m", normalize=False)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(tiny.onnx_lookup(table))
    (folder / "model.safetensors").unlink()
    tiny.write(folder, "config.json", tiny.config("bert") | {"model_type": "mpnet"})
    embedder = exact(folder)
    ids = [tokens.ids for tokens in embedder._tokenizer.read(TEXTS)]
    assert embedder.embed(TEXTS).vectors == pytest.approx(np.stack([table[row].mean(0) for row in ids]), abs=1e-5)


# -- what comes back --------------------------------------------------------------------------------------------------


def test_same_text_twice_is_computed_once(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m"))
    once, twice = embedder.embed(["a cat", "the dog"]), embedder.embed(["a cat", "the dog", "a cat", "a cat"])
    assert twice.tokens == once.tokens
    assert np.array_equal(twice.vectors[[2, 3]], twice.vectors[[0, 0]])


def test_more_texts_than_a_window_of_tokenising_keep_their_order(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m"))
    texts = [
        f"the cat {'sat ' * (number % 9)} {'abcdefghijklmnop'[number % 16]} {number}"[: 5 + number % 30]
        for number in range(2500)
    ]
    got = embedder.embed(texts).vectors
    for number in (0, 1, 777, 1023, 1024, 1025, 2499):
        assert got[number] == pytest.approx(embedder.embed([texts[number]]).vectors[0], abs=1e-5)


def test_a_long_text_is_cut_and_reported(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m", window=8))
    fits, long = "the cat sat on the mat", "the cat sat on the mat ."
    got = embedder.embed([fits, long, fits])
    assert embedder.count_tokens([fits, long]) == [8, 9]
    assert list(got.cut) == [1]
    assert got.vectors[1] == pytest.approx(got.vectors[0], abs=1e-6)
    assert got.tokens == 16


def test_the_window_is_never_more_than_the_positions(tmp_path: Path, home: Path) -> None:
    assert exact(tiny.folder(tmp_path / "a", window=9_999)).spec.max_tokens == 40
    assert exact(tiny.folder(tmp_path / "b", kind="roberta", window=None)).spec.max_tokens == 40


@pytest.mark.parametrize("long", ["the cat sat " * 900_000, " " * 10_000_000 + "the cat", "怎" * 3_000_000, "x" * 10_000_000])
def test_ten_megabytes_take_seconds_and_are_counted_as_cut(minilm: Path, long: str) -> None:
    embedder = LocalEmbedder(str(minilm))
    started = time.monotonic()
    got = embedder.embed([long, "the cat"])
    assert time.monotonic() - started < 60
    assert np.isfinite(got.vectors).all()
    assert list(got.cut) == ([0] if embedder.count_tokens([long])[0] > 256 else [])


@pytest.mark.parametrize(
    "text",
    [
        "one two three " * 3000,
        "word" * 30 + " " + "y" * 150 + " tail" * 5000,
        ("z" * 101 + " ") * 2000,
        "a\n" + "\u3000" * 9000 + "b " * 900,
    ],
)
def test_reading_only_the_head_of_a_text_changes_no_token(minilm: Path, text: str) -> None:
    from tokenizers import Tokenizer

    whole = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    whole.no_padding()
    whole.enable_truncation(256)
    wanted = whole.encode(text)
    assert LocalEmbedder(str(minilm))._tokenizer.read([text]) == [(wanted.ids, bool(wanted.overflowing))]


@pytest.mark.parametrize("text", ["", " \n\t ", "\U0001f600", "a\x00b", "\ud800", "x\udfffy", "\x00"])
def test_odd_texts_have_vectors(minilm: Path, by: str, text: str) -> None:
    vector = LocalEmbedder(str(minilm)).embed([text]).vectors
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_half_a_surrogate_pair_reads_as_the_replacement_character(minilm: Path) -> None:
    vectors = LocalEmbedder(str(minilm)).embed(["half \ud800 pair", "half \ufffd pair", "\ud83d\ude00", "\U0001f600"]).vectors
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-6)
    assert vectors[2] == pytest.approx(vectors[3], abs=1e-6)


def test_no_texts_give_an_empty_array_and_compile_nothing(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m"))
    assert embedder.embed([]).vectors.shape == (0, 32)
    assert not {"_engine", "_plain"} & set(vars(embedder))


@pytest.mark.parametrize("wrong", [b"bytes", None, 3])
def test_what_is_not_text_is_refused_by_position(tmp_path: Path, home: Path, wrong: object) -> None:
    for embedder in (exact(tiny.folder(tmp_path / "m")), FakeEmbedder("8")):
        with pytest.raises(DataError, match="content 1 is"):
            embedder.embed(["a", wrong])  # type: ignore[list-item]


def test_prompts_by_role_and_never_twice(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m", prompts={"query": "query: ", "passage": "the "}))
    assert embedder.spec.prompts == {"query": "query: ", "document": "the "}
    one = embedder.embed(["dog", "query: dog"], role="query").vectors
    assert np.array_equal(one[0], one[1])
    assert np.abs(embedder.embed(["dog"]).vectors[0] - one[0]).max() > 1e-3


def test_threads_share_one_embedder(tmp_path: Path, home: Path, compiled: None) -> None:
    embedder = exact(tiny.folder(tmp_path / "m"))
    wanted = embedder.embed(TEXTS).vectors
    wrong: list[int] = []

    def ask() -> None:
        for _ in range(10):
            if not np.allclose(embedder.embed(TEXTS).vectors, wanted, atol=1e-5):
                wrong.append(1)  # noqa: PERF401

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_closed_embedder_opens_again(tmp_path: Path, home: Path) -> None:
    embedder = exact(tiny.folder(tmp_path / "m"))
    before = embedder.embed(TEXTS).vectors
    embedder.close()
    assert np.array_equal(embedder.embed(TEXTS).vectors, before)


# -- folders that will not do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, home: Path, name: str) -> None:
    folder = tiny.folder(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(ModelNotFound, match=name.replace(".", r"\.")):
        exact(folder).count_tokens(["a"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "modules.json"])
@pytest.mark.parametrize("content", [b"", b'{"a": [', b"\xff" * 64])
def test_a_damaged_file_is_an_error_of_one_line(tmp_path: Path, home: Path, name: str, content: bytes) -> None:
    folder = tiny.folder(tmp_path / "m")
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        exact(folder).embed(["a"])
    assert "\n" not in str(raised.value)


def test_weights_cut_short_are_refused(tmp_path: Path, home: Path, by: str) -> None:
    folder = tiny.folder(tmp_path / "m")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="cut short"):
        exact(folder).embed(["a"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", tiny.config("deberta-v2")),
        ("config.json", tiny.config("bert", position_embedding_type="relative_key")),
        ("1_Pooling/config.json", {"pooling_mode": "weightedmean"}),
        ("1_Pooling/config.json", {"pooling_mode": "mean", "include_prompt": False}),
        ("modules.json", [{"path": "", "type": "sentence_transformers.models.CLIPModel"}]),
        ("modules.json", [{"path": "", "type": "sentence_transformers.models.Transformer"}]),
    ],
)
def test_what_only_sentence_transformers_runs_names_it(tmp_path: Path, home: Path, name: str, content: object) -> None:
    folder = tiny.folder(tmp_path / "m")
    tiny.write(folder, name, content)
    with pytest.raises(ConfigError, match="pip install 'cosimo\\[st\\]'"):
        exact(folder)


def test_an_unknown_precision_is_refused_at_once(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.folder(tmp_path / "m")
    monkeypatch.setenv("COSIMO_PRECISION", "float12")
    with pytest.raises(ConfigError, match="float12"):
        LocalEmbedder(str(folder))


def test_fake_needs_a_length() -> None:
    for wrong in ("", "0", "-3", "x", "99999999", "²"):
        with pytest.raises(ModelNotFound, match="fake:256"):
            FakeEmbedder(wrong)


# -- compiled models on disk ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_compiled_model_is_made_again(tmp_path: Path, home: Path, compiled: None, damage: bytes | None) -> None:
    folder = tiny.folder(tmp_path / "m")
    wanted = exact(folder).embed(TEXTS).vectors
    (kept,) = config.compiled_dir().glob("*.blob")
    if damage is None:
        flipped = bytearray(kept.read_bytes())
        flipped[len(flipped) // 2] ^= 255
        damage = bytes(flipped)
    kept.write_bytes(damage)
    assert exact(folder).embed(TEXTS).vectors == pytest.approx(wanted, abs=1e-6)


def test_a_compiled_model_is_used_by_the_next_process(
    tmp_path: Path, home: Path, compiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.folder(tmp_path / "m")
    wanted = exact(folder).embed(TEXTS).vectors
    monkeypatch.setattr(safetensors, "read", lambda path: pytest.fail("the weights were read again"))
    assert exact(folder).embed(TEXTS).vectors == pytest.approx(wanted, abs=1e-6)


def test_other_weights_are_not_served_from_the_same_compiled_model(tmp_path: Path, home: Path, compiled: None) -> None:
    first = exact(tiny.folder(tmp_path / "a" / "m")).embed(TEXTS).vectors
    second = exact(tiny.folder(tmp_path / "b" / "m", seed=1)).embed(TEXTS).vectors
    assert np.abs(first - second).max() > 0.01


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path, home: Path, compiled: None) -> None:
    home.mkdir()
    (home / "cache").write_text("a file where the folder would be")
    assert exact(tiny.folder(tmp_path / "m")).embed(TEXTS).vectors.shape == (4, 32)


# -- batches ----------------------------------------------------------------------------------------------------------


def test_no_other_cut_of_the_texts_into_batches_is_cheaper() -> None:
    random = np.random.default_rng(3)
    for _ in range(60):
        lengths, budget = random.integers(2, 257, 8).tolist(), int(random.choice([100, 300, 768]))
        longest_first = sorted(lengths, reverse=True)
        costs = []
        for pattern in range(2**7):  # a cut or none behind each text but the last
            ends = [place + 1 for place in range(7) if pattern >> place & 1]
            groups = [longest_first[start:end] for start, end in zip([0, *ends], [*ends, 8], strict=True)]
            sizes = [len(group) * batches.padded(group[0]) for group in groups]
            if all(size <= budget or len(group) == 1 for size, group in zip(sizes, groups, strict=True)):
                costs.append(sum(sizes) + batches.CHANGE * len(sizes))
        planned = [[lengths[place] for place in group] for group in batches.plan(lengths, budget)]
        assert sum(len(group) * batches.padded(max(group)) + batches.CHANGE for group in planned) == min(costs)


def test_batches_hold_each_text_once_and_keep_to_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(2, 257, 500).tolist()
    groups = list(batches.plan(lengths, 2048))
    assert sorted(place for group in groups for place in group) == list(range(500))
    assert max(len(group) * batches.padded(max(lengths[place] for place in group)) for group in groups) <= 2048
    padded = sum(len(group) * batches.padded(max(lengths[place] for place in group)) for group in groups)
    assert padded < 1.15 * sum(lengths)
    assert list(batches.plan([5000, 3], 2048)) == [[0], [1]]
    assert list(batches.plan([], 2048)) == []


# -- nothing leaves the machine ---------------------------------------------------------------------------------------


def test_embedding_opens_no_connection_and_writes_no_telemetry(tmp_path: Path, minilm: Path) -> None:
    program = """
import socket, sys
asked = []
def refuse(*args, **kwargs):
    asked.append(args)
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.gethostbyname = refuse
from cosimo.embedders.local import LocalEmbedder
print(LocalEmbedder(sys.argv[1]).embed(["private"] + [f"private {n}" for n in range(200)]).vectors.shape)
import time; time.sleep(0.5)  # the telemetry package would send from a thread
assert not asked, asked
"""
    env = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "COSIMO_HOME": str(tmp_path / "home"), "PATH": ""}
    env |= {name: value for name, value in os.environ.items() if name in ("SYSTEMROOT", "PYTHONPATH", "TEMP")}
    done = subprocess.run([sys.executable, "-c", program, str(minilm)], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(201, 384)", done.stderr
    assert not (tmp_path / "intel").exists()


# -- against the reference implementation -----------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["gelu_new", "relu", "silu"])
def test_numpy_and_the_engine_agree_on_every_activation(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    folder = tiny.folder(tmp_path / "m", hidden_act=activation)
    monkeypatch.setattr(local, "FEW", 10_000)
    first = exact(folder).embed(TEXTS).vectors
    monkeypatch.setattr(local, "FEW", 0)
    assert exact(folder).embed(TEXTS).vectors == pytest.approx(first, abs=2e-6)


def test_others_still_find_the_converter_of_openvino() -> None:
    program = """
from cosimo.embedders.engine import openvino
openvino()
import sys
assert "openvino.tools.ovc" not in sys.modules
from openvino import convert_model
assert callable(convert_model)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize(
    ("pooling", "normalize"), [("mean", True), ("cls", False), ("max", False), ("mean", False), ("lasttoken", True)]
)
def test_agrees_with_sentence_transformers(
    tmp_path: Path, home: Path, by: str, kind: str, pooling: str, normalize: bool
) -> None:
    transformers = pytest.importorskip("transformers")
    reference = pytest.importorskip("sentence_transformers")
    folder = tiny.folder(tmp_path / "m", kind=kind, pooling=pooling, normalize=normalize, prompts={"query": "query: "})
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "model_max_length": 32}
    transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special).save_pretrained(str(folder))
    theirs = reference.SentenceTransformer(str(folder), device="cpu")
    ours = exact(folder)
    texts = [*TEXTS, "the cat sat on the mat. " * 9]
    assert ours.embed(texts).vectors == pytest.approx(theirs.encode(texts), abs=2e-5)
    asked = [text for text in texts if not text.startswith("query: ")]  # which sentence-transformers would write twice
    assert ours.embed(asked, role="query").vectors == pytest.approx(theirs.encode(asked, prompt_name="query"), abs=2e-5)


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("config.json", {"hidden_size": 4096}, "numbers a token"),
        ("config.json", {"num_attention_heads": 7}, "heads"),
        ("config.json", {"num_attention_heads": 0}, "heads"),
        ("sentence_bert_config.json", {"max_seq_length": "x"}, "window"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "window"),
        ("config_sentence_transformers.json", {"prompts": {"query": 5}}, "not text"),
        ("config_sentence_transformers.json", {"prompts": ["query"]}, "not text"),
    ],
)
def test_files_that_contradict_each_other_are_one_sentence(
    tmp_path: Path, home: Path, file: str, changes: dict[str, object], said: str
) -> None:
    folder = tiny.folder(tmp_path / "m")
    path = folder / file
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(found | changes), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        exact(folder).embed(["the cat"])
