"""llm: cosimo's models as embedding models of the `llm` command (`llm embed -m cosimo/all-MiniLM-L6-v2`). Loads none itself.

A model goes by the id that is stored beside vectors of it, which is the one llm-sentence-transformers uses too, and
`cosimo/…` is an alias: so `llm` and cosimo search each other's collections, whoever made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from llm import hookimpl
from llm.errors import ModelError
from llm.models import EmbeddingModel

from ...core import config, registry
from ...core.errors import Error
from .loading import Loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PREFIX = "cosimo/"
BATCH = 1024  # texts of a call where nobody asks for fewer: enough to sort them by length


class Failed(click.ClickException, ModelError):
    """An error of ours. llm's commands catch the errors of click alone, and print these in one line."""


class CosimoModel(EmbeddingModel):
    """One model, loaded with the first text. llm tells questions from documents nowhere, so all texts are documents."""

    batch_size = BATCH

    def __init__(self, name: str) -> None:
        self.model_id = registry.canonical(name)
        self._loading = Loading(name)

    def embed_batch(self, items: Iterable[str | bytes], *, key: str | None = None) -> Iterator[list[float]]:
        """A vector for each text, in the order given. `key` is not looked at: cosimo finds its own.

        Raises
        ------
        Failed : with the one sentence that cosimo says
        """
        try:
            vectors = self._loading.vectors(list(items), "document")
        except Error as error:
            raise Failed(str(error)) from error
        yield from vectors


@hookimpl(tryfirst=True)  # who registers a model of the same id later keeps it: a plug-in of its own comes before ours
def register_embedding_models(register: Callable[..., None]) -> None:
    """Name the models of the catalogue, those on this machine, those on servers, and the default."""
    from ...embedders import weights

    here = {model.name for model in weights.known()} | {model.name for model in weights.installed()}
    for name in sorted(here | _configured()):
        model = CosimoModel(name)
        short = name.removeprefix(f"{registry.HUB_OWNER}/")
        register(model, aliases=tuple(dict.fromkeys([PREFIX + short, PREFIX + model.model_id])))


def _configured() -> set[str]:
    """Names that files of the user's can add to. Where one cannot be read cosimo says so; llm has other work to do."""
    from ...embedders import providers

    try:
        return {model.name for model in providers.models()} | {registry.canonical(config.default_model())}
    except Error:
        return set()
