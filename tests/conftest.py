"""Fixtures shared by all tests: a private home, the default model's weights, the real data folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data beside the checkout; its README says what is in it."""
    if not (DATA / "til").is_dir():
        pytest.skip(f"no folder of real data at {DATA}; set COSIMO_TEST_DATA")
    return DATA


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test computes is computed; tests of the cache turn it on."""
    monkeypatch.setenv("COSIMO_CACHE", "off")
    for name in ("COSIMO_CACHE_PATH", "COSIMO_CACHE_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home: no database, no settings, no weights of the user's are seen or touched."""
    monkeypatch.setenv("COSIMO_HOME", str(tmp_path / "home"))
    for name in ("COSIMO_DB", "COSIMO_MODEL", "COSIMO_PRECISION", "COSIMO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The default model's folder: the user's own, fetched once where it is missing."""
    from cosimo.core.errors import ModelNotFound
    from cosimo.embedders import weights

    try:
        return weights.fetch("all-MiniLM-L6-v2", progress=False)
    except ModelNotFound as error:
        pytest.skip(f"the default model is not here: {error}")
