"""Readable: a definition of a program → the text of it that is embedded. Which form is best was measured, not guessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .definitions import Definition

LONGEST = 1_500  # characters: most models of text read 256 tokens, 800 characters of code; some 512
SPOKEN = {"cpp": "c++", "csharp": "c#"}
NUMBER = re.compile(r"#\d+$")  # of a second definition of a name; `Shop.#open` is JavaScript's
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")


def words(name: str) -> str:
    """A name as words: `HTTPServer.list_plugins` is `http server list plugins`."""
    bare = NUMBER.sub("", name)
    return " ".join(word.lower() for word in _WORD.findall(bare)) or bare


def readable(definition: Definition, language: str, longest: int = LONGEST) -> str:
    """What is embedded of a definition: language and name as words, what is said above it, the code with its docstring.

    The code stays as it is written, for that is how models have seen it: without punctuation, with `listPlugins` in two words,
    or with the docstring first, nDCG@10 on CoSQA is lower by 0.005 to 0.04 (docs/decisions/0010-code.md). Nothing of where it
    stands is in it: what moves keeps its vector.
    """
    head = f"{SPOKEN.get(language, language)} {words(definition.name)}"
    above = "" if definition.inside else definition.doc
    return "\n".join(part for part in (head, above, definition.code) if part)[:longest].rstrip()
