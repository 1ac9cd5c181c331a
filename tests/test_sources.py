"""Sources, files: what is found, what is left out, what is decoded, what is reported. Tables: test_tables.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cosimo.core.errors import UnreadableSource
from cosimo.sources.files import Files
from cosimo.sources.text import decode

ENGLISH = "Notes on backing up a database, written in plain words and saved in an ordinary file."
links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def tree(root: Path, *names: str) -> Path:
    """Files of these names, each holding its own name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return root


def ids(source: object) -> list[str]:
    return [document.id for document in source]  # type: ignore[attr-defined]


def test_ids_are_what_llm_gives_and_sorted(tmp_path: Path) -> None:
    tree(tmp_path, "b.md", "a.md", "sub/deep/c.md", "sub/x.txt")
    assert ids(Files(tmp_path, "**/*.md")) == ["a.md", "b.md", "sub/deep/c.md"]
    assert ids(Files(tmp_path, "*.md")) == ["a.md", "b.md"]
    assert ids(Files(tmp_path, "sub/**")) == ["sub/deep/c.md", "sub/x.txt"]
    assert ids(Files(tmp_path, ["*.md", "**/*.md", "sub/*.txt"], prefix="n/")) == [
        "n/a.md",
        "n/b.md",
        "n/sub/deep/c.md",
        "n/sub/x.txt",
    ]


@pytest.mark.parametrize(
    "pattern", ["*.md", "**/*.md", "*/*", "**/d/*", "a/**/*.md", "*/?.md", "[ab]/*.md", "a/d/x.md", "**/*/*.md"]
)
def test_patterns_match_what_pathlib_matches(tmp_path: Path, pattern: str) -> None:
    tree(tmp_path, "x.md", "a/x.md", "a/d/x.md", "a/d/e/y.md", "b/z.txt", "b/d/w.md", "c.txt")
    expected = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.glob(pattern) if p.is_file())
    assert sorted(ids(Files(tmp_path, pattern))) == expected


def test_real_folder_gives_the_ids_of_pathlib(data: Path) -> None:
    expected = {p.relative_to(data / "til").as_posix() for p in (data / "til").glob("**/*.md")}
    source = Files(data / "til", "**/*.md")
    assert set(ids(source)) == expected
    assert source.size == len(expected) == 472


@pytest.mark.parametrize("pattern", ["", "/etc/*", "../*", "a/../../*", "**.md"])
def test_pattern_that_leaves_the_folder_or_means_nothing_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UnreadableSource, match="pattern"):
        Files(tmp_path, pattern)


def test_single_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden")
    (document,) = Files(tmp_path / ".hidden")
    assert (document.id, document.content, document.metadata) == (".hidden", ".hidden", None)


def test_home_expands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    tree(tmp_path, "notes/a.md")
    assert ids(Files("~/notes")) == ["a.md"]


@pytest.mark.parametrize("name", ["nowhere", "a\0b"])
def test_folder_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableSource):
        Files(f"{tmp_path}/{name}")


def test_default_skips_and_everything(tmp_path: Path) -> None:
    tree(tmp_path, "a.md", ".env", ".git/config", "node_modules/p/r.md", "venv/pyvenv.cfg", "venv/r.md", "__pycache__/x.md")
    (tmp_path / "b.md").write_bytes(b"\x89PNG\0\0\0\0")
    source = Files(tmp_path)
    assert ids(source) == ["a.md"]
    assert source.left_out == {"hidden": 2, "node_modules": 1, "virtual environment": 1, "__pycache__": 1, "binary": 1}
    assert source.problem_count == 0
    whole = Files(tmp_path, everything=True)
    assert len(ids(whole)) == 7
    assert [problem.name for problem in whole.problems] == ["b.md"]


@pytest.mark.parametrize("root", [".hidden", "node_modules", "venv", ".git", "ignored"])
def test_folder_named_is_read_whatever_it_is(tmp_path: Path, root: str) -> None:
    tree(tmp_path, ".git/HEAD", "pyvenv.cfg", f"{root}/pyvenv.cfg", f"{root}/a.md", f"{root}/sub/b.md", f"{root}/c.log")
    (tmp_path / ".gitignore").write_text(f"{root}/\n*.log\n")
    assert ids(Files(tmp_path / root, "**/*.*")) == ["a.md", "pyvenv.cfg", "sub/b.md"]
    assert ids(Files(tmp_path / root / "sub")) == ["b.md"]


def test_folder_below_a_skipped_one_is_read(tmp_path: Path) -> None:
    tree(tmp_path, ".cache/node_modules/pkg/a.md")
    assert ids(Files(tmp_path / ".cache" / "node_modules" / "pkg")) == ["a.md"]


