"""Cluster items: clusters → their items with texts, as users of `llm cluster` know them; or held against a field's values."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...core.errors import DataError
from ...core.filters import Field
from .agreement import agreement
from .naming import checked_truncate, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.store import Store
    from ...core.types import Metadata, Row
    from .agreement import Agreement
    from .clusters import Clusters

READ = 2_000  # rows at a time


def listed(store: Store, collection: str, clusters: Clusters, *, truncate: int) -> Iterator[dict[str, Any]]:
    """Of each cluster `{"id", "items": [{"id", "content"}], "summary", …}`, streamed; noise comes last, as the cluster -1.

    Parameters
    ----------
    truncate : characters of each content; 0 gives it whole. What is bytes, or stored without its text, is null
    """
    checked_truncate(truncate)
    said = {each.id: each for each in clusters.clusters}
    for number, members in groupby(clusters.members, key=lambda member: member.cluster):
        ids = [member.id for member in members]
        items = [
            {"id": row.id, "content": shortened(row.content, truncate) if isinstance(row.content, str) else None}
            for row in _rows(store, collection, ids)
        ]
        about = said.get(number)
        rest: dict[str, Any] = {"keywords": [], "size": len(ids), "cohesion": None, "medoid": None, "parent": None}
        if about is not None:
            rest = {name: getattr(about, name) for name in rest}
        rest = {"summary": about and about.name} | rest
        yield {"id": str(number), "items": items, **rest}


def compared(store: Store, collection: str, clusters: Clusters, field: str) -> Agreement:
    """How far clusters agree with the values of a metadata field. Items without one are left out; noise counts as one cluster.

    Raises
    ------
    DataError : no item has the field
    """
    path = Field.named(field).path or (field,)  # a field of the metadata, even where it is called id
    cluster_of, found, labels = clusters.labels(), [], []
    for row in _rows(store, collection, list(cluster_of)):
        label = _label(row.metadata, path)
        if label is not None:
            found.append(cluster_of[row.id])
            labels.append(label)
    if not labels:
        known = ", ".join(store.fields(collection)) or "none"
        raise DataError(f"no item in these clusters has the field '{field}'; fields there are: {known}")
    return agreement(found, labels, unlabelled=len(cluster_of) - len(labels))


def _label(metadata: Metadata | None, path: tuple[str, ...]) -> str | None:
    """A value as JSON spells it; None where there is none."""
    value: Any = metadata
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _rows(store: Store, collection: str, ids: list[str]) -> Iterator[Row]:
    """Rows in the order of their ids, some at a time; those that are gone meanwhile are left out."""
    for start in range(0, len(ids), READ):
        chunk = ids[start : start + READ]
        rows = store.get(collection, chunk)
        yield from (rows[id] for id in chunk if id in rows)
