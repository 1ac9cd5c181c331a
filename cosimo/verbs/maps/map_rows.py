"""Map rows: a scene → a table for other viewers: NDJSON, CSV or Parquet, a row an item. Draws nothing."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO

from ...core.content import storable
from ...core.registry import missing
from ..exchange import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .scene import Scene

FORMATS = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
GROUP = 10_000  # rows of a Parquet row group


def write_rows(scene: Scene, target: Path | BinaryIO, format: str) -> int:
    """Write a row an item; their number. A file is replaced in one step when all is written.

    Columns: id, x, y, z (in three dimensions), placed, cluster (where clusters are kept), title, content, metadata (JSON).

    Raises
    ------
    DataError : the file cannot be written, or is a database
    MissingExtra : Parquet without pyarrow
    """
    from pathlib import Path

    if not isinstance(target, Path):
        return WRITERS[format](scene, target)
    with replacing(target) as file:
        return WRITERS[format](scene, file)


def _columns(scene: Scene) -> list[str]:
    clusters = ["cluster"] if any(field.name == "cluster" for field in scene.fields) else []
    return ["id", *"xyz"[: scene.map.dim], "placed", *clusters, "title", "content", "metadata"]


def _rows(scene: Scene) -> Iterator[dict[str, Any]]:
    map, cluster = scene.map, next((field for field in scene.fields if field.name == "cluster"), None)
    axes, points = "xyz"[: map.dim], map.points.tolist()
    for at, id in enumerate(map.ids):
        row: dict[str, Any] = {"id": id, **dict(zip(axes, points[at], strict=True)), "placed": bool(map.placed[at])}
        if cluster is not None:
            code = int(cluster.codes[at])
            row["cluster"] = cluster.values[code] if code >= 0 else None
        metadata = dict(scene.metadata[at]) or None
        yield row | {"title": scene.titles[at], "content": scene.texts[at] or None, "metadata": metadata}


def _json(value: Any) -> str:
    return storable(json.dumps(value, ensure_ascii=False, default=str))


def _ndjson(scene: Scene, file: BinaryIO) -> int:
    for row in _rows(scene):
        file.write(f"{_json(row)}\n".encode())
    return len(scene.map)


def _csv(scene: Scene, file: BinaryIO) -> int:
    columns = _columns(scene)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for row in _rows(scene):
            row["placed"] = int(row["placed"])
            row["metadata"] = None if row["metadata"] is None else _json(row["metadata"])
            writer.writerow(row)
    finally:
        text.detach()  # the file is the caller's to close
    return len(scene.map)


def _parquet(scene: Scene, file: BinaryIO) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise missing("pyarrow") from error
    kinds = {"x": pa.float32(), "y": pa.float32(), "z": pa.float32(), "placed": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in _columns(scene)])
    with parquet.ParquetWriter(file, schema) as writer:
        group: list[dict[str, Any]] = []
        for row in _rows(scene):
            group.append(row | {"metadata": None if row["metadata"] is None else _json(row["metadata"])})
            if len(group) == GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
    return len(scene.map)


WRITERS = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}
