"""Text: bytes in, str out, or a refusal that says why. Never a guess that turns one letter into another. Opens no files."""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from ..core.errors import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HEAD = 8192  # bytes looked at to tell binary from text, as git does
SAMPLE = 65536  # bytes of non-ASCII lines that a detection reads; more changed no answer, and took longer
DAMAGED = 10  # multi-byte UTF-8 characters for each bad byte: above, it is UTF-8 with a scratch, not another encoding

BOMS = (  # the four-byte ones first: UTF-32-LE begins like UTF-16-LE
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What the world still writes, in the order tried. Left out: encodings that would "explain" almost any bytes (the DOS and
# Macintosh pages, EBCDIC); a text in one of those is refused, and can be declared.
OTHER_SCRIPTS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256")  # Cyrillic, Greek, Hebrew, Arabic
EVERYDAY = {  # encoding → lead bytes of its everyday characters (the rest of the national standard holds rare ones)
    "euc_jp": (0xA4, 0xA5, *range(0xB0, 0xD0)),  # kana, JIS level 1
    "cp949": tuple(range(0xB0, 0xC9)),  # the 2,350 syllables of KS X 1001
    "gb18030": tuple(range(0xB0, 0xD8)),  # GB 2312 level 1
    "big5": tuple(range(0xA4, 0xC7)),  # Big5 level 1
}
ENOUGH = 6  # letters beyond ASCII; fewer say nothing: "é" in one encoding is "谷" in another
# One language's letters beyond a-z. Where both pages decode, the one whose letters fit a single language wins:
# "pequeño" in the other page is "pequeńo", fit for no alphabet together with é; Czech in the first is "pøíliš".
ALPHABETS = {
    "cp1252": (
        "àâæçéèêëîïôœùûüÿ",  # French
        "äöüßé",  # German
        "áéíóúüñïçàèò·ªº",  # Spanish, Catalan
        "ãõáéíóúâêôàçüªº",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "åäöéæøàü",  # Swedish, Finnish, Danish, Norwegian
        "áéëïóöüèê",  # Dutch
        "áéíóúýþæöð",  # Icelandic
    ),
    "cp1250": (
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýžäĺľôŕ",  # Czech, Slovak
        "áéíóöőúüű",  # Hungarian
        "ăâîșşțţ",  # Romanian
        "čćđšž",  # Croatian, Slovenian
    ),
    "cp1254": ("âçğıîöşüûi̇",),  # Turkish
}
ALPHABETS["iso8859_2"] = ALPHABETS["cp1250"]
MARKS = "’‘'–—…·“”«»‹›\u00a0"  # may stand anywhere
# A symbol where none belongs: before a word, after one, inside one, beside another symbol; a capital inside a word
ODD = re.compile(
    rf"(?<![^\W\d_])[^\w\s\x00-\x7f{MARKS}‚„¿¡§©°€£¥†‡•](?=[^\W\d_])"
    rf"|(?<=[^\W\d_])[^\w\s\x00-\x7f{MARKS}®™²³°†‡€£•©§\xad](?![^\W\d_])"
    rf"|(?<=[^\W\d_])[^\w\s\x00-\x7f{MARKS}\xad](?=[^\W\d_])"
    rf"|[^\w\s\x00-\x7f{MARKS}]{{2}}|[¡¿][ªº]|[a-z][À-ÖØ-ÞĄĆČĎĘĚŁŃŇŐŘŚŠŤŮŰŹŻŽĞİŞ]"
)
MIXED = re.compile(r"[a-zA-Z](?=[^\W\d_a-zA-Z])|[^\W\d_a-zA-Z](?=[a-zA-Z])")  # two scripts in one word


def bom_encoding(data: bytes) -> str | None:
    """The encoding that a byte order mark at the start of `data` names."""
    return next((name for mark, name in BOMS if data.startswith(mark)), None)


def looks_binary(data: bytes, encodings: Sequence[str] = ()) -> bool:
    """A NUL in the first 8 kB, and neither a byte order mark nor a wide encoding explains it."""
    head = data[:HEAD]
    if b"\0" not in head or bom_encoding(head) or any("16" in name or "32" in name for name in encodings):
        return False
    return _unmarked_utf16(data) is None


def unix_lines(text: str) -> str:
    """Line ends as "\\n", as Python's text files and `llm` read them: one hash for a text on every system."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode(data: bytes, encodings: Sequence[str] = ()) -> str:
    """The text in `data`: UTF-8 (or what its byte order mark says), else the declared encodings in order, else a detected one.

    Parameters
    ----------
    data : a whole text
    encodings : names Python knows, tried in order; only what all of them refuse is detected

    Raises
    ------
    UnreadableSource : no encoding fits, or several do; the message is a reason without the name of the source
    """
    marked = bom_encoding(data)
    wide = _unmarked_utf16(data) if not marked and b"\0" in data[:HEAD] else None
    for name in (marked or wide or "utf-8", *encodings):
        try:
            return data.decode(name)
        except UnicodeError:
            continue
    return data.decode(detect(data))


def known_encodings(names: Sequence[str]) -> tuple[str, ...]:
    """The declared encodings, each one that Python knows.

    Raises
    ------
    UnreadableSource : one is unknown
    """
    for name in names:
        try:
            b"a".decode(name)
        except UnicodeError:  # half a character of utf-16
            continue
        except LookupError:  # also for "rot13" and "zip", which are no encodings of text
            raise UnreadableSource(f"no encoding is called '{name}'; known are utf-8, latin-1, gb18030, shift_jis, …") from None
    return tuple(names)


def stream_encoding(head: bytes, encodings: Sequence[str] = ()) -> str:
    """The encoding of something read as it comes, judged by its first bytes (a character cut at their end is no fault).

    Raises
    ------
    UnreadableSource : as `decode`
    """
    marked = bom_encoding(head)
    if marked:
        return marked
    for name in ("utf-8", *encodings):
        if fits([head], name, final=False):
            return name
    last_line = head.rfind(b"\n")
    return detect(head[: last_line + 1] if last_line > 0 else head)


def encoding_of(chunks: Callable[[], Iterable[bytes]], encodings: Sequence[str] = ()) -> str:
    """The encoding of something too big to hold that can be read twice; `chunks` starts it from the beginning.

    UTF-8 with damaged bytes is "utf-8" here: whoever reads row by row reports the rows.

    Raises
    ------
    UnreadableSource : as `decode`
    """
    marked = bom_encoding(next(iter(chunks()), b""))
    if marked:
        return marked
    for name in ("utf-8", *encodings):
        if fits(chunks(), name):
            return name
    sample = _sample(chunks())
    if damaged_utf8(sample):
        return "utf-8"
    name = detect(sample)
    if not fits(chunks(), name):
        raise UnreadableSource(f"it begins as {name} and does not go on so; declare its encoding with --encoding")
    return name


def repaired(text: str, encodings: Sequence[str] = ()) -> str | None:
    """Text read with "surrogateescape": itself, or where bytes escaped, what the declared encodings make of it; else None."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogateescape")
        fitting = next((name for name in encodings if fits([data], name)), None)
        return data.decode(fitting) if fitting else None
    return text


def fits(chunks: Iterable[bytes], encoding: str, *, final: bool = True) -> bool:
    """Whether all chunks together are text in this encoding; memory stays flat."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final)
    except UnicodeError:
        return False
    return True


def detect(data: bytes) -> str:
    """The one encoding, other than UTF-8, in which `data` is text.

    Raises
    ------
    UnreadableSource : none fits; or more than one does, and they disagree
    """
    if b"\0" in data:
        raise UnreadableSource("it is not text: it holds NUL bytes; use --binary, or declare its encoding")
    damage = damaged_utf8(data)
    if damage:
        raise UnreadableSource("it is UTF-8 with {} damaged bytes, the first in line {}; repair it".format(*damage))
    sample = _sample([data])
    return _latin_page(data, sample) or _asian_page(data, sample) or _other_page(data, sample)


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: the byte order in which every character exists in writing, and most are common ones."""
    if len(data) % 2 or b"\0" not in data[:HEAD]:
        return None
    best, most = None, 0.5
    for name in ("utf-16-le", "utf-16-be"):
        text = data[:HEAD].decode(name, "replace")
        common = sum(" " <= c < "\u0500" or "\u3000" <= c < "\ua000" or "\uac00" <= c < "\ud7a4" for c in text) / len(text)
        if any(c in " \n" for c in text) and common > most and _is_writing(text) and fits([data], name):
            best, most = name, common
    return best


def _is_writing(text: str) -> bool:
    """No control, private, unassigned or surrogate character: what wrong decodings are full of."""
    return not any(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\n\r\f\x1b" for c in set(text))


def damaged_utf8(data: bytes) -> tuple[int, int] | None:
    """(bad bytes, line of the first) in UTF-8 with a few of them. It is no other encoding: the rest would come out wrong."""
    text = data.decode("utf-8", "surrogateescape")
    bad = sum(text.count(c) for c in set(text) if "\udc80" <= c <= "\udcff")
    good = sum(not c.isascii() for c in text) - bad
    if not bad or good < DAMAGED * bad:
        return None
    where = next(i for i, c in enumerate(text) if "\udc80" <= c <= "\udcff")
    return bad, text.count("\n", 0, where) + 1


def _sample(chunks: Iterable[bytes]) -> bytes:
    """The lines that are not plain ASCII: they alone tell encodings apart. No multi-byte encoding hides a newline byte."""
    kept: list[bytes] = []
    size, rest = 0, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.isascii():
                kept.append(line + b"\n")
                size += len(line)
                if size > SAMPLE:
                    return b"".join(kept)
    return b"".join([*kept, rest] if not rest.isascii() else kept)


def _latin_page(data: bytes, sample: bytes) -> str | None:
    """cp1252 (Latin-1 with the quotes), or another Latin page, whose letters outside a-z are those of one language."""
    shares = {name: _language_share(sample, name) for name in ALPHABETS}
    fitting = [name for name, share in shares.items() if share >= 0.95 and fits([data], name)]
    if not fitting:
        return None
    # Czech read as cp1252 gets 0.56, Turkish 0.74; a French text with a Finnish name 0.8
    strangers = (1 - shares["cp1252"]) * sum(not c.isascii() for c in sample.decode("cp1252", "replace"))
    if fitting[0] != "cp1252" and shares["cp1252"] >= 0.7 and strangers < 3.5:
        raise UnreadableSource(f"its encoding could be cp1252 or {fitting[0]}; declare it with --encoding")
    return fitting[0]  # cp1252 first: far more common, and mostly the same letters


def _language_share(sample: bytes, name: str) -> float:
    """Of the letters outside a-z, how many belong to the language they fit best; 0 where the text cannot be of this page."""
    try:
        text = sample.decode(name)
    except UnicodeError:
        return 0.0
    letters = [c for c in text.lower() if not c.isascii() and c.isalpha()]
    plain = sum(c.isascii() and c.isalpha() for c in text)
    # languages in Latin script write most letters without marks; and "gwa³t", "Dzi¶", "¡°word¡±" are no words
    if not plain or len(letters) > plain or not _is_writing(text) or ODD.search(text):
        return 0.0
    if not letters:
        return 1.0
    if len(letters) < ENOUGH and name != "cp1252":
        return 0.0
    return max(sum(c in alphabet for c in letters) for alphabet in ALPHABETS[name]) / len(letters)


@cache
def _everyday(name: str) -> frozenset[str]:
    """The everyday characters of one of the EVERYDAY encodings."""
    pairs = (bytes((lead, trail)) for lead in EVERYDAY[name] for trail in range(0x40, 0xFF))
    if name != "big5":  # below A1 lie later extensions of the standard
        pairs = (pair for pair in pairs if pair[1] >= 0xA1)
    found = frozenset("".join(pair.decode(name, "ignore") for pair in pairs))
    return found | _everyday("big5") if name == "gb18030" else found  # GB 18030 holds traditional characters too


def _asian_page(data: bytes, sample: bytes) -> str | None:
    """The East Asian encoding that makes 85% of the letters everyday ones of its language; a wrong one makes half of them.

    25 characters are enough, where general detection confuses Chinese with Korean.

    Raises
    ------
    UnreadableSource : two readings are equally good
    """
    shares: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name in ("euc_jp", "cp932", "cp949", "gb18030", "big5"):
        standard = "euc_jp" if name == "cp932" else name  # one character set, two ways to write it
        try:
            letters = [c for c in sample.decode(name) if not c.isascii() and c.isalpha()]
        except UnicodeError:
            continue
        kana = sum("\u3041" <= c <= "\u30ff" for c in letters)
        if len(letters) < ENOUGH or (kana >= 0.15 * len(letters)) != (standard == "euc_jp"):
            continue  # every page holds kana; only Japanese uses them
        share = sum(c in _everyday(standard) for c in letters) / len(letters)
        if share >= (0.97 if name == "cp949" else 0.85) and fits([data], name):
            shares[name], counts[name] = share, len(letters)
    # Kana in one reading are rare characters in the others. Korean read as Chinese is everyday too, while Chinese read as
    # Korean is not for long: 6 Chinese characters in 10 fall among the syllables, 25 in a row once in 350,000 times
    for name in ("euc_jp", "cp932", "cp949"):
        if name in shares and (name != "cp949" or counts[name] >= 25):
            return name
    ranked = sorted(shares, key=lambda name: -shares[name])
    if len(ranked) > 1 and shares[ranked[0]] - shares[ranked[1]] <= 0.05:
        raise UnreadableSource(f"its encoding could be {ranked[0]} or {ranked[1]}; declare it with --encoding")
    return ranked[0] if ranked else None


def _other_page(data: bytes, sample: bytes) -> str:
    """charset-normalizer's choice among the encodings of other alphabets; a tie between two readings is no choice."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=list(OTHER_SCRIPTS))
    found = [match for match in matches if _one_script_a_word(str(match)) and fits([data], match.encoding)]
    if not found:
        raise UnreadableSource(
            "its encoding could not be detected; declare it with --encoding, or use --binary if it is no text"
        )
    best = found[0]
    for other in found[1:]:
        if (other.chaos, other.coherence) == (best.chaos, best.coherence) and str(other) != str(best):
            raise UnreadableSource(f"its encoding could be {best.encoding} or {other.encoding}; declare it with --encoding")
    return best.encoding


def _one_script_a_word(text: str) -> bool:
    letters = sum(not c.isascii() and c.isalpha() for c in text)
    return letters >= ENOUGH and len(MIXED.findall(text)) <= 0.05 * letters and _is_writing(text)
