"""Recipe: a model's folder → what its small files say about it. Reads JSON; loads no weights, runs nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WEIGHTS = "model.safetensors"
ONNX = "onnx/model.onnx"
GRAPHS = ("bert", "roberta", "xlm-roberta", "camembert")  # `model_type`s that bert.py builds
POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens", "lasttoken")
_OLD_POOLINGS = {  # in the order in which several are joined
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
ELSEWHERE = "run it with the package that does: pip install 'cosimo[st]'"
_ROLES = {"query": ("query",), "document": ("document", "passage", "corpus")}  # the names that prompts go by


class Elsewhere(ConfigError):
    """Not a model for our runtime; `adapter` (sentence-transformers, unless it is known better) may run it."""

    adapter = "st"


class StaticModel(Elsewhere):
    """A table of token vectors."""

    adapter = "static"


class Towers(Elsewhere):
    """Model files of pictures and texts."""

    adapter = "openvino"


@dataclass(frozen=True, slots=True)
class Dense:
    """A layer after pooling: `folder` holds its weights."""

    folder: Path
    activation: str
    out: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a vector, apart from the weights and the vocabulary."""

    folder: Path
    weights: Path  # the safetensors file, or the ONNX file
    config: Mapping[str, Any]
    max_tokens: int
    pooling: tuple[str, ...]
    dense: tuple[Dense, ...] = ()
    normalized: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    lower: bool = False

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.dense[-1].out if self.dense else int(self.config["hidden_size"]) * len(self.pooling)


def read(folder: Path) -> Recipe:
    """What the folder says.

    Raises
    ------
    ModelNotFound : a file is missing
    ConfigError : a file is damaged, or asks for what only sentence-transformers can do
    """
    from .tower_files import is_model

    if is_model(folder):
        raise Towers(f"{folder} is a model of pictures; write openvino: before its name")
    config = read_json(folder / "config.json")
    if config.get("model_type") == "model2vec":
        raise StaticModel(f"{folder} is a static model; write static: before its name")
    width, heads = config.get("hidden_size"), config.get("num_attention_heads", 1)
    if not isinstance(width, int):
        raise Elsewhere(f"{folder / 'config.json'} names no hidden_size: not a model of this kind; {ELSEWHERE}")
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise ConfigError(f"{folder / 'config.json'} divides {width} numbers among {heads} heads; fetch the model again")
    pooling, dense, normalized = modules(folder)
    body = read_json(folder / "sentence_bert_config.json", optional=True)
    return Recipe(
        folder=folder,
        weights=_weights(folder, config),
        config=config,
        max_tokens=_window(folder, config, body),
        pooling=pooling,
        dense=dense,
        normalized=normalized,
        prompts=prompts(folder),
        lower=bool(body.get("do_lower_case")),
    )


