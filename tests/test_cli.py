"""The command line as a person or a script meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from cosimo.interfaces.cli import COMMANDS, cli
from cosimo.interfaces.cli.failure import run

if TYPE_CHECKING:
    from pathlib import Path


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def cosimo(home: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch):
    """Runs the command line in this process, exactly as `main` does, and gives back what a shell would see."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, input: bytes | None = None) -> Outcome:
        with monkeypatch.context() as context:
            context.setattr(sys, "argv", ["cosimo", *arguments])
            if input is not None:
                path = tmp_path / ".stdin"
                path.write_bytes(input)
                context.setattr(sys, "stdin", path.open(encoding="utf-8"))
            capfdbinary.readouterr()
            code = run(cli)
        captured = capfdbinary.readouterr()
        return Outcome(code, captured.out.decode("utf-8", "replace"), captured.err.decode())

    return call


@pytest.fixture
def notes(cosimo, tmp_path: Path):
    folder = tmp_path / "notes"
    (folder / "db").mkdir(parents=True)
    (folder / "bread.md").write_text("Bake sourdough bread in a hot oven with flour and water")
    (folder / "pizza.md").write_text("Bake pizza dough in a very hot oven with flour and tomatoes")
    (folder / "db" / "sqlite.md").write_text("Back up a SQLite database file while it is in use")
    assert cosimo("embed-multi", "notes", "--files", "notes", "**/*.md", "-m", "fake:64", "--store", "-d", "n.db").code == 0
    return cosimo


def test_no_text_steers_the_terminal_through_json(cosimo) -> None:
    assert cosimo("embed", "notes", "a", "-c", "red \x9b31m text", "-m", "fake:8", "--store", "-d", "n.db").code == 0
    told = cosimo("search", "notes", "red", "-d", "n.db").out
    assert "\x9b" not in told
    assert "\\u009b31m" in told


def test_every_command_has_its_line_in_the_table_and_says_the_same_itself() -> None:
    context = click.Context(cli)
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert line == command.get_short_help_str(200), name


def test_help_comes_without_importing_a_verb() -> None:
    code = (
        "import sys; from cosimo.interfaces.cli import main\n"
        "try: main()\nfinally: print('numpy' in sys.modules, 'click' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.endswith("False True\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_embed_prints_the_vector_in_four_formats(cosimo) -> None:
    vector = json.loads(cosimo("embed", "-m", "fake:16", "-c", "hello").out)
    assert len(vector) == 16
    packed = struct.pack("<16f", *vector)
    assert cosimo("embed", "-m", "fake:16", "-c", "hello", "-f", "hex").out.strip() == packed.hex()
    assert base64.b64decode(cosimo("embed", "-m", "fake:16", "-c", "hello", "-f", "base64").out) == packed
    assert (
        cosimo("embed", "-m", "fake:16", "-f", "json", input=b"hello").out
        == cosimo("embed", "-m", "fake:16", "-c", "hello").out
    )


def test_blob_is_the_bytes_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cosimo", "embed", "-m", "fake:16", "-c", "hello", "-f", "blob"], capture_output=True
    )
    assert len(done.stdout) == 64


def test_embed_stores_under_an_id_and_prints_nothing(cosimo) -> None:
    done = cosimo("embed", "notes", "one", "-m", "fake:16", "-c", "hello", "--store", "--metadata", '{"n": 1}', "-d", "n.db")
    assert (done.code, done.out) == (0, "")
    assert cosimo("get", "notes", "one", "-d", "n.db").records == [{"id": "one", "content": "hello", "metadata": {"n": 1}}]


