"""The real `llm` with llm-sentence-transformers and our command line take turns on one file: same ids, same scores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PAGES = {
    "bread.md": "Bake sourdough bread in a hot oven with flour and water.",
    "pizza.md": "Stretch the dough, add tomatoes and cheese, bake it very hot.",
    "sqlite.md": "Back up a SQLite database file while another program is using it.",
    "tax.md": "The tax office wants its form before the end of May.",
}
BIN = Path(sys.executable).parent


@pytest.fixture
def place(tmp_path: Path, minilm: Path) -> Path:
    """A folder with pages, and the model under the name by which sentence-transformers looks for it (no hub is asked)."""
    pytest.importorskip("llm_sentence_transformers", reason="make test-all installs llm-sentence-transformers")
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    shutil.copytree(minilm, tmp_path / "all-MiniLM-L6-v2")
    return tmp_path


def run(place: Path, program: str, *arguments: str) -> list[dict]:
    environment = {**os.environ, "LLM_USER_PATH": str(place / "llm"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([str(BIN / program), *arguments], cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def same(ours: list[dict], theirs: list[dict]) -> None:
    assert [hit["id"] for hit in ours] == [hit["id"] for hit in theirs]
    assert [hit["score"] for hit in ours] == pytest.approx([hit["score"] for hit in theirs], abs=1e-5)
    assert [hit["content"] for hit in ours] == [hit["content"] for hit in theirs]


def both(place: Path, *question: str) -> None:
    same(run(place, "cosimo", "similar", *question), run(place, "llm", "similar", *question))


def test_llm_searches_and_extends_our_file_by_text_and_by_id(place: Path) -> None:
    run(place, "cosimo", "embed-multi", "p", "--files", "pages", "*.md", "--store", "-m", MODEL, "-d", "p.db")
    assert [(c["name"], c["model"], c["num_embeddings"]) for c in _collections(place)] == [("p", MODEL, 4)]
    both(place, "p", "bread.md", "-d", "p.db")
    both(place, "p", "-c", "how do I bake?", "-d", "p.db")
    run(place, "llm", "embed", "p", "more", "-c", "Copy a PostgreSQL database with pg_dump.", "--store", "-d", "p.db")
    both(place, "p", "sqlite.md", "-d", "p.db")
    assert run(place, "cosimo", "similar", "p", "sqlite.md", "-n", "1", "-d", "p.db")[0]["id"] == "more"
    assert run(place, "cosimo", "search", "p", "pg_dump", "--mode", "text", "-d", "p.db")[0]["id"] == "more"


def test_we_search_and_extend_a_file_of_llm(place: Path) -> None:
    run(place, "llm", "embed-multi", "p", "--files", "pages", "*.md", "--store", "-m", MODEL, "-d", "p.db")
    both(place, "p", "bread.md", "-d", "p.db")
    both(place, "p", "-c", "how do I bake?", "-d", "p.db")
    progress = ("--progress", "json", "-d", "p.db")
    again = run(place, "cosimo", "embed-multi", "p", "--files", "pages", "*.md", "--store", *progress)
    assert (again[-1]["unchanged"], again[-1]["embedded"]) == (4, 0)
    (place / "pages" / "bread.md").write_text("Rye bread needs a sour starter.")
    changed = run(place, "cosimo", "embed-multi", "p", "--files", "pages", "*.md", "--store", *progress)
    assert (changed[-1]["updated"], changed[-1]["embedded"]) == (1, 1)
    both(place, "p", "-c", "sour starter", "-d", "p.db")


def _collections(place: Path) -> list[dict]:
    environment = {**os.environ, "LLM_USER_PATH": str(place / "llm"), "HF_HUB_OFFLINE": "1"}
    command = [str(BIN / "llm"), "collections", "list", "-d", "p.db", "--json"]
    return json.loads(subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True).stdout)