def test_what_a_pattern_spells_is_not_skipped(tmp_path: Path) -> None:
    tree(
        tmp_path,
        ".github/w.yml",
        ".github/.x/y.yml",
        "node_modules/a/b.md",
        "dist/o.md",
        "dist/o.log",
        ".env",
        "a.md",
        ".git/c",
    )
    (tmp_path / ".gitignore").write_text("dist/*\n*.log\n")
    assert ids(Files(tmp_path, ".github/*.yml")) == [".github/w.yml"]
    assert ids(Files(tmp_path, [".*", "**/*.md"])) == [".env", ".gitignore", "a.md"]
    assert ids(Files(tmp_path, ["node_modules/*/*.md", "dist/**"])) == ["dist/o.md", "node_modules/a/b.md"]


def test_gitignore_at_every_level(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "a.md",
        "a.tmp",
        "keep.tmp",
        "build/x.md",
        "docs/b.tmp",
        "docs/c.md",
        "docs/build/y.md",
        "docs/deep/c.md",
        "docs/only/z.md",
    )
    (tmp_path / ".gitignore").write_text("# comment\n*.tmp\n!keep.tmp\n/build/\n!\n")
    (tmp_path / "docs" / ".gitignore").write_text("!b.tmp\n/c.md\nonly/\n")
    source = Files(tmp_path)
    assert ids(source) == ["a.md", "docs/b.tmp", "docs/build/y.md", "docs/deep/c.md", "keep.tmp"]
    assert source.left_out[".gitignore"] == 4


