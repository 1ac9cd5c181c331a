"""Registry: a name → the class behind it. Knows adapters as strings; imports them, or says how to install, when asked."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import config
from .errors import ConfigError, MissingExtra, ModelNotFound, StoreError

EMBEDDERS = {  # prefix of a model's name → class, called with the rest of the name
    "local": "cosimo.embedders.local:LocalEmbedder",
    "fake": "cosimo.embedders.fake:FakeEmbedder",
    "http": "cosimo.embedders.http:HTTPEmbedder",  # called with the whole name: an address, or a provider below
    "st": "cosimo.embedders.sentence_transformers:SentenceTransformersEmbedder",
    "clap": "cosimo.embedders.clap:ClapEmbedder",
    "openvino": "cosimo.embedders.openvino:OpenVINOEmbedder",
    "static": "cosimo.embedders.static:StaticEmbedder",
    "words": "cosimo.embedders.words:WordsEmbedder",
    "litellm": "cosimo.embedders.litellm:LiteLLMEmbedder",
    "langchain": "cosimo.embedders.langchain:LangChainEmbedder",
    "llm": "cosimo.embedders.llm:LLMEmbedder",
    "align": "cosimo.embedders.aligned:AlignedEmbedder",  # out of a database alone: collection/aligning.py
}
LANGUAGE_MODELS = {  # prefix of a language model's name → class, called with the rest of the name
    "llm": "cosimo.llms.llm:LLMModel",
    "fake": "cosimo.llms.fake:FakeModel",
}
GROUP = "cosimo.embedders"  # of entry points, by which other packages add a prefix and its class
LOCAL = frozenset({"local", "fake", "st", "static", "words", "openvino", "align", "clap"})  # here: no price, no network
TEXT_ALONE = frozenset({"fake", "http", "static", "words", "litellm", "langchain"})  # whose models read nothing else
PRECISE = frozenset({"local", "st", "openvino"})  # whose arithmetic can be chosen
HTTP = frozenset({  # the providers of embedders/providers.toml, which a test holds against it
    "azure", "baichuan", "cohere", "dashscope", "databricks", "deepinfra", "edenai", "fireworks", "gemini", "infinity", "jina",
    "llama.cpp", "llamafile", "lmstudio", "localai", "mistral", "nemo", "ollama", "openai", "openrouter", "qianfan",
    "sambanova", "siliconflow", "solar", "tei", "together", "vllm", "volcano", "voyage", "xinference", "zhipu",
})  # fmt: skip
SERVED = {  # the ids by which `llm` knows models of its own, and stores them → how they are spelled here
    "text-embedding-ada-002": "openai:text-embedding-ada-002",
    "text-embedding-3-small": "openai:text-embedding-3-small",
    "text-embedding-3-small-512": "openai:text-embedding-3-small@512",
    "text-embedding-3-large": "openai:text-embedding-3-large",
    "text-embedding-3-large-256": "openai:text-embedding-3-large@256",
    "text-embedding-3-large-1024": "openai:text-embedding-3-large@1024",
}
_IDS = {spelling: id for id, spelling in SERVED.items()}
STORES = {  # scheme of a database's address → class, called with the address
    "sqlite": "cosimo.stores.sqlite:SQLiteStore",
}
EXTRAS = {  # package that an adapter imports → the extra that installs it
    "pyarrow": "parquet",
    "fastapi": "server",
    "uvicorn": "server",
    "httptools": "server",
    "sentence_transformers": "st",
    "torch": "st",
    "transformers": "st",
    "PIL": "media",
    "pillow_heif": "media",
    "av": "media",
    "litellm": "litellm",
    "langchain_core": "langchain",
    "llm": "llm",
    "llama_index": "llama-index",
    "sklearn": "understand",
    "umap": "understand",
    "jieba": "understand",
    "matplotlib": "understand",
    "gensim": "words",
    "pypdfium2": "documents",
    "trafilatura": "documents",
    "lxml": "documents",
    "mammoth": "documents",
    **dict.fromkeys(
        (
            "tree_sitter", "tree_sitter_python", "tree_sitter_javascript", "tree_sitter_typescript", "tree_sitter_go",
            "tree_sitter_rust", "tree_sitter_java", "tree_sitter_c", "tree_sitter_cpp", "tree_sitter_ruby", "tree_sitter_php",
            "tree_sitter_c_sharp",
        ),
        "code",
    ),
}  # fmt: skip
HUB_OWNER = "sentence-transformers"  # whose models the world writes without an owner


def load(target: str) -> Any:
    """The object behind `module:name`.

    Raises
    ------
    MissingExtra : a package that is not installed; it names the pip line that brings it
    ConfigError : a package that is installed and cannot be imported
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise missing(error.name or module) from error
    except (
        ImportError,
        AttributeError,
        OSError,
    ) as error:  # of another version than it wants, or without a library of the system
        said = " ".join(str(error).split())[:200]
        root = module.partition(".")[0]
        raise ConfigError(f"{root} cannot be used as it is installed ({said}); run: {_line(root)} --upgrade") from error


