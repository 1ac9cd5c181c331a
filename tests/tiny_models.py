"""Tiny models that a test writes itself: random BERT and RoBERTa folders, and BERT once more in plain numpy."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.float32]]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "cat", "sat", "on", "mat", "query", ":", "dog", "."]
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": len(WORDS)}


def config(kind: str = "bert", **changes: Any) -> dict[str, Any]:
    rows = 40 if kind == "bert" else 42
    base = {"model_type": kind, "hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 0 if kind == "bert" else 1}
    return SHAPE | base | {"max_position_embeddings": rows, "type_vocab_size": 2 if kind == "bert" else 1} | changes


def arrays(shape: dict[str, Any], seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    width, inner = shape["hidden_size"], shape["intermediate_size"]

    def some(*sizes: int) -> NDArray[np.float32]:
        return (rng.standard_normal(sizes) * 0.2).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": some(shape["vocab_size"], width),
        "embeddings.position_embeddings.weight": some(shape["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": some(shape["type_vocab_size"], width),
        "embeddings.LayerNorm.weight": 1 + some(width),
        "embeddings.LayerNorm.bias": some(width),
    }
    for layer in range(shape["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        parts = [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
        ]
        parts += [
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ]
        for part, out, into in parts:
            found |= {f"{name}{part}.weight": some(out, into), f"{name}{part}.bias": some(out)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            found |= {f"{name}{part}.weight": 1 + some(width), f"{name}{part}.bias": some(width)}
    return found


def safetensors(path: Path, arrays: Arrays) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))


def folder(
    path: Path, *, kind: str = "bert", pooling: str | list[str] = "mean", normalize: bool = True, seed: int = 0,
    window: int | None = 32, prompts: dict[str, str] | None = None, prefix: str = "", **changes: Any,
) -> Path:  # fmt: skip
    """A whole model as sentence-transformers would have saved it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    path.mkdir(parents=True, exist_ok=True)
    shape = config(kind, **changes)
    safetensors(path / "model.safetensors", {prefix + name: array for name, array in arrays(shape, seed).items()})
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path / "tokenizer.json"))
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] if normalize else [])]
    rows = [
        {"idx": n, "name": str(n), "path": at, "type": f"sentence_transformers.models.{what}"}
        for n, (at, what) in enumerate(modules)
    ]
    (path / "1_Pooling").mkdir(exist_ok=True)
    write(path, "config.json", shape)
    write(path, "modules.json", rows)
    write(path, "1_Pooling/config.json", {"word_embedding_dimension": shape["hidden_size"], "pooling_mode": pooling})
    write(path, "sentence_bert_config.json", {"max_seq_length": window, "do_lower_case": False} if window else {})
    write(path, "config_sentence_transformers.json", {"prompts": prompts or {}, "default_prompt_name": None})
    return path


def write(path: Path, name: str, content: Any) -> None:
    (path / name).write_text(json.dumps(content), encoding="utf-8")


def reference(shape: dict[str, Any], w: Arrays, ids: list[int]) -> NDArray[np.float64]:
    """Vectors of the tokens of one text, (n, width): the paper's formulas, nothing merged, in double precision."""

    def norm(x: Any, name: str) -> Any:
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + shape["layer_norm_eps"]) * w[name + ".weight"] + w[name + ".bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ w[name + ".weight"].T.astype(np.float64) + w[name + ".bias"]

    heads = shape["num_attention_heads"]
    start = 0 if shape["model_type"] == "bert" else shape["pad_token_id"] + 1
    x = w["embeddings.word_embeddings.weight"][ids].astype(np.float64)
    x = (
        x
        + w["embeddings.position_embeddings.weight"][start : start + len(ids)]
        + w["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(shape["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{name}attention.self.{part}").reshape(len(ids), heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), -1)
        x = norm(x + linear(mixed, name + "attention.output.dense"), name + "attention.output.LayerNorm")
        h = linear(x, name + "intermediate.dense")
        h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
        x = norm(x + linear(h, name + "output.dense"), name + "output.LayerNorm")
    return x


def onnx_lookup(table: NDArray[np.float32]) -> bytes:
    """An ONNX file whose only node looks token ids up in a table: protocol buffers by hand, to spare the tests a package."""

    def varint(number: int) -> bytes:
        return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)

    def pack(*fields: tuple[int, int | str | bytes]) -> bytes:
        out = b""
        for number, value in fields:
            if isinstance(value, int):
                out += varint(number << 3) + varint(value)
            else:
                body = value.encode() if isinstance(value, str) else value
                out += varint(number << 3 | 2) + varint(len(body)) + body
        return out

    def info(name: str, kind: int, *sizes: int | str) -> bytes:
        dims = [(1, pack((1, size) if isinstance(size, int) else (2, size))) for size in sizes]
        return pack((1, name), (2, pack((1, pack((1, kind), (2, pack(*dims)))))))

    rows, width = table.shape
    node = pack((1, "table"), (1, "input_ids"), (2, "last_hidden_state"), (4, "Gather"))
    tensor = pack((1, rows), (1, width), (2, 1), (8, "table"), (9, table.tobytes()))
    inputs, outputs = info("input_ids", 7, "b", "n"), info("last_hidden_state", 1, "b", "n", width)
    graph = pack((1, node), (2, "g"), (5, tensor), (11, inputs), (12, outputs))
    return pack((1, 8), (7, graph), (8, pack((1, ""), (2, 17))))
