"""Aligned: two embedders and a map between their spaces in, one embedder out: `align:NAME`. Learns nothing, reads no file.

Contents that the target's model reads go through that model, for its vectors are exact and the map's are estimates. The others,
pictures where the target reads text, go through the source's model and the map. So where both read text (an old model and a new
one), the stored vectors are mapped ones, and every new text gets the target's own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..core.content import modality_of
from ..core.errors import ModelNotFound
from ..core.types import Embedded
from .adapted import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.types import Content, Embedder, ModelSpec, Role, Settings, Vector, Vectors

PREFIX = "align:"


class Map(NamedTuple):
    """Unit vectors of one space → unit vectors of another, by one matrix and one offset."""

    matrix: Vectors  # (source dim, target dim)
    offset: Vector  # (target dim,)

    def of(self, vectors: Vectors) -> Vectors:
        """Where (n, source dim) vectors of any length lie in the other space: (n, target dim). Zeros stay zeros."""
        from ..core.vectors import normalised

        unit = normalised(vectors)
        mapped = unit @ self.matrix + self.offset  # (n, source dim) @ (source dim, target dim) -> (n, target dim)
        mapped[~unit.any(axis=1)] = 0
        return normalised(mapped)


@dataclass(frozen=True, slots=True)
class Joined:
    """Two spaces, and the map between them, as a file keeps them."""

    map: Map
    source: Settings  # what made the vectors that are mapped; its model None: they come from elsewhere
    target: Settings
    reads: tuple[str, ...] = ()  # modalities of the source's model, as far as they were known
    seconds: float | None = None  # of sound that the source's model hears at once
    max_tokens: int | None = None  # of a text that the source's model reads at once

    @property
    def revision(self) -> str:
        """SHA-256 of the map and of which models it is between: another one gives other vectors."""
        digest = hashlib.sha256()
        for array in self.map:
            digest.update(array.astype("<f4").tobytes())
        for side in (self.source, self.target):
            digest.update(f"{side.model}\0{side.revision}\0{side.pooling}\0{sorted(side.prompts.items())}\0".encode())
        return digest.hexdigest()


class AlignedEmbedder:
    """The target's model, and the source's behind the map, as one model.

    Parameters
    ----------
    name : of the alignment
    joined : what the file keeps; without it there is nothing to embed with
    source, target : load the two models, each when it is needed first

    Raises
    ------
    ModelNotFound : asked for by its name alone, outside of the database that keeps it
    """

    def __init__(
        self,
        name: str,
        joined: Joined | None = None,
        *,
        source: Callable[[], Embedder] | None = None,
        target: Callable[[], Embedder] | None = None,
    ) -> None:
        if joined is None or target is None:
            raise ModelNotFound(
                f"'{PREFIX}{name}' is kept in a database and is a model for its collections alone; ask one of them, or run:"
                f" cosimo embed -d FILE -m {PREFIX}{name}"
            )
        self.joined = joined
        self._name, self._load_source, self._load_target = PREFIX + name, source, target

    @cached_property
    def _source(self) -> Embedder:
        assert self._load_source is not None
        return self._load_source()

    @cached_property
    def _target(self) -> Embedder:
        return self._load_target()

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is: the target's, that also reads what the source's does.

        Raises
        ------
        Error : as loading the target's model does
        """
        target, source = self._target.spec, self.joined
        reads = source.reads if self._load_source is not None else ()
        return replace(
            target,
            name=self._name,
            revision=source.revision,
            modalities=tuple(dict.fromkeys((*target.modalities, *reads))),
            max_tokens=source.max_tokens if "text" in reads and "text" not in target.modalities else target.max_tokens,
            seconds=source.seconds if "audio" in reads and "audio" not in target.modalities else target.seconds,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Unit vectors (n, dim) float32 in the order asked; the source's model is loaded for what the target's cannot read.

        Raises
        ------
        Error : as the two models do
        DataError : content of a kind that neither reads
        """
        import numpy as np

        spec, reads = self.spec, self._target.spec.modalities
        theirs = [at for at, content in enumerate(contents) if modality_of(content) not in reads]
        if not theirs:
            return self._target.embed(contents, role=role)
        readable(contents, spec.name, spec.modalities)
        vectors, tokens, cut = np.zeros((len(contents), spec.dim), np.float32), 0, list[int]()
        rest = sorted(set(range(len(contents))).difference(theirs))
        for places, embedder in ((theirs, self._source), (rest, self._target)):
            if places:
                reply = embedder.embed([contents[at] for at in places], role=role)
                vectors[places] = self.joined.map.of(reply.vectors) if places is theirs else reply.vectors
                tokens += reply.tokens
                cut += [places[at] for at in reply.cut]
        return Embedded(vectors, tokens, sorted(cut))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the target's model does, which reads the texts if it reads any; else the source's."""
        return (self._target if "text" in self._target.spec.modalities else self._source).count_tokens(texts)

    def close(self) -> None:
        """The two models belong to whoever handed them in."""
