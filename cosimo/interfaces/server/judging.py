"""Judging: scales and classifiers of a collection as routes: learned, kept, used on items and on texts. No logic."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ...collection.scoring import Scale
from ...verbs.classes import Method
from .bodies import Body, Filtered, Name
from .collections import MOST, Reading, Writing, checked_most
from .replies import BadRequest, Json

router = APIRouter(tags=["Understanding"])


class LearnScale(Body):
    """Examples of two ends."""

    low: list[str]
    high: list[str]
    ends: tuple[str, str] = Field(default=("low", "high"), description="What the ends are called")
    name: str = "main"
    refresh: bool = False


class ScoreAsked(Filtered):
    """Which items, by which kept scale."""

    k: int = 10
    scale: str = "main"
    prefix: str = ""
    lowest: bool = False


class TextsScored(Body):
    """Texts, and a kept scale."""

    texts: list[str]
    scale: str = "main"


class TextScored(Body):
    """A text, and a kept scale."""

    text: str
    scale: str = "main"


class LearnClasses(Filtered):
    """What to learn from, and how: one of label, labels, examples and names."""

    label: str | None = Field(default=None, description="A field of the metadata")
    labels: dict[str, str] | None = Field(default=None, description="id → label")
    examples: list[tuple[str, str]] | None = Field(default=None, description="[text, label] each")
    names: list[str] | None = Field(default=None, description="Names of the classes, where there are no examples")
    method: Method = "auto"
    template: str = "{}"
    folds: int = 5
    seed: int = 0
    prefix: str = ""
    name: str = "main"
    refresh: bool = False


class ClassifyAsked(Filtered):
    """Which items, by which kept classes, and where the labels are written, if anywhere."""

    classes: str = "main"
    min_confidence: float = 0.0
    prefix: str = ""
    limit: int = Field(default=100, ge=1, description="Labels of one answer")
    offset: int = Field(default=0, ge=0)


class LabelsWritten(Filtered):
    """Which items get their labels written, by which kept classes, and into which field."""

    field: str
    classes: str = "main"
    min_confidence: float = 0.0
    prefix: str = ""
    overwrite: bool = False


class TextsClassified(Body):
    """Texts, and kept classes."""

    texts: list[str]
    classes: str = "main"
    min_confidence: float = 0.0


class LabelsAsked(Filtered):
    """Labels as texts, and which items."""

    labels: list[str] = Field(max_length=MOST)
    ids: list[str] | None = Field(default=None, description="Of these items; in place of where and prefix")
    template: str = Field(default="{}", description="What is embedded of a label, {} being the label")
    scale: float | None = Field(default=None, description="What cosines are multiplied by; left out, the model's own")
    prefix: str = ""
    limit: int = Field(default=100, ge=1, description="Items of one answer")
    offset: int = Field(default=0, ge=0)


class Share(BaseModel):
    """How many of how many, and the interval in which the true share lies with 95%."""

    value: float
    low: float
    high: float
    hits: int
    tested: int


class Trust(BaseModel):
    """How good a scale is."""

    ends: tuple[str, str]
    low_examples: int
    high_examples: int
    left_out: int
    right: Share | None
    spread: float | None


class Scored(BaseModel):
    """An item's place on a scale: -1 is the low end, 1 the high one."""

    id: str
    score: float


class ScoredItems(BaseModel):
    """By place."""

    scores: list[Scored]


class Scores(BaseModel):
    """In the order of the texts; null for an empty one."""

    scores: list[float | None]


class Sentence(BaseModel):
    """`text[start:end]` and its place."""

    start: int
    end: int
    text: str
    score: float | None


class Sentences(BaseModel):
    """In their order."""

    sentences: list[Sentence]


class Prediction(BaseModel):
    """What something is taken for. `label` null: too little confidence."""

    id: str
    label: str | None
    confidence: float | None


class Predictions(BaseModel):
    """In the order of the items or texts."""

    predictions: list[Prediction]
    count: int = Field(description="Of all items, whatever `limit` is")


class LabelledItem(BaseModel):
    """How likely each label is for an item, the likeliest first; they sum to 1."""

    id: str
    labels: dict[str, float]


class LabelledItems(BaseModel):
    """In the order of the items."""

    items: list[LabelledItem]
    count: int = Field(description="Of all items, whatever `limit` is")


class Written(BaseModel):
    """How many items were written, and how many were left alone: they had the field, or metadata that is no object."""

    written: int
    left: int


