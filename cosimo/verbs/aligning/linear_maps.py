"""Linear maps: pairs of vectors → the map from the first to the second with a closed form: ridge regression, or a rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]  # (n, dim)

# ridges that are tried, as shares of the mean variance along the source's directions
SHARES = tuple(float(share) for share in 10.0 ** np.arange(-9, 2.25, 0.5))
TRIED = 4_000  # pairs that a ridge is chosen by


class Affine(NamedTuple):
    """x → x @ matrix + offset."""

    matrix: Matrix  # (source dim, target dim)
    offset: NDArray[np.float64]  # (target dim,)
    ridge: float | None = None  # the share that was chosen


def ridge(source: Matrix, target: Matrix) -> Affine:
    """The map with the least squared error and a penalty on its size, of the size that predicts pairs left out best.

    The error of each pair under a map learned from all the others has a closed form: its residual divided by one minus its
    leverage (Allen's PRESS, 1974), so that no map is learned twice. Both sides are centred, and the offset is not penalised.

    Parameters
    ----------
    source, target : (n, dim) each, n at least 2; rows of one place belong together
    """
    x, y, means = _centred(source, target)
    variances, directions = _factored(x)
    moments = directions.T @ (x.T @ y)
    tried = np.linspace(0, len(x) - 1, min(len(x), TRIED)).astype(np.int64)
    part, actual = x[tried] @ directions, y[tried]

    def error(penalty: float) -> float:
        leverage = np.einsum("ij,ij,j->i", part, part, 1 / (variances + penalty)) + 1 / len(x)
        residual = actual - part @ (moments / (variances + penalty)[:, None])
        return float(np.square(residual / np.maximum(1 - leverage, 1e-9)[:, None]).sum())

    mean = float(variances.mean())
    share = min(SHARES, key=lambda share: error(share * mean))
    return _affine(directions @ (moments / (variances + share * mean)[:, None]), means, share)


def orthogonal(source: Matrix, target: Matrix) -> Affine:
    """The rotation, with one scale, that brings the source nearest to the target (Schönemann 1966).

    Between spaces of different length its rows, or columns, are orthonormal: the source is laid into the target, or a part of
    it as large as the target is.
    """
    x, y, means = _centred(source, target)
    left, singular, right = np.linalg.svd(x.T @ y, full_matrices=False)
    return _affine(left @ right * (singular.sum() / np.square(x).sum()), means, None)


def _centred(source: Matrix, target: Matrix) -> tuple[Matrix, Matrix, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    means = source.mean(axis=0), target.mean(axis=0)
    return source - means[0], target - means[1], means


def _affine(matrix: Matrix, means: tuple[NDArray[np.float64], NDArray[np.float64]], share: float | None) -> Affine:
    return Affine(matrix, means[1] - means[0] @ matrix, share)


def _factored(x: Matrix) -> tuple[NDArray[np.float64], Matrix]:
    """The squared lengths of x along its principal directions, and these, the columns of (dim, at most n)."""
    if x.shape[0] > x.shape[1]:  # the smaller square of both: of 50,000 × 384 numbers a fifth of the time
        variances, directions = np.linalg.eigh(x.T @ x)
        return np.clip(variances, 0, None), directions
    _, singular, right = np.linalg.svd(x, full_matrices=False)
    return np.square(singular), right.T
