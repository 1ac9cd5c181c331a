"""Passages: one Document in, parts of it that fit a model's window out. Reads no files, calls no model; is handed a counter."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..core.content import storable
from ..core.errors import DataError
from ..core.types import Document, Passage
from .outline import SEPARATOR, Outline
from .packing import Run, pack
from .pieces import Piece, lines_in_place, pieces_of, smaller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.types import ModelSpec

    Count = Callable[[Sequence[str]], list[int]]

PIECES = 8  # about so many to a full passage
CHARACTERS = 4  # of a token in Western prose; other writing comes nearer to 1
SURELY_LONGER = 8  # characters a token: beyond, a text is not counted as a whole first

# Files in which `#` begins a comment, or, in the text of a PDF, a line of code or of a table: no headings
CODE = frozenset(
    {".py", ".rb", ".sh", ".bash", ".zsh", ".pl", ".r", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".nix", ".pdf"}
)


def cut(document: Document | str, *, count: Count, max_tokens: int, overlap: int = 0, headings: bool = True) -> list[Passage]:
    """The passages of one document: `cut_all`, which is faster where there are many."""
    return cut_all([document], count=count, max_tokens=max_tokens, overlap=overlap, headings=headings)[0]


def cut_all(
    documents: Sequence[Document | str], *, count: Count, max_tokens: int, overlap: int = 0, headings: bool = True
) -> list[list[Passage]]:
    """Cut documents along their structure into passages that fit a window.

    The best places are headings, then paragraphs, lines, sentences (。！？ end one), words. A text that fits is one passage; a
    text of white space has none, nor have bytes. Every character but white space is in a passage, and outside of the overlaps
    in one only; no passage begins or ends with white space.

    Where a text *may* be cut, semantic-text-splitter says (github.com/benbrandt/text-splitter); where it is, `packing.pack`.

    Parameters
    ----------
    documents : texts, or Documents whose ids may tell that they are programs (`x.py`, `x.yaml`): there, `#` is no heading
    count : tokens of each text, special ones included: `Embedder.count_tokens`
    max_tokens : the most that `count` may say of a passage; `room` knows it for a model. A single character of more tokens is
        a passage all the same
    overlap : tokens that a passage may repeat from the one before: whole sentences, never across a heading. None by default:
        it made nothing easier to find (docs/decisions/0007-passages.md)
    headings : leave room for the path of headings, which `reading` puts before the text; a path longer than a quarter of the
        window loses its first parts

    Returns
    -------
    One list a document, in order. Spans are characters of the content as given; `text` holds U+FFFD for halves of surrogate
    pairs, as the database does.

    Raises
    ------
    DataError : `max_tokens` has no room for a token, or `overlap` leaves none for anything new
    """
    special = count([""])[0]
    space = max_tokens - special
    if space < 1 or not 0 <= overlap < space:
        raise DataError(
            f"a window of {max_tokens} tokens ({special} special) has no room for an overlap of {overlap}; ask for less"
        )
    given = [document if isinstance(document, Document) else Document("", document) for document in documents]
    texts = [storable(document.content) if isinstance(document.content, str) else "" for document in given]
    fitting = _fitting(texts, count, max_tokens)
    drafts = {
        number: _Draft.of(text, space, markdown=PurePosixPath(document.id).suffix.lower() not in CODE)
        for number, (document, text) in enumerate(zip(given, texts, strict=True))
        if number not in fitting
    }
    _measure(list(drafts.values()), count, special, space, headings=headings)
    _pack(list(drafts.values()), count, max_tokens, special, overlap, headings=headings)
    return [fitting[number] if number in fitting else drafts[number].passages() for number in range(len(texts))]


def room(spec: ModelSpec, count: Count) -> int | None:
    """The `max_tokens` for a model's documents: its window without the prompt put before them; None where it has no limit."""
    if spec.max_tokens is None:
        return None
    with_prompt, without = count([spec.prompts.get("document", ""), ""])
    return spec.max_tokens - (with_prompt - without)


