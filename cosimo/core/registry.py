"""Registry: a name → the class behind it. Knows adapters as strings; imports them, or says how to install, when asked."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import MissingExtra, ModelNotFound, StoreError

EMBEDDERS = {  # prefix of a model's name → class, called with the rest of the name
    "local": "cosimo.embedders.local:LocalEmbedder",
    "fake": "cosimo.embedders.fake:FakeEmbedder",
}
STORES = {  # scheme of a database's address → class, called with the address
    "sqlite": "cosimo.stores.sqlite:SQLiteStore",
}
EXTRAS = {  # package that an adapter imports → the extra that installs it
    "pyarrow": "parquet",
}
HUB_OWNER = "sentence-transformers"  # whose models the world writes without an owner


def load(target: str) -> Any:
    """The object behind `module:name`; a missing package names the pip line that brings it."""
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise missing(error.name or module) from error


def missing(package: str) -> MissingExtra:
    """The error for a package that is not installed."""
    root = package.partition(".")[0]
    line = f"pip install 'cosimo[{EXTRAS[root]}]'" if root in EXTRAS else f"pip install {root}"
    return MissingExtra(f"this needs the package {root}; run: {line}")


def canonical(name: str) -> str:
    """The id by which other programs know a model: `all-MiniLM-L6-v2` is `sentence-transformers/all-MiniLM-L6-v2`."""
    if "/" in name or ":" in name or "\\" in name or Path(name).is_dir():
        return name
    return f"{HUB_OWNER}/{name}"


def split(name: str) -> tuple[str, str]:
    """A model's name as (adapter, rest): `fake:256` → ("fake", "256"); names without a prefix are local models."""
    if not name.strip():
        raise ModelNotFound("the name of the model is empty; write one, or leave it out to get the default")
    prefix, colon, rest = name.partition(":")
    if colon and prefix in EMBEDDERS:
        return prefix, rest
    if colon and len(prefix) > 1 and not Path(name).exists() and "/" not in prefix:  # len 1: a Windows drive
        raise ModelNotFound(f"no kind of model is called '{prefix}:'; known kinds: {', '.join(sorted(EMBEDDERS))}")
    return "local", name


def embedder_class(name: str) -> tuple[Any, str]:
    """The class that runs a model, and the name to hand it."""
    adapter, rest = split(name)
    return load(EMBEDDERS[adapter]), rest


def store_class(address: str) -> Any:
    """The class that opens a database: a plain path is SQLite, `scheme://…` what the table above says."""
    scheme, found, _ = address.partition("://")
    if not found:
        scheme = "sqlite"
    if scheme not in STORES:
        raise StoreError(f"no store is called '{scheme}://'; known: {', '.join(sorted(STORES))} or a path to a file")
    return load(STORES[scheme])
