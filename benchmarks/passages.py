"""What cutting does to finding: passages against whole documents, by overlap, path of headings, packing; and the time it takes.

    python benchmarks/passages.py --data FOLDER [--overlaps 32 64] [--model all-MiniLM-L6-v2]

`--data` has til/ (472 Markdown articles in folders by subject) and retrieval/nq-utd (in the BEIR layout). Columns:

* title: MRR@10 of finding an article by its title, which is taken out of the article; the score of an article is that of its
  best passage (472 queries)
* section: the same by the title of one of its sections, taken out likewise (the first section heading of each article with
  three or more)
* joined: nDCG@10 of nq-utd with every eight passages of one subject, as they come, made one document (80 queries)
* subject: nDCG@10 of the articles related to each one, those in its folder being right; an article's vector is the mean of its
  passages by tokens (articles whose folder has eleven or more)

Differences to the first row with * are significant (p < 0.05, randomisation test).
"""

from __future__ import annotations

import argparse
import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cosimo.core import registry
from cosimo.core.types import Document
from cosimo.core.vectors import normalised
from cosimo.sources.beir import load_beir
from cosimo.sources.outline import Outline
from cosimo.sources.passages import cut_all, reading, room
from cosimo.verbs.evaluate import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cosimo.core.types import Embedder, Vectors

NAMES = ("title", "section", "joined")


