"""Aligning: alignments wired to a database: learned from pairs of two collections, kept in the file, loaded as `align:NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..core import registry, trust
from ..core.compatibility import comparable, made_by
from ..core.errors import DataError, Error, NotFound, StoreError
from ..embedders.aligned import PREFIX, AlignedEmbedder, Joined
from ..verbs.align import align, checked
from ..verbs.aligning.kept_alignments import Kept, checked_name, find, result_of
from ..verbs.migrate import remap
from ..verbs.scoring.space import refuse_other_space, space_of
from ..verbs.whole import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from ..core.migrations import MigratingStore
    from ..core.results import KeepingStore
    from ..core.types import Embedder, ModelSpec, Settings
    from ..verbs.align import Method
    from ..verbs.migrate import Migrated
    from .collection import Collection
    from .database import Database

    Pairs = str | Path | Iterable[tuple[str, str]] | None


class Alignment:
    """A map from the space of one collection into that of another, and how good it is."""

    def __init__(self, kept: Kept) -> None:
        self.name, self.source, self.target, self.joined, self.report = kept

    @property
    def model(self) -> str:
        """By which collections ask for it: `align:NAME`."""
        return PREFIX + self.name

    def __repr__(self) -> str:
        return f"<cosimo alignment {self.name}, {self.source} → {self.target}: {self.report}>"


def learn(
    db: Database, name: str, source: str, target: str, pairs: Pairs, method: Method, holdout: float, seed: int, *, save: bool,
    replace: bool,
) -> Alignment:  # fmt: skip
    """An alignment of two collections, kept with the first one."""
    checked_name(name)
    checked(method, holdout, seed)
    _refuse_unfit(db, source, target)
    if save:
        _taken(db, name, replace=replace)
    with db.store.snapshot():  # nobody changes the model of either meanwhile
        sides = [(whole(db.store, each), db.collection(each).info().settings) for each in (source, target)]
    (first, made_first), (second, made_second) = sides
    places, left_out = _paired(first.ids, second.ids, pairs, f"'{source}' and '{target}'")
    vectors = (side.vectors[list(at)] for side, at in zip((first, second), places, strict=True))
    learned = align(*vectors, method=method, holdout=holdout, seed=seed, left_out=left_out)
    spec = _spec_of(db.collection(source))
    reading = () if spec is None else (spec.modalities, spec.seconds, spec.max_tokens)
    kept = Kept(name, source, target, Joined(learned.map, made_first, made_second, *reading), learned.report)
    if save:
        with db.store.atomic():
            if (before := _taken(db, name, replace=replace)) is not None:  # by now, maybe
                keeping(db).forget(before, "alignment", name)
            asked = {"method": method, "holdout": holdout, "seed": seed}
            keeping(db).keep(source, result_of(kept, first.version, asked))
    return Alignment(kept)


def _taken(db: Database, name: str, *, replace: bool) -> str | None:
    """The collection with which an alignment of that name is kept that may be replaced; None where there is none.

    Raises
    ------
    DataError : it may not
    """
    before = keeping(db).keepers("alignment").get(name)
    if before is not None and not replace:
        raise DataError(
            f"there is an alignment '{name}', kept with '{before}'; choose another name, or replace it with --replace"
            " (replace=True)"
        )
    if before is not None:
        refuse_used(db, {name: before})
    return before


def keeping(db: Database) -> KeepingStore:
    """The store as one that keeps results.

    Raises
    ------
    StoreError : it does not
    """
    if not hasattr(db.store, "keep"):
        raise StoreError(f"{db.name} cannot keep an alignment")
    return cast("KeepingStore", db.store)


def alignments(db: Database) -> list[Alignment]:
    """All that are kept, by name."""
    store = keeping(db)
    return [Alignment(kept) for name in store.keepers("alignment") if (kept := find(store, name)) is not None]


def forget(db: Database, name: str) -> None:
    """Remove an alignment that no collection was made with."""
    store = keeping(db)
    with db.store.atomic():
        source = store.keepers("alignment").get(name)
        if source is None:
            raise _missing(db, name)
        refuse_used(db, {name: source})
        store.forget(source, "alignment", name)


def refuse_used(db: Database, going: Mapping[str, str], besides: Sequence[str] = ()) -> None:
    """Raise `DataError` where a collection is made with an alignment that is about to go (name → what it is kept with)."""
    for name, source in going.items():
        users = [user for user in _users(db, name) if user not in besides]
        if users:
            raise DataError(
                f"'{users[0]}' was made with the alignment '{name}', kept with '{source}', and without it could be"
                f" asked nothing any more; give it another model first: cosimo migrate {users[0]} --model MODEL"
            )


def refuse_drop(db: Database, gone: Sequence[str]) -> None:
    """Raise `DataError` where another collection is made with an alignment that goes with these."""
    if hasattr(db.store, "keep"):
        going = {name: source for name, source in keeping(db).keepers("alignment").items() if source in gone}
        refuse_used(db, going, besides=gone)


def embedder(db: Database, model: str, load: Callable[[str, Settings], Embedder] | None = None) -> AlignedEmbedder:
    """The model `align:NAME` of a file. Its two models are loaded when something has to be read by them.

    Parameters
    ----------
    load : what loads them, by name and by what made the vectors; None: the database does

    Raises
    ------
    NotFound : the file keeps no such alignment
    """
    kept = _found(db, model.removeprefix(PREFIX))
    joined, load = kept.joined, load or (lambda model, stored: db.embedder(model, stored=stored))
    source = None if joined.source.model is None else lambda: _side(db, kept, joined.source, load)
    return AlignedEmbedder(kept.name, joined, source=source, target=lambda: _side(db, kept, joined.target, load))


def maps(db: Database, model: str, collection: str) -> bool:
    """Whether a collection's vectors are of the space that the model `align:NAME` maps from."""
    kept, stored = _found(db, model.removeprefix(PREFIX)), db.store.settings(collection)
    if stored is None or (stored.model is None and collection != kept.source):
        return False  # vectors from elsewhere have no name to know their space by
    return comparable(kept.joined.source, stored)


