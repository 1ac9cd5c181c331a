"""Tower files: the name of a TOML, of a model file or of a folder → what a model's TOML says. Reads small files; no weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import ConfigError, ModelNotFound
from . import recipe
from .towers import expanded, is_there

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDINGS = (".onnx", ".xml", ".tflite")
TOML = "model.toml"
PICTURES, TEXTS, WHOLE = "vision_model.onnx", "text_model.onnx", "model.onnx"
SETTINGS = "preprocessor_config.json"
_SUBFOLDER = "onnx"
_FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which such files hold
HOW = "write a TOML of the same name beside it, with a table [image], [text] or [audio]"


class Described(NamedTuple):
    """A model as its TOML has it, whether there is one or a folder said the same in other files."""

    path: Path  # the TOML, or what stands for it: files are named from beside it
    values: Mapping[str, Any]
    file: str  # the model file where a table names none


def described(name: str) -> Described:
    """What a TOML, a model file with a TOML beside it, or a folder says.

    Raises
    ------
    ModelNotFound : nothing there
    ConfigError : not a model, or a TOML that cannot be read
    """
    path = expanded(name).absolute()
    if name.strip() and is_there(path, Path.is_dir):
        return _folder(path)
    if not is_there(path):
        raise ModelNotFound(f"there is no model at {path}; name a TOML, a model file with a TOML beside it, or a folder")
    if path.suffix.lower() in ENDINGS:
        beside = path.with_suffix(".toml")
        if not beside.is_file():
            raise ConfigError(f"nothing says what {path} reads: {HOW}")
        return Described(beside, _toml(beside), path.name)
    if path.suffix.lower() != ".toml":
        raise ConfigError(f"{path} is no TOML and none of {', '.join(ENDINGS)}; name one of those, or a folder")
    return Described(path, _toml(path), _same_name(path))


def is_model(folder: Path) -> bool:
    """True for a folder that holds such a model."""
    told = any((folder / name).is_file() for name in (SETTINGS, PICTURES))  # many a model of texts has a model.onnx
    return (folder / TOML).is_file() or (told and bool(_towers(folder)))


def _folder(folder: Path) -> Described:
    if (folder / TOML).is_file():
        return Described(folder / TOML, _toml(folder / TOML), _same_name(folder / TOML))
    found, place = _towers(folder), folder / SETTINGS
    if not found:
        raise ConfigError(f"{folder} holds neither {TOML} nor {PICTURES} and {TEXTS}, as Optimum exports a model of both")
    values: dict[str, Any] = {"image": found["image"] | _pictures(recipe.read_json(place), place)}
    if "text" in found:
        values["text"] = found["text"] | _texts(folder)
    return Described(place, values, "")


def _towers(folder: Path) -> dict[str, dict[str, str]]:
    """Where a folder has its towers: in two files, in one with two outputs, or in one of pictures alone; empty: nowhere."""
    for at in ("", f"{_SUBFOLDER}/"):
        if all((folder / f"{at}{name}").is_file() for name in (PICTURES, TEXTS)):
            return {"image": {"file": f"{at}{PICTURES}"}, "text": {"file": f"{at}{TEXTS}"}}
        if (folder / f"{at}{WHOLE}").is_file():
            both = (folder / "tokenizer.json").is_file()
            return {
                name: {"file": f"{at}{WHOLE}"} | ({"output": f"{name}_embeds"} if both else {})
                for name in (("image", "text") if both else ("image",))
            }
    return {}


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors write a mark before it
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def _same_name(path: Path) -> str:
    return next((found.name for ending in ENDINGS if (found := path.with_suffix(ending)).is_file()), f"{path.stem}.onnx")


def _pictures(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """`preprocessor_config.json` as a table `[image]`.

    Raises
    ------
    ConfigError : it asks for what is not done here
    """
    cut = given.get("do_center_crop", "crop_size" in given)
    size = given.get("size", 224)
    shorter = size.get("shortest_edge") if isinstance(size, dict) else size if cut else None
    try:
        found: dict[str, Any] = {"size": shorter or _sides(size), "resize": "shortest" if shorter else "squash"}
        if cut:
            found["crop"] = _sides(given.get("crop_size", size))
        found["resample"] = _FILTERS[given.get("resample", 3)]
        if given.get("do_normalize", True):
            found |= {key: given[f"image_{key}"] for key in ("mean", "std")}
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} asks for sizes, colors or a filter that are not known here ({error}); write a {TOML} instead"
        ) from error
    factor = given.get("rescale_factor", 1 / 255) if given.get("do_rescale", True) else 1
    if not given.get("do_resize", True) or not isinstance(factor, int | float) or abs(255 * factor - 1) > 0.01:
        raise ConfigError(f"{path} wants pictures as they are, or colors that are not from 0 to 1; write a {TOML} instead")
    return found


def _sides(size: Any) -> Any:
    return [size["height"], size["width"]] if isinstance(size, dict) else size


def _texts(folder: Path) -> dict[str, Any]:
    """The table `[text]` of a folder; SigLIP was trained on texts padded to the whole window."""
    config = recipe.read_json(folder / "config.json", optional=True)
    inner = config.get("text_config")
    inner = inner if isinstance(inner, dict) else {}
    window = inner.get("max_position_embeddings", 64 if "siglip" in str(config.get("model_type")) else 77)
    siglip = {"padded": True, "pad": inner.get("pad_token_id", 1)} if "siglip" in str(config.get("model_type")) else {}
    return {"max_tokens": window, **siglip}
