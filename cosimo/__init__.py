"""cosimo: embeddings in one SQLite file. The front door: the public names, loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collection.collection import Collection
    from .collection.database import embed, open, read
    from .core.errors import Error
    from .core.filters import F
    from .core.store import Store
    from .core.types import Document, Embedder, Hit, Recording

__version__ = "0.1.0"
__all__ = ["Collection", "Document", "Embedder", "Error", "F", "Hit", "Recording", "Store", "embed", "open", "read"]

_HOMES = {
    "Collection": "collection.collection",
    "embed": "collection.database", "open": "collection.database", "read": "collection.database",
    "Document": "core.types", "Embedder": "core.types", "Hit": "core.types", "Recording": "core.types", "Store": "core.store",
    "Error": "core.errors", "F": "core.filters",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562): `import cosimo` itself costs a few milliseconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cosimo' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
