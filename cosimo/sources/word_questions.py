"""Word questions: files of analogies and of pairs of words with a score → plain rows. Measures nothing.

Analogies are as in Google's questions-words.txt (Mikolov et al. 2013): `: section`, then lines of four words. Pairs are two
words and a number, with tabs, commas or spaces between, as WordSim-353, SimLex-999 (a part of speech before the number), MEN
and RareWords have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import UnreadableSource
from .delimited import number_in

if TYPE_CHECKING:
    Question = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class WordPair:
    """Two words, and how alike people found them."""

    a: str
    b: str
    score: float


def are_analogies(path: str | Path) -> bool:
    """True for a file of analogies, by its first lines; False for pairs, which a header of four words may stand above.

    Raises
    ------
    UnreadableSource : it cannot be read
    """
    lines = _lines(Path(path).expanduser())
    first = list(islice((line for line in lines if line.strip() and not line.startswith(("#", "//"))), 2))
    return bool(first) and (first[0].startswith(":") or all(map(_is_question, first)))


def load_analogies(path: str | Path) -> dict[str, list[Question]]:
    """Questions `a is to b as c is to d`, by section.

    Raises
    ------
    UnreadableSource : names the line that is none
    """
    path = Path(path).expanduser()
    sections: dict[str, list[Question]] = {}
    here = ""
    for number, line in enumerate(_lines(path), 1):
        if line.startswith(":"):
            here = line[1:].strip()
        elif line.strip() and not line.startswith("//"):
            words = line.split()
            if len(words) != 4:
                raise UnreadableSource(f"{path}:{number} is not four words")
            sections.setdefault(here, []).append((words[0], words[1], words[2], words[3]))
    if not sections:
        raise UnreadableSource(f"{path} holds no questions")
    return sections


def load_word_pairs(path: str | Path) -> list[WordPair]:
    """Pairs of words with a score: the first number behind the two words. A header and lines that begin with # are left out.

    Raises
    ------
    UnreadableSource : names the line that is none
    """
    path = Path(path).expanduser()
    pairs: list[WordPair] = []
    headed = False
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = _cells(line)
        score = next((value for value in map(number_in, cells[2:]) if value is not None), None)
        if score is not None and cells[0] and cells[1]:
            pairs.append(WordPair(cells[0], cells[1], score))
        elif pairs or headed:
            raise UnreadableSource(f"{path}:{number} is not two words and a score")
        headed = True
    if not pairs:
        raise UnreadableSource(f"{path} holds no pairs of words with a score")
    return pairs


def _cells(line: str) -> list[str]:
    between = next((mark for mark in ("\t", ";", ",") if mark in line), None)
    return [cell.strip().strip('"') for cell in line.strip().split(between)]


def _is_question(line: str) -> bool:
    words = line.split()
    return line.startswith(":") or (len(words) == 4 and all(number_in(word) is None for word in words))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{path} is not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}") from error
