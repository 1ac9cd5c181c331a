"""CLAP: sound and text in one space, through transformers and torch: `clap:laion/clap-htsat-unfused`, `clap:FOLDER`.

Its own feature extractor makes the spectrograms. Two things that it leaves to chance are settled here: a sound is never longer
than the window, of which it would take any part, and none counts as long, which it would have one of each batch do.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.errors import ConfigError, DataError, ModelNotFound
from ..core.registry import canonical, load
from ..core.sound import samples
from . import weights
from .adapted import Adapted, Facts, whole
from .sentence_transformers import folder_of, kept, loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, ModelSpec, Role, Vectors

BATCH = 8  # sounds or texts computed together
KIND = "clap"  # what config.json says of such a model


class ClapEmbedder(Adapted):
    """A CLAP model run by transformers.

    Parameters
    ----------
    name : a hub id, or a folder

    Raises
    ------
    MissingExtra : the packages are not installed
    ModelNotFound : no such model, or no network to fetch it
    ConfigError : a model of another kind, or that cannot be loaded
    """

    modalities = ("text", "audio")

    def __init__(self, name: str) -> None:
        if not name:  # which would be the present folder
            raise ModelNotFound(
                "clap: is not followed by a model; write a hub id or a folder, as in clap:laion/clap-htsat-unfused"
            )
        load("torch:Tensor")
        named = Path(name).expanduser()
        given = str(named.absolute()) if named.is_dir() else kept(name)
        options = {"local_files_only": config.offline()}
        own = {**options, "trust_remote_code": False}  # left out, a person would be asked at the keyboard
        with loading("clap", name):
            if (kind := load("transformers:AutoConfig").from_pretrained(given, **own).model_type) != KIND:
                raise ConfigError(f"{name} is a model of the kind {kind}, not {KIND}; try st:{name}")
            self._model = load("transformers:ClapModel").from_pretrained(given, **options).eval()
            self._features = load("transformers:ClapFeatureExtractor").from_pretrained(given, **options)
            self._tokenizer = load("transformers:AutoTokenizer").from_pretrained(given, **own)
        self._folder = folder_of(given)
        settings = self._model.config
        # RoBERTa counts positions from the number of its padding on
        window = settings.text_config.max_position_embeddings - settings.text_config.pad_token_id - 1
        super().__init__(canonical(f"clap:{name}"), Facts(dim=settings.projection_dim, max_tokens=window, price=0.0))

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is; its revision is the SHA-256 of its weights."""
        from dataclasses import replace

        return replace(
            super().spec,
            revision=weights.revision(self._folder),
            seconds=float(self._features.nb_max_samples / self._features.sampling_rate),
            logit_scale=float(self._model.logit_scale_a.detach().exp()),
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut, special tokens included."""
        return (
            [len(ids) for ids in self._tokenizer([whole(text) for text in texts], verbose=False)["input_ids"]] if texts else []
        )

    def _ask(self, contents: Sequence[Content], role: Role) -> tuple[Vectors, int]:
        import numpy as np

        sounds = [place for place, content in enumerate(contents) if isinstance(content, bytes)]
        texts = [place for place, content in enumerate(contents) if isinstance(content, str)]
        vectors = np.empty((len(contents), self._model.config.projection_dim), np.float32)
        with load("torch:inference_mode")():
            for some in _batches(sounds):
                vectors[some] = self._heard([contents[place] for place in some], some)
            for some in _batches(texts):
                vectors[some] = self._read([str(contents[place]) for place in some])
        return vectors, sum(self.count_tokens([str(contents[place]) for place in texts]))

    def _heard(self, contents: Sequence[Content], places: Sequence[int]) -> Any:
        rate, seconds = self._features.sampling_rate, self.spec.seconds
        waves = []
        for content, place in zip(contents, places, strict=True):
            assert isinstance(content, bytes)
            try:
                waves.append(samples(content, rate=rate, seconds=seconds))
            except DataError as error:
                raise DataError(f"content {place}: {error}") from error
        found = self._features(waves, sampling_rate=rate, return_tensors="pt")
        found["is_longer"] = load("torch:zeros_like")(found["is_longer"])
        return _vectors(self._model.get_audio_features(**found))

    def _read(self, texts: Sequence[str]) -> Any:
        window = self._facts.max_tokens
        found = self._tokenizer(list(texts), padding=True, truncation=True, max_length=window, return_tensors="pt")
        return _vectors(self._model.get_text_features(**{key: found[key] for key in ("input_ids", "attention_mask")}))


def _batches(places: Sequence[int]) -> list[list[int]]:
    return [list(places[start : start + BATCH]) for start in range(0, len(places), BATCH)]


def _vectors(found: Any) -> Any:
    """The vectors themselves, which transformers gives among others since version 5."""
    return getattr(found, "pooler_output", found).float().numpy()
