"""Exchange: rows → file → the same rows, bit for bit, in every format; what is wrong is named by its line."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cosimo.core.content import content_hash
from cosimo.core.errors import BadVector, DataError, MissingExtra, UnreadableSource
from cosimo.core.types import Row
from cosimo.verbs.exchange import FORMATS, export_rows, ids_path, import_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

AWKWARD = np.array([0.1, -0.0, 1e-45, 3.4028235e38, 1 / 3, -1.17549435e-38, 16777217.0, 1e20], np.float32)


def row(id: str, content: Any = None, metadata: Any = None, *, vector: Any = None, updated: int = 0) -> Row:
    hashed = content_hash(content) if content is not None else None
    return Row(id, AWKWARD if vector is None else np.asarray(vector, np.float32), content, hashed, metadata, updated)


ROWS = [
    row("plain.md", "A text.", {"year": 2020, "tags": ["a", {"b": None}]}, updated=1_700_000_000),
    row('id, with "quotes"\nand\r\nlines\r%_', 'lines\r\nof "text",\rwith\ttabs\0and NUL ', vector=-AWKWARD),
    row("中文/🦆", "今天天气很好\u2028新的一行\x85", {"标题": "公园", "n": 1.5}),
    row("empty text", ""),
    row("no text"),
    Row("text not stored", AWKWARD, None, content_hash("elsewhere"), None, 5),
    row("bytes", b"\x89PNG\0\r\n\xff", {}),
    row("long", "word " * 100_000),
    row("'", "'"),
]


def same(a: Row, b: Row) -> bool:
    vectors = np.asarray(a.vector, "<f4").tobytes() == np.asarray(b.vector, "<f4").tobytes()
    return (
        vectors
        and [getattr(a, name) == getattr(b, name) for name in ("id", "content", "hash", "metadata", "updated")] == [True] * 5
    )


def needs(format: str) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("format", FORMATS)
def test_rows_come_back_bit_for_bit(tmp_path: Path, format: str) -> None:
    needs(format)
    path = tmp_path / f"rows.{format}"
    assert export_rows(iter(ROWS), path) == len(ROWS)
    back = list(import_rows(path))
    assert [a.id for a in back] == [a.id for a in ROWS]
    assert [a.id for a, b in zip(back, ROWS, strict=True) if not same(a, b)] == []
    assert all(a.vector.dtype == np.float32 for a in back)
    assert sorted(p.name for p in tmp_path.iterdir()) == (["rows.ids.ndjson", "rows.npy"] if format == "npy" else [path.name])


@pytest.mark.parametrize("format", ["ndjson", "csv", "parquet"])
def test_rows_come_back_through_a_pipe(format: str) -> None:
    needs(format)
    stream = io.BytesIO()
    export_rows(ROWS, stream, format)
    assert not stream.closed
    data = stream.getvalue()

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert all(same(a, b) for a, b in zip(import_rows(Pipe(data), format), ROWS, strict=True))


@pytest.mark.parametrize("format", ["ndjson", "csv", "npy"])
def test_every_float32_comes_back(tmp_path: Path, format: str) -> None:
    bits = np.random.default_rng(1).integers(0, 1 << 32, 60_000, dtype=np.uint64).astype(np.uint32)
    numbers = bits.view(np.float32)
    numbers = numbers[np.isfinite(numbers)][:59_000].reshape(59, 1000)
    export_rows((row(str(i), vector=v) for i, v in enumerate(numbers)), tmp_path / "a", format)
    back = np.stack([r.vector for r in import_rows(tmp_path / "a", format)])
    assert back.tobytes() == numbers.tobytes()


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows_are_no_rows(tmp_path: Path, format: str) -> None:
    needs(format)
    assert export_rows([], tmp_path / "a", format) == 0
    assert list(import_rows(tmp_path / "a", format)) == []


def test_format_goes_by_the_ending_and_is_ndjson_otherwise(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.txt", "a"):
        export_rows(ROWS[:1], tmp_path / name)
        assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["id"] == "plain.md"
    with pytest.raises(UnreadableSource, match="xml"):
        export_rows(ROWS, tmp_path / "b", "xml")


def test_ndjson_reads_as_other_programs_expect(tmp_path: Path) -> None:
    export_rows([row("a", "text", {"k": 1}, vector=[0.1, 1])], tmp_path / "a.ndjson")
    found = json.loads((tmp_path / "a.ndjson").read_text(encoding="utf-8"))
    assert found == {
        "id": "a",
        "content": "text",
        "metadata": {"k": 1},
        "content_hash": content_hash("text").hex(),
        "embedding": [0.1, 1.0],
    }


def test_npy_and_parquet_read_as_other_programs_expect(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    export_rows(ROWS[:3], tmp_path / "a.npy")
    matrix = np.load(tmp_path / "a.npy")
    assert (matrix.shape, matrix.dtype) == ((3, 8), np.float32)
    export_rows(ROWS, tmp_path / "a.parquet")
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert str(schema.field("embedding").type) == "fixed_size_list<element: float>[8]"
    assert [str(schema.field(n).type) for n in ("id", "content", "content_blob", "metadata")] == [
        "string",
        "string",
        "binary",
        "string",
    ]


def test_csv_reads_with_the_csv_module(tmp_path: Path) -> None:
    import csv

    export_rows(ROWS[:7], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [line["id"] for line in found] == [r.id for r in ROWS[:7]]
    assert json.loads(found[0]["metadata"]) == ROWS[0].metadata


# -- what others wrote


def test_integer_ids_and_columns_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(
        b'\xef\xbb\xbf{"embedding": [1, 2], "id": 7, "other": 1}\n\n{"id": "b", "embedding": [3, 4.5]}'
    )
    assert [(r.id, r.vector.tolist(), r.content) for r in import_rows(tmp_path / "a.ndjson")] == [
        ("7", [1, 2], None),
        ("b", [3, 4.5], None),
    ]
    (tmp_path / "a.csv").write_bytes(b'embedding,id\r\n"[1, 2]",7\r\n')
    assert [(r.id, r.vector.tolist()) for r in import_rows(tmp_path / "a.csv")] == [("7", [1, 2])]


def test_matrix_of_another_kind_with_ids_one_a_line(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(6, dtype=">f8").reshape(3, 2)))
    with pytest.raises(UnreadableSource, match=r"a\.ids\.txt"):
        list(import_rows(tmp_path / "a.npy"))
    (tmp_path / "a.ids.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    assert [(r.id, r.vector.tolist()) for r in import_rows(tmp_path / "a.npy")] == [
        ("one", [0, 1]),
        ("two", [2, 3]),
        ("three", [4, 5]),
    ]


def test_parquet_with_lists_of_doubles_and_structures(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(
        pa.table({"embedding": [[1.0, 2.0], [3.0, 4.0]], "id": [1, 2], "metadata": [{"k": 1}, None]}), tmp_path / "a.parquet"
    )
    assert [(r.id, r.vector.tolist(), r.metadata) for r in import_rows(tmp_path / "a.parquet")] == [
        ("1", [1, 2], {"k": 1}),
        ("2", [3, 4], None),
    ]


# -- bad input


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ('{"id": "b", "embedding": [1]}', BadVector),
        ('{"id": "b", "embedding": [1, NaN]}', BadVector),
        ('{"id": "b", "embedding": [1, 1e39]}', BadVector),
        ('{"id": "b", "embedding": [1, 1' + "0" * 400 + "]}", BadVector),
        ('{"id": "b", "embedding": [1, "2"]}', BadVector),
        ('{"id": "b", "embedding": [1, null]}', BadVector),
        ('{"id": "b", "embedding": [[1, 2]]}', BadVector),
        ('{"id": "b", "embedding": [[1], 2]}', BadVector),
        ('{"id": "b", "embedding": []}', BadVector),
        ('{"id": "b"}', BadVector),
        ('{"id": "", "embedding": [1, 2]}', UnreadableSource),
        ('{"id": true, "embedding": [1, 2]}', UnreadableSource),
        ('{"embedding": [1, 2]}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "metadata": [1]}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "metadata": "no"}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "content": 5}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "content_blob": "%"}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "content_hash": "ff"}', UnreadableSource),
        ('{"id": "b", "embedding": [1, 2], "updated": "noon"}', UnreadableSource),
        ('{"id": "b", "embedding": [1,', UnreadableSource),
        ("[1, 2]", UnreadableSource),
        ("\xff", UnreadableSource),
    ],
)
def test_wrong_line_is_named(second: str, error: type[Exception]) -> None:
    stream = io.BytesIO(b'{"id": "a", "embedding": [1, 2]}\n' + second.encode("latin-1") + b"\n")
    reading = import_rows(stream)
    assert next(reading).id == "a"
    with pytest.raises(error, match="line 2") as caught:
        next(reading)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("id,embedding\na,\"[1,2]\"\nb\n", UnreadableSource, "line 3"),
        ("id,embedding\na,\"[1,2]\"\nb,\"[1]\"\n", BadVector, "line 3"),
        ("id,embedding\na,\"[1,2\n", UnreadableSource, "line 2"),
        ("id,embedding\na,\n", BadVector, "line 2"),
        ("id,vector\na,1\n", UnreadableSource, "no column 'embedding'; it has: id, vector"),
        ("", UnreadableSource, "no column"),
    ],
)  # fmt: skip
def test_wrong_csv_is_named(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        list(import_rows(io.BytesIO(text.encode()), "csv"))


@pytest.mark.parametrize("bad", [[np.nan, 1], [np.inf, 1], [1, 2, 3]])
@pytest.mark.parametrize("format", FORMATS)
def test_vector_no_file_can_hold_leaves_the_old_file(tmp_path: Path, format: str, bad: list[float]) -> None:
    needs(format)
    path = tmp_path / f"a.{format}"
    path.write_text("before")
    with pytest.raises(BadVector, match="'b'"):
        export_rows([row("a", vector=[1, 2]), row("b", vector=bad)], path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", ["parquet", "npy"])
def test_file_cut_in_half_is_refused(tmp_path: Path, format: str) -> None:
    needs(format)
    path = tmp_path / f"a.{format}"
    export_rows(ROWS, path)
    for kept in (0, 5, path.stat().st_size // 2, path.stat().st_size - 3):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(UnreadableSource) as caught:
            list(import_rows(path))
        assert len(str(caught.value).splitlines()) == 1


def test_npy_and_ids_of_different_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    export_rows(ROWS, path)
    lines = ids_path(path).read_bytes().splitlines(keepends=True)
    for wrong in (lines[:-1], [*lines, b'{"id": "more"}\n']):
        ids_path(path).write_bytes(b"".join(wrong))
        with pytest.raises(UnreadableSource, match="another number of ids"):
            list(import_rows(path))


def test_npy_that_holds_objects_or_one_vector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ids.txt").write_text("a\n")
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableSource):
        list(import_rows(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", np.zeros(3, np.float32))
    with pytest.raises(BadVector):
        list(import_rows(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", np.array([[1, np.nan]], np.float32))
    with pytest.raises(BadVector, match="row 1"):
        list(import_rows(tmp_path / "a.npy"))


def test_npy_through_a_pipe_is_an_error() -> None:
    with pytest.raises(DataError, match="two files"):
        export_rows(ROWS, io.BytesIO(), "npy")
    with pytest.raises(DataError, match="two files"):
        import_rows(io.BytesIO(), "npy")


def test_parquet_without_its_package_names_the_line_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"cosimo\[parquet\]"):
        export_rows(ROWS, tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_target_that_cannot_be_written(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none" / "a.csv"):
        with pytest.raises(DataError, match="cannot write"):
            export_rows(ROWS, target, "csv")
    with pytest.raises(UnreadableSource, match="no file"):
        import_rows(tmp_path / "none.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links and devices are others there")
def test_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    export_rows(ROWS, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").is_file()
    assert export_rows(ROWS, "/dev/null", "csv") == len(ROWS)
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("format", ["ndjson", "csv"])  # npy reads 4,096 rows at a time
def test_memory_stays_flat(tmp_path: Path, format: str) -> None:
    def many() -> Iterator[Row]:
        vector = np.ones(128, np.float32)
        for number in range(5_000):
            yield Row(str(number), vector, "some text")

    tracemalloc.start()
    export_rows(many(), tmp_path / "a", format)
    count = sum(1 for _ in import_rows(tmp_path / "a", format))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5_000
    assert peak < 2_000_000  # the vectors alone are 2.5 MB


@pytest.mark.parametrize("format", FORMATS)
def test_a_database_is_never_replaced(tmp_path: Path, format: str) -> None:
    needs(format)
    target = tmp_path / "notes.db"
    target.write_bytes(b"SQLite format 3\0 and so on")
    with pytest.raises(DataError, match="is a database"):
        export_rows(ROWS, target, format)
    assert target.read_bytes() == b"SQLite format 3\0 and so on"
    assert list(tmp_path.iterdir()) == [target]


def test_a_damaged_vector_is_named_by_its_own_row() -> None:
    with pytest.raises(BadVector, match="'hollow' has a damaged vector"):
        export_rows([row("hollow", vector=[]), row("whole")], io.BytesIO())
