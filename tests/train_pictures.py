"""A small model of photographs, learned from folders of them: an ONNX file and the TOML that `openvino:` reads with it.

No neural network: where edges point in each part of a picture (as in Dalal and Triggs 2005, "Histograms of oriented
gradients"), its colors on a coarse grid, and of both the directions that tell the classes apart (Fisher's linear discriminants,
shrunk since there are more numbers than pictures). Learned in seconds.

    python tests/train_pictures.py PHOTOGRAPHS FOLDER        # PHOTOGRAPHS holds a folder for each class
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SIDE = 80  # pixels
ANGLES, SHARP = 9, 4.0  # directions of edges, and how sharply one is told from the next
CELLS = ((8, 1.0), (16, 1.5))  # pixels of a part, and how much it counts
SHRINK = 0.85  # of 0.7 to 0.97 the best on a third of the photographs that were learned from, not of those held out
NAME = "clothing"


def photographs(folder: Path) -> dict[Path, str]:
    """The pictures of a folder of folders, and their classes."""
    return {path: path.parent.name for path in sorted(folder.glob("*/*.jpg"))}


def held_out(path: Path) -> bool:
    """True for a third of the pictures, always the same."""
    return hashlib.sha256(path.name.encode()).digest()[0] % 3 == 0


def train(pictures: Mapping[Path, str], folder: Path) -> Path:
    """Learn from pictures and their classes; write `clothing.onnx` and `clothing.toml` into a folder.

    Returns
    -------
    The TOML: `openvino:` and its path is the model's name.
    """
    from cosimo.embedders.openvino import OpenVINOEmbedder

    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(set(pictures.values()))
    contents = [path.read_bytes() for path in pictures]
    contents += [_mirrored(content) for content in contents]
    classes = np.array([names.index(label) for label in pictures.values()] * 2)
    toml = _written(folder, "features", None, normalize=False)
    vectors = OpenVINOEmbedder(str(toml), precision="float32").embed(contents).vectors
    for name in ("features.onnx", "features.toml"):
        (folder / name).unlink()
    return _written(folder, NAME, _discriminants(vectors, classes, len(names)), normalize=True)


def _mirrored(content: bytes) -> bytes:
    from PIL import Image, ImageOps

    out = io.BytesIO()
    ImageOps.mirror(Image.open(io.BytesIO(content)).convert("RGB").resize((2 * SIDE, 2 * SIDE))).save(out, "BMP")
    return out.getvalue()


def _discriminants(vectors: Array, classes: NDArray[np.int64], count: int) -> tuple[Array, Array]:
    """(dim, count - 1) directions that tell classes apart, and what they give for the mean of all, which becomes zero."""
    middle = vectors.mean(axis=0)
    means = np.stack([vectors[classes == number].mean(axis=0) for number in range(count)])
    rest = vectors - means[classes]
    within = (rest.T @ rest / len(rest)).astype(np.float64)
    within = (1 - SHRINK) * within + SHRINK * np.trace(within) / len(within) * np.eye(len(within))
    white = np.linalg.cholesky(np.linalg.inv(within))
    between = white.T @ (means - middle).T * np.sqrt(np.bincount(classes) / len(classes))
    turned = white @ np.linalg.svd(between, full_matrices=False)[0][:, : count - 1]
    return turned.astype(np.float32), (-middle @ turned).astype(np.float32)


def _written(folder: Path, name: str, linear: tuple[Array, Array] | None, *, normalize: bool) -> Path:
    import onnx

    onnx.save(_graph(linear), str(folder / f"{name}.onnx"))
    toml = folder / f"{name}.toml"
    toml.write_text(
        f'normalize = {str(normalize).lower()}\n\n[image]\nfile = "{name}.onnx"\nsize = {SIDE}\nresize = "squash"\n',
        encoding="utf-8",
    )
    return toml


def _graph(linear: tuple[Array, Array] | None) -> Any:
    """Pixels (n, 3, SIDE, SIDE) from 0 to 1 → features, or what the directions make of them."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    held: list[Any] = []

    def constant(name: str, values: Any, kind: Any = np.float32) -> str:
        held.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    def node(kind: str, out: str, *inputs: str, **how: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [out], **how))
        return out

    padded = node("Pad", "padded", "pixels", constant("margin", [0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="edge")
    slopes = node("Conv", "slopes", padded, constant("across and down", _slopes(np.array([0, np.pi / 2]))))
    strength = node("Add", "steep", node("ReduceSumSquare", "squares", slopes, axes=[1]), constant("least", 1e-5))
    turned = node("Conv", "turned", padded, constant("directions", _slopes(np.arange(ANGLES) * np.pi / ANGLES)))
    share = node("Div", "share", node("Mul", "turned squared", turned, turned), strength)
    edges = node("Mul", "edges", node("Pow", "sharp", share, constant("how sharp", SHARP)), node("Sqrt", "root", strength))
    parts = []
    for cell, weight in CELLS:
        mean = node("AveragePool", f"mean {cell}", edges, kernel_shape=[cell, cell], strides=[cell, cell])
        size = node("ReduceSumSquare", f"square {cell}", mean, axes=[1])
        size = node("Sqrt", f"size {cell}", node("Add", f"some {cell}", size, constant(f"little {cell}", 5e-4)))
        even = node("Sqrt", f"even {cell}", node("Div", f"of one {cell}", mean, size))
        parts.append(node("Flatten", f"part {cell}", node("Mul", f"weighed {cell}", even, constant(f"weight {cell}", weight))))
    colors = node("AveragePool", "colors", "pixels", kernel_shape=[8, 8], strides=[8, 8])
    features = node("Concat", "features", *parts, node("Flatten", "flat colors", colors), axis=1)
    dim = sum(ANGLES * (SIDE // cell) ** 2 for cell, _ in CELLS) + 3 * (SIDE // 8) ** 2
    if linear is not None:
        product = node("MatMul", "product", features, constant("turn", linear[0]))
        features, dim = node("Add", "embedding", product, constant("shift", linear[1])), len(linear[1])
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    out = helper.make_tensor_value_info(features, TensorProto.FLOAT, ["batch", dim])
    graph = helper.make_graph(nodes, "photographs", [pixels], [out], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)


def _slopes(angles: NDArray[np.float64]) -> Array:
    """(angles, 3, 3, 3) kernels: how much brighter it gets in each direction, over all colors."""
    kernels = np.zeros((len(angles), 3, 3, 3), np.float32)
    for at, angle in enumerate(angles):
        kernels[at, :, 1, 2], kernels[at, :, 1, 0] = np.cos(angle) / 3, -np.cos(angle) / 3
        kernels[at, :, 2, 1], kernels[at, :, 0, 1] = np.sin(angle) / 3, -np.sin(angle) / 3
    return kernels


if __name__ == "__main__":
    everything = photographs(Path(sys.argv[1]))
    print(train({path: label for path, label in everything.items() if not held_out(path)}, Path(sys.argv[2])))
