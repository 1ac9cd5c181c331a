"""Evaluation: judged questions → how well each mode answers them, in a collection or in one made for the purpose in memory."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core import config
from ..core.errors import DataError
from .database import load_embedder, open

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.types import Mode, Vectors
    from ..sources.beir import Judged
    from ..verbs.evaluate import Comparison, Correlation
    from .collection import Collection

MODES: tuple[Mode, ...] = ("vector", "text", "hybrid")
DEPTH = 100  # documents a query, for recall@100


def evaluate(
    source: str | Path,
    *,
    split: str | None = None,
    models: Sequence[str] = (),
    modes: Sequence[Mode] = MODES,
    collection: Collection | None = None,
    passages: bool = True,
    precision: str | None = None,
) -> Comparison:
    """How well modes and models answer judged questions, with intervals and the significance of their differences.

    Parameters
    ----------
    source : a folder in the BEIR layout; or, with `collection`, a CSV of questions and the ids that answer them
    split : which judgements of the folder; None takes `test`, or the only one
    models : one run a model and mode; none named is the default model
    collection : ask this one instead of embedding the folder's corpus in memory
    passages : False embeds the beginning of long documents alone

    Raises
    ------
    UnreadableSource : names the file and the line that is not what it should be
    """
    from ..sources.beir import load_beir, load_pairs
    from ..verbs.evaluate import compare

    path = Path(source).expanduser()
    if collection is None and path.is_file():
        raise DataError(f"{path} holds questions and no texts to search; say which collection to ask (--collection NAME)")
    judged = load_beir(path, split) if path.is_dir() else load_pairs(path)
    runs, costs = {}, {}
    for model in models or [config.default_model()]:
        with _made_of(judged, model, precision, passages) if collection is None else nullcontext(collection) as asked:
            for mode in modes:
                name = mode if len(models) < 2 else f"{model} {mode}"
                runs[name], seconds, recall = _run(asked, judged, mode)
                costs[name] = {
                    "index_recall": round(recall, 4),
                    "ms": round(1000 * seconds / len(judged.queries), 3),
                    "bytes": 4.0 * (asked.dim or 0),
                }
    found = compare(runs, judged.qrels, costs=costs)
    return found if collection is None else replace(found, missing=_missing(collection, judged))


def correlate(path: str | Path, *, model: str | None = None, precision: str | None = None) -> Correlation:
    """Spearman's correlation of a model's cosines with the scores people gave pairs of sentences.

    Raises
    ------
    UnreadableSource : names the line that is not a score and two sentences
    """
    import numpy as np

    from ..core.vectors import normalised
    from ..sources.beir import load_scored_pairs
    from ..verbs.evaluate import spearman

    pairs = load_scored_pairs(path)
    embedder = load_embedder(model or config.default_model(), precision=precision)
    vectors = normalised(embedder.embed([text for _, a, b in pairs for text in (a, b)]).vectors)
    cosines = np.einsum("ij,ij->i", vectors[::2], vectors[1::2])
    return spearman([score for score, _, _ in pairs], cosines)


@contextmanager
def _made_of(judged: Judged, model: str, precision: str | None, passages: bool) -> Iterator[Collection]:
    """The corpus as a collection that is gone afterwards."""
    with open(":memory:") as db:
        collection = db.collection(judged.name, model=model, precision=precision)
        collection.add(judged.documents(), passages=passages)
        collection.index("flat")  # exact: what is measured is models and modes
        yield collection


def _missing(collection: Collection, judged: Judged) -> tuple[str, ...]:
    """Answers that the collection does not hold."""
    answers = sorted({id for grades in judged.qrels.values() for id in grades})
    known = collection._store.known(collection.name, answers)
    return tuple(id for id in answers if id not in known)


class _Run(NamedTuple):
    found: dict[str, list[tuple[str, float]]]
    seconds: float
    recall: float  # of the index: the share of the ten nearest passages that it finds; 1 where it is exact, or not asked


def _run(collection: Collection, judged: Judged, mode: Mode) -> _Run:
    """The best documents of every question, and the seconds of asking; questions are embedded together, before the clock."""
    from ..verbs.search import Query

    texts = list(judged.queries.values())
    vectors = None if mode == "text" else collection.embedder.embed(texts, role="query").vectors
    collection.search(texts[0], 1, mode=mode)  # loads vectors, makes the full text
    run, started = {}, time.perf_counter()
    for at, (id, text) in enumerate(judged.queries.items()):
        hits = collection.answer(Query(text, mode, DEPTH), None if vectors is None else vectors[at])
        run[id] = [(hit.id, hit.score) for hit in hits]
    seconds = time.perf_counter() - started
    return _Run(run, seconds, 1.0 if vectors is None else _index_recall(collection, vectors))


def _index_recall(collection: Collection, vectors: Vectors, k: int = 10) -> float:
    """How many of the k nearest passages of each query the collection's index finds."""
    from ..indexes.flat import FlatIndex

    with collection._searching() as index:
        if index.describe().kind == "flat":
            return 1.0
        exact = FlatIndex(index.metric)
        exact.apply(collection._store.changes(collection.name))
        right, _ = exact.search(vectors, k)
        found, _ = index.search(vectors, k)
    hits = sum(len(set(a.tolist()) & set(b.tolist())) for a, b in zip(right, found, strict=True))
    return hits / max(sum(len(a) for a in right), 1)
