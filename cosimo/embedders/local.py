"""Local: texts → vectors on this machine's processor, without torch. Finds the model, reads texts, hands ids to the engine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import config
from ..core.errors import ConfigError, DataError
from ..core.registry import canonical
from ..core.types import Embedded, ModelSpec
from . import catalog, recipe, weights
from .tokens import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Content, Role
    from .engine import Engine
    from .tokens import Tokens

    Numbered = tuple[list[int], list[list[int]]]

WINDOW = 1024  # texts tokenised at a time, while the ones before are computed
PRECISIONS = ("auto", "float32", "bf16", "int8")
FEW = 128  # tokens of a call up to which auto means float32: 20 ms at most, exact, and the same on every machine


class LocalEmbedder:
    """A BERT-shaped model, or any folder with `onnx/model.onnx`, run by OpenVINO.

    Weights that are not here are fetched, unless the user asked for no network. Nothing is compiled before the first text.

    Parameters
    ----------
    name : a bare name, a hub id (`BAAI/bge-small-en-v1.5`) or a folder
    precision : float32, bf16, int8, or auto: float32 for a query or a few short texts, where there is no time to gain,
        and for more the processor's bf16 where it has one. None for `$COSIMO_PRECISION`
    threads : processors to use; None for all

    Raises
    ------
    ModelNotFound : no such model, or no way to fetch it
    ConfigError : a damaged folder, or a model that only another package runs
    """

    def __init__(self, name: str, *, precision: str | None = None, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ConfigError(f"threads must be 1 or more, not {threads}")
        self._folder = weights.located(name)
        self._recipe = recipe.read(self._folder)
        self._precision = precision or config.precision()
        if self._precision not in PRECISIONS:
            raise ConfigError(f"no precision is called '{self._precision}'; known: {', '.join(PRECISIONS)}")
        self._engines: dict[str, Engine] = {}
        self._threads = threads
        self._given = name

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its revision is the SHA-256 of its weights, wherever they came from."""
        files = self._recipe
        revision = weights.revision(self._folder)
        named = catalog.of_hash(revision)
        name = named.name if named else str(self._folder) if Path(self._given).expanduser().is_dir() else canonical(self._given)
        return ModelSpec(
            name=name,
            dim=files.dim,
            revision=revision,
            max_tokens=files.max_tokens,
            prompts=files.prompts or (named.prompts if named else {}),
            pooling="+".join(files.pooling),
            normalized=files.normalized,
            languages=named.languages if named else (),
            price=0.0,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim) float32 in the order asked; a text longer than the window is cut, and its position told.

        The same text twice is computed once. Empty text has a vector, that of the special tokens alone.

        Raises
        ------
        DataError : content that is not text
        """
        import numpy as np

        texts = self._texts(contents, role)
        order = sorted(dict.fromkeys(texts), key=len, reverse=True)  # unlike lengths far apart, so batches waste little
        vectors = np.empty((len(order), self.spec.dim), np.float32)
        sizes: list[int] = []
        cut: set[str] = set()
        if len(order) <= FEW:
            few = self._tokens(order, 0, self._tokenizer.read(order), sizes, cut)
            if order:
                self._engine(sum(sizes)).run([few], vectors)
        else:
            self._engine(FEW + 1).run(self._windows(order, sizes, cut), vectors)
        place = {text: number for number, text in enumerate(order)}
        rows = np.fromiter((place[text] for text in texts), np.int64, len(texts))
        return Embedded(vectors[rows], sum(sizes), [number for number, text in enumerate(texts) if text in cut])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut and without a prompt, special tokens included."""
        return self._tokenizer.count(texts)

    def close(self) -> None:
        """Let go of the compiled model; the next text compiles it again."""
        self._engines.clear()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self._folder, self._recipe.max_tokens, lower=self._recipe.lower)

    def _engine(self, tokens: int) -> Engine:
        """The compiled model for a call of this many tokens."""
        from .engine import Engine, has_bf16

        kind = self._precision
        if kind == "auto":
            kind = "few" if tokens <= FEW else "bf16" if has_bf16() else "float32"
        if kind not in self._engines:
            precision, streams = ("float32", 1) if kind == "few" else (kind, None)
            self._engines[kind] = Engine(
                self._recipe, self.spec.revision, precision=precision, threads=self._threads, streams=streams
            )
        return self._engines[kind]

    def _texts(self, contents: Sequence[Content], role: Role) -> list[str]:
        prompt = self.spec.prompts.get(role, "")
        texts = []
        for position, content in enumerate(contents):
            if not isinstance(content, str):
                raise DataError(f"{self.spec.name} reads text, and content {position} is {type(content).__name__}")
            texts.append(content if content.startswith(prompt) else prompt + content)
        return texts

    def _windows(self, order: list[str], sizes: list[int], cut: set[str]) -> Iterator[Numbered]:
        """Some texts at a time; the next ones are tokenised while these are computed."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._tokenizer.read, order[:WINDOW])
            for start in range(0, len(order), WINDOW):
                found = coming.result()
                coming = ahead.submit(self._tokenizer.read, order[start + WINDOW : start + 2 * WINDOW])
                yield self._tokens(order, start, found, sizes, cut)

    @staticmethod
    def _tokens(order: list[str], start: int, found: list[Tokens], sizes: list[int], cut: set[str]) -> Numbered:
        """(positions in `order`, token ids), with what there is to report noted in `sizes` and `cut`."""
        sizes.extend(len(tokens.ids) for tokens in found)
        cut.update(order[start + number] for number, tokens in enumerate(found) if tokens.cut)
        return list(range(start, start + len(found))), [tokens.ids for tokens in found]