def read_json(path: Path, *, optional: bool = False) -> dict[str, Any]:
    """A file that holds an object; an empty one where it is `optional` and missing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        if optional:
            return {}
        raise ModelNotFound(f"{path.parent} holds no model: {path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}; fetch the model again") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not what a model's folder holds: expected an object")
    return found


def _weights(folder: Path, config: Mapping[str, Any]) -> Path:
    """The file to run: our own graph where we know the architecture, the ONNX graph where there is one."""
    kind = config.get("model_type", "bert")
    ours, onnx = folder / WEIGHTS, folder / ONNX
    if kind in GRAPHS and config.get("position_embedding_type", "absolute") == "absolute" and ours.is_file():
        return ours
    if onnx.is_file():
        return onnx
    if kind in GRAPHS and not ours.is_file():
        raise ModelNotFound(f"{folder} holds neither {WEIGHTS} nor {ONNX}; {ELSEWHERE}")
    raise Elsewhere(f"{folder.name} is of the kind '{kind}', which cosimo does not run itself; {ELSEWHERE}")


def _window(folder: Path, config: Mapping[str, Any], body: Mapping[str, Any]) -> int:
    """Tokens the model reads, special ones included: never more than it has positions for."""
    rows = int(config.get("max_position_embeddings", 512))
    if config.get("model_type") in GRAPHS[1:]:
        rows -= int(config.get("pad_token_id", 1)) + 1
    asked = body.get("max_seq_length")
    if asked is None:
        asked = read_json(folder / "tokenizer_config.json", optional=True).get("model_max_length", rows)
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked >= 1:
        raise ConfigError(f"{folder} asks for a window of {asked!r} tokens; write a number of at least 3 as max_seq_length")
    return min(rows, int(min(asked, 1e9)))  # tokenizers write 1e30 for "no limit"


def modules(folder: Path) -> tuple[tuple[str, ...], tuple[Dense, ...], bool]:
    """(pooling, dense layers, normalised?) of `modules.json`; without one the mean, as sentence-transformers does."""
    path = folder / "modules.json"
    if not path.is_file():
        return ("mean",), (), False
    try:
        layers = [
            (str(row["type"]).rpartition(".")[2], folder / str(row["path"])) for row in json.loads(path.read_text("utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    pooling: tuple[str, ...] = ()
    dense = []
    for place, (kind, where) in enumerate(layers):
        if kind == "Pooling":
            pooling = _pooling(where)
        elif kind == "Dense":
            dense.append(_dense(where))
        elif (kind, place) != ("Transformer", 0) and (kind, place) != ("Normalize", len(layers) - 1):
            raise Elsewhere(f"{folder.name} has a layer '{kind}' at place {place}, which cosimo does not run; {ELSEWHERE}")
    if not pooling:
        raise Elsewhere(f"{path} names no pooling, so this model gives no sentence vectors; {ELSEWHERE}")
    return pooling, tuple(dense), layers[-1][0] == "Normalize"


def _pooling(where: Path) -> tuple[str, ...]:
    config = read_json(where / "config.json")
    named = config.get("pooling_mode")  # since sentence-transformers 5: a name or names; before: a row of booleans
    if named is None:
        named = [
            _OLD_POOLINGS.get(key, key)
            for key in sorted(config, key=_old_order)
            if key.startswith("pooling_mode_") and config[key]
        ]
    chosen = (named,) if isinstance(named, str) else tuple(named)
    for name in chosen:
        if name not in POOLINGS:
            raise Elsewhere(f"{where.parent.name} pools by '{name}', which cosimo does not do; {ELSEWHERE}")
    if config.get("include_prompt", True) is False:
        raise Elsewhere(f"{where.parent.name} leaves the prompt out when pooling, which cosimo does not do; {ELSEWHERE}")
    return chosen or ("mean",)


def _old_order(key: str) -> int:
    return list(_OLD_POOLINGS).index(key) if key in _OLD_POOLINGS else len(_OLD_POOLINGS)


def _dense(where: Path) -> Dense:
    config = read_json(where / "config.json")
    activation = str(config.get("activation_function", "Identity")).rpartition(".")[2]
    if activation not in ("Identity", "Tanh", "ReLU", "GELU") or not (where / WEIGHTS).is_file():
        raise Elsewhere(f"{where} is a dense layer that cosimo cannot run ({activation}); {ELSEWHERE}")
    return Dense(where, activation, int(config["out_features"]))


def prompts(folder: Path) -> dict[str, str]:
    """The text before a query and before a document, where the model has one."""
    config = read_json(folder / "config_sentence_transformers.json", optional=True)
    named = config.get("prompts") or {}
    if not isinstance(named, dict) or not all(isinstance(text, str) for text in named.values()):
        raise ConfigError(
            f"{folder / 'config_sentence_transformers.json'} has prompts that are not text; fetch the model again"
        )
    fallback = named.get(config.get("default_prompt_name") or "", "")
    found = {role: next((named[name] for name in names if name in named), fallback) for role, names in _ROLES.items()}
    return {role: text for role, text in found.items() if text}