def missing(package: str) -> MissingExtra:
    """The error for a package that is not installed."""
    root = package.partition(".")[0]
    return MissingExtra(f"this needs the package {root}; run: {_line(root)}")


def _line(root: str) -> str:
    return f"pip install 'cosimo[{EXTRAS[root]}]'" if root in EXTRAS else f"pip install {root}"


def canonical(name: str) -> str:
    """The id by which other programs know a model: `all-MiniLM-L6-v2` is `sentence-transformers/all-MiniLM-L6-v2`.

    One address has one spelling: `http://Host/#m` is `http://host/v1#m`.
    """
    if name in _IDS or name in SERVED:
        return _IDS.get(name, name)
    if name.startswith(("st:", "static:")):  # which runtime computes a model is no part of what it is
        return canonical(name.partition(":")[2])
    if name.startswith(("words:", "openvino:")):  # a file is one model from whatever folder it is named
        prefix, _, path = name.partition(":")
        return f"{prefix}:{Path(path).expanduser().absolute()}"
    if name.startswith("clap:") and (folder := Path(name.removeprefix("clap:")).expanduser()).is_dir():
        return f"clap:{folder.absolute()}"
    if name.startswith(("http://", "https://")):
        return _canonical_address(name)
    if "/" in name or ":" in name or "\\" in name or Path(name).is_dir():
        return name
    return f"{HUB_OWNER}/{name}"


def _canonical_address(name: str) -> str:
    address, mark, model = name.partition("#")
    try:
        parts = urlsplit(address)
        default = parts.port in (80 if parts.scheme == "http" else 443, None)
    except ValueError:  # not an address: whoever goes there says so
        return name
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    path = parts.path.rstrip("/").removesuffix("/embeddings") or "/v1"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{'' if default else f':{parts.port}'}{path}{query}{mark}{model}"


def split(name: str) -> tuple[str, str]:
    """A model's name as (adapter, rest): `fake:256` → ("fake", "256"); names without a prefix are local models.

    What is on a server keeps its whole name: ("http", "openai:text-embedding-3-small").
    """
    if not name.strip():
        raise ModelNotFound("the name of the model is empty; write one, or leave it out to get the default")
    prefix, colon, rest = name.partition(":")
    if name in SERVED or name.startswith(("http://", "https://")) or (colon and prefix in HTTP):
        return "http", name
    if colon and prefix in EMBEDDERS:
        return prefix, rest
    if colon and prefix in _plugged_in():
        return prefix, rest
    if colon and any(row.get("name") == prefix for row in config.own_providers().get("provider", ())):
        return "http", name
    if colon and len(prefix) > 1 and not Path(name).exists() and "/" not in prefix:  # len 1: a Windows drive
        raise ModelNotFound(
            f"no kind of model is called '{prefix}:'; known kinds: {', '.join(sorted({*EMBEDDERS, *HTTP, *_plugged_in()}))}"
        )
    return "local", name


def is_kept(model: str | None) -> bool:
    """True for an alignment, `align:NAME`: a model that a database keeps, and that its database alone can load."""
    return model is not None and model.startswith("align:")


def embedder_class(name: str) -> tuple[Any, str]:
    """The class that runs a model, and the name to hand it."""
    adapter, rest = split(name)
    return embedder(adapter), rest


def embedder(adapter: str) -> Any:
    """The class behind a prefix, our own or of a package that says so in its entry points.

    Raises
    ------
    MissingExtra : it imports a package that is not installed
    """
    return load(EMBEDDERS[adapter] if adapter in EMBEDDERS else _plugged_in()[adapter])


def _plugged_in() -> dict[str, str]:
    """Prefix → `module:name`, of the packages installed beside ours. No name of ours can be taken."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP) if point.name not in {*EMBEDDERS, *HTTP}}


def language_model(name: str) -> Any:
    """The language model of this name: `llm:…`, `openai:…` and other providers, an address; a bare name is one of `llm`'s.

    Raises
    ------
    ModelNotFound : no such model or provider
    MissingExtra, MissingKey, ConfigError : something it needs is not here
    """
    prefix, colon, rest = name.strip().partition(":")
    if not name.strip():
        raise ModelNotFound("the name of the language model is empty; write one, such as ollama:qwen3 or llm:gpt-4o-mini")
    if colon and prefix in LANGUAGE_MODELS:
        return load(LANGUAGE_MODELS[prefix])(rest)
    if not colon:
        return load(LANGUAGE_MODELS["llm"])(name.strip())
    return load("cosimo.llms.http:HTTPModel")(name.strip())


def store_class(address: str) -> Any:
    """The class that opens a database: a plain path is SQLite, `scheme://…` what the table above says."""
    scheme, found, _ = address.partition("://")
    if not found:
        scheme = "sqlite"
    if scheme not in STORES:
        raise StoreError(f"no store is called '{scheme}://'; known: {', '.join(sorted(STORES))} or a path to a file")
    return load(STORES[scheme])
