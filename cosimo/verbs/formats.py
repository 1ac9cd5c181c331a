"""Formats: rows ↔ the bytes of NDJSON, CSV, Parquet and npy. Opens no path but npy's; which format, and where, is `exchange`.

Numbers are written with the fewest digits that read back as the same float32: half of what float64 would print.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..core.content import content_hash, storable
from ..core.errors import BadVector, UnreadableSource
from ..core.registry import missing
from ..core.types import Row
from ..core.vectors import STORED
from ..sources.delimited import rows as delimited_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..core.types import Content, Vector, Vectors

COLUMNS = ("id", "content", "content_blob", "metadata", "content_hash", "updated", "embedding")
GROUP_FLOATS = 1 << 22  # a Parquet row group: 16 MB of vectors (10,922 rows of 384)
GROUP_CHARACTERS = 1 << 25  # or that much text
BLOCK = 4096  # rows of a matrix at a time
HEADER = 128  # bytes of an npy header, fixed, so that the number of rows can be filled in at the end
EMPTY_HASH = content_hash("").hex()


# -- rows → plain values and back


def _usable(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, if every vector has the length of the first and only finite numbers."""
    dim = None
    for row in rows:
        if not len(row.vector):
            raise BadVector(f"the row '{row.id}' has a damaged vector; delete it or embed it again, then export")
        dim = len(row.vector) if dim is None else dim
        _check(row.vector, dim, f"the row '{row.id}'")
        yield row


def _check(vector: Vector, dim: int, where: str) -> None:
    if len(vector) != dim:
        raise BadVector(f"{where} has a vector of length {len(vector)}, the first has {dim}; nothing was written or stored")
    if not np.isfinite(vector).all():
        raise BadVector(f"{where} has a vector with NaN or infinity; nothing was written or stored")


