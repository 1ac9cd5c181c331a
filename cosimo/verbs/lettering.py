"""Lettering: anybody's text in a picture of matplotlib, as it is. Draws nothing.

Nothing in it is read as mathematics (`$`), and fonts of this machine are looked for that hold its letters: matplotlib's own has
no Chinese, Japanese or Korean. What none of them holds is said in one warning.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LIKELY = (  # fonts with many letters, by the systems they come with; others are looked through where these are not enough
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC",
    "Hiragino Sans GB", "Heiti SC", "Microsoft YaHei", "SimHei", "Arial Unicode MS", "Droid Sans Fallback", "Noto Sans Arabic",
    "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Segoe UI", "Arial", "Noto Emoji", "Segoe UI Symbol",
)  # fmt: skip
FALSE = ("last resort", ".lastresort", "cm", "stixnonuni", "stixsize")  # whose letters are boxes, or others than they say


class GlyphWarning(UserWarning):
    """A picture lacks letters that no font of this machine holds."""


def write_as_it_is(text: Any, said: str, fonts: list[str]) -> None:
    """Set what a text of matplotlib says: as it is, `$` and backslashes too."""
    text.set_parse_math(False)
    text.set_fontfamily(fonts)
    text.set_text(said)


def fonts_for(texts: Iterable[str]) -> list[str]:
    """Font families that hold the letters of these texts between them; one warning names letters that none holds."""
    from matplotlib import font_manager

    plain = "DejaVu Sans"
    wanted = {ord(letter) for text in texts for letter in text if letter.isprintable() and not letter.isspace()}
    wanted -= {0x200C, 0x200D, 0xFE0F}
    wanted -= _letters(font_manager.findfont(plain))
    chosen = [plain]
    known = {
        font.name: font.fname
        for font in sorted(font_manager.fontManager.ttflist, key=lambda font: font.fname, reverse=True)
        if not font.name.lower().startswith(FALSE)
    }
    for name in [*(name for name in LIKELY if name in known), *(name for name in sorted(known) if name not in LIKELY)]:
        if not wanted:
            break
        held = _letters(known[name]) & wanted
        if held:
            chosen.append(name)
            wanted -= held
    if wanted:
        some = " ".join(chr(letter) for letter in sorted(wanted)[:8])
        warnings.warn(
            f"no font of this machine holds {len(wanted):,} of the letters in the picture, such as {some}; install one that"
            " does (fonts-noto-cjk for Chinese, Japanese and Korean)",
            GlyphWarning, stacklevel=2,
        )  # fmt: skip
    return chosen


@lru_cache(maxsize=512)
def _letters(path: str) -> frozenset[int]:
    """The letters that a font file holds; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
