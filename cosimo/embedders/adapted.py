"""Adapted: what the adapters of other packages share: prompts, each text once, checks of what comes back, their errors as ours.

An adapter says how its package is asked (`_ask`); how long the vectors of an unknown model are is learnt by asking for one.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..core import config, registry
from ..core.content import refuse_unread
from ..core.errors import BadReply, ConfigError, Error, MissingExtra, MissingKey, ProviderError
from ..core.types import Embedded, ModelSpec
from . import estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.types import Content, Role, Vectors

PROBE = "length"
_KEY = re.compile(  # not every token: texts are made of tokens, and tokenizers take them apart
    r"api[ _-]?key|(api|access|auth|hub|hf|bearer|security|session)[ _-]token|(invalid|missing|expired|no) token"
    r"|token\W+(is )?(missing|invalid|expired|required)|credential|unauthori[sz]ed|authenticat|\blog ?in\b",
    re.IGNORECASE,
)
_KNOWN = ("dim", "max_tokens", "prompts", "languages", "price")


@dataclass(slots=True)
class Facts:
    """What is known of a model before it is asked; `price` in US dollars for a million tokens."""

    dim: int | None = None
    max_tokens: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    price: float | None = None


class Adapted:
    """The base of an adapter.

    Parameters
    ----------
    name : by which collections know the model, prefix and all
    facts : what is known of it
    """

    modalities: tuple[str, ...] = ("text",)

    def __init__(self, name: str, facts: Facts | None = None) -> None:
        self._name = name
        self._facts = facts or Facts()

    def _ask(self, contents: Sequence[Content], role: Role) -> tuple[Any, int | None]:
        """(vectors of these contents in order, tokens read or None where nobody says); errors of any class."""
        raise NotImplementedError

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Of one that nobody has described, one word is embedded.

        Raises
        ------
        Error : as `embed`
        """
        facts = self._facts
        return ModelSpec(
            name=self._name,
            dim=facts.dim or self._asked([PROBE], "document")[0].shape[1],
            max_tokens=facts.max_tokens,
            prompts=dict(facts.prompts),
            modalities=self.modalities,
            languages=tuple(facts.languages),
            price=facts.price,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Unit vectors (n, dim) float32 in the order asked; the same content twice is asked for once.

        `tokens` are the package's count, or an estimate; `cut` are texts that by that estimate are longer than the window.

        Raises
        ------
        Error : whatever the package raises, in one sentence
        DataError : content of a kind that the model does not read
        """
        import numpy as np

        from ..core.vectors import normalise

        given = self._prepared(contents, role)
        if not given:
            return Embedded(np.empty((0, self.spec.dim), np.float32), 0, [])
        order = list(dict.fromkeys(given))
        vectors, tokens = self._asked(order, role)
        if vectors.shape[1] != self.spec.dim:
            raise BadReply(
                f"{self._name} gave vectors of length {vectors.shape[1]}, not {self.spec.dim}; has the model changed?"
            )
        normalise(vectors)
        sizes = self.count_tokens([each if isinstance(each, str) else "" for each in order])
        window = self._facts.max_tokens
        place = {content: number for number, content in enumerate(order)}
        rows = np.fromiter((place[content] for content in given), np.int64, len(given))
        cut = [position for position, row in enumerate(rows) if window is not None and sizes[row] > window]
        return Embedded(vectors[rows], sum(sizes) if tokens is None else tokens, cut)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An upper estimate for each text (see `estimate`), where the package does not say."""
        return estimate.tokens(texts)

    def close(self) -> None:
        """Nothing is held that the package does not hold itself."""

    def _prepared(self, contents: Sequence[Content], role: Role) -> list[Content]:
        prompt = self._facts.prompts.get(role, "")
        return [
            prompt + content if isinstance(content, str) and not content.startswith(prompt) else content
            for content in readable(contents, self._name, self.modalities)
        ]

    def _asked(self, contents: Sequence[Content], role: Role) -> tuple[Vectors, int | None]:
        """What the package gives, checked."""
        import numpy as np

        with translated(self._name):
            raw, tokens = self._ask(contents, role)
        try:
            vectors = np.array(raw, np.float32, order="C")
        except (TypeError, ValueError) as error:
            raise BadReply(f"{self._name} gave something else than vectors of one length") from error
        if vectors.ndim != 2 or len(vectors) != len(contents) or not vectors.shape[1]:
            raise BadReply(f"{self._name} gave {vectors.shape} for {len(contents)} texts instead of a vector each")
        if not np.isfinite(vectors).all():
            raise BadReply(f"{self._name} gave a vector with NaN or infinity; ask it again")
        return vectors, tokens


@contextmanager
def translated(name: str, *, building: bool = False) -> Iterator[None]:
    """Another package's exceptions as ours: what is missing with its pip line, keys as `MissingKey`."""
    try:
        yield
    except Error:
        raise
    except ImportError as error:
        raise _missing(name, error) from error
    except Exception as error:  # of any class: nobody can list those of a hundred packages
        said = " ".join(str(error).split())[:300] or type(error).__name__
        if _KEY.search(said):
            raise MissingKey(f"{name} wants a key or a sign-in, and none is set that it takes: {said}") from error
        kind: type[Error] = ConfigError if building else ProviderError
        raise kind(f"{name} cannot be used ({type(error).__name__}): {said}") from error


def _missing(name: str, error: ImportError) -> Error:
    """Its own sentence where the package writes one; else the package's name."""
    said = " ".join(str(error).split())
    if "pip install" in said:
        return MissingExtra(f"{name} needs a package that is not installed: {said[:300]}")
    return registry.missing(error.name) if error.name else ConfigError(f"{name} cannot be imported: {said[:300]}")


def table(adapter: str, name: str) -> dict[str, Any]:
    """What the user's own `providers.toml` says under `[adapter.name]`; nothing where it says nothing.

    Raises
    ------
    ConfigError : it is no table
    """
    found = config.own_providers().get(adapter, {})
    row = found.get(name, {}) if isinstance(found, dict) else None
    if not isinstance(row, dict) or not isinstance(row.get("arguments", {}), dict):
        raise ConfigError(f"{config.providers_path()}: [{adapter}.{name}] is no table of names and values; correct it")
    return dict(row)


def facts_of(row: Mapping[str, Any], adapter: str, name: str) -> Facts:
    """The facts in such a table.

    Raises
    ------
    ConfigError : one of another type
    """
    facts = Facts(**{key: row[key] for key in _KNOWN if key in row})
    numbers = all(value is None or (isinstance(value, int) and value > 0) for value in (facts.dim, facts.max_tokens))
    if not numbers or not isinstance(facts.prompts, dict) or not set(facts.prompts) <= {"query", "document"}:
        where = f"{config.providers_path()}: [{adapter}.{name}]"
        raise ConfigError(f"{where}: dim and max_tokens are numbers, prompts a table of query and document; correct it")
    return facts


def readable(contents: Sequence[Content], name: str, modalities: Sequence[str]) -> list[Content]:
    """The contents as a model can read them.

    Raises
    ------
    DataError : one of a kind that it does not read
    """
    refuse_unread(contents, name, modalities)
    return [whole(content) if isinstance(content, str) else content for content in contents]


def whole(text: str) -> str:
    """The text without halves of characters, which no package can send or read."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
