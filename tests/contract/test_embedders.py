"""Every embedder passes the suite that plug-in authors run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cosimo.core.types import Embedded, ModelSpec
from cosimo.embedders.fake import FakeEmbedder
from cosimo.embedders.local import LocalEmbedder
from cosimo.testing import check_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.mark.parametrize("dim", ["64", "256"])
def test_fake(dim: str) -> None:
    check_embedder(FakeEmbedder(dim))


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_local(minilm: Path, precision: str) -> None:
    check_embedder(LocalEmbedder(str(minilm), precision=precision))


class _Broken(FakeEmbedder):
    """A fake with one rule broken at a time."""

    def __init__(self, rule: str) -> None:
        super().__init__("64")
        self.rule = rule

    def embed(self, contents: Sequence[Any], *, role: Any = "document") -> Embedded:
        got = super().embed(contents, role=role)
        match self.rule:
            case "dtype":
                return got._replace(vectors=got.vectors.astype(np.float64))
            case "order":
                return got._replace(vectors=got.vectors[np.argsort([str(text) for text in contents], kind="stable")].copy())
            case "length":
                return got._replace(vectors=got.vectors * 2)
            case "cut":
                return got._replace(cut=[])
            case "empty" if not len(contents):
                return got._replace(vectors=np.empty((0, 0), np.float32))
            case "neighbours":
                return got._replace(vectors=np.roll(got.vectors, len(contents) % 3, axis=1))
        return got


@pytest.mark.parametrize("rule", ["dtype", "order", "length", "cut", "empty", "neighbours"])
def test_the_suite_notices_a_broken_rule(rule: str) -> None:
    with pytest.raises(AssertionError):
        check_embedder(_Broken(rule))


def test_the_suite_notices_a_prompt_added_twice() -> None:
    class Twice(FakeEmbedder):
        def embed(self, contents: Sequence[Any], *, role: Any = "document") -> Embedded:
            prompt = self.spec.prompts.get(role, "")
            return super().embed([f"{prompt}. {prompt}{content}" for content in contents], role=role)

    with pytest.raises(AssertionError, match="added again"):
        check_embedder(Twice("64"))


def test_spec_is_plain_data() -> None:
    assert isinstance(FakeEmbedder("8").spec, ModelSpec)
