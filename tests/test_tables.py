"""Tables: CSV, TSV, JSON, NDJSON and SQL → Documents; what is wrong with a row is told by its number."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from cosimo.core.errors import UnreadableSource
from cosimo.sources.delimited import rows
from cosimo.sources.queries import Query
from cosimo.sources.tables import Table

if TYPE_CHECKING:
    from pathlib import Path


def table(text: str | bytes, **options: Any) -> Table:
    return Table(io.BytesIO(text.encode() if isinstance(text, str) else text), **options)


def pairs(source: Any) -> list[tuple[str, Any]]:
    return [(document.id, document.content) for document in source]


def problems(source: Any) -> dict[str, str]:
    return {problem.name.rpartition(":")[2]: problem.reason for problem in source.problems}


# -- which cell is what


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,title,body\n1,One,first text\n2,Two,\n"),
        ("a.tsv", "id\ttitle\tbody\n1\tOne\tfirst text\n2\tTwo\t\n"),
        ("a.json", '[{"id": 1, "title": "One", "body": "first text"}, {"id": 2, "title": "Two", "body": null}]'),
        ("a.json", '{"total": 2, "rows": [{"id": 1, "t": "One", "b": "first text"}, {"id": 2, "t": "Two", "b": null}]}'),
        ("a.ndjson", '{"id": 1, "title": "One", "body": "first text"}\n\n{"id": 2, "title": "Two", "body": null}\n'),
        ("a.json", '{"id": 1, "title": "One", "body": "first text"}\n{"id": 2, "title": "Two", "body": null}\n'),
        ("noending", "\n\nid,title,body\n1,One,first text\n2,Two,\n"),
        ("noending", "id;title;body\n1;One;first text\n2;Two;\n"),
        ("wrong.csv", "id|title|body\n1|One|first text\n2|Two|\n"),
        ("noending", '{"id": 1, "title": "One", "body": "first text"}\n\n\n{"id": 2, "title": "Two", "body": null}\n'),
        ("noending", '  [{"id": 1, "title": "One", "body": "first text"},\n{"id": 2, "title": "Two", "body": null}]'),
        ("noending", '{\n "rows": [{"id": 1, "t": "One", "b": "first text"}, {"id": 2, "t": "Two", "b": null}]\n}'),
    ],
)
def test_first_column_is_the_id_and_the_rest_joined_is_the_text_as_llm_does(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    expected = [("1", "One first text"), ("2", "Two ")]  # an empty cell leaves its space: llm's hashes depend on it
    assert pairs(Table(tmp_path / name)) == expected
    if name == "noending":
        assert pairs(table(text)) == expected


def test_same_rows_as_llm_reads(tmp_path: Path) -> None:
    from sqlite_utils.utils import Format, rows_from_file

    text = 'id,title,body\r\n1,"a, b","two\r\nlines ""quoted"""\r\n2,,"",\r\n'.replace('"",\r\n', '""\r\n')
    theirs = [
        (values[0], " ".join(value or "" for value in values[1:]))
        for values in (list(row.values()) for row in rows_from_file(io.BytesIO(text.encode()), Format.CSV)[0])
    ]
    assert pairs(table(text)) == theirs


def test_numbers_and_nothing_are_text_too() -> None:
    source = table(
        '[{"id": 7, "n": 0, "f": 1.5, "yes": true, "none": null, "tags": ["a", "b"], "size": {"w": 3, "h": [1, 2]}}]'
    )
    assert pairs(source) == [("7", "0 1.5 true  a, b w: 3, h: 1, 2")]


def test_named_columns() -> None:
    text = "slug,key,year,body,zip\na,1,2020,text,007\n"
    (document,) = table(text, id_column="key", text_columns=["body", "slug"], metadata_columns=["year", "zip", "slug"])
    assert (document.id, document.content) == ("1", "text a")
    assert document.metadata == {"year": 2020, "zip": "007", "slug": "a"}
    (document,) = table(text, metadata_columns=["year"])
    assert (document.id, document.content, document.metadata) == ("a", "1 text 007", {"year": 2020})


def test_metadata_of_json_keeps_its_structure() -> None:
    source = table(
        json.dumps([{"id": 1, "text": "t", "tags": ["a", {"b": 1.5}], "n": None}]), metadata_columns=["tags", "n", "absent"]
    )
    (document,) = source
    assert (document.content, document.metadata) == ("t", {"tags": ["a", {"b": 1.5}], "n": None})


