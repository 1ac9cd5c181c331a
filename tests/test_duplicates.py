"""Near-duplicates and outliers of a whole collection: what all pairs would give, from little of the work."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import cosimo
from cosimo.core.errors import DataError, NotFound
from cosimo.interfaces.cli import cli
from cosimo.verbs import duplicates as room
from cosimo.verbs.duplicates import duplicates
from cosimo.verbs.whole import Whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosimo.collection.database import Database
    from cosimo.core.types import Vectors


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with cosimo.open(tmp_path / "notes.db") as opened:
        yield opened


def whole_of(vectors: Vectors) -> Whole:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Whole([f"{n:05}" for n in range(len(unit))], np.arange(len(unit)), unit.astype(np.float32), 1, 0)


def flocks(n: int, dim: int, spread: float, seed: int) -> Vectors:
    """Vectors around n // 4 centres, and some exact copies."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((n // 4, dim))
    made = centres[random.integers(0, len(centres), n)] + spread * random.standard_normal((n, dim))
    made[n // 2 : n // 2 + 20] = made[:20]
    return made.astype(np.float32)


def all_pairs(vectors: Vectors, threshold: float) -> np.ndarray:
    near = vectors.astype(np.float64) @ vectors.T.astype(np.float64) >= threshold
    np.fill_diagonal(near, val=False)
    return near


@pytest.mark.parametrize(("n", "dim", "spread"), [(300, 16, 0.1), (1_500, 64, 0.2), (2_500, 48, 0.15)])
@pytest.mark.parametrize("threshold", [0.9, 0.95, 0.999])
def test_without_the_others_no_pair_is_left_and_each_of_them_is_like_its_first(
    n: int, dim: int, spread: float, threshold: float
) -> None:
    made = whole_of(flocks(n, dim, spread, seed=n))
    near = all_pairs(made.vectors, threshold)
    groups = duplicates(made, threshold)
    assert groups
    others = [int(other.id) for group in groups for other in group.others]
    firsts = [int(group.id) for group in groups]
    assert len(set(others) | set(firsts)) == len(others) + len(firsts), "an item in two groups"
    for group in groups:
        assert all(near[int(group.id), int(other.id)] for other in group.others)
        for other in group.others:
            assert other.score == pytest.approx(made.vectors[int(group.id)] @ made.vectors[int(other.id)], abs=2e-6)
        assert all(a.score >= b.score for a, b in pairwise(group.others))
    kept = np.setdiff1d(np.arange(n), others)
    assert not near[np.ix_(kept, kept)].any()
    assert [len(group.others) for group in groups] == sorted((len(group.others) for group in groups), reverse=True)


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.97])
def test_no_pair_escapes_the_bound(threshold: float) -> None:
    made = whole_of(np.unique(flocks(2_200, 64, 0.2, seed=5), axis=0))
    counted = room._alike(made.vectors, np.ones(len(made), np.int64), threshold, lambda _: None)
    assert np.array_equal(counted, all_pairs(made.vectors, threshold).sum(axis=1))


def test_a_thousand_copies_are_one_group_and_the_earliest_is_its_first() -> None:
    vectors = np.concatenate([np.eye(8, dtype=np.float32)[:3], np.tile(np.eye(8, dtype=np.float32)[5], (1_000, 1))])
    (group,) = duplicates(whole_of(vectors), 1.0)
    assert group.id == "00003"
    assert [other.id for other in group.others] == [f"{n:05}" for n in range(4, 1_003)]
    assert {other.score for other in group.others} == {1.0}