@pytest.mark.parametrize(
    "arguments",
    [
        ("embed", "notes", "-c", "x"),
        ("embed", "--store", "-c", "x"),
        ("embed", "-c", "x", "-i", "y"),
        ("embed", "c", "i", "-c", "x", "--metadata", "[1]"),
        ("embed", "c", "i", "-c", "x", "--metadata", "{"),
        ("embed", "c", "i", "-c", "x", "--metadata", '{"a": NaN}'),
        ("embed", "c", "i", "-c", "x", "--metadata", '{"a": ' + "9" * 5000 + "}"),
        ("embed", "c", "i", "-c", "x", "--metadata", '{"a":' * 5000 + "1" + "}" * 5000),
        ("embed-multi", "notes"),
        ("embed-multi", "notes", "a.csv", "--sql", "select 1"),
        ("embed-multi", "notes", "a.csv", "--binary"),
        ("embed-multi", "notes", "a.csv", "--attach", "a", "b.db"),
        ("embed-multi", "notes", "--sql", "select 1, 2", "--attach", "a", "b.db", "--attach", "a", "c.db"),
        ("embed-multi", "notes", "--files", "", "*"),
        ("embed-multi", "notes", "--files", ".", "*", "--format", "csv"),
        ("embed-multi", "notes", "--files", ".", "*", "--binary", "--encoding", "latin-1"),
        ("similar", "notes", "id", "-c", "x"),
        ("similarity", "alone"),
        ("nothing-of-that-name",),
        ("collections", "lsit"),
    ],
)
def test_wrong_usage_is_exit_code_two_and_stores_nothing(cosimo, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = cosimo(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("**/*.db"))


def test_a_mistyped_command_is_met_with_the_nearest() -> None:
    assert "embed-multi" in CliRunner().invoke(cli, ["embed-mutli"]).output


def test_files_are_embedded_once_and_found_by_text_and_id(notes) -> None:
    again = notes("embed-multi", "notes", "--files", "notes", "**/*.md", "--store", "-d", "n.db")
    assert "3 unchanged" in again.err
    assert "added" not in again.err
    hits = notes("similar", "notes", "-c", "back up a database", "-d", "n.db", "-n", "2").records
    assert [sorted(hit) for hit in hits] == [["content", "id", "metadata", "score"]] * 2
    assert hits[0]["id"] == "db/sqlite.md"
    assert notes("similar", "notes", "bread.md", "-d", "n.db").records[0]["id"] == "pizza.md"
    assert len(notes("similar", "notes", "bread.md", "-d", "n.db", "--prefix", "db/").records) == 1
    assert len(notes("similar", "notes", "-d", "n.db", "-n", "1000000000", input=b"flour").records) == 3


def test_plain_output_is_what_users_of_llm_know(notes) -> None:
    out = notes("similar", "notes", "bread.md", "-p", "-n", "1", "-d", "n.db").out
    assert out.startswith("pizza.md (0.")
    assert "\n\n  Bake pizza dough" in out


def test_sync_removes_what_is_gone_and_never_another_source(notes, tmp_path: Path) -> None:
    notes("embed", "notes", "by-hand", "-c", "kept", "-d", "n.db")
    (tmp_path / "notes" / "bread.md").unlink()
    done = notes("embed-multi", "notes", "--files", "notes", "**/*.md", "--sync", "-d", "n.db")
    assert "1 removed" in done.err
    assert {row["id"] for row in notes("export", "notes", "-d", "n.db").records} == {"pizza.md", "db/sqlite.md", "by-hand"}


def test_sync_keeps_rows_whose_file_is_there_but_cannot_be_read(notes, tmp_path: Path) -> None:
    (tmp_path / "notes" / "bread.md").write_bytes(b"caf\xe9 \x81\x8d\x8f " * 10)
    done = notes("embed-multi", "notes", "--files", "notes", "**/*.md", "--sync", "-d", "n.db")
    assert "bread.md" in done.err
    assert "removed" not in done.err
    assert notes("get", "notes", "bread.md", "-d", "n.db").code == 0


def test_dry_run_counts_and_makes_no_file(cosimo, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,title,body\n1,One,first\n2,Two,second\n")
    done = cosimo("embed-multi", "t", "t.csv", "-m", "fake:16", "--dry-run", "-d", "t.db")
    assert done.code == 0, done.err
    (plan,) = done.records
    assert (plan["texts"], plan["to_embed"], plan["cost"]) == (2, 2, 0)
    assert plan["tokens"] > 0
    assert not (tmp_path / "t.db").exists()


def test_tables_pipes_and_queries_are_read(cosimo, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,title,price\n1,Red dress,20\n2,Blue shoes,30\n")
    columns = ("--metadata-columns", "price", "-m", "fake:16", "--store", "-d", "t.db")
    assert cosimo("embed-multi", "shop", "t.csv", *columns).code == 0
    assert cosimo("get", "shop", "1", "-d", "t.db").records == [{"id": "1", "content": "Red dress", "metadata": {"price": 20}}]
    lines = b'{"id": 3, "title": "Green hat"}\n{"id": 4, "title": "Grey coat"}\n'
    assert cosimo("embed-multi", "shop", "-", "--format", "nl", "--store", "-d", "t.db", input=lines).code == 0
    assert cosimo("get", "shop", "3", "-d", "t.db").records[0]["content"] == "Green hat"
    query = ("--sql", "select id, content from other.embeddings", "--attach", "other", "t.db")
    assert (
        cosimo(
            "embed-multi", "copy", *query, "-m", "fake:16", "--prefix", "x-", "--prepend", "it is: ", "--store", "-d", "u.db"
        ).code
        == 0
    )
    assert cosimo("get", "copy", "x-4", "-d", "u.db").records[0]["content"] == "it is: Grey coat"


def test_progress_json_is_a_line_after_each_commit(cosimo, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\n" + "".join(f"{i},text {i}\n" for i in range(25)))
    done = cosimo("embed-multi", "t", "t.csv", "-m", "fake:16", "--batch-size", "10", "--progress", "json", "-d", "t.db")
    assert [line["committed"] for line in done.records] == [10, 20, 25]


def test_quiet_is_quiet(cosimo, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\n1,one\n")
    done = cosimo("embed-multi", "t", "t.csv", "-m", "fake:16", "-q", "-d", "t.db")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_collections_are_listed_described_and_deleted(notes) -> None:
    (listed,) = notes("collections", "-d", "n.db").records
    assert (listed["name"], listed["num_embeddings"], listed["model"]) == ("notes", 3, "fake:64")
    assert notes("collections", "list", "-d", "n.db", "--json").records == [listed]
    assert notes("collections", "info", "notes", "-d", "n.db").records == [listed]
    assert notes("collections", "path", "-d", "n.db").out == "n.db\n"
    assert notes("collections", "delete", "notes", "-d", "n.db").code == 0
    assert notes("collections", "-d", "n.db").records == []


def test_items_are_deleted_and_missing_ones_named(notes) -> None:
    done = notes("delete", "notes", "bread.md", "cake.md", "-d", "n.db")
    assert (done.code, "cake.md" in done.err, "1 deleted" in done.err) == (1, True, True)
    assert notes("get", "notes", "bread.md", "-d", "n.db").code == 1


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.csv", "rows.parquet", "rows.npy"])
def test_what_is_exported_can_be_imported_elsewhere(notes, name: str) -> None:
    assert notes("export", "notes", name, "-d", "n.db").code == 0
    done = notes("import", "copy", name, "-m", "fake:64", "-d", "other.db")
    assert done.code == 0, done.err
    assert "3 rows" in done.err
    ours = notes("similar", "notes", "bread.md", "-d", "n.db").records
    theirs = notes("similar", "copy", "bread.md", "-d", "other.db").records
    assert [(hit["id"], hit["score"]) for hit in ours] == [(hit["id"], hit["score"]) for hit in theirs]


def test_an_import_with_one_bad_row_stores_nothing(notes, tmp_path: Path) -> None:
    notes("export", "notes", "rows.ndjson", "-d", "n.db")
    with (tmp_path / "rows.ndjson").open("a") as file:
        file.write('{"id": "short", "embedding": [1, 2]}\n')
    done = notes("import", "copy", "rows.ndjson", "-d", "other.db")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert sum(row["num_embeddings"] for row in notes("collections", "-d", "other.db").records) == 0


def test_check_and_backup_look_after_a_file(notes, tmp_path: Path) -> None:
    assert notes("check", "-d", "n.db").code == 0
    assert notes("backup", "copy.db", "-d", "n.db").code == 0
    assert len(notes("export", "notes", "-d", "copy.db").records) == 3
    again = notes("backup", "copy.db", "-d", "n.db")
    assert again.code == 1
    assert again.err.count("\n") == 1


def test_similarity_compares_with_the_first(cosimo) -> None:
    rows = cosimo("similarity", "a red dress", "a red dress", "the tax office", "-m", "fake:64").records
    assert rows[0]["score"] == pytest.approx(1, abs=1e-6)
    assert rows[1]["score"] < 0.5


def test_the_default_model_is_remembered(cosimo) -> None:
    assert cosimo("models", "default").out == "all-MiniLM-L6-v2\n"
    assert cosimo("models", "default", "fake:32").code == 0
    assert len(json.loads(cosimo("embed", "-c", "x").out)) == 32
    assert cosimo("models", "default", "nonsense:x").code == 1
    assert cosimo("models", "default").out == "fake:32\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("similar", "notes", "-c", "x", "-d", "none.db"), "none.db"),
        (("similar", "nothing", "-c", "x", "-d", "n.db"), "no collection 'nothing'"),
        (("similar", "notes", "cake", "-d", "n.db"), "no item 'cake'"),
        (("similar", "notes", "-c", "x", "-n", "0", "-d", "n.db"), "at least 1"),
        (("similar", "notes", "-c", " ", "-d", "n.db"), "empty"),
        (("embed", "-c", "", "-m", "fake:16"), "empty"),
        (("embed", "-i", "none.txt", "-m", "fake:16"), "none.txt"),
        (("embed", "-c", "x", "-m", "no-such-kind:x"), "no-such-kind"),
        (("embed", "-c", "x", "-m", ""), "empty"),
        (("embed", "-c", "x", "-m", "fake:16", "--precision", "float32"), "fake:16"),
        (("similarity", "a", "", "-m", "fake:16"), "empty"),
        (("models", "default", ""), "empty"),
        (("collections", "info", "nothing", "-d", "n.db"), "no collection 'nothing'"),
        (("export", "notes", "n.db", "-d", "n.db"), "is a database"),
        (("embed-multi", "notes", "--sql", "vacuum into 'made.db'", "-d", "n.db"), "may only read"),
        (("embed-multi", "notes", "--sql", "attach 'made.db' as m", "-d", "n.db"), "may only read"),
        (("embed-multi", "notes", "--sql", "select 'x1', x'80'", "-d", "n.db"), "x1"),
        (("embed-multi", "notes", "--sql", "select 1, 2", "--attach", "a", "notes/bread.md", "-d", "n.db"), "bread.md"),
        (("embed-multi", "notes", "--files", "nowhere", "*", "-d", "n.db"), "nowhere"),
        (("embed-multi", "notes", "none.csv", "-d", "n.db"), "none.csv"),
        (("embed-multi", "notes", "--sql", "select nonsense", "-d", "n.db"), "nonsense"),
        (("embed-multi", "notes", "--files", "notes", "*", "-m", "fake:32", "-d", "n.db"), "fake:64"),
        (("collections", "list", "-d", "notes/bread.md"), "not a SQLite database"),
        (("collections", "list", "-d", "none/none.db"), "none"),
        (("embed", "a", "b", "-c", "x", "-m", "fake:16", "-d", "none/none.db"), "none"),
    ],
)
def test_errors_are_one_line_with_exit_code_one(notes, arguments: tuple[str, ...], said: str) -> None:
    done = notes(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert "bug" not in done.err


def test_a_bug_of_ours_is_one_line_too_and_a_traceback_on_request(cosimo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.core.vectors.cosine", lambda a, b: 1 / 0)
    done = cosimo("similarity", "a", "b", "-m", "fake:16")
    assert done.code == 1
    assert done.err == "Error: ZeroDivisionError: division by zero; this is a bug, please report it with COSIMO_DEBUG=1 set\n"
    monkeypatch.setenv("COSIMO_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cosimo("similarity", "a", "b", "-m", "fake:16")


def test_an_interrupt_says_what_is_kept(cosimo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cosimo.core.vectors.cosine", interrupted)
    done = cosimo("similarity", "a", "b", "-m", "fake:16")
    assert done.code == 130
    assert done.err.strip().startswith("interrupted")  # click moves to a new line first


def test_a_reader_that_leaves_early_causes_no_noise(notes, tmp_path: Path) -> None:
    shell = subprocess.Popen(
        [sys.executable, "-m", "cosimo", "export", "notes", "-d", "n.db"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert shell.stdout is not None
    shell.stdout.close()
    _, err = shell.communicate()
    assert b"Traceback" not in err
    assert b"Broken" not in err


def test_completion_scripts_are_printed(cosimo) -> None:
    assert "_COSIMO_COMPLETE" in cosimo("completion", "bash").out


def test_an_export_never_replaces_a_database(notes, tmp_path: Path) -> None:
    before = (tmp_path / "n.db").read_bytes()
    assert notes("export", "notes", "n.db", "-f", "npy", "-d", "n.db").code == 1
    assert (tmp_path / "n.db").read_bytes() == before
    assert not list(tmp_path.glob("*.ids.ndjson"))


def test_half_a_character_in_metadata_can_be_printed(notes) -> None:
    assert notes("embed", "notes", "half", "-c", "x", "--metadata", '{"a": "\\ud800"}', "-d", "n.db").code == 0
    assert notes("get", "notes", "half", "-d", "n.db").records[0]["metadata"] == {"a": "\ufffd"}
    assert notes("similar", "notes", "half", "--prefix", "\udcff", "-d", "n.db").records == []


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_json_lines_stay_whole_where_stdout_is_not_utf8(notes, encoding: str) -> None:
    notes("embed", "notes", "中文", "-c", "今天 caf\u00e9 😀", "--store", "-d", "n.db")
    done = python("get", "notes", "中文", "-d", "n.db", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["content"] == "今天 caf\u00e9 😀"
    assert python("similar", "notes", "中文", "-p", "-d", "n.db", PYTHONIOENCODING=encoding).returncode == 0


def test_an_argument_that_is_not_utf8_is_read_as_a_file_would_be(cosimo) -> None:
    text = "déjà vu à la carte, naïve café"
    latin = os.fsdecode(text.encode("latin-1"))
    assert cosimo("embed", "-c", latin, "-m", "fake:16").out == cosimo("embed", "-c", text, "-m", "fake:16").out


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of its own")
def test_closed_streams_are_told_in_one_line_or_not_at_all(notes) -> None:
    for arguments, redirection, code in (
        ("get notes bread.md", ">&-", 0),
        ("embed-multi notes --files notes '*'", ">&-", 0),
        ("export notes", ">&-", 1),
        ("embed -m fake:16", "<&-", 1),
        ("embed-multi notes -", "<&-", 1),
        ("import copy -", "<&-", 1),
    ):
        command = f"{sys.executable} -m cosimo {arguments} {'-d n.db' if 'notes' in arguments else ''} {redirection}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        assert done.returncode == code, (command, done.stderr)
        assert "bug" not in done.stderr
        assert done.stderr.count("\n") <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_query_that_would_never_end_can_be_interrupted(cosimo) -> None:
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select max(x), 'a' from c"
    run = subprocess.Popen(
        [sys.executable, "-m", "cosimo", "embed-multi", "n", "--sql", endless, "-m", "fake:16", "-d", "n.db"],
        stderr=subprocess.PIPE,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(3)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert b"Traceback" not in err


def test_a_repair_that_leaves_something_is_not_a_success(notes, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "n.db") as file:
        file.execute("update embeddings set embedding = x'0000803f' where id = 'bread.md'")
    done = notes("check", "--repair", "-d", "n.db")
    assert (done.code, done.records[0]["kind"]) == (1, "vector")
    assert "delete the row and embed its text again" in done.records[0]["message"]
    assert "cosimo check" in notes("similar", "notes", "bread.md", "-d", "n.db").err


def test_a_default_model_that_is_not_here_is_pointed_out(cosimo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cosimo models pull mistyped" in cosimo("models", "default", "mistyped").err
    monkeypatch.setenv("COSIMO_MODEL", "fake:16")
    assert "fake:16" in cosimo("models", "default", "fake:32").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("embed", "notes", "a", "-c", "text", "--role", "query"),
        ("eval", "q.csv", "--collection", "notes", "-m", "fake:16"),
        ("eval", "--sts", "pairs.tsv", "-m", "fake:16", "-m", "fake:32"),
    ],
)
def test_options_that_would_be_ignored_are_refused(cosimo, arguments: tuple[str, ...]) -> None:
    done = cosimo(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "--role" in done.err or "--model" in done.err


def test_names_with_newlines_stay_on_one_line(cosimo, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\n1,one\n")
    assert cosimo("embed-multi", "a\nb", "t.csv", "-m", "fake:16", "-d", "t.db").err.count("\n") == 1


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cosimo", *arguments], env={**os.environ, **environment}, capture_output=True, encoding="utf-8"
    )
