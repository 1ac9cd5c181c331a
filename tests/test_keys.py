"""Account keys: kept for their owner alone, found where they may be, shown nowhere."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cosimo.core import config, keys
from cosimo.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "sk-proj-0123456789"


def cosimo(*arguments: str, home: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cosimo", *arguments], input=given, capture_output=True, text=True, check=False,
        env={**os.environ, "COSIMO_HOME": str(home)},
    )  # fmt: skip


def test_a_key_is_kept_found_listed_and_deleted(home: Path) -> None:
    keys.keep("openai", SECRET)
    keys.keep("gpu-box:8000", "other")
    assert keys.find("openai") == SECRET
    assert keys.names() == ["gpu-box:8000", "openai"]
    keys.forget("openai")
    assert keys.find("openai") is None
    assert keys.names() == ["gpu-box:8000"]
    with pytest.raises(ConfigError, match="no key 'openai'"):
        keys.forget("openai")


@pytest.mark.skipif(os.name == "nt", reason="modes mean nothing on Windows")
def test_the_file_is_its_owners_alone_from_the_start_and_again_after_each_change(home: Path) -> None:
    before = os.umask(0)
    try:
        keys.keep("openai", SECRET)
        path = config.keys_path()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.chmod(0o644)
        keys.keep("voyage", "other")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_the_file_stays_a_link(home: Path, tmp_path: Path) -> None:
    path = config.keys_path()
    path.parent.mkdir(parents=True)
    (tmp_path / "dotfiles.json").write_text("{}")
    path.symlink_to(tmp_path / "dotfiles.json")
    keys.keep("openai", SECRET)
    assert path.is_symlink()
    assert SECRET in (tmp_path / "dotfiles.json").read_text()


def test_the_environment_goes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.keep("gpu-box:8000", "from-file")
    assert keys.find("gpu-box:8000", ["GPU_KEY"]) == "from-file"
    monkeypatch.setenv("COSIMO_KEY_GPU_BOX_8000", "from-own-variable")
    assert keys.find("gpu-box:8000", ["GPU_KEY"]) == "from-own-variable"
    monkeypatch.setenv("GPU_KEY", "from-variable")
    assert keys.find("gpu-box:8000", ["GPU_KEY"]) == "from-variable"
    monkeypatch.setenv("GPU_KEY", "")
    assert keys.find("gpu-box:8000", ["GPU_KEY"]) == "from-own-variable"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "empty"),
        (f"{SECRET}\n", "line break"),
        (f"{SECRET}\r\nX-Other: 1", "line break"),
        (f"{SECRET} ", "a space"),
        (f"{SECRET}\t", "a space"),
        (f"{SECRET}\x00", "another character"),
        (f"{SECRET}é", "another character"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_without_repeating_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        keys.keep("openai", key)
    assert SECRET not in str(caught.value)
    assert keys.names() == []
    if key and "\x00" not in key:
        monkeypatch.setenv("SOME_KEY", key)
        with pytest.raises(ConfigError, match=f"SOME_KEY holds .*{said.split()[-1]}") as caught:
            keys.find("openai", ["SOME_KEY"])
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "//note", "a\nb", " openai"])
def test_a_name_that_cannot_be_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no name for a key"):
        keys.keep(name, SECRET)


@pytest.mark.parametrize("text", ["{", "[]", '{"openai": 5}', f'{{"openai": "{SECRET}"', "\x00", "[" * 100_000])
def test_a_damaged_file_is_one_sentence_that_quotes_nothing(home: Path, text: str) -> None:
    path = config.keys_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a file of keys") as caught:
        keys.names()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_files_of_llm_are_understood(home: Path) -> None:
    path = config.keys_path()
    path.parent.mkdir(parents=True)
    path.write_text("\ufeff" + json.dumps({"// Note": "Do not share!", "openai": SECRET}), encoding="utf-8")
    assert keys.names() == ["openai"]
    assert keys.find("openai") == SECRET


def test_no_command_prints_a_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    outputs = [
        cosimo("keys", "set", "openai", given=SECRET + "\n", home=home),
        cosimo("keys", "set", "gpu-box:8000", "--value", SECRET, home=home),
        cosimo("keys", "set", "opena1", given=SECRET, home=home),
        cosimo("keys", home=home),
        cosimo("keys", "list", home=home),
        cosimo("keys", "path", home=home),
        cosimo("models", "providers", home=home),
        cosimo("models", "info", "openai:text-embedding-3-small", home=home),
        cosimo("keys", "delete", "opena1", home=home),
    ]
    assert [done.returncode for done in outputs] == [0] * len(outputs)
    assert outputs[4].stdout == "gpu-box:8000\nopena1\nopenai\n"
    assert "knows no provider 'opena1'" in outputs[2].stderr
    assert json.loads(outputs[7].stdout)["key"] == "set"
    assert all(SECRET not in done.stdout + done.stderr for done in outputs)


def test_a_key_of_two_lines_is_refused_at_the_door(tmp_path: Path) -> None:
    done = cosimo("keys", "set", "openai", given=f"{SECRET}\nmore\n", home=tmp_path)
    assert done.returncode == 1
    assert "line break" in done.stderr
    assert SECRET not in done.stderr


def test_a_missing_key_says_what_to_set(tmp_path: Path) -> None:
    done = cosimo("embed", "-c", "hello", "-m", "voyage:voyage-4", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: Voyage AI wants a key, and none is set; set VOYAGE_API_KEY, or run: cosimo keys set voyage"
    ]