def test_the_ends_of_a_chain_are_not_called_alike() -> None:
    angles = np.deg2rad([0, 15, 30, 45])  # neighbours have a cosine of 0.966, next but one 0.866
    (group,) = duplicates(whole_of(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)), 0.95)
    assert (group.id, {other.id for other in group.others}) == ("00001", {"00000", "00002"})


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows_and_rows_of_zeros_are_no_error(db: Database, count: int) -> None:
    notes = db.collection("notes", model=None)
    notes.add_vectors(["zero", "also zero"], np.zeros((2, 4)))
    if count:
        notes.add_vectors([str(n) for n in range(count)], np.eye(4)[:1].repeat(count, axis=0))
    assert [(group.id, [near.id for near in group.others]) for group in notes.duplicates()] == [("0", ["1"])][: count // 2]
    if count < 2:
        with pytest.raises(DataError, match=f"finding outliers needs at least 2 items with a vector, and there .+ {count}"):
            notes.outliers()
    else:
        assert {(outlier.id, outlier.score) for outlier in notes.outliers()} == {("0", 1.0), ("1", 1.0)}


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan"), "0.9", None])
def test_a_threshold_that_is_none_is_refused(db: Database, threshold: Any) -> None:
    notes = db.collection("notes", model=None)
    notes.add_vectors(["a", "b"], np.eye(2))
    with pytest.raises(DataError, match=r"above 0 and up to 1, not .+; 0\.95 is a start"):
        notes.duplicates(threshold)


def test_outliers_are_those_of_brute_force_and_a_filter_chooses_who_is_named_not_who_is_near(db: Database) -> None:
    vectors = flocks(400, 16, 0.3, seed=3)
    notes = db.collection("notes", model=None)
    notes.add_vectors([f"{n:03}" for n in range(400)], vectors, metadata=[{"n": n} for n in range(400)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -2)
    means = np.sort(scores, axis=1)[:, -5:].mean(axis=1)
    expected = [f"{n:03}" for n in np.argsort(means)]
    found = notes.outliers(7, neighbours=5)
    assert [outlier.id for outlier in found] == expected[:7]
    assert [outlier.score for outlier in found] == pytest.approx(np.sort(means)[:7], abs=1e-5)
    assert [outlier.nearest for outlier in found] == [f"{scores[int(o.id)].argmax():03}" for o in found]
    even = [id for id in expected if int(id) < 200]
    assert [outlier.id for outlier in notes.outliers(5, neighbours=5, where="n < 200")] == even[:5]
    assert [outlier.id for outlier in notes.outliers(5, neighbours=5, where="n < 200", prefix="1")] == [
        id for id in even if id.startswith("1")
    ][:5]


def test_outliers_are_measured_by_cosine_whatever_the_index_is_by(db: Database) -> None:
    notes = db.collection("notes", model=None)
    notes.add_vectors([str(n) for n in range(50)], 3 * flocks(50, 8, 0.2, seed=8))
    before = notes.outliers(3, neighbours=49)
    notes.index("flat", "l2")
    assert notes.outliers(3, neighbours=49) == before


def test_the_commands_print_lines_of_json_and_refuse_in_one_sentence(db: Database, tmp_path: Path) -> None:
    notes = db.collection("notes", model="fake:64")
    texts = {"a": "bake bread in an oven", "b": "bake bread in an oven", "c": "the moon is far away, and cold"}
    notes.add(cosimo.Document(id, text) for id, text in texts.items())
    file = str(tmp_path / "notes.db")
    run = CliRunner().invoke(cli, ["duplicates", "notes", "-d", file])
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"id": "a", "count": 2, "others": [{"id": "b", "score": 1.0}]}
    ]
    run = CliRunner().invoke(cli, ["outliers", "notes", "-n", "1", "--neighbours", "1", "-d", file])
    assert json.loads(run.stdout)["id"] == "c"
    with pytest.raises(NotFound, match="no collection 'nots'"):
        db.collection("nots").duplicates()
    for neighbours in (0, -1, "2", 2.5):
        with pytest.raises(DataError, match="neighbours must be 1 or more"):
            notes.outliers(neighbours=neighbours)  # type: ignore[arg-type]


def test_more_neighbours_than_there_are_items_are_all_of_them_a_few_items_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosimo.verbs import outliers

    notes = db.collection("notes", model=None)
    notes.add_vectors([f"{n:03}" for n in range(80)], flocks(80, 8, 0.3, seed=6))
    expected = notes.outliers(5, neighbours=79)
    monkeypatch.setattr(outliers, "FOUND", 200)
    assert notes.outliers(5, neighbours=10**9) == expected


def test_the_ids_of_a_pipe_reach_delete_whole(db: Database, tmp_path: Path) -> None:
    notes = db.collection("notes", model="fake:8")
    notes.add(cosimo.Document(id, "the same") for id in ("a first one.md", "my notes.md", 'O\'Brien "x".md', "-d"))
    notes.add([cosimo.Document("my", "another"), cosimo.Document("notes.md", "a third")])
    found = CliRunner().invoke(cli, ["duplicates", "--help"]).stdout
    line = next(line.strip() for line in found.splitlines() if "| jq" in line)
    shell, jq = shutil.which("sh"), shutil.which("jq")
    if shell is None or jq is None:
        pytest.skip("needs a shell and jq")
    command = line.replace("cosimo", f"{shlex.quote(sys.executable)} -m cosimo")
    env = os.environ | {"COSIMO_DB": str(tmp_path / "notes.db")}
    done = subprocess.run([shell, "-c", command], env=env, capture_output=True, text=True, check=False)
    assert "3 deleted" in done.stderr, done.stderr
    assert {row.id for row in notes.rows()} == {"a first one.md", "my", "notes.md"}


def test_routes_give_what_python_gives(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra server")
    from serving import running

    with cosimo.open(tmp_path / "served.db") as db:
        notes = db.collection("notes", model="fake:64")
        notes.add(
            cosimo.Document(id, text, {"n": len(id)}) for id, text in (("a", "the same"), ("bb", "the same"), ("c", "other"))
        )
        expected = notes.duplicates(0.9)
    with running(database=tmp_path / "served.db") as server:
        groups = server.post("/v1/collections/notes/duplicates", {"threshold": 0.9}).json()["groups"]
        assert [(group["id"], [near["id"] for near in group["others"]]) for group in groups] == [("a", ["bb"])]
        assert groups[0]["others"][0]["score"] == expected[0].others[0].score
        assert server.post("/v1/collections/notes/duplicates", {"where": "n = 1"}).json() == {"groups": []}
        (outlier,) = server.post("/v1/collections/notes/outliers", {"k": 1, "neighbours": 1}).json()["outliers"]
        assert outlier["id"] == "c"
        refused = server.post("/v1/collections/notes/duplicates", {"threshold": 2})
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
