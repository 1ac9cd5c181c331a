"""openvino: any model of pictures, sounds or texts that is a file: ONNX, TFLite or OpenVINO's own, with a small TOML beside it.

`openvino:PATH` names the TOML, the model file, or a folder with `model.toml` or as Hugging Face's Optimum exports CLIP. One
model has one tower or several, which share a space: what the tables `[image]`, `[text]` and `[audio]` of the TOML describe.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.content import modality_of
from ..core.errors import BadReply, ConfigError, DataError
from ..core.registry import canonical, load
from ..core.types import Embedded, ModelSpec
from . import catalog, tower_files, weights
from .adapted import readable
from .towers import Table, Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Role
    from .towers import Tower

TOWERS = {  # table of the TOML → class
    "image": "cosimo.embedders.picture_tower:PictureTower",
    "text": "cosimo.embedders.text_tower:TextTower",
    "audio": "cosimo.embedders.sound_tower:SoundTower",
}
PRECISIONS = ("auto", "float32", "bf16")
KEPT_OUT = ("name", "logit_scale")  # of the revision: they change no vector
FILES = ("file", "tokenizer")  # their bytes are part of the revision, their names are not


class OpenVINOEmbedder:
    """Model files run by OpenVINO, on all processors.

    Parameters
    ----------
    name : path of a TOML, of a model file with a TOML of the same name beside it, or of a folder
    precision : float32, bf16, or auto: bf16 where the processor has it
    threads : processors to use; None for all

    Raises
    ------
    ModelNotFound : nothing there
    ConfigError : a TOML that is wrong or does not fit its files; the message names file and key
    """

    def __init__(self, name: str, *, precision: str | None = None, threads: int | None = None) -> None:
        if precision not in (None, *PRECISIONS):
            raise ConfigError(f"openvino: models are not computed in {precision}; choose one of {', '.join(PRECISIONS)}")
        usual = config.precision()
        how = precision or (usual if usual in PRECISIONS else "auto")  # int8 is another runtime's
        self._path, self._values, default = tower_files.described(name)
        self._name = canonical(f"openvino:{name}")
        top = Table(self._path, "", self._values)
        self._known = catalog.entry(called) if (called := top.text("name")) else None
        self._normalize = top.flag("normalize", True)
        self._scale = top.number("logit_scale")
        self._towers = self._built(top, default, how, threads)

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its name has the whole path; its revision is a SHA-256 of its files and of what the TOML says."""
        text, sound = self._towers.get("text"), self._towers.get("audio")
        return ModelSpec(
            name=self._name,
            dim=next(iter(self._towers.values())).dim,
            revision=self._revision(),
            max_tokens=getattr(text, "max_tokens", None),
            normalized=self._normalize,
            modalities=tuple(self._towers),
            languages=self._known.languages if self._known else (),
            price=0.0,
            seconds=getattr(sound, "seconds", None),
            logit_scale=self._scale,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim) float32 in the order asked; the same content twice is computed once.

        Raises
        ------
        DataError : content that the model does not read, or that cannot be decoded; the message has its position
        BadReply : NaN or infinity instead of a vector
        """
        import numpy as np

        from ..core.vectors import normalise

        given = readable(contents, self._name, self.spec.modalities)
        order = {content: number for number, content in enumerate(dict.fromkeys(given))}
        vectors = np.empty((len(order), self.spec.dim), np.float32)
        for modality, tower in self._towers.items():
            mine = [content for content in order if modality_of(content) == modality]
            if not mine:
                continue
            try:
                vectors[[order[content] for content in mine]] = tower.embed(mine)
            except Unread as error:
                raise DataError(f"content {given.index(mine[error.at])}: {error}") from error
        if not np.isfinite(vectors).all():
            raise BadReply(f"{self._name} gives NaN or infinity; compute it in float32, or look at the file and its TOML")
        if self._normalize:
            normalise(vectors)
        sizes = self.count_tokens([each for each in order if isinstance(each, str)])
        tokens = dict(zip((each for each in order if isinstance(each, str)), sizes, strict=True))
        window = self.spec.max_tokens or 0
        cut = [place for place, content in enumerate(given) if isinstance(content, str) and tokens[content] > window]
        return Embedded(vectors[[order[content] for content in given]], sum(min(size, window) for size in sizes), cut)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut, special tokens included; a model that reads no texts counts none."""
        count = getattr(self._towers.get("text"), "count_tokens", None)
        return count(texts) if count and texts else [0] * len(texts)

    def close(self) -> None:
        """Let go of the compiled models; the next content compiles them again."""
        for tower in self._towers.values():
            tower.close()

    def _built(self, top: Table, default: str, precision: str, threads: int | None) -> dict[str, Tower]:
        found: dict[str, Tower] = {}
        tables = {name: top.table(name) for name in TOWERS}
        top.done()
        for name, table in tables.items():
            if table is not None:
                found[name] = load(TOWERS[name])(table, default, precision=precision, threads=threads)
        if not found:
            raise ConfigError(f"{self._path} describes nothing; write a table {' or '.join(f'[{name}]' for name in TOWERS)}")
        dims = {name: tower.dim for name, tower in found.items()}
        if len(set(dims.values())) > 1:
            said = ", ".join(f"[{name}] {dim}" for name, dim in dims.items())
            raise ConfigError(
                f"{self._path}: towers of one model give vectors of one length, and these give {said}; name their outputs"
            )
        return found

    def _revision(self) -> str:
        files = [weights.remembered(file) for tower in self._towers.values() for file in tower.files]
        said = {
            key: {name: each for name, each in value.items() if name not in FILES} if isinstance(value, dict) else value
            for key, value in self._values.items()
            if key not in KEPT_OUT
        }
        told: Any = [files, said]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
