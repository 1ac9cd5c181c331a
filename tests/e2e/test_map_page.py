"""The page of a map in a browser, opened from disk: points, titles, search, items; anybody's texts; 100,000 points panned."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cosimo
from cosimo import Document

pytest.importorskip("playwright", reason="Playwright is installed by the extra `heavy`")
pytestmark = pytest.mark.heavy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = [
    "</script><script>document.title = 'taken'</script>", "<img src=x onerror=\"document.title = 'taken'\">", "a\u2028b\u2029c",
    "<!--<script>", "مرحبا بالعالم", "שלום עולם", "数据库与搜索", "👩‍👩‍👧 family",
]  # fmt: skip
COUNT = 100_000
COLORED = """() => {
  const canvas = document.getElementById('points'), {width, height} = canvas;
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, width, height).data.buffer), ground = pixels[0];
  return pixels.reduce((count, pixel) => count + (pixel !== ground ? 1 : 0), 0) / pixels.length;
}"""
POINT = """() => {
  const canvas = document.getElementById('points'), {width, height} = canvas;
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, width, height).data.buffer), ground = pixels[0];
  const drawn = (x, y) => [-2, 0, 2].every((dx) => [-2, 0, 2].every((dy) => pixels[(y + dy) * width + x + dx] !== ground));
  for (let y = 20; y < height - 20; y++) for (let x = 340; x < width - 60; x++) if (drawn(x, y)) return [x, y];
}"""
PANNED = """async () => {
  const stage = document.getElementById('map'), times = [];
  const send = (type, x, y) => stage.dispatchEvent(new PointerEvent(type,
    {pointerId: 1, clientX: x, clientY: y, button: 0, buttons: 1, bubbles: true, pointerType: 'mouse'}));
  send('pointerdown', 700, 400);
  for (let k = 0; k < 90; k++) {
    times.push(await new Promise(requestAnimationFrame));
    send('pointermove', 700 + 150 * Math.sin(k / 10), 400 + 80 * Math.cos(k / 13));
  }
  send('pointerup', 700, 400);
  return 1000 * (times.length - 1) / (times[times.length - 1] - times[0]);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        found = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """A page opened from disk, and everything that went wrong or was asked for elsewhere since."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.problems: list[str] = []
        self.page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda asked: self.asked(asked.url))
        self.page.goto(path.as_uri())
        self.until("document.getElementById('about').textContent !== ''")
        self.page.wait_for_timeout(200)

    def until(self, condition: str) -> None:
        """Wait for what a script says. Playwright's own waiting needs `eval`, which the page's policy forbids."""
        for _ in range(600):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(condition)

    def asked(self, url: str) -> None:
        """Nothing but the file itself is loaded."""
        if not url.startswith(("file:", "data:")):
            self.problems.append(url)

    def point(self) -> tuple[int, int]:
        """Somewhere a point is, beside the card; its title shows."""
        found: list[int] = self.page.evaluate(POINT)
        self.page.mouse.move(found[0] - 40, found[1])
        self.page.mouse.move(*found)
        self.until("!document.getElementById('tip').hidden")
        return found[0], found[1]


@pytest.fixture(scope="module")
def articles(data: Path, minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 472 articles, by the best map that can be had here."""
    folder = tmp_path_factory.mktemp("articles")
    with cosimo.open(folder / "til.db") as db:
        til = db.collection("til", model="all-MiniLM-L6-v2")
        til.add(cosimo.read(data / "til", "**/*.md"), passages=False)
        til.export_map(til.map(), folder / "til.html")
    return folder / "til.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_the_articles_opens_from_disk(browser: Any, articles: Path, scheme: str) -> None:
    opened = Opened(browser, articles, color_scheme=scheme)
    page = opened.page
    assert 0.005 < page.evaluate(COLORED) < 0.5
    assert page.locator("#about").inner_text().startswith("472 items")
    x, y = opened.point()
    title = page.evaluate("document.getElementById('tip').firstChild.textContent")
    page.mouse.click(x, y)
    assert page.locator("#item h2").inner_text() == title
    assert len(page.locator("#item .text").inner_text()) > 50
    page.keyboard.press("Escape")
    assert not page.locator("#item").is_visible()
    before = page.evaluate(COLORED)
    page.keyboard.press("/")
    page.keyboard.type("sqlite spatial")
    opened.until("/found/.test(document.getElementById('found').textContent)")
    results = page.locator("#results button")
    assert 0 < results.count() < 100
    page.wait_for_timeout(200)
    assert page.evaluate(COLORED) != before
    title = results.first.inner_text()
    results.first.click()
    assert page.locator("#item h2").inner_text() == title
    page.fill("#search", "no such words anywhere")
    opened.until("document.getElementById('found').textContent === 'nothing found'")
    assert opened.problems == []
    page.close()


def test_colors_legend_zoom_and_theme_do_what_they_say(browser: Any, articles: Path) -> None:
    opened = Opened(browser, articles)
    page = opened.page
    first, legend = page.evaluate(COLORED), page.locator("#legend button")
    assert legend.count() == 41  # forty folders, and the others
    legend.first.click()
    assert legend.first.get_attribute("aria-pressed") == "true"
    legend.first.click()
    page.wait_for_timeout(100)
    assert page.evaluate(COLORED) == first
    page.select_option("#color", label="one color")
    assert legend.count() == 0
    page.mouse.move(800, 400)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(200)
    assert page.evaluate(COLORED) != first
    page.click("#whole")
    page.wait_for_timeout(200)
    assert page.evaluate(COLORED) == pytest.approx(first, rel=0.02)
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") != theme
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_timeout(200)
    assert page.evaluate(COLORED) > 0
    assert opened.problems == []
    page.close()


@pytest.mark.parametrize("dim", [2, 3])
def test_titles_are_shown_as_text_and_none_of_them_runs(browser: Any, tmp_path: Path, dim: int) -> None:
    with cosimo.open(tmp_path / "hostile.db") as db:
        hostile = db.collection("<b>hostile</b>", model="fake:16")
        hostile.add(
            Document(f"{at}{text}", text, {"label": text, "url": "javascript:alert(1)", "constructor": "x", "__proto__": "y"})
            for at, text in enumerate(HOSTILE)
        )
        hostile.export_map(hostile.map("pca", dim=dim), tmp_path / "hostile.html", color="label")
    opened = Opened(browser, tmp_path / "hostile.html", locale="zh-CN")
    page = opened.page
    assert page.locator("#about").inner_text().startswith("8 条")
    opened.point()
    page.fill("#search", "<img")
    opened.until("document.querySelectorAll('#results button').length === 1")
    page.locator("#results button").click()
    assert "onerror" in page.locator("#item h2").inner_text()
    assert not page.locator("#item .open").is_visible()
    assert page.title() == "<b>hostile</b>"
    assert page.locator("#item dt").all_inner_texts() == ["__proto__", "constructor", "url"], (
        "names of fields are no words of ours"
    )
    assert page.evaluate("document.images.length") == 0
    assert opened.problems == []
    page.close()


def test_a_hundred_thousand_points_can_be_panned_and_searched(browser: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    middles = random.standard_normal((60, 16))
    vectors = middles[np.arange(COUNT) % 60] + 0.5 * random.standard_normal((COUNT, 16))
    with cosimo.open(tmp_path / "many.db") as db:
        many = db.collection("many", model=None, dim=16)
        many.add_vectors([f"item {at}" for at in range(COUNT)], vectors, metadata=[{"group": at % 60} for at in range(COUNT)])
        many.export_map(many.map("pca", save=False), tmp_path / "many.html")
    opened = Opened(browser, tmp_path / "many.html")
    page = opened.page
    rate = page.evaluate(PANNED)
    print(f"{COUNT:,} points, panned: {rate:.0f} frames a second")
    assert rate > 3  # a figure for people; this says that it moves at all, on a machine with other work
    page.fill("#search", "item 99999")
    opened.until("document.querySelectorAll('#results button').length === 1")
    assert page.evaluate(COLORED) > 0.01
    assert opened.problems == []
    page.close()
