"""Arguments: what callers may write, and what it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..core import config, registry
from ..core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.filters import Filter


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


def name_of(model: Given) -> str | None:
    """The full name of the model meant: the default where it was left out, None where vectors come from elsewhere."""
    if isinstance(model, AsStored):
        model = config.default_model()
    return registry.canonical(model) if model is not None else None


def refuse_mode(query: object, mode: object) -> None:
    """Raise `DataError` for a text that is empty, and for a mode that is none or needs words where the query is a vector."""
    if mode not in (None, "vector", "text", "hybrid"):
        raise DataError(f"no mode is called {mode!r}; known: vector, text, hybrid")
    if isinstance(query, str):
        if not query.strip():
            raise DataError("nothing to search for: the text is empty; write what to look for")
    elif mode in ("text", "hybrid"):
        raise DataError(f"mode {mode} searches for words, and a vector has none; leave the mode out")
