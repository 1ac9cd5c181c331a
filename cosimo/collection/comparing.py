"""Comparing: names of collections, of the same in fewer or coarser numbers, or by another model → views that are compared."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import ConfigError, DataError, ModelMismatch, ModelNotFound, NotFound
from ..core.vectors import normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import TypeAlias

    from ..core.filters import Filter
    from ..core.types import Content, Embedder, Index, Metric, Numbers, Row, Vectors
    from ..sources.beir import Judged
    from ..verbs.compare import View
    from ..verbs.comparison import Comparison, Found
    from ..verbs.evaluate import Estimate
    from .arguments import Where
    from .collection import Collection
    from .database import Database

    Build: TypeAlias = Callable[[Numbers, Vectors], Index]
    Answer: TypeAlias = Callable[[Sequence[str], int], list[list[Found]]]  # questions, k → what is found for each

SHAPE = re.compile(r"[1-9]\d{0,4}|int8|float16|bit")
TIMED = 32  # texts that say how long embedding one takes
SNIPPET = 80  # characters of a text beside an id
DEPTH = 100  # documents a judged question


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a comparison; `Database.compare` says what each is."""

    k: int
    questions: Sequence[str]
    ids: Sequence[str]
    where: Where
    sample: int | None
    seed: int
    metric: Metric
    index: str
    params: Mapping[str, int | str] | None
    judged: str | Path | None
    split: str | None
    by_passages: bool = False  # questions are answered as `search` by meaning answers them, where texts are cut by passages


class _Spelled(NamedTuple):
    """`notes`, `notes@128`, `notes@int8` or `notes=MODEL`, taken apart."""

    spelling: str
    collection: Collection
    shape: str | None
    model: str | None


class _Texts(NamedTuple):
    """What another model is to embed."""

    spelled: _Spelled
    texts: dict[str, Content]  # by id
    embedder: Embedder


class _Made(NamedTuple):
    view: View
    answer: Answer | None  # None: its model cannot be had


def compare(db: Database, names: Sequence[str], options: Options) -> Comparison:
    """As `Database.compare`, which says what is asked. Whatever can be refused is, before a text is embedded: it may cost."""
    from ..indexes import choose
    from ..verbs.compare import Asked, checked, in_common
    from ..verbs.compare import compare as compared

    choose.checked(options.index, options.metric, options.params)
    asked = Asked(options.k, options.sample, options.seed, ids=options.ids)
    checked(names, asked)
    if any(not question.strip() for question in options.questions):
        raise DataError("a question is empty; write what to look for")

    def build(numbers: Numbers, vectors: Vectors) -> Index:
        return choose.build(numbers, vectors, kind=options.index, metric=options.metric, params=options.params)

    known = {info.name for info in db.collections()}
    spelled = [_spelled(db, name, known) for name in names]
    judged = _judged(options)
    # whole documents on one side and passages on the other would differ by that alone
    plain = all(each.shape is None and each.model is None for each in spelled)
    options = replace(options, by_passages=plain and (options.index, options.metric) == ("flat", "cosine"))
    found_in = [_made(each, options, build) if each.model is None else _read(db, each, options) for each in spelled]
    ids = {each.spelling: _ids(found) for each, found in zip(spelled, found_in, strict=True)}
    in_common(ids, options.ids)
    _refuse_strangers(ids.values(), judged)
    made = [each if isinstance(each, _Made) else _embedded(each, options, build) for each in found_in]
    _refuse_unasked(made, options)
    asked = asked._replace(answers=_answers(made, options), judged=_measured(made, judged) if judged else None)
    found = compared([each.view for each in made], build, asked)
    shown = {each.id for side in (*found.disagreements, *found.questions) for near in side.lists.values() for each in near}
    shown |= {side.asked for side in found.disagreements} | set(options.ids)
    return replace(found, texts=_texts(spelled[0].collection, sorted(shown)))


def asks_for_model(db: Database, name: str) -> bool:
    """Whether a name is one of a collection's texts by another model.

    Raises
    ------
    NotFound : no such collection
    """
    return _spelled(db, name, {info.name for info in db.collections()}).model is not None


