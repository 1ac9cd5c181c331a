"""Vocabulary: token ids of OpenAI's cl100k → text. Reads the file where it lies; fetches nothing, needs no tiktoken.

Clients as langchain-openai cut texts themselves and send token ids. They are turned back into the text, which the model reads
in its own way. The file is a list of lines, the bytes of a token in base64 and its number.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...core import config
from .replies import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # what tiktoken calls its copy: the SHA-1 of the address it is from
SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
SPECIAL = {  # beyond the file; https://github.com/openai/tiktoken, tiktoken_ext/openai_public.py
    100257: b"<|endoftext|>", 100258: b"<|fim_prefix|>", 100259: b"<|fim_middle|>", 100260: b"<|fim_suffix|>",
    100276: b"<|endofprompt|>",
}  # fmt: skip


class Vocabulary:
    """The tokens, read at the first use: 30 ms and 10 MB that few servers need."""

    def text(self, ids: Sequence[int], param: str) -> str:
        """The text of some ids. Half a character at a cut becomes U+FFFD.

        Raises
        ------
        BadRequest : an id that is none, or no vocabulary on this machine
        """
        tokens = self._tokens
        if tokens is None:
            raise BadRequest(
                "token ids need the vocabulary cl100k_base, which is not on this machine; send texts instead: "
                "in langchain-openai, OpenAIEmbeddings(check_embedding_ctx_length=False)",
                param, code="no_vocabulary",
            )  # fmt: skip
        try:
            return b"".join([tokens[number] for number in ids]).decode("utf-8", "replace")
        except KeyError as error:
            raise BadRequest(f"{param} holds the token id {error}, which cl100k_base does not have", param) from error

    @cached_property
    def _tokens(self) -> dict[int, bytes] | None:
        for path in _places():
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() == SHA256:
                pairs = (line.split() for line in data.splitlines())
                return {int(number): b64decode(token) for token, number in pairs} | SPECIAL
        return None


def _places() -> Iterator[Path]:
    """Where tiktoken keeps its copy, and where LiteLLM's package holds one."""
    yield from (folder / NAME for folder in config.tiktoken_folders())
    try:
        found = find_spec("litellm")  # looks for the package, imports none of it
    except (ImportError, ValueError):
        found = None
    for folder in found.submodule_search_locations or () if found else ():
        yield Path(folder) / "litellm_core_utils" / "tokenizers" / NAME
