"""Code: how long definitions take to be found, and how well forms of a function answer real questions.

    python benchmarks/code.py [--folder DIR] [--questions] [--split dev]

The folder is Python's own library unless another is named. The questions are CoSQA's (the data folder): the forms below were
tried on `dev`, and docs/decisions/0010-code.md says which was taken.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import sysconfig
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cosimo
from cosimo.sources.beir import load_beir
from cosimo.sources.code import Code
from cosimo.sources.definitions import definitions
from cosimo.sources.grammars import grammar
from cosimo.sources.readable import readable, words
from cosimo.verbs.evaluate import compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosimo.sources.beir import Judged
    from cosimo.sources.definitions import Definition

DATA = Path(os.environ.get("COSIMO_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(sysconfig.get_paths()["stdlib"]))
    parser.add_argument("--questions", action="store_true", help="compare forms on CoSQA (some minutes)")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    given = parser.parse_args()
    reading(given.folder)
    if given.questions:
        answering(given.split)


def reading(folder: Path) -> None:
    """Files to Documents, nothing embedded."""
    source = Code(folder, everything=True)
    started, used = time.perf_counter(), time.process_time()
    count = characters = 0
    for document in source:
        count += 1
        characters += len(document.content or "")
    seconds, used = time.perf_counter() - started, time.process_time() - used
    print(f"{count:,} definitions, {characters / 1e6:.1f} MB to embed, below {folder}; {source.problem_count} problems")
    print(f"{seconds:.1f} s, {used:.1f} s of one core; 100,000 in {seconds / max(count, 1) * 100_000:.1f} s\n")


def answering(split: str) -> None:
    """nDCG@10 of each form of the same functions."""
    folder = DATA / "retrieval" / "cosqa"
    if not folder.is_dir():
        sys.exit(f"no questions at {folder}; set COSIMO_TEST_DATA")
    judged = load_beir(folder, split)
    runs = {name: answers(judged, form) for name, form in FORMS.items()}
    found = compare(runs, judged.qrels, measures=("nDCG@10",))
    print(f"| form ({split}) | nDCG@10 | 95% | p, against plain |\n|---|---|---|---|")
    for name, run in found.runs.items():
        mean = run.means["nDCG@10"]
        p = "–" if name == "plain" else f"{found.difference('nDCG@10', name, 'plain').p:.2f}"
        print(f"| {name} | {mean.mean:.4f} | {mean.low:.3f}–{mean.high:.3f} | {p} |")


def answers(judged: Judged, form: Callable[[Definition], str] | None) -> dict[str, list[tuple[str, float]]]:
    """The best functions for each question, of vectors made of one form."""
    reader = grammar("python")
    with cosimo.open(":memory:") as db:
        functions = db.collection("functions")
        documents = []
        for document in judged.documents():
            text = str(document.content)
            found = definitions(text, reader).definitions  # none in 2 of 1,000, which are no Python
            documents.append(cosimo.Document(document.id, form(found[0]) if form and found else text))
        functions.add(documents, passages=False)
        hits = {id: functions.search(text, k=10, mode="vector") for id, text in judged.queries.items()}
    return {id: [(hit.id, hit.score) for hit in each] for id, each in hits.items()}


def body(each: Definition) -> str:
    """The code behind the docstring."""
    rest = re.split(r'"""|\'\'\'', each.code, maxsplit=2)
    return textwrap.dedent(rest[-1]).strip()


FORMS: dict[str, Callable[[Definition], str] | None] = {
    "plain": None,  # as CoSQA has it
    "language and name as words, code (taken)": lambda each: readable(each, "python"),
    "name as words, code": lambda each: f"{words(each.name)}\n{each.code}",
    "code, humps split": lambda each: HUMP.sub(" ", each.code),
    "name as words, docstring, signature, body": lambda each: f"{words(each.name)}\n{each.doc}\n{each.signature}\n{body(each)}",
    "signature, docstring, body, no punctuation": lambda each: re.sub(
        r"[^\w\s]+", " ", f"{each.signature}\n{each.doc}\n{body(each)}"
    ),
    "name as words, docstring, signature": lambda each: f"{words(each.name)}\n{each.doc}\n{each.signature}",
    "docstring": lambda each: each.doc or words(each.name),
}


if __name__ == "__main__":
    main()
