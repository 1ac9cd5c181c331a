"""Prompts that a collection began with, where its model is known with others by now: it goes on as it began."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny_models as tiny

import cosimo
from cosimo import Document
from cosimo.collection.models import load_embedder
from cosimo.core.errors import ModelMismatch
from cosimo.embedders.prompted import prompted
from cosimo.interfaces.sql import register

if TYPE_CHECKING:
    from pathlib import Path

PROMPTS = {"query": "query: ", "document": "the "}
LATER = "config_sentence_transformers.json"


@pytest.fixture
def model(home: Path, tmp_path: Path) -> Path:
    """A model whose prompts nobody knows yet."""
    return tiny.folder(tmp_path / "model")


@pytest.fixture
def path(model: Path, tmp_path: Path) -> Path:
    """A collection made with it, before its prompts were told."""
    path = tmp_path / "notes.db"
    with cosimo.open(path) as db:
        db.collection("notes", model=str(model)).add([Document("cat", "cat on mat"), Document("dog", "dog")])
    (model / LATER).write_text(json.dumps({"prompts": PROMPTS}), encoding="utf-8")
    return path


def test_a_collection_goes_on_with_the_prompts_that_made_it(path: Path, model: Path) -> None:
    with cosimo.open(path) as db:
        notes = db.collection("notes")
        assert load_embedder(str(model)).spec.prompts == PROMPTS
        assert notes.embedder.spec.prompts == {}
        assert notes.search("cat on mat", k=1, mode="vector")[0].score == pytest.approx(1, abs=1e-4)
        notes.add([Document("copy", "cat on mat"), Document("new", "mat on cat")])
        assert np.allclose(notes.vector("copy"), notes.vector("cat"), atol=1e-3)
        assert notes.info().settings.prompts == {}
        assert db.collection("notes").embedder is notes.embedder  # compiled once


def test_a_new_collection_and_a_migrated_one_get_those_of_the_model(path: Path, model: Path) -> None:
    with cosimo.open(path) as db:
        other = db.collection("other", model=str(model))
        other.add([Document("cat", "cat on mat")])
        assert other.embedder.spec.prompts == PROMPTS
        notes = db.collection("notes")
        assert not np.allclose(notes.vector("cat"), other.vector("cat"), atol=1e-2)
        assert notes.migrate(str(model)).embedded == 2
        assert notes.embedder.spec.prompts == PROMPTS
        assert np.allclose(notes.vector("cat"), other.vector("cat"), atol=1e-3)


def test_sql_asks_with_the_prompts_of_the_collection_too(path: Path) -> None:
    connection = sqlite3.connect(path)
    register(connection)
    (found,) = connection.execute("select similar('notes', 'cat on mat', 1)").fetchone()
    assert json.loads(found)[0]["score"] == pytest.approx(1, abs=1e-4)
    connection.close()


def test_the_server_does_too_and_embeds_for_others_with_the_models(path: Path, model: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    with running(models=(str(model),), database=path) as server:
        reply = server.post("/v1/collections/notes/search", {"query": "cat on mat", "k": 1, "mode": "vector"}).json()
        assert reply["hits"][0]["score"] == pytest.approx(1, abs=1e-3)
        ours = server.post("/v1/embeddings", {"input": "cat on mat"}).json()["data"][0]["embedding"]
    assert np.allclose(ours, load_embedder(str(model)).embed(["cat on mat"]).vectors[0], atol=1e-2)


def test_the_cache_and_a_shorter_length_keep_the_prompts_apart(model: Path, path: Path) -> None:
    kept: dict[str, bytes] = {}
    plain = load_embedder(f"{model}@16", cache=kept)
    without = prompted(plain, {})
    assert (plain.spec.prompts, without.spec.prompts, without.spec.dim) == (PROMPTS, {}, 16)
    for role in ("query", "document"):
        a, b = (each.embed(["cat on mat"], role=role).vectors for each in (plain, without))  # type: ignore[arg-type]
        assert not np.allclose(a, b, atol=1e-2)
    assert len(kept) == 4


def test_an_embedder_that_cannot_have_other_prompts_is_refused(home: Path, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "notes.db") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add([Document("cat", "cat on mat")])
        db.store.configure("notes", replace(notes.info().settings, prompts={"query": "other: "}))
        with pytest.raises(ModelMismatch, match="other prompts"):
            db.collection("notes").search("cat")
