"""Arguments: what callers may write, and what it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..core import config, kinds, registry
from ..core.content import modality_of
from ..core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..core.filters import Filter
    from ..core.types import Content


class AsStored:
    """The type of `AS_STORED`, which stands for an argument left out where None means something."""

    def __repr__(self) -> str:
        return "as stored"


AS_STORED = AsStored()
Given = str | None | AsStored
Where: TypeAlias = "str | Mapping[str, Any] | Filter | None"


def filter_of(where: Where) -> Filter | None:
    """The filter in any of its spellings; None lets everything pass.

    Raises
    ------
    InvalidFilter : it is not in the filter language
    """
    from ..core.filters import parse

    return None if where is None else parse(where)


def several(given: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several, as several: a text is no list of its letters."""
    try:
        return (given,) if isinstance(given, str) else tuple(given)
    except TypeError as error:
        raise DataError(f"a text or a list of texts is wanted, not {given!r}") from error


def several_contents(given: Content | Sequence[Content]) -> tuple[Content, ...]:
    """A text or the bytes of a picture, or several of them, as several."""
    return (given,) if isinstance(given, bytes) else several(cast("str | Sequence[str]", given))


def labelled(given: Iterable[tuple[str, object]]) -> tuple[tuple[str, str | None], ...]:
    """Texts and their labels, labels as text: a zip of two lists is as good as a list of pairs, and 0 as good as "0".

    Raises
    ------
    DataError : something else
    """
    from ..verbs.scoring.labels import label_of

    try:
        return tuple((text, label_of(label)) for text, label in given)
    except (TypeError, ValueError) as error:
        raise DataError("examples are pairs, (text, label) each") from error


def name_of(model: Given) -> str | None:
    """The full name of the model meant: the default where it was left out, None where vectors come from elsewhere."""
    if isinstance(model, AsStored):
        model = config.default_model()
    return registry.canonical(model) if model is not None else None


def refuse_mode(query: object, mode: object) -> None:
    """Raise `DataError` for a text that is empty, and for a mode that is none or needs words where the query is a vector."""
    if mode not in (None, "vector", "text", "hybrid"):
        raise DataError(f"no mode is called {mode!r}; known: vector, text, hybrid")
    if isinstance(query, str | bytes) and not query.strip():
        raise DataError("nothing to search for: the text is empty; write what to look for")
    if isinstance(query, str):
        return
    if mode in ("text", "hybrid"):
        has_none = kinds.ONE[modality_of(query) or "image"] if isinstance(query, bytes) else "a vector"
        raise DataError(f"mode {mode} searches for words, and {has_none} has none; leave the mode out")


def refuse_no_number(name: str, value: object) -> None:
    """Raise `DataError` for a number that is none; None stands for one left out."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value != value):
        raise DataError(f"{name} must be a number, not {value!r}")


def source_of(documents: object, source: str | None, *, sync: bool) -> str | None:
    """The name of where documents come from: the one given, else that of what `cosimo.read` gave.

    Raises
    ------
    DataError : none, where `sync` has to know which rows were the source's
    """
    name: str | None = source or getattr(documents, "label", None)
    if sync and name is None:
        raise DataError("sync has to know the source of the texts, and a pipe has no name: read a file, or give source='NAME'")
    return name
