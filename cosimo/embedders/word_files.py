"""Word files: a file of word vectors → a `WordTable`. word2vec (binary, text), GloVe, fastText; says what is wrong with a file.

Read here, in numpy: word2vec's binary and text form (Mikolov et al. 2013, https://arxiv.org/abs/1301.3781), GloVe's text
without a header (Pennington, Socher and Manning 2014), fastText's `.vec`. Read by gensim: fastText's `.bin`, whose parts of
words give vectors to words that are not in it (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606).

word2vec's binary form is `count dim\\n`, then for each word its letters, a space, dim little-endian float32, and perhaps a line
end. It is mapped: up to 1 GiB of vectors are copied out at once, of more only the words are. Text becomes an array, beyond
1 GiB in a temporary file. Of a word that comes twice the first counts: files have the most frequent first.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.errors import DataError, UnreadableSource
from .word_table import Held, Mapped, WordTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..core.types import Vectors

MEMORY = 1 << 30  # bytes of vectors that are held in memory
HEAD = 1 << 17  # bytes looked at to tell what a file is: a line of 3,000 numbers is 40 kB
LONGEST = 1_000  # bytes of a word
READ = 1 << 24  # bytes of text read at a time
FASTTEXT = (793_712_314).to_bytes(4, "little")
OTHERS = {  # how files begin that are none, and what to do
    b"\x1f\x8b": "is compressed; unpack it first: gunzip",
    b"PK\x03\x04": "is a zip archive; unpack it first: unzip",
    b"BZh": "is compressed; unpack it first: bunzip2",
    b"\xfd7zXZ": "is compressed; unpack it first: unxz",
    b"\x80": "is a pickle, which could run any program; load it where it was made and use save_word2vec_format there",
    b"\x93NUMPY": "is an array without words; the words are in another file, load that with the package that wrote both",
    b"SQLite format 3": "is a database; name the collection with the command's own options",
}
FORMS = "word2vec (binary or text), GloVe and fastText files are"
_HEADER = re.compile(rb"[ \t]*(\d{1,15})[ \t]+(\d{1,9})[ \t]*\r?\n")
_CONTROL = re.compile(rb"[\x00-\x1f]")


class Header(NamedTuple):
    """What stands in the first line, and where the next begins."""

    words: int
    dim: int
    start: int


def read(path: str | Path, *, limit: int | None = None) -> WordTable:
    """The words of a file and their vectors.

    Parameters
    ----------
    limit : read this many words from the beginning alone

    Raises
    ------
    UnreadableSource : no word file, or one that is cut short or damaged; names the place
    MissingExtra : fastText's `.bin`, and gensim is not installed
    """
    path = Path(path).expanduser()
    if limit is not None and limit < 1:
        raise DataError(f"the limit is a number of words, 1 or more, not {limit}")
    try:
        return _read(path, limit)
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}") from error


def _read(path: Path, limit: int | None) -> WordTable:
    if not path.is_file():
        raise UnreadableSource(f"there is no file {path}" if not path.exists() else f"{path} is no file; name a word file")
    size = path.stat().st_size
    if not size:
        raise UnreadableSource(f"{path} is empty; fetch it again")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(FASTTEXT):
        return _fasttext(path, limit)
    for magic, why in OTHERS.items():
        if head.startswith(magic):
            raise UnreadableSource(f"{path} {why}")
    found = _HEADER.match(head)
    if found is None:
        return _text(path, None, _dim_of(path, head), limit)
    header = Header(int(found[1]), int(found[2]), found.end())
    if not header.words or not header.dim:
        raise UnreadableSource(f"{path} holds no words: its first line says {header.words} words of {header.dim} numbers")
    _refuse_short(path, header, size, text := _is_text(head[header.start :]))
    return _text(path, header, header.dim, limit) if text else _binary(path, header, size, limit)


def _is_text(head: bytes) -> bool:
    """Whether what follows the header is a line of a word and numbers."""
    line = head.partition(b"\n")[0]
    try:
        cells = line.decode().split()[1:]
    except UnicodeDecodeError:
        return False
    return bool(cells) and sum(_is_number(cell) for cell in cells) > len(cells) / 2


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _dim_of(path: Path, head: bytes) -> int:
    """How many numbers a word has in text without a header: in most of the first lines, since a word may hold a space."""
    whole = head.split(b"\n")[:-1] if len(head) == HEAD or head.endswith(b"\n") else head.split(b"\n")
    counts = []
    for line in whole[:50]:
        cells = line.decode("utf-8", "replace").split()
        numbers = next((at for at, cell in enumerate(reversed(cells[1:])) if not _is_number(cell)), len(cells) - 1)
        counts.append(numbers)
    usual = max(set(counts), key=counts.count) if counts else 0
    if usual < 2 or b"\0" in head:
        raise UnreadableSource(f"{path} is no file of word vectors; {FORMS}")
    return usual


def _refuse_short(path: Path, header: Header, size: int, text: bool) -> None:
    """Before anything is allocated: a header may say any number."""
    least = header.words * (2 * header.dim + 1 if text else 4 * header.dim + 2) - (1 if text else 0)
    if header.start + least > size:
        raise UnreadableSource(
            f"{path} is cut short, or its first line is wrong: {header.words:,} words of {header.dim:,} numbers need at least "
            f"{least:,} bytes, and it has {size:,}; fetch it again"
        )


class _Words:
    """Words as they come: which are new, and what was wrong with the others."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.seen = 0
        self.twice = 0
        self.nameless = 0

    def add(self, raw: bytes) -> bool:
        """True where the word is new."""
        self.seen += 1
        word = raw.decode("utf-8", "replace")
        if not word:
            self.nameless += 1
            return False
        if word in self.index:
            self.twice += 1
            return False
        self.index[word] = len(self.index)
        return True

    def table(self, path: Path, rows: Held | Mapped) -> WordTable:
        """What has come, with its vectors."""
        notes = []
        if self.twice:
            notes.append(f"{path}: {self.twice:,} words stand in it a second time; the first vector of each counts")
        if self.nameless:
            notes.append(f"{path}: {self.nameless:,} vectors have no word, and are left out")
        if not self.index:
            raise UnreadableSource(f"{path} holds no words; fetch it again")
        return WordTable(self.index, rows, path.name, notes=notes)


