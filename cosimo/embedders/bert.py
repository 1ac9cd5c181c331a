"""Bert: weights by name → an OpenVINO graph from token ids to token vectors. Pooling is next door; nothing is run here.

BERT (https://arxiv.org/abs/1810.04805) and RoBERTa, which differ in where positions start counting: MiniLM, BGE, E5, GTE
and m3e are the former, XLM-RoBERTa and the multilingual models on it the latter.

The graph differs from the paper's in two places, both exact. The scale and shift of a layer norm are multiplied into
the weights that read it, which leaves one pass over the activations to the residual sum where there were two. The
1/sqrt(head) of attention is multiplied into the query's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigError
from .recipe import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[Any]]
    Array = Callable[[str], NDArray[np.float32]]

ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "relu": "", "silu": "", "swish": ""}
MASKED = np.float32(-10_000.0)  # exp() of it is 0 in float32 and bf16, and float16 holds it


class Bert:
    """Builds the graph of one model.

    Parameters
    ----------
    config : the model's config.json
    weights : arrays by name, with whatever prefix before `embeddings.` and `encoder.`
    int8 : keep the large matrices as 8-bit numbers with one scale a row
    """

    def __init__(self, config: Mapping[str, Any], weights: Weights, *, int8: bool = False) -> None:
        from openvino import opset13 as op

        check(config)
        self.op = op
        self.int8 = int8
        self.config = config
        self._array = named(weights)
        self.heads = int(config["num_attention_heads"])
        self.width = int(config["hidden_size"])
        self.eps = float(config.get("layer_norm_eps", 1e-12))

    def tokens(self, ids: Any, mask: Any) -> Any:
        """Vectors of every token, (batch, n, width), from ids (batch, n) and a mask (batch, n) of 1.0 and 0.0."""
        op = self.op
        ignored = op.multiply(op.subtract(mask, op.constant(np.float32(1))), op.constant(-MASKED))
        ignored = op.unsqueeze(ignored, op.constant(np.array([1, 2])))  # (batch, 1, 1, n)
        state = self._embedding(ids)
        for number in range(int(self.config["num_hidden_layers"])):
            state = self._layer(state, f"encoder.layer.{number}.", ignored)
        unit, scale, shift = state
        return op.add(op.multiply(unit, op.constant(scale)), op.constant(shift))

    def _embedding(self, ids: Any) -> Any:
        """Word + position + type, normalised. The last two are one table: the type is always 0."""
        op = self.op
        table = positions(self.config, self._array)
        length = op.gather(op.shape_of(ids, "i32"), op.constant(np.array([1], np.int32)), op.constant(np.int32(0)))
        zero, one = (op.constant(np.array([n], np.int32)) for n in (0, 1))
        places = op.slice(op.constant(table), zero, length, one, zero)  # (n, width)
        words = op.gather(self._constant(self._array("embeddings.word_embeddings.weight")), ids, op.constant(np.int32(0)))
        return self._norm(op.add(words, places), "embeddings.LayerNorm")

    def _constant(self, array: NDArray[Any]) -> Any:
        """A constant on the memory of the file, where its layout allows."""
        return self.op.constant(np.ascontiguousarray(array), shared_memory=True)

    def _norm(self, values: Any, name: str) -> Any:
        """(normalised values, scale, shift): the scale and shift are left to whoever reads them."""
        op = self.op
        unit = op.mvn(values, op.constant(np.array([-1])), True, self.eps, "inside_sqrt")
        return unit, self._array(name + ".weight"), self._array(name + ".bias")

    def _linear(self, values: Any, matrix: NDArray[Any], bias: NDArray[Any]) -> Any:
        op = self.op
        if self.int8:
            scale = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), 1e-12) / np.float32(127)
            small = op.convert(op.constant(np.rint(matrix / scale).astype(np.int8)), "f32")
            weight = op.multiply(small, op.constant(scale.astype(np.float32)))
        else:
            weight = self._constant(matrix)
        return op.add(op.matmul(values, weight, False, True), op.constant(bias))

    def _read(self, state: Any, name: str, by: float = 1.0) -> Any:
        """A linear layer on a normalised state, whose scale and shift go into the weights."""
        unit, scale, shift = state
        matrix, bias = self._array(name + ".weight"), self._array(name + ".bias")
        return self._linear(unit, matrix * (scale * np.float32(by)), (bias + matrix @ shift) * np.float32(by))

    def _add(self, state: Any, values: Any, name: str, norm: str) -> Any:
        """A linear layer on `values`, added to the state and normalised again."""
        op = self.op
        unit, scale, shift = state
        out = self._linear(values, self._array(name + ".weight"), self._array(name + ".bias") + shift)
        return self._norm(op.add(op.multiply(unit, op.constant(scale)), out), norm)

    def _layer(self, state: Any, name: str, ignored: Any) -> Any:
        state = self._add(
            state, self._attention(state, name + "attention.self.", ignored), name + "attention.output.dense",
            name + "attention.output.LayerNorm",
        )  # fmt: skip
        hidden = self._activation(self._read(state, name + "intermediate.dense"))
        return self._add(state, hidden, name + "output.dense", name + "output.LayerNorm")

    def _activation(self, values: Any) -> Any:
        kind = str(self.config.get("hidden_act", "gelu"))
        if kind.startswith("gelu"):
            return self.op.gelu(values, ACTIVATIONS[kind])
        return self.op.relu(values) if kind == "relu" else self.op.swish(values)

    def _attention(self, state: Any, name: str, ignored: Any) -> Any:
        """softmax(q kᵀ) v a head, (batch, n, width). Spelled out: the fused operator was slower (decision 0002)."""
        op = self.op
        size = self.width // self.heads
        query, key, value = (
            self._split(self._read(state, name + part, by))
            for part, by in (("query", size**-0.5), ("key", 1.0), ("value", 1.0))
        )
        scores = op.add(op.matmul(query, key, False, True), ignored)  # (batch, heads, n, n)
        mixed = op.transpose(op.matmul(op.softmax(scores, -1), value, False, False), op.constant(np.array([0, 2, 1, 3])))
        return op.reshape(mixed, op.constant(np.array([0, 0, self.width])), True)

    def _split(self, values: Any) -> Any:
        """(batch, n, width) -> (batch, heads, n, width / heads)."""
        op = self.op
        parts = op.reshape(values, op.constant(np.array([0, 0, self.heads, self.width // self.heads])), True)
        return op.transpose(parts, op.constant(np.array([0, 2, 1, 3])))


def check(config: Mapping[str, Any]) -> None:
    """Refuse a configuration that would be computed wrongly.

    Raises
    ------
    ConfigError : an activation that is not known here, or a number that is missing
    """
    for name in ("num_attention_heads", "num_hidden_layers", "hidden_size"):
        if not isinstance(config.get(name), int):
            raise ConfigError(f"config.json names no {name}: not a BERT model; {ELSEWHERE}")
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise ConfigError(f"the activation '{config['hidden_act']}' is not one that cosimo computes; {ELSEWHERE}")


def named(weights: Weights) -> Array:
    """A function from a name to its array in float32, whatever stands before the names: nothing, `bert.`, `roberta.`, …

    Raises
    ------
    ConfigError : now or when called, an array that is not there
    """
    key = "embeddings.word_embeddings.weight"
    prefix = next((name.removesuffix(key) for name in weights if name.endswith(key)), None)
    if prefix is None:
        raise ConfigError(f"the weights hold no {key}: not a BERT model; {ELSEWHERE}")

    def array(name: str) -> NDArray[np.float32]:
        try:
            return weights[prefix + name].astype(np.float32, copy=False)
        except KeyError as error:
            raise ConfigError(f"the weights hold no {name}: not the model that config.json describes") from error

    return array


def positions(config: Mapping[str, Any], array: Array) -> NDArray[np.float32]:
    """What is added to the words at each place, (places, width): positions and the type, which is always 0."""
    table = array("embeddings.position_embeddings.weight")
    if table.shape[1] != config["hidden_size"]:
        said = config["hidden_size"]
        raise ConfigError(f"config.json says {said} numbers a token, the weights hold {table.shape[1]}; fetch the model again")
    if config.get("type_vocab_size", 2):
        table = table + array("embeddings.token_type_embeddings.weight")[0]
    if config.get("model_type", "bert") != "bert":  # RoBERTa's first rows are for padding
        table = table[int(config.get("pad_token_id", 1)) + 1 :]
    return table
