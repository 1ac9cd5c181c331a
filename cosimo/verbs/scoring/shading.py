"""Shading: a text with its sentences placed on a scale → colors, and one HTML page of its own that loads nothing.

Blue is the low end, orange the high one: a pair that people see apart who do not see red from green. The middle has no color;
it is full at -1.5 and 1.5, half way out beyond the ends.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...core.content import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FULL = 1.5
FAINT = 0.2  # closer to the middle, white would be the loudest color of a dark terminal
LOW, MIDDLE, HIGH = (90, 155, 230), (246, 246, 244), (245, 150, 60)  # sRGB; black text reads well on all between
STYLE = """
:root { color-scheme: light dark; --ink: #1d2127; --paper: #fdfdfc; --faint: #69707a; --low: #5a9be6; --high: #f5963c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef1; --paper: #15181c; --faint: #99a1ab; --low: #2a63ad; --high: #a85509; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.06rem/1.75 system-ui, "Noto Sans", "Noto Sans CJK SC",
  sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 1rem; overflow-wrap: anywhere; }
.legend { display: flex; align-items: center; gap: .75rem; margin: 0 0 .35rem; }
.legend b { font-weight: 600; overflow-wrap: anywhere; }
.bar { flex: 1; height: .7rem; min-width: 4rem; border-radius: .35rem;
  background: linear-gradient(to right, var(--low), transparent, var(--high)); }
.about { color: var(--faint); font-size: .85rem; line-height: 1.5; margin: 0 0 2rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
mark { color: inherit; background: color-mix(in srgb, var(--end) var(--share), transparent);
  border-radius: .25em; padding: .12em .2em; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
.low { --end: var(--low); }
.high { --end: var(--high); }
mark:hover { outline: 2px solid var(--ink); }
""".strip()


class Sentence(NamedTuple):
    """A sentence of a text, `text[start:end]`, and its position; None where the model knows nothing of it."""

    start: int
    end: int
    text: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Shaded:
    """A text and its sentences on a scale, in their order."""

    text: str
    sentences: tuple[Sentence, ...]
    ends: tuple[str, str]  # names of the low and the high end
    about: str = ""  # how good the scale is
    title: str = ""

    def html(self) -> str:
        """A page that holds all it needs: whatever stands in the text is shown, never run."""
        title = _escaped(self.title or f"{self.ends[0]} – {self.ends[1]}")
        low, high = map(_escaped, self.ends)
        return (
            '<!doctype html>\n<html lang="und">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n"
            f'<h1 dir="auto">{title}</h1>\n'
            f'<div class="legend"><b dir="auto">{low}</b><span class="bar"></span><b dir="auto">{high}</b></div>\n'
            f'<p class="about">{_escaped(self.about)}</p>\n'
            f'<div class="text">{self._marked(_in_page)}</div>\n</main>\n</body>\n</html>\n'
        )

    def _repr_html_(self) -> str:
        """In a notebook, whose styles are not ours."""
        return f'<div style="white-space: pre-wrap; unicode-bidi: plaintext">{self._marked(_alone)}</div>'

    def _marked(self, style: Callable[[float], str]) -> str:
        """The text as HTML, its sentences marked."""
        parts, at = [], 0
        for start, end, text, score in self.sentences:
            parts.append(_escaped(self.text[at:start]))
            marked = (
                f'<mark {style(score)} title="{score:+.2f}">{_escaped(text)}</mark>' if score is not None else _escaped(text)
            )
            parts.append(marked)
            at = end
        return "".join([*parts, _escaped(self.text[at:])])


def _in_page(score: float) -> str:
    share = min(1.0, abs(score) / FULL)
    return f'class="{"low" if score < 0 else "high"}" style="--share: {100 * share:.0f}%"'


def _alone(score: float) -> str:
    return f'style="background: {hex_of(score)}; color: #14171a"'


def rgb_of(score: float) -> tuple[int, int, int]:
    """The color of a position, sRGB."""
    share = max(-1.0, min(1.0, score / FULL))
    end = LOW if share < 0 else HIGH
    red, green, blue = (round(middle + abs(share) * (other - middle)) for middle, other in zip(MIDDLE, end, strict=True))
    return red, green, blue


def hex_of(score: float) -> str:
    """The color of a position, as #rrggbb."""
    return "#" + "".join(f"{part:02x}" for part in rgb_of(score))


def shaded(
    text: str, spans: Sequence[tuple[int, int]], scores: Sequence[float | None], ends: tuple[str, str], about: str = ""
) -> Shaded:
    """Put a text, where its sentences are, and their positions together."""
    rows = (Sentence(start, end, text[start:end], score) for (start, end), score in zip(spans, scores, strict=True))
    return Shaded(text, tuple(rows), ends, about)


def _escaped(text: str) -> str:
    """Text for HTML: no half characters, none that steer, and nothing that is read as a tag."""
    return html.escape("".join(c if c.isprintable() or c in "\n\t\u200c\u200d" or c.isspace() else "�" for c in storable(text)))


def terminal_color(score: float) -> int | None:
    """The color of a position among the 256 that every terminal has: a cube of 6 × 6 × 6. None near the middle."""
    if abs(score) < FAINT:
        return None
    red, green, blue = (0 if part < 48 else min(5, (part - 35) // 40) for part in rgb_of(score))
    return 16 + 36 * red + 6 * green + blue
