"""Classes: vectors and their labels → a classifier, as plain numbers, with its accuracy on held-out examples. Reads no text.

Three ways to one and the same thing, a row of weights for each class:

regression : multinomial logistic regression (`logistic`). The best from two examples a class on
means      : the mean of each class, nearest by cosine: Rocchio's (1971) classifier. At once for any number of classes
names      : the vectors of the labels' own names, no examples needed (zero-shot, Chang et al. 2008, "Importance of semantic
             representation: dataless classification")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ..core.checks import seed_of, whole_number
from ..core.errors import Corrupt, DataError
from ..core.parallel import in_parallel
from ..core.progress import note
from ..core.vectors import normalised
from .scoring.class_report import Report, reported, untested
from .scoring.held_out import confidences, copies, divisor_of, stratified
from .scoring.logistic import TOLERANCE, Linear, logistic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..core.types import Numbers, Vectors

Method: TypeAlias = Literal["auto", "regression", "means", "names"]
METHODS: tuple[Method, ...] = ("auto", "regression", "means", "names")
STRENGTH = 10.0  # scikit-learn's C. For 2 to 130 examples a class of banking77, 3 was up to 0.013 worse, 30 and 100 as good
MOST = 1_000  # classes of a regression
LONG = 400_000  # examples × classes from which on a person at a terminal is told what takes seconds
CELLS = 50_000_000  # examples × classes of one: some two minutes
ROUGH = 1e-4  # tolerance of a regression that only tests: labels differ in 2 of 1,000, in half the time
TESTED = 20_000  # examples that are held out in turn, of more: accuracy is then known to half a percent
# what scores are divided by where no held-out examples say it: what they said of banking77, in the middle
DIVISORS = {"regression": 0.5, "means": 0.05, "names": 0.05}
SCORES = 20_000_000  # of held-out examples, held at once: 80 MB
BLOCK = 4_000_000  # scores made at a time of what is classified
THREADS = 2  # folds at a time; each of them uses one core


class Prediction(NamedTuple):
    """What an item is taken for. `label` None: too little confidence; `confidence` None too: its vector has no direction."""

    id: str
    label: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Classes:
    """A classifier as numbers."""

    labels: tuple[str, ...]
    linear: Linear
    divisor: float  # of its scores, before they become confidence
    report: Report

    def classify(self, ids: Sequence[str], vectors: Vectors, min_confidence: float = 0.0) -> list[Prediction]:
        """A label and the confidence in it for each of (n, dim) unit vectors.

        Raises
        ------
        DataError : a least confidence that is none
        Corrupt : weights that are no numbers, or of another length
        """
        checked_confidence(min_confidence)
        if not self._sound(vectors.shape[1]):
            raise Corrupt("the kept classes are damaged; learn them anew")
        found: list[Prediction] = []
        rows = max(1, BLOCK // len(self.labels))
        for start in range(0, len(vectors), rows):
            block = vectors[start : start + rows]
            sure = confidences(self.linear.scores(block), self.divisor)
            best = sure.argmax(axis=1)
            top = sure[np.arange(len(block)), best]
            there = np.abs(block).max(axis=1) > 0
            for id, at, value, known in zip(
                ids[start : start + rows], best.tolist(), top.tolist(), there.tolist(), strict=True
            ):
                confident = known and value >= min_confidence
                label = self.labels[at] if confident else None
                found.append(Prediction(id, label, round(value, 6) if known else None))
        return found

    def _sound(self, dim: int) -> bool:
        weights, bias = self.linear
        whole = weights.shape == (len(self.labels), dim) and bias.shape == (len(self.labels),)
        return bool(whole and np.isfinite(weights).all() and np.isfinite(bias).all() and 0 < self.divisor < np.inf)


def checked_confidence(value: float) -> None:
    """Raise `DataError` unless it is a share."""
    if isinstance(value, str) or not 0 <= value <= 1:  # NaN neither
        raise DataError(f"a least confidence is a number from 0 to 1, not {value!r:.60}")


def checked_method(method: str) -> None:
    """Raise `DataError` unless there is such a method."""
    if method not in METHODS:
        raise DataError(f"no method is called '{method}'; known are {', '.join(METHODS)}")


def learn_classes(
    vectors: Vectors, labels: Sequence[str | None], *, method: Method = "auto", folds: int = 5, seed: int = 0,
    names: Mapping[str, NDArray[Any]] | None = None,
) -> Classes:  # fmt: skip
    """A classifier from labelled vectors, with its accuracy on held-out ones.

    Parameters
    ----------
    vectors : (n, dim) unit vectors; those of zeros are left out
    labels : of each; None or "" is none
    method : auto is regression, as long as that is a matter of minutes
    folds : parts of which each is held out in turn; of more than 20,000 examples, 20,000 are
    seed : of what goes into which part
    names : for method names, label → the vector of its name; `vectors` may be empty, and is for testing alone

    Raises
    ------
    DataError : fewer than two classes, fewer than two folds, no seed, no such method, a regression of too many classes
    """
    checked_method(method)
    folds, seed = whole_number(folds, 2, 100, "the number of parts that are held out is"), seed_of(seed)
    usable = np.flatnonzero(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
    kept = np.array([at for at in usable.tolist() if labels[at]], np.int64)
    mine = [str(labels[at]) for at in kept.tolist()]
    given = sorted(names) if names is not None else sorted(set(mine))
    if len(given) < 2:
        raise DataError(f"classes need two labels or more, and there {f'is one: {given[0][:80]!r}' if given else 'is none'}")
    known = {label: number for number, label in enumerate(given)}
    held = np.array([label in known for label in mine], bool)
    examples, classes = vectors[kept[held]], np.array([known[label] for label in mine if label in known], np.int64)
    lost = len(vectors) - len(examples)
    if names is not None:
        return _of_names(tuple(given), normalised(np.stack([names[label] for label in given])), examples, classes, lost)
    chosen = _chosen(method, len(examples), len(given))
    return _of_examples(tuple(given), examples, classes, chosen, folds, seed, lost)


def _chosen(method: Method, examples: int, classes: int) -> str:
    """regression or means.

    Raises
    ------
    DataError : a regression of too many classes
    """
    if method == "means":
        return method
    if method == "names":
        raise DataError("method names needs a model for the vectors of the labels' names, and this collection has none")
    small = classes <= MOST and examples * classes <= CELLS
    if 2 * classes > examples and classes > MOST:
        raise DataError(
            f"there are {classes:,} labels for {examples:,} items, so hardly two share one; choose another field,"
            " or method means"
        )
    if method == "regression" and not small:
        raise DataError(f"a regression of {examples:,} examples and {classes:,} classes takes too long; choose method means")
    return "regression" if small else "means"


def _fitted(method: str, vectors: Vectors, classes: Numbers, count: int, tolerance: float = TOLERANCE) -> Linear:
    if method == "regression":
        return logistic(vectors, classes, count, strength=STRENGTH, tolerance=tolerance)
    order = np.argsort(classes, kind="stable")
    sizes = np.bincount(classes, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    there = sizes > 0
    sums[there] = np.add.reduceat(vectors[order], starts[there], axis=0)
    return Linear(normalised(sums), np.zeros(count, np.float32))


def _of_names(labels: tuple[str, ...], weights: Vectors, examples: Vectors, classes: Numbers, lost: int) -> Classes:
    """Nothing is learned from the examples but what confidence is worth, so all of them are held-out ones."""
    linear = Linear(weights, np.zeros(len(labels), np.float32))
    tested = _some(np.arange(len(examples)), len(labels), seed=0)
    return _tested("names", labels, linear, classes, tested, linear.scores(examples[tested]), lost)


def _of_examples(
    labels: tuple[str, ...], examples: Vectors, classes: Numbers, method: str, folds: int, seed: int, lost: int
) -> Classes:
    from threadpoolctl import threadpool_limits

    count = len(labels)
    if method == "regression" and len(examples) * count > LONG:
        note(f"learning {count:,} classes from {len(examples):,} examples, and testing them on held-out ones")
    with threadpool_limits(1, "blas"):  # small products: sharing each among cores took three times as long
        linear = _fitted(method, examples, classes, count)
        tested, scores = _held_out(examples, classes, count, method, folds, seed)
    return _tested(method, labels, linear, classes, tested, scores, lost)


def _tested(
    method: str, labels: tuple[str, ...], linear: Linear, classes: Numbers, tested: Numbers, scores: Vectors, lost: int
) -> Classes:
    """The classifier with what held-out examples say of it."""
    if not len(tested):
        return Classes(labels, linear, DIVISORS[method], untested(method, labels, classes, lost))
    divisor = divisor_of(scores, classes[tested])
    return Classes(labels, linear, divisor, reported(method, labels, classes, tested, scores, divisor, lost))


def _held_out(examples: Vectors, classes: Numbers, count: int, method: str, folds: int, seed: int) -> tuple[Numbers, Vectors]:
    """(t,) positions of held-out examples, and (t, c) their scores by a classifier that has not seen them."""
    learned = np.arange(len(examples))
    if method == "regression" and len(learned) > TESTED:  # the means of all take a second
        learned = np.sort(np.random.default_rng(seed).permutation(len(examples))[:TESTED])
    wanted = np.zeros(len(examples), bool)
    wanted[_some(learned, count, seed)] = True

    def tested(part: tuple[Numbers, Numbers], _: object) -> tuple[Numbers, Vectors]:
        rest, held = learned[part[0]], learned[part[1]]
        held = held[wanted[held]]
        return held, _fitted(method, examples[rest], classes[rest], count, ROUGH).scores(examples[held])

    parts = stratified(classes[learned], folds, seed, copies(examples[learned]))
    found = list(in_parallel(tested, parts, THREADS))
    if not found:
        return np.empty(0, np.int64), np.empty((0, count), np.float32)
    at = np.concatenate([positions for positions, _ in found])
    order = np.argsort(at)  # folds are done in any order
    return at[order], np.concatenate([scores for _, scores in found])[order]


def _some(positions: Numbers, count: int, seed: int) -> Numbers:
    """As many of these positions as are tested, where each has so many scores."""
    most = min(TESTED, max(1, SCORES // count))
    return positions if len(positions) <= most else np.random.default_rng(seed).permutation(positions)[:most]
