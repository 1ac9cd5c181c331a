"""Plain: the token ids of a few short texts → float32 vectors, in numpy alone. For more than a few, `engine` is faster.

The same model as bert.py and graph.py, which a test holds it to. It is here for the start of a process: importing OpenVINO
and loading a compiled model take 200 ms, and a query of ten tokens 15 ms. Texts are laid end to end: nothing is padded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import bert, safetensors
from .recipe import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.types import Vectors
    from .recipe import Dense, Recipe

    Floats = NDArray[np.float32]


class Plain:
    """One model, read where it lies on the disk.

    Raises
    ------
    ConfigError : weights that are damaged, or do not fit the folder's other files
    """

    def __init__(self, recipe: Recipe) -> None:
        bert.check(recipe.config)
        from threadpoolctl import ThreadpoolController

        self.recipe = recipe
        # OpenBLAS shares even a product of 0.2 ms among all cores and waits for the slowest: 12 ms on a busy machine
        self.alone = ThreadpoolController().select(user_api="blas")
        self.array = bert.named(safetensors.read(recipe.weights))
        self.positions = bert.positions(recipe.config, self.array)
        self.heads = int(recipe.config["num_attention_heads"])
        self.eps = np.float32(recipe.config.get("layer_norm_eps", 1e-12))

    def run(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """The vectors of some texts, (n, dim) float32."""
        ends = np.cumsum([len(text) for text in ids])
        spans = [slice(end - len(text), end) for end, text in zip(ends, ids, strict=True)]
        with self.alone.limit(limits=1):
            tokens = self._tokens(np.concatenate([np.asarray(text) for text in ids]), spans)
        vectors = np.stack([np.concatenate([_pool(kind, tokens[span]) for kind in self.recipe.pooling]) for span in spans])
        for layer in self.recipe.dense:
            vectors = _dense(vectors, layer)
        if self.recipe.normalized:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.ascontiguousarray(vectors, np.float32)

    def tokens(self, ids: Sequence[int]) -> Vectors:
        """The vectors of one text's tokens before they are pooled, (tokens, width) float32."""
        with self.alone.limit(limits=1):
            return np.ascontiguousarray(self._tokens(np.asarray(ids), [slice(0, len(ids))]), np.float32)

    def _tokens(self, ids: NDArray[Any], spans: list[slice]) -> Floats:
        """(tokens of all texts, width)"""
        places = np.concatenate([np.arange(span.stop - span.start) for span in spans])
        state: Floats = self.array("embeddings.word_embeddings.weight")[ids] + self.positions[places]
        state = self._norm(state, "embeddings.LayerNorm")
        for number in range(int(self.recipe.config["num_hidden_layers"])):
            name = f"encoder.layer.{number}."
            mixed = self._linear(self._attention(state, name + "attention.self.", spans), name + "attention.output.dense")
            state = self._norm(state + mixed, name + "attention.output.LayerNorm")
            hidden = _ACTIVATIONS[str(self.recipe.config.get("hidden_act", "gelu"))](
                self._linear(state, name + "intermediate.dense")
            )
            state = self._norm(state + self._linear(hidden, name + "output.dense"), name + "output.LayerNorm")
        return state

    def _linear(self, values: Floats, name: str) -> Floats:
        out: Floats = values @ self.array(name + ".weight").T + self.array(name + ".bias")
        return out

    def _norm(self, values: Floats, name: str) -> Floats:
        values = values - values.mean(axis=1, keepdims=True)
        length = np.sqrt(np.einsum("ij,ij->i", values, values)[:, None] / np.float32(values.shape[1]) + self.eps)
        out: Floats = values / length * self.array(name + ".weight") + self.array(name + ".bias")
        return out

    def _attention(self, state: Floats, name: str, spans: list[slice]) -> Floats:
        """softmax(q kᵀ / √size) v a head and text."""
        query, key, value = (
            self._linear(state, name + part).reshape(len(state), self.heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )  # (heads, tokens, size) each
        out = np.empty_like(query)
        for span in spans:
            scores = query[:, span] @ key[:, span].swapaxes(1, 2) * np.float32(query.shape[2] ** -0.5)
            scores = np.exp(scores - scores.max(axis=2, keepdims=True))
            out[:, span] = scores @ value[:, span] / scores.sum(axis=2, keepdims=True)
        return out.swapaxes(0, 1).reshape(len(state), -1)


def _pool(kind: str, tokens: Floats) -> Floats:
    """(n, width) -> (width,)"""
    out: Floats
    if kind in ("cls", "lasttoken"):
        out = tokens[0 if kind == "cls" else -1]
    elif kind == "max":
        out = tokens.max(axis=0)
    else:
        out = tokens.sum(axis=0) / np.float32(len(tokens) if kind == "mean" else len(tokens) ** 0.5)
    return out


def _dense(vectors: Floats, layer: Dense) -> Floats:
    arrays = safetensors.read(layer.folder / WEIGHTS)
    out: Floats = vectors @ arrays["linear.weight"].astype(np.float32).T
    if "linear.bias" in arrays:
        out = out + arrays["linear.bias"].astype(np.float32)
    if layer.activation == "Tanh":
        return np.tanh(out)
    return _relu(out) if layer.activation == "ReLU" else _gelu(out) if layer.activation == "GELU" else out


def _relu(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


def _silu(x: Floats) -> Floats:
    out: Floats = x / (1 + np.exp(-np.clip(x, -80, 80)))
    return out


def _gelu_tanh(x: Floats) -> Floats:
    out: Floats = x * np.float32(0.5) * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))
    return out


def _gelu(x: Floats) -> Floats:
    """x Φ(x). numpy has no erf: Abramowitz and Stegun 7.1.26, which is within 1.5e-7 of it."""
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    tail = np.float32(0.5) * series * np.exp(-z * z)  # 1 - Φ(|x|)
    out: Floats = x * np.where(x > 0, 1 - tail, tail)
    return out


_ACTIVATIONS = {
    "gelu": _gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": _relu,
    "silu": _silu,
    "swish": _silu,
}
