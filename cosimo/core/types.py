"""Types: the plain data that travels between rooms, and the protocols adapters fulfil. No behaviour, no numpy at import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]  # (n, dim), C-contiguous
    Vector: TypeAlias = NDArray[np.float32]  # (dim,)
    Numbers: TypeAlias = NDArray[np.int64]  # (n,) row numbers: stable, never reused while a row lives
    Scores: TypeAlias = NDArray[np.float32]  # (n,) or (q, k), higher is better

Role: TypeAlias = Literal["document", "query"]
Mode: TypeAlias = Literal["vector", "text", "hybrid"]
Metric: TypeAlias = Literal["cosine", "ip", "l2"]  # what a score is: see core/vectors.py
Content: TypeAlias = str | bytes
Modality: TypeAlias = Literal["text", "image", "audio", "video"]
Metadata: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound or a film that stays where it is: whoever embeds it reads the file piece by piece."""

    path: str
    media: Modality = "audio"


@dataclass(frozen=True, slots=True)
class Document:
    """One thing to embed, or one thing found again: an id, its content, and what is known about it."""

    id: str
    content: Content | Recording | None = None
    metadata: Metadata | None = None
    # name → what its named vectors are made of: a picture, say; None: something that cannot be read now, what is stored stays
    named: Mapping[str, Content | Recording | None] | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that fits a model's window. `text` is exactly `content[start:end]`, in characters."""

    seq: int  # 0, 1, … in the order of the document
    start: int
    end: int
    text: str
    heading: str = ""  # the headings above its first line, from the top: `Install › Linux`
    tokens: int = 0  # as the model reads it, special tokens included


class Cut(NamedTuple):
    """The passages of a long document with their vectors; none where its text turned out to fit the model's window."""

    passages: Sequence[Passage]
    vectors: Vectors  # (len(passages), dim)


class Span(NamedTuple):
    """Where a stored passage lies in its document: `content[start:end]`, in characters, under which headings."""

    start: int
    end: int
    heading: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why a document was found: its cosine similarity, its BM25 score, and the words of the query that stand in it."""

    vector: float | None = None
    text: float | None = None
    terms: tuple[str, ...] = ()
    named: Mapping[str, float] = field(default_factory=dict)  # of `search_mixed`: name → cosine; "" is the collection's own


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that was found: `content[start:end]` of its document. `text` None: no text is stored."""

    start: int
    end: int
    text: str | None = None
    heading: str = ""
    score: float | None = None  # its cosine similarity; None where it was found by its words
    page: int | None = None  # of a document that has pages, from 1
    seconds: tuple[float, float] | None = None  # of a sound or a film: from when to when; `start` and `end` are milliseconds


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search, higher scores first.

    `score` is what the hits of one search are ordered by: cosine similarity in mode vector (1 is the same direction), BM25
    in mode text, and in hybrid a mix of both that means something within one search only. `why` holds the parts. A document is
    as good as its best passage; `passages` are its best, the best first: of a short document, the whole of it.
    """

    id: str
    score: float
    content: Content | None = None
    metadata: Metadata | None = None
    why: Why = field(default_factory=Why)
    passages: tuple[Match, ...] = ()
    duplicates: tuple[str, ...] = ()  # ids of documents all but the same, where they were asked to count as one
    collection: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model is: everything that decides whether two vectors may be compared.

    `name` is its id in other programs (`sentence-transformers/all-MiniLM-L6-v2`), `revision` its weights' SHA-256 where told.
    """

    name: str
    dim: int
    revision: str = ""
    max_tokens: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)  # role → the text put before
    pooling: str = ""
    normalized: bool = True
    modalities: tuple[str, ...] = ("text",)  # of "text", "image", "audio"; film is read as pictures and sound
    languages: tuple[str, ...] = ()  # ISO 639-1; empty: not known, taken for many
    price: float | None = None  # US dollars for a million tokens; 0 for a model on this machine, None where not public
    seconds: float | None = None  # of sound that it hears at once; longer ones are cut into windows
    logit_scale: float | None = None  # its training multiplied cosines by it: softmax of these products are probabilities


class Similarity(NamedTuple):
    """One row of the kept lists of related items: how near one item is to another."""

    id: str
    other_id: str
    score: float  # cosine similarity, six decimals


