"""Learning: scales and classifiers wired to a collection: its examples, its model, what is kept of them, and in which space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.compatibility import made_by
from ..core.errors import DataError
from ..verbs.classes import checked_method
from ..verbs.classes import learn_classes as learn
from ..verbs.scoring.kept_models import (
    KeptClasses,
    KeptScale,
    classes_of,
    classes_result,
    fingerprint,
    kept,
    scale_of,
    scale_result,
    unchanged,
)
from ..verbs.scoring.labels import label_of, labels_of
from ..verbs.scoring.space import refuse_other_space, space_of, texts_to_vectors
from ..verbs.whole import whole
from .arguments import labelled, several
from .scoring import Classifier, Scale, ends_of, learned, names_to_vectors, refuse_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.filters import Filter
    from ..core.results import Result, ResultKind
    from ..core.types import Vectors
    from ..verbs.classes import Method
    from .judging import Judging
    from .scoring import Reader

Model = TypeVar("Model", Scale, Classifier)


@dataclass(frozen=True, slots=True)
class Asked:
    """What classes are to be learned from, and how: the arguments of `Collection.learn_classes`."""

    label: str | None
    labels: Mapping[str, str | None] | None
    examples: Sequence[tuple[str, str | None]] | None
    names: Sequence[str] | None
    method: Method
    template: str
    folds: int
    seed: int
    filter: Filter | None
    prefix: str

    @property
    def by_name(self) -> bool:
        """Whether the names of the classes are what is known of them."""
        return self.names is not None or self.method == "names"

    @property
    def of_rows(self) -> bool:
        """Whether the examples are items of the collection."""
        return self.label is not None or self.labels is not None

    def settings(self, space: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of it, as JSON."""
        from ..core.filters.syntax import to_text

        return {
            "label": self.label, "examples": fingerprint([self.labels and dict(self.labels), self.examples, self.names]),
            "method": self.method, "template": self.template, "folds": self.folds, "seed": self.seed,
            "where": to_text(self.filter) if self.filter is not None else "", "prefix": self.prefix, "space": dict(space),
        }  # fmt: skip

    def plain(self) -> Asked:
        """The same with labels as text, and lists in the place of whatever is gone through once.

        Raises
        ------
        DataError : examples that are no pairs, labels by no id
        """
        if self.labels is not None and not isinstance(self.labels, Mapping):
            raise DataError("labels are given by id: a mapping of ids to labels")
        return replace(
            self,
            labels=None if self.labels is None else {id: label_of(label) for id, label in self.labels.items()},
            examples=None if self.examples is None else labelled(self.examples),
            names=None if self.names is None else several(self.names),
        )

    def check(self) -> None:
        """Raise `DataError` for what makes no sense."""
        checked_method(self.method)
        given = [each for each in (self.label, self.labels, self.examples) if each is not None]
        if len(given) > 1 or not (given or self.names is not None):
            raise DataError("classes are learned from one thing: a field (label), labels by id, examples, or names alone")
        refuse_names(self.names, self.method)


def learn_scale(
    on: Judging, low: Sequence[str], high: Sequence[str], ends: tuple[str, str], name: str, *, save: bool, refresh: bool
) -> tuple[KeptScale, Reader]:
    """A scale and what reads texts for it; the kept one, where it is what would come out."""
    low, high, ends = several(low), several(high), ends_of(ends)
    space = space_of(made_by(on.embedder.spec))
    asked = {"examples": fingerprint([low, high]), "ends": list(ends), "space": space}
    saving = save and on._can_keep()
    if saving and not refresh:
        found = on._keeping_store.result(on.name, "scale", name)
        if found is not None and unchanged(on._keeping_store, on.name, found, asked, rows=False):
            return scale_of(found), _reader(on, space)
    read = _reader(on, space)
    made = KeptScale(*learned(low, high, read), ends, space)
    if saving:
        on._keeping_store.keep(on.name, scale_result(made, name, 0, asked))  # version 0: rows have no part in it
    return made, read


def learn_classes(on: Judging, asked: Asked, name: str, *, save: bool, refresh: bool) -> tuple[KeptClasses, Reader]:
    """A classifier and what reads texts for it; the kept one, where it is what would come out."""
    asked = asked.plain()
    asked.check()
    reading = asked.by_name or asked.examples is not None
    space = space_of(made_by(on.embedder.spec) if reading else on._settings)
    settings, read = asked.settings(space), _reader(on, space)
    saving = save and on._can_keep()
    if saving and not refresh:
        found = on._keeping_store.result(on.name, "classes", name)
        if found is not None and unchanged(on._keeping_store, on.name, found, settings, rows=asked.of_rows):
            return classes_of(found), read
    vectors, labels, version = _examples(on, asked, read)
    named = None
    if asked.by_name:
        said = [each for each in labels if each] if asked.names is None else asked.names
        named = names_to_vectors(read, said, asked.template)
    classes = learn(vectors, labels, method=asked.method, folds=asked.folds, seed=asked.seed, names=named)
    made = KeptClasses(classes, space)
    if saving:
        on._keeping_store.keep(on.name, classes_result(made, name, version, settings))
    return made, read


def _examples(on: Judging, asked: Asked, read: Reader) -> tuple[Vectors, list[str | None], int]:
    """(n, dim) unit vectors, their labels, and the version of the rows they are of."""
    if not asked.of_rows:
        examples = asked.examples or ()
        return read([text for text, _ in examples]), [label for _, label in examples], 0
    items = whole(on._store, on.name, filter=asked.filter, prefix=asked.prefix)
    if asked.label is not None:
        return items.vectors, labels_of(on._store, on.name, items, asked.label), items.version
    labels = [(asked.labels or {}).get(id) for id in items.ids]
    if not any(labels):
        raise DataError(f"none of the {len(asked.labels or {}):,} labelled ids is an item of '{on.name}' with a vector")
    return items.vectors, labels, items.version


def kept_scale(on: Judging, name: str) -> tuple[KeptScale, Reader]:
    """A kept scale, and what reads texts for it."""
    found = scale_of(_kept(on, "scale", name))
    return found, _reader(on, found.space)


def kept_classes(on: Judging, name: str) -> tuple[KeptClasses, Reader]:
    """A kept classifier, and what reads texts for it."""
    found = classes_of(_kept(on, "classes", name))
    return found, _reader(on, found.space)


def _kept(on: Judging, kind: ResultKind, name: str) -> Result:
    return kept(on._keeping_store, on.name, kind, name, on._settings)


def of_this_space(on: Judging, model: Model, what: str) -> Model:
    """A scale or classifier, unless it was learned from vectors of another model than the collection's.

    Raises
    ------
    ModelMismatch : it was
    """
    refuse_other_space(model.space, on._settings, what, f"learn from texts of '{on.name}'")
    return model


def _reader(on: Judging, space: Mapping[str, Any]) -> Reader:
    """Texts as vectors of the collection's model, which is held against the space first: the file may not know its weights."""

    def read(texts: Sequence[str]) -> Vectors:
        refuse_other_space(space, made_by(on.embedder.spec), f"what '{on.name}' keeps was", "learn it anew")
        return texts_to_vectors(on.embedder, texts, on._settings)

    return read
