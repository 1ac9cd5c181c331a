"""Beir: folders of questions with known answers, and lists of them, in; texts and judgements out. Measures nothing.

The layout is that of the BEIR benchmark (Thakur et al. 2021): `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import UnreadableSource
from ..core.types import Document
from .delimited import find_delimiter, number_in, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Queries = dict[str, str]  # id → text
    Qrels = dict[str, dict[str, int]]  # query id → document id → how relevant: 0 not, 1, 2, …

QUERY_NAMES = ("query", "question", "text", "query text", "query_text")  # what the first column of a list may be called


@dataclass(frozen=True, slots=True)
class Judged:
    """Questions and which documents answer them. `documents` reads the corpus from the file each time, one by one."""

    name: str
    queries: Queries  # those of the split, in the order of the judgements
    qrels: Qrels
    corpus: Path | None = None  # None: the documents are in a collection already

    def documents(self) -> Iterator[Document]:
        """The corpus: a title and the text below it are one text.

        Raises
        ------
        UnreadableSource : names the file and the line that is no document, or repeats an id
        """
        seen: set[str] = set()
        for where, item in _objects(self.corpus) if self.corpus else ():
            id = _id(where, item)
            if id in seen:
                raise UnreadableSource(f"{where}: the id '{id}' is there a second time; keep one of the two")
            seen.add(id)
            title = item.get("title") or ""
            yield Document(id, f"{title}\n{_text(where, item)}" if title else _text(where, item))


def load_beir(folder: str | Path, split: str | None = None) -> Judged:
    """A folder in the BEIR layout.

    Parameters
    ----------
    split : `qrels/SPLIT.tsv`; None takes `test`, or the only one. The questions are in `queries.jsonl`, or where there is none,
        in `queries_SPLIT.jsonl`

    Raises
    ------
    UnreadableSource : names the file that is missing, or the file and line that is not what it should be
    """
    root = Path(folder).expanduser()
    corpus = root / "corpus.jsonl"
    if not corpus.is_file():
        raise UnreadableSource(f"{root} is no folder in the BEIR layout: corpus.jsonl is missing")
    judgements = _split_file(root, split)
    qrels = _qrels(judgements)
    queries = _queries(root, judgements.stem)
    lost = next((id for id in qrels if id not in queries), None)
    if lost is not None:
        raise UnreadableSource(f"{judgements} judges the query '{lost}', which no file of queries in {root} has")
    return Judged(root.resolve().name, {id: queries[id] for id in qrels}, qrels, corpus)


def load_pairs(path: str | Path) -> Judged:
    """A list of questions and the ids that answer them: CSV or TSV with the columns query, id and, if wanted, a grade.

    A question with several answers has several rows. A header is left out if its first cell is a word for a question
    (query, question, text). The id of a query is its text.

    Raises
    ------
    UnreadableSource : names the file and line of a row that is not like that
    """
    path = Path(path).expanduser()
    qrels: Qrels = {}
    for number, cells in _cells(path):
        if not qrels and number == 1 and cells[0].strip().lower() in QUERY_NAMES:
            continue
        if not 2 <= len(cells) <= 3 or not cells[0].strip() or not cells[1]:
            raise UnreadableSource(f"{path}:{number} is not a question, an id and perhaps a grade")
        grade = _grade(f"{path}:{number}", cells[2]) if len(cells) == 3 else 1
        qrels.setdefault(cells[0], {})[cells[1]] = grade
    if not qrels:
        raise UnreadableSource(f"{path} holds no questions")
    return Judged(path.stem, {query: query for query in qrels}, qrels)


def load_scored_pairs(path: str | Path) -> list[tuple[float, str, str]]:
    """Pairs of sentences with the score people gave them: TSV or CSV of score, sentence, sentence; a header may be above.

    Raises
    ------
    UnreadableSource : names the file and line of a row that is not like that
    """
    path = Path(path).expanduser()
    pairs = []
    for number, cells in _cells(path):
        score = number_in(cells[0])
        if score is None and number == 1:
            continue
        if score is None or len(cells) != 3:
            raise UnreadableSource(f"{path}:{number} is not a score and two sentences")
        pairs.append((score, cells[1], cells[2]))
    if not pairs:
        raise UnreadableSource(f"{path} holds no pairs")
    return pairs


def _split_file(root: Path, split: str | None) -> Path:
    there = sorted((root / "qrels").glob("*.tsv"))
    names = [path.stem for path in there]
    if split is None and "test" not in names and len(names) == 1:
        split = names[0]
    wanted = root / "qrels" / f"{split or 'test'}.tsv"
    if wanted not in there:
        known = f"it has: {', '.join(names)}" if names else "its folder qrels holds no .tsv file"
        raise UnreadableSource(f"{root} has no split '{split or 'test'}'; {known}")
    return wanted


def _queries(root: Path, split: str) -> Queries:
    files = [root / "queries.jsonl", root / f"queries_{split}.jsonl"]
    path = next((path for path in files if path.is_file()), None)
    if path is None:
        raise UnreadableSource(f"{root} has neither {files[0].name} nor {files[1].name}")
    return {_id(where, item): _text(where, item) for where, item in _objects(path)}


def _qrels(path: Path) -> Qrels:
    """`query-id`, `corpus-id`, `score`, tabs between; the header is the first line if its last cell is no number."""
    qrels: Qrels = {}
    for number, line in _lines(path):
        cells = line.split("\t")
        if number == 1 and number_in(cells[-1]) is None:
            continue
        if len(cells) != 3 or not cells[0] or not cells[1]:
            raise UnreadableSource(f"{path}:{number} is not a query's id, a document's id and a grade with tabs between")
        qrels.setdefault(cells[0], {})[cells[1]] = _grade(f"{path}:{number}", cells[2])
    if not qrels:
        raise UnreadableSource(f"{path} holds no judgements")
    return qrels


def _grade(where: str, cell: str) -> int:
    value = number_in(cell)
    if value is None or value != int(value):
        raise UnreadableSource(f"{where}: the grade '{cell.strip()}' is not a whole number")
    return int(value)


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, object) of a file of JSON lines."""
    for number, line in _lines(path):
        where = f"{path}:{number}"
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(f"{where} is not JSON") from error
        if not isinstance(item, dict):
            raise UnreadableSource(f"{where} is not an object with _id and text")
        yield where, item


def _id(where: str, item: dict[str, Any]) -> str:
    id = item.get("_id")
    if not isinstance(id, str | int) or isinstance(id, bool) or id == "":
        raise UnreadableSource(f"{where} has no _id")
    return str(id)


def _text(where: str, item: dict[str, Any]) -> str:
    text = item.get("text")
    if not isinstance(text, str):
        raise UnreadableSource(f"{where} has no text")
    return text


def _cells(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """(number, cells) of the rows of a list. With tabs there are no quotes: sentences that begin with one are common."""
    lines = [f"{line}\n" for _, line in _lines(path, blank=True)]
    if lines and "\t" in lines[0]:
        yield from ((number, line.rstrip("\n").split("\t")) for number, line in enumerate(lines, 1) if not line.isspace())
        return
    for number, cells in rows(lines, find_delimiter(lines[:20], ",")):
        if cells is None:
            raise UnreadableSource(f"{path}:{number}: a quote that is opened there is never closed")
        yield number, cells


def _lines(path: Path, *, blank: bool = False) -> Iterator[tuple[int, str]]:
    """(number, line) of a file in UTF-8, blank ones only where asked."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if blank or not line.isspace():
                    yield number, line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{path} is not UTF-8 near line {number + 1}; save it as UTF-8") from error
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}") from error
