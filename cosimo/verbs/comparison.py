"""Comparison: what `compare` found, as plain data that shows itself: a table, in a notebook, a picture. Computes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import DataError
from ..core.registry import missing
from .exchange import replacing
from .lettering import fonts_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .evaluate import Estimate

NAMED = 40  # characters of a name in a picture


class Found(NamedTuple):
    """One neighbour."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class ViewReport:
    """One of the compared: a collection, the same in shorter or coarser vectors, or its texts by another model."""

    name: str
    model: str | None
    dim: int
    items: int  # before those that not all have were left out
    bytes: float  # of one vector
    search_ms: float  # milliseconds a query, a thousand asked in a row
    embed_ms: float | None = None  # milliseconds a text, for models that cost nothing; None: not measured
    ndcg: Estimate | None = None  # nDCG@10 on the judged questions, with its 95% interval


@dataclass(frozen=True, slots=True)
class PairReport:
    """How much two agree, on average over the sampled items."""

    a: str
    b: str
    overlap: float  # share of the k nearest that both have
    rbo: float  # rank-biased overlap: agreement of the orders, the first places counting most
    cka: float  # linear CKA: 1 where one space is the other, rotated and scaled
    cross: float | None  # overlap of b's own neighbours with those that a's vectors find in b; None: lengths differ


