"""Palette: colors for values and for numbers, that can be told apart on a light and on a dark ground. Draws nothing."""

from __future__ import annotations

import math

# Twelve that differ in hue and in lightness; red and green differ in lightness, for who cannot tell them otherwise
FIRST = (
    "#4c78d0", "#f0883e", "#2fa58d", "#d95f8c", "#9a6fd8", "#c9a227", "#5bb5e0", "#c4543f", "#7da843", "#8c7a6b", "#e08fd0",
    "#3f8f5f",
)  # fmt: skip
OTHER = "#8b929c"  # values without a color of their own, and items without a value
RAMP = ("#4a46b8", "#8f3fae", "#cf4b85", "#ee7a54", "#f2b33d", "#d9d84a")  # low to high; equal steps look equal
GOLDEN = 137.50776  # degrees, by which hues are spread most evenly however many there are


def colors(count: int) -> list[str]:
    """So many colors, as #rrggbb: the first twelve chosen by eye, further ones spread over hues at three lightnesses."""
    more = (_hex((0.62, 0.72, 0.54)[at % 3], 0.13, at * GOLDEN) for at in range(max(0, count - len(FIRST))))
    return [*FIRST[:count], *more]


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """OKLCH (Ottosson 2020) as sRGB; what lies outside is cut off."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741 - as the definition calls it
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, part)))):02x}" for part in linear)


def _encoded(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