def _fields(row: Row) -> dict[str, Any]:
    """All of a row but its vector, as JSON can hold it; what is not there is left out."""
    blob = row.content if isinstance(row.content, bytes) else None
    found = {
        "id": row.id,
        "content": None if blob is not None else row.content,
        "content_blob": None if blob is None else base64.b64encode(blob).decode(),
        "metadata": dict(row.metadata) if row.metadata is not None else None,
        "content_hash": row.hash.hex() if row.hash else None,
        "updated": row.updated or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _row(where: str, fields: dict[str, Any], vector: Vector) -> Row:
    """The row in the values of a file, each of the kind it has to be."""
    id = fields.get("id")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    if not isinstance(id, str) or not id:
        raise UnreadableSource(f"{where} has no id; give each row one; nothing was stored")
    metadata = fields.get("metadata")
    try:
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
        blob = fields.get("content_blob")
        content: Content | None = fields.get("content")
        if blob is not None:
            content = blob if isinstance(blob, bytes) else base64.b64decode(blob, validate=True)
        hash = bytes.fromhex(fields.get("content_hash") or "")
        updated = int(fields.get("updated") or 0)
    except (ValueError, TypeError, binascii.Error) as error:
        raise UnreadableSource(
            f"{where} has a metadata, content_blob, content_hash or updated that no export writes; nothing was stored"
        ) from error
    if not isinstance(content, str | bytes | None) or not isinstance(metadata, dict | None) or len(hash) not in (0, 16):
        raise UnreadableSource(f"{where} has a content, metadata or content_hash of the wrong kind; nothing was stored")
    return Row(
        id=storable(id),
        vector=vector,
        content=storable(content) if isinstance(content, str) else content,
        hash=hash or None,
        metadata=metadata,
        updated=updated,
    )


def _vector(values: Any, where: str, dim: int | None) -> Vector:
    """A list of numbers as (dim,) float32.

    Shortest digits pass through float64 on their way: 3,000,000 random bit patterns came back the same.
    """
    if not isinstance(values, list) or not values or any(isinstance(v, str | bool) for v in values):
        raise BadVector(f"{where} has no list of numbers as its embedding; nothing was stored")
    try:
        with np.errstate(over="ignore"):  # beyond float32: infinity, refused below
            vector: Vector = np.array(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadVector(f"{where} has an embedding that is not a list of numbers; nothing was stored") from error
    if vector.ndim != 1:
        raise BadVector(f"{where} has an embedding of more than one dimension; nothing was stored")
    _check(vector, dim or len(vector), where)
    return vector


def _digits(vector: Vector) -> str:
    """The vector as a JSON list, each number with the fewest digits that give the same float32."""
    # str() a number: 0.24 ms for 384; "%.9g" 0.11 ms but 10% longer, tolist() + json 0.32 ms and 80% longer
    return "[" + ",".join([str(number) for number in vector.astype(np.float32, copy=False)]) + "]"


def _loaded(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableSource(f"{where} is not JSON ({error}); nothing was stored") from error


def _dumped(value: Any) -> str:
    return storable(json.dumps(value, ensure_ascii=False))


# -- NDJSON


def write_ndjson(rows: Iterable[Row], file: BinaryIO) -> int:
    """One object a line; their number."""
    count = 0
    for row in _usable(rows):
        count += 1
        file.write(f'{_dumped(_fields(row))[:-1]}, "embedding": {_digits(row.vector)}}}\n'.encode())
    return count


def read_ndjson(file: BinaryIO, name: str) -> Iterator[Row]:
    """The rows in lines of objects; blank lines are none."""
    dim = None
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        fields = _loaded(line.removeprefix(b"\xef\xbb\xbf"), where)
        if not isinstance(fields, dict):
            raise UnreadableSource(f"{where} is not an object with an id and an embedding; nothing was stored")
        vector = _vector(fields.get("embedding"), where, dim)
        dim = len(vector)
        yield _row(where, fields, vector)


# -- CSV


def write_csv(rows: Iterable[Row], file: BinaryIO) -> int:
    """A header and one record a row; their number. Cells are quoted by ourselves: the csv module leaves a lone "\\r" bare."""
    file.write((",".join(COLUMNS) + "\n").encode())
    count = 0
    for row in _usable(rows):
        count += 1
        fields = _fields(row)
        if "metadata" in fields:
            fields["metadata"] = _dumped(fields["metadata"])
        fields["embedding"] = _digits(row.vector)
        cells = (str(fields.get(name, "")).replace('"', '""') for name in COLUMNS)
        file.write(storable(",".join(f'"{cell}"' if cell else "" for cell in cells) + "\n").encode())
    return count


def read_csv(file: BinaryIO, name: str) -> Iterator[Row]:
    """The rows in records under a header. An empty cell is nothing; an empty text is known by its hash."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        records = delimited_rows(text, ",")
        header = next(records, (1, []))[1] or []
        _require(header, name)
        dim = None
        for number, cells in records:
            where = f"{name}, line {number}"
            if cells is None or len(cells) != len(header):
                raise UnreadableSource(f"{where} has not the {len(header)} cells of the header; nothing was stored")
            fields = {key: cell for key, cell in zip(header, cells, strict=True) if cell}
            if fields.get("content_hash") == EMPTY_HASH and "content" in header and "content_blob" not in fields:
                fields["content"] = ""
            vector = _vector(_loaded(fields.get("embedding", "null"), where), where, dim)
            dim = len(vector)
            yield _row(where, fields, vector)
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{name} is not UTF-8: byte {error.start} of a block; nothing was stored") from error
    finally:
        text.detach()  # the file is the caller's to close


def _require(names: Iterable[str], source: str) -> None:
    found = list(names)
    for wanted in ("id", "embedding"):
        if wanted not in found:
            raise UnreadableSource(f"{source} has no column '{wanted}'; it has: {', '.join(found) or 'nothing'}")


# -- Parquet


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing("pyarrow") from error
    return pyarrow


def write_parquet(rows: Iterable[Row], file: BinaryIO) -> int:
    """Row groups of about 16 MB; the number of rows."""
    pa = _pyarrow()
    usable = _usable(rows)
    first = next(usable, None)
    dim = len(first.vector) if first is not None else 0
    embedding = pa.list_(pa.float32(), dim) if dim else pa.list_(pa.float32())
    kinds = (pa.string(), pa.string(), pa.binary(), pa.string(), pa.binary(16), pa.int64(), embedding)
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    count = 0
    with pa.parquet.ParquetWriter(file, schema, use_dictionary=False) as writer:
        for group in _groups(usable if first is None else chain([first], usable), dim):
            writer.write_batch(_record_batch(pa, schema, group))
            count += len(group)
    return count


def _groups(rows: Iterable[Row], dim: int) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row.content or "")
        if len(group) * dim >= GROUP_FLOATS or size >= GROUP_CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _record_batch(pa: Any, schema: Any, group: list[Row]) -> Any:
    values = {
        "id": [storable(row.id) for row in group],
        "content": [storable(row.content) if isinstance(row.content, str) else None for row in group],
        "content_blob": [row.content if isinstance(row.content, bytes) else None for row in group],
        "metadata": [None if row.metadata is None else _dumped(dict(row.metadata)) for row in group],
        "content_hash": [row.hash or None for row in group],
        "updated": [row.updated or None for row in group],
    }
    matrix = np.stack([row.vector for row in group]).astype(np.float32, copy=False)  # (n, dim)
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    arrays = [pa.array(values[name], schema.field(name).type) for name in COLUMNS[:-1]]
    return pa.record_batch([*arrays, embedding], schema=schema)


def read_parquet(file: BinaryIO, name: str) -> Iterator[Row]:
    """The rows of a Parquet file, a thousand at a time; a pipe is read whole, as a table of contents ends it."""
    pa = _pyarrow()
    dim = None
    number = 0
    try:
        opened = pa.parquet.ParquetFile(file if file.seekable() else pa.BufferReader(file.read()))
        names = opened.schema_arrow.names
        _require(names, name)
        wanted = [column for column in COLUMNS if column in names]
        for batch in _batches(opened, wanted):
            others = batch.select(wanted[:-1]).to_pylist()
            for fields, vector in zip(others, _lists(pa, batch.column("embedding"), name, number), strict=True):
                number += 1
                where = f"{name}, row {number}"
                dim = dim or len(vector)
                _check(vector, dim, where)
                if isinstance(fields.get("content_hash"), bytes):
                    fields["content_hash"] = fields["content_hash"].hex()
                yield _row(where, fields, vector)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise UnreadableSource(f"{name} is not a Parquet file, or cut off: {reason}; nothing was stored") from error


def _batches(opened: Any, columns: list[str]) -> Iterator[Any]:
    """A thousand rows at a time, group by group: asked for all at once, pyarrow 26 held 586 MB of 300,000 rows, so 211 MB."""
    for group in range(opened.num_row_groups):
        yield from opened.iter_batches(batch_size=1024, row_groups=[group], columns=columns)


def _lists(pa: Any, column: Any, name: str, before: int) -> Iterator[Vector]:
    """The vectors in a column of lists, of fixed length or not, of whatever kind of number."""
    import pyarrow.compute

    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise BadVector(f"{name} has an embedding column of {kind}, not of lists of numbers; nothing was stored")
    if column.null_count:
        row = before + 1 + column.is_null().to_pylist().index(True)
        raise BadVector(f"{name}, row {row} has no embedding; nothing was stored")
    if not len(column):
        return
    lengths = pyarrow.compute.list_value_length(column).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    yield from np.split(flat, np.cumsum(lengths)[:-1])


# -- npy


def write_npy(rows: Iterable[Row], vectors: BinaryIO, ids: BinaryIO) -> int:
    """A matrix (n, dim) of little-endian float32, and beside it everything else, a line a row; the number of rows."""
    vectors.write(_npy_header(0, 0))
    count = dim = 0
    for row in _usable(rows):
        count += 1
        dim = len(row.vector)
        vectors.write(np.ascontiguousarray(row.vector, dtype=STORED).tobytes())
        ids.write(f"{_dumped(_fields(row))}\n".encode())
    vectors.seek(0)
    vectors.write(_npy_header(count, dim))
    return count


def _npy_header(count: int, dim: int) -> bytes:
    """NumPy's format 1.0, padded to a length that fits any number of rows."""
    said = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {dim}), }}"
    length = HEADER - 10  # after magic, version and this length itself
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + said.ljust(length - 1).encode() + b"\n"