def test_gitignore_agrees_with_git(tmp_path: Path) -> None:
    import shutil
    import subprocess

    git = shutil.which("git")
    if not git:
        pytest.skip("no git")
    tree(
        tmp_path, "a.md", "b.log", "x/a.md", "x/b.log", "x/keep/b.log", "x/y/z/deep.md", "out/a.md", "out/keep.md",
        "foo bar/a.md", "n/out/a.md", "v/a.md", "v/in/b.md", "v/in/keep.md", "bin/bin/a.md", "l/[x].md", "l/a.md",
        "w/only.txt", "w/yes.md", "w/sub/yes.md", "q/deep.md", "q/r/deep.md", "#hash/a.md", "t/sp ace.md",
    )  # fmt: skip
    (tmp_path / ".gitignore").write_text(
        "*.log\n/out/*\n!/out/keep.md\nfoo\\ bar/\nx/**/deep.md\n\\#hash\nsp ace.md \n"
        "v/*\n!v/in/\nv/in/*\n!v/in/keep.md\n/bin/bin\nl/\\[x].md\n[!a-z]x/\n**/z/**\n/\n!\n"
    )
    (tmp_path / "x" / ".gitignore").write_text("!keep/*.log\n")
    (tmp_path / "w" / ".gitignore").write_text("*\n!*/\n!*.md\n")
    (tmp_path / "q" / ".gitignore").write_text("/deep.md\n")
    subprocess.run([git, "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        [git, "ls-files", "-z", "--others", "--exclude-standard"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    expected = {name for name in listed.split("\0") if name and not name.endswith(".gitignore")}
    assert set(ids(Files(tmp_path))) == expected


def test_rules_of_the_repository_above_hold_below_the_folder_named(tmp_path: Path) -> None:
    tree(tmp_path, ".git/HEAD", "sub/a.md", "sub/a.log", "sub/gen/b.md", "sub/logs/c.md")
    (tmp_path / ".gitignore").write_text("*.log\nsub/gen/\n")
    assert ids(Files(tmp_path / "sub")) == ["a.md", "logs/c.md"]
    (tmp_path / ".gitignore").write_text("*\n!*/\n!*.md\n")  # everything but Markdown, everywhere
    assert ids(Files(tmp_path / "sub")) == ["a.md", "gen/b.md", "logs/c.md"]
    (tmp_path / ".gitignore").write_text("*\n")  # a home folder kept in git this way
    assert ids(Files(tmp_path / "sub" / "logs")) == ["c.md"]
    (tmp_path / ".gitignore").write_text("sub/*\n")
    assert ids(Files(tmp_path / "sub")) == ["a.log", "a.md", "gen/b.md", "logs/c.md"]


def test_rules_above_count_only_inside_a_repository(tmp_path: Path) -> None:
    tree(tmp_path, "sub/a.log")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert ids(Files(tmp_path / "sub")) == ["a.log"]


@links
def test_links_to_folders_end_and_links_to_files_are_read(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.md", "outside/y.md")
    root = tmp_path / "a"
    (root / "loop").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "self.md").symlink_to(root / "self.md")
    (root / "gone.md").symlink_to(root / "nothing")
    (root / "copy.md").symlink_to(root / "x.md")
    (root / "other").symlink_to(tmp_path / "outside")
    source = Files(root, "**/*.md")
    assert ids(source) == ["copy.md", "x.md"]
    assert {p.name: p.reason for p in source.problems} == {
        "self.md": "it is a link that leads nowhere",
        "gone.md": "it is a link that leads nowhere",
    }
    assert ids(Files(root, "other/**")) == ["other/y.md"]
    assert ids(Files(root, "loop/**/x.md")) == ["loop/x.md"]


def test_folder_named_like_a_file_is_reported(tmp_path: Path) -> None:
    tree(tmp_path, "x.md/inside.md", "plain/b.md")
    source = Files(tmp_path, "**/*.md")
    assert ids(source) == ["plain/b.md", "x.md/inside.md"]
    assert [p.name for p in source.problems] == ["x.md"]
    assert ids(Files(tmp_path, "**/*")) == ["plain/b.md", "x.md/inside.md"]


def test_vanished_and_forbidden_files_are_reported_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.md", "b.md", "c.md", "d.md")
    really = Path.read_bytes

    def read_bytes(path: Path) -> bytes:  # simulated: the tests may run as a user whom nothing is forbidden
        if path.name == "c.md":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    told: list[object] = []
    source = Files(tmp_path, "*.md", on_problem=told.append)
    running = iter(source)
    assert next(running).id == "a.md"
    (tmp_path / "b.md").unlink()
    assert [document.id for document in running] == ["d.md"]
    assert source.problems == told == [("b.md", "it vanished during the run"), ("c.md", "no permission to read it")]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_folder_without_permission_is_reported(tmp_path: Path) -> None:
    tree(tmp_path, "a.md", "shut/b.md")
    (tmp_path / "shut").chmod(0)
    try:
        source = Files(tmp_path)
        assert ids(source) == ["a.md"]
        assert source.problems == [("shut/", "no permission to read it")]
        with pytest.raises(UnreadableSource, match="no permission"):
            list(Files(tmp_path / "shut"))
    finally:
        (tmp_path / "shut").chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders there")
def test_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    tree(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe.md")
    source = Files(tmp_path)
    assert ids(source) == ["a.md"]
    assert source.problems[0].name == "pipe.md"


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_name_that_is_not_unicode_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("x")
    source = Files(tmp_path)
    assert ids(source) == []
    assert source.problems[0].name == r"caf\udce9.md"


def test_empty_file_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    (document,) = Files(tmp_path)
    assert document.content == ""


@links
def test_name_with_a_newline_is_an_id_and_told_on_one_line(tmp_path: Path) -> None:
    tree(tmp_path, "a\nb.md")
    assert ids(Files(tmp_path)) == ["a\nb.md"]
    (tmp_path / "a\nb.md").write_bytes(b"\x82\xa0")
    source = Files(tmp_path, prefix="p/")
    assert ids(source) == []
    assert source.problems[0].name == r"a\nb.md"
    assert source.unread == ["p/a\nb.md"]


def test_binary_gives_bytes(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"\x89PNG\0\r\n")
    (document,) = Files(tmp_path, "*.png", binary=True)
    assert document.content == b"\x89PNG\0\r\n"


def test_line_ends_are_read_as_python_and_llm_read_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n")
    (document,) = Files(tmp_path)
    assert document.content == "one\ntwo\nthree\n" == (tmp_path / "a.txt").read_text(encoding="utf-8")


def test_nul_in_text_asked_for_by_name_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\0two")
    (document,) = Files(tmp_path / "a.txt")
    assert document.content == "one\0two"


def test_unknown_encoding_is_an_error_at_once(tmp_path: Path) -> None:
    for name in ("klingon", "rot13"):
        with pytest.raises(UnreadableSource, match=name):
            Files(tmp_path, encodings=[name])


TEXTS = {
    "French": "L'été dernier, nous sommes allés à la plage près de Saint-Malo. Ça ne fait rien, le café était fermé.",
    "German": "Die Straße nach München führt über eine schöne Brücke. Größere Verspätungen sind möglich.",
    "Spanish": "El niño pequeño comió una manzana por la mañana. ¿Qué pasó después? La situación económica mejoró.",
    "Swedish": "Där går en gammal man över ån på väg hem. Många människor åker dit för att äta blåbär.",
    "quotes": "He said “don’t worry” — the price is €5… It’s the café’s naïve façade.",
    "Polish": "Dziś jest bardzo ładna pogoda, więc poszliśmy na spacer. Dużo ludzi ćwiczyło, a dzieci puszczały latawce.",
    "Czech": "Příliš žluťoučký kůň úpěl ďábelské ódy. Dnes je hezké počasí, a proto jsme šli na procházku do parku.",
    "Turkish": "Bugün hava çok güzel, bu yüzden parka yürüyüşe gittik. Işıklar söndü, çocuklar uçurtma uçuruyordu.",
    "Russian": "Сегодня очень хорошая погода, поэтому мы пошли гулять в парк. Там было много людей.",
    "Greek": "Σήμερα ο καιρός είναι πολύ καλός, γι' αυτό πήγαμε μια βόλτα στο πάρκο με τα παιδιά.",
    "simplified": "今天天气很好，我们一起去公园散步。公园里有很多人在锻炼身体，还有孩子们在放风筝。",
    "traditional": "今天天氣很好，我們一起去公園散步。公園裡有很多人在鍛鍊身體，還有孩子們在放風箏。",
    "Japanese": "今日はとても天気がいいので、公園を散歩しました。子供たちは凧を揚げていました。カタカナもあります。",
    "Korean": "오늘은 날씨가 아주 좋아서 우리는 함께 공원에서 산책했습니다. 운동하는 사람들이 많이 있었습니다.",
    "mixed": "Notes about SQLite: 使用 vec0 虛擬表 table to store vectors. The quick brown fox 你好 jumps.",
}
WRITTEN = [
    ("French", "latin-1"), ("German", "latin-1"), ("Spanish", "latin-1"), ("Swedish", "latin-1"), ("quotes", "cp1252"),
    ("Polish", "cp1250"), ("Polish", "iso8859-2"), ("Czech", "cp1250"), ("Turkish", "cp1254"), ("Russian", "cp1251"),
    ("Russian", "koi8-r"), ("Greek", "cp1253"), ("simplified", "gb18030"), ("traditional", "gb18030"), ("traditional", "big5"),
    ("Japanese", "shift_jis"), ("Japanese", "euc_jp"), ("Korean", "cp949"), ("mixed", "big5"), ("mixed", "gb18030"),
]  # fmt: skip
WIDE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize(("language", "encoding"), WRITTEN + [(name, encoding) for name in TEXTS for encoding in WIDE])
@pytest.mark.parametrize("times", [1, 30])
def test_paragraph_in_the_encodings_people_use(tmp_path: Path, language: str, encoding: str, times: int) -> None:
    text = f"{ENGLISH} {ENGLISH}\n" * (times - 1) + TEXTS[language] + "\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    source = Files(tmp_path)
    assert [document.content for document in source] == [text], source.problems


@pytest.mark.parametrize(
    "data",
    [
        "今天天气很好，我们去公园散步。".encode()[:-2],  # cut inside a character
        "今天天气很好，我们去公园散步。".encode().replace(b"\xe5", b"\xff", 1),
        b"\x82\xa0",  # too little to tell
        "“Czech” cafè".encode("cp437", "replace") + b"\x8a\x81\x9d\x8f",
        bytes(range(128, 256)) * 4,
        "你好".encode("gb18030"),
        "L'été à la mer, un café noir".encode("cp850"),
    ],
)
def test_text_whose_encoding_cannot_be_decided_is_reported_not_garbled(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / "b.txt").write_text("fine")
    source = Files(tmp_path)
    assert ids(source) == ["b.txt"]
    assert source.problems[0].name == "a.txt"
    assert len(source.problems[0].reason.splitlines()) == 1


def test_declared_encodings_come_before_detection() -> None:
    data = TEXTS["simplified"].encode("gb18030")
    assert decode(data, ["latin-1"]) == data.decode("latin-1")
    assert decode(data, ["ascii", "gb18030"]) == TEXTS["simplified"]
    assert decode("né".encode(), ["latin-1"]) == "né"  # UTF-8 first


def test_real_chinese_is_never_garbled(data: Path) -> None:
    import json

    lines = (data / "retrieval" / "cmrc2018-dev" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    right = refused = 0
    for line in lines[:200]:
        text = json.loads(line)["text"]
        try:
            right += decode(text.encode("gb18030")) == text
        except UnreadableSource:
            refused += 1
    assert right + refused == 200
    assert right >= 198


def test_problems_are_counted_beyond_those_remembered(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"{number}.md").mkdir()
    source = Files(tmp_path, "*.md")
    assert ids(source) == []
    assert (source.problem_count, len(source.problems)) == (120, 100)
    assert ids(source) == []
    assert source.problem_count == 120  # of the latest run


def test_a_pattern_that_names_pictures_gives_them_where_nobody_said_what_a_model_reads(tmp_path: Path) -> None:
    from PIL import Image

    tree(tmp_path, "notes.md")
    Image.new("RGB", (4, 3), "red").save(tmp_path / "red.png")
    (named,) = Files(tmp_path, "*.png")
    assert isinstance(named.content, bytes)
    assert named.metadata is not None
    assert (named.metadata["media"], named.metadata["width"]) == ("image", 4)
    assert ids(Files(tmp_path)) == ["notes.md"]
    assert ids(Files(tmp_path, ["*.png", "*.md"])) == ["notes.md", "red.png"]
    assert ids(Files(tmp_path / "red.png")) == ["red.png"]
