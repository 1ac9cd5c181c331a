"""Local: texts → vectors on this machine's processor, without torch. Finds the model, reads texts; others compute."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import config
from ..core.content import texts_of
from ..core.errors import ConfigError
from ..core.registry import canonical
from ..core.types import Embedded, ModelSpec
from . import catalog, recipe, weights
from .tokens import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Content, Role, Vectors
    from .engine import Engine
    from .plain import Plain

    Window = tuple[list[int], list[list[int]]]

WINDOW = 1024  # texts tokenised at a time, while the ones before are computed
PRECISIONS = ("auto", "float32", "bf16", "int8")
FEW = 128  # tokens of a call that numpy computes: exact, the same on every machine, and done before an engine is loaded


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
        if (known := catalog.entry(name)) is not None and known.pictures:  # its texts alone are half of it
            raise recipe.Elsewhere(f"{known.name} reads pictures too, through {known.pictures}; {recipe.ELSEWHERE}")
        self._folder = weights.located(name)
        self._recipe = recipe.read(self._folder)
        self._precision = precision or config.precision()
        if self._precision not in PRECISIONS:
            raise ConfigError(f"no precision is called '{self._precision}'; known: {', '.join(PRECISIONS)}")
        self._threads = threads
        self._given = name

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its revision is the SHA-256 of its weights, wherever they came from."""
        files = self._recipe
        revision = weights.revision(self._folder)
        named = catalog.of_model(self._given, revision)
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

        texts = texts_of(contents, self.spec.name, self.spec.prompts.get(role, ""))
        order = sorted(dict.fromkeys(texts), key=len, reverse=True)  # unlike lengths far apart, so batches waste little
        vectors = np.empty((len(order), self.spec.dim), np.float32)
        sizes: list[int] = []
        cut: set[str] = set()
        self._compute(self._windows(order, sizes, cut), sizes, vectors)
        place = {text: number for number, text in enumerate(order)}
        rows = np.fromiter((place[text] for text in texts), np.int64, len(texts))
        beyond = [number for number, text in enumerate(texts) if text in cut]
        return Embedded(vectors[rows], sum(sizes), beyond, [sizes[row] for row in rows.tolist()])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut and without a prompt, special tokens included."""
        return self._tokenizer.count(texts)

    def tokens_in_context(self, text: str) -> tuple[list[str], list[tuple[int, int]], Vectors, bool]:
        """(tokens, where each stands, vectors (tokens, dim) float32 before pooling, whether the text went on after the window).

        Special tokens and prompts are left out. Computed in numpy in float32; 256 tokens take 0.1 s.

        Raises
        ------
        ConfigError : a graph that is not ours, which may show no tokens
        """
        if self._recipe.weights.name != recipe.WEIGHTS:
            raise ConfigError(f"{self.spec.name} is run from an exported graph, which shows no vectors of single tokens")
        ids, tokens, places, special, cut = self._tokenizer.seen(text)
        vectors = self._plain.tokens(ids)
        kept = [number for number, is_special in enumerate(special) if not is_special]
        return [tokens[number] for number in kept], [places[number] for number in kept], vectors[kept], cut

    def close(self) -> None:
        """Let go of the compiled model; the next text compiles it again."""
        for kept in ("_engine", "_plain"):
            self.__dict__.pop(kept, None)

    def _compute(self, windows: Iterator[Window], sizes: list[int], vectors: Vectors) -> None:
        """Fill `vectors`: in numpy where the first window is all there is and small, else with the engine."""
        if len(vectors) <= FEW:
            windows = iter(read := list(windows))
            if 0 < sum(sizes) <= FEW and self._exact:
                vectors[:] = self._plain.run(read[0][1])
                return
        if len(vectors):
            self._engine.run(windows, vectors)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self._folder, self._recipe.max_tokens, lower=self._recipe.lower)

    @property
    def _exact(self) -> bool:
        """True where numpy may compute a few tokens: float32 is wanted or allowed, and the graph is ours."""
        return self._precision in ("auto", "float32") and self._recipe.weights.name == recipe.WEIGHTS

    @cached_property
    def _plain(self) -> Plain:
        from .plain import Plain

        return Plain(self._recipe)

    @cached_property
    def _engine(self) -> Engine:
        from .engine import Engine

        return Engine(self._recipe, self.spec.revision, precision=self._precision, threads=self._threads)

    def _windows(self, order: list[str], sizes: list[int], cut: set[str]) -> Iterator[Window]:
        """(positions in `order`, token ids) of some texts at a time; the next are tokenised while these are computed.

        What there is to report is noted in `sizes` and `cut` on the way.
        """
        from concurrent.futures import ThreadPoolExecutor

        read = self._tokenizer.read
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(read, order[:WINDOW])
            for start in range(0, len(order), WINDOW):
                found = coming.result()
                if start + WINDOW < len(order):
                    coming = ahead.submit(read, order[start + WINDOW : start + 2 * WINDOW])
                sizes.extend(len(tokens.ids) for tokens in found)
                cut.update(order[start + number] for number, tokens in enumerate(found) if tokens.cut)
                yield list(range(start, start + len(found))), [tokens.ids for tokens in found]