@router.post("/v1/collections/{name}/learn_scale", response_model=Trust)
def learn_scale(name: Name, body: LearnScale, holds: Writing) -> Json:
    """Keep a scale between two sets of examples."""
    collection = holds.database.collection(name)
    return _trust(collection.learn_scale(body.low, body.high, ends=body.ends, name=body.name, refresh=body.refresh))


@router.get("/v1/collections/{name}/scale/{scale}", response_model=Trust)
def scale(name: Name, scale: Name, holds: Reading) -> Json:
    """How good a kept scale is."""
    return _trust(holds.database.collection(name).scale(scale))


@router.post("/v1/collections/{name}/score", response_model=ScoredItems)
def score(name: Name, body: ScoreAsked, holds: Reading) -> Json:
    """Items by their place on a kept scale."""
    found = holds.database.collection(name).score(
        checked_most(body.k), scale=body.scale, where=body.where, prefix=body.prefix, lowest=body.lowest
    )
    return Json({"scores": [each._asdict() for each in found]})


@router.post("/v1/collections/{name}/score_texts", response_model=Scores)
def score_texts(name: Name, body: TextsScored, holds: Reading) -> Json:
    """Texts on a kept scale."""
    return Json({"scores": holds.database.collection(name).scale(body.scale).score(_few(body.texts))})


@router.post("/v1/collections/{name}/score_sentences", response_model=Sentences)
def score_sentences(name: Name, body: TextScored, holds: Reading) -> Json:
    """The sentences of a text on a kept scale."""
    shaded = holds.database.collection(name).scale(body.scale).sentences(body.text)
    return Json({"sentences": [each._asdict() for each in shaded.sentences]})


@router.post("/v1/collections/{name}/learn_classes")
def learn_classes(name: Name, body: LearnClasses, holds: Writing) -> Json:
    """Keep a classifier, and say how good it is on examples it has not seen."""
    given = {field: getattr(body, field) for field in type(body).model_fields}
    return Json(holds.database.collection(name).learn_classes(**given).report.to_dict())


@router.get("/v1/collections/{name}/classes/{classes}")
def classes(name: Name, classes: Name, holds: Reading) -> Json:
    """How good kept classes are."""
    return Json(holds.database.collection(name).classes(classes).report.to_dict())


@router.post("/v1/collections/{name}/classify", response_model=Predictions)
def classify(name: Name, body: ClassifyAsked, holds: Reading) -> Json:
    """A label and the confidence in it for each item."""
    found = holds.database.collection(name).classify(
        body.classes, min_confidence=body.min_confidence, where=body.where, prefix=body.prefix
    )
    part = found[body.offset : body.offset + checked_most(body.limit, "limit")]
    return _predictions(part, len(found))


@router.post("/v1/collections/{name}/classify_texts", response_model=Predictions)
def classify_texts(name: Name, body: TextsClassified, holds: Reading) -> Json:
    """A label and the confidence in it for each text."""
    chosen = holds.database.collection(name).classes(body.classes)
    found = chosen.classify(_few(body.texts), min_confidence=body.min_confidence)
    return _predictions(found, len(found))


@router.post("/v1/collections/{name}/label", response_model=LabelledItems)
def label(name: Name, body: LabelsAsked, holds: Reading) -> Json:
    """How likely each of these labels is for each item; nothing is learned."""
    found = holds.database.collection(name).label(
        body.labels, ids=body.ids, template=body.template, scale=body.scale, where=body.where, prefix=body.prefix
    )
    part = found[body.offset : body.offset + checked_most(body.limit, "limit")]
    return Json({"items": [{"id": each.id, "labels": dict(each.shares)} for each in part], "count": len(found)})


@router.post("/v1/collections/{name}/write_labels", response_model=Written)
def write_labels(name: Name, body: LabelsWritten, holds: Writing) -> Json:
    """Write the labels of items into a field of their metadata."""
    collection = holds.database.collection(name)
    found = collection.classify(
        body.classes, min_confidence=body.min_confidence, where=body.where, prefix=body.prefix
    )  # fmt: skip
    return Json(collection.write_labels(found, body.field, overwrite=body.overwrite)._asdict())


def _few(texts: list[str]) -> list[str]:
    if len(texts) > MOST:
        raise BadRequest(f"there may be {MOST:,} texts in a request here, not {len(texts):,}", "texts")
    return texts


def _trust(scale: Scale) -> Json:
    trust: dict[str, Any] = {"ends": scale.ends, **asdict(scale.trust)}
    return Json(trust | {"right": scale.trust.right and scale.trust.right._asdict()})


def _predictions(found: list[Any], count: int) -> Json:
    return Json({"predictions": [each._asdict() for each in found], "count": count})
