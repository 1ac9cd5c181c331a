"""Language models' contract: a model in, an AssertionError out that says which rule it breaks. Needs no test framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.llm import Completion

if TYPE_CHECKING:
    from ..core.llm import LanguageModel

PROMPTS = ("Say hello.", "用一个词回答：天空是什么颜色？", "half \ud800 a pair \U0001f600 and \x00")


def check_language_model(model: LanguageModel) -> None:
    """Every rule that the rest of cosimo relies on, with four short prompts.

    Raises
    ------
    AssertionError : a rule is broken; the message says which
    """
    assert model.name, "name must not be empty"
    assert model.name == model.name.strip(), "name must have no blanks around it"
    for prompt in PROMPTS:
        _check(model.complete(prompt))
    _check(model.complete(PROMPTS[0], system="Answer in one word."))


def _check(got: object) -> None:
    assert isinstance(got, Completion), "complete must return a Completion"
    assert isinstance(got.text, str), "text must be a string"
    assert got.text.strip(), "text must not be empty: raise BadReply instead"
    for count in (got.read, got.written):
        assert count is None or (isinstance(count, int) and count >= 0), "counts are whole numbers, or None where not told"
