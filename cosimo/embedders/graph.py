"""Graph: a recipe → the whole OpenVINO model, from ids and lengths to one vector a text. Compiles and runs nothing.

Two inputs, `ids` (batch, n) int32 and `lengths` (batch,) int32: the mask is made inside, so that it is not carried in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigError
from . import bert, safetensors
from .recipe import ELSEWHERE, WEIGHTS

if TYPE_CHECKING:
    from .recipe import Dense, Recipe


def build(recipe: Recipe, *, int8: bool = False) -> Any:
    """The model as `openvino.Model` with one output, (batch, dim) float32.

    Raises
    ------
    ConfigError : the weights are damaged, or do not fit the folder's other files
    """
    import openvino as ov
    from openvino import opset13 as op

    ids = op.parameter([-1, -1], np.int32, name="ids")
    lengths = op.parameter([-1], np.int32, name="lengths")
    mask = _mask(op, ids, lengths)
    if recipe.weights.name == WEIGHTS:
        tokens = bert.Bert(recipe.config, safetensors.read(recipe.weights), int8=int8).tokens(ids, mask)
    else:
        tokens = _onnx(recipe, ids, mask)
    pooled = [_pool(op, kind, tokens, mask, lengths) for kind in recipe.pooling]
    vectors = pooled[0] if len(pooled) == 1 else op.concat(pooled, 1)
    for layer in recipe.dense:
        vectors = _dense(op, vectors, layer)
    if recipe.normalized:
        vectors = op.normalize_l2(vectors, op.constant(np.array([1])), 1e-12, "max")
    return ov.Model([op.result(vectors)], [ids, lengths], "embedder")


def _mask(op: Any, ids: Any, lengths: Any) -> Any:
    """1.0 where a text has a token and 0.0 behind its end, (batch, n)."""
    zero, one = op.constant(np.int32(0)), op.constant(np.int32(1))
    count = op.gather(op.shape_of(ids, "i32"), one, zero)
    places = op.unsqueeze(op.range(zero, count, one, "i32"), zero)  # (1, n)
    return op.convert(op.less(places, op.unsqueeze(lengths, one)), "f32")


def _pool(op: Any, kind: str, tokens: Any, mask: Any, lengths: Any) -> Any:
    """(batch, n, width) -> (batch, width), under the names that sentence-transformers gives."""
    one = op.constant(np.array([1]))
    if kind == "cls":
        return op.gather(tokens, op.constant(np.int32(0)), op.constant(np.int32(1)))
    if kind == "lasttoken":
        last = op.unsqueeze(op.subtract(lengths, op.constant(np.int32(1))), op.constant(np.int32(1)))
        return op.squeeze(op.gather(tokens, last, op.constant(np.int32(1)), 1), one)
    if kind == "max":
        behind = op.multiply(op.subtract(mask, op.constant(np.float32(1))), op.constant(np.float32(1e30)))
        return op.reduce_max(op.add(tokens, op.unsqueeze(behind, op.constant(np.int32(2)))), one)
    # not a matrix product, which would draw the whole residual stream into bf16: lowest cosine 0.99993 instead of 0.99997
    total = op.reduce_sum(op.multiply(tokens, op.unsqueeze(mask, op.constant(np.int32(2)))), one)
    count = op.reduce_sum(mask, one, True)
    return op.divide(total, op.sqrt(count) if kind == "mean_sqrt_len_tokens" else count)


def _dense(op: Any, vectors: Any, layer: Dense) -> Any:
    arrays = safetensors.read(layer.folder / WEIGHTS)
    out = op.matmul(vectors, op.constant(arrays["linear.weight"].astype(np.float32)), False, True)
    if "linear.bias" in arrays:
        out = op.add(out, op.constant(arrays["linear.bias"].astype(np.float32)))
    after = {"Identity": lambda x: x, "Tanh": op.tanh, "ReLU": op.relu, "GELU": lambda x: op.gelu(x, "erf")}
    return after[layer.activation](out)


def _onnx(recipe: Recipe, ids: Any, mask: Any) -> Any:
    """Token vectors of an exported graph, with its inputs replaced by ours."""
    import openvino as ov
    from openvino import opset13 as op

    try:
        model = ov.Core().read_model(str(recipe.weights))
    except RuntimeError as error:
        raise ConfigError(f"{recipe.weights} is not a graph that OpenVINO reads; {ELSEWHERE}") from error
    sources = {"input_ids": ids, "attention_mask": mask}
    for given in model.get_parameters():
        name = given.get_friendly_name()
        if name in sources:
            value = op.convert(sources[name], given.get_element_type().to_string())
        elif name == "token_type_ids":
            zero = op.constant(np.int32(0))
            value = op.convert(op.broadcast(zero, op.shape_of(ids)), given.get_element_type().to_string())
        else:
            raise ConfigError(f"{recipe.weights} wants the input '{name}', which is not known here; {ELSEWHERE}")
        given.output(0).replace(value.output(0))
    for result in model.get_results():
        source = result.input_value(0)
        if source.get_partial_shape().rank.get_length() == 3:
            return source
    raise ConfigError(f"{recipe.weights} gives no vectors of single tokens to pool; {ELSEWHERE}")
