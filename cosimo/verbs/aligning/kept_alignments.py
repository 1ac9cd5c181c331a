"""Kept alignments: two spaces and the map between them as a result that a file keeps, plain numbers and JSON; and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.errors import Corrupt, DataError
from ...core.results import Result
from ...core.types import Settings
from ...embedders.aligned import Joined, Map
from ..align import Report
from ..scoring.space import space_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...core.results import KeepingStore

LONGEST = 100  # characters of a name


class Kept(NamedTuple):
    """An alignment as it is kept, and with which collection."""

    name: str
    source: str  # the collections it was learned from; it is kept with this one
    target: str
    joined: Joined
    report: Report


def checked_name(name: str) -> str:
    """A name that can be written behind `align:` on a command line and in the file.

    Raises
    ------
    DataError : it cannot
    """
    if not isinstance(name, str) or not name or len(name) > LONGEST or not name.isprintable() or name != "".join(name.split()):
        raise DataError(f"an alignment needs a name of 1 to {LONGEST} characters without spaces, not {name!r:.60}")
    return name


def result_of(kept: Kept, version: int, settings: Mapping[str, Any]) -> Result:
    """An alignment as a result.

    Parameters
    ----------
    version : of the source's rows
    settings : what was asked for
    """
    joined = kept.joined
    spaces = {"source_space": space_of(joined.source), "target_space": space_of(joined.target)}
    asked = {**settings, "source": kept.source, "target": kept.target, **spaces}
    reading = {"reads": list(joined.reads), "seconds": joined.seconds, "max_tokens": joined.max_tokens}
    return Result("alignment", kept.name, version, asked, {"report": kept.report.to_dict(), **reading}, joined.map._asdict())


def find(store: KeepingStore, name: str) -> Kept | None:
    """The alignment of that name, whichever collection it is kept with.

    Raises
    ------
    Corrupt : another program wrote something else into its place
    """
    collection = store.keepers("alignment").get(name)
    found = None if collection is None else store.result(collection, "alignment", name)
    return None if found is None or collection is None else _alignment_of(found, collection)


def _alignment_of(result: Result, collection: str) -> Kept:
    try:
        learned = Map(result.arrays["matrix"], result.arrays["offset"])
        if learned.matrix.shape[1:] != learned.offset.shape:
            raise ValueError("a map whose parts do not fit")
        source, target = (_settings_of(result.settings[f"{side}_space"]) for side in ("source", "target"))
        told = result.summary
        joined = Joined(learned, source, target, tuple(map(str, told["reads"])), told["seconds"], told["max_tokens"])
        return Kept(result.name, collection, str(result.settings["target"]), joined, Report.of(told["report"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Corrupt(f"the alignment '{result.name}' is damaged; learn it anew: cosimo align --replace") from error


def _settings_of(space: Mapping[str, Any]) -> Settings:
    return Settings(space["model"], space["dim"], space["revision"], dict(space["prompts"]), space["pooling"])
