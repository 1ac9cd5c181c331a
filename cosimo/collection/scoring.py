"""Scoring: scales and classifiers together with the model that reads texts for them; with a collection, or without one.

`scale` and `classifier` learn from texts alone. What a collection learns and keeps comes from its own methods (`judging`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.compatibility import made_by
from ..core.content import storable
from ..core.errors import DataError
from ..verbs.classes import learn_classes
from ..verbs.score import learn_scale, plain, positions
from ..verbs.scoring.kept_models import KeptClasses, KeptScale
from ..verbs.scoring.labels import distinct
from ..verbs.scoring.space import space_of, texts_to_vectors
from .arguments import labelled, several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..core.types import Vectors
    from ..verbs.classes import Method, Prediction
    from ..verbs.score import Axis, Trust
    from ..verbs.scoring.class_report import Report
    from ..verbs.scoring.shading import Shaded

    Reader = Callable[[Sequence[str]], Vectors]  # texts → (n, dim) unit vectors, zeros where a text says nothing

TEMPLATE = "{}"  # of the sentences tried, none was better than the bare name: 62% of banking77's questions, 61 to 63% with them


class Scale:
    """A scale between two sets of examples, and the model that reads texts for it."""

    def __init__(self, kept: KeptScale, read: Reader) -> None:
        self.axis, self.trust, self.ends, self.space = kept
        self._read = read

    def score(self, texts: str | Sequence[str]) -> list[float | None]:
        """Where texts lie: -1 as the low examples do on average, 1 as the high ones; None for an empty one."""
        return plain(positions(self.axis, self._read(several(texts))))

    def sentences(self, text: str) -> Shaded:
        """Where each sentence of a text lies; `.html()` of it is a page, and in a notebook it shows itself."""
        from ..sources.sentences import sentences
        from ..verbs.scoring.shading import shaded

        spans = sentences(text)
        scores = self.score([text[start:end] for start, end in spans]) if spans else []
        return shaded(text, spans, scores, self.ends, str(self.trust))

    def __repr__(self) -> str:
        return f"<cosimo scale {self.ends[0]} … {self.ends[1]}: {self.trust}>"


class Classifier:
    """A classifier, and the model that reads texts for it."""

    def __init__(self, kept: KeptClasses, read: Reader) -> None:
        self.classes, self.space = kept
        self._read = read

    @property
    def labels(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self.classes.labels

    @property
    def report(self) -> Report:
        """How good it is, by held-out examples."""
        return self.classes.report

    def classify(self, texts: str | Sequence[str], *, min_confidence: float = 0.0) -> list[Prediction]:
        """A label and the confidence in it for each text; ids are their places in the list.

        Parameters
        ----------
        min_confidence : below it the label is None

        Raises
        ------
        DataError : a least confidence that is none
        """
        given = several(texts)
        return self.classes.classify([str(at) for at in range(len(given))], self._read(given), min_confidence)

    def __repr__(self) -> str:
        return f"<cosimo classifier: {self.report}>"


def scale(
    low: Sequence[str], high: Sequence[str], *, ends: tuple[str, str] = ("low", "high"), model: str | None = None,
    precision: str | None = None,
) -> Scale:  # fmt: skip
    """A scale between two sets of example texts; nothing is kept.

    Parameters
    ----------
    low, high : texts; one an end is enough to begin with, twenty are better
    ends : what the ends are called
    model : left out, the default

    Raises
    ------
    DataError : an end without examples
    BadVector : the ends are the same
    """
    low, high, ends = several(low), several(high), ends_of(ends)
    read, space = _reader(model, precision)
    return Scale(KeptScale(*learned(low, high, read), ends, space), read)


def ends_of(ends: Sequence[str]) -> tuple[str, str]:
    """What the two ends of a scale are called.

    Raises
    ------
    DataError : not two names
    """
    found = several(ends)
    if len(found) != 2:
        raise DataError(f"a scale has two ends, and their names are two texts, not {ends!r:.60}")
    return storable(found[0]), storable(found[1])


def learned(low: Sequence[str], high: Sequence[str], read: Reader) -> tuple[Axis, Trust]:
    """The axis between two sets of texts, each text counted once, and how far it is to be trusted."""
    from dataclasses import replace

    groups = [list(dict.fromkeys(text for given in group if (text := storable(given).strip()))) for group in (low, high)]
    for group, name in zip(groups, ("low", "high"), strict=True):
        if not group:
            raise DataError(f"the {name} end has no examples; give at least one text, better twenty")
    vectors = read([*groups[0], *groups[1]])
    axis, trust = learn_scale(vectors[: len(groups[0])], vectors[len(groups[0]) :])
    return axis, replace(trust, left_out=trust.left_out + len(low) + len(high) - len(vectors))


def classifier(
    examples: Sequence[tuple[str, str]] = (),
    *,
    names: Sequence[str] | None = None,
    method: Method = "auto",
    template: str = TEMPLATE,
    folds: int = 5,
    seed: int = 0,
    model: str | None = None,
    precision: str | None = None,
) -> Classifier:
    """A classifier from texts and their labels, or from the names of the classes alone; nothing is kept.

    Parameters
    ----------
    examples : (text, label) each; with `names` they only test it
    names : of the classes, where there are no examples to learn from
    method, folds, seed : as for `Collection.learn_classes`
    template : what is embedded of a name, `{}` being the name itself

    Raises
    ------
    DataError : fewer than two classes, names for a method that learns from examples
    """
    pairs, names = labelled(examples), None if names is None else several(names)
    refuse_names(names, method)
    read, space = _reader(model, precision)
    vectors = read([text for text, _ in pairs])
    labels = [label for _, label in pairs]
    said = names if names is not None else [label for label in labels if label]
    named = names_to_vectors(read, said, template) if names is not None or method == "names" else None
    made = learn_classes(vectors, labels, method=method, folds=folds, seed=seed, names=named)
    return Classifier(KeptClasses(made, space), read)


def refuse_names(names: Sequence[str] | None, method: str) -> None:
    """Raise `DataError` where names are given for a method that has no use for them."""
    if names is not None and method not in ("auto", "names"):
        raise DataError(f"names are for method names, and {method} learns from examples; leave one of them out")


def names_to_vectors(read: Reader, names: Sequence[str], template: str) -> dict[str, NDArray[np.float32]]:
    """The vectors of the names of classes; `_` in a name is read as a space.

    Raises
    ------
    DataError : fewer than two names, a template without a place for the name, a name of which the model knows nothing
    """
    labels = distinct(names)
    if template.count("{}") != 1:
        raise DataError(f"a template holds {{}} once, where the name of a class goes, unlike {template!r}")
    vectors = read([template.replace("{}", label.replace("_", " ")) for label in labels])
    unknown = [label for label, vector in zip(labels, vectors, strict=True) if not vector.any()]
    if unknown:
        raise DataError(f"the model has no vector for the name {unknown[0]!r}; give the class another name, or examples")
    return dict(zip(labels, vectors, strict=True))


def _reader(model: str | None, precision: str | None) -> tuple[Reader, dict[str, Any]]:
    """What makes vectors of texts, without a collection, and their space."""
    from .models import load_embedder

    embedder = load_embedder(config.default_model() if model is None else model, precision=precision)
    settings = made_by(embedder.spec)
    return (lambda texts: texts_to_vectors(embedder, texts, settings)), space_of(settings)