def _spelled(db: Database, name: str, known: AbstractSet[str]) -> _Spelled:
    """A name of a collection is one, whatever is in it: `a=b@8` is of `a=b`, where there is one, and else `a` by a model."""
    if name in known:
        return _Spelled(name, db.collection(name), None, None)
    parts = [(name[: mark.start()], mark[0], name[mark.end() :]) for mark in re.finditer("[=@]", name)]
    meant = [(base, mark, rest) for base, mark, rest in parts if base and rest and (mark == "=" or SHAPE.fullmatch(rest))]
    base, mark, rest = next((each for each in reversed(meant) if each[0] in known), (meant or [(name, "", "")])[0])
    if base not in known:
        names = ", ".join(repr(each) for each in sorted(known)) or "no collection yet"
        raise NotFound(f"no collection '{base}' in {db.name}; it holds {names}")
    return _Spelled(name, db.collection(base), rest if mark == "@" else None, rest if mark == "=" else None)


def _ids(found: _Made | _Texts) -> Sequence[str]:
    return found.view.ids if isinstance(found, _Made) else list(found.texts)


def _refuse_strangers(views: Iterable[Sequence[str]], judged: Judged | None) -> None:
    """Judgements of other texts would make each nDCG 0, at the price of embedding their questions."""
    if judged is None:
        return
    answers = {id for grades in judged.qrels.values() for id in grades}
    if all(answers.isdisjoint(ids) for ids in views):
        raise DataError(f"none of the answers in '{judged.name}' is an id of what is compared, such as '{min(answers)}'")


def _made(spelled: _Spelled, options: Options, build: Build) -> _Made:
    from ..verbs.compare import View
    from ..verbs.whole import whole

    collection = spelled.collection
    filter = collection._filter(options.where)
    found = whole(collection._store, collection.name, filter=filter, unit=options.metric == "cosine")
    vectors, size = _shaped(found.vectors, spelled.shape, spelled.spelling)
    embedder = _embedder_of(collection)
    view = View(spelled.spelling, found.ids, vectors, collection.model, size, _timed(embedder, collection, found.numbers))
    if embedder is None:
        return _Made(view, None)
    if options.by_passages:
        return _Made(view, _searching(collection, embedder, filter))
    return _Made(view, _asking(view, embedder, spelled, build))


def _read(db: Database, spelled: _Spelled, options: Options) -> _Texts:
    """The stored texts of a collection; what has none is left out."""
    from ..verbs.whole import numbers_among, rows, whole

    assert spelled.model is not None
    collection, embedder = spelled.collection, db.embedder(spelled.model)
    store, name = collection._store, collection.name
    among = numbers_among(store, name, filter=collection._filter(options.where))
    numbers = whole(store, name).numbers if among is None else among
    texts = dict(_legible(rows(store, name, numbers.tolist()), embedder))
    if not texts:
        raise DataError(f"'{name}' stores no texts that {embedder.spec.name} could embed; add them with store=True (--store)")
    return _Texts(spelled, texts, embedder)


def _legible(rows: Iterable[Row], embedder: Embedder) -> Iterator[tuple[str, Content]]:
    """(id, content) of what a model reads: not the pictures, where it reads text alone."""
    for row in rows:
        if row.content and (isinstance(row.content, str) or embedder.spec.modalities != ("text",)):
            yield row.id, row.content


def _embedded(read: _Texts, options: Options, build: Build) -> _Made:
    """The stored texts of a collection by another model, in memory."""
    from ..core.progress import Done, reporting
    from ..verbs.compare import View

    spelled, texts, embedder = read
    ids, blocks = list(texts), []
    free = embedder.spec.price == 0
    if free:  # loads it
        embedder.embed([texts[ids[0]]])
    started = time.perf_counter()
    with reporting(ids, None, "texts") as report:
        for start in range(0, len(ids), 512):
            blocks.append(embedder.embed([texts[id] for id in ids[start : start + 512]]).vectors)
            report(Done(start + len(blocks[-1])))
    seconds = time.perf_counter() - started
    vectors = np.concatenate(blocks)
    usable = np.flatnonzero(vectors.any(axis=1))
    vectors = normalised(vectors[usable]) if options.metric == "cosine" else vectors[usable]
    each = round(1000 * seconds / len(ids), 3) if free else None
    view = View(spelled.spelling, [ids[at] for at in usable.tolist()], vectors, embedder.spec.name, None, each)
    return _Made(view, _asking(view, embedder, spelled, build))


