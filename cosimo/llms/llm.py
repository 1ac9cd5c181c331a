"""llm: the language models of `llm` and its plug-ins, by the ids that `llm models` lists: `llm:gpt-4o-mini`. Its own keys."""

from __future__ import annotations

from typing import Any

from ..core.errors import BadReply, MissingKey, ModelNotFound, ProviderError
from ..core.llm import Completion
from ..core.registry import load
from .answers import answer


class LLMModel:
    """A model of `llm`.

    Parameters
    ----------
    name : a model's id or alias; empty for the one that `llm models default` says

    Raises
    ------
    MissingExtra : `llm` is not installed
    ModelNotFound : it knows no such model
    """

    def __init__(self, name: str = "") -> None:
        get = load("llm:get_model")
        try:
            self._model = get(name or None)
        except load("llm:UnknownModelError") as error:
            raise ModelNotFound(f"llm has no model '{name}'; see: llm models") from error

    @property
    def name(self) -> str:
        """The model's full id."""
        return f"llm:{self._model.model_id}"

    def complete(self, prompt: str, *, system: str = "") -> Completion:
        """What the model writes.

        Parameters
        ----------
        system : what it is to do, where that is not part of the prompt

        Raises
        ------
        MissingKey : it wants a key
        ProviderError : whatever goes wrong in the plug-in or on its server
        """
        try:
            response = self._model.prompt(prompt, system=system or None, stream=False)
            text = answer(response.text())
            usage = getattr(response, "usage", lambda: None)()  # llm has it since 0.19
        except load("llm:NeedsKeyException") as error:
            needed = getattr(self._model, "needs_key", None)
            raise MissingKey(f"'{self.name}' wants a key, and none is set; run: llm keys set {needed}") from error
        except Exception as error:  # plug-ins raise whatever their packages do
            raise ProviderError(f"'{self.name}' failed: {_line(error)}") from error
        if not text:
            raise BadReply(f"'{self.name}' wrote nothing; try again, or another model")
        return Completion(text, _count(usage, "input"), _count(usage, "output"))


def _count(usage: Any, name: str) -> int | None:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) else None


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
