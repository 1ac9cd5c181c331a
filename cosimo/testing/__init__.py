"""Contract suites for authors of plug-ins: what a class must do to be an embedder or a store."""

from .embedders import check_embedder
from .stores import check_store

__all__ = ["check_embedder", "check_store"]
