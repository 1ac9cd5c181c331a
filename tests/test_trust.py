"""Trust: no text is sent to a server that only a database has named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo.core import config, trust
from cosimo.core.errors import ConfigError, Error
from cosimo.core.types import Settings
from cosimo.interfaces.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = "https://models.example.org/v1#spy"


@pytest.fixture
def foreign(tmp_path: Path, home: Path) -> str:
    path = str(tmp_path / "foreign.db")
    with cosimo.open(path) as db:
        db.store.create("notes", Settings(ELSEWHERE, 3, window=512, passages=True))
        db.collection("notes").add_vectors(["a"], np.eye(1, 3), contents=["a text"])
    return path


def test_a_databases_own_server_gets_no_text_before_it_is_named(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.collection.database.Database.embedder", lambda *_: pytest.fail("a model was asked for"))
    with cosimo.open(foreign) as db:
        for mode in (None, "vector", "hybrid"):
            with pytest.raises(ConfigError, match="cosimo models trust https"):
                db.collection("notes").search("my secret", mode=mode)  # type: ignore[arg-type]
        assert db.collection("notes").search([1, 0, 0])[0].id == "a"
        assert db.collection("notes").search("text", mode="text")[0].id == "a"


def test_a_server_is_named_by_a_command_or_by_a_model_given(foreign: str) -> None:
    assert CliRunner().invoke(cli, ["models", "trust", ELSEWHERE]).exit_code == 0
    trust.refuse_unnamed(ELSEWHERE, "notes")
    with pytest.raises(ConfigError):
        trust.refuse_unnamed("https://other.example.org/v1#spy", "notes")
    with cosimo.open(":memory:") as db, pytest.raises(Error):  # nobody answers there
        db.collection("c", model="http://127.0.0.1:9/v1#m").embedder.spec  # noqa: B018
    trust.remember("https://other.example.org/v1#spy")
    trust.refuse_unnamed("https://other.example.org/v1#another", "notes")


@pytest.mark.parametrize("address", ["https://", "http://[", "models.example.org"])
def test_what_is_no_address_cannot_be_trusted(address: str, home: Path) -> None:
    told = CliRunner().invoke(cli, ["models", "trust", address])
    assert told.exit_code == 2, told.output
    trust.refuse_unnamed(address, "notes")  # nothing is sent there: the model's name is refused later
    trust.remember(address)
    assert not config.servers_path().exists()


def test_a_damaged_list_of_servers_names_none(foreign: str) -> None:
    config.servers_path().parent.mkdir(parents=True)
    for text in ("{", "[" * 100_000, '{"a": 1}'):
        config.servers_path().write_text(text)
        with pytest.raises(ConfigError, match="models trust"):
            trust.refuse_unnamed(ELSEWHERE, "notes")


def test_this_machine_and_models_without_an_address_need_no_naming(home: Path) -> None:
    for model in ("http://localhost:8000/v1#m", "http://127.0.0.1:1#m", "fake:16", "openai:text-embedding-3-small"):
        trust.refuse_unnamed(model, "notes")
