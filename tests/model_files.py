"""Model files that a test writes itself: small ONNX graphs, one TFLite file, pictures of one color each."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("[PAD]", "[UNK]", "a", "red", "blue", "green", "shoe")
RED, GREEN, BLUE = (250, 10, 5), (20, 240, 10), (5, 20, 250)


def picture(color: tuple[int, int, int] = RED, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """A picture of one color, as a file."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def onnx_file(path: Path, nodes: list[tuple[Any, ...]], inputs: dict[str, Any], outputs: dict[str, Any], **held: Any) -> Path:
    """An ONNX file.

    Parameters
    ----------
    nodes : (kind, inputs, output, attributes) each
    inputs, outputs : name → (type of numbers, sizes)
    held : name → the numbers of a constant
    """
    from onnx import helper, numpy_helper, save

    made = [helper.make_node(kind, list(given), [out], **how) for kind, given, out, how in nodes]
    shapes = [
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), sizes)
            for name, (kind, sizes) in each.items()
        ]
        for each in (inputs, outputs)
    ]
    constants = [numpy_helper.from_array(np.asarray(values), name) for name, values in held.items()]
    graph = helper.make_graph(made, "small", *shapes, constants)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def mean_of_colors(
    path: Path, *, last: bool = False, batch: Any = "n", side: Any = 8, kind: Any = np.float32, dim: int = 3
) -> Path:
    """Pictures → the mean of each color, (n, 3); or, of another `dim`, their sum so many times."""
    sizes = [batch, side, side, 3] if last else [batch, 3, side, side]
    axes = [1, 2] if last else [2, 3]
    nodes: list[tuple[Any, ...]] = [("Cast", ["pixels"], "numbers", {"to": 1})]
    nodes += [("ReduceMean", ["numbers"], "embedding", {"axes": axes, "keepdims": 0})] if dim == 3 else [
        ("ReduceMean", ["numbers"], "colors", {"axes": axes, "keepdims": 0}), ("MatMul", ["colors", "wider"], "embedding", {}),
    ]  # fmt: skip
    held = {} if dim == 3 else {"wider": np.ones((3, dim), np.float32)}
    return onnx_file(path, nodes, {"pixels": (kind, sizes)}, {"embedding": (np.float32, [batch, dim])}, **held)


def pixels_themselves(path: Path, side: int = 8) -> Path:
    """Pictures → all their numbers, (n, 3 · side · side)."""
    nodes = [("Flatten", ["pixels"], "numbers", {"axis": 1})]
    return onnx_file(
        path, nodes, {"pixels": (np.float32, ["n", 3, side, side])}, {"numbers": (np.float32, ["n", 3 * side * side])}
    )


def words(path: Path, table: Any, *, mask: bool = True, length: Any = "length", kind: Any = np.int64) -> Path:
    """Token ids → a vector for each of them, (n, length, dim), from a table; with a mask, which changes nothing."""
    nodes = [("Gather", ["table", "input_ids"], "tokens", {})]
    inputs = {"input_ids": (kind, ["n", length])}
    if mask:
        nodes += [("Cast", ["attention_mask"], "there", {"to": 1}), ("Unsqueeze", ["there", "last"], "wide", {}),
                  ("Mul", ["wide", "nothing"], "zeros", {}), ("Add", ["tokens", "zeros"], "last_hidden_state", {})]  # fmt: skip
        inputs["attention_mask"] = (kind, ["n", length])
    else:
        nodes += [("Identity", ["tokens"], "last_hidden_state", {})]
    dim = np.asarray(table).shape[1]
    held = {"table": np.asarray(table, np.float32)} | (
        {"last": np.array([2], np.int64), "nothing": np.array(0, np.float32)} if mask else {}
    )
    return onnx_file(path, nodes, inputs, {"last_hidden_state": (np.float32, ["n", length, dim])}, **held)


