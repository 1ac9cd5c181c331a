"""Vectors: real texts embedded, as many rows as a benchmark asks for, and real questions that are not among them.

    python benchmarks/vectors.py --data FOLDER --cache FOLDER [--rows 100000] [--dim 384]

The texts are the articles (til/), the corpora (retrieval/*) and the training questions (banking77/) of the data folder, each
once; the questions are those of nq-utd and cosqa and banking77's test questions, 1,000 of them drawn with a fixed seed. All are
embedded once by the default model and kept in the cache folder.

*More rows than texts:* the texts themselves, and points between a text and two of its ten nearest neighbours, with weights
drawn evenly (Dirichlet 1, 1, 1), brought to length 1. So the rows stay where texts are, at a text's own distances and denser;
random vectors would all be equally far from each other, which is another problem than search in texts.

*1,536 numbers:* no model of that length is at hand. A text is embedded four times, whole, its first half, its second half and
its middle, and so is a question; the four stand behind one another. The cosine of two such vectors is the mean of four cosines
of real texts, and halves differ from the whole as texts do, so the numbers are not the same 384 turned four ways.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

VIEWS = 4
QUESTIONS = 1000
NEIGHBOURS = 10
BLOCK = 50_000  # rows made at a time: 77 MB of 384
LONGEST = 2000  # characters: more than the model reads


def main() -> None:
    """Make the files and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000])
    parser.add_argument("--dim", type=int, default=384)
    given = parser.parse_args()
    for count in given.rows:
        path, questions = rows_and_questions(given.data, given.cache, count, given.dim)
        print(f"{path}: {np.load(path, mmap_mode='r').shape}, {len(questions):,} questions")


def rows_and_questions(data: Path, cache: Path, rows: int, dim: int) -> tuple[Path, NDArray[np.float32]]:
    """The file of (rows, dim) unit vectors, and (1000, dim) questions.

    Raises
    ------
    SystemExit : `dim` is not 384, 768, 1152 or 1536
    """
    texts, questions = list(texts_of(data)), list(questions_of(data))
    known = set(texts)
    questions = [text for text in dict.fromkeys(questions) if text not in known]
    drawn = np.random.default_rng(0).choice(len(questions), min(QUESTIONS, len(questions)), replace=False)
    base = embedded(cache, texts, dim, "document")
    asked = embedded(cache, [questions[at] for at in sorted(drawn.tolist())], dim, "query")
    path = cache / f"rows-{digest(texts)}-{rows}-{dim}.npy"
    if not path.exists():
        made = path.with_suffix(".part")
        densify(base, rows, made)
        made.replace(path)
    return path, asked


def texts_of(data: Path) -> Iterator[str]:
    """Every text once."""
    seen = set()
    for text in _texts(data):
        if text.strip() and text not in seen:
            seen.add(text)
            yield text


def _texts(data: Path) -> Iterator[str]:
    for path in sorted((data / "til").rglob("*.md")):
        yield path.read_text(encoding="utf-8")
    for path in sorted((data / "retrieval").glob("*/corpus.jsonl")):
        for item in _lines(path):
            yield f"{item.get('title') or ''} {item['text']}".strip()
    yield from _intents(data, "train")


def questions_of(data: Path) -> Iterator[str]:
    """Questions in the language that the model reads."""
    for name in ("nq-utd", "cosqa"):
        for path in sorted((data / "retrieval" / name).glob("queries*.jsonl")):
            yield from (item["text"] for item in _lines(path))
    yield from _intents(data, "test")


def _intents(data: Path, part: str) -> Iterator[str]:
    with (data / "banking77" / f"{part}.tsv").open(encoding="utf-8") as file:
        next(file)
        yield from (line.rstrip("\n").partition("\t")[2] for line in file)


def _lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def views(text: str) -> list[str]:
    """Whole, first half, second half, middle; cut between words where there are any."""
    text = text[:LONGEST]

    def cut(share: float) -> int:
        at = int(len(text) * share)
        space = text.find(" ", at)
        return space if 0 <= space < len(text) - 1 else at

    half, quarter, last = cut(0.5), cut(0.25), cut(0.75)
    return [text, *(part if part.strip() else text for part in (text[:half], text[half:], text[quarter:last]))]