def reading(passage: Passage) -> str:
    """What the model reads of a passage: the path of its headings, a line of its own, and the text."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


@dataclass(slots=True)
class _Draft:
    """A long text on its way to passages."""

    text: str
    outline: Outline
    pieces: list[Piece]
    sizes: list[int] = field(default_factory=list)  # of each piece, in tokens, special ones left out
    paths: list[str] = field(default_factory=list)  # the headings above each piece
    heads: list[int] = field(default_factory=list)  # tokens of each path that the model reads
    runs: list[Run] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)  # tokens of each run, as the model reads it

    @classmethod
    def of(cls, text: str, space: int, *, markdown: bool) -> _Draft:
        outline = Outline(lines_in_place(text) if markdown else "")
        western = len(text.encode("ascii", "ignore")) / max(len(text), 1)
        size = max(round(space / PIECES * (1 + (CHARACTERS - 1) * western)), 1)
        return cls(text, outline, pieces_of(text, outline, size, markdown=markdown))

    def passages(self) -> list[Passage]:
        """The runs as they are; `tokens` where they have been counted."""
        found = []
        for seq, run in enumerate(self.runs):
            start, end = self.pieces[run.start].start, self.pieces[run.end - 1].end
            heading = self.paths[run.fresh] if len(self.runs) > 1 else ""
            found.append(Passage(seq, start, end, self.text[start:end], heading, self.counted[seq] if self.counted else 0))
        return found

    def corrected(self, max_tokens: int, special: int) -> bool:
        """Take the pieces of runs that do not fit for larger; False where all fit.

        Sums of pieces are what the model reads where its words end at white space. Elsewhere a tokeniser may need a token more
        for the whole than for the parts.
        """
        right = True
        for run, tokens in zip(self.runs, self.counted, strict=True):
            if tokens <= max_tokens:
                continue
            if run.end - run.start > 1:
                right = False
                self._grow(run, tokens, special, max_tokens)
            elif self.heads[run.fresh]:
                right = False
                self.paths[run.fresh], self.heads[run.fresh] = "", 0
        return not right

    def _grow(self, run: Run, tokens: int, special: int, max_tokens: int) -> None:
        grown = (tokens - special) / max(self.heads[run.fresh] + sum(self.sizes[run.start : run.end]), 1)
        for place in range(run.start, run.end):
            self.sizes[place] = min(max(int(self.sizes[place] * grown), self.sizes[place] + 1), max_tokens - special)


def _fitting(texts: Sequence[str], count: Count, max_tokens: int) -> dict[int, list[Passage]]:
    """Passages of the texts, by place, that need no cut."""
    found: dict[int, list[Passage]] = {number: [] for number, text in enumerate(texts) if not text or text.isspace()}
    short = {n: t.strip() for n, t in enumerate(texts) if n not in found and len(t) <= SURELY_LONGER * max_tokens}
    for (number, text), tokens in zip(short.items(), count(list(short.values())) if short else [], strict=True):
        if tokens <= max_tokens:
            start = texts[number].index(text)
            found[number] = [Passage(0, start, start + len(text), text, "", tokens)]
    return found


def _measure(drafts: Sequence[_Draft], count: Count, special: int, space: int, *, headings: bool) -> None:
    """Count every piece, all drafts at once; those that would not fit are cut smaller, down to single characters."""
    counts = iter(count([d.text[p.start : p.end] for d in drafts for p in d.pieces]) if drafts else [])
    paths = {path: path for draft in drafts for path in draft.outline.paths}
    heads = _shortened(paths, count, special, space // 4) if headings else dict.fromkeys(paths, 0)
    for draft in drafts:
        draft.sizes = [max(tokens - special, 0) for tokens in islice(counts, len(draft.pieces))]
        most = space - max((heads[paths[path]] for path in draft.outline.paths), default=0)
        while any(size > most and p.end - p.start > 1 for size, p in zip(draft.sizes, draft.pieces, strict=True)):
            _cut_smaller(draft, count, special, most)
        draft.paths = [paths[draft.outline.path_at(piece.start)] for piece in draft.pieces]
        draft.heads = [heads[path] for path in draft.paths]


def _shortened(paths: dict[str, str], count: Count, special: int, most: int) -> dict[str, int]:
    """Tokens of each path in its line; paths of more than `most` are replaced by their last parts, at worst by nothing."""
    sizes = {"": 0}
    todo = [path for path in paths if path]
    while todo:
        counted = count([f"{paths[path]}\n" for path in todo])
        sizes.update({paths[path]: tokens - special for path, tokens in zip(todo, counted, strict=True)})
        todo = [path for path in todo if sizes[paths[path]] > most]
        for path in todo:
            paths[path] = paths[path].partition(SEPARATOR)[2]
        todo = [path for path in todo if paths[path]]
    return sizes


def _cut_smaller(draft: _Draft, count: Count, special: int, most: int) -> None:
    pieces: list[Piece] = []
    sizes: list[int] = []
    for piece, size in zip(draft.pieces, draft.sizes, strict=True):
        parts = smaller(draft.text, piece) if size > most else [piece]
        pieces += parts
        if len(parts) == 1:
            sizes.append(size)
        else:
            sizes += [max(n - special, 0) for n in count([draft.text[p.start : p.end] for p in parts])]
    draft.pieces, draft.sizes = pieces, sizes


def _pack(drafts: Sequence[_Draft], count: Count, max_tokens: int, special: int, overlap: int, *, headings: bool) -> None:
    """Put pieces into passages, and count those as they will be read, until every one fits."""
    while drafts:
        texts = []
        for draft in drafts:
            cuts = [piece.cut for piece in draft.pieces]
            headed = [piece.headed for piece in draft.pieces]
            draft.runs = pack(draft.sizes, cuts, draft.heads, headed, max_tokens - special, overlap)
            draft.counted = []
            texts += [reading(passage) if headings else passage.text for passage in draft.passages()]
        counts = iter(count(texts))
        for draft in drafts:
            draft.counted = list(islice(counts, len(draft.runs)))
        drafts = [draft for draft in drafts if draft.corrected(max_tokens, special)]
