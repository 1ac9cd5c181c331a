"""Examples: vectors that are wanted and vectors that are not → the one to search for. Arrays in, an array out.

Two ways to put them together: arithmetic of texts (germany + paris - france), and examples of what is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import BadVector
from ..core.vectors import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Vector

UNLIKE = 0.5  # of the mean of the examples: a document that is like both is as good as one that is like neither


def combined(
    plus: Sequence[Vector], minus: Sequence[Vector] = (), like: Sequence[Vector] = (), unlike: Sequence[Vector] = ()
) -> Vector:
    """The unit vector of plus - minus + mean(like) - mean(unlike) / 2, each vector at unit length.

    Parameters
    ----------
    plus, minus : terms of a sum
    like, unlike : examples; the weights are those of Rocchio's feedback in spirit ("Relevance feedback in information
        retrieval", 1971), where what is unwanted counts for less

    Returns
    -------
    (dim,) float32

    Raises
    ------
    BadVector : they cancel each other out, or there are none
    """
    total = np.zeros(len(next((group[0] for group in (plus, minus, like, unlike) if len(group)), ())), np.float32)
    for group, weight, mean in ((plus, 1.0, False), (minus, -1.0, False), (like, 1.0, True), (unlike, -UNLIKE, True)):
        if len(group):
            units = normalised(np.stack(list(group)))
            total += np.float32(weight) * (units.mean(axis=0) if mean else units.sum(axis=0))
    if not total.any():
        raise BadVector("what is wanted and what is not cancel each other out; leave something out")
    found: Vector = normalised(total[None])[0]
    return found
