"""Docstrings: the documentation strings of Python's standard library as Documents. Reads its source, imports nothing of it."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

SKIPPED = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "site-packages", "dist-packages", "ensurepip", "__pycache__"}
SHORTEST = 30  # characters; "Return self." finds nothing


def standard_library(folder: Path | None = None) -> Iterator[Document]:
    """One Document a public module, class and function that documents itself.

    Ids are dotted names (`pathlib.Path.glob`); metadata holds `file` and `line`. A name defined twice keeps its first text.
    """
    root = folder or Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if SKIPPED.intersection(inside.parts) or any(part.startswith(("_", ".")) for part in inside.with_suffix("").parts[:-1]):
            continue
        for document in _documents(path, inside):
            if document.id not in seen:
                seen.add(document.id)
                yield document


def _documents(path: Path, inside: Path) -> Iterator[Document]:
    parts = inside.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if not module or module.rpartition(".")[2].startswith("_"):
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # old escapes in other people's source
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return  # a template or a half-installed file: the demo does without it
    for name, node in _definitions(tree, module):
        text = ast.get_docstring(node)
        if text and len(text) >= SHORTEST:
            line = getattr(node, "lineno", 1)
            yield Document(name, f"{name}\n{text}", {"file": inside.as_posix(), "line": line})


def _definitions(
    node: ast.AST, name: str
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield name, node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not child.name.startswith("_") and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _definitions(child, f"{name}.{child.name}")
        elif isinstance(child, ast.If | ast.Try):
            yield from _definitions(child, name)
