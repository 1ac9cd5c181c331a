"""Indexes on disk: opened, damaged in every way, repaired, merged, written by several; and the choice between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cosimo.core.errors import DataError, MissingExtra
from cosimo.core.types import Change
from cosimo.core.units import documents_of, places_of, units_of
from cosimo.indexes import choose, codes, files, recall
from cosimo.indexes.files import Made
from cosimo.indexes.kept import WORTH, Kept
from cosimo.indexes.rows import DamagedIndex, Rows, sums_of
from cosimo.testing.indexes import Model, agrees, vectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cosimo.indexes.approximate import Approximate
    from cosimo.indexes.flat import FlatIndex

pytest.importorskip("faiss")

MADE = Made("fake:32", 32)
MARK = "of these rows"
NONE = np.empty(0, np.int64)
ROWS = 3_000
QUERIES = vectors(5, 1)


class Table:
    """The smallest store there is: a version, rows, and what changed when. Fulfils `kept.Source`."""

    writable = True
    inside = False

    def __init__(self, rows: np.ndarray) -> None:
        self.lock, self.known = RLock(), {MARK}
        self.rows = dict(enumerate(rows))
        self.changed = dict.fromkeys(self.rows, 1)
        self.version, self.full_reads = 1, 0

    def put(self, document: int, vector: np.ndarray | None) -> None:
        self.version += 1
        self.changed[document] = self.version
        if vector is None:
            del self.rows[document]
        else:
            self.rows[document] = vector

    def changes(self, since: int | None) -> Change:
        self.full_reads += since is None
        touched = [d for d, at in self.changed.items() if since is None or at > since]
        here = [d for d in touched if d in self.rows]
        gone = [] if since is None else [d for d in touched if d not in self.rows]
        found = np.array([self.rows[d] for d in here], np.float32).reshape(-1, 32)
        return Change(self.version, since is None, units_of(here), found, units_of(gone))

    def snapshot(self) -> RLock:
        return self.lock

    def marks(self) -> set[str]:
        return self.known

    def mark(self, version: int) -> str | None:
        mark = f"{version}, number {len(self.known)}"
        self.known.add(mark)
        return mark

    def model(self) -> Model:
        return Model(units_of(list(self.rows)), np.array(list(self.rows.values()), np.float32))


class Asked(Kept):
    """An index as the hall asks it."""

    def search(self, *given: Any, **options: Any) -> Any:
        self.ready()
        with self._source.snapshot():
            self.current()
            answer = super().search(*given, **options)
        if self.damaged:
            self.ready()
        return answer

    def now(self) -> FlatIndex | Approximate:
        self.ready()
        return self.current()


@pytest.fixture
def table() -> Table:
    return Table(vectors(ROWS))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def opened(table: Table, tmp_path: Path, said: list[str]) -> Callable[..., Kept]:
    """Opens the collection's index as a new process would."""

    def make(made: Made = MADE, **options: object) -> Kept:
        return Asked(table, tmp_path / "n.db-cosimo", "c1", made, warn=said.append, **{"kind": "scan", **options})

    return make


@pytest.fixture
def data_file(opened: Callable[..., Kept], tmp_path: Path) -> Path:
    """The data file of an index that has been built."""
    opened().now()
    [path] = (tmp_path / "n.db-cosimo").glob("*.idx")
    return path


def manifest_of(data_file: Path) -> Path:
    return data_file.parent / "c1.json"


def edited(path: Path, at: int, flip: int = 0x10) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= flip
    path.write_bytes(raw)


def with_manifest(path: Path, **changes: object) -> None:
    manifest = json.loads(manifest_of(path).read_bytes())["index"]
    manifest_of(path).write_bytes(files._signed(manifest | changes))


def section(path: Path, name: str) -> tuple[int, int]:
    """Where an array starts in a data file, and how many bytes it has."""
    found = json.loads(manifest_of(path).read_bytes())["index"]["sections"][name]
    return found["at"], int(np.prod(found["shape"])) * np.dtype(found["dtype"]).itemsize


