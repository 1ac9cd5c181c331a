"""Logistic: vectors and their classes → weights of a multinomial logistic regression. numpy alone; knows no texts.

Written by hand because the library that has it, scikit-learn, is an extra, and what is needed of it is a loss, a gradient and
L-BFGS: test_score.py holds the two against each other. The two-loop recursion is Nocedal's (1980), the loss and its scale those
of LIBLINEAR (Fan et al. 2008) and scikit-learn: C times the sum of losses, plus half the squares of the weights; biases are
free. With two classes this is the multinomial form with two rows of weights, where those programs have one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ...core.types import Numbers, Vectors

    Array = NDArray[np.float64]

REMEMBERED = 10  # steps the curvature is learned from, as everywhere
MOST = 500  # steps; real data took 60 to 160
TOLERANCE = 1e-5  # of the gradient; 1e-6 changed one label in 3,080 and took 1.4 times as many steps, 1e-4 changed seven
CELLS = 1 << 16  # rows × classes of one block: with 8 MB of scores out of the cache, it took seven times as long


class Linear(NamedTuple):
    """`vectors @ weights.T + bias`: a score for each class."""

    weights: Vectors  # (c, dim)
    bias: Vectors  # (c,)

    def scores(self, vectors: Vectors) -> Vectors:
        """(n, c) float32, higher for likelier classes."""
        found: Vectors = vectors @ self.weights.T + self.bias  # (n, dim) @ (dim, c) + (c,) -> (n, c)
        return found


def logistic(vectors: Vectors, classes: Numbers, count: int, *, strength: float, tolerance: float = TOLERANCE) -> Linear:
    """Weights that make the classes of these vectors likeliest, L2-regularised.

    Parameters
    ----------
    vectors : (n, dim) float32, finite
    classes : (n,) from 0; one that no vector has gets no weight to speak of
    count : how many classes there are
    strength : scikit-learn's C: the larger, the closer to the examples
    tolerance : it ends where no entry of the gradient is larger, the loss being a mean over the vectors

    Returns
    -------
    (count, dim) weights and (count,) biases
    """
    centre = vectors.mean(axis=0)  # takes the common direction of all texts out: a third of the steps, the same optimum
    moved = vectors - centre
    dim = moved.shape[1]
    loss = _loss(moved, classes, count, 1 / (strength * len(moved)))
    found = _lbfgs(loss, np.zeros(count * (dim + 1)), tolerance).reshape(count, dim + 1)
    weights = found[:, :dim].astype(np.float32)
    bias = found[:, dim] - found[:, :dim] @ centre.astype(np.float64)
    return Linear(np.ascontiguousarray(weights), (bias - bias.mean()).astype(np.float32))


def _loss(vectors: Vectors, classes: Numbers, count: int, penalty: float) -> Callable[[Array], tuple[float, Array]]:
    """Mean loss and its gradient as a function of weights and biases, computed block by block in float32."""
    n, dim = vectors.shape
    rows = min(max(CELLS // count, 64), 1_024)

    def value(flat: Array) -> tuple[float, Array]:
        both = flat.reshape(count, dim + 1)
        weights, bias = both[:, :dim].astype(np.float32), both[:, dim].astype(np.float32)
        gradient, total = np.zeros_like(both), 0.0
        for start in range(0, n, rows):
            block, wanted = vectors[start : start + rows], classes[start : start + rows]
            scores = block @ weights.T + bias  # (b, dim) @ (dim, c) -> (b, c)
            scores -= scores.max(axis=1, keepdims=True)
            at = np.arange(len(block))
            total -= float(scores[at, wanted].sum(dtype=np.float64))
            np.exp(scores, out=scores)
            sums = scores.sum(axis=1, keepdims=True)
            total += float(np.log(sums).sum(dtype=np.float64))
            scores /= sums
            scores[at, wanted] -= 1
            gradient[:, :dim] += scores.T @ block  # (c, b) @ (b, dim) -> (c, dim)
            gradient[:, dim] += scores.sum(axis=0, dtype=np.float64)
        gradient /= n
        gradient[:, :dim] += penalty * both[:, :dim]
        return total / n + penalty / 2 * float(np.square(both[:, :dim]).sum()), gradient.ravel()

    return value


def _lbfgs(function: Callable[[Array], tuple[float, Array]], at: Array, tolerance: float) -> Array:
    """The minimum of a smooth convex function, from here downhill."""
    value, gradient = function(at)
    steps: list[tuple[Array, Array, float]] = []  # how far it went, how the gradient changed, 1 over their product
    for _ in range(MOST):
        if np.abs(gradient).max() <= tolerance:
            break
        direction = _downhill(gradient, steps)
        slope = float(direction @ gradient)
        size = 1.0 if steps else min(1.0, 1 / float(np.abs(gradient).sum()))
        while True:
            there = at + size * direction
            next_value, next_gradient = function(there)
            if next_value <= value + 1e-4 * size * slope:  # Armijo
                break
            size /= 2
            if size < 1e-10:  # float32 has no lower value
                return at
        moved, turned = there - at, next_gradient - gradient
        product = float(moved @ turned)
        if product > 1e-12 * float(turned @ turned):
            steps = [*steps[1 - REMEMBERED :], (moved, turned, 1 / product)]
        at, value, gradient = there, next_value, next_gradient
    return at


def _downhill(gradient: Array, steps: list[tuple[Array, Array, float]]) -> Array:
    """Minus the inverse Hessian, as the last steps suggest it, times the gradient."""
    direction, along = -gradient, []
    for moved, turned, weight in reversed(steps):
        along.append(weight * float(moved @ direction))
        direction = direction - along[-1] * turned
    if steps:
        moved, turned, weight = steps[-1]
        direction *= 1 / (weight * float(turned @ turned))
    for (moved, turned, weight), alpha in zip(steps, reversed(along), strict=True):
        direction = direction + (alpha - weight * float(turned @ direction)) * moved
    return direction
