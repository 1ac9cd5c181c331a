"""Contract suites for authors of plug-ins: what a class must do to be an embedder, a store or a language model."""

from .embedders import check_embedder
from .llms import check_language_model
from .stores import check_store

__all__ = ["check_embedder", "check_language_model", "check_store"]