@dataclass(frozen=True, slots=True)
class Side:
    """The neighbours of one item or question, by each of the compared."""

    asked: str  # an id, or a question's text
    lists: Mapping[str, Sequence[Found]]
    overlap: float  # mean over the pairs
    rbo: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more models, lengths or precisions on the same items."""

    k: int
    items: int  # that all have
    sampled: int  # of them, whose neighbours were compared
    views: tuple[ViewReport, ...]
    pairs: tuple[PairReport, ...]
    disagreements: tuple[Side, ...]  # the sampled items on whose neighbours they agree least, the worst first
    questions: tuple[Side, ...]
    overlaps: Mapping[str, float]  # sampled id → overlap, mean over the pairs
    texts: Mapping[str, str] = field(default_factory=dict)  # id → how its text begins, for the ids shown

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        plain = asdict(self) | {"overlaps": dict(self.overlaps), "texts": dict(self.texts)}
        for name in ("disagreements", "questions"):
            plain[name] = [
                {"asked": side.asked, "overlap": side.overlap, "rbo": side.rbo}
                | {"lists": {view: [found._asdict() for found in found_by] for view, found_by in side.lists.items()}}
                for side in getattr(self, name)
            ]
        for view, report in zip(plain["views"], self.views, strict=True):
            view["ndcg"] = report.ndcg._asdict() if report.ndcg else None
        return plain

    def view_rows(self) -> tuple[list[str], list[list[str]]]:
        """Columns and cells of the table of what is compared; columns nothing is known for are left out."""
        columns = ["view", "model", "dim", "bytes", "search ms", "embed ms", "nDCG@10"]
        rows = [
            [
                view.name, view.model or "", f"{view.dim:,}", f"{view.bytes:,.0f}", f"{view.search_ms:.3f}",
                "" if view.embed_ms is None else f"{view.embed_ms:.2f}",
                "" if view.ndcg is None else f"{view.ndcg.mean:.4f} [{view.ndcg.low:.4f}, {view.ndcg.high:.4f}]",
            ]
            for view in self.views
        ]  # fmt: skip
        kept = [at for at in range(len(columns)) if any(row[at] for row in rows)]
        return [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]

    def pair_rows(self) -> tuple[list[str], list[list[str]]]:
        """Columns and cells of the table of agreements."""
        rows = []
        for pair in self.pairs:
            agreement = [f"{pair.overlap:.3f}", f"{pair.rbo:.3f}", f"{pair.cka:.3f}"]
            rows.append([pair.a, pair.b, *agreement, "" if pair.cross is None else f"{pair.cross:.3f}"])
        return ["a", "b", f"overlap@{self.k}", "RBO", "CKA", "a in b"], rows

    def side_rows(self, side: Side) -> tuple[list[str], list[list[str]]]:
        """Columns and cells of neighbours side by side, a row a rank."""
        names = [view.name for view in self.views]
        depth = max((len(side.lists[name]) for name in names), default=0)
        rows = [[str(rank + 1), *(self._cell(side.lists[name], rank) for name in names)] for rank in range(depth)]
        return ["", *names], rows

    def _cell(self, found: Sequence[Found], rank: int) -> str:
        return f"{_plain(found[rank].id)} {found[rank].score:.3f}" if rank < len(found) else ""

    def __str__(self) -> str:
        lines = [f"{self.items:,} items that all have, neighbours of {self.sampled:,} compared, k = {self.k}"]
        for columns, rows in (self.view_rows(), self.pair_rows()):
            lines += ["", *_aligned([columns, *rows])]
        for side in (*self.questions, *self.disagreements):
            columns, rows = self.side_rows(side)
            lines += ["", self.asked(side), *_aligned([columns, *rows])]
        return "\n".join(lines)

    def asked(self, side: Side) -> str:
        """What was asked, how its text begins, and how much the answers agree."""
        text = self.texts.get(side.asked, "")
        return f"{_plain(side.asked + (': ' + text if text else ''))} (overlap {side.overlap:.2f}, RBO {side.rbo:.2f})"

    def _repr_html_(self) -> str:
        """What a notebook shows. Everything that comes from a file is escaped."""
        parts = [f"<p>{self.items:,} items that all have, neighbours of {self.sampled:,} compared, <i>k</i> = {self.k}</p>"]
        parts += [_html(*table) for table in (self.view_rows(), self.pair_rows())]
        for side in (*self.questions, *self.disagreements):
            parts.append(f"<p><b>{escape(self.asked(side))}</b></p>{_html(*self.side_rows(side))}")
        return "".join(parts)

    def plot(self, path: str | Path | None = None) -> Any:
        """The agreement of each pair, and how it is spread over the items, as a matplotlib figure; also saved to `path`.

        Raises
        ------
        MissingExtra : matplotlib is not installed
        DataError : a path whose ending matplotlib does not write, or a file that cannot be written
        """
        import warnings

        form = "" if path is None else picture_format(path)
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise missing("matplotlib") from error
        longest = max(len(view.name) for view in self.views)  # of long names the picture is wider, not the cells narrower
        width, height = 4 + 1.1 * len(self.views), 3.2 + 0.3 * len(self.views)
        wider = 0.08 * min(longest, NAMED)
        figure = Figure(figsize=(width + wider, height + 0.5 * wider), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1 + 0.25 * len(self.views), 1.4])
        self._heat(left)
        right.hist(list(self.overlaps.values()), bins=[edge / 10 for edge in range(11)], color="#4c78a8", edgecolor="white")
        right.set(xlabel=f"overlap@{self.k}, mean over the pairs", ylabel="items", xlim=(0, 1))
        right.spines[["top", "right"]].set_visible(False)
        if path is not None:
            with replacing(Path(path)) as file, warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Glyph")  # a line each; `lettering` says it once, for all of them
                figure.savefig(file, format=form, dpi=150)
        return figure

    def _heat(self, axes: Any) -> None:
        names = [view.name for view in self.views]
        values = [[1.0] * len(names) for _ in names]
        for pair in self.pairs:
            a, b = names.index(pair.a), names.index(pair.b)
            values[a][b] = values[b][a] = pair.overlap
        axes.imshow(values, vmin=0, vmax=1, cmap="Blues")
        for row, each in enumerate(values):
            for column, value in enumerate(each):
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black")
        shown = [_plain(name if len(name) <= NAMED else f"{name[: NAMED - 1]}…") for name in names]
        fonts = fonts_for(shown)
        axes.set_xticks(range(len(names)), shown, rotation=30, ha="right", parse_math=False)
        axes.set_yticks(range(len(names)), shown, parse_math=False)
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_fontfamily(fonts)
        axes.set_title(f"overlap@{self.k}", fontsize=10)


def picture_format(path: str | Path) -> str:
    """The form of a picture, by the ending of its file.

    Raises
    ------
    MissingExtra : matplotlib is not installed
    DataError : an ending that matplotlib does not write
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise missing("matplotlib") from error
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FigureCanvasBase.get_supported_filetypes():
        raise DataError(f"a picture cannot be written to {path}; name one that ends in .png or .svg")
    return ending


def _plain(text: str) -> str:
    """A text on one line, without anything that could steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
