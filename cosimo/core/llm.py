"""LanguageModel: a model that writes, as one protocol. `cosimo.testing.llms` says whether a class fulfils it. No behaviour."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Completion(NamedTuple):
    """What a model wrote, and what it counted: tokens, None where it does not say."""

    text: str  # not empty
    read: int | None = None
    written: int | None = None


class LanguageModel(Protocol):
    """A model under our names. Threads may share it."""

    @property
    def name(self) -> str: ...  # as the user wrote it, in full: kept with what the model wrote

    def complete(self, prompt: str, *, system: str = "") -> Completion: ...  # raises errors of ours alone
