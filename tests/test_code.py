"""Code: what is a definition in eleven languages, its id and lines; what is read of bad files; a collection of functions."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import time
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import cosimo
from cosimo.core import registry
from cosimo.core.errors import DataError, MissingExtra, UnreadableSource
from cosimo.core.types import Hit
from cosimo.interfaces.cli import cli, excerpts
from cosimo.sources import grammars
from cosimo.sources.beir import load_beir
from cosimo.sources.code import Code
from cosimo.sources.definitions import definitions
from cosimo.sources.readable import readable, words
from cosimo.verbs.evaluate import evaluate

pytest.importorskip("tree_sitter", reason="needs pip install 'cosimo[code]'")

SAMPLES = {
    "python": (
        '@cache\ndef top(a, b=1):\n    """Add two."""\n    def inner():\n        pass\n    return a\n\n'
        "if True:\n    async def top():\n        return 2\n\n"
        "class Shop:\n    'Sells things.'\n    @property\n    def price(self) -> int:\n        return 1\n"
        "    class Till:\n        def ring(self): ...\n",
        {
            "top": ("function", 1, 2, 6), "top.inner": ("function", 4, 4, 5), "top#2": ("function", 9, 9, 10),
            "Shop": ("class", 12, 12, 18), "Shop.price": ("method", 14, 15, 16), "Shop.Till": ("class", 17, 17, 18),
            "Shop.Till.ring": ("method", 18, 18, 18),
        },
    ),
    "javascript": (
        "/** Adds. */\nexport function add(a, b) { return a + b }\nconst twice = (x) => x * 2;\n"
        "class Shop {\n  static #open() {}\n  close = () => 1;\n  get price() { return 1 }\n}\n"
        "Shop.prototype.sell = function sell(what) { function pack() {} };\n"
        "module.exports = function () {};\nexports.late = async () => {};\n"
        "const api = { list() {}, make: function () {}, deep: { er: () => 1 } };\n",
        {
            "add": ("function", 2, 2, 2), "twice": ("function", 3, 3, 3), "Shop": ("class", 4, 4, 8),
            "Shop.#open": ("method", 5, 5, 5), "Shop.close": ("method", 6, 6, 6), "Shop.price": ("method", 7, 7, 7),
            "Shop.sell": ("function", 9, 9, 9), "Shop.sell.pack": ("function", 9, 9, 9), "default": ("function", 10, 10, 10),
            "late": ("function", 11, 11, 11), "api.list": ("method", 12, 12, 12), "api.make": ("function", 12, 12, 12),
            "api.deep.er": ("function", 12, 12, 12),
        },
    ),
    "typescript": (
        "interface Shape { area(): number }\nenum Color { Red }\nabstract class Base<T> {\n  abstract name(): string;\n"
        "  @log\n  run(x: T): void {}\n}\nfunction pick(a: string): void;\nfunction pick(a: number): void;\n"
        "function pick(a: any) { }\nnamespace Deep { export const f = <T,>(x: T) => x }\ndeclare function there(): void;\n",
        {
            "Shape": ("interface", 1, 1, 1), "Shape.area": ("method", 1, 1, 1), "Color": ("enum", 2, 2, 2),
            "Base": ("class", 3, 3, 7), "Base.name": ("method", 4, 4, 4), "Base.run": ("method", 5, 6, 6),
            "pick": ("function", 10, 10, 10), "Deep.f": ("function", 11, 11, 11), "there": ("function", 12, 12, 12),
        },
    ),
    "go": (
        "package a\n\n// Run runs.\n// Twice.\nfunc Run() error { return nil }\n\ntype Server struct { port int }\n"
        "func (s *Server) Stop() {}\nfunc (b Box[T]) Get() T { return b.x }\ntype (\n\tReader interface { Read() }\n)\n",
        {
            "Run": ("function", 5, 5, 5), "Server": ("struct", 7, 7, 7), "Server.Stop": ("method", 8, 8, 8),
            "Box.Get": ("method", 9, 9, 9), "Reader": ("interface", 11, 11, 11),
        },
    ),
    "rust": (
        "/// A circle.\n#[derive(Debug)]\npub struct Circle<T> { r: T }\n"
        "impl<T> Circle<T> { pub fn area(&self) -> f64 { 1.0 } }\n"
        "impl fmt::Display for Circle<u8> { fn fmt(&self) {} }\nimpl Debug for Circle<u8> { fn fmt(&self) {} }\n"
        "trait Shape { fn name(&self); fn twice(&self) { } }\nmod tests { fn helper() {} }\nenum Kind { A }\n",
        {
            "Circle": ("struct", 2, 3, 3), "Circle.area": ("method", 4, 4, 4), "Circle.Display.fmt": ("method", 5, 5, 5),
            "Circle.Debug.fmt": ("method", 6, 6, 6), "Shape": ("trait", 7, 7, 7), "Shape.name": ("method", 7, 7, 7),
            "Shape.twice": ("method", 7, 7, 7), "tests.helper": ("function", 8, 8, 8), "Kind": ("enum", 9, 9, 9),
        },
    ),
    "java": (
        "package a;\n/** A shop. */\npublic class Shop<T> {\n  Shop() {}\n  @Override\n  public int sell(int a) { return a; }\n"
        "  int sell(String a) { return 1; }\n  interface Till { void ring(); }\n  enum E { A }\n}\nrecord Point(int x) { }\n",
        {
            "Shop": ("class", 3, 3, 10), "Shop.Shop": ("method", 4, 4, 4), "Shop.sell": ("method", 5, 6, 6),
            "Shop.sell#2": ("method", 7, 7, 7), "Shop.Till": ("interface", 8, 8, 8), "Shop.Till.ring": ("method", 8, 8, 8),
            "Shop.E": ("enum", 9, 9, 9), "Point": ("class", 11, 11, 11),
        },
    ),
    "c": (
        "#include <a.h>\n/* Adds. */\n"
        "static int\nadd(int a) { return a; }\nint declared(int);\nchar **names(void) { return 0; }\n"
        "struct point { int x; };\ntypedef struct { int y; } Box;\nenum color { RED };\n",
        {
            "add": ("function", 3, 4, 4), "names": ("function", 6, 6, 6), "point": ("struct", 7, 7, 7),
            "Box": ("struct", 8, 8, 8), "color": ("enum", 9, 9, 9),
        },
    ),
    "cpp": (
        "namespace geo {\n// A circle.\nclass Circle {\n public:\n  double area() const { return 1; }\n  ~Circle();\n};\n"
        "Circle::~Circle() {}\ntemplate <typename T>\nT& max(T a) { return a; }\n"
        "bool operator==(const Circle& a, const Circle& b) { return true; }\n}\nstd::string& geo::name() { }\n",
        {
            "geo.Circle": ("class", 3, 3, 7), "geo.Circle.area": ("method", 5, 5, 5), "geo.Circle.~Circle": ("method", 8, 8, 8),
            "geo.max": ("function", 9, 10, 10), "geo.operator==": ("function", 11, 11, 11), "geo.name": ("method", 13, 13, 13),
        },
    ),
    "ruby": (
        "# A shop.\nclass Store::Shop < Base\n  def self.open(x) = 1\n  # Sells.\n  def sell!(a)\n    a\n  end\n"
        "  class << self\n    def make; end\n  end\nend\nmodule Tools\n  def [](x); end\nend\ndef top; end\n",
        {
            "Store.Shop": ("class", 2, 2, 11), "Store.Shop.open": ("method", 3, 3, 3), "Store.Shop.sell!": ("method", 5, 5, 7),
            "Store.Shop.make": ("method", 9, 9, 9), "Tools": ("module", 12, 12, 14), "Tools.[]": ("method", 13, 13, 13),
            "top": ("function", 15, 15, 15),
        },
    ),
    "php": (
        "<html><?php\nnamespace A;\n/** Adds. */\nfunction add($a) { return $a; }\nabstract class Shop {\n"
        "  public function sell($x) { }\n"
        "  abstract function buy();\n}\ninterface I { }\ntrait T { function t() {} }\nenum E { }\n?>",
        {
            "add": ("function", 4, 4, 4), "Shop": ("class", 5, 5, 8), "Shop.sell": ("method", 6, 6, 6),
            "Shop.buy": ("method", 7, 7, 7), "I": ("interface", 9, 9, 9), "T": ("trait", 10, 10, 10),
            "T.t": ("method", 10, 10, 10), "E": ("enum", 11, 11, 11),
        },
    ),
    "csharp": (
        "namespace A.B {\n  /// <summary>A shop.</summary>\n  [Serializable]\n  public class Shop {\n    public Shop() { }\n"
        "    public int Sell(int a) => a;\n    void Outer() { int Local() { return 1; } }\n  }\n"
        "  struct P { }\n  interface I { void F(); }\n"
        "  record R(int X);\n}\n",
        {
            "Shop": ("class", 3, 4, 8), "Shop.Shop": ("method", 5, 5, 5), "Shop.Sell": ("method", 6, 6, 6),
            "Shop.Outer": ("method", 7, 7, 7), "Shop.Outer.Local": ("function", 7, 7, 7), "P": ("struct", 9, 9, 9),
            "I": ("interface", 10, 10, 10), "I.F": ("method", 10, 10, 10), "R": ("class", 11, 11, 11),
        },
    ),
}  # fmt: skip
DOCS = {
    "python": ("top", "Add two."), "javascript": ("add", "Adds."), "go": ("Run", "Run runs.\nTwice."),
    "rust": ("Circle", "A circle."), "java": ("Shop", "A shop."), "c": ("add", "Adds."), "cpp": ("geo.Circle", "A circle."),
    "ruby": ("Store.Shop.sell!", "Sells."), "php": ("add", "Adds."), "csharp": ("Shop", "A shop."),
}  # fmt: skip


def write(folder: Path, **files: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def ids(source: Code) -> list[str]:
    return [document.id for document in source]


@pytest.mark.parametrize("language", SAMPLES)
def test_definitions_of_a_language_with_kind_and_lines(language: str) -> None:
    text, expected = SAMPLES[language]
    found = definitions(text, grammars.grammar(language))
    assert {each.name: (each.kind, each.start, each.line, each.end) for each in found.definitions} == expected
    assert found.error is None


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("javascript", "obj['x y'] = function () {}", "obj.x y"),
        ("javascript", "class A { ['a b']() {} [Symbol.iterator]() {} }", "A, A.a b, A.Symbol.iterator"),
        ("typescript", "const a = { f: () => 1 } as const; type T = { m(): void }", "a.f, T.m"),
        ("tsx", "const Box = React.memo(({ a }) => <p>{a}</p>); const s = list.map((x) => x)", "Box"),
        ("go", "package a\nvar h = func() {}\nfunc f() {\n\tg := func() {}\n}\n", "h, f, f.g"),
        ("rust", "impl<'a, T> Show for &'a mut [T] { fn show(&self) {} }", "T.Show.show"),
        ("ruby", "class A\n  def []=(i) = 1\n  P = Struct.new(:a) do\n    def q; end\n  end\nend\n", "A, A.[]=, A.P.q"),
        ("php", "<?php $f = function () {}; $g = fn($x) => $x;", "f, g"),
        ("csharp", "class P { int A => 1; int B { get { return 1; } } int C { get; } int this[int i] => i; ~P() {} "
         "public static P operator +(P a, P b) => a; }", "P, P.A, P.B, P.this, P.P, P.+"),
        ("cpp", "struct A { operator bool() const {} T& operator[](int i) {} };\ntemplate <> void V<int>::f<B<C>>() {}",
         "A, A.operator bool, A.operator[], V.f"),
        ("cpp", "class UI_API Button : public Widget { void press() {} };\nstruct OLD(1) Box final {};",
         "Button, Button.press, Box"),
        ("cpp", "TEST_F(Parser, ReadsNumbers) { }\nTEST(A, B) { }", "Parser.ReadsNumbers, A.B"),
    ],
)  # fmt: skip
def test_odd_definitions_have_the_names_that_people_know(language: str, text: str, names: str) -> None:
    assert [each.name for each in definitions(text, grammars.grammar(language)).definitions] == names.split(", ")


def test_the_line_is_that_of_the_name_where_the_type_stands_above_it() -> None:
    (found,) = definitions("static PyObject *\ngreen(void)\n{\n}\n", grammars.grammar("c")).definitions
    assert (found.start, found.line, found.end) == (1, 2, 4)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("typescript", "class A {\n  @Input() name: string;\n  save() {}\n}"),
        ("csharp", "class A {\n  [Key] public int Id;\n  void Save() {}\n}"),
        ("cpp", "template <class T> struct A {};\n/* kept */ int x;\nvoid save() {}"),
    ],
)
def test_what_stands_before_something_else_on_the_line_above_is_not_a_definitions_own(language: str, text: str) -> None:
    saved = definitions(text, grammars.grammar(language)).definitions[-1]
    assert (saved.start, saved.line, saved.doc) == (3, 3, "")


def test_every_language_of_the_table_has_a_sample() -> None:
    assert sorted(SAMPLES) == sorted(grammars.languages())


@pytest.mark.parametrize("language", DOCS)
def test_a_docstring_or_the_comment_above_documents(language: str) -> None:
    name, doc = DOCS[language]
    found = {each.name: each for each in definitions(SAMPLES[language][0], grammars.grammar(language)).definitions}
    assert found[name].doc == doc


@pytest.mark.parametrize(
    ("language", "name", "signature"),
    [
        ("python", "top", "def top(a, b=1)"), ("python", "Shop.price", "def price(self) -> int"),
        ("javascript", "add", "export function add(a, b)"), ("javascript", "twice", "const twice = (x)"),
        ("go", "Server.Stop", "func (s *Server) Stop()"), ("go", "Reader", "Reader interface"),
        ("rust", "Circle.area", "pub fn area(&self) -> f64"), ("java", "Shop", "public class Shop<T>"),
        ("c", "add", "static int add(int a)"), ("c", "Box", "typedef struct Box"), ("ruby", "top", "def top"),
        ("cpp", "geo.max", "T& max(T a)"),
        ("php", "Shop.buy", "abstract function buy()"),
    ],
)  # fmt: skip
def test_a_signature_is_what_stands_before_the_body(language: str, name: str, signature: str) -> None:
    found = {each.name: each for each in definitions(SAMPLES[language][0], grammars.grammar(language)).definitions}
    assert found[name].signature == signature


def test_a_signature_over_several_lines_is_one_line_without_comments() -> None:
    text = "def f(\n    a,\n    b=(1, 2),\n):  # why\n    # and so\n    return a\n"
    (found,) = definitions(text, grammars.grammar("python")).definitions
    assert found.signature == "def f(a, b=(1, 2))"


def test_names_are_split_into_words() -> None:
    assert words("HTTPServer.list_plugins") == "http server list plugins"
    assert words("parseURL2#3") == "parse url 2"
    assert words("Shop.#open") == "shop open"
    assert words("Tools.[]") == "tools"
    assert words("[]") == "[]"
    assert words("読む_file") == "読む file"


def test_what_is_embedded_is_words_comment_and_code_cut_to_length() -> None:
    (found,) = definitions("// Adds.\nfunction addUp(a) { return a }\n", grammars.grammar("javascript")).definitions
    assert readable(found, "javascript") == "javascript add up\nAdds.\nfunction addUp(a) { return a }"
    (found,) = definitions('def f():\n    """Doc\n    more."""\n    return 1\n', grammars.grammar("python")).definitions
    assert readable(found, "python") == 'python f\ndef f():\n    """Doc\n    more."""\n    return 1'
    assert len(readable(found, "python", 12)) <= 12


def test_a_class_is_its_head_and_signatures_without_the_bodies_of_its_methods() -> None:
    text = "class A:\n    x = 1\n\n    def f(self):\n        return secret\n\n    y = 2\n"
    found = definitions(text, grammars.grammar("python")).definitions
    assert "secret" not in found[0].code
    assert "def f(self)" in found[0].code
    assert "y = 2" in found[0].code
    assert "secret" in found[1].code


def test_ids_metadata_and_content_of_a_folder(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src", pkg__a_dot_py="class A:\n    def run(self):\n        'Run it.'\n", b_dot_go="package b\nfunc B() {}\n"
    )
    documents = {document.id: document for document in Code(folder)}
    assert list(documents) == ["b.go:B", "pkg/a.py:A", "pkg/a.py:A.run"]
    assert documents["pkg/a.py:A.run"].metadata == {
        "file": "pkg/a.py", "line": 2, "start_line": 2, "end_line": 3, "name": "A.run", "kind": "method", "language": "python",
        "signature": "def run(self)", "docstring": "Run it.", "root": folder.resolve().as_posix(),
    }  # fmt: skip
    assert documents["b.go:B"].metadata["docstring"] is None


def test_one_file_is_read_whatever_folder_and_name_it_has(tmp_path: Path) -> None:
    folder = write(tmp_path / "node_modules", hidden_dot_py="def f(): pass\n", _dot_gitignore="*\n")
    assert ids(Code(folder / "hidden.py")) == ["hidden.py:f"]


def test_the_folder_given_is_read_even_in_a_virtual_environment_that_git_ignores(tmp_path: Path) -> None:
    write(tmp_path, _dot_git__HEAD="", _dot_gitignore=".venv/\n", _dot_venv__pyvenv_dot_cfg="")
    folder = write(tmp_path / ".venv" / "site-packages", a_dot_py="def f(): pass\n", __pycache____b_dot_py="def g(): pass\n")
    assert ids(Code(folder)) == ["a.py:f"]


def test_filters_by_language_kind_and_path(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src", a_dot_py="class A:\n    def f(self): pass\n", b_dot_ts="function g() {}\n",
        c_dot_tsx="const H = () => <p/>;\n", in__d_dot_py="def i(): pass\n", e_dot_h="int j(void) { return 1; }\n",
        f_dot_h="class K { int l() { return 1; } };\n",
    )  # fmt: skip
    assert ids(Code(folder, languages=["typescript"])) == ["b.ts:g", "c.tsx:H"]
    assert ids(Code(folder, languages=["c"])) == ["e.h:j"]
    assert ids(Code(folder, languages=["cpp"], kinds=["method"])) == ["f.h:K.l"]
    assert ids(Code(folder, kinds=["class"])) == ["a.py:A", "f.h:K"]
    assert ids(Code(folder, "in/**")) == ["in/d.py:i"]
    with pytest.raises(DataError, match="no language is called 'cobol'"):
        Code(folder, languages=["cobol"])
    assert len({Code(folder).label, Code(folder, kinds=["class"]).label, Code(folder, "in/**").label}) == 3


def test_ids_are_unique_even_where_names_try_not_to_be(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src",
        a_dot_js='function f() {}\nfunction f() {}\nclass A { "f#2"() {} }\nconst o = { "f#2": () => 1, f() {}, f() {} };\n',
        b_dot_js='const x = { "c.js:f": () => 1, "": () => 2 };\nexport default () => 1;\n',
        many_dot_py="def f(): pass\n" * 500,
    )
    found = ids(Code(folder))
    assert len(found) == len(set(found))
    assert {"a.js:f", "a.js:f#2", "many.py:f", "many.py:f#500"} <= set(found)
    assert all(id.count(":") == 1 for id in found)


def test_a_syntax_error_keeps_what_parses_and_names_the_file(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src", bad_dot_py="def good():\n    return 1\n\ndef bad(:\n    return\n\nclass Fine:\n    x = 1\n"
    )
    source = Code(folder)
    assert {"bad.py:good", "bad.py:Fine"} <= set(ids(source))
    assert [problem.name for problem in source.problems] == ["bad.py"]
    assert "syntax error in line 4" in source.problems[0].reason
    assert source.unread == ["bad.py"]


def test_where_the_grammar_fails_and_python_does_not_nothing_is_lost() -> None:
    text = "def f():\n    (bar.\nbaz)\n    (bar.\nbaz(\n))\n    files().setdefault(\n        0\n    )\n"
    text += "\n@dec\ndef g():\n    pass\n\ndef f(): pass\n"
    found = definitions(text, grammars.grammar("python"))
    assert [(each.name, each.start, each.line) for each in found.definitions] == [("f", 1, 1), ("g", 11, 12), ("f#2", 15, 15)]
    assert found.error is None


def test_files_that_hold_no_program(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src", empty_dot_py="", blank_dot_py="\n \n", binary_dot_py=bytes(range(256)) * 40,
        notes_dot_txt="def f(): pass",
        image_dot_c=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(2000),
    )  # fmt: skip
    source = Code(folder)
    assert ids(source) == []
    assert source.problem_count == 0
    assert source.left_out["binary"] == 2


def test_encodings_and_nuls(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "src",
        latin_dot_py='def f():\n    "Gr\xf6\xdfe"\n'.encode("latin-1"),
        koi_dot_py='# -*- coding: koi8-r -*-\ndef g():\n    "Привет"\n'.encode("koi8-r"),
        odd_dot_py="# coding: nonsense\ndef h():\n    'x\xff'\n".encode("latin-1"),
        bom_dot_py=b"\xef\xbb\xbfdef i(): pass\r\n",
        wide_dot_py="def j(): 'ж'\n".encode("utf-16"),
        nul_dot_py=b"# " + b"x" * 9000 + b"\ndef k():\n    return '\0'\n",
    )
    source = Code(folder)
    found = {document.id: document for document in source}
    assert source.problem_count == 0
    assert found["latin.py:f"].metadata["docstring"] == "Größe"
    assert found["koi.py:g"].metadata["docstring"] == "Привет"
    assert found["odd.py:h"].metadata["line"] == 2
    assert found["bom.py:i"].metadata["line"] == 1
    assert found["wide.py:j"].metadata["docstring"] == "ж"
    assert "\0" not in found["nul.py:k"].content


def test_a_minified_file_is_left_out_and_can_be_asked_for(tmp_path: Path) -> None:
    line = "function a(b,c){return b+c};var d=function(e){e.x(1)};" * 95_000  # 5 MB
    folder = write(tmp_path / "src", big_dot_js=line, small_dot_min_dot_js="function a(){}")
    source = Code(folder)
    assert ids(source) == []
    assert source.left_out["minified"] == 2
    asked = write(tmp_path / "one", big_dot_js=line[:540_000])  # the same in less time
    found = list(Code(asked / "big.js"))
    assert len(found) == 20_000
    assert max(len(document.content) for document in found) <= 1_500


def test_one_long_line_among_others_leaves_nothing_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", data_dot_py=f"X = '{'y' * 20_000}'\n" + "def f():\n    return 1\n" * 60)
    assert len(ids(Code(folder))) == 60


def test_deep_nesting_ends(tmp_path: Path) -> None:
    deep = "function f(){" * 5_000 + "}" * 5_000
    folder = write(
        tmp_path / "src", deep_dot_js=deep.replace("{", "{\n"), open_dot_js="{(" * 20_000, parens_dot_py="x = " + "(" * 20_000
    )
    source = Code(folder, everything=True)  # or they would be left out as minified
    found = list(source)
    assert len(found) == len({document.id for document in found}) == 5_000
    assert max(len(document.id) for document in found) < 200
    assert {problem.name for problem in source.problems} == {"open.js", "parens.py"}


def test_what_cannot_be_parsed_in_time_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammars, "PATIENCE", (0.0, 0.0))
    folder = write(tmp_path / "src", big_dot_py="def f(): pass\n" * 10_000, small_dot_py="def g(): pass\n")
    source = Code(folder)
    assert ids(source) == ["small.py:g"]
    assert "could not be parsed" in source.problems[0].reason


def test_links(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", a_dot_py="def f(): pass\n")
    try:
        (folder / "loop").symlink_to(folder)
        (folder / "self.py").symlink_to(folder / "self.py")
        (folder / "gone.txt").symlink_to(folder / "nothing")
    except OSError:
        pytest.skip("no links here")
    source = Code(folder)
    assert ids(source) == ["a.py:f"]
    assert [problem.name for problem in source.problems] == ["self.py"]


def test_a_path_that_is_not_there_or_no_program(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="there is no folder or file"):
        Code(tmp_path / "nothing")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UnreadableSource, match="has no ending of a program"):
        Code(tmp_path / "a.txt")
    with pytest.raises(UnreadableSource, match="not from a stream"):
        cosimo.read(io.BytesIO(b"x"), code=True)


@pytest.mark.skipif(os.name == "nt", reason="there is no /dev/null")
def test_a_device_is_no_program_and_an_empty_name_no_folder() -> None:
    with pytest.raises(UnreadableSource, match="no ending of a program"):
        Code("/dev/null")
    assert CliRunner().invoke(cli, ["code", ""]).exit_code == 2


def test_a_missing_grammar_is_named_once_with_the_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**grammars._rows()["ruby"], "package": "tree_sitter_of_no_wheel"}
    monkeypatch.setitem(grammars._rows(), "ruby", row)
    monkeypatch.setitem(registry.EXTRAS, "tree_sitter_of_no_wheel", "code")
    grammars.grammar.cache_clear()
    folder = write(tmp_path / "src", a_dot_rb="def f; end\n", b_dot_rb="def g; end\n", c_dot_py="def h(): pass\n")
    try:
        source = Code(folder)
        assert ids(source) == ["c.py:h"]
        assert (len(source.problems), source.problem_count, source.unread) == (1, 2, ["a.rb", "b.rb"])
        assert "pip install 'cosimo[code]'" in source.problems[0].reason
    finally:
        grammars.grammar.cache_clear()


def test_without_tree_sitter_the_pip_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    source = Code(write(tmp_path / "src", a_dot_py="def f(): pass\n"))
    with pytest.raises(MissingExtra, match=r"pip install 'cosimo\[code\]'"):
        list(source)


def test_every_definition_that_ast_finds_in_the_standard_library_has_one_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [path for path in sorted(root.rglob("*.py")) if not {"site-packages", "dist-packages"}.intersection(path.parts)]
    expected: set[tuple[str, int, str]] = set()
    for path in files:
        with warnings.catch_warnings(action="ignore"), contextlib.suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    expected.add((path.relative_to(root).as_posix(), node.lineno, node.name))
    started = time.process_time()
    folders = {path.relative_to(root).parts[0] for path in files if path.parent != root}
    documents = list(Code(root, ["*.py", *(f"{folder}/**/*.py" for folder in sorted(folders))], everything=True))
    taken = time.process_time() - started
    names = [
        (d.metadata["file"], d.metadata["line"], d.metadata["name"].partition("#")[0].rpartition(".")[2]) for d in documents
    ]
    rows = [name for name in names if name in expected]
    assert len(documents) == len({document.id for document in documents})
    assert sorted(rows) == sorted(expected)
    with capsys.disabled():
        print(f"\n{len(expected):,} definitions in {len(files):,} files of {root}, one row each ({taken:.1f} s of one core)")


def test_a_moved_function_keeps_its_row_and_nothing_is_embedded(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", a_dot_py="def f():\n    return 1\n\ndef g():\n    return 2\n")
    with cosimo.open(tmp_path / "c.db") as db:
        functions = db.collection("functions", model="fake:32")
        source = cosimo.read(folder, code=True)
        first = functions.add(source, source=source.label, sync=True, passages=False)
        assert (first.added, first.embedded) == (2, 2)
        write(folder, a_dot_py="import os\n\n\ndef g():\n    return 2\n", b_dot_py="def f():\n    return 1\n")
        second = functions.add(source, source=source.label, sync=True)
        assert (second.added, second.unchanged, second.removed, second.embedded) == (1, 1, 1, 0)
        assert functions.get("a.py:g").metadata["line"] == 4
        assert functions.get("b.py:f").metadata["line"] == 1
        write(folder, a_dot_py="%%% )))\n", b_dot_py="def f():\n    return 3\n")
        third = functions.add(source, source=source.label, sync=True)
        assert (third.updated, third.embedded, third.removed) == (1, 1, 0)
        assert "a.py:g" in functions, "a file with a syntax error takes nothing away"


def test_in_c_what_is_gone_is_removed_although_macros_look_like_errors(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", a_dot_c="int f(void) { return 1; }\nint g(void) { return 2; }\nFOO(%%\n")
    with cosimo.open(tmp_path / "c.db") as db:
        functions = db.collection("functions", model="fake:32")
        source = cosimo.read(folder, code=True)
        functions.add(source, source=source.label, sync=True)
        write(folder, a_dot_c="int f(void) { return 1; }\nFOO(%%\n")
        assert functions.add(source, source=source.label, sync=True).removed == 1
        assert (source.problem_count, source.left_out["what macros hide"]) == (0, 1)
        write(folder, a_dot_c="%%% )))\n")
        assert ids(source) == []
        assert source.problem_count == 1, "no definition in it, and an error: not a program in C"


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "src",
        cli_dot_py='@command\ndef plugins(all):\n    """List the plugins."""\n    return installed()\n'
        "\n\nclass Shop:\n    pass\n",
    )

    def call(*arguments: str, input: str | None = None, code: int = 0) -> str:
        result = CliRunner().invoke(cli, arguments, input=input, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return call


def test_lines_of_json_hold_the_strings_id_and_content_only(run) -> None:
    records = [json.loads(line) for line in run("code", "src", "--nl").splitlines()]
    assert [list(record) for record in records] == [["id", "content"]] * 2
    assert all(isinstance(value, str) for record in records for value in record.values())
    (record,) = [json.loads(line) for line in run("code", "src", "--kind", "class", "--metadata").splitlines()]
    assert list(record) == ["id", "content", "metadata"]
    assert record["metadata"]["line"] == 7


def test_what_is_piped_into_embed_multi_keeps_its_metadata(run) -> None:
    lines = run("code", "src", "--nl", "--metadata")
    run("embed-multi", "piped", "-", "--format", "nl", "-m", "fake:16", "--store", "-d", "c.db", input=lines)
    (item,) = [json.loads(line) for line in run("get", "piped", "cli.py:plugins", "-d", "c.db").splitlines()]
    assert item["metadata"]["signature"] == "def plugins(all)"
    assert item["content"] == json.loads(lines.splitlines()[0])["content"]


def test_llm_reads_the_lines_too(run, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    (tmp_path / "code.nl").write_text(run("code", "src", "--nl"))
    command = [str(Path(sys.executable).parent / "llm"), "embed-multi", "code", "code.nl", "--format", "nl", "--store"]
    environment = {**os.environ, "COSIMO_MODEL": "fake:16", "LLM_USER_PATH": str(tmp_path / "llm")}
    options = ["-m", "cosimo/fake:16", "-d", "l.db"]
    done = subprocess.run([*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with cosimo.open(tmp_path / "l.db", read_only=True) as db:
        assert db.collection("code").get("cli.py:Shop").content == "python shop\nclass Shop:\n    pass"


def test_into_a_collection_and_again(run, tmp_path: Path) -> None:
    run("code", "src", "--into", "functions", "--sync", "-m", "fake:16", "-d", "c.db", "-q")
    (tmp_path / "src" / "cli.py").write_text("class Shop:\n    pass\n")
    run("code", "src", "--into", "functions", "--sync", "-d", "c.db", "-q")
    with cosimo.open(tmp_path / "c.db") as db:
        assert len(db.collection("functions")) == 1
        assert "cli.py:Shop" in db.collection("functions")
    plan = json.loads(run("code", "src", "--into", "functions", "--dry-run", "-d", "c.db"))
    assert (plan["texts"], plan["to_embed"]) == (1, 0)


@pytest.mark.parametrize(
    "arguments",
    [("--sync",), ("--dry-run",), ("-m", "fake:8"), ("--into", "x", "--nl"), ("--into", "x", "--metadata"), ("--kind", "no")],
)
def test_options_that_do_not_go_together_are_refused(run, arguments: tuple[str, ...]) -> None:
    run("code", "src", *arguments, code=2)


def test_a_person_sees_file_line_and_the_lines_around(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = next(iter(Code(tmp_path / "src"))).metadata
    hit = Hit("cli.py:plugins", 0.5, "python plugins\n@command\ndef plugins(all):\n    …", metadata)
    assert excerpts.all_code([hit])
    assert not excerpts.all_code([hit, Hit("a.md", 0.4)])
    excerpts.printed([hit])
    shown = capsys.readouterr().out
    assert "src/cli.py:2  plugins" in shown
    assert '     3      """List the plugins."""' in shown
    (tmp_path / "src" / "cli.py").write_text("print()\n" * 9)
    excerpts.printed([hit])
    assert "        def plugins(all):" in capsys.readouterr().out, "what was embedded, where the file is another now"


def test_an_excerpt_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_bytes(b"def f(): # \x1b[2J\t" + b"x" * 5_000 + b"\n")
    metadata = {"file": "a.py", "root": str(tmp_path), "line": 1, "start_line": 1, "end_line": 1, "name": "f"}
    excerpts.printed([Hit("a.py:f", 0.5, "f", metadata)])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()[1:]) <= 200


@pytest.mark.heavy
def test_the_embedded_form_answers_questions_better_than_plain_code(
    data: Path, minilm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CoSQA's test questions, on which plain text reaches an nDCG@10 of 0.592."""
    folder = data / "retrieval" / "cosqa"
    judged = load_beir(folder, "test")
    texts = {document.id: as_embedded(str(document.content)) for document in judged.documents()}
    with cosimo.open(":memory:") as db:
        functions = db.collection("functions", model="all-MiniLM-L6-v2")
        functions.add([cosimo.Document(id, text) for id, text in texts.items()], passages=False)
        answers = {id: functions.search(text, k=10, mode="vector") for id, text in judged.queries.items()}
    run = {id: [(hit.id, hit.score) for hit in hits] for id, hits in answers.items()}
    reached = evaluate(run, judged.qrels, measures=("nDCG@10",)).means["nDCG@10"]
    with capsys.disabled():
        print(f"\nCoSQA, test, code as it is embedded: nDCG@10 {reached.mean:.4f} ({reached.low:.4f} to {reached.high:.4f})")
    assert reached.mean > 0.592


def as_embedded(text: str) -> str:
    """A function of CoSQA as `cosimo code` would embed it; two in a thousand are no Python, and stay what they are."""
    found = definitions(text, grammars.grammar("python")).definitions
    return readable(found[0], "python") if found else text


@pytest.mark.heavy
def test_list_plugins_finds_plugins_of_datasette(minilm: Path, tmp_path: Path) -> None:
    datasette = pytest.importorskip("datasette")
    with cosimo.open(tmp_path / "c.db") as db:
        functions = db.collection("functions", model="all-MiniLM-L6-v2")
        functions.add(cosimo.read(Path(datasette.__file__).parent, code=True), passages=False)
        for mode in ("hybrid", "vector"):
            hits = functions.search("list plugins", k=2, mode=mode)
            assert "cli.py:plugins" in [hit.id for hit in hits], mode
