"""A migration that dies at any moment: searches go on with the old model, what was embedded is kept, the swap is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cosimo
from cosimo import Document
from cosimo.embedders.fake import FakeEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from cosimo.core.types import Hit

KILLS, ROWS, BATCH = 10, 5_000, 50
# A run that is to be killed embeds this many batches and then waits for it: ten such runs never reach the swap.
BATCHES_A_RUN = ROWS // BATCH // KILLS - 1
QUERY = "the page that speaks of the number 123"

MIGRATE = f"""
import sys, time, cosimo
from cosimo.embedders.fake import FakeEmbedder

class Counting(FakeEmbedder):
    left = int(sys.argv[3])

    def embed(self, contents, *, role="document"):
        if not self.left:
            time.sleep(600)
        self.left -= 1
        log.write("".join(text + "\\n" for text in contents))
        log.flush()
        return super().embed(contents, role=role)

with open(sys.argv[2], "a") as log, cosimo.open(sys.argv[1]) as db:
    db._embedders["fake:96", None] = Counting("96")
    told = lambda done: print(done.committed, flush=True)
    done = db.collection("pages").migrate("fake:96", batch_size={BATCH}, progress=told)
    print("rows", done.rows, flush=True)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    database = tmp_path / "pages.db"
    with cosimo.open(database) as db:
        pages = db.collection("pages", model="fake:64")
        pages.add(
            (Document(f"{n:04}", f"Page {n} speaks of the number {n * 7919 % 1000} only.") for n in range(ROWS)),
            batch_size=1_000,
        )
    return database


def answers(database: Path) -> list[Hit]:
    """As a new process would get them."""
    with cosimo.open(database, read_only=True) as db:
        return db.collection("pages").search(QUERY, 5, mode="vector")


def test_killed_ten_times_the_old_model_answers_until_the_swap_and_no_text_is_embedded_again(
    database: Path, tmp_path: Path
) -> None:
    script, log, dice = tmp_path / "migrate.py", tmp_path / "embedded.txt", random.Random(7)
    script.write_text(MIGRATE)
    old, asked, committed = answers(database), 0, [0]
    start = [sys.executable, str(script), str(database), str(log)]
    whole_run = str(ROWS // BATCH + 1)
    with cosimo.open(database, read_only=True) as db:
        pages = db.collection("pages")
        for _ in range(KILLS):
            process = subprocess.Popen([*start, str(BATCHES_A_RUN)], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            until = time.monotonic() + dice.uniform(0, 0.1)
            while time.monotonic() < until:
                assert pages.search(QUERY, 5, mode="vector") == old
                asked += 1
            process.kill()
            lines += process.stdout.readlines()
            process.wait()
            assert "rows" not in "".join(lines)
            assert answers(database) == old
            told = [int(line) for line in lines if line.endswith("\n")]
            assert told[0] > committed[-1] or told[0] == committed[-1] + BATCH  # it went on
            committed.append(told[-1])
        last = subprocess.run([*start, whole_run], stdout=subprocess.PIPE, text=True, check=True)
        assert last.stdout.splitlines()[-1] == f"rows {ROWS}"
        new = answers(database)
        assert new != old
        assert pages.search(QUERY, 5, mode="vector") == new  # a process that was there all the time
    embedded = log.read_text().splitlines()
    assert asked > KILLS
    assert len(set(embedded)) == ROWS
    assert len(embedded) <= ROWS + KILLS * BATCH  # what was in work when it was killed, and nothing else
    with cosimo.open(database) as db:
        assert db.check() == []
        for row in db.collection("pages").rows():
            assert np.array_equal(row.vector, FakeEmbedder("96").embed([row.content or ""]).vectors[0])
    print(f"{asked} answers meanwhile; {len(embedded) - ROWS} texts of unfinished batches again")


DIE = """
import os, sys, cosimo
from cosimo.stores import catalog

catalog.remember = lambda *_: os._exit(9)  # vectors are in place by then, the name of the model is not
with cosimo.open(sys.argv[1]) as db:
    db.collection("pages").migrate("fake:96")
"""


def test_dying_in_the_middle_of_the_swap_leaves_all_as_it_was_and_embeds_nothing_again(database: Path, tmp_path: Path) -> None:
    script, old = tmp_path / "die.py", answers(database)
    script.write_text(DIE)
    assert subprocess.run([sys.executable, str(script), str(database)]).returncode == 9
    assert answers(database) == old
    with cosimo.open(database) as db:
        assert db.check() == []
        done = db.collection("pages").migrate("fake:96")
    assert (done.committed, done.embedded, done.rows) == (ROWS, 0, ROWS)
