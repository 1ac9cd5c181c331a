"""How well meaning, words and both answer the questions of three sets; beside fixed mixes of the same candidates, and a peer.

    pip install lancedb==0.40
    python benchmarks/hybrid.py --data FOLDER [--sets nq-utd cosqa cmrc2018-dev] [--model all-MiniLM-L6-v2]

nDCG@10, with the interval that holds the mean of 95% of bootstrap samples of the questions; measured by what `cosimo eval`
calls. Once with documents in passages, once with the beginning of each as a whole. The fixed mixes get the very candidates and
scores that cosimo's hybrid gets:

* reciprocal ranks: 1 / (60 + rank) in each list, added
* min-max: 0.7 of the score by meaning, 0.3 of that by words, each brought to 0 to 1 over all candidates
* z-scores: each brought to mean 0 and deviation 1, a fixed part by meaning

LanceDB has its own BM25 and its own fusion (its default), over the same vectors of whole documents.

↑ and ↓: above or below cosimo's hybrid, by more than chance (p < 0.05, randomisation test over the same questions).
"""

from __future__ import annotations

import argparse
import tempfile
import unittest.mock
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import cosimo
from cosimo.sources.beir import load_beir
from cosimo.verbs import fusion
from cosimo.verbs.evaluate import compare
from cosimo.verbs.search import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from cosimo.collection.collection import Collection
    from cosimo.sources.beir import Judged
    from cosimo.verbs.evaluate import Comparison

    Scores = NDArray[np.float32]
    Mix = Callable[[Scores, Scores, float], Scores]
    Run = dict[str, list[tuple[str, float]]]

MEASURE, DEPTH = "nDCG@10", 10
HYBRID, PEER = "**hybrid**", "LanceDB's hybrid, whole documents"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=["nq-utd", "cosqa", "cmrc2018-dev"])
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    given = parser.parse_args()
    for passages in (True, False):
        found = {name: measured(load_beir(given.data / "retrieval" / name), given.model, passages) for name in given.sets}
        show(found, "passages" if passages else "whole documents")


def measured(judged: Judged, model: str, passages: bool) -> Comparison:
    """All ways on one set."""
    with cosimo.open(":memory:") as db:
        collection = db.collection(judged.name, model=model)
        collection.add(judged.documents(), passages=passages)
        vectors = collection.embedder.embed(list(judged.queries.values()), role="query").vectors
        collection.search(next(iter(judged.queries.values())), 1, mode="hybrid")  # makes the full text
        runs = {
            "vector": answers(collection, judged, vectors, "vector"),
            "text": answers(collection, judged, vectors, "text"),
            HYBRID: answers(collection, judged, vectors, "hybrid"),
        }
        for name, mix in mixes().items():
            with instead_of_ours(mix):
                runs[name] = answers(collection, judged, vectors, "hybrid")
        if not passages and (run := lancedb(collection, judged, vectors)):
            runs[PEER] = run
    return compare(runs, judged.qrels, measures=[MEASURE])


def answers(collection: Collection, judged: Judged, vectors: Scores, mode: str) -> Run:
    """A run of cosimo's."""
    return {
        id: [(hit.id, hit.score) for hit in collection.answer(Query(text, mode, DEPTH), None if mode == "text" else vector)]
        for (id, text), vector in zip(judged.queries.items(), vectors, strict=True)
    }


def mixes() -> dict[str, Mix]:
    """The fixed ways to mix: from scores by meaning and by words (0: not found), (n,) each, and a weight they leave alone."""

    def z_scores(weight: float) -> Mix:
        mixed = fusion.mixed
        return lambda vector, text, _: mixed(vector, text, weight)

    return {
        "reciprocal ranks": lambda vector, text, _: reciprocal(vector) + np.where(text > 0, reciprocal(text), 0),
        "min-max, 0.7": lambda vector, text, _: 0.7 * spread(vector) + 0.3 * spread(text),
        "z-scores, 0.6": z_scores(0.6),
        "z-scores, 0.8": z_scores(0.8),
    }


def reciprocal(scores: Scores) -> Scores:
    """1 / (60 + rank); nothing beyond the candidates of one list."""
    ranks = np.empty(len(scores), np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return np.where(ranks <= fusion.CANDIDATES, 1 / (60 + ranks), 0)


def spread(scores: Scores) -> Scores:
    """From 0 to 1."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


@contextmanager
def instead_of_ours(mix: Mix) -> Iterator[None]:
    """Searches in mode hybrid mix their candidates this way."""
    with unittest.mock.patch.object(fusion, "mixed", mix):
        yield


def lancedb(collection: Collection, judged: Judged, vectors: Scores) -> Run | None:
    """LanceDB's hybrid search over the collection's texts and vectors; None where it is not installed."""
    try:
        import lancedb
        import pyarrow as pa
    except ImportError:
        return None
    rows = list(collection.rows())
    flat = pa.array(np.stack([row.vector for row in rows]).reshape(-1))
    with tempfile.TemporaryDirectory() as folder:
        columns = {"id": [row.id for row in rows], "text": [row.content for row in rows]}
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        table = lancedb.connect(folder).create_table("c", pa.table(columns))
        table.create_fts_index("text")
        run = {}
        for (id, text), vector in zip(judged.queries.items(), vectors, strict=True):
            asked = table.search(query_type="hybrid").vector(vector).text(text).distance_type("cosine").limit(DEPTH)
            run[id] = [(row["id"], row["_relevance_score"]) for row in asked.select(["id"]).to_list()]
    return run


def show(found: Mapping[str, Comparison], how: str) -> None:
    """The table in Markdown, and the one question that matters: is hybrid ever below the better of both?"""
    names = list(dict.fromkeys(name for comparison in found.values() for name in comparison.runs))
    print(f"\nnDCG@10, {how}\n\n| | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}")
    for name in names:
        print(f"| {name} | {' | '.join(cell(comparison, name) for comparison in found.values())} |")
    if PEER not in names and how != "passages":
        print("| LanceDB's hybrid | " + " | ".join(["not installed"] * len(found)) + " |")
    print()
    for title, comparison in found.items():
        best = max(("vector", "text"), key=lambda name: comparison.runs[name].means[MEASURE].mean)
        by = comparison.difference(MEASURE, HYBRID, best)
        print(f"- {title}: hybrid − {best} = {by.by.mean:+.4f} ({by.by.low:+.4f} to {by.by.high:+.4f}), p = {by.p:.4f}")


def cell(comparison: Comparison, name: str) -> str:
    """Mean, interval, and whether it differs from hybrid."""
    if name not in comparison.runs:
        return "–"
    mean, low, high = comparison.runs[name].means[MEASURE]
    mark = ""
    if name != HYBRID and (by := comparison.difference(MEASURE, name, HYBRID)).significant:
        mark = " ↑" if by.by.mean > 0 else " ↓"
    return f"{mean:.3f}{mark} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
