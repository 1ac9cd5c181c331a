"""Held out: examples a model has not seen → how often it is right, and what its scores are worth as confidence.

Intervals are Wilson's (1927), which stay honest with ten examples and with all of them right. Confidence is the softmax of
scores divided by one number, which is fitted to held-out scores: Platt's scaling (1999) with one parameter for all classes (Guo
et al. 2017, "On calibration of modern neural networks"), and with Platt's targets: twenty right answers do not make it certain.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ...core.types import Numbers, Scores, Vectors

LEVEL = 1.959964  # standard deviations on either side of what 95% of a normal distribution lie within
COLDEST, HOTTEST = 0.005, 20.0  # what scores may be divided by
STEPS = 40  # of a golden section: 1e-8 of the way
FITTED = 2_000_000  # scores looked at in each of them; of more, every second, third … example
BINS = 10  # of confidences, for how far they are off


class Share(NamedTuple):
    """How many of how many, and the interval in which the true share lies with 95%."""

    value: float
    low: float
    high: float
    hits: int
    tested: int


def share(hits: int, tested: int) -> Share:
    """A share with Wilson's interval; `tested` is 1 or more."""
    value, square = hits / tested, LEVEL**2
    middle = (value + square / (2 * tested)) / (1 + square / tested)
    half = LEVEL * np.sqrt(value * (1 - value) / tested + square / (4 * tested**2)) / (1 + square / tested)
    return Share(value, max(0.0, float(middle - half)), min(1.0, float(middle + half)), hits, tested)


def stratified(classes: Numbers, folds: int, seed: int, alike: Numbers | None = None) -> Iterator[tuple[Numbers, Numbers]]:
    """(positions to learn from, positions to test on), each example tested once, each class spread over the folds.

    An example that is the only one of its class is always learned from and never tested; copies of one count as one.

    Parameters
    ----------
    alike : (n,) the same number for copies of one example, as `copies` gives it. They are held out together: an example whose
        copy was learned from is no held-out one
    """
    random = np.random.default_rng(seed)
    _, first, of = np.unique(np.arange(len(classes)) if alike is None else alike, return_index=True, return_inverse=True)
    kinds = classes[first]
    folded, turn = np.full(len(first), -1), 0
    for number in np.unique(kinds):
        members = random.permutation(np.flatnonzero(kinds == number))
        if len(members) < 2:
            continue
        folded[members] = (turn + np.arange(len(members))) % folds
        turn += len(members)  # small classes do not all begin with the first fold
    fold = folded[of]
    for number in np.unique(classes) if alike is not None else ():
        members = np.flatnonzero(classes == number)
        if len(set(fold[members].tolist())) == 1:  # all are copies of what has another label too
            fold[members] = -1
    for number in range(folds):
        test = np.flatnonzero(fold == number)
        if len(test):
            yield np.flatnonzero(fold != number), test


def copies(vectors: Vectors) -> Numbers:
    """(n,) a number for each of (n, dim) vectors, the same for those that are equal; numbered as they come."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in vectors)
    return np.array([seen.setdefault(digest, len(seen)) for digest in digests], np.int64)


def confidences(scores: Vectors, divisor: float) -> Vectors:
    """(n, c) softmax of scores divided by a number."""
    scaled = scores.astype(np.float64) / divisor
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    found: Vectors = (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def divisor_of(scores: Vectors, classes: Numbers) -> float:
    """What held-out scores (n, c) have to be divided by, so that their softmax is as often right as it says."""
    some = slice(None, None, 1 + scores.size // FITTED)
    scores, classes = scores[some], classes[some]
    at, count = np.arange(len(scores)), len(scores)
    right = (count + 1) / (count + 2)  # Platt's targets: never quite certain
    wrong = (1 - right) / max(1, scores.shape[1] - 1)
    exact = scores.astype(np.float64)
    wanted = (right - wrong) * exact[at, classes] + wrong * exact.sum(axis=1)

    def loss(logarithm: float) -> float:
        divisor = np.exp(logarithm)
        scaled = exact / divisor
        most = scaled.max(axis=1)
        return float((np.log(np.exp(scaled - most[:, None]).sum(axis=1)) + most - wanted / divisor).mean())

    low, high = np.log(COLDEST), np.log(HOTTEST)
    golden = (np.sqrt(5) - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = loss(a), loss(b)
    for _ in range(STEPS):
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = loss(b)
    return float(np.exp((low + high) / 2))


def calibration_error(confidence: Scores, right: NDArray[np.bool_]) -> float:
    """How far confidence is off on average: the mean over ten bins of what was said less what was right, by their sizes."""
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    sums = np.bincount(bins, confidence - right, BINS)
    return float(np.abs(sums).sum() / max(1, len(confidence)))
