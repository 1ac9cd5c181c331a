"""The documentation is true: examples run as typed, help texts match, every verb has a page, every link leads somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA
from document_files import pdf
from picture_files import drawn, photographs
from picture_models import plug_in
from sound_files import RATE, tones

from cosimo.core.sound import wav

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)

PREPARED = (
    "cosimo embed-multi notes --files notes '**/*.md' --store",
    "cosimo embed-multi shop shop.csv --metadata-columns price,category --store",
)

PRODUCTS = [f"{color} {thing}" for color in ("red", "blue", "white") for thing in ("dress", "shoes", "hat", "coat", "shirt")]

spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.fixture
def workplace(tmp_path: Path, minilm: Path) -> Path:
    """A folder with what the examples speak of."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "sourdough.md").write_text("# Sourdough\nFeed the starter, mix flour and water, bake bread in a hot oven.\n")
    (notes / "pizza.md").write_text("# Pizza\nStretch the dough, add tomatoes and cheese, bake it very hot.\n")
    (notes / "backups.md").write_text("# Backups\nCopy a SQLite database while it is in use with the backup command.\n")
    (tmp_path / "papers").mkdir()
    pdf(tmp_path / "papers" / "bread.pdf", ["Sourdough needs a starter."], ["Proof the dough overnight."])
    (tmp_path / "shop.csv").write_text("id,name,price,category\n1,Red dress,20,dress\n2,Walking shoes,80,shoes\n")
    (tmp_path / "products.csv").write_text("id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(PRODUCTS)))
    (tmp_path / "shops.csv").write_text("id,name,lat,lon\n1,Bread and cake,48.8500,2.3470\n2,Bread and more,51.5074,-0.1278\n")
    (tmp_path / "concrete.txt").write_text("The dog slept under the table.\nA red brick wall.\nCold tea in a cup.\n")
    (tmp_path / "abstract.txt").write_text("Justice requires fairness.\nThe meaning of freedom.\nHope is a duty.\n")
    (tmp_path / "essay.txt").write_text("The stone was heavy. Truth matters more than comfort.\n")
    photographs(tmp_path / "photos")
    (tmp_path / "shoe.jpg").write_bytes(drawn("red"))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "bird.wav").write_bytes(wav(tones(300, 900, 1500), RATE))
    (tmp_path / "clip.wav").write_bytes(wav(tones(900), RATE))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "cli.py").write_text('def plugins():\n    """List the plugins."""\n    print(installed())\n')
    for file in sorted((DATA / "words").glob("*")):  # the pages on words are skipped where there is none
        (tmp_path / file.name).symlink_to(file)
    with sqlite3.connect(tmp_path / "blog.db") as blog:
        blog.execute("create table posts (id integer primary key, title text, body text)")
        blog.execute("insert into posts values (1, 'Baking', 'How I bake bread'), (2, 'Data', 'Why I like SQLite')")
    return tmp_path


def skip_without_words(page: Path, workplace: Path) -> None:
    if page.name in ("words.md", "tour.md") and not (workplace / "word2vec-8k.bin").exists():
        pytest.skip("no folder of real data with word vectors; set COSIMO_TEST_DATA")


@pytest.fixture
def model_of_the_page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of CLIP and CLAP are 600 MB: on their pages models by colours and tones are the default."""
    usual = {"pictures.md": "colours:page", "sound.md": "tones:page"}
    if model := usual.get(request.getfixturevalue("page").name):
        plug_in(monkeypatch, tmp_path / "site")
        monkeypatch.setenv("COSIMO_MODEL", model)
        monkeypatch.setenv("COSIMO_HOME", str(tmp_path / "home"))


def commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [
        line
        for kind, block in BLOCK.findall(text)
        if kind == "bash"
        for line in block.splitlines()
        if line.startswith("cosimo ")
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_as_typed(page: Path, workplace: Path, minilm: Path, model_of_the_page: None) -> None:
    skip_without_words(page, workplace)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COSIMO_DB": str(workplace / "own.db")}
    before = [] if page.name in ("README.md", "embed-multi.md", "sound.md") else PREPARED
    for command in [*before, *commands(page)]:
        if " | jq" in command and not shutil.which("jq"):
            command = command.partition(" | jq")[0]
        done = subprocess.run(command, shell=True, cwd=workplace, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_as_typed(
    page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, model_of_the_page: None
) -> None:
    blocks = [block for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "python"]
    if not blocks:
        pytest.skip("no Python on this page")
    skip_without_words(page, workplace)
    monkeypatch.chdir(workplace)
    exec("\n".join(blocks), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_help_texts_in_the_pages_are_those_of_the_commands(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generate.rendered(text) == text, "run: make docs"


def test_every_command_has_its_page() -> None:
    written = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in generate.commands() if f"<!-- help: {name} -->" not in written]
    assert missing == []


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs" / "decisions").glob("*.md")], ids=lambda page: page.name
)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
