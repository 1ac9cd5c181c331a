"""Units: the numbers indexes speak of: one for each passage of a document. Reads nothing, imports no numpy by itself.

A unit's number is `document << 20 | seq`. So the units of a document are one contiguous range of numbers, any of them
says which document it is of, and no table between the two is kept, in memory or on disk. 2^20 passages a document is a
book of 250 million tokens; 2^43 documents are more than SQLite hands out in a century of 1,000 inserts a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .types import Numbers

SHIFT = 20
MAX_SEQ = (1 << SHIFT) - 1
MAX_DOCUMENT = (1 << (63 - SHIFT)) - 1


def units_of(documents: Numbers | Sequence[int], seqs: Numbers | int = 0) -> Numbers:
    """(n,) int64 unit numbers of documents' passages; without `seqs` the first one's, which a whole document has.

    Raises
    ------
    OverflowError : a document number or seq outside of what 43 and 20 bits hold
    """
    import numpy as np

    documents = np.asarray(documents, np.int64)
    if len(documents) and (documents.min() < 0 or documents.max() > MAX_DOCUMENT):
        raise OverflowError(f"a document number is outside 0 to {MAX_DOCUMENT}")
    if np.size(seqs) and (np.min(seqs) < 0 or np.max(seqs) > MAX_SEQ):
        raise OverflowError(f"a passage number is outside 0 to {MAX_SEQ}")
    units: Numbers = (documents << SHIFT) | seqs
    return units


def documents_of(units: Numbers) -> Numbers:
    """(n,) int64 numbers of the documents that units are of."""
    documents: Numbers = units >> SHIFT
    return documents


def seqs_of(units: Numbers) -> Numbers:
    """(n,) int64 places of units within their documents, from 0."""
    seqs: Numbers = units & MAX_SEQ
    return seqs


def distinct(sorted_documents: Numbers) -> Numbers:
    """Ascending numbers without repetitions; a third of the time of `np.unique`, which sorts again."""
    import numpy as np

    if len(sorted_documents) < 2:
        return sorted_documents
    first: Numbers = sorted_documents[np.concatenate([[True], sorted_documents[1:] != sorted_documents[:-1]])]
    return first


def places_of(units: Numbers, documents: Numbers) -> Numbers:
    """Where the units of some documents lie.

    Parameters
    ----------
    units : (n,) ascending
    documents : (m,) ascending, no matter whether they are there

    Returns
    -------
    (p,) int64 positions in `units`, ascending
    """
    import numpy as np

    if not len(units) or not len(documents):
        return np.empty(0, np.int64)
    if len(documents) > len(units) // 16:  # many: one look at each unit is cheaper than two bisections a document
        return np.flatnonzero(_among(documents_of(units), documents))
    starts = np.searchsorted(units, documents << SHIFT)
    lengths = np.searchsorted(units, (documents << SHIFT) | MAX_SEQ, side="right") - starts
    ends = np.cumsum(lengths)
    # 0 … p-1, each range moved from where it lies in the result to where it starts in `units`
    at: Numbers = np.arange(int(ends[-1]), dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return at


def _among(owners: Numbers, documents: Numbers) -> NDArray[np.bool_]:
    """Which of (n,) ascending numbers are in another ascending list."""
    import numpy as np

    low, high = int(owners[0]), int(owners[-1])
    inside = documents[np.searchsorted(documents, low) : np.searchsorted(documents, high, side="right")]
    if high - low < 16 * len(owners):  # numbers as close together as they mostly are: a table, 10 times as fast
        table = np.zeros(high - low + 1, np.bool_)
        table[inside - low] = True
        held: NDArray[np.bool_] = table[owners - low]
        return held
    if not len(inside):
        return np.zeros(len(owners), np.bool_)
    at = np.minimum(np.searchsorted(inside, owners), len(inside) - 1)
    matches: NDArray[np.bool_] = inside[at] == owners
    return matches
