"""sentence-transformers: any model of the hub, on a GPU where there is one: `st:Qwen/Qwen3-Embedding-0.6B`, `st:clip-ViT-B-32`.

For what our own runtime does not run: other architectures, pictures. What a model is (name, revision, prompts, pooling) is said
as `local.py` says it, so a collection may change from one runtime to the other.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.errors import ConfigError, DataError, ModelNotFound
from ..core.pictures import decoded
from ..core.registry import canonical, load
from ..core.types import Embedded, ModelSpec
from . import catalog, recipe, weights
from .adapted import readable, table, translated, whole
from .ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Content, Role, Vectors

PRECISIONS = {"float32": "float32", "bf16": "bfloat16", "float16": "float16"}  # ours → torch's
BATCH = 32  # texts, as sentence-transformers has it; or pictures, which are decoded for little more than one batch at a time
AHEAD = 8  # pictures that are decoded while a batch is computed
NARROW = 50  # of a picture so many times as long as wide and more, the middle is read: CLIP's own code enlarges all of it first
FINE = 1024  # a JPEG whose sides are twice this and more is decoded smaller: no model looks at half as many pixels


class SentenceTransformersEmbedder:
    """A model run by sentence-transformers and torch.

    Parameters
    ----------
    name : a hub id, a bare name of sentence-transformers' own, or a folder; a table `[st."NAME"]` of `providers.toml` may set
        `trust_remote_code = true`, without which no code of a model is run, and `device`
    precision : float32, bf16, float16, or auto: as the weights are stored

    Raises
    ------
    MissingExtra : the packages are not installed
    ModelNotFound : no such model, or no network to fetch it
    ConfigError : a model that cannot be loaded, or another precision
    """

    modalities: tuple[str, ...]

    def __init__(self, name: str, *, precision: str | None = None) -> None:
        if not name:  # which would be the present folder
            raise ModelNotFound(
                "st: is not followed by a model; write a hub id or a folder, as in st:sentence-transformers/gtr-t5-base"
            )
        if precision not in (None, "auto", *PRECISIONS):
            raise ConfigError(f"sentence-transformers does not compute in {precision}; choose one of {', '.join(PRECISIONS)}")
        chosen = precision or config.precision()  # int8, which the environment may ask for, is our own runtime's
        named = Path(name).expanduser()
        self._given = str(named.resolve()) if named.is_dir() else kept(name)
        self._chosen = PRECISIONS.get(chosen)
        self._model = _loaded(name, self._given, self._chosen)
        self._name = self._given if named.is_dir() else canonical(name)
        known = catalog.entry(self._name)
        self._partner = known.pictures if known else ""
        found = ("text", "image") if self._partner else _modalities(self._model)
        self.modalities = tuple(each for each in ("text", "image") if each in found) or ("text",)

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its revision is the SHA-256 of its weights, as our own runtime has it."""
        folder = folder_of(self._given)
        revision = weights.revision(folder)
        known = catalog.of_model(self._name, revision)
        prompts = recipe.prompts(folder) or (dict(known.prompts) if known else {})
        return ModelSpec(
            name=known.name if known else self._name,
            dim=self._dim,
            revision=revision,
            max_tokens=self._window,
            prompts=prompts,
            pooling=_pooling(folder),
            normalized=type(self._model[-1]).__name__ == "Normalize",
            modalities=self.modalities,
            languages=known.languages if known else (),
            price=0.0,
            logit_scale=_scale(self._model),
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim) float32 in the order asked; text as `str`, pictures as the bytes of a file (PNG, JPEG, …).

        Raises
        ------
        DataError : content that the model does not read
        """
        import numpy as np

        given = readable(contents, self._name, self.modalities)
        order = list(dict.fromkeys(given))
        images = [place for place, content in enumerate(order) if isinstance(content, bytes)]
        texts = [place for place, content in enumerate(order) if isinstance(content, str)]
        vectors = np.empty((len(order), self.spec.dim), np.float32)
        prompt = self.spec.prompts.get(role, "")
        plain = [str(order[place]).removeprefix(prompt) for place in texts]
        if texts:
            vectors[texts] = self._encoded(plain, role, prompt)
        pictures = ahead(lambda place: _picture(order[place], given), images, AHEAD)
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH]
            vectors[some] = self._encoded(list(islice(pictures, len(some))), role, "", self._pictures)
        sizes = dict(zip(texts, self.count_tokens([prompt + text for text in plain]), strict=True))
        window = self._window or max(sizes.values(), default=0)
        place = {content: number for number, content in enumerate(order)}
        rows = np.fromiter((place[content] for content in given), np.int64, len(given))
        cut = [position for position, row in enumerate(rows) if sizes.get(int(row), 0) > window]
        return Embedded(vectors[rows], sum(min(size, window) for size in sizes.values()), cut)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut and without a prompt, special tokens included."""
        if not texts:
            return []
        found = self._tokenizer([whole(text).strip() for text in texts], truncation=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    def close(self) -> None:
        """The model goes with the object."""

    def _encoded(self, inputs: Sequence[Any], role: Role, prompt: str, model: Any = None) -> Vectors:
        model = model or self._model
        encode = getattr(model, f"encode_{role}", model.encode)
        with translated(self._name):
            found = encode(list(inputs), prompt=prompt, batch_size=BATCH, show_progress_bar=False, convert_to_tensor=True)
            vectors: Vectors = found.float().cpu().numpy()
        return vectors

    @cached_property
    def _pictures(self) -> Any:
        """What reads pictures: the model itself, or another one of whose space its texts are; loaded when it is needed."""
        return _loaded(self._partner, kept(self._partner), self._chosen) if self._partner else self._model

    @cached_property
    def _dim(self) -> int:
        told = getattr(self._model, "get_embedding_dimension", self._model.get_sentence_embedding_dimension)()
        probe = "length" if "text" in self.modalities else load("PIL.Image:new")("RGB", (32, 32))
        return int(told or self._encoded([probe], "document", "").shape[1])

    @property
    def _window(self) -> int | None:
        found = self._model.max_seq_length
        return int(found) if found and found < 1e9 else None

    @property
    def _tokenizer(self) -> Any:
        found = self._model.tokenizer
        return getattr(found, "tokenizer", found)  # a processor of texts and images holds one


def _loaded(name: str, given: str, precision: str | None) -> Any:
    """A model in memory. `given`: its folder, or its id on the hub."""
    options = {key: value for key, value in table("st", name).items() if key in ("trust_remote_code", "device")}
    load_model = load("sentence_transformers:SentenceTransformer")
    with loading("st", name):
        model = load_model(given, local_files_only=config.offline(), **options)
    _pad_as_trained(model)
    return model.to(load(f"torch:{precision}")) if precision else model


@contextmanager
def loading(adapter: str, name: str) -> Iterator[None]:
    """Around the loading of a model: its errors as ours, and no bar for each file that is read."""
    logging = load("transformers.utils.logging:is_progress_bar_enabled"), load("transformers.utils:logging")
    shown = logging[0]()
    logging[1].disable_progress_bar()
    try:
        with translated(f"{adapter}:{name}", building=True):
            yield
    except ConfigError as error:
        cause = error.__cause__
        if "trust_remote_code" in str(cause):
            raise ConfigError(
                f"{name} brings code of its own, which is not run unless you say so: write trust_remote_code = true under "
                f'[{adapter}."{name}"] into {config.providers_path()}'
            ) from error
        if isinstance(cause, OSError):
            said = " ".join(str(cause).split())[:200]
            raise ModelNotFound(f"{name} is not here and could not be fetched: {said}") from error
        raise
    finally:
        if shown:
            logging[1].enable_progress_bar()


def kept(name: str) -> str:
    """Our own copy of a model where there is one, else its id on the hub."""
    try:
        return str(weights.find(name))
    except ModelNotFound:
        if weights.is_path(name):
            raise
        return canonical(name)


def folder_of(given: str) -> Path:
    """Where a model's files are, once it is loaded."""
    if Path(given).is_dir():
        return Path(given)
    return Path(load("huggingface_hub:snapshot_download")(given, local_files_only=True))


def _pooling(folder: Path) -> str:
    try:
        return "+".join(recipe.modules(folder)[0])
    except recipe.Elsewhere:
        return ""


def _modalities(model: Any) -> Sequence[str]:
    found = getattr(model, "modalities", None)  # since sentence-transformers 5.2; before, one class read images
    return found if found is not None else ["image"] if type(model[0]).__name__ == "CLIPModel" else ["text"]


def _pad_as_trained(model: Any) -> None:
    """Have SigLIP's texts filled up to the window, as all were that it learned from.

    Left to itself, sentence-transformers fills them up to the longest of a batch: a text's vector then depends on the others.
    """
    settings = getattr(model[0], "processing_kwargs", None)  # since sentence-transformers 5.4, the first that reads SigLIP
    kind = getattr(getattr(model[0], "config", None), "model_type", "")
    if isinstance(settings, dict) and str(kind).startswith("siglip"):
        settings["text"] = {"padding": "max_length", "return_attention_mask": False} | settings.get("text", {})


def _scale(model: Any) -> float | None:
    """The factor that a model of texts and pictures was trained with."""
    inner = getattr(model[0], "auto_model", getattr(model[0], "model", None))
    found = getattr(inner, "logit_scale", None)
    return round(float(found.detach().exp()), 4) if found is not None else None


def _picture(content: Content, given: Sequence[Content]) -> Any:
    try:
        picture = decoded(content if isinstance(content, bytes) else b"", at_least=FINE)
    except DataError as error:
        raise DataError(f"content {given.index(content)}: {error}") from error
    wide, high = (min(side, NARROW * min(picture.size)) for side in picture.size)
    left, top = (picture.width - wide) // 2, (picture.height - high) // 2
    return picture.crop((left, top, left + wide, top + high)) if (wide, high) != picture.size else picture
