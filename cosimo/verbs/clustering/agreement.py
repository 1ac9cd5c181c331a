"""Agreement: two ways to sort the same items into groups → how much they agree. numpy alone; sorts nothing itself.

Normalised mutual information with the arithmetic mean of the entropies (Strehl & Ghosh, JMLR 3, 2002; Vinh, Epps & Bailey, JMLR
11, 2010), the Rand index adjusted for chance (Hubert & Arabie, Journal of Classification 2, 1985), and purity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far clusters agree with labels. All three are 1 where they are the same; `nmi` and `ari` about 0 for chance."""

    nmi: float
    ari: float  # below 0 where they agree less than chance would
    purity: float  # share of items whose label is the commonest of their cluster: more clusters, more of it
    items: int  # compared
    clusters: int
    labels: int
    unlabelled: int = 0  # items without a label, left out


def agreement(clusters: Sequence[Hashable], labels: Sequence[Hashable], *, unlabelled: int = 0) -> Agreement:
    """How far clusters and labels of the same items agree; of no items at all they agree in everything."""
    if len(clusters) != len(labels):
        raise ValueError(f"{len(clusters)} clusters of {len(labels)} labels")
    first, rows = _numbered(clusters)
    second, columns = _numbered(labels)
    counts = _pairs(first, second, columns)
    by_row, by_column = np.bincount(first, minlength=rows), np.bincount(second, minlength=columns)
    best = np.zeros(rows, np.int64)
    np.maximum.at(best, counts[:, 0], counts[:, 2])
    purity = float(best.sum() / len(first)) if len(first) else 1.0
    return Agreement(
        _nmi(counts, by_row, by_column), _ari(counts[:, 2], by_row, by_column), purity, len(first), rows, columns, unlabelled
    )


def _numbered(values: Sequence[Hashable]) -> tuple[NDArray[np.int64], int]:
    numbers: dict[Hashable, int] = {}
    found = np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int64, len(values))
    return found, len(numbers)


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """(m, 3) row, column and count of the table's cells that are not empty: 10,000 labels of 1,000 clusters are no matrix."""
    cells, counts = np.unique(first * max(columns, 1) + second, return_counts=True)
    return np.column_stack([cells // max(columns, 1), cells % max(columns, 1), counts])


def _nmi(counts: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    total = rows.sum()
    if len(rows) <= 1 and len(columns) <= 1:
        return 1.0
    share = counts[:, 2] / total
    expected = rows[counts[:, 0]] / total * (columns[counts[:, 1]] / total)
    shared = float((share * np.log(share / expected)).sum())
    mean = (_entropy(rows / total) + _entropy(columns / total)) / 2
    return min(max(shared / mean, 0.0), 1.0)


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(shares)).sum())


def _ari(cells: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    together, in_rows, in_columns = (float((n * (n - 1.0) / 2).sum()) for n in (cells, rows, columns))
    pairs = rows.sum() * (rows.sum() - 1.0) / 2
    chance = in_rows * in_columns / pairs if pairs else 0.0
    most = (in_rows + in_columns) / 2
    return 1.0 if most == chance else float((together - chance) / (most - chance))
