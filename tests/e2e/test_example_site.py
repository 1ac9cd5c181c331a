"""The example that builds a site: every link leads somewhere, and a second run touches only the pages it must."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("markdown_it", reason="the example renders with markdown-it-py: pip install 'cosimo[test]'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "related-content"
LONG_AGO = 1_000_000_000


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The example's own articles, to be changed."""
    return Path(shutil.copytree(EXAMPLE / "notes", tmp_path / "notes"))


def build(notes: Path, home: Path) -> Path:
    """Build the site as its page says, with an embedder that needs no model."""
    site = notes.parent / "site"
    environment = {**os.environ, "COSIMO_MODEL": "fake:64", "COSIMO_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "build.py"), str(notes), str(site)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return site


def built(notes: Path, home: Path) -> tuple[Path, set[str]]:
    """The site, and which of its files this build wrote."""
    site = notes.parent / "site"
    for file in site.rglob("*.*"):
        os.utime(file, (LONG_AGO, LONG_AGO))
    build(notes, home)
    return site, {
        file.relative_to(site).as_posix()
        for file in site.rglob("*.*")
        if file.is_file() and file.stat().st_mtime > LONG_AGO + 1
    }


def links_of(page: Path) -> list[str]:
    return re.findall(r'href="([^"]*)"', page.read_text(encoding="utf-8"))


def related_of(page: Path) -> list[str]:
    return re.findall(r'<li><a href="([^"]*)"', page.read_text(encoding="utf-8").partition("<aside>")[2])


def dead_links(site: Path) -> list[str]:
    return [
        f"{page.relative_to(site)}: {link}"
        for page in site.rglob("*.html")
        for link in links_of(page)
        if not urlsplit(link).scheme and not (page.parent / unquote(urlsplit(link).path)).is_file()
    ]


def test_every_article_has_a_page_with_links_that_lead_somewhere(notes: Path, home: Path) -> None:
    site = build(notes, home)
    pages = {page.relative_to(site).as_posix() for page in site.glob("pages/**/*.html")}
    assert pages == {f"pages/{note.relative_to(notes).with_suffix('.html').as_posix()}" for note in notes.rglob("*.md")}
    assert {link for link in links_of(site / "index.html") if link.startswith("pages/")} == pages
    assert dead_links(site) == []
    assert any(related_of(site / page) for page in pages)
    assert 'href="starter.html">sourdough starter</a>' in (site / "pages/baking/rye.html").read_text(encoding="utf-8")


def test_names_and_titles_of_any_characters_make_pages(notes: Path, home: Path) -> None:
    (notes / "C# & more, 100%.md").write_text(
        "# Flour & <water>\nBake sourdough bread with flour and water\n", encoding="utf-8"
    )
    (notes / "index.md").write_text("Bake sourdough bread with flour and water in $a tin", encoding="utf-8")
    (notes / "面包.md").write_text("# 面包 bread\nBake sourdough bread with flour and water\n", encoding="utf-8")
    site = build(notes, home)
    assert dead_links(site) == []
    assert "Flour &amp; &lt;water&gt;</a>" in (site / "index.html").read_text(encoding="utf-8")
    assert "pages/%E9%9D%A2%E5%8C%85.html" in " ".join(related_of(site / "pages" / "index.html"))


def test_a_second_run_without_changes_writes_nothing(notes: Path, home: Path) -> None:
    build(notes, home)
    assert built(notes, home)[1] == set()


def test_after_one_changed_article_only_its_page_and_pages_whose_links_change_are_written(notes: Path, home: Path) -> None:
    site = build(notes, home)
    before = {page: related_of(page) for page in site.glob("pages/**/*.html")}
    article = notes / "databases" / "wal.md"
    article.write_text(
        f"{article.read_text(encoding='utf-8')}\nThe log is copied when it reaches a thousand pages.\n", encoding="utf-8"
    )
    site, written = built(notes, home)
    moved = {page.relative_to(site).as_posix() for page, links in before.items() if related_of(page) != links}
    assert written == {"pages/databases/wal.html"} | moved
    assert len(written) < len(before)


def test_a_new_title_reaches_the_pages_that_link_to_it(notes: Path, home: Path) -> None:
    site = build(notes, home)
    article = notes / "baking" / "starter.md"
    article.write_text(
        article.read_text(encoding="utf-8").replace("Keeping a sourdough", "Feeding a sourdough"), encoding="utf-8"
    )
    site, written = built(notes, home)
    linking = {
        page.relative_to(site).as_posix()
        for page in site.glob("pages/**/*.html")
        if "starter.html" in " ".join(related_of(page))
    }
    assert linking | {"index.html", "pages/baking/starter.html"} <= written
    assert "Keeping a sourdough" not in "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))


def test_a_removed_article_leaves_no_page_and_no_link(notes: Path, home: Path) -> None:
    site = build(notes, home)
    (site / "mine.txt").write_text("not made by the build")
    (notes / "baking" / "starter.md").unlink()
    (notes / "baking" / "rye.md").write_text("# Rye\nBread of rye flour\n", encoding="utf-8")  # linked to it
    site, _ = built(notes, home)
    assert not (site / "pages" / "baking" / "starter.html").exists()
    assert dead_links(site) == []
    assert (site / "mine.txt").exists()
