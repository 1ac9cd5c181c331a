"""Gallery: draws the pictures of docs/gallery.md from real data, into docs/pictures.

    python docs/gallery.py ../shared/data [--browser /usr/bin/chromium]

Needs `pip install 'cosimo[understand]'`, and for the pictures of pages Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cosimo

if TYPE_CHECKING:
    from cosimo.collection.database import Database

PICTURES = Path(__file__).parent / "pictures"
CONCRETE = [
    "The cup stands on the wooden table.", "A red tractor drove through the mud.", "She peeled three potatoes with a knife.",
    "The nail is four centimetres long.", "Rain ran down the window pane.", "He tied his left shoe and shut the door.",
    "Two grey geese sat on the frozen lake.", "The kettle whistles on the gas stove.",
]  # fmt: skip
ABSTRACT = [
    "Freedom is more than the absence of rules.", "Justice means little without the power to judge.",
    "What we call progress depends on our values.", "Truth and usefulness are different virtues.",
    "Every theory rests on assumptions.", "Loyalty can be in conflict with honesty.",
    "Meaning arises from the relations between ideas.", "Hope is a way of thinking about the future.",
]  # fmt: skip
ESSAY = (
    "My grandfather kept bees. He had eleven wooden hives behind the barn, and a dented steel smoker that smelled of pine. "
    "In June he lifted the frames with bare hands and counted the sealed cells. A hive is a lesson in order without command. "
    "No bee knows the plan, yet the plan is kept. We like to think that cooperation needs agreement. "
    "It may need only good habits. "
    "When he died we sold the hives to a neighbour for two hundred euros. What he left us was an idea of patience."
)


def map_of_articles(db: Database, data: Path, folder: Path) -> Path:
    """The map as a picture, and its page."""
    articles = db.collection("articles")
    articles.add(cosimo.read(data / "til", "**/*.md"))
    articles.cluster(12)
    found = articles.map("umap", seed=1)
    articles.export_map(found, PICTURES / "map.png", color="cluster")
    page = folder / "map.html"
    articles.export_map(found, page, color="cluster")
    return page


def map_of_questions(db: Database, data: Path) -> None:
    """3,080 questions to a bank, whose clusters have names."""
    questions = db.collection("questions")
    rows = (data / "banking77" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    questions.add(cosimo.Document(f"{n:04}", row.split("\t")[1]) for n, row in enumerate(rows))
    questions.cluster(30)
    questions.export_map(questions.map("tsne", seed=1), PICTURES / "questions.png", color="cluster", dark=True)


def comparison(db: Database) -> None:
    """The same articles in fewer and coarser numbers."""
    names = ["articles", "articles@192", "articles@96", "articles@int8", "articles@bit"]
    db.compare(*names, sample=None).plot(PICTURES / "compare.png")


def essay(folder: Path) -> Path:
    """A text of our own, colored sentence by sentence."""
    from cosimo.interfaces.cli import cli

    for name, texts in (("concrete.txt", CONCRETE), ("abstract.txt", ABSTRACT), ("essay.txt", [ESSAY])):
        (folder / name).write_text("\n".join(texts), encoding="utf-8")
    page = folder / "essay.html"
    ends = ["--low", str(folder / "concrete.txt"), "--high", str(folder / "abstract.txt")]
    cli.main(["score", *ends, "-i", str(folder / "essay.txt"), "--html", str(page)], standalone_mode=False)
    return page


def photographed(browser: str, map_page: Path, essay_page: Path) -> None:
    """Both pages as a browser shows them."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1200, "height": 760}, color_scheme="dark")
        page.goto(map_page.as_uri())
        page.wait_for_timeout(1000)
        page.keyboard.press("/")
        page.keyboard.type("sqlite")
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURES / "map-page.png")
        page = chromium.new_page(viewport={"width": 900, "height": 420})
        page.goto(essay_page.as_uri())
        page.screenshot(path=PICTURES / "score.png")
        chromium.close()


def _shrink(picture: Path) -> None:
    """256 colors are enough for these, and half the bytes."""
    from PIL import Image

    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256)
    small.save(picture, optimize=True)


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    given = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, cosimo.open(":memory:") as db:
        map_page = map_of_articles(db, given.data, Path(folder))
        map_of_questions(db, given.data)
        comparison(db)
        essay_page = essay(Path(folder))
        if given.browser:
            photographed(given.browser, map_page, essay_page)
        else:
            print("no browser found: the pictures of pages stay as they are; name one with --browser")
    for picture in sorted(PICTURES.glob("*.png")):
        _shrink(picture)
        print(f"{picture.name}: {picture.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
