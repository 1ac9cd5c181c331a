"""A process that dies at any moment loses nothing it reported, damages nothing, and the next run does only the rest."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    for i in range(1_500):
        (folder / f"{i:04}.txt").write_text(f"Page {i} speaks of the number {i * 7919 % 1000} and of little else.\n")
    return folder


def command(folder: Path, database: Path) -> list[str]:
    return [
        sys.executable, "-m", "cosimo", "embed-multi", "pages", "--files", str(folder), "*.txt", "-m", "fake:256",
        "--store", "--progress", "json", "--batch-size", "10", "-d", str(database),
    ]  # fmt: skip


def stored(database: Path) -> int:
    if not database.exists():
        return 0
    with sqlite3.connect(database) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
        return connection.execute("select count(*) from embeddings").fetchone()[0] if "embeddings" in tables else 0


def lines(output: str) -> list[dict[str, int]]:
    return [json.loads(line) for line in output.splitlines() if line.endswith("}")]


def test_killed_twenty_times_every_committed_row_is_there_and_the_rest_follows(pages: Path, tmp_path: Path) -> None:
    database = tmp_path / "pages.db"
    dice = random.Random(5)
    began = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command(pages, database), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()  # it has begun; from here at any moment
        time.sleep(dice.uniform(0, 0.05))
        process.kill()
        reported = lines(first + process.stdout.read())
        process.wait()
        rows = stored(database)
        began += bool(reported)
        if reported:
            assert rows >= reported[-1]["committed"]
    before = stored(database)
    done = subprocess.run(command(pages, database), capture_output=True, text=True, check=True)
    last = lines(done.stdout)[-1]
    assert began >= KILLS // 2
    assert (last["added"], last["unchanged"]) == (1_500 - before, before)
    assert stored(database) == 1_500
