"""Naming: what a caller says of a language model that names clusters → the model, loaded once there is something to name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import registry
from ..core.content import storable
from ..core.errors import DataError
from ..verbs.clustering.naming import Writer, checked_truncate

if TYPE_CHECKING:
    from ..core.llm import LanguageModel


def writer_of(name_with: str | LanguageModel | None, prompt: str | None, truncate: int) -> Writer | None:
    """The model that names clusters; None where keywords do.

    Raises
    ------
    DataError : a prompt that is none, a number of characters that cannot be
    """
    if name_with is None:
        if prompt is not None:
            raise DataError("a prompt is for a language model; name one with name_with (--name-with MODEL)")
        checked_truncate(truncate)
        return None
    return writer_for(name_with, prompt, truncate)


def writer_for(model: str | LanguageModel, prompt: str | None, truncate: int) -> Writer:
    """A model and how it is asked.

    Raises
    ------
    DataError : no model, a prompt that is none, a number of characters that cannot be
    """
    checked_truncate(truncate)
    if prompt is not None and (not isinstance(prompt, str) or not prompt.strip()):
        raise DataError("the prompt is empty; say what the model shall do with the texts, or leave it out")
    prompt = None if prompt is None else storable(prompt)
    if isinstance(model, str):
        return Writer(storable(model), registry.language_model, prompt, truncate)
    if not hasattr(model, "complete"):
        raise DataError(f"a language model has a name and complete(prompt, system=), and {model!r:.60} has not")
    return Writer(model.name, lambda _: model, prompt, truncate)