def embedded(cache: Path, texts: Sequence[str], dim: int, role: str) -> NDArray[np.float32]:
    """(n, dim) unit vectors, from the cache or computed."""
    import cosimo

    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{role}-{digest(texts)}-{dim}.npy"
    if not path.exists():
        parts = []
        for view in range(VIEWS):
            one = cache / f"{role}-{digest(texts)}-view{view}.npy"
            if not one.exists():
                np.save(one, cosimo.embed([views(text)[view] for text in texts], role=role))
            parts.append(np.load(one))
            if sum(part.shape[1] for part in parts) == dim:
                break
        joined = np.hstack(parts)
        if joined.shape[1] != dim:
            raise SystemExit(
                f"vectors of {dim} cannot be made of this model's; take a multiple of {parts[0].shape[1]}, up to four"
            )
        np.save(path, joined / np.linalg.norm(joined, axis=1, keepdims=True))
    return np.load(path)


def digest(texts: Sequence[str]) -> str:
    """Names the files after what is in them."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:10]


def densify(base: NDArray[np.float32], rows: int, path: Path) -> None:
    """Write (rows, dim): all of `base` and points between neighbours, or a part of it, in an order that means nothing."""
    random = np.random.default_rng(rows)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, base.shape[1]))
    place = random.permutation(rows)  # of each row made, in order
    out[place[: len(base)]] = base[random.permutation(len(base))[:rows]]
    near = neighbours(base) if rows > len(base) else None
    for start in range(len(base), rows, BLOCK):
        count = min(BLOCK, rows - start)
        at = random.integers(0, len(base), count)
        weights = random.dirichlet((1, 1, 1), count).astype(np.float32)
        others = [near[at, random.integers(0, NEIGHBOURS, count)] for _ in range(2)]
        made = weights[:, :1] * base[at] + weights[:, 1:2] * base[others[0]] + weights[:, 2:] * base[others[1]]
        out[place[start : start + count]] = made / np.linalg.norm(made, axis=1, keepdims=True)
    out.flush()


def neighbours(base: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n, 10) the nearest of each, itself left out."""
    found = []
    for start in range(0, len(base), 1000):
        scores = base[start : start + 1000] @ base.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -2
        found.append(np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS])
    return np.concatenate(found)


def buckets_of(rows: Path, *, together: bool = False) -> Path:
    """The file of (n,) numbers from 0 to 99: at random, or by how near a row is to the first, so that equals lie together."""
    path = rows.with_name(f"{rows.stem}-{'together' if together else 'random'}.npy")
    if not path.exists():
        vectors = np.load(rows, mmap_mode="r")
        buckets = np.random.default_rng(5).integers(0, 100, len(vectors))
        if together:
            buckets[np.argsort(-(vectors @ vectors[0]), kind="stable")] = np.arange(len(vectors)) * 100 // len(vectors)
        np.save(path, buckets)
    return path


def threshold(
    path: Path, questions: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """(q,) the score of the k-th nearest row, by brute force."""
    vectors = np.load(path, mmap_mode="r")
    best = np.full((len(questions), k), -2, np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        block = block if allowed is None else block[allowed[start : start + BLOCK]]
        both = np.hstack([best, questions @ block.T])
        best = -np.partition(-both, k - 1, axis=1)[:, :k]
    return best.min(axis=1)


def recall(
    path: Path, questions: NDArray[np.float32], answers: Iterable[tuple[int, Sequence[int]]], k: int, least: NDArray[np.float32]
) -> float:
    """Share of the k true nearest found.

    Parameters
    ----------
    answers : (number of the question, ids of rows)
    least : (q,) what `threshold` says; rows equally near count as found
    """
    vectors, shares = np.load(path, mmap_mode="r"), []
    for number, ids in answers:
        rows = np.unique(np.asarray(ids, np.int64))
        shares.append(float((vectors[rows] @ questions[number] >= least[number] - 1e-6).sum()) / k)
    return sum(shares) / len(shares) if shares else 0.0


if __name__ == "__main__":
    main()