# -- word2vec's binary form


def _binary(path: Path, header: Header, size: int, limit: int | None) -> WordTable:
    words, places = _Words(), []
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for raw, place in _records(path, data, header, size):
        if words.add(raw):
            places.append(place)
        if words.seen == limit:
            break
    rows = Mapped(data, np.asarray(places, np.int64), header.dim)
    if 4 * header.dim * len(places) <= MEMORY:
        return words.table(path, Held(rows.take(np.arange(len(places)))))
    return words.table(path, rows)


def _records(path: Path, data: mmap.mmap, header: Header, size: int) -> Iterator[tuple[bytes, int]]:
    """(a word, where its vector begins), one after the other: only a vector's end tells where the next word begins."""
    position, width = header.start, 4 * header.dim
    first = data.find(b" ", position, position + LONGEST)
    lined = first >= 0 and data[first + 1 + width : first + 2 + width] == b"\n"
    for number in range(header.words):
        if data[position : position + 1] == b"\n":
            position += 1
        end = data.find(b" ", position, position + LONGEST)
        if lined and end >= 0 and end + 1 + width < size and data[end + 1 + width] != 10:
            end = _end_of_spaced(data, end, position, width)
        word = data[position:end]
        if end < 0 or _CONTROL.search(word):
            raise UnreadableSource(
                f"{path} is damaged at word {number + 1:,} of {header.words:,}, or its first line is wrong, or a word holds a "
                "space, which this form cannot; fetch it again, or save it as text"
            )
        if end + 1 + width > size:
            raise UnreadableSource(f"{path} is cut short at word {number + 1:,} of {header.words:,}; fetch it again")
        yield word, end + 1
        position = end + 1 + width
    if size - position > 1:
        raise UnreadableSource(
            f"{path} goes on after the {header.words:,} words of {header.dim:,} numbers that its first line promises, so that "
            "line is wrong; fetch it again"
        )


def _end_of_spaced(data: mmap.mmap, end: int, position: int, width: int) -> int:
    """The end of a word with spaces in it, in a file of lines: where a line end stands behind the vector; -1 where nowhere."""
    for _ in range(8):
        end = data.find(b" ", end + 1, position + LONGEST)
        if end < 0 or data[end + 1 + width : end + 2 + width] in (b"\n", b""):
            return end
    return -1


# -- text


def _text(path: Path, header: Header | None, dim: int, limit: int | None) -> WordTable:
    words = _Words()
    start = header.start if header else 0
    matrix = _room(min(_lines_of(path, start), limit or 1 << 62), dim)
    for raw, rows in _parsed(path, start, dim, first=2 if header else 1):
        if limit is not None:
            raw, rows = raw[: limit - words.seen], rows[: limit - words.seen]
        held = len(words.index)
        new = [number for number, word in enumerate(raw) if words.add(word)]
        matrix[held : len(words.index)] = rows[new]
        if words.seen == limit:
            break
    if header and limit is None and words.seen != header.words:
        short = words.seen < header.words
        raise UnreadableSource(
            f"{path} holds {words.seen:,} words and its first line says {header.words:,}: "
            f"{'it is cut short, or that' if short else 'that'} line is wrong; fetch it again"
        )
    return words.table(path, Held(matrix[: len(words.index)]))


