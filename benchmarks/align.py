"""Align: how well maps between two models find partners, by method and number of pairs; and what a mapped collection answers.

    python benchmarks/align.py

Mean word vectors (word2vec) are the old model, all-MiniLM-L6-v2 the new one, as far apart as models of texts are. Pairs are
banking77's questions and the sentences of STS; the collection is nq-utd (800 passages, 80 questions), of which some are
embedded by both models, and all are searched with the map that these give. Figures in docs/decisions/0012-align.md.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

import cosimo
from cosimo.sources.beir import load_beir
from cosimo.verbs.align import Method, align
from cosimo.verbs.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosimo.core.types import Vectors
    from cosimo.sources.beir import Judged

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
OLD, NEW = f"words:{DATA / 'words' / 'word2vec-8k.bin'}", "all-MiniLM-L6-v2"
HELD = 600  # pairs that are tested on, whatever the number learned from


def main() -> None:
    """Print the tables."""
    for name, texts in (("banking77", list(_questions())), ("STS", list(_sentences()))):
        old, new = (cosimo.embed(texts, model=model) for model in (OLD, NEW))
        known = old.any(axis=1)
        methods(name, old[known], new[known])
    answers()


def methods(name: str, old: Vectors, new: Vectors) -> None:
    """Recall on the same held-out pairs."""
    order = np.random.default_rng(1).permutation(len(old))
    for count in (100, 300, 1_000, 2_400):
        some = order[: min(count + HELD, len(order))]
        for method in get_args(Method):
            report = align(old[some], new[some], method=method, holdout=HELD / len(some)).report
            sides = (f"{side.mapped.at_1:.3f} {side.mapped.at_10:.3f}" for side in (report.forward, report.backward))
            chance = report.backward.chance.at_10
            print(f"{name}, {report.learned:,} pairs, {method}: {' · '.join(sides)} (chance at 10: {chance:.3f})")


def answers() -> None:
    """nDCG@10 of the old model, of its vectors mapped, and of the new model."""
    judged = load_beir(DATA / "retrieval" / "nq-utd")
    with cosimo.open(":memory:") as db:
        for name, model in (("old", OLD), ("new", NEW)):
            db.collection(name, model=model).add(judged.documents(), passages=False)
            print(f"nq-utd, {name} model: {_ndcg(db.collection(name), judged):.3f}")
        ids = [row.id for row in db.collection("new").rows()]
        for count, method in product((100, 200, 400, 800), get_args(Method)):
            copy = db.collection("copy", model=OLD)
            copy.add(judged.documents(), passages=False)
            pairs = [(id, id) for id in np.random.default_rng(0).permutation(ids)[:count].tolist()]
            copy.migrate(db.align("map", "old", "new", pairs=pairs, method=method).model)
            print(f"nq-utd, mapped by {method}, learned from {count} of {len(ids)} passages: {_ndcg(copy, judged):.3f}")
            db.drop("copy")
            db.forget_alignment("map")


def _ndcg(collection: cosimo.Collection, judged: Judged) -> float:
    run = {
        id: [(hit.id, hit.score) for hit in collection.search(text, k=10, mode="vector")] for id, text in judged.queries.items()
    }
    return evaluate(run, judged.qrels, measures=("nDCG@10",)).means["nDCG@10"].mean


def _questions() -> Iterator[str]:
    lines = (DATA / "banking77" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    yield from dict.fromkeys(line.split("\t")[1] for line in lines)


def _sentences() -> Iterator[str]:
    for path in sorted((DATA / "stsb" / "en").glob("*.tsv")):
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        yield from dict.fromkeys(text for line in lines for text in line.split("\t")[1:3] if len(text) > 12)


if __name__ == "__main__":
    main()
