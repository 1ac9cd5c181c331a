"""Map picture: a scene → a PNG, an SVG or a PDF, by matplotlib. Shows no window, and leaves matplotlib's settings alone.

Labels are anybody's text; `lettering` writes them.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ...core.registry import missing
from ..exchange import replacing
from ..lettering import fonts_for, write_as_it_is
from .map_page import METHODS
from .palette import OTHER, RAMP, colors
from .scene import SHOWN, clean

if TYPE_CHECKING:
    from pathlib import Path

    from .scene import Field, Scene

FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
SIZE = (12.0, 8.0)  # inches
DOTS = 160  # an inch
MANY = 5_000  # points, from which on an SVG holds them as one image: 100,000 circles are 20 MB that nothing opens quickly
LISTED = 24  # values in a legend
GROUNDS = {False: ("#ffffff", "#20242b", "#6b7280"), True: ("#14161a", "#e9ebee", "#98a1ad")}  # ground, ink, soft


def write_picture(scene: Scene, target: Path | BinaryIO, format: str, *, dark: bool = False) -> int:
    """Draw a map; the number of items. A file is replaced in one step; the same scene gives the same bytes.

    Parameters
    ----------
    format : png, svg or pdf
    dark : light points on a dark ground

    Raises
    ------
    MissingExtra : matplotlib is not installed
    DataError : the file cannot be written, or is a database
    """
    from pathlib import Path

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a line each; `lettering` says it once, for all of them
        figure = _figure(scene, dark)
        if not isinstance(target, Path):
            _write(figure, target, format)
        else:
            with replacing(target) as file:
                _write(figure, file, format)
    return len(scene.map)


def _write(figure: Any, file: BinaryIO, format: str) -> None:
    import matplotlib

    undated: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format, {})
    with matplotlib.rc_context({"svg.hashsalt": "cosimo", "svg.fonttype": "path"}):
        figure.savefig(file, format=format, dpi=DOTS, facecolor=figure.get_facecolor(), metadata=undated)


def _figure(scene: Scene, dark: bool) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing("matplotlib") from error
    ground, ink, soft = GROUNDS[dark]
    map, field = scene.map, scene.field
    figure = Figure(figsize=SIZE, facecolor=ground, layout="constrained")
    FigureCanvasAgg(figure)  # measures texts, also for an SVG
    axes: Any = figure.add_subplot(projection="3d" if map.dim == 3 else None, facecolor=ground)
    fonts = fonts_for([scene.title, *(field.values[:SHOWN] if field is not None else ())])
    _points(axes, scene)
    axes.set_axis_off()
    if map.dim == 2:
        axes.set_aspect("equal", adjustable="datalim")
    else:
        axes.set_box_aspect(np.maximum(np.ptp(map.points, axis=0), 1e-3 * (float(np.ptp(map.points)) or 1)), zoom=1.3)
    write_as_it_is(axes.set_title(" ", loc="left", fontsize=16, color=ink, pad=6), clean(scene.title, 90), fonts)
    figure.text(0.995, 0.005, _about(scene), ha="right", va="bottom", fontsize=8.5, color=soft)
    if field is not None and field.kind == "category":
        _legend(figure, field, ink, fonts)
        _names(axes, field, ground, ink, fonts)
    elif field is not None and field.kind == "number":
        _scale(figure, axes, field, ink, soft, fonts)
    return figure


def _about(scene: Scene) -> str:
    map, placed = scene.map, int(scene.map.placed.sum())
    said = [f"{len(map):,} items", METHODS[map.method]]
    if map.trustworthiness is not None:
        said.append(f"trustworthiness {map.trustworthiness:.2f}")
    if placed:
        said.append(f"{placed:,} placed later (rings)")
    return " · ".join(said)


def _points(axes: Any, scene: Scene) -> None:
    """All points in an order that lets no value lie on top of all others; those placed later as rings."""
    map, count = scene.map, len(scene.map)
    inks = np.array(_inks(scene), object)
    size = float(np.clip(22_000 / max(count, 1), 1.2, 70))
    order = np.random.default_rng(0).permutation(count)
    for placed in (False, True):
        some = order[map.placed[order] == placed]
        if not len(some):
            continue
        look: dict[str, Any] = {
            "c": inks[some].tolist(),
            "linewidths": 0.4 if count < MANY else 0,
            "edgecolors": axes.get_facecolor(),
        }
        if placed:
            look = {"facecolors": "none", "edgecolors": inks[some].tolist(), "linewidths": 1.3 if count < MANY else 0.4}
        axes.scatter(*map.points[some].T, s=size, alpha=0.9 if count < MANY else 0.6, rasterized=count > MANY, **look)


def _inks(scene: Scene) -> list[str]:
    field, count = scene.field, len(scene.map)
    if field is None or field.kind == "text":
        return [colors(1)[0]] * count
    if field.kind == "category":
        palette = [*colors(SHOWN), OTHER]
        return [palette[code if 0 <= code < SHOWN else SHOWN] for code in field.codes.tolist()]
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    low, high = ends(field)
    ramp = LinearSegmentedColormap.from_list("cosimo", RAMP)
    parts = np.clip((field.numbers - low) / ((high - low) or 1), 0, 1)
    return [OTHER if np.isnan(part) else to_hex(ramp(float(part))) for part in parts]


def ends(field: Field) -> tuple[float, float]:
    """Where the scale of a number begins and ends: a few far-off values do not make all others the same color."""
    low, high = np.nanquantile(field.numbers, (0.01, 0.99))
    return float(low), float(high)


def _names(axes: Any, field: Field, ground: str, ink: str, fonts: list[str]) -> None:
    """The names of groups where they are, the largest first; what would lie on another one is left out."""
    from matplotlib.patheffects import withStroke

    if axes.name == "3d":
        return
    taken: list[Any] = []
    axes.figure.draw_without_rendering()
    axes.figure.set_layout_engine("none")  # places are settled: sizes of texts are looked at now
    renderer = axes.figure.canvas.get_renderer()
    for place, value, count in zip(field.places, field.values, field.counts, strict=False):
        size = 8 + 4 * (count / max(field.counts)) ** 0.5
        text = axes.text(*place.tolist(), " ", ha="center", va="center", fontsize=size, color=ink, weight="bold", clip_on=False)
        text.set_path_effects([withStroke(linewidth=2.6, foreground=ground, alpha=0.85)])
        write_as_it_is(text, clean(value, 34), fonts)
        box = text.get_window_extent(renderer).padded(1)
        if any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


def _legend(figure: Any, field: Field, ink: str, fonts: list[str]) -> None:
    from matplotlib.lines import Line2D

    palette, shown = colors(SHOWN), min(len(field.values), LISTED if len(field.values) > SHOWN else SHOWN)
    labels = [f"{clean(value, 30) or '—'}  {count:,}" for value, count in zip(field.values[:shown], field.counts, strict=False)]
    inks = palette[:shown]
    rest = sum(field.counts[shown:])
    if rest:
        labels.append(f"{len(field.values) - shown:,} others  {rest:,}")
        inks = [*inks, OTHER]
    handles = [Line2D([], [], marker="o", linestyle="", color=ink_, markersize=6) for ink_ in inks]
    legend = figure.legend(
        handles, [str(at) for at in range(len(handles))], loc="outside right upper", frameon=False,
        fontsize=8.5, labelcolor=ink, handletextpad=0.2, ncols=1,
    )  # fmt: skip
    for text, label in zip(legend.get_texts(), labels, strict=True):  # now: a label that begins with "_" would be left out
        write_as_it_is(text, label, fonts)


def _scale(figure: Any, axes: Any, field: Field, ink: str, soft: str, fonts: list[str]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    ramp = ScalarMappable(Normalize(*ends(field)), LinearSegmentedColormap.from_list("cosimo", RAMP))
    bar = figure.colorbar(ramp, ax=axes, shrink=0.5, aspect=30, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=soft, labelsize=8.5, length=0)
    write_as_it_is(bar.ax.set_title(" ", fontsize=9.5, color=ink, loc="left"), clean(field.name, 30), fonts)
