"""Verbs that look at a whole collection: what they take on many rows, beside other programs on the same vectors.

    python benchmarks/understand.py [--parts clusters] [--rows 100000]

One function a part. Vectors are those of the data folder's bank questions and articles, and of points between two of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import cosimo

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CLUSTERS = 100
UMAP_MOST = 100_000  # rows of which umap-learn makes a map in minutes


def main() -> None:
    """Print the tables of the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    if not (DATA / "banking77").is_dir():
        sys.exit(f"no data at {DATA}; set COSIMO_TEST_DATA")
    for part in given.parts:
        print(f"\n## {part}\n", flush=True)
        PARTS[part](given.rows)


def table(columns: tuple[str, ...]) -> None:
    """The head of a table."""
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)


def questions() -> tuple[list[str], list[str]]:
    """The bank's test questions and their intents."""
    lines = (DATA / "banking77" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = [line.split("\t") for line in lines]
    return [text for _, text in pairs], [intent for intent, _ in pairs]


def dense(rows: int) -> np.ndarray:
    """(rows, 384) unit vectors: real ones, then points between two of them with a little noise."""
    articles = [document.content for document in cosimo.read(DATA / "til", "**/*.md") if document.content]
    real = cosimo.embed([*questions()[0], *articles])
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(real), (2, rows))
    part = random.uniform(0, 1, (rows, 1)).astype(np.float32)
    vectors = part * real[one] + (1 - part) * real[other] + random.normal(0, 0.02, (rows, real.shape[1])).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """How long it takes, and what it gives."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


# -- clusters ----------------------------------------------------------------------------------------------------------


def clusters(rows: int) -> None:
    """k-means of many rows, and of bank questions against their intents."""
    many_rows(rows)
    print()
    intents()


def many_rows(rows: int) -> None:
    """Seconds and the mean cosine with the nearest centre, ours and scikit-learn's; the whole commands, read and printed."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    from cosimo.verbs.clustering.kmeans import kmeans

    vectors = dense(rows)
    table((f"{rows:,} × {vectors.shape[1]}, k = {CLUSTERS}", "s", "ratio", "mean cosine"))

    def ours() -> np.ndarray:
        with threadpool_limits(1, user_api="blas"):
            return kmeans(vectors, CLUSTERS).labels

    first, labels = seconds(ours)
    print(f"| cosimo, k-means alone | {first:.2f} | 1 | {quality(vectors, labels):.4f} |", flush=True)
    others = {
        "scikit-learn KMeans, one start": KMeans(CLUSTERS, n_init=1, random_state=0),
        "scikit-learn MiniBatchKMeans, as llm-cluster has it": MiniBatchKMeans(CLUSTERS, n_init="auto", random_state=0),
    }
    for name, model in others.items():
        took, fitted = seconds(lambda model=model: model.fit(vectors))
        print(f"| {name} | {took:.2f} | {took / first:.1f}× | {quality(vectors, fitted.labels_):.4f} |", flush=True)
    commands(vectors)


