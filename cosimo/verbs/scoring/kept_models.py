"""Kept models: scales and classifiers as results that a file keeps, plain numbers and JSON; and back. Learns nothing."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.errors import Corrupt, NotFound
from ...core.results import Result
from ..classes import Classes
from ..score import Axis, Trust
from ..whole import changed_since
from .class_report import Report
from .held_out import Share
from .logistic import Linear
from .space import refuse_other_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...core.results import KeepingStore, ResultKind
    from ...core.types import Settings

LEARN = {"scale": "score learn", "classes": "classify learn"}  # kind → the command that makes one


class KeptScale(NamedTuple):
    """A scale as it is kept: its numbers, how good it is, what its ends are called, and the space it was learned in."""

    axis: Axis
    trust: Trust
    ends: tuple[str, str]
    space: Mapping[str, Any]


class KeptClasses(NamedTuple):
    """A classifier as it is kept, and the space it was learned in."""

    classes: Classes
    space: Mapping[str, Any]


def fingerprint(value: Any) -> str:
    """What tells one set of examples from another: MD5 of it as JSON."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def scale_result(kept: KeptScale, name: str, version: int, settings: Mapping[str, Any]) -> Result:
    """A scale as a result; `settings` are what was asked for, the space goes with them."""
    trust = {**{field: getattr(kept.trust, field) for field in Trust.__slots__}}
    summary = {"trust": trust | {"right": kept.trust.right and kept.trust.right._asdict()}, "ends": list(kept.ends)}
    arrays = {"direction": kept.axis.direction, "offset": np.array([kept.axis.offset])}
    return Result("scale", name, version, {**settings, "space": dict(kept.space)}, summary, arrays)


def scale_of(result: Result) -> KeptScale:
    """The scale in a result.

    Raises
    ------
    Corrupt : another program wrote something else into its place
    """
    try:
        trust = dict(result.summary["trust"])
        trust["right"] = trust["right"] and Share(**trust["right"])
        low, high = map(str, result.summary["ends"])
        axis = Axis(result.arrays["direction"], float(result.arrays["offset"][0]))
        return KeptScale(axis, Trust(**trust), (low, high), result.settings["space"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Corrupt(f"the scale '{result.name}' is damaged; learn it anew") from error


def classes_result(kept: KeptClasses, name: str, version: int, settings: Mapping[str, Any]) -> Result:
    """A classifier as a result."""
    classes = kept.classes
    arrays = {"weights": classes.linear.weights, "bias": classes.linear.bias, "divisor": np.array([classes.divisor])}
    summary = {"labels": list(classes.labels), "report": classes.report.to_dict()}
    return Result("classes", name, version, {**settings, "space": dict(kept.space)}, summary, arrays)


def classes_of(result: Result) -> KeptClasses:
    """The classifier in a result.

    Raises
    ------
    Corrupt : another program wrote something else into its place
    """
    try:
        linear = Linear(result.arrays["weights"], result.arrays["bias"])
        labels = tuple(map(str, result.summary["labels"]))
        report = Report.of(result.summary["report"])
        classes = Classes(labels, linear, float(result.arrays["divisor"][0]), report)
        return KeptClasses(classes, result.settings["space"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Corrupt(f"the classes '{result.name}' are damaged; learn them anew") from error


def kept(store: KeepingStore, collection: str, kind: ResultKind, name: str, settings: Settings) -> Result:
    """A kept model, if it was learned in the collection's space.

    Raises
    ------
    NotFound : there is none of that name
    ModelMismatch : the collection has another model by now
    """
    result = store.result(collection, kind, name)
    advice = f"cosimo {LEARN[kind]} {collection}" + ("" if name == "main" else f" --name {name}")
    if result is None:
        there = ", ".join(f"'{info.name}'" for info in store.results(collection) if info.kind == kind) or "none yet"
        raise NotFound(f"'{collection}' keeps no {kind} '{name}', but {there}; run: {advice}")
    space = result.settings.get("space")
    if not isinstance(space, dict):
        raise Corrupt(f"the {kind} '{name}' of '{collection}' cannot be read; run: {advice}")
    was, it = ("was", "it") if kind == "scale" else ("were", "them")
    refuse_other_space(space, settings, f"the {kind} '{name}' of '{collection}' {was}", f"learn {it} anew: {advice}")
    return result


def unchanged(store: KeepingStore, collection: str, result: Result | None, settings: Mapping[str, Any], *, rows: bool) -> bool:
    """Whether what is kept is what would come out again.

    Parameters
    ----------
    settings : what is asked for now
    rows : whether it was learned from rows, which may have changed
    """
    if result is None or dict(result.settings) != json.loads(json.dumps(dict(settings))):
        return False
    return not (rows and changed_since(store, collection, result.version))