def _shaped(vectors: Vectors, shape: str | None, spelling: str) -> tuple[Vectors, float | None]:
    """Vectors as a shorter or coarser store would give them back, and the bytes of one there."""
    dim = vectors.shape[1]
    if shape is None:
        return vectors, None
    if shape == "float16":
        return vectors.astype(np.float16).astype(np.float32), 2.0 * dim
    if shape == "int8":  # one scale a component, from its largest value
        scale = np.maximum(np.abs(vectors).max(axis=0, initial=0), 1e-12) / np.float32(127)
        return np.asarray(np.rint(vectors / scale) * scale, np.float32), 1.0 * dim
    if shape == "bit":
        return np.asarray(np.where(vectors > 0, 1, -1) / dim**0.5, np.float32), dim / 8
    if int(shape) > dim:
        raise DataError(f"'{spelling}' asks for {shape} numbers of vectors that have {dim}")
    return normalised(vectors[:, : int(shape)]), None


def _embedder_of(collection: Collection) -> Embedder | None:
    """Its model; None where it cannot be had, and items alone can be compared."""
    try:
        return collection.embedder if collection.model is not None else None
    except (ModelNotFound, ModelMismatch, ConfigError):
        return None


def _asking(view: View, embedder: Embedder, spelled: _Spelled, build: Build) -> Answer:
    """What a view finds for questions. Their vectors stay float32 where those of the items are coarse, as stores have it."""
    from ..verbs.compare import nearest

    index = cache(lambda: build(np.arange(len(view.ids), dtype=np.int64), view.vectors))  # at the first question
    shape = spelled.shape if (spelled.shape or "").isdigit() else None

    def answer(questions: Sequence[str], k: int) -> list[list[Found]]:
        vectors, _ = _shaped(embedder.embed(list(questions), role="query").vectors, shape, spelled.spelling)
        return [nearest(index(), view.ids, vector, k) for vector in vectors]

    return answer


def _searching(collection: Collection, embedder: Embedder, filter: Filter | None) -> Answer:
    """What a collection of passages finds: documents by their best passage, so that ways to cut texts can be compared."""
    from ..verbs.comparison import Found
    from ..verbs.search import Query

    def answer(questions: Sequence[str], k: int) -> list[list[Found]]:
        vectors = embedder.embed(list(questions), role="query").vectors
        found = [
            collection.answer(Query(question, "vector", k, filter=filter), vector)
            for question, vector in zip(questions, vectors, strict=True)
        ]
        return [[Found(hit.id, round(hit.score, 6)) for hit in hits] for hits in found]

    return answer


def _answers(made: Sequence[_Made], options: Options) -> dict[str, list[list[Found]]]:
    """question → what each view finds for it; a view whose model cannot be had finds nothing."""
    questions = list(dict.fromkeys(options.questions))
    if not questions:
        return {}
    lists: list[list[list[Found]]] = [
        each.answer(questions, options.k) if each.answer else [[] for _ in questions] for each in made
    ]
    return {question: [found[at] for found in lists] for at, question in enumerate(questions)}


def _refuse_unasked(made: Sequence[_Made], options: Options) -> None:
    unable = [each.view.name for each in made if each.answer is None]
    if (options.questions or options.judged) and len(unable) == len(made):
        raise ModelNotFound("no model of these collections can be run here, so no question can be asked; compare items by id")


def _timed(embedder: Embedder | None, collection: Collection, numbers: Numbers) -> float | None:
    """Milliseconds that embedding a text takes, from a few of them; None for a model that costs something."""
    from ..verbs.whole import rows

    if embedder is None or embedder.spec.price != 0:
        return None
    texts = [text for _, text in _legible(rows(collection._store, collection.name, numbers[:TIMED].tolist()), embedder)]
    if not texts:
        return None
    embedder.embed(texts[:1])  # loads it
    started = time.perf_counter()
    embedder.embed(texts)
    return round(1000 * (time.perf_counter() - started) / len(texts), 3)


def _judged(options: Options) -> Judged | None:
    from ..sources.beir import load_beir, load_pairs

    if options.judged is None:
        return None
    path = Path(options.judged).expanduser()
    return load_beir(path, options.split) if path.is_dir() else load_pairs(path)


def _measured(made: Sequence[_Made], judged: Judged) -> Mapping[str, Estimate]:
    """nDCG@10 of each view on the judged questions."""
    from ..verbs.evaluate import compare as evaluated

    questions = list(judged.queries.values())
    runs = {
        each.view.name: dict(zip(judged.queries, each.answer(questions, DEPTH), strict=True)) for each in made if each.answer
    }
    return {name: run.means["nDCG@10"] for name, run in evaluated(runs, judged.qrels, measures=("nDCG@10",)).runs.items()}


def _texts(collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    rows = collection._store.get(collection.name, ids)
    return {
        id: " ".join(row.content[: 2 * SNIPPET].split())[:SNIPPET] for id, row in rows.items() if isinstance(row.content, str)
    }
