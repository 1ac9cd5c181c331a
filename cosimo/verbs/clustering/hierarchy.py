"""Hierarchy: centres of clusters → groups of clusters, and groups of groups. Agglomerative, by Ward's criterion; numpy alone.

Each centre counts as one point, whatever its size: a level up shows how subjects belong together, not where the items are.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ...core.types import Numbers, Vectors

GLANCE = 8  # clusters that a reader takes in at a glance: no level above as few
UP = 2  # levels above the clusters themselves


def levels(k: int) -> list[int]:
    """How many groups each level above k clusters has: the square root, and again: 77 clusters in 9 groups in 3."""
    found: list[int] = []
    while k > GLANCE and len(found) < UP:
        k = round(sqrt(k))
        found.append(k)
    return found


def grouped(centres: Vectors, groups: int) -> Numbers:
    """(k,) of each centre its group, numbered in the order of the centres.

    Ward's criterion by the formula of Lance and Williams (Computer Journal 9, 1967): of all pairs the two are joined that lie
    together the nearest. A thousand centres take half a second.

    Parameters
    ----------
    centres : (k, dim)
    groups : 1 to k
    """
    count = len(centres)
    distances = np.maximum(2 - 2 * (centres @ centres.T), 0).astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    sizes, member = np.ones(count), np.arange(count)
    near = distances.argmin(axis=1)  # of each the nearest, so that no step looks at all pairs
    for _ in range(count - groups):
        one = int(distances[np.arange(count), near].argmin())
        one, other = sorted((one, int(near[one])))
        joined = (sizes + sizes[one]) * distances[one] + (sizes + sizes[other]) * distances[other]
        joined = (joined - sizes * distances[one, other]) / (sizes + sizes[one] + sizes[other])
        joined[[one, other]] = np.inf
        distances[one], distances[:, one] = joined, joined
        distances[other], distances[:, other] = np.inf, np.inf
        sizes[one] += sizes[other]
        member[member == other] = one
        moved = np.flatnonzero((near == one) | (near == other))
        near[moved] = distances[moved].argmin(axis=1)
        near[one] = distances[one].argmin()
        closer = joined < distances[np.arange(count), near]
        near[closer] = one
    _, first = np.unique(member, return_index=True)
    order = {int(member[place]): number for number, place in enumerate(np.sort(first))}
    return np.array([order[int(each)] for each in member], np.int64)
