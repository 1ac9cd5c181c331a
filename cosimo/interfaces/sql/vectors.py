"""Vectors: what SQL says of vectors alone: cosine, dot product, JSON, mean. Values of SQLite in and out; knows no model."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ...core.errors import BadVector, DataError, DimensionMismatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Double = NDArray[np.float64]  # (dim,): sums of products of float32 lose digits that decide the order of near rows


class Side:
    """One side of a comparison: blobs → vectors. The last one is remembered, since in a query one side stays the same."""

    def __init__(self) -> None:
        self._blob: bytes | None = None
        self._vector: Double | None = None
        self._length = 0.0

    def __call__(self, blob: object) -> tuple[Double, float]:
        """(vector, its length).

        Raises
        ------
        BadVector : no blob of finite 4-byte floats
        """
        if blob != self._blob or self._vector is None:
            self._vector = unpacked(blob)
            self._length = math.sqrt(float(self._vector @ self._vector))
            self._blob = blob if isinstance(blob, bytes) else None
            if not math.isfinite(self._length):
                self._vector = None
                raise BadVector("a vector holds NaN or infinity; delete its row and embed its text again")
        return self._vector, self._length


def unpacked(blob: object) -> Double:
    """The vector in a blob as (dim,) float64.

    Raises
    ------
    BadVector : something else than a blob of 4-byte floats
    """
    import numpy as np

    if not isinstance(blob, bytes):
        raise BadVector(f"a vector is a blob, not {_kind(blob)}; make one with embed(model, text) or embed_encode(json)")
    if not blob or len(blob) % 4:
        raise BadVector(f"a blob of {len(blob)} bytes is not a vector, which has 4 for each number")
    return np.frombuffer(blob, "<f4").astype(np.float64)


class Product:
    """`embed_cosine` and `embed_dot`: how near two vectors are."""

    def __init__(self, *, cosine: bool) -> None:
        self._cosine = cosine
        self._left, self._right = Side(), Side()

    def __call__(self, a: object, b: object) -> float | None:
        """NULL for NULL, and for the cosine of a vector of zeros, which has no direction.

        Raises
        ------
        BadVector : not a vector
        DimensionMismatch : vectors of different lengths
        """
        if a is None or b is None:
            return None
        (x, size), (y, other) = self._left(a), self._right(b)
        if len(x) != len(y):
            raise DimensionMismatch(
                f"vectors of {len(x)} and {len(y)} numbers cannot be compared; they are of different models"
            )
        product = float(x @ y)
        if not self._cosine:
            return product
        return max(-1.0, min(1.0, product / (size * other))) if size and other else None


def decoded(blob: object) -> str | None:
    """`embed_decode`: a vector as a JSON array.

    Raises
    ------
    BadVector : not a vector
    """
    return None if blob is None else json.dumps(Side()(blob)[0].tolist())


def encoded(text: object) -> bytes | None:
    """`embed_encode`: a JSON array of numbers as a vector.

    Raises
    ------
    DataError, BadVector : anything else
    """
    from ...core.vectors import checked, pack

    if text is None:
        return None
    try:
        values = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not values or not all(type(value) in (int, float) for value in values):
        raise DataError("embed_encode takes a JSON array of numbers, like '[0.5, 1]'")
    return pack(checked([float(value) if abs(value) < 1e300 else math.inf for value in values])[0])


class Average:
    """`embed_average`: the mean of vectors; NULLs are passed over."""

    def __init__(self) -> None:
        self._side = Side()
        self._sum: Double | None = None
        self._count = 0

    def step(self, blob: object) -> None:
        """Take one more.

        Raises
        ------
        BadVector : not a vector
        DimensionMismatch : of another length than those before
        """
        if blob is None:
            return
        vector, _ = self._side(blob)
        if self._sum is None:
            self._sum = vector.copy()
        elif len(self._sum) != len(vector):
            raise DimensionMismatch(
                f"vectors of {len(self._sum)} and {len(vector)} numbers have no mean; group by collection_id"
            )
        else:
            self._sum += vector
        self._count += 1

    def finalize(self) -> bytes | None:
        """The mean; NULL of nothing."""
        return None if self._sum is None else (self._sum / self._count).astype("<f4").tobytes()


def _kind(value: Any) -> str:
    kinds = {str: "text", int: "an integer", float: "a number"}
    return kinds.get(type(value), type(value).__name__)
