"""LangChain: any of its `Embeddings` classes → an embedder: `langchain:langchain_openai.OpenAIEmbeddings`.

A model's name may come out of somebody else's database, and importing a module runs it. So a name alone reaches LangChain's own
packages and nothing else; any other class, and any arguments, the user writes into `providers.toml`:

    [langchain.ours]
    class = "our_package.OurEmbeddings"
    arguments = { region = "eu" }
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core import config
from ..core.errors import ModelNotFound
from .adapted import Adapted, facts_of, table, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.types import Content, Role

_PACKAGES = re.compile(r"langchain(_[a-z0-9]+)*|[a-z0-9]+_langchain")  # databricks_langchain is one
_KEY = re.compile(r"[A-Za-z0-9_-]+")  # of TOML, as it is written without quotes
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


class LangChainEmbedder(Adapted):
    """A class of LangChain's.

    Parameters
    ----------
    name : `package.Class`, or the name of a table `[langchain.NAME]` with `class`, `arguments`, and what is known of the model:
        `dim`, `max_tokens`, `prompts`, `languages`, `price`

    Raises
    ------
    ModelNotFound : no such class, or one that a name alone may not reach
    MissingExtra : a package that is not installed
    MissingKey, ConfigError : the class cannot be built
    """

    def __init__(self, name: str) -> None:
        row = table("langchain", name)
        super().__init__(f"langchain:{name}", facts_of(row, "langchain", name))
        kind = _class(row.get("class", name), allowed=bool(row), name=name)
        with translated(self._name, building=True):
            self._embeddings = kind(**row.get("arguments", {}))

    def _ask(self, contents: Sequence[Content], role: Role) -> tuple[Any, int | None]:
        if role == "query":
            return [self._embeddings.embed_query(text) for text in contents], None
        return self._embeddings.embed_documents(list(contents)), None


def _class(path: Any, *, allowed: bool, name: str) -> Any:
    """The class behind `package.Class`, looked at before it is built."""
    where = f"[langchain.{name}]" if _KEY.fullmatch(name) else "[langchain.NAME]"
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ModelNotFound(
            f"'langchain:{name}' is neither package.Class nor a table {where} with a class in {config.providers_path()}"
        )
    root = path.partition(".")[0]
    if not allowed and not _PACKAGES.fullmatch(root):
        raise ModelNotFound(
            f"{root} is not one of LangChain's packages, which alone a model's name may import; "
            f"if you trust it, name the class in {config.providers_path()} under {where}"
        )
    module, _, attribute = path.rpartition(".")
    with translated(f"langchain:{name}", building=True):
        from langchain_core.embeddings import Embeddings

        kind = getattr(import_module(module), attribute, None)
    if not isinstance(kind, type) or not issubclass(kind, Embeddings):
        raise ModelNotFound(f"{path} is no Embeddings class of LangChain; look up its name there")
    return kind
