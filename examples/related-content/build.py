"""A static site from a folder of Markdown, with links to related pages under each: python build.py FOLDER SITE"""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from string import Template
from urllib.parse import quote, urlsplit

from markdown_it import MarkdownIt

import cosimo

TEMPLATES = Path(__file__).parent / "templates"
RELATED = 5  # links under a page
LEAST = 0.3  # below that, the nearest are only the least far
MARKDOWN = MarkdownIt("commonmark").enable("table")


def main(folder: Path, site: Path) -> None:
    """Bring a site up to date: only pages that come out different are written."""
    site.mkdir(parents=True, exist_ok=True)
    with cosimo.open(site.with_name(f"{site.name}.db")) as db:
        articles = db.collection("articles")
        articles.add(cosimo.read(folder, "**/*.md"), sync=True)  # embeds what is new or changed
        articles.relate(k=RELATED)  # compares what that touches
        texts = {row.id: str(row.content) for row in articles.rows()}
        related: dict[str, list[str]] = {id: [] for id in texts}
        for id, other, score in articles.similarities():  # nearest first
            if score >= LEAST:
                related[id].append(other)
    report(site, write(site, pages(texts, related)))


def pages(texts: dict[str, str], related: dict[str, list[str]]) -> dict[str, str]:
    """Every file of the site: its path and what is in it."""
    titles = {id: title_of(id, text) for id, text in texts.items()}
    page, index = (Template((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("page.html", "index.html"))
    made = {
        path_of(id): page.substitute(
            title=html.escape(titles[id]),
            root=root_of(id),
            content=rendered(text),
            related=links(related[id], titles, root_of(id)),
        )
        for id, text in texts.items()
    }
    made["index.html"] = index.substitute(links=links(sorted(texts, key=lambda id: titles[id].casefold()), titles, ""))
    made["style.css"] = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return made


def path_of(id: str) -> str:
    """`baking/rye.md` is `pages/baking/rye.html`; in a folder of their own no article can be the site's index."""
    return f"pages/{id.removesuffix('.md')}.html"


def root_of(id: str) -> str:
    """The way from a page to the top of the site."""
    return "../" * (id.count("/") + 1)


def title_of(id: str, text: str) -> str:
    """The first heading, else the name of the file."""
    lines = (line.strip() for line in text.splitlines())
    return next((line.lstrip("# ") for line in lines if line.startswith("# ")), id.removesuffix(".md"))


def links(ids: list[str], titles: dict[str, str], root: str) -> str:
    """A list of links."""
    return "\n".join(f'<li><a href="{quote(root + path_of(id))}">{html.escape(titles[id])}</a></li>' for id in ids)


def rendered(text: str) -> str:
    """Markdown as HTML; links to other articles lead to their pages."""
    tokens = MARKDOWN.parse(text)
    for token in (inner for outer in tokens for inner in outer.children or ()):
        parts = urlsplit(str(token.attrGet("href") or ""))
        if parts.path.endswith(".md") and not parts.scheme and not parts.netloc:
            token.attrSet("href", parts._replace(path=parts.path.removesuffix(".md") + ".html").geturl())
    return str(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))


def write(site: Path, made: dict[str, str]) -> dict[str, int]:
    """Write what differs, and remove what the last run made and this one did not."""
    kept = site / ".pages.json"
    before = set(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else set()
    done = {"pages": len(made), "written": 0, "removed": 0}
    for path, text in {**made, kept.name: json.dumps(sorted(made))}.items():
        file, data = site / path, text.encode()
        if not file.exists() or file.read_bytes() != data:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            done["written"] += path in made
    for path in before - made.keys():
        (site / path).unlink(missing_ok=True)
        done["removed"] += 1
    return done


def report(site: Path, done: dict[str, int]) -> None:
    """Say what was done."""
    print(f"{site}: {done['pages']} files, {done['written']} written, {done['removed']} removed")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python build.py FOLDER SITE")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
