"""Fake: a language model for tests and for trying things out: it writes the first words of what it is asked. Needs nothing."""

from __future__ import annotations

from ..core.llm import Completion


class FakeModel:
    """The first words of a prompt, by `fake:3` three of them; for the same prompt always the same."""

    def __init__(self, words: str = "") -> None:
        self._words = int(words) if words.isdecimal() else 3

    @property
    def name(self) -> str:
        """The model's name in full."""
        return f"fake:{self._words}"

    def complete(self, prompt: str, *, system: str = "") -> Completion:
        """The first words of the prompt; of one without any, a mark."""
        words = prompt.split()
        return Completion(" ".join(words[: self._words]) or "-", len(words), min(len(words), self._words))