def quality(vectors: np.ndarray, labels: object) -> float:
    """The mean cosine of rows with the direction of their group's mean."""
    labels = np.asarray(labels)
    sums = np.zeros((labels.max() + 1, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return float(np.einsum("ij,ij->i", vectors, centres[labels]).mean())


def commands(vectors: np.ndarray) -> None:
    """`cosimo cluster` and `llm cluster` of one file in processes of their own; the second run of ours finds them kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        with cosimo.open(path) as db:
            rows = [f"row {number}" for number in range(len(vectors))]
            db.collection("rows", model=None).add_vectors(rows, vectors, rows)
        ours = [sys.executable, "-m", "cosimo", "cluster", "rows", str(CLUSTERS), "-d", str(path), "--json"]
        run("`cosimo cluster`, names and JSON and all", ours)
        run("`cosimo cluster`, kept", ours)
        program = shutil.which("llm", path=str(Path(sys.executable).parent)) or shutil.which("llm")
        if not program or not run("`llm cluster`", [program, "cluster", "rows", str(CLUSTERS), "-d", str(path)]):
            took, count = seconds(lambda: as_llm_cluster(path))
            print(f"| what llm-cluster does, without the start of `llm` | {took:.2f} | | {count} clusters |", flush=True)


def as_llm_cluster(path: Path) -> int:
    """Vectors as lists of Python's numbers, MiniBatchKMeans, JSON: for versions of `llm` that its plug-in does not run with."""
    from sklearn.cluster import MiniBatchKMeans

    with sqlite3.connect(path) as file:
        found = file.execute("SELECT id, embedding, content FROM embeddings").fetchall()
    rows = [(id, struct.unpack(f"<{len(blob) // 4}f", blob), content) for id, blob, content in found]
    labels = MiniBatchKMeans(CLUSTERS, n_init="auto").fit(np.array([vector for _, vector, _ in rows])).labels_
    groups: dict[str, list[dict[str, str]]] = {}
    for (id, _, content), label in zip(rows, labels, strict=True):
        groups.setdefault(str(label), []).append({"id": id, "content": content[:100]})
    json.dumps([{"id": id, "items": items} for id, items in groups.items()], indent=4)
    return len(groups)


def run(name: str, command: list[str]) -> bool:
    """One row of the table; whether clusters came."""
    took, done = seconds(lambda: subprocess.run(command, capture_output=True, text=True, check=False))
    assert isinstance(done, subprocess.CompletedProcess)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["failed"])[-1].partition(" (")[0]
        print(f"| {name} | {reason} | | |", flush=True)
        return False
    print(f"| {name} | {took:.2f} | | {len(json.loads(done.stdout))} clusters |", flush=True)
    return True


def intents() -> None:
    """NMI of five seeds with people's intents."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.metrics import normalized_mutual_info_score

    texts, labels = questions()
    vectors = cosimo.embed(texts)
    table(("3,080 bank questions, k = 77, five seeds", "s each", "NMI", "lowest", "highest"))

    def ours(seed: int) -> list[int]:
        found = collection.cluster(77, seed=seed, save=False).labels()
        return [found[str(number)] for number in range(len(texts))]

    with cosimo.open(":memory:") as db:
        collection = db.collection("bank", model=None)
        collection.add_vectors([str(number) for number in range(len(texts))], vectors, texts)
        ways: dict[str, Callable[[int], object]] = {
            "cosimo, with names": ours,
            "scikit-learn KMeans, one start": lambda seed: KMeans(77, n_init=1, random_state=seed).fit_predict(vectors),
            "scikit-learn MiniBatchKMeans": lambda seed: MiniBatchKMeans(77, n_init="auto", random_state=seed).fit_predict(
                vectors
            ),
        }
        for name, way in ways.items():
            took, found = seconds(lambda way=way: [normalized_mutual_info_score(labels, way(seed)) for seed in range(5)])
            print(f"| {name} | {took / 5:.2f} | {np.mean(found):.4f} | {min(found):.4f} | {max(found):.4f} |", flush=True)


# -- maps --------------------------------------------------------------------------------------------------------------


def maps(rows: int) -> None:
    """Coordinates of many rows, ours and other programs'; new ones placed; how true the maps are."""
    from sklearn.decomposition import PCA

    from cosimo.verbs.maps import projections
    from cosimo.verbs.maps.faithfulness import faithfulness

    made = dense(rows + 1_000)
    vectors, new = made[:rows], made[rows:]
    table((f"{rows:,} × {vectors.shape[1]}", "s", "ratio", "trustworthiness", "neighbours kept"))
    axes = projections.principal(vectors, 2)
    first, flat = seconds(lambda: projections.projected(vectors, projections.principal(vectors, 2)))
    took, theirs = seconds(lambda: PCA(2, random_state=0).fit_transform(vectors))
    laid, points = seconds(lambda: projections.umap(vectors, 2, seed=0, neighbours=15))
    ways: list[tuple[str, float, object]] = [
        ("cosimo, PCA alone", first, flat), ("scikit-learn PCA", took, theirs), ("cosimo, UMAP alone", laid, points),
    ]  # fmt: skip
    if rows <= UMAP_MOST:
        ways.append(("umap-learn with a seed, its own neighbours", *seconds(lambda: of_umap_learn(vectors))))
    for name, took, found in ways:
        true = faithfulness(vectors, np.asarray(found, np.float32))
        ratio = f"{took / (laid if 'umap' in name.lower() else first):.1f}×"
        print(f"| {name} | {took:.2f} | {ratio} | {true.trustworthiness:.3f} | {true.kept:.3f} |", flush=True)
    took, _ = seconds(lambda: projections.projected(new, axes))
    print(f"| 1,000 new ones on the PCA | {took:.3f} | | | |", flush=True)
    took, _ = seconds(lambda: projections.among(new, vectors, np.asarray(points)))
    print(f"| 1,000 new ones on the UMAP | {took:.2f} | | | |", flush=True)
    whole_maps(vectors, new)


def of_umap_learn(vectors: np.ndarray) -> np.ndarray:
    """What `pip install umap-learn` gives without us."""
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(UMAP(random_state=0).fit_transform(vectors))


def whole_maps(vectors: np.ndarray, new: np.ndarray) -> None:
    """`Collection.map` and `export_map`, the file read and written and all."""
    with tempfile.TemporaryDirectory() as folder, cosimo.open(Path(folder) / "rows.db") as db:
        collection = db.collection("rows", model=None)
        collection.add_vectors([f"row {number}" for number in range(len(vectors))], vectors)
        took, made = seconds(lambda: collection.map("pca"))
        print(f"| `Collection.map('pca')`, measured and kept | {took:.2f} | | | |", flush=True)
        print(f"| the same again, kept | {seconds(collection.map)[0]:.2f} | | | |", flush=True)
        collection.add_vectors([f"new {number}" for number in range(len(new))], new)
        took, made = seconds(collection.map)
        print(f"| 1,000 new ones placed by `Collection.map` | {took:.2f} | | | |", flush=True)
        page = Path(folder) / "map.html"
        took, _ = seconds(lambda: collection.export_map(made, page))
        print(f"| the page, {page.stat().st_size / 1e6:.0f} MB | {took:.2f} | | | |", flush=True)


# -- classes -----------------------------------------------------------------------------------------------------------


def labelled(part: str) -> tuple[np.ndarray, list[str]]:
    """Vectors and intents of the bank's training or test questions."""
    lines = (DATA / "banking77" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = [line.split("\t") for line in lines]
    return cosimo.embed([text for _, text in pairs]), [intent for intent, _ in pairs]


def classes(rows: int) -> None:
    """Accuracy on the bank's test questions, learned from its training questions; and time at `rows`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid
    from threadpoolctl import threadpool_limits

    from cosimo.verbs.classes import METHODS, learn_classes
    from cosimo.verbs.scoring.held_out import calibration_error
    from cosimo.verbs.scoring.logistic import logistic

    (vectors, intents), (unseen, truth) = labelled("train"), labelled("test")
    ids = [str(number) for number in range(len(truth))]
    names = sorted(set(intents))
    table(("10,003 bank questions, 77 intents", "s", "right of 3,080", "held out", "confidence off by"))
    for method in METHODS[1:]:
        known = None
        if method == "names":
            known = dict(zip(names, cosimo.embed([name.replace("_", " ") for name in names]), strict=True))
        took, made = seconds(lambda method=method, known=known: learn_classes(vectors, intents, method=method, names=known))
        found = made.classify(ids, unseen)
        right = np.array([each.label == intent for each, intent in zip(found, truth, strict=True)])
        off = calibration_error(np.array([each.confidence for each in found]), right)
        print(
            f"| cosimo {method} | {took:.2f} | {right.mean():.4f} | {made.report.accuracy.value:.4f} | {off:.3f} |", flush=True
        )
    for name, model in (
        ("scikit-learn LogisticRegression(C=10), not tested", LogisticRegression(C=10, max_iter=1_000)),
        ("scikit-learn NearestCentroid, not tested", NearestCentroid()),
    ):
        took, _ = seconds(lambda model=model: model.fit(vectors, intents))
        print(f"| {name} | {took:.2f} | {(model.predict(unseen) == np.array(truth)).mean():.4f} | | |", flush=True)
    number = np.searchsorted(names, intents)
    with threadpool_limits(1, "blas"):
        took, _ = seconds(lambda: logistic(vectors, number, len(names), strength=10))
    print(f"| cosimo's regression alone, not tested | {took:.2f} | | | |\n", flush=True)
    many = dense(rows)
    labels = [f"{place}" for place in (many[:, :20] > 0.02).argmax(axis=1).tolist()]
    table((f"{rows:,} vectors, {len(set(labels))} classes", "s"))
    for method in METHODS[1:3]:
        took, made = seconds(lambda method=method: learn_classes(many, labels, method=method))
        print(f"| learn and test: {method} | {took:.2f} |", flush=True)
    took, _ = seconds(lambda: made.classify(labels, many))
    print(f"| classify them all | {took:.2f} |", flush=True)


def scales(rows: int) -> None:
    """Twenty examples an end: pairs nobody has seen, and time at `rows`."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from scale_examples import ABSTRACT, CONCRETE, UNSEEN

    from cosimo.collection import scoring
    from cosimo.verbs.score import positions

    table(("examples an end", "pairs in order of 20", "held out", "95%"))
    for count in (2, 5, 10, 20):
        scale = scoring.scale(CONCRETE[:count], ABSTRACT[:count])
        low, high = (scale.score([pair[at] for pair in UNSEEN]) for at in (0, 1))
        right = scale.trust.right
        ordered = sum(a < b for a, b in zip(low, high, strict=True))
        print(f"| {count} | {ordered} | {right.value:.0%} | {right.low:.0%} to {right.high:.0%} |", flush=True)
    many = dense(rows)
    took, _ = seconds(lambda: positions(scale.axis, many))
    print(f"\n{rows:,} vectors placed in {1000 * took:.0f} ms", flush=True)


def copies(rows: int) -> None:
    """Near-duplicates: groups, beside counting them by all pairs; and what is least like its neighbours."""
    from cosimo.verbs.duplicates import duplicates
    from cosimo.verbs.whole import Whole

    vectors = dense(rows)
    whole = Whole([str(row) for row in range(rows)], np.arange(rows), vectors, 1, 0)
    table((f"{rows:,} × {vectors.shape[1]}", "s", "ratio", "found"))
    for threshold in (0.8, 0.95):
        took, groups = seconds(lambda: duplicates(whole, threshold))  # noqa: B023
        others = sum(len(group.others) for group in groups)
        print(f"| cosimo, from {threshold} | {took:.1f} | 1 | {len(groups):,} groups, {others:,} others |", flush=True)
        pairs, count = seconds(lambda: all_pairs(vectors, threshold))  # noqa: B023
        print(f"| all pairs in numpy, counted alone | {pairs:.1f} | {pairs / took:.1f}× | {count:,} pairs |", flush=True)
    with tempfile.TemporaryDirectory() as folder, cosimo.open(Path(folder) / "rows.db") as db:
        collection = db.collection("rows", model=None)
        collection.add_vectors(whole.ids, vectors)
        collection.search(vectors[0], 1)
        took, found = seconds(collection.outliers)
        print(f"| `Collection.outliers` | {took:.1f} | | {found[0].score:.3f} at the lowest |")


def all_pairs(vectors: np.ndarray, threshold: float) -> int:
    """Pairs that reach the threshold, from blocks of all products."""
    count = 0
    for start in range(0, len(vectors), 1_024):
        for other in range(start, len(vectors), 1_024):
            near = np.count_nonzero(vectors[start : start + 1_024] @ vectors[other : other + 1_024].T >= threshold)
            count += near if other > start else (near - min(1_024, len(vectors) - start)) // 2
    return count


PARTS: dict[str, Callable[[int], None]] = {
    "clusters": clusters, "maps": maps, "classes": classes, "scales": scales, "duplicates": copies,
}  # fmt: skip

if __name__ == "__main__":
    main()
