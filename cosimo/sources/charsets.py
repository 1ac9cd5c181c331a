"""Charsets: bytes with a declared encoding in, text out. Declarations err, so what is surely UTF-8 is read as UTF-8."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from ..core.errors import UnreadableSource
from .text import bom_encoding, decode, unix_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = 4096  # bytes in which a page declares its encoding (browsers look at 1,024)
DECLARED = re.compile(
    rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w:.-]{1,40})|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w:.-]{1,40})""", re.I
)
MEANT = {  # label → what is written under it, as browsers know (encoding.spec.whatwg.org)
    "ascii": "cp1252", "us-ascii": "cp1252", "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin1": "cp1252",
    "latin-1": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "korean": "cp949", "iso-8859-9": "cp1254", "iso-8859-8-i": "iso-8859-8",
    "big5": "big5hkscs", "x-big5": "big5hkscs", "tis-620": "cp874", "iso-8859-11": "cp874", "utf8mb4": "utf-8",
}  # fmt: skip
SEVEN_BIT = ("iso-2022", "iso2022", "hz", "utf-7")  # whose bytes are ASCII, so that they look like UTF-8
FEW = 200  # one character in so many may be damaged, and the declaration is true all the same


def declared(data: bytes) -> str | None:
    """The encoding that a page names at its beginning."""
    found = DECLARED.search(data[:HEAD])
    return (found[1] or found[2]).decode("ascii") if found else None


def decode_declared(data: bytes, charset: str | None, encodings: Sequence[str] = ()) -> str:
    """The text in bytes of which somebody said how it is encoded; line ends as "\\n".

    Parameters
    ----------
    charset : as declared; where it is unknown or cannot be true, the encoding is found as for any text

    Raises
    ------
    UnreadableSource : several encodings fit, or none
    """
    codec = _codec(charset)
    if codec and codec.startswith(SEVEN_BIT):
        return unix_lines(data.decode(codec, "replace"))
    if not bom_encoding(data) and codec:
        try:
            return unix_lines(data.decode("utf-8"))
        except UnicodeError:
            text = data.decode(codec, "replace")
        if text.count("\ufffd") * FEW <= len(text):
            return unix_lines(text)
    try:
        return unix_lines(decode(data, encodings))
    except UnreadableSource:  # a name or two with an accent: what they are is not guessed, and the rest is no guess
        text = data.decode("utf-8", "replace")
        if text.count("\ufffd") * FEW > len(text):
            raise
    return unix_lines(text)


def _codec(charset: str | None) -> str | None:
    """Python's name for a label; None for one it does not know."""
    if not charset:
        return None
    label = charset.strip().lower()
    label = MEANT.get(label, label)
    try:
        if not codecs.lookup(label)._is_text_encoding:  # "rot13", "zip" are none
            return None
        return "utf-8" if label in ("utf8", "utf_8") else label
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return None