class Task(NamedTuple):
    """Documents, queries, and which document answers each."""

    documents: list[Document]
    queries: dict[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    measure: str


class Way(NamedTuple):
    """One way to make passages: texts to embed, with their tokens, a document."""

    name: str
    parts: Callable[[Sequence[Document]], list[list[tuple[str, int]]]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--overlaps", type=int, nargs="*", default=[32, 64])
    given = parser.parse_args()
    kind, name = registry.embedder_class(given.model)
    embedder = Memory(kind(name))
    articles = read_articles(given.data / "til")
    tasks = {"title": titles(articles), "section": sections(articles), "joined": joined(given.data / "retrieval" / "nq-utd")}
    runs: dict[str, dict[str, dict]] = {name: {} for name in (*NAMES, "subject")}
    facts = {}
    for way in ways(embedder, given.overlaps):
        for task, what in tasks.items():
            runs[task][way.name] = search(embedder, way, what)
        runs["subject"][way.name], facts[way.name] = related(embedder, way, articles)
    show(tasks, articles, runs, facts)


class Memory:
    """An embedder that computes no text twice."""

    def __init__(self, embedder: Embedder) -> None:
        self.spec, self.count_tokens, self._embedder = embedder.spec, embedder.count_tokens, embedder
        self._known: dict[str, np.ndarray] = {}

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) unit vectors."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, normalised(self._embedder.embed(new).vectors), strict=True))
        return np.stack([self._known[text] for text in texts])


def ways(embedder: Memory, overlaps: Sequence[int]) -> list[Way]:
    """What is compared; the first is what the others are held against."""
    limit = room(embedder.spec, embedder.count_tokens) or 512

    def cosimo(overlap: int = 0, *, headings: bool = True, size: int = limit) -> Callable:
        def parts(documents: Sequence[Document]) -> list[list[tuple[str, int]]]:
            found = cut_all(documents, count=embedder.count_tokens, max_tokens=size, overlap=overlap, headings=headings)
            return [[(reading(p) if headings else p.text, p.tokens) for p in passages] for passages in found]

        return parts

    def splitter(documents: Sequence[Document]) -> list[list[tuple[str, int]]]:
        from semantic_text_splitter import MarkdownSplitter

        cutter = MarkdownSplitter.from_callback(lambda text: embedder.count_tokens([text])[0], limit)
        return [[(text, len(text)) for text in cutter.chunks(str(document.content))] for document in documents]

    return [
        Way("passages", cosimo()),
        Way("whole, cut off", lambda documents: [[(str(d.content), 1)] for d in documents]),
        Way("splitter alone", splitter),
        *(Way(f"overlap {overlap}", cosimo(overlap)) for overlap in overlaps),
        Way("no heading path", cosimo(headings=False)),
        Way("half a window", cosimo(size=limit // 2)),
    ]


def read_articles(folder: Path) -> list[Document]:
    """All Markdown files."""
    paths = sorted(folder.rglob("*.md"))
    return [Document(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def titles(articles: Sequence[Document]) -> Task:
    """Find an article by the title that was taken out of it."""
    chosen = {a.id: heading for a in articles if (heading := next(iter(Outline(str(a.content)).headings), None))}
    return without(articles, {id: (heading.start, heading.path) for id, heading in chosen.items()})


def sections(articles: Sequence[Document]) -> Task:
    """Find an article by the title of its first section, taken out of it."""
    chosen = {}
    for article in articles:
        inner = [h for h in Outline(str(article.content)).headings if " › " in h.path]
        if len(inner) >= 3:
            chosen[article.id] = (inner[0].start, inner[0].path.rpartition(" › ")[2])
    return without(articles, chosen)


def without(articles: Sequence[Document], chosen: Mapping[str, tuple[int, str]]) -> Task:
    """The articles without the lines that became queries."""
    documents = []
    for article in articles:
        text = str(article.content)
        if article.id in chosen:
            start = chosen[article.id][0]
            end = text.find("\n", start)
            text = text[:start] + text[end if end >= 0 else len(text) :]
        documents.append(Document(article.id, text))
    return Task(documents, {id: query for id, (_, query) in chosen.items()}, {id: {id: 1} for id in chosen}, "MRR@10")


def joined(folder: Path) -> Task:
    """Eight passages of a subject are a document; it is as relevant as the best of them."""
    judged = load_beir(folder)
    documents, home = [], {}
    for subject, members in groupby(
        sorted(judged.documents(), key=lambda d: d.id.partition("_")[0]), lambda d: d.id.partition("_")[0]
    ):
        passages = list(members)
        for start in range(0, len(passages), 8):
            group = passages[start : start + 8]
            documents.append(Document(f"{subject}-{start}", "\n\n".join(str(d.content) for d in group)))
            home.update(dict.fromkeys((d.id for d in group), documents[-1].id))
    qrels: dict[str, dict[str, int]] = {}
    for query, grades in judged.qrels.items():
        mine = qrels.setdefault(query, {})
        for id, grade in grades.items():
            mine[home[id]] = max(mine.get(home[id], 0), grade)
    return Task(documents, judged.queries, qrels, "nDCG@10")


def search(embedder: Memory, way: Way, task: Task) -> dict[str, list[tuple[str, float]]]:
    """A run: documents by their best passage."""
    parts = way.parts(task.documents)
    vectors = embedder.vectors([text for passages in parts for text, _ in passages])
    starts = np.cumsum([0, *(len(passages) for passages in parts[:-1])])
    best = np.maximum.reduceat(
        embedder.vectors(list(task.queries.values())) @ vectors.T, starts, axis=1
    )  # (queries, documents)
    ids = [document.id for document in task.documents]
    return {query: list(zip(ids, row.tolist(), strict=True)) for query, row in zip(task.queries, best, strict=True)}


def related(embedder: Memory, way: Way, articles: Sequence[Document]) -> tuple[dict[str, list[tuple[str, float]]], tuple]:
    """A run in which each article of a large folder is a query; and passages, their mean tokens, seconds to cut."""
    started = time.perf_counter()
    parts = way.parts(articles)
    seconds = time.perf_counter() - started
    means = normalised(
        np.stack([np.average(embedder.vectors([t for t, _ in p]), axis=0, weights=[n for _, n in p]) for p in parts])
    )
    scores = means @ means.T
    np.fill_diagonal(scores, -1)
    ids = [article.id for article in articles]
    run = {id: [(ids[n], float(row[n])) for n in np.argsort(-row)[:10]] for id, row in zip(ids, scores, strict=True)}
    sizes = embedder.count_tokens([text for passages in parts for text, _ in passages])
    return run, (len(sizes), float(np.mean(sizes)), sum(size < 18 for size in sizes), seconds)


def subjects(articles: Sequence[Document]) -> dict[str, dict[str, int]]:
    """Which articles share a folder."""
    folders: dict[str, list[str]] = {}
    for article in articles:
        folders.setdefault(article.id.partition("/")[0], []).append(article.id)
    large = {folder: ids for folder, ids in folders.items() if len(ids) > 10}
    return {id: {other: 1 for other in ids if other != id} for ids in large.values() for id in ids}


def show(
    tasks: Mapping[str, Task], articles: Sequence[Document], runs: Mapping[str, Mapping], facts: Mapping[str, tuple]
) -> None:
    """The table in Markdown."""
    qrels = {name: task.qrels for name, task in tasks.items()} | {"subject": subjects(articles)}
    measures = {name: task.measure for name, task in tasks.items()} | {"subject": "nDCG@10"}
    found = {name: compare(runs[name], qrels[name], measures=[measures[name]]) for name in runs}
    print(f"| | passages | tokens | below 16 | cutting, s | {' | '.join(found)} |\n|{'---|' * (5 + len(found))}")
    first = next(iter(facts))
    for way, (count, mean, small, seconds) in facts.items():
        cells = []
        for name, comparison in found.items():
            value = comparison.runs[way].means[measures[name]].mean
            star = way != first and comparison.difference(measures[name], way, first).significant
            cells.append(f"{value:.3f}{'*' if star else ''}")
        print(f"| {way} | {count:,} | {mean:.0f} | {small} | {seconds:.2f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
