"""Labels: what a field of the metadata says each item is; and predictions written into a field, with nothing else touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.content import storable
from ...core.errors import DataError
from ...core.filters.evaluate import Item, looked_up
from ...core.filters.tree import Field
from ...core.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...core.store import Store
    from ..classes import Prediction
    from ..whole import Whole

READ = 2_000  # rows read at a time
LONGEST = 500  # characters of a label; a field of texts is none


class Written(NamedTuple):
    """How many items got a prediction written, and how many were left alone: they had the field, or no object as metadata."""

    written: int
    left: int


def labels_of(store: Store, collection: str, whole: Whole, field: str) -> list[str | None]:
    """What the field says of each item of `whole`, in its order; None where it says nothing, or a list or an object.

    Raises
    ------
    DataError : no item has the field, or it holds long texts
    InvalidFilter : a name that is none
    """
    place, found = Field.named(field), []
    numbers = whole.numbers.tolist()
    for start in range(0, len(numbers), READ):
        chunk = numbers[start : start + READ]
        rows = store.rows_of(collection, chunk)
        values = (looked_up(place, Item(row.id, row.content, row.metadata)) if (row := rows.get(n)) else None for n in chunk)
        found += [label_of(value) for value in values]
    long = next((label for label in found if label and len(label) > LONGEST), None)
    if long:
        raise DataError(f"the field '{field}' holds texts of more than {LONGEST} characters, no labels: {long[:40]!r}…")
    if not any(found):
        there = ", ".join(list(store.fields(collection))[:10]) or "none at all"
        raise DataError(f"no item of '{collection}' that was asked for has a label in the field '{field}'; there are: {there}")
    return found


def label_of(value: Any) -> str | None:
    """A value as a label: text as it is, without space around it; numbers and booleans as JSON has them, numpy's too."""
    value = value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if value == value else None
    return (storable(value).strip() or None) if isinstance(value, str) else None


def write_labels(
    store: Store, collection: str, predictions: Iterable[Prediction], field: str, *, overwrite: bool = False
) -> Written:
    """Set a field of items to their predicted labels. Texts, vectors and other fields stay as they are.

    Metadata of another program that is no JSON object counts as none, here as everywhere, and is replaced.

    Parameters
    ----------
    field : a key of the metadata, at its top
    overwrite : also where the field says something already; it becomes null where there is too little confidence. What
        stands in the place of metadata and is no JSON object is never written over
    """
    key = checked_key(field)
    written = left = 0
    waiting = list(predictions)
    for start in range(0, len(waiting), READ):
        chunk = waiting[start : start + READ]
        with store.atomic():  # what was read is what is written over
            held = store.known(collection, [each.id for each in chunk])
            changes = []
            for each in chunk:
                if each.id not in held:
                    continue
                before = dict(held[each.id].metadata or {})
                if held[each.id].foreign or (before.get(key) is not None and not overwrite):
                    left += 1
                elif before.get(key) != each.label:
                    changes.append(Document(each.id, None, before | {key: each.label}))
            written += store.touch(collection, changes, store=False)
    return Written(written, left)


def checked_key(field: str) -> str:
    """The key of a field that can be written.

    Raises
    ------
    DataError : the row's own id or text, or a key inside of another
    """
    place = Field.named(field)
    if place.source != "metadata" or len(place.path) != 1:
        raise DataError(f"predictions are written into a field at the top of the metadata, not into '{field}'; name another")
    return place.path[0]


def distinct(names: Sequence[str]) -> list[str]:
    """Labels somebody named, each once, without space around them.

    Raises
    ------
    DataError : fewer than two, or one that is no text
    """
    found = list(dict.fromkeys(name for given in names if (name := storable(given).strip())))
    if len(found) < 2:
        raise DataError(f"give the names of two classes or more, not {len(found)}")
    return found