def _room(count: int, dim: int) -> NDArray[np.float32]:
    """An array for so many vectors, in a temporary file where it would take too much memory."""
    if 4 * count * dim <= MEMORY:
        return np.empty((count, dim), np.float32)
    with tempfile.TemporaryFile() as file:  # unlinked, or deleted with the map: gone with the program
        file.truncate(4 * count * dim)
        return np.memmap(file, np.float32, "r+", shape=(count, dim))


def _lines_of(path: Path, start: int) -> int:
    """At most so many lines."""
    with path.open("rb") as file:
        file.seek(start)
        total = 1
        while block := file.read(READ):
            total += block.count(b"\n")
    return total


def _parsed(path: Path, start: int, dim: int, first: int) -> Iterator[tuple[list[bytes], Vectors]]:
    """(words, vectors (m, dim)) of some lines at a time; `first` is the number of the first line."""
    with path.open("rb") as file:
        file.seek(start)
        if not start and file.read(3) != b"\xef\xbb\xbf":  # a mark that some editors put before UTF-8
            file.seek(0)
        while lines := file.readlines(READ):
            cut = [_cut(path, number, line, dim) for number, line in enumerate(lines, first) if not line.isspace()]
            numbers = _numbers(b" ".join(rest for _, rest in cut))
            if numbers is None or len(numbers) != dim * len(cut):
                raise _no_numbers(path, lines, first, dim)
            yield [word for word, _ in cut], numbers.reshape(-1, dim)
            first += len(lines)


def _cut(path: Path, number: int, line: bytes, dim: int) -> tuple[bytes, bytes]:
    """(word, its numbers) of a line; the word may hold spaces, as some of GloVe's do."""
    line = line.rstrip(b" \t\r\n")
    if b"\t" in line:
        line = line.replace(b"\t", b" ")
    word, _, rest = line.partition(b" ")
    if rest.count(b" ") == dim - 1:
        return word, rest
    cells = line.rsplit(None, dim)
    if len(cells) != dim + 1:
        raise UnreadableSource(
            f"{path}:{number} holds {max(len(line.split()) - 1, 0)} numbers where others hold {dim}: the file is cut short, or "
            "damaged, or its first line is wrong; fetch it again"
        )
    return cells[0].rstrip(), b" ".join(cells[1:])


def _numbers(text: bytes) -> NDArray[np.float32] | None:
    import warnings

    if not text:
        return np.empty(0, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what older versions of numpy say of something else than numbers
        try:
            return np.fromstring(text, np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def _no_numbers(path: Path, lines: list[bytes], first: int, dim: int) -> UnreadableSource:
    """The error for the first line whose numbers are none."""
    for number, line in enumerate(lines, first):
        if not line.isspace():
            found = _numbers(_cut(path, number, line, dim)[1])
            if found is None or len(found) != dim:
                return UnreadableSource(f"{path}:{number} does not end in {dim} numbers: it is damaged; fetch the file again")
    return UnreadableSource(f"{path} holds lines of another length near line {first}; fetch it again")


# -- fastText


def _fasttext(path: Path, limit: int | None) -> WordTable:
    """A model with parts of words, through gensim, which holds all of it in memory."""
    from ..core.registry import load

    reader: Any = load("gensim.models.fasttext:load_facebook_vectors")
    try:
        found = reader(str(path))
        vectors = np.ascontiguousarray(found.vectors, np.float32)
        names = found.index_to_key
        counts = np.asarray([found.get_vecattr(word, "count") for word in names], np.float64)
    except Exception as error:  # of any class: gensim reads whatever numbers are there, and fails where they lead
        raise UnreadableSource(f"{path} is cut short or damaged ({type(error).__name__}); fetch it again") from error
    kept = list(dict.fromkeys(names))[:limit]
    order = [found.key_to_index[word] for word in kept]

    def compose(word: str) -> Any:
        try:
            return np.asarray(found.get_vector(word), np.float32)
        except KeyError:  # too short to have parts
            return None

    index = {word: number for number, word in enumerate(kept)}
    return WordTable(index, Held(vectors[order]), path.name, counts=counts[order], compose=compose)
