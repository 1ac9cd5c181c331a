"""llm: the embedding models of `llm` and its plug-ins → embedders, by the ids that `llm embed-models` lists: `llm:3-small`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import MissingKey, ModelNotFound
from ..core.registry import load
from .adapted import Adapted, facts_of, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Role


class LLMEmbedder(Adapted):
    """A model of `llm`. Its keys are those of `llm keys`.

    Parameters
    ----------
    name : a model's id or alias; a table `[llm.NAME]` of `providers.toml` may say what is known of it

    Raises
    ------
    MissingExtra : `llm` is not installed
    ModelNotFound : it knows no such model, or the model is one of ours
    MissingKey : the model wants a key
    """

    def __init__(self, name: str) -> None:
        model = _model(name)
        super().__init__(f"llm:{model.model_id}", facts_of(table("llm", name), "llm", name))
        if type(model).__module__.partition(".")[0] == "cosimo":
            raise ModelNotFound(f"'llm:{name}' is a model of cosimo's own; name it without llm:")
        try:
            model.get_key()
        except load("llm:NeedsKeyException") as error:
            raise MissingKey(
                f"llm's model '{name}' wants a key, and none is set; run: llm keys set {model.needs_key}"
            ) from error
        self._model = model
        self.modalities = tuple(
            kind for kind, there in (("text", model.supports_text), ("image", model.supports_binary)) if there
        )

    def _ask(self, contents: Sequence[Content], role: Role) -> tuple[Any, int | None]:
        return list(self._model.embed_multi(contents)), None


def _model(name: str) -> Any:
    get = load("llm:get_embedding_model")
    try:
        return get(name)
    except load("llm:UnknownModelError") as error:
        raise ModelNotFound(f"llm has no embedding model '{name}'; see: llm embed-models") from error
