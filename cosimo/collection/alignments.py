"""Alignments: the methods of a database that learn a map between two of its collections' spaces. `aligning` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..core import registry
from ..core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..core.types import Embedder, ModelSpec
    from ..verbs.align import Method
    from ..verbs.migrate import Migrated
    from .aligning import Alignment
    from .database import Database


class Alignments:
    """The part of `Database` that aligns."""

    def align(
        self,
        name: str,
        source: str,
        target: str,
        *,
        pairs: str | Path | Iterable[tuple[str, str]] | None = None,
        method: Method = "ridge",
        holdout: float = 0.2,
        seed: int = 0,
        save: bool = True,
        replace: bool = False,
    ) -> Alignment:
        """A map from the space of one collection into that of another, kept in the file as the model `align:NAME`.

        `report` says how often it finds partners among pairs that were held out; the map itself is learned from all pairs.
        It is kept with the source, and goes with it.

        Parameters
        ----------
        source, target : names of collections: of pictures and of their captions, say, or the same texts by two models
        pairs : (id of the source, id of the target) each, or a table of them; left out: items of one id are a pair
        method : ridge (regression, the penalty chosen by leaving pairs out), orthogonal (a rotation), contrastive (from ridge,
            a few hundred steps that tell partners from others)
        holdout : share of the pairs that only test it
        seed : the same one holds out the same pairs
        save : False keeps nothing
        replace : in the place of the one of that name

        Raises
        ------
        NotFound : no such collection
        DataError : fewer than ten pairs, no ids in common, vectors all the same, an unknown method, a holdout that is no share,
            a collection with itself, a name that cannot be, or is taken
        StoreError : the file cannot be written
        """
        from .aligning import learn

        return learn(self._database, name, source, target, pairs, method, holdout, seed, save=save, replace=replace)

    def alignments(self) -> list[Alignment]:
        """The alignments that are kept in the file, by name."""
        from .aligning import alignments

        return alignments(self._database)

    def forget_alignment(self, name: str) -> None:
        """Remove an alignment.

        Raises
        ------
        NotFound : there is none of that name
        DataError : a collection is made with it
        """
        from .aligning import forget

        forget(self._database, name)

    def _aligned(self, model: str, precision: str | None) -> Embedder:
        from .aligning import embedder

        if precision:
            raise ConfigError(f"a precision can be chosen for local models alone, which '{model}' is not; leave it out")
        return embedder(self._database, model)

    def _refuse_drop(self, names: Sequence[str]) -> None:
        from .aligning import refuse_drop

        refuse_drop(self._database, names)

    def _refuse_forgetting(self, name: str, source: str) -> None:
        from .aligning import refuse_used

        refuse_used(self._database, {name: source})

    def _maps(self, model: str, collection: str) -> bool:
        """Whether a model is an alignment from the space of a collection, so that nothing has to be embedded anew."""
        from .aligning import maps

        return registry.is_kept(model) and maps(self._database, model, collection)

    def _remapped(self, collection: str, model: str, spec: ModelSpec, *, restart: bool) -> Migrated:
        from .aligning import remapped

        return remapped(self._database, collection, model, spec, restart=restart)

    @property
    def _database(self) -> Database:
        return cast("Database", self)