def start(path: Path, name: str) -> int:
    return section(path, name)[0]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "data file is empty": lambda path: path.write_bytes(b""),
    "data file ends in its first page": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "data file ends within the codes": lambda path: os.truncate(path, start(path, "part codes") + 50),
    "data file lacks its last byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "data file is longer": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 100),
    "data file is gone": lambda path: path.unlink(),
    "data file is another program's": lambda path: path.write_bytes(b"SQLite format 3\0" + path.read_bytes()[16:]),
    "data file is all zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "data file is a folder": lambda path: (path.unlink(), path.mkdir()),
    "data file is another version's": lambda path: edited(path, 30),
    "byte order is the other one": lambda path: path.write_bytes(
        path.read_bytes()[:20] + path.read_bytes()[20:24][::-1] + path.read_bytes()[24:]
    ),
    "a bit of the numbers": lambda path: edited(path, start(path, "numbers") + 1001),
    "a bit of the sums": lambda path: edited(path, start(path, "sums") + 17),
    "a bit of the codes": lambda path: edited(path, start(path, "part codes") + 2_345),
    "the last byte of the codes": lambda path: edited(path, sum(section(path, "part codes")) - 1, 0x80),
    "a bit of the levels": lambda path: edited(path, start(path, "part levels") + 3, 1),
    "every vector": lambda path: path.write_bytes(
        path.read_bytes()[: start(path, "matrix")] + os.urandom(section(path, "matrix")[1])
    ),
    "every vector is zero": lambda path: path.write_bytes(
        path.read_bytes()[: start(path, "matrix")] + bytes(section(path, "matrix")[1])
    ),
    "manifest is empty": lambda path: manifest_of(path).write_bytes(b""),
    "manifest is half": lambda path: os.truncate(manifest_of(path), 200),
    "manifest is no JSON": lambda path: manifest_of(path).write_bytes(b"\xff\xfe\0"),
    "manifest is other JSON": lambda path: manifest_of(path).write_text("[1, 2]"),
    "manifest has another number": lambda path: manifest_of(path).write_text(
        manifest_of(path).read_text().replace('"version": 1', '"version": 0')
    ),
    "manifest is of a newer format": lambda path: with_manifest(path, format=2),
    "manifest names a kind there is not": lambda path: with_manifest(path, kind="tree"),
    "manifest lacks its arrays": lambda path: with_manifest(path, sections={}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_costs_one_warning_and_a_rebuild(
    damage: str, data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    DAMAGE[damage](data_file)
    agrees(opened(), table.model(), QUERIES)
    assert len(said) == 1
    assert "\n" not in said[0]
    assert "built again" in said[0] or "are not what was written" in said[0]
    said.clear()
    reads = table.full_reads
    agrees(opened(), table.model(), QUERIES)
    assert (said, table.full_reads) == ([], reads), "the rebuilt file is not good"


@pytest.mark.parametrize("kind", ["graph", "lists"])
@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_flipped_bit_in_what_faiss_reads_never_gets_there(
    kind: str, place: float, opened: Callable[..., Kept], table: Table, said: list[str], tmp_path: Path
) -> None:
    opened(kind=kind).now()
    [path] = (tmp_path / "n.db-cosimo").glob("*.idx")
    at, size = section(path, f"part {kind}")
    edited(path, at + int(place * size))
    agrees(opened(kind=kind), table.model(), QUERIES)
    assert len(said) == 1


def test_one_flipped_bit_of_one_vector_is_noticed_when_it_is_needed(
    data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    best = int(table.model().search(QUERIES[0], 1)[0][0]) >> 20
    edited(data_file, start(data_file, "matrix") + 128 * best + 70, 0x01)
    agrees(opened(), table.model(), QUERIES)
    assert len(said) == 1


@pytest.mark.parametrize("other", ["model", "database"])
def test_an_index_of_something_else_is_built_again_without_a_word(
    other: str, data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    reads = table.full_reads
    if other == "database":
        table.known.clear()
    agrees(opened(Made("fake:33", 32) if other == "model" else MADE), table.model(), QUERIES)
    assert (said, table.full_reads) == ([], reads + 1)


def test_another_kind_metric_or_parameter_builds_what_is_asked_for(data_file: Path, opened: Callable[..., Kept]) -> None:
    assert opened(kind="auto").now().describe().kind == "scan"
    assert opened(params={"bits": 2}).now().describe().params["bits"] == 2
    assert opened(kind="graph").now().describe().kind == "graph"
    assert opened(kind="graph", metric="l2").now().describe().metric == "l2"


def test_a_file_deleted_or_cut_off_while_open_does_no_harm(
    data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    first, second = opened(), opened()
    agrees(first, table.model(), QUERIES)
    second.now()
    if os.name == "nt":
        pytest.skip("Windows deletes and cuts off no file that is open")
    os.truncate(data_file, start(data_file, "matrix") + 4096)
    agrees(second, table.model(), QUERIES)
    assert "cut off" in said[0]
    for path in data_file.parent.iterdir():
        path.unlink()
    agrees(second, table.model(), QUERIES)
    assert len(said) == 1


def test_a_new_process_reads_changes_only(data_file: Path, opened: Callable[..., Kept], table: Table) -> None:
    for number, vector in enumerate(vectors(30, 7)):
        table.put(number * 150, vector)  # new ones and replaced ones
    for number in range(10):
        table.put(3 + number, None)
    reads = table.full_reads
    kept = opened()
    agrees(kept, table.model(), QUERIES, k=50)
    assert table.full_reads == reads
    assert kept.current().describe().fresh == 30


def test_merging_takes_in_what_came_since_without_asking_the_store(
    data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    kept = opened()
    kept.ready()
    assert not kept.merge()
    for number, vector in enumerate(vectors(1_500, 7)):
        table.put(2_500 + number, vector)
    reads = table.full_reads
    assert kept.merge()
    assert (kept.current().describe().fresh, kept.current().stale_share, said) == (0, 0, [])
    agrees(kept, table.model(), QUERIES)
    agrees(opened(), table.model(), QUERIES)
    assert table.full_reads == reads
    assert len(list(data_file.parent.glob("*.idx"))) == 1, "the version before was not removed"


def test_what_is_deleted_is_gone_for_a_reader_that_had_the_index_open(opened: Callable[..., Kept], table: Table) -> None:
    reader, writer = opened(), opened()
    for round in range(20):
        best = int(reader.search(QUERIES[:1], 1)[0][0][0]) >> 20
        table.put(best, None)
        if round % 7 == 0:
            writer.rebuild()
        assert best not in documents_of(reader.search(QUERIES[:1], 50)[0][0])


def test_several_build_at_once_and_readers_always_find_a_whole_version(tmp_path: Path) -> None:
    indexes = [choose.build(units_of(np.arange(300)), vectors(300, seed), kind="scan") for seed in range(3)]
    assert files.save(tmp_path, "c1", indexes[0], MADE, MARK, 0) is None

    def write(seed: int) -> None:
        for _ in range(15):
            assert files.save(tmp_path, "c1", indexes[seed], MADE, MARK, seed) is None

    with ThreadPoolExecutor(3) as writers:
        writing = [writers.submit(write, seed) for seed in range(3)]
        while not all(done.done() for done in writing):
            found = files.load(tmp_path, "c1", MADE, [MARK])
            assert found is not None
            model = Model(units_of(np.arange(300)), vectors(300, found.version))
            agrees(found.index, model, QUERIES[:1])
        for done in writing:
            done.result()


def test_while_another_process_builds_all_is_searched_exactly_and_its_work_left_alone(
    data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str]
) -> None:
    folder, work = data_file.parent, data_file.parent / "c1-0123.tmp"
    manifest_of(data_file).unlink()
    code = (
        "import sys; from pathlib import Path; from cosimo.indexes import files\n"
        "with files.building(Path(sys.argv[1]), 'c1') as free:\n"
        "    assert free; print('building', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "building\n"
    work.write_bytes(b"x")
    kept = opened()
    agrees(kept, table.model(), QUERIES)
    assert (kept.describe().kind, work.exists(), said) == ("flat", True, [])
    other.kill()
    other.wait()
    assert opened().now().describe().kind == "scan", "a lock outlived its process"
    assert not work.exists()


def test_what_cannot_be_saved_is_built_once_it_has_paid(
    opened: Callable[..., Kept], table: Table, said: list[str], tmp_path: Path
) -> None:
    table.writable = False
    kept = opened()
    assert kept.now().describe().kind == "flat"
    assert "scan would be quicker" in kept.why()
    for _ in range(WORTH):
        kept.search(QUERIES[:1], 1)
    assert kept.now().describe().kind == "scan"
    agrees(kept, table.model(), QUERIES)
    assert (said, list(tmp_path.iterdir())) == ([], [])


def test_a_folder_that_cannot_be_written_leaves_the_index_in_memory(
    opened: Callable[..., Kept], table: Table, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "n.db-cosimo").write_text("a file where the folder should be")
    agrees(opened(), table.model(), QUERIES)
    assert len(said) == 1
    assert "kept in memory" in said[0]


def test_a_full_disk_leaves_the_version_before(
    data_file: Path, opened: Callable[..., Kept], table: Table, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    before = {path.name for path in data_file.parent.iterdir()}
    kept = opened()
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "sums", full)
        kept.rebuild()
    assert "No space left" in said[0]
    agrees(kept, table.model(), QUERIES)
    assert {path.name for path in data_file.parent.iterdir()} == before
    said.clear()
    agrees(opened(), table.model(), QUERIES)
    assert said == []


@pytest.mark.parametrize("moment", ["_write_data", "_replace", "_sweep"])
def test_a_build_killed_at_any_moment_leaves_a_good_version(moment: str, data_file: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys, numpy as np; from pathlib import Path\n"
        "from cosimo.indexes import files, choose; from cosimo.core.units import units_of\n"
        "from cosimo.testing.indexes import vectors\n"
        f"real = files.{moment}\n"
        "def dying(*a, **k):\n"
        "    if real is files_write: real(*a, **k)\n"
        "    os._exit(9)\n"
        "files_write = files._write_data\n"
        f"files.{moment} = dying\n"
        "index = choose.build(units_of(np.arange(500)), vectors(500), kind='scan')\n"
        "files.save(Path(sys.argv[1]), 'c1', index, files.Made('fake:32', 32), 'another', 2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data_file.parent)], check=False)
    assert done.returncode == 9
    marks = ["another", json.loads(manifest_of(data_file).read_bytes())["index"]["mark"]]
    found = files.load(data_file.parent, "c1", MADE, marks)
    assert found is not None
    assert (len(found.index), found.version) == ((500, 2) if moment == "_sweep" else (ROWS, 1))
    agrees_with = {ROWS: vectors(ROWS), 500: vectors(500)}[len(found.index)]
    agrees(found.index, Model(units_of(np.arange(len(found.index))), agrees_with), QUERIES)


def test_what_killed_builds_left_is_removed_by_the_next(data_file: Path, opened: Callable[..., Kept]) -> None:
    left, unnamed, other = (data_file.parent / name for name in ("c1-0123.tmp", "c1-4567.idx", "c2-89ab.idx"))
    for path in (left, unnamed, other):
        path.write_bytes(b"x")
    opened().rebuild()
    assert [path.exists() for path in (left, unnamed, other, data_file)] == [False, False, True, False]
    files.drop(data_file.parent, "c1")
    assert [path.name for path in data_file.parent.iterdir()] == [other.name]


def test_opening_reads_no_vectors(data_file: Path, table: Table) -> None:
    found = files.load(data_file.parent, "c1", MADE, table.known)
    assert found is not None
    seen = found.index.rows._seen
    assert seen is not None
    assert not seen.any()
    found.index.search(QUERIES[:1], 10)
    assert 0 < np.count_nonzero(seen) <= ROWS // 4


def test_no_single_bit_escapes_a_checksum() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, (1, 40), dtype=np.uint32)
    before = sums_of(words)[0]
    for place in range(40):
        for bit in range(32):
            words[0, place] ^= np.uint32(1 << bit)
            assert sums_of(words)[0] != before
            words[0, place] ^= np.uint32(1 << bit)
    assert sums_of(np.zeros((1, 40), np.uint32))[0] != 0


def test_rows_that_changed_on_disk_are_refused_only_when_read() -> None:
    matrix = vectors(100)
    sums = Rows(np.arange(100), matrix).sums()
    matrix[50, 3] += 1
    rows = Rows(np.arange(100), matrix, sums)
    assert rows.take(np.arange(50)).shape == (50, 32)
    with pytest.raises(DamagedIndex):
        rows.take(np.array([49, 50]))


@pytest.mark.parametrize("spread", [1, 5, 100])
def test_units_of_documents_are_found_wherever_they_lie(spread: int) -> None:
    random = np.random.default_rng(spread)
    owners = np.sort(random.integers(0, 400 * spread, 1_000))
    units = np.unique(units_of(owners, random.integers(0, 9, 1_000)))
    for m in (1, 30, 5_000):
        documents = np.unique(random.integers(0, 400 * spread, m))
        assert places_of(units, documents).tolist() == np.flatnonzero(np.isin(units >> 20, documents)).tolist()
    assert places_of(units, NONE).tolist() == places_of(NONE, documents).tolist() == []


def test_numbers_that_do_not_fit_are_refused() -> None:
    assert units_of([2**43 - 1], 2**20 - 1).tolist() == [2**63 - 1]
    for documents, seqs in (([2**43], 0), ([-1], 0), ([1], 2**20), ([1], -1)):
        with pytest.raises(OverflowError):
            units_of(documents, seqs)


@pytest.mark.parametrize("dim", [1, 3, 8, 30, 384])
@pytest.mark.parametrize("bits", [1, 2])
def test_codes_are_the_nearest_that_faiss_knows(dim: int, bits: int) -> None:
    rows = vectors(300, dim=dim)
    levels = codes.learned_levels(rows, bits)
    coded = codes.encoded(rows, levels)
    index = codes.packed(coded, levels, dim, "l2")
    decoded = index.pq.decode(coded)[:, :dim]
    nearest = np.take_along_axis(levels, np.abs(rows[None] - levels[:, None]).argmin(axis=0), axis=0)
    assert np.allclose(np.abs(decoded - rows), np.abs(nearest - rows), atol=1e-6)


def test_recall_is_measured_by_looking_at_all() -> None:
    rows = vectors(2_000)
    for metric in ("cosine", "ip", "l2"):
        model = Model(np.arange(2_000) << 20, rows, metric)
        prepared = choose.build(units_of(np.arange(2_000)), rows.copy(), kind="scan", metric=metric).rows.matrix
        for query, best in zip(prepared[:5], recall.nearest_rows(prepared, prepared[:5], 10, metric), strict=True):
            assert best.tolist() == (model.search(query, 10)[0] >> 20).tolist()
    ranks = recall.Ranks(np.array([0, 1, 2, 50, recall.DEEPEST]))
    assert (ranks.recall(3), ranks.count_for(0.8), ranks.count_for(0.6)) == (0.6, 51, 3)


def test_what_does_not_exist_is_refused_by_name() -> None:
    for options, word in (
        ({"kind": "tree"}, "flat, scan"),
        ({"metric": "hamming"}, "cosine, ip"),
        ({"kind": "scan", "params": {"nprobe": 3}}, "bits, rescore"),
        ({"kind": "scan", "params": {"bits": 3}}, "1 or 2"),
        ({"kind": "scan", "params": {"rescore": -1}}, "rescore"),
        ({"kind": "graph", "params": {"M": 1}}, "2 to 512"),
        ({"kind": "graph", "params": {"ef_search": 0}}, "ef_search"),
        ({"kind": "lists", "params": {"nlist": "many"}}, "nlist"),
        ({"kind": "lists", "params": {"codes": "zip"}}, "'pq' or 'none'"),
        ({"kind": "flat", "params": {"M": 3}}, "no parameters"),
    ):
        with pytest.raises(DataError, match=word):
            choose.build(units_of(np.arange(5)), vectors(5), **options)


def test_auto_goes_by_size_and_says_why() -> None:
    assert choose.choose(1_000, 384).kind == "flat"
    assert choose.choose(40_000, 384).kind == "scan"
    assert choose.choose(100_000, 384).kind == "lists"
    assert "100,000 rows" in choose.choose(100_000, 384).why


def test_without_faiss_all_is_searched_exactly_and_said_so(
    monkeypatch: pytest.MonkeyPatch, table: Table, opened: Callable[..., Kept]
) -> None:
    opened().now()  # an index on disk that only FAISS can read
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    monkeypatch.setattr(choose, "SMALL", 0)
    kind, why = choose.choose(100_000, 384)
    assert kind == "flat"
    assert "pip install" in why
    agrees(opened(kind="auto"), table.model(), QUERIES)
    with pytest.raises(MissingExtra, match="pip install"):
        choose.build(units_of(np.arange(5)), vectors(5), kind="scan")
    with pytest.raises(MissingExtra, match="pip install"):
        opened().now()


def test_a_flat_index_that_has_grown_becomes_a_scan_when_merged(
    monkeypatch: pytest.MonkeyPatch, table: Table, opened: Callable[..., Kept], said: list[str]
) -> None:
    kept = opened(kind="auto")
    assert kept.now().describe().kind == "flat"
    assert not kept.merge()
    monkeypatch.setattr(choose, "SMALL", 1_000 * 32)
    assert kept.merge()
    assert kept.current().describe().kind == "scan"
    agrees(kept, table.model(), QUERIES)
    assert said == []
