"""Definitions: source text in, its functions, methods and classes out, each with its name, lines and parts. Opens no files."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .grammars import Grammar, Match

FUNCTIONS = frozenset({"function", "method"})
TYPES = frozenset({"class", "struct", "interface", "trait", "enum", "module"})
KINDS = ("function", "method", "class", "struct", "interface", "trait", "enum", "module")
OUTER = {"owner", "scope"}  # captures that name what is inside, and are no definitions themselves

DEEPEST = 32  # names in a path: what is nested deeper is told apart by numbers
LONGEST_NAME = 200
LONGEST_SIGNATURE = 500
LONGEST_DOC = 4_000
_GENERIC = re.compile(r"(?<=\w)\s*<[^<>]*>")
_OPERATOR = re.compile(r"\boperator\b(?:\s*\(\s*\)|[^(]*)")  # C++: `operator()`, `operator bool() const`
_BORROWED = re.compile(r"^&\s*(?:'\w+\s+)?(?:mut\s+)?")
_AROUND = ("[]", '""', "''", "``")  # JavaScript's `["a b"]() {}`; Ruby's `[]=` is a name
_SUBSCRIPT = re.compile(r"\[[\"']([^\"']*)[\"']\]")
_WORDS_BEFORE = re.compile(r"[\w \t]*")
_COMMENT = re.compile(r"^\s*(?:/\*[*!]?|\*/|\*(?!/)|///?!?|//!|#+|--)[ \t]?|\s*\*/\s*$")
_LOOSE = re.compile(r"(?<=[(\[]) | ?,? (?=[)\]])")
_OPENING = re.compile(r"(?:\s|=>|[{:;=])+$")
_BLANK = re.compile(r"\n\s*\n")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_STRING = re.compile(r"""[rRuUbB]{0,2}(\"{3}|'{3}|\"|')(.*?)\1\Z""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Definition:
    """One function, method or class. Lines count from 1; `start` to `end` holds what stands above it, too."""

    name: str  # qualified: `Class.method`, `outer.inner`; a second one of a name is `name#2`
    kind: str  # of KINDS
    start: int  # of its attributes and decorators, or `line`
    line: int  # of its name
    end: int
    signature: str  # on one line, without the body
    doc: str  # its docstring, or the comment above it, as plain text
    inside: bool  # a docstring, which is in the code
    code: str  # as it is written, decorators and docstring included, at most `longest` characters


@dataclass(slots=True)
class _Item:
    """A match on its way to a definition."""

    node: Any
    kind: str
    name: Any  # the node of its name; None where it has none
    body: Any
    given: Match
    path: tuple[str, ...] = ()
    inside: list[_Item] = field(default_factory=list)  # definitions directly in it

    @property
    def start(self) -> int:
        place: int = self.node.start_byte
        return place

    @property
    def end(self) -> int:
        place: int = self.node.end_byte
        return place


class _Above(NamedTuple):
    """What may stand above a definition, by the row it ends in: (first row, text; None for an attribute)."""

    rows: dict[int, tuple[int, str | None]]


class Found(NamedTuple):
    """What is defined in a text, in its order, and the line of the first thing that is not in the language."""

    definitions: list[Definition]
    error: int | None


def definitions(source: str, grammar: Grammar, *, longest: int = 4_000) -> Found:
    """The definitions in a text, nested and conditional ones included.

    Parameters
    ----------
    source : lines end in "\\n"; a NUL counts as a space
    longest : characters of each definition's code that are kept

    Raises
    ------
    UnreadableSource : it is not in the language, or takes as long as what is not
    """
    source = source.replace("\0", " ")
    found = _found(_Text(source.encode("utf-8", "replace"), grammar, longest))
    if found.error is None or grammar.language != "python" or (parts := _statements(source)) is None:
        return found
    counts: dict[str, int] = {}  # Python reads it, so the fault is the grammar's (one in 1,800 files of Python's own library)
    texts = (_Text(part.encode("utf-8", "replace"), grammar, longest, row, counts) for row, part in parts)
    return Found([each for text in texts for each in _found(text).definitions], None)


def _statements(source: str) -> list[tuple[int, str]] | None:
    """Each statement of a module, with its first row; None where Python cannot read it either."""
    import ast
    import warnings

    try:
        with warnings.catch_warnings(action="ignore"):  # old escapes in other people's source
            body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = source.split("\n")
    starts = [min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1 for node in body]
    return [(start, "\n".join(lines[start : node.end_lineno])) for start, node in zip(starts, body, strict=True)]


@dataclass(frozen=True, slots=True)
class _Text:
    """What is read, and what is the same for all that is found in it."""

    data: bytes
    grammar: Grammar
    longest: int
    row: int = 0  # of its first line in the file
    counts: dict[str, int] = field(default_factory=dict)  # names given so far


def _found(text: _Text) -> Found:
    parsed = text.grammar.parse(text.data)
    items = list(_nested(_items(parsed.matches), text))
    above = _above(parsed.matches, text.data)
    bodied = {item.path for item in items if item.body is not None}
    kept = [item for item in items if item.body is not None or item.kind not in FUNCTIONS or item.path not in bodied]
    return Found([_made(item, text, above) for item in kept], parsed.error)


def _items(matches: Iterable[Match]) -> list[_Item]:
    """The matches that are definitions or hold some, the outer before the inner, one for each body."""
    found = []
    for captured in matches:
        kind = next((name for name in captured if name in FUNCTIONS or name in TYPES or name in OUTER), None)
        if kind is None:
            continue
        name = captured["name"][0] if "name" in captured else None
        if "declarator" in captured:
            name = _declared(captured["declarator"][0])
        body = captured["body"][0] if "body" in captured else None
        found.append(_Item(captured[kind][0], kind, name, body, captured))
    found.sort(key=lambda item: (item.start, -item.end, item.body is None, "declarator" in item.given))
    seen: set[tuple[int, int, bool, bool]] = set()
    once = []
    for item in found:  # `f = function f() {}` is one function; so is what two patterns found
        whole = item.node if item.body is None else item.body
        key = (whole.start_byte, whole.end_byte, item.body is None, item.kind in OUTER)
        if key not in seen:
            seen.add(key)
            once.append(item)
    return once


def _nested(items: Iterable[_Item], text: _Text) -> Iterator[_Item]:
    """The definitions, each with the names of those it is in before its own."""
    open_: list[_Item] = []
    for item in items:
        while open_ and open_[-1].end <= item.start:
            open_.pop()
        outer = open_[-1] if open_ else None
        own = _names(item, text)
        before = outer.path if outer else ()
        item.path = (*before[:DEEPEST], *own)
        if outer and item.kind == "function" and (outer.kind in TYPES or outer.kind == "owner"):
            item.kind = "method"
        if item.kind == "function" and "declarator" in item.given and len(own) > 1:
            item.kind = "method"  # C++: Class::method, defined outside of the class
        open_.append(item)
        if item.kind not in OUTER:
            if outer and outer.kind in TYPES:
                outer.inside.append(item)
            yield item


def _names(item: _Item, text: _Text) -> tuple[str, ...]:
    """What a definition is called, from the outside in; `default` where the language lets it have no name."""
    node, given = item.name, item.given
    first = [given[key][0] for key in ("in", "trait_of") if key in given]
    others = [_split(_text(each, text.data), text.grammar) for each in first]
    names = _split(_text(node, text.data), text.grammar) if node is not None else []
    if item.kind == "owner":  # impl Trait for Type: of two traits' methods of one name, each keeps its own
        return (*names, *(each[-1] for each in others))
    if not names and item.kind not in OUTER:
        names = ["default"]
    return (*(each[-1] for each in others), *names)


def _declared(node: Any) -> Any:
    """The name in C's `*f(void)` and `(f)`; C++'s `&f()` has it inside without a field to say so."""
    while node.type != "operator_cast":
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in ("reference_declarator", "parenthesized_declarator"):
            inner = node.named_children[-1]
        if inner is None:
            break
        node = inner
    return node


def _split(text: str, grammar: Grammar) -> list[str]:
    """A name as it is written → its parts. ":" is left for what stands before it in an id: the file."""
    text = " ".join(text[: 2 * LONGEST_NAME].split())
    operator = _OPERATOR.search(text)
    before = text[: operator.start()] if operator else _SUBSCRIPT.sub(r".\1", _BORROWED.sub("", text))
    while (bare := _GENERIC.sub("", before)) != before:  # from the inside out
        before = bare
    while len(bare) > 2 and bare[0] + bare[-1] in _AROUND:
        bare = bare[1:-1]
    parts = bare.replace("::", ".").split(".") + ([operator[0].strip()] if operator else [])
    return [part.replace(":", "_").strip()[:LONGEST_NAME] for part in parts if part and part not in grammar.placeholders]


def _text(node: Any, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _above(matches: Iterable[Match], data: bytes) -> _Above:
    """Comments and attributes that have their lines for themselves."""
    rows: dict[int, tuple[int, str | None]] = {}
    shared = set()  # `@Input() name: string;` says nothing of the next line
    for captured in matches:
        for kind in ("comment", "attribute"):
            for node in captured.get(kind, ()):
                first, last = node.start_point[0], node.end_point[0]
                if node.end_point[1] == 0 and last > first:  # Rust's line comments hold their line's end
                    last -= 1
                elif not _ends_line(node, data):
                    shared.add(last)
                if kind == "attribute" or not data[node.start_byte - node.start_point[1] : node.start_byte].strip():
                    rows.setdefault(last, (first, None if kind == "attribute" else _text(node, data)[:LONGEST_DOC]))
    return _Above({row: found for row, found in rows.items() if row not in shared})


def _ends_line(node: Any, data: bytes) -> bool:
    """Whether nothing but attributes and comments stands behind one."""
    end = data.find(b"\n", node.end_byte)
    behind = data[node.end_byte : end if end >= 0 else len(data)].strip()
    return not behind or behind.startswith((b"@", b"#", b"[", b"/"))


def _made(item: _Item, text: _Text, above: _Above) -> Definition:
    data, row = text.data, item.node.start_point[0]
    top, comments = _head(row, above)
    begin = _line_start(item, data)
    doc = _docstring(item.body, data) if text.grammar.docstrings else _plain(comments)
    whole = _start_of_row(item, top, data) if top < row else begin
    return Definition(
        name=_unique(".".join(item.path), text.counts),
        kind=item.kind,
        start=text.row + top + 1,
        line=text.row + (item.name or item.node).start_point[0] + 1,
        end=text.row + item.node.end_point[0] + 1,
        signature=_signature(item, data, begin),
        doc=doc,
        inside=text.grammar.docstrings,
        code=_code(item, data, whole, text.longest),
    )


def _unique(name: str, counts: dict[str, int]) -> str:
    """The name, or `name#2` where it was there before."""
    while True:
        counts[name] = number = counts.get(name, 0) + 1
        if number == 1:
            return name
        if (numbered := f"{name}#{number}") not in counts:
            counts[numbered] = 1
            return numbered


def _head(row: int, above: _Above) -> tuple[int, list[str]]:
    """(first row of the attributes above a definition, the comment above those)."""
    top, comments = row, []
    while (found := above.rows.get(row - 1)) is not None:
        row, text = found
        if text is None:
            top = row
        else:
            comments.append(text)
    return top, comments[::-1]


def _start_of_row(item: _Item, row: int, data: bytes) -> int:
    """The byte where an earlier row starts."""
    place: int = item.start - item.node.start_point[1]
    for _ in range(item.node.start_point[0] - row):
        place = data.rfind(b"\n", 0, max(place - 1, 0)) + 1
    return place


def _line_start(item: _Item, data: bytes) -> int:
    """Where a definition begins, with `export const` and the like before it on its line."""
    column = item.node.start_point[1]
    if column > 100:
        return item.start
    before = data[item.start - column : item.start].decode("utf-8", "replace")
    if not _WORDS_BEFORE.fullmatch(before):
        return item.start
    return item.start - len(before.lstrip().encode())


def _signature(item: _Item, data: bytes, begin: int) -> str:
    """What stands before the body, on one line."""
    before = item.body
    while before is not None and (comment := before.prev_sibling) is not None and "comment" in comment.type:
        before = comment
    end = before.start_byte if before is not None else item.end
    text = data[begin : min(end, begin + 4 * LONGEST_SIGNATURE)].decode("utf-8", "ignore")
    if item.body is None and item.kind in TYPES:
        text = text.partition("{")[0]
    line = _LOOSE.sub("", " ".join(text.split()))
    if item.body is not None and item.name is not None and item.name.start_byte > end:  # typedef struct {…} name
        line += f" {_text(item.name, data)}"
    if item.body is None and line.startswith("def "):  # Ruby's
        line = line.removesuffix("end")
    return _OPENING.sub("", line[:LONGEST_SIGNATURE])


def _docstring(body: Any, data: bytes) -> str:
    first = next((child for child in body.named_children[:4] if child.type != "comment"), None)
    if first is not None and first.type == "expression_statement" and first.named_child_count:
        first = first.named_children[0]
    if first is None or first.type != "string":
        return ""
    found = _STRING.match(_text(first, data))
    return textwrap.dedent(_first_line_in(found[2])).strip()[:LONGEST_DOC] if found else ""


def _first_line_in(text: str) -> str:
    """The first line of a docstring, indented as the others are."""
    first, newline, rest = text.partition("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest.splitlines() if line.strip()), default=0)
    return " " * margin + first.strip() + newline + rest


def _plain(comments: Sequence[str]) -> str:
    """Comments as text: without their marks, and without the tags of C#'s."""
    lines = [_COMMENT.sub("", _COMMENT.sub("", line)).rstrip() for comment in comments for line in comment.splitlines()]
    text = "\n".join(lines)
    return (_TAG.sub("", text) if comments and comments[0].startswith("///") else text).strip()[:LONGEST_DOC]


def _code(item: _Item, data: bytes, begin: int, longest: int) -> str:
    """The definition as it is written, its first `longest` characters; of a class, the bodies of what is in it are left out."""
    parts: list[bytes] = []
    place, room = begin, 4 * longest
    for inner in item.inside:
        if room <= 0:
            break
        stop = inner.body.start_byte if inner.body is not None else inner.end
        parts.append(data[place : min(stop, place + room)])
        room -= len(parts[-1])
        place = max(place, inner.end)
    if room > 0 and place < item.end:
        parts.append(data[place : min(item.end, place + room)])
    line = data.rfind(b"\n", 0, begin) + 1
    margin = data[line:begin] if begin - line < 1000 and not data[line:begin].strip() else b""
    text = textwrap.dedent((margin + b"".join(parts)).decode("utf-8", "ignore"))
    return (_BLANK.sub("\n", text) if item.inside else text)[:longest].strip()