def test_metadata_of_csv_is_a_number_only_where_it_writes_back_the_same() -> None:
    cells = ["12", "-3.5", "0", "007", "3.10", "1e5", "nan", "1" * 30, "", "١٢", "-0"]
    names = [f"m{i}" for i in range(len(cells))]
    (document,) = table(f"id,{','.join(names)},t\n1,{','.join(cells)},x\n", metadata_columns=names)
    assert document.metadata is not None
    assert list(document.metadata.values()) == [12, -3.5, 0, *cells[3:]]


def test_objects_may_list_their_keys_in_any_order() -> None:
    assert pairs(table('{"id": 1, "t": "a"}\n{"t": "b", "id": 2}\n')) == [("1", "a"), ("2", "b")]


def test_prefix_and_prepend() -> None:
    assert pairs(table("id,t\n1,x\n", prefix="p/", prepend="about: ")) == [("p/1", "about: x")]


@pytest.mark.parametrize("options", [{"id_column": "no"}, {"text_columns": ["t", "no"]}, {"metadata_columns": ["no"]}])
def test_column_that_is_not_there_is_an_error_naming_those_that_are(options: dict[str, Any]) -> None:
    with pytest.raises(UnreadableSource, match=r"'no'.*id, t"):
        list(table("id,t\n1,x\n", **options))


def test_table_of_ids_alone_is_an_error() -> None:
    for text in ("id\n1\n", "id,year\n1,2020\n"):
        with pytest.raises(UnreadableSource, match="no column for the text"):
            list(table(text, metadata_columns=["year"] if "year" in text else None))


def test_duplicate_and_empty_names_in_a_header() -> None:
    (document,) = table("id,a,a,,t\n1,x,y,z,t\n", metadata_columns=["a", "a_2", "column_4"])
    assert (document.content, document.metadata) == ("t", {"a": "x", "a_2": "y", "column_4": "z"})


# -- bad input


def test_ragged_rows_are_reported_by_line_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('id,t\n1,"two\nlines"\n2\n3,x,y\n\n4,fine\n')
    told: list[Any] = []
    source = Table(tmp_path / "r.csv", on_problem=told.append)
    assert pairs(source) == [("1", "two\nlines"), ("4", "fine")]
    assert problems(source) == {"4": "it has 1 cells, the header has 2", "5": "it has 3 cells, the header has 2"}
    assert told == source.problems
    assert source.unread == [""]  # their ids may be any


@pytest.mark.parametrize(
    "bad",
    [
        '{"id": "", "t": "x"}',
        '{"id": null, "t": "x"}',
        '{"t": "x"}',
        '{"id": [1], "t": "x"}',
        "[1, 2]",
        "nonsense",
        '{"id": 1, "t": "cut',
    ],
)
def test_bad_line_of_ndjson_is_reported_and_the_rest_is_read(bad: str) -> None:
    source = table('{"id": "a", "t": "x"}\n' + bad + '\n{"id": "b", "t": "y"}\n')
    assert pairs(source) == [("a", "x"), ("b", "y")]
    assert list(problems(source)) == ["2"]


def test_empty_id_in_csv_is_reported() -> None:
    source = table("id,t\n,x\n0,y\n")
    assert pairs(source) == [("0", "y")]
    assert problems(source) == {"2": "its id 'id' is empty"}