class Listed(NamedTuple):
    """Up to which change the kept lists of related items are known, and how long they are."""

    version: int  # of `Store.changes`
    k: int


class Problem(NamedTuple):
    """One thing that could not be read while the run went on: which (`notes/a.md`, `rows.csv:17`), and why."""

    name: str
    reason: str


class Embedded(NamedTuple):
    """What an embedder gives back."""

    vectors: Vectors  # (n, dim), in the order asked
    tokens: int  # read by the model, special tokens included; a repeated text counts once
    cut: Sequence[int]  # positions of the texts longer than the model's window
    counts: Sequence[int] = ()  # tokens read of each text, in the order asked; empty where nobody counted them


class Embedder(Protocol):
    """A model under our names. `check_embedder` in `cosimo.testing` says whether a class fulfils this."""

    @property
    def spec(self) -> ModelSpec: ...

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


class Reranker(Protocol):
    """A model that reads a query and a text together, and says how well one answers the other."""

    def scores(self, query: str, texts: Sequence[str]) -> Scores: ...  # (n,) float32, in the order asked, higher is better


@dataclass(frozen=True, slots=True)
class Settings:
    """What made a collection, as the file remembers it. `revision` None: written by another program, not known yet."""

    model: str | None  # None: vectors come from elsewhere
    dim: int | None = None  # None: no vector stored yet
    revision: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    pooling: str = ""
    normalized: bool = True
    window: int | None = None  # tokens the model reads at once
    passages: bool | None = None  # whether longer texts are cut into passages; None: not decided yet
    named: bool = False  # named vectors of the collection whose name stands before the last slash


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection as the store lists it. `count` is the number of rows."""

    name: str
    count: int
    settings: Settings


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a collection. `hash` is the 16-byte MD5 of the content; `updated` unix seconds."""

    id: str
    vector: Vector  # (dim,) float32
    content: Content | None = None
    hash: bytes | None = None
    metadata: Metadata | None = None
    updated: int = 0
    cut: Cut | None = None  # written, never read back; None: nobody looked whether the text fits the window


class Known(NamedTuple):
    """What a store already holds under an id: enough to decide whether anything has to be done."""

    hash: bytes | None
    has_content: bool
    metadata: Metadata | None
    foreign: bool = False  # another program wrote something in the place of metadata that is no JSON object


class Pairs(NamedTuple):
    """The rows of two collections that have an id in common."""

    numbers: Numbers  # (n,) in the one, ascending
    others: Numbers  # (n,) in the other
    every: bool  # whether these are all rows of the other


class Change(NamedTuple):
    """What happened to a collection's vectors since a version: an index applies it to what it holds."""

    version: int  # ask for the changes since this one next time
    full: bool  # True: forget everything held before; False: `numbers` and `removed` are differences
    numbers: Numbers  # (n,) units; a document that appears here has none but these any more
    vectors: Vectors  # (n, dim), as stored
    removed: Numbers  # (m,) first units of documents (number << 20) that are gone with all their units


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a database. `kind` is one word for programs; `message` says what it means and what to do."""

    kind: str
    collection: str | None  # None: it concerns the file
    id: str | None
    message: str


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """The index somebody asked for."""

    kind: str  # auto, flat, scan, graph or lists
    metric: Metric
    params: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index as it describes itself."""

    kind: str  # flat, scan, graph or lists
    metric: Metric
    params: Mapping[str, int | str]
    rows: int  # units it can return
    fresh: int  # of these, the ones added since it was built, which are searched exactly
    bytes: int  # in memory, memory-mapped vectors apart
    recall: float  # of the ten nearest, measured against an exact search when it was built; 1.0 for flat


class Index(Protocol):
    """Vectors → nearest units (numbers of passages: see core/units.py). Derived from the rows, rebuildable at any time.

    `apply` takes over what changed in the store; `stale_share` is the share of what a search goes through that a rebuild
    would put in place or spare. `check_index` in `cosimo.testing` says whether a class fulfils this.
    """

    @property
    def metric(self) -> Metric: ...

    @property
    def stale_share(self) -> float: ...

    def __len__(self) -> int: ...

    def apply(self, change: Change) -> None: ...

    def search(self, queries: Vectors, k: int, *, allowed: Numbers | None = None) -> tuple[list[Numbers], list[Scores]]: ...

    def describe(self) -> IndexInfo: ...
