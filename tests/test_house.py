"""The house: imports go downstairs, files and functions stay small, the front door opens quickly and shows what it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cosimo

PACKAGE = Path(cosimo.__file__).parent
FLOORS = {
    "core": 1, "sources": 2, "embedders": 2, "llms": 2, "stores": 2, "indexes": 2, "verbs": 3, "collection": 4, "interfaces": 5,
    "testing": 5, "__init__": 6, "__main__": 6,
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    "httpx2", "openvino", "tokenizers", "huggingface_hub", "tqdm", "torch", "pyarrow", "charset_normalizer", "numpy",
    "pathspec",
)  # fmt: skip


def parts_of(path: Path) -> list[str]:
    return list(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of(parts: list[str]) -> str:
    return parts[1] if parts[0] == "interfaces" and len(parts) > 1 else parts[0]


def imports_of(path: Path) -> list[tuple[int, list[str]]]:
    """(line, dotted path inside the package) of every import of our own."""
    found, here = [], parts_of(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level]
            module = node.module.split(".") if node.module else []
            found += [(node.lineno, [*base, *module, alias.name]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cosimo":
            found += [(node.lineno, [*str(node.module).split(".")[1:], alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == "cosimo"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_downstairs_and_never_next_door(path: Path) -> None:
    here = parts_of(path)
    assert here[0] in FLOORS, f"{here[0]} is on no floor"
    for line, there in imports_of(path):
        if not there or there[0] not in FLOORS:
            continue
        up = FLOORS[there[0]] > FLOORS[here[0]]
        beside = FLOORS[there[0]] == FLOORS[here[0]] and room_of(there) != room_of(here) and room_of(here) != "cli"
        wrong = up or beside
        assert not wrong, f"{path.name}:{line} imports {'.'.join(there)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_files_and_functions_stay_small_and_say_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no door sign"
    assert text.count("\n") <= 400, "two rooms?"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 60, f"{node.name} is too long"


def test_modules_of_one_room_import_each_other_without_cycles() -> None:
    graph = {".".join(parts_of(path)): set() for path in FILES}
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # what runs at import; a lazy import is no cycle
            if isinstance(node, ast.ImportFrom) and node.level:
                base = parts_of(path)[: len(parts_of(path)) - node.level]
                module = node.module.split(".") if node.module else []
                targets = [".".join([*base, *module]), *(".".join([*base, *module, a.name]) for a in node.names)]
                graph[".".join(parts_of(path))].update(t for t in targets if t in graph)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_the_front_door_shows_exactly_what_it_names() -> None:
    assert sorted(cosimo.__all__) == dir(cosimo)
    for name in cosimo.__all__:
        assert getattr(cosimo, name).__doc__, f"{name} has no docstring"
    with pytest.raises(AttributeError):
        _ = cosimo.nothing_of_that_name


@pytest.mark.parametrize("module", ["cosimo", "cosimo.interfaces.cli"])
def test_importing_the_front_doors_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_config_reads_the_environment() -> None:
    readers = [
        path.name
        for path in FILES
        if "os.environ" in path.read_text(encoding="utf-8") or "getenv" in path.read_text(encoding="utf-8")
    ]
    assert readers == ["config.py"]


def test_public_functions_and_classes_document_themselves() -> None:
    silent = []
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []
