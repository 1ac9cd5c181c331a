"""Class report: held-out examples and what they were taken for → how good a classifier is, by class and by confidence."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from .held_out import Share, calibration_error, confidences, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...core.types import Numbers, Vectors

STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # confidences of which is told what would be answered, and how much of it right
MOST = 1_000  # pairs of classes that are told


class OfClass(NamedTuple):
    """One class among held-out examples: how many of them are found, how many of those found are right. None: not tested."""

    label: str
    examples: int
    recall: float | None
    precision: float | None


class Confused(NamedTuple):
    """How often held-out examples of one class were taken for another."""

    label: str
    taken_for: str
    times: int


class Answered(NamedTuple):
    """What a least confidence does: the share of held-out examples that get a label, and how many of those are right."""

    confidence: float
    share: float
    accuracy: float | None  # None: nothing is answered


@dataclass(frozen=True, slots=True)
class Report:
    """How good a classifier is, by held-out examples."""

    method: str
    examples: int
    left_out: int  # without a label, or a vector
    accuracy: Share | None  # None: nothing could be held out
    baseline: float | None  # of who always says the most frequent class
    off: float | None  # how far confidence is from accuracy, on average
    classes: tuple[OfClass, ...]
    confused: tuple[Confused, ...]  # most frequent first; the first 1,000 pairs
    answered: tuple[Answered, ...]

    def __str__(self) -> str:
        count = f"{self.method}, {len(self.classes):,} classes, {self.examples:,} examples"
        if self.accuracy is None:
            few = "two different examples a class are needed for that"
            why = few if self.examples else "there are no examples to test it on"
            return f"{count}; how good it is cannot be said: {why}"
        low, high = 100 * self.accuracy.low, 100 * self.accuracy.high
        said = f"{self.accuracy.value:.1%} of {self.accuracy.tested:,} held-out ones right (95%: {low:.1f}–{high:.1f}%"
        return f"{count}; {said}; always the most frequent: {self.baseline or 0:.1%})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `of` reads it."""
        named = ("accuracy", "classes", "confused", "answered")
        plain: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["accuracy"] = self.accuracy and self.accuracy._asdict()
        return plain | {name: [row._asdict() for row in plain[name]] for name in named[1:]}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """The report that `to_dict` wrote."""
        kinds = {"classes": OfClass, "confused": Confused, "answered": Answered}
        rows = {name: tuple(kind(**row) for row in plain[name]) for name, kind in kinds.items()}
        return cls(**{**plain, **rows, "accuracy": plain["accuracy"] and Share(**plain["accuracy"])})


def untested(method: str, labels: Sequence[str], classes: Numbers, left_out: int) -> Report:
    """What can be said where no example could be held out."""
    sizes = np.bincount(classes, minlength=len(labels)).tolist()
    rows = tuple(OfClass(label, size, None, None) for label, size in zip(labels, sizes, strict=True))
    return Report(method, len(classes), left_out, None, None, None, rows, (), ())


def reported(
    method: str, labels: Sequence[str], classes: Numbers, tested: Numbers, scores: Vectors, divisor: float, left_out: int
) -> Report:
    """What is to be said of held-out examples.

    Parameters
    ----------
    classes : (n,) of all examples, as positions in `labels`
    tested : (t,) positions of those that were held out
    scores : (t, c) of these
    """
    truth, count = classes[tested], len(labels)
    sure = confidences(scores, divisor)
    found, top = sure.argmax(axis=1), sure.max(axis=1)
    right = found == truth
    sizes, of_truth, of_found, of_both = (np.bincount(each, minlength=count) for each in (classes, truth, found, truth[right]))
    rows = tuple(
        OfClass(label, int(sizes[at]), _ratio(of_both[at], of_truth[at]), _ratio(of_both[at], of_found[at]))
        for at, label in enumerate(labels)
    )
    answered = tuple(Answered(step, round(float((top >= step).mean()), 4), _mean(right[top >= step])) for step in STEPS)
    return Report(
        method, len(classes), left_out, share(int(right.sum()), len(right)), round(float(of_truth.max() / len(truth)), 6),
        round(calibration_error(top, right), 4), rows, _confused(labels, truth, found), answered,
    )  # fmt: skip


def _confused(labels: Sequence[str], truth: Numbers, found: Numbers) -> tuple[Confused, ...]:
    """Pairs of classes; a table of all of them would be 800 MB for 10,000 classes."""
    wrong = truth != found
    pairs, times = np.unique(truth[wrong] * len(labels) + found[wrong], return_counts=True)
    order = np.argsort(-times, kind="stable")[:MOST]
    return tuple(
        Confused(labels[pair // len(labels)], labels[pair % len(labels)], count)
        for pair, count in zip(pairs[order].tolist(), times[order].tolist(), strict=True)
    )


def _ratio(part: int, whole: int) -> float | None:
    return round(float(part / whole), 4) if whole else None


def _mean(values: NDArray[np.bool_]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
