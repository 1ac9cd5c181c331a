"""Rows: ours to a database's columns and back. Checks vectors and ids; opens nothing."""

from __future__ import annotations

import json
import math
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..core.content import content_hash, storable
from ..core.errors import BadVector, DataError, DimensionMismatch
from ..core.types import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.types import Metadata, Vectors

BATCH_ROWS = 4096  # a transaction: 6 MB of 384-dim vectors; 16,384 were no faster and took 50 MB more
CHUNK = 500  # ids asked for in one query
BATCH_BYTES = 32 * 2**20  # of contents: long texts make smaller batches, so that memory stays flat
ROW_COLUMNS = ("id", "embedding", "content", "content_blob", "content_hash", "metadata", "updated")
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)  # NaN, which other programs write, is no JSON


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of one transaction each."""
    batch: list[Row] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row.content) if row.content else 0
        if len(batch) >= BATCH_ROWS or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Anything in lists of up to `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def packed(batch: list[Row], dim: int | None) -> Iterator[tuple[Any, ...]]:
    """Rows as (id, embedding, content, content_blob, content_hash, metadata, updated).

    Raises
    ------
    DimensionMismatch, BadVector, DataError : naming the id, before any row is given
    """
    matrix = _matrix(batch, dim)
    blobs = memoryview(matrix.tobytes())
    width, now = matrix.shape[1] * 4, int(time.time())
    _check_ids(batch)
    for place, row in enumerate(batch):
        text, blob, hash = None, None, row.hash
        if isinstance(row.content, str):
            text = storable(row.content)
        elif row.content is not None:
            blob = row.content
        if hash is None and row.content is not None:
            hash = content_hash(row.content)
        vector = blobs[place * width : (place + 1) * width]
        yield row.id, vector, text, blob, hash, metadata_json(row.metadata), row.updated or now


def _matrix(batch: list[Row], dim: int | None) -> Vectors:
    """The batch's vectors as one (n, dim) matrix of what is stored: little-endian float32."""
    import numpy as np

    dim = dim or len(batch[0].vector)
    for row in batch:
        if row.vector.shape != (dim,) or not dim:
            raise DimensionMismatch(
                f"{row.id!r} has a vector of shape {row.vector.shape}, the collection's are ({dim},); use another collection"
            )
    matrix = np.stack([row.vector for row in batch]).astype("<f4", copy=False)
    if not np.isfinite(matrix).all():
        worst = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise BadVector(f"the vector of {batch[worst].id!r} holds NaN or infinity; nothing of its batch was stored")
    return matrix


def _check_ids(batch: list[Row]) -> None:
    for row in batch:
        if not isinstance(row.id, str):
            raise DataError(f"an id must be text, not {row.id!r}; convert it with str()")
    if storable(together := "".join(row.id for row in batch)) != together:  # replaced, two files could become one row
        id = next(row.id for row in batch if storable(row.id) != row.id)
        raise DataError(f"the id {id!r} holds half a character, which no database can store; rename it")


def row_of(found: Sequence[Any]) -> Row:
    """One row of ROW_COLUMNS as a `Row`. A vector that is no list of floats becomes empty: `check` names it."""
    import numpy as np

    id, embedding, content, blob, hash, metadata, updated = found
    whole = isinstance(embedding, bytes) and len(embedding) % 4 == 0
    return Row(
        id,
        np.frombuffer(embedding, "<f4") if whole else np.empty(0, np.float32),
        blob if content is None else content,
        hash,
        None if metadata is None else known_metadata(metadata),
        updated if isinstance(updated, int) else 0,
    )


def metadata_json(metadata: Metadata | None) -> str | None:
    """Metadata as `llm` writes it: JSON, NULL where there is none. Dates and the like become text, NaN null.

    Raises
    ------
    DataError : it refers to itself, or has keys that are no text
    """
    if not metadata:
        return None
    try:
        return json.dumps(dict(metadata), default=str, allow_nan=False)
    except ValueError:  # NaN is not JSON, and SQLite's JSON functions refuse the whole value
        pass
    except TypeError as error:
        raise DataError(f"metadata cannot be written as JSON ({error}); use text as keys") from error
    except RecursionError as error:
        raise DataError("metadata is nested too deeply to be written as JSON; make it flatter") from error
    try:
        return json.dumps(_without_nan(dict(metadata)), default=str, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise DataError(f"metadata cannot be written as JSON ({error})") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def known_metadata(stored: Any) -> dict[str, Any] | None:
    """Stored JSON as a dict; None where there is none, or another program wrote something else."""
    if not isinstance(stored, (str, bytes)):
        return None
    try:
        found = _DECODER.decode(stored if isinstance(stored, str) else stored.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_foreign(stored: Any, known: dict[str, Any] | None) -> bool:
    """Whether something stands in the place of metadata that `known_metadata` made nothing of, and is not nothing."""
    return known is None and stored not in (None, "", b"", "null")