@pytest.mark.parametrize("format", [None, "json"])
def test_json_cut_in_half_gives_an_error_with_its_place_and_no_rows(format: str | None) -> None:
    text = json.dumps([{"id": i, "t": "text"} for i in range(100)], indent=1)
    running = iter(table(text[: len(text) // 2], format=format))
    with pytest.raises(UnreadableSource, match=r"line \d+, column \d+") as caught:
        next(running)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "\n \n", "[" * 100_000, '{"a": [{"id": 1}], "b": [{"id": 1}]}', "[1, 2", '{"a": ' * 5000, '"text"', f"[{'9' * 5000}]"],
)  # fmt: skip
def test_what_is_no_table_is_one_sentence(text: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        list(table(text, format="json"))
    assert len(str(caught.value).splitlines()) == 1


def test_empty_file_is_an_error_and_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    (tmp_path / "e.csv").touch()
    with pytest.raises(UnreadableSource, match="empty"):
        list(Table(tmp_path / "e.csv"))
    assert pairs(table("id,t\n")) == []
    assert pairs(table("[]")) == []


def test_items_that_are_no_objects_are_reported() -> None:
    source = table('[{"id": 1, "t": "x"}, "text", null]')
    assert pairs(source) == [("1", "x")]
    assert list(problems(source)) == ["item 2", "item 3"]


def test_lone_surrogates_nul_and_nan_in_json() -> None:
    (document,) = table(
        r'[{"id": "a\ud800", "t": "x\udc80y\ud83d\ude00\u0000", "n": NaN, "m": {"\ud800": ["\udfff"]}}]',
        metadata_columns=["n", "m"],
    )
    assert (document.id, document.content) == ("a\ufffd", "x\ufffdy😀\0")
    assert document.metadata == {"n": None, "m": {"\ufffd": ["\ufffd"]}}


def test_nul_quotes_and_very_long_cells_in_csv() -> None:
    long = "word " * 200_000
    before = csv.field_size_limit()
    source = table(f'id,t\n1,"{long}\nend"\n2,{long}\n3,a\0b\n4,5" pipe\n5,"a"b\n')
    assert pairs(source) == [("1", f"{long}\nend"), ("2", long), ("3", "a\0b"), ("4", '5" pipe'), ("5", "ab")]
    assert csv.field_size_limit() == before


def test_quote_that_is_never_closed_is_reported() -> None:
    source = table('id,t\n1,fine\n2,"open\n3,lost\n')
    assert pairs(source) == [("1", "fine")]
    assert "never closed" in problems(source)["3"]
    with pytest.raises(UnreadableSource, match="header"):
        list(table('id,"t\n1,x\n'))


def test_rows_are_those_of_the_csv_module() -> None:
    random.seed(5)
    for _ in range(3000):
        text = "".join(random.choice('ab,;"\n"') for _ in range(random.randrange(1, 25)))
        try:
            expected = [row for row in csv.reader(io.StringIO(text), strict=False) if row]
        except csv.Error:
            continue
        found = [cells for _, cells in rows(io.StringIO(text), ",")]
        if None in found:  # csv passes off an unclosed quote as a cell
            assert found[:-1] == expected[: len(found) - 1]
        else:
            assert found == expected, repr(text)


def test_encodings(tmp_path: Path) -> None:
    text = "id,t\n1,今天天气很好，我们一起去公园散步。\n2,公园里有很多人在锻炼身体，还有孩子们在放风筝。\n"
    expected = [tuple(line.split(",")) for line in text.splitlines()[1:]]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "gb18030"):
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        assert pairs(Table(tmp_path / "a.csv")) == expected
        assert pairs(table(text.encode(encoding))) == expected
    french = "id,t\n1,ici\n" + "2,rien de plus\n" * 20_000 + "3,l'été à la plage\n"
    (tmp_path / "b.csv").write_bytes(french.encode("latin-1"))
    assert pairs(Table(tmp_path / "b.csv"))[-1] == ("3", "l'été à la plage")
    source = table(french.encode("latin-1"))  # of a pipe only the beginning can be judged
    assert pairs(source)[-1] == ("2", "rien de plus")
    assert problems(source) == {"20003": "it is not in the encoding of the rest"}
    assert pairs(table(french.encode("latin-1"), encodings=["latin-1"]))[-1] == ("3", "l'été à la plage")


def test_damaged_line_is_reported_not_garbled(tmp_path: Path) -> None:
    text = "id,t\n1,今天天气很好，我们一起去公园散步。\n2,公园里有很多人\n".encode()
    for name, damaged in (
        ("a.csv", text.replace("里".encode(), b"\xff")),
        (
            "a.ndjson",
            b'{"id":1,"t":"\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac\xe5\x85\xac"}\n{"id":2,"t":"\xe5"}\n',
        ),
    ):
        (tmp_path / name).write_bytes(damaged)
        source = Table(tmp_path / name)
        assert [id for id, _ in pairs(source)] == ["1"]
        assert source.problem_count == 1


def test_missing_file_folder_and_unknown_format(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UnreadableSource, match="cannot be read"):
            list(Table(path))
    with pytest.raises(UnreadableSource, match="xml"):
        Table(tmp_path / "a", format="xml")


def test_pipe_gives_rows_before_it_ends() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        os.write(writing, b'{"id": 1, "t": "a"}\n{"id": 2, "t": "b"}\n{"id": 3, "t": "c"}\n')
        running = iter(Table(stream, format="nl"))
        assert next(running).id == "1"
        os.close(writing)
        assert [document.id for document in running] == ["2", "3"]
        assert not stream.closed


def test_memory_stays_flat_while_rows_stream() -> None:
    class Pipe:
        left = 20_000

        def read(self, size: int) -> bytes:
            self.left -= 1
            if self.left == 19_999:
                return b"id,t\n"
            return b"%d,a text of some length to fill the row with\n" % self.left if self.left >= 0 else b""

    tracemalloc.start()
    count = sum(1 for _ in Table(Pipe()))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 19_999
    assert peak < 1_000_000


def test_size_is_a_hint(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,t\n1,x\n2,y\n")
    assert Table(tmp_path / "a.csv").size == 2
    assert table("id,t\n1,x\n").size is None


# -- SQL


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    path = tmp_path / 'it\'s a "blog" #1?.db'
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE posts (id INTEGER, title TEXT, words INTEGER, image BLOB)")
        database.executemany("INSERT INTO posts VALUES (?, ?, ?, ?)", [(1, "One", 10, b"\1"), (2, None, 20, b"\2")])
    database.close()
    return path


def test_query_of_any_file_and_integer_cells(blog: Path) -> None:
    source = Query(blog, "select id, title, words from posts order by id; ")
    assert pairs(source) == [("1", "One 10"), ("2", " 20")]
    assert source.size == 2


def test_attached_files_whatever_their_path(blog: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE notes (id, note)")
        database.execute("INSERT INTO notes VALUES (1, 'seen')")
    sql = "select p.id, p.title, n.note from blog.posts p join notes.notes n on n.id = p.id -- done"
    assert pairs(Query(None, sql, attach={"blog": blog, "notes": other})) == [("1", "One seen")]
    assert pairs(Query(other, 'select id, title from "my blog".posts', attach={"my blog": blog}))[0] == ("1", "One")


def test_bytes_are_content_alone_and_metadata_as_base64(blog: Path) -> None:
    assert pairs(Query(blog, "select id, image from posts")) == [("1", b"\1"), ("2", b"\2")]
    (first, _) = Query(blog, "select id, title, image from posts", metadata_columns=["image"])
    assert first.metadata == {"image": "AQ=="}
    source = Query(blog, "select id, title, image from posts")
    assert pairs(source) == []
    assert source.problem_count == 2


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select nope from posts", "no such column: nope"),
        ("selec", "syntax error"),
        ("select 1, 2; select 3, 4", "one statement"),
        ("delete from posts", "readonly"),
        ("insert into posts values (3, 3, 3, 3)", "readonly"),
        ("", "SELECT"),
        ("select id from posts", "no column for the text"),
    ],
)
def test_bad_query_says_what_sqlite_says_and_writes_nothing(blog: Path, sql: str, words: str) -> None:
    before = blog.read_bytes()
    with pytest.raises(UnreadableSource, match=words):
        list(Query(blog, sql))
    assert blog.read_bytes() == before


def test_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database at all, however long it may be" * 30)
    for path, words in (
        (tmp_path / "x.db", "not a database"),
        (tmp_path / "none.db", "no database"),
        (tmp_path, "no database"),
    ):
        with pytest.raises(UnreadableSource, match=words):
            list(Query(path, "select 1, 2"))
        with pytest.raises(UnreadableSource, match=words):
            list(Query(None, "select 1, 2", attach={"a": path}))


def test_text_that_is_not_utf8_is_reported(blog: Path) -> None:
    with sqlite3.connect(blog) as database:
        database.execute("INSERT INTO posts VALUES (3, CAST(x'ff41' AS TEXT), 1, null)")
    source = Query(blog, "select id, title from posts order by id")
    assert [id for id, _ in pairs(source)] == ["1", "2"]
    assert problems(source) == {"row 3": "it holds text that is not UTF-8"}


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_file_can_be_written_while_its_rows_are_read(blog: Path, mode: str) -> None:
    writer = sqlite3.connect(blog, timeout=0.1, isolation_level=None)
    writer.execute(f"PRAGMA journal_mode={mode}")
    running = iter(Query(blog, "with p as (select * from posts) select id, title from p order by id"))
    assert next(running).id == "1"
    writer.execute("INSERT INTO posts VALUES (9, 'new', 1, null)")
    assert [document.id for document in running] == ["2"]
    writer.close()


def test_an_id_with_a_nul_is_reported_and_the_rows_beside_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.ndjson").write_text('{"id": "a\\u0000", "t": "x"}\n{"id": "b", "t": "y"}\n')
    source = Table(tmp_path / "rows.ndjson")
    assert [document.id for document in source] == ["b"]
    assert "NUL" in source.problems[0].reason


def test_empty_lists_and_empty_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "zero.ndjson").touch()
    with pytest.raises(UnreadableSource, match=r"zero\.ndjson is empty"):
        list(Table(tmp_path / "zero.ndjson"))
    with pytest.raises(UnreadableSource, match="text columns is empty"):
        Table(tmp_path / "zero.ndjson", text_columns=[])


def test_a_query_opens_no_files_of_its_own(blog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for sql in ("vacuum into 'made.db'", "attach 'made.db' as made", "detach main"):
        with pytest.raises(UnreadableSource, match="may only read"):
            list(Query(blog, sql))
    assert sorted(tmp_path.iterdir()) == before