def remapped(db: Database, collection: str, model: str, spec: ModelSpec, *, restart: bool) -> Migrated:
    """Map a collection's vectors. Nobody can remove or replace the alignment before the collection is known to need it.

    Raises
    ------
    StoreError : another program replaced it after `spec` was made; or as `migrate.remap`
    """
    with db.store.atomic():
        joined = _found(db, model.removeprefix(PREFIX)).joined
        if joined.revision != spec.revision:
            raise StoreError(f"another program replaced the alignment of {model} meanwhile; run this again")
        return remap(cast("MigratingStore", db.store), spec, collection, joined.map.of, restart=restart)


def _found(db: Database, name: str) -> Kept:
    kept = find(keeping(db), name)
    if kept is None:
        raise _missing(db, name)
    return kept


def _missing(db: Database, name: str) -> NotFound:
    there = ", ".join(f"'{each}'" for each in keeping(db).keepers("alignment")) or "none yet"
    return NotFound(f"{db.name} keeps no alignment '{name}', but {there}; run: cosimo align {name} SOURCE TARGET")


def _side(db: Database, kept: Kept, side: Settings, load: Callable[[str, Settings], Embedder]) -> Embedder:
    """One of the two models, held against the one that made the vectors."""
    model = str(side.model)
    trust.refuse_unnamed(model, PREFIX + kept.name)
    found = load(model, side)
    if not comparable(side, made := made_by(found.spec)):
        users = _users(db, kept.name)  # whose old vectors, that another map would be for, are gone
        anew = f"give '{users[0]}' another model: cosimo migrate {users[0]} --model MODEL" if users else _again(kept)
        refuse_other_space(space_of(side), made, f"the alignment '{kept.name}' was", f"bring the first ones back, or {anew}")
    return found


def _again(kept: Kept) -> str:
    return f"learn it anew: cosimo align {kept.name} {kept.source} {kept.target} --replace"


def _users(db: Database, name: str) -> list[str]:
    """The collections that are made with an alignment."""
    return [info.name for info in db.store.collections() if info.settings.model == PREFIX + name]


def _refuse_unfit(db: Database, source: str, target: str) -> None:
    """Raise for collections that are not there, or whose vectors tell nothing."""
    if source == target:
        raise DataError(f"'{source}' cannot be aligned with itself: its vectors are in one space already")
    for collection in (db.collection(source), db.collection(target)):
        collection._must_exist()
        if registry.is_kept(collection.model):
            raise DataError(
                f"'{collection.name}' was made with {collection.model}, a map already; align vectors of a model's own"
            )
    if db.collection(target).model is None:
        raise DataError(f"'{target}' holds vectors from elsewhere, so no question could be read; align with one of a model")


def _spec_of(collection: Collection) -> ModelSpec | None:
    """What the model of a collection is; None where there is none, or none that can be run here."""
    try:
        return collection.embedder.spec
    except Error:  # its vectors are there: what it reads beside is learned where it is installed
        return None


def _paired(first: list[str], second: list[str], pairs: Pairs, names: str) -> tuple[list[tuple[int, ...]], int]:
    """Places of both sides that belong together, and how many pairs given are not there."""
    left, right = ({id: at for at, id in enumerate(ids)} for ids in (first, second))
    asked = [(id, id) for id in first if id in right] if pairs is None else _given(pairs)
    found = [(left[a], right[b]) for a, b in asked if a in left and b in right]
    if not found:
        such = f", such as {asked[0][0]!r:.60} and {asked[0][1]!r:.60}" if asked else ""
        what = "no ids in common" if pairs is None else f"none of the {len(asked):,} pairs that were given{such}"
        raise DataError(
            f"{names} have {what}, among items with a vector; give pairs of ids: --pairs FILE with columns source and target"
            " (pairs=)"
        )
    return list(zip(*found, strict=True)), len(asked) - len(found)


def _given(pairs: Any) -> list[tuple[str, str]]:
    if isinstance(pairs, str | Path):
        from .example_files import pairs_in

        return pairs_in(str(pairs))
    try:
        found = [(first, second) for first, second in pairs]
    except (TypeError, ValueError) as error:
        raise DataError("pairs are (id of the source, id of the target) each") from error
    if not all(isinstance(id, str) for pair in found for id in pair):
        raise DataError("pairs are (id of the source, id of the target) each, both texts")
    return found