def read_npy(path: Path, ids: Path) -> Iterator[Row]:
    """The rows of a matrix and of the ids beside it: `NAME.ids.ndjson`, or one id a line in `NAME.ids.txt`."""
    plain = ids.with_suffix(".txt")
    if not ids.exists() and not plain.exists():
        raise UnreadableSource(f"{path} has no ids beside it: write one a line, in its order, into {plain}")
    matrix = _matrix(path)
    try:
        with (ids if ids.exists() else plain).open("rb") as file:
            others = _id_lines(file, str(ids)) if ids.exists() else _plain_ids(file, str(plain))
            for number, (vector, fields) in enumerate(zip_longest(_vectors(matrix), others), 1):
                if vector is None or fields is None:
                    raise UnreadableSource(f"{path} has {len(matrix)} vectors and another number of ids; nothing was stored")
                where = f"{path}, row {number}"
                _check(vector, matrix.shape[1], where)
                yield _row(where, fields, vector)
    except OSError as error:
        raise UnreadableSource(f"{error.filename} cannot be read: {error.strerror}") from error


def _matrix(path: Path) -> Any:
    try:
        try:
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # nothing in it to map, or really damaged
            matrix = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnreadableSource(f"{path} is not an npy file of numbers, or cut off; nothing was stored") from error
    if getattr(matrix, "ndim", 0) != 2 or matrix.dtype.kind not in "fiu":
        raise BadVector(f"{path} does not hold a matrix of numbers, one row a vector; nothing was stored")
    return matrix


def _vectors(matrix: Any) -> Iterator[Vector]:
    for start in range(0, len(matrix), BLOCK):
        with np.errstate(over="ignore"):
            block: Vectors = np.array(matrix[start : start + BLOCK], dtype=np.float32)  # a copy: (n, dim)
        yield from block


def _id_lines(file: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        fields = _loaded(line, f"{name}, line {number}")
        if not isinstance(fields, dict):
            raise UnreadableSource(f"{name}, line {number} is not an object with an id; nothing was stored")
        yield fields


def _plain_ids(file: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        try:
            yield {"id": line.decode("utf-8-sig").rstrip("\r\n")}
        except UnicodeDecodeError as error:
            raise UnreadableSource(f"{name}, line {number} is not UTF-8; nothing was stored") from error
