"""Embedders' contract: an embedder in, an AssertionError out that says which rule it breaks. Needs no test framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.types import Embedded, ModelSpec

if TYPE_CHECKING:
    from ..core.types import Embedder, Vectors

TEXTS = (
    "How do I back up a SQLite database?",
    "a copy of the database file, made while it is in use",
    "The red dress has long sleeves.",
    "怎样备份数据库？",
    "x",
)
ODD = ("", "   \n\t ", "\U0001f600\U0001f680", "a\x00b", "half \ud800 a pair", "\x00")


def check_embedder(embedder: Embedder, *, near: float = 0.9999) -> None:
    """Every rule that the rest of cosimo relies on, tried on a handful of short texts.

    Parameters
    ----------
    embedder : what is tried; an embedder that costs money is called about ten times
    near : lowest cosine between vectors of one text from two calls; a provider may round, but not more than this

    Raises
    ------
    AssertionError : a rule is broken; the message says which
    """
    spec = embedder.spec
    _check_spec(spec)
    alone = _check_shape(embedder, spec)
    _check_order(embedder, alone, near)
    _check_roles(embedder, spec, near)
    if "text" in spec.modalities:
        _check_odd_texts(embedder, spec)
        _check_window(embedder, spec)


def _check_spec(spec: ModelSpec) -> None:
    assert isinstance(spec, ModelSpec), "spec must be a ModelSpec"
    assert spec.name, "spec.name must not be empty"
    assert spec.dim > 0, "spec.dim must be the length of the vectors"
    assert spec.max_tokens is None or spec.max_tokens > 0, "spec.max_tokens must be positive, or None where there is no limit"
    assert set(spec.prompts) <= {"document", "query"}, "spec.prompts must map roles to texts"


def _check_shape(embedder: Embedder, spec: ModelSpec) -> Vectors:
    got = embedder.embed(list(TEXTS))
    assert isinstance(got, Embedded), "embed must return an Embedded"
    vectors = got.vectors
    assert vectors.shape == (len(TEXTS), spec.dim), f"vectors must be (n, dim) = {(len(TEXTS), spec.dim)}, not {vectors.shape}"
    assert vectors.dtype == np.float32, f"vectors must be float32, not {vectors.dtype}"
    assert vectors.flags.c_contiguous, "vectors must be C-contiguous"
    assert np.isfinite(vectors).all(), "vectors must be finite"
    assert got.tokens > 0, "tokens must count what was read"
    assert len(got.counts) in (0, len(got.vectors)), "counts must be one number a text, or empty"
    assert list(got.cut) == [], "short texts are not cut"
    if spec.normalized:
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.allclose(lengths, 1, atol=1e-3), "spec.normalized promises unit length"
    none = embedder.embed([])
    assert none.vectors.shape == (0, spec.dim), f"no texts must give (0, dim), not {none.vectors.shape}"
    assert none.vectors.dtype == np.float32, "no texts must give float32 too"
    return vectors


def _check_order(embedder: Embedder, alone: Vectors, near: float) -> None:
    again = embedder.embed(list(reversed(TEXTS))).vectors[::-1]
    assert _lowest(alone, again) >= near, "vectors must come in the order of the texts, and be the same in every call"
    twice = embedder.embed([TEXTS[0], TEXTS[2], TEXTS[0]]).vectors
    assert np.array_equal(twice[0], twice[2]), "the same text twice in a call must have the same vector"
    assert _lowest(alone[[0, 2]], twice[:2]) >= near, "a text's vector must not depend on the texts beside it"
    single = embedder.embed([TEXTS[2]]).vectors
    assert _lowest(alone[2:3], single) >= near, "a text alone must have the vector that it has among others"
    scores = alone @ alone[0]
    assert scores[1] > scores[2], "texts about one thing must be nearer than texts about two"


def _check_roles(embedder: Embedder, spec: ModelSpec, near: float) -> None:
    query = embedder.embed([TEXTS[0]], role="query").vectors
    document = embedder.embed([TEXTS[0]], role="document").vectors
    assert query.shape == document.shape == (1, spec.dim), "both roles must give vectors of one length"
    for role, vector in (("query", query), ("document", document)):
        prompt = spec.prompts.get(role)
        if prompt:
            given = embedder.embed([prompt + TEXTS[0]], role=role).vectors  # type: ignore[arg-type]
            assert _lowest(vector, given) >= near, f"a prompt that a {role} has already must not be added again"
    if spec.prompts.get("query", "") != spec.prompts.get("document", ""):
        assert _lowest(query, document) < 1 - 1e-6, "different prompts must make a difference"


def _check_odd_texts(embedder: Embedder, spec: ModelSpec) -> None:
    for text in ODD:
        got = embedder.embed([text]).vectors
        assert got.shape == (1, spec.dim), f"{text!r} must have one vector"
        assert np.isfinite(got).all(), f"{text!r} must have a finite vector"
    counts = embedder.count_tokens([*TEXTS, *ODD])
    assert len(counts) == len(TEXTS) + len(ODD), "count_tokens must give one number a text"
    assert all(isinstance(count, int) and count >= 0 for count in counts), "count_tokens must give whole numbers"
    assert embedder.count_tokens([]) == [], "count_tokens of nothing is nothing"


def _check_window(embedder: Embedder, spec: ModelSpec) -> None:
    if spec.max_tokens is None or spec.max_tokens > 100_000:
        return
    long = "word " * (spec.max_tokens + 50)
    assert embedder.count_tokens([long])[0] > spec.max_tokens, "count_tokens must count the whole text, uncut"
    got = embedder.embed([TEXTS[0], long, TEXTS[2]])
    assert list(got.cut) == [1], "cut must hold the positions of the texts longer than the window"


def _lowest(a: Vectors, b: Vectors) -> float:
    """Lowest cosine of rows that belong together."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float((np.einsum("ij,ij->i", a, b) / np.maximum(lengths, 1e-30)).min())
