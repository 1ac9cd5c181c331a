"""The page of providers: every spelling on it is tried: built, or refused with the right key, extra or package named."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest
from blocking import block

from cosimo.collection.models import load_embedder
from cosimo.core import config, registry
from cosimo.core.errors import Error, MissingExtra, ModelNotFound
from cosimo.embedders import catalog, providers

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
ROWS = generate.classes()
PACKAGES = {"st": "sentence_transformers", "litellm": "litellm"}


def rows(*kinds: str) -> list[Any]:
    found = [row for row in ROWS if row.get("needs", "gone").partition(" ")[0] in kinds]
    return [pytest.param(row, id=row["name"]) for row in found]


def variables() -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in ROWS if row.get("needs", "").isupper()]


def test_the_list_is_whole_and_every_row_is_tried() -> None:
    assert len(ROWS) == len({row["name"] for row in ROWS}) == 73
    tried = len(rows("nothing", "weights", "folder", "extra", "pip")) + len(variables())
    gone = [row for row in ROWS if "gone" in row]
    assert tried + len(gone) == 73
    assert all(row["gone"] and "cosimo" not in row for row in gone)


@pytest.mark.parametrize("row", rows("nothing"))
def test_what_needs_no_account_is_built(row: dict[str, str], minilm: Path) -> None:
    embedder = load_embedder(row["cosimo"], precision="int8" if "int8" in row.get("note", "") else None)
    assert callable(embedder.embed)


@pytest.mark.parametrize("row", variables())
def test_what_wants_a_key_names_its_variable(row: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if re.search("KEY|TOKEN|ENDPOINT|HOST", name):
            monkeypatch.delenv(name)
    with pytest.raises(Error, match=row["needs"]):
        load_embedder(row["cosimo"])
    for name in (row["needs"], *re.findall(r"[A-Z]+_[A-Z_]+", row.get("note", ""))):
        monkeypatch.setenv(name, "https://somewhere.example" if name.endswith(("HOST", "ENDPOINT")) else "a-key")
    assert callable(load_embedder(row["cosimo"]).embed)


@pytest.mark.parametrize("row", rows("weights"))
def test_weights_that_are_not_here_are_said_to_be_missing(
    row: dict[str, str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSIMO_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="put its files"):
        load_embedder(row["cosimo"])


@pytest.mark.parametrize("row", rows("extra"))
def test_what_wants_an_extra_names_its_pip_line(row: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = row["needs"].partition(" ")[2]
    block(monkeypatch, PACKAGES[extra])
    with pytest.raises(MissingExtra, match=re.escape(f"pip install 'cosimo[{extra}]'")):
        load_embedder(row["cosimo"])


@pytest.mark.parametrize("row", rows("pip"))
def test_what_wants_another_package_names_its_pip_line(
    row: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_core")
    package = row["needs"].partition(" ")[2]
    assert row["cosimo"].startswith(f"langchain:{package}.")
    block(monkeypatch, package)
    with pytest.raises(MissingExtra, match=f"pip install {package}"):
        load_embedder(row["cosimo"])


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", [each for each in rows("pip") if "langchain_community" in each.values[0]["needs"]])
def test_the_frozen_classes_are_there_and_say_what_they_want(row: dict[str, str], home: Path) -> None:
    community = pytest.importorskip("langchain_community.embeddings")
    assert isinstance(getattr(community, row["name"]), type)
    try:
        said = f"{load_embedder(row['cosimo'])} was built"
    except ModelNotFound as error:
        said = f"not found\n{error}"
    except Error as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.heavy
@pytest.mark.parametrize("row", [each for each in rows("extra") if "litellm" in each.values[0]["needs"]])
def test_litellm_knows_the_providers_that_are_left_to_it(row: dict[str, str], home: Path) -> None:
    config.quieten_litellm()
    pytest.importorskip("litellm")
    assert callable(load_embedder(row["cosimo"]).embed)


def test_every_provider_of_ours_is_reached_by_its_prefix() -> None:
    assert {row.name for row in providers.providers()} == registry.HTTP


def test_the_catalogue_says_where_and_when_it_was_read() -> None:
    names = [entry.name for entry in catalog.known()]
    assert len(names) == len(set(names)) >= 30
    for entry in catalog.known():
        assert entry.source.startswith("https://"), entry.name
        assert entry.checked.year >= 2026, entry.name
        assert entry.dim > 0, entry.name
        assert all(0 < dim <= entry.dim for dim in entry.dims), entry.name
        assert set(entry.prompts) <= {"query", "document"}, entry.name
        assert entry.superseded_by in ("", *names), entry.name
