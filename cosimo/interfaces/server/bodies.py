"""Bodies: what the routes of collections take and give, as the OpenAPI document has it. Names and arguments are Python's."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ...core.types import Mode
from .guard import decoded

Name = Annotated[str, AfterValidator(decoded)]  # a part of a path; %2F is a slash in a name


class Body(BaseModel):
    """A misspelt argument is an error, as it is in Python."""

    model_config = ConfigDict(extra="forbid")


class What(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problem(BaseModel):
    """An error, as OpenAI shapes it."""

    error: What


class Bytes(Body):
    """A picture, or another file, inside of JSON."""

    base64: str


Asked = str | list[float] | Bytes


class NewItem(Body):
    """One document to embed. `named`: name → a text, or a file, for the named vectors of that name."""

    id: str
    content: str | Bytes | None = Field(default=None, description="A text, or a file such as a picture")
    metadata: dict[str, Any] | None = None
    named: dict[str, str | Bytes] | None = None


class StoredItem(Body):
    """One document as it is stored; `content_base64` in place of `content` where that is bytes."""

    id: str
    content: str | None = None
    metadata: dict[str, Any] | None = None
    content_base64: str | None = None


class Create(Body):
    """A collection to make."""

    model: str | None = Field(
        default=None, description="A served model; left out, the first. null: vectors come from elsewhere"
    )
    dim: int | None = Field(default=None, ge=1, description="Length of the vectors, where model is null")
    passages: bool | None = Field(default=None, description="false: the model reads the beginning of long texts alone")


class Add(Body):
    """Documents to embed and store."""

    documents: list[NewItem]
    store: bool = True
    source: str | None = None
    sync: bool = False
    passages: bool | None = None
    model: str | None = Field(
        default=None, description="For a collection that is not there yet: a served model; left out, the first"
    )


class AddVectors(Body):
    """Vectors made elsewhere."""

    ids: list[str]
    vectors: list[list[float]]
    contents: list[str | None] | None = None
    metadata: list[dict[str, Any] | None] | None = None


class Ids(Body):
    """Some items."""

    ids: list[str]


class Filtered(Body):
    """A question to metadata."""

    where: str | dict[str, Any] | None = Field(default=None, description="A filter, as text (year >= 2020) or as JSON")


class Facets(Filtered):
    """A field to count."""

    field: str
    prefix: str = ""


class Related(Filtered):
    """An item, and how many like it."""

    id: str
    k: int = 10
    prefix: str = ""


class Relate(Body):
    """The arguments of `Collection.relate`."""

    k: int = 10
    full: bool = False


class Search(Filtered):
    """The arguments of `Collection.search`."""

    query: Asked | None = Field(default=None, description="A text, a picture, or a vector of the collection's length")
    k: int = 10
    mode: Mode | None = None
    prefix: str = ""
    min_score: float | None = None
    plus: list[str | Bytes] = []
    minus: list[str | Bytes] = []
    like: list[str] = []
    unlike: list[str] = []
    diversity: float | None = None
    group: float | None = None
    fts_syntax: bool = False
    rerank: str | bool | None = Field(
        None, description="true, or the name of the model that reranks, as the server was started with"
    )


class SearchAll(Filtered):
    """The arguments of `Database.search`."""

    query: str | Bytes
    k: int = 10
    collections: list[str] | None = None
    mode: Mode | None = None
    prefix: str = ""
    min_score: float | None = None
    diversity: float | None = None
    group: float | None = None


class Info(BaseModel):
    """A collection. `model` null: its vectors come from elsewhere."""

    name: str
    count: int
    model: str | None
    dim: int | None
    window: int | None
    passages: bool | None
    named: bool = Field(description="Named vectors of the collection whose name stands before the last slash")


class Collections(BaseModel):
    """All of a database."""

    collections: list[Info]


class Part(BaseModel):
    """A passage: `content[start:end]`."""

    start: int
    end: int
    text: str | None
    heading: str
    score: float | None
    page: int | None = None
    seconds: tuple[float, float] | None = None


class Reasons(BaseModel):
    """Why it was found."""

    vector: float | None
    text: float | None
    terms: list[str]
    named: dict[str, float]


class Found(StoredItem):
    """One hit."""

    score: float
    why: Reasons
    passages: list[Part]
    duplicates: list[str]
    collection: str


class Hits(BaseModel):
    """Hits, the best first."""

    hits: list[Found]


class Items(BaseModel):
    """Documents as they are stored."""

    items: list[StoredItem]


class Pair(BaseModel):
    """How near one item is to another."""

    id: str
    other_id: str
    score: float


class Pairs(BaseModel):
    """The kept lists: by id, the nearest first."""

    similarities: list[Pair]


class Lists(BaseModel):
    """What bringing the lists up to date took."""

    items: int
    k: int
    full: bool
    changed: int
    gone: int
    recomputed: int
    written: int
    removed: int


class Counted(BaseModel):
    """How many rows."""

    count: int


class Values(BaseModel):
    """How often each value or field occurs, most frequent first."""

    counts: dict[str, int]


class Vector(BaseModel):
    """A vector as it is stored."""

    id: str
    vector: list[float]


class Outcome(BaseModel):
    """What adding did."""

    committed: int
    added: int
    updated: int
    unchanged: int
    empty: int
    removed: int
    embedded: int
    tokens: int
    passages: int
    cut: int
    named: int
    seconds: float