def tokenizer(path: Path) -> Path:
    """A word a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))
    return path


def both_towers(folder: Path, *, inside: str = "", whole: bool = False) -> Path:
    """Colors and their names in one space of three numbers, laid out as Optimum exports CLIP: in two files, or in a whole."""
    table = np.array([[0, 0, 0], [0.1, 0.1, 0.1], [0.3, 0.3, 0.3], RED, BLUE, GREEN, [100, 100, 100]], np.float32)
    where = folder / inside
    seen = [("ReduceMean", ["pixel_values"], "image_embeds", {"axes": [2, 3], "keepdims": 0})]
    read: list[tuple[Any, ...]] = [
        ("Gather", ["table", "input_ids"], "tokens", {}),
        ("ReduceMean", ["tokens"], "text_embeds", {"axes": [1], "keepdims": 0}),
    ]
    pixels, ids = {"pixel_values": (np.float32, ["n", 3, 8, 8])}, {"input_ids": (np.int64, ["m", "length"])}
    vectors = (np.float32, ["n", 3])
    if whole:
        out = {"image_embeds": vectors, "text_embeds": (np.float32, ["m", 3])}
        onnx_file(where / "model.onnx", seen + read, ids | pixels, out, table=table)
    else:
        onnx_file(where / "vision_model.onnx", seen, pixels, {"image_embeds": vectors})
        onnx_file(where / "text_model.onnx", read, ids, {"text_embeds": (np.float32, ["m", 3])}, table=table)
    tokenizer(folder / "tokenizer.json")
    settings = {"do_center_crop": True, "crop_size": {"height": 8, "width": 8}, "size": {"shortest_edge": 8}, "resample": 3,
                "do_normalize": True, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "text_config": {"max_position_embeddings": 16}}))
    return folder


def tflite_file(path: Path, side: int = 8) -> Path:
    """A TFLite file of one operation: pictures (1, side, side, 3) → the mean of each color, (1, 3)."""
    from importlib import import_module

    import flatbuffers
    from tflite import BuiltinOperator, BuiltinOptions, TensorType

    builder = flatbuffers.Builder(1024)

    def table(name: str, **fields: Any) -> int:
        module = import_module(f"tflite.{name}")
        getattr(module, f"{name}Start")(builder)
        for field, value in fields.items():
            getattr(module, f"{name}Add{field}")(builder, value)
        return int(getattr(module, f"{name}End")(builder))

    def offsets(values: list[int]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependUOffsetTRelative(value)
        return int(builder.EndVector())

    def numbers(*values: int) -> int:
        return int(builder.CreateNumpyVector(np.array(values, np.int32)))

    buffers = [table("Buffer"), table("Buffer", Data=builder.CreateNumpyVector(np.array([1, 2], np.int32).view(np.uint8)))]
    kinds = TensorType
    tensors = [
        table("Tensor", Shape=shape, Type=kind, Buffer=buffer, Name=name)
        for shape, kind, buffer, name in [
            (numbers(1, side, side, 3), kinds.FLOAT32, 0, builder.CreateString("pixels")),
            (numbers(2), kinds.INT32, 1, builder.CreateString("axes")),
            (numbers(1, 3), kinds.FLOAT32, 0, builder.CreateString("embedding")),
        ]
    ]
    mean = BuiltinOperator.MEAN
    codes = [table("OperatorCode", DeprecatedBuiltinCode=mean, BuiltinCode=mean, Version=1)]
    operator = table(
        "Operator", Inputs=numbers(0, 1), Outputs=numbers(2), OpcodeIndex=0,
        BuiltinOptionsType=BuiltinOptions.ReducerOptions,
        BuiltinOptions=table("ReducerOptions", KeepDims=False),
    )  # fmt: skip
    graph = table("SubGraph", Tensors=offsets(tensors), Inputs=numbers(0), Outputs=numbers(2), Operators=offsets([operator]))
    root = table("Model", Version=3, OperatorCodes=offsets(codes), Subgraphs=offsets([graph]), Buffers=offsets(buffers))
    builder.Finish(root, b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
