"""Passages: pieces fit the window, none of the text is lost, cuts follow the structure, headings are the right ones."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosimo.core.errors import DataError
from cosimo.core.types import Document, ModelSpec, Passage
from cosimo.embedders.fake import FakeEmbedder
from cosimo.sources.outline import Outline
from cosimo.sources.packing import pack
from cosimo.sources.passages import cut, cut_all, reading, room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

words = FakeEmbedder().count_tokens
PROSE = "The cat sat on the mat. It looked at the dog, and the dog looked away. Nobody said a word about it. "
PARTS = (
    *(
        "# a\n",
        "## b\n",
        "```\n",
        "- x\n",
        "\n\n",
        "\r\n",
        "\r",
        "\0",
        " ",
        "\t",
        "<!--",
        "---\n",
        "\u200b",
        "\u2028",
        "\ud800",
    ),
    *(
        "word",
        "Sentence one. ",
        "。",
        "！",
        "中文",
        "かな",
        "שלום",
        "مرحبا",
        "👨‍👩‍👧",
        "🇨🇳",
        "e\u0301",
        "http://a.b/c?d=e",
        "x" * 120,
    ),
)


def with_special(texts: Sequence[str]) -> list[int]:
    """Words, between two special tokens."""
    return [n + 2 for n in words(texts)]


@cache
def bytes_merged() -> Callable[[Sequence[str]], list[int]]:
    """A byte-level BPE, to which parts of a text are not worth what the whole is, and one emoji is many tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([PROSE, "今天天气很好。我们去公园吧！", PROSE.upper()], trainer)
    return lambda texts: [len(e.ids) for e in tokenizer.encode_batch_fast(list(texts))]


def check(text: str, passages: list[Passage], *, overlap: int) -> None:
    """What is true of every cut."""
    covered = bytearray(len(text))
    for seq, passage in enumerate(passages):
        assert passage.seq == seq
        assert passage.text == re.sub("[\ud800-\udfff]", "\ufffd", text[passage.start : passage.end])
        covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
    assert [c for c, seen in zip(text, covered, strict=True) if not seen and not c.isspace()] == []
    ends = [passage.end for passage in passages]
    assert ends == sorted(set(ends))
    if not overlap:
        assert all(a.end <= b.start for a, b in pairwise(passages))


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.lists(st.sampled_from(PARTS), max_size=80).map("".join), st.text(max_size=300)),
    st.integers(3, 40),
    st.integers(0, 10),
    st.booleans(),
    st.booleans(),
)
def test_nothing_is_lost_and_everything_fits(text: str, window: int, overlap: int, merged: bool, headings: bool) -> None:
    count = bytes_merged() if merged else with_special
    overlap = min(overlap, window - count([""])[0] - 1)
    passages = cut(text, count=count, max_tokens=window, overlap=overlap, headings=headings)
    check(text, passages, overlap=overlap)
    for passage in passages:
        assert passage.tokens == count([reading(passage) if headings else passage.text])[0]
        assert passage.tokens <= window or len(passage.text) == 1
    assert cut(text, count=count, max_tokens=window, overlap=overlap, headings=headings) == passages


def test_text_that_fits_is_one_passage_without_the_white_space_around() -> None:
    assert cut("  # A\n\nshort ", count=words, max_tokens=50) == [Passage(0, 2, 12, "# A\n\nshort", "", 3)]


def test_text_that_just_fits_is_not_cut_and_one_word_more_is() -> None:
    assert len(cut("a " * 50, count=with_special, max_tokens=52)) == 1
    assert len(cut("a " * 51, count=with_special, max_tokens=52)) == 2


@pytest.mark.parametrize("content", ["", " \n\t\u3000", None, b"\x89PNG"])
def test_nothing_to_read_has_no_passages(content: str | bytes | None) -> None:
    assert cut(Document("a", content), count=words, max_tokens=50) == []


def test_many_documents_give_what_each_gives_alone(data: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((data / "til" / "sqlite").glob("*.md"))]
    together = cut_all([*texts, "", "short"], count=words, max_tokens=100, overlap=20)
    assert together == [cut(text, count=words, max_tokens=100, overlap=20) for text in [*texts, "", "short"]]


def test_real_articles_are_cut_into_full_passages_at_good_places(data: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((data / "til").rglob("*.md"))]
    found = cut_all(texts, count=words, max_tokens=256)
    for text, passages in zip(texts, found, strict=True):
        check(text, passages, overlap=0)
    sizes = [passage.tokens for passages in found if len(passages) > 1 for passage in passages]
    assert max(sizes) <= 256
    assert sum(size < 16 for size in sizes) == 0  # the splitter by itself: 7%
    assert sum(sizes) / len(sizes) > 190
    inner = [(text, a, b) for text, passages in zip(texts, found, strict=True) for a, b in pairwise(passages)]
    torn = [
        1 for text, a, b in inner if text[a.end : b.start].strip("\t ") == "" and a.text[-1] not in ".!?" and b.start > a.end
    ]
    assert len(torn) < len(inner) * 0.02  # inside a sentence; where there is no space (addresses, tables) it cannot be helped
    assert not any(a.text.rpartition("\n")[2].startswith("## ") for _, a, _ in inner)  # a heading without what it is above


def test_cuts_are_at_headings_then_paragraphs_then_sentences() -> None:
    text = f"# Top\n\n{PROSE * 3}\n\n## One\n\n{PROSE}\n\n{PROSE}\n\n## Two\n\n{PROSE * 6}"
    passages = cut(text, count=words, max_tokens=100)
    assert [p.text.splitlines()[0] for p in passages if p.text.startswith("#")] == ["# Top", "## One", "## Two"]
    assert all(p.text.endswith(".") for p in passages)


@pytest.mark.parametrize(
    "sentence", ["今天天气很好，我们一起去公园散步吧。", "你吃饭了吗？", "太好了！", "これは長い文章です。"]
)
def test_chinese_and_japanese_are_cut_behind_their_sentences(sentence: str) -> None:
    passages = cut(sentence * 60, count=words, max_tokens=100)
    assert len(passages) > 1
    assert all(passage.text.endswith(sentence[-1]) for passage in passages)


def test_overlap_repeats_whole_sentences_and_never_crosses_a_heading() -> None:
    sentences = " ".join(f"Sentence number {n} says that {n} is a number." for n in range(40))
    text = f"# A\n\n{sentences}\n\n# B\n\n{sentences}"
    passages = cut(text, count=words, max_tokens=60, overlap=20)
    pairs = list(pairwise(passages))
    repeated = [text[b.start : a.end] for a, b in pairs if b.start < a.end]
    assert len(repeated) > 5
    assert all(part.startswith("Sentence") and words([part])[0] <= 20 for part in repeated)
    assert next(a.end <= b.start for a, b in pairs if b.text.startswith("# B"))


def test_overlap_leaves_headings_and_coverage_alone() -> None:
    text = f"# A\n\n{PROSE * 6}\n\n# B\n\n{PROSE * 6}"
    for overlap in (0, 10, 30):
        passages = cut(text, count=words, max_tokens=60, overlap=overlap)
        check(text, passages, overlap=overlap)
        assert [p.heading for p in passages] == sorted(p.heading for p in passages)
        assert {p.heading for p in passages} == {"A", "B"}


def paths(text: str) -> list[str]:
    return [heading.path for heading in Outline(text).headings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Install\n## Linux\n### apt\n## Mac\n# Use\n",
            ["Install", "Install › Linux", "Install › Linux › apt", "Install › Mac", "Use"],
        ),
        ("### deep\n# top\n", ["deep", "top"]),
        ("# `code` and [a *link*](http://x.y/z_z) ##\n", ["code and a link"]),
        ("#hashtag\n\n#!/bin/sh\n\n####### seven\n", []),
        ("#\n\n## under nothing\n", ["", "under nothing"]),
        ("Title\n=====\n\nPart\n----\n\ntext", ["Title", "Title › Part"]),
        ("text\n\n---\n\na | b\n--- | ---\n1 | 2\n- x\n---\n", []),
        ("two lines\nof a paragraph\n---\n", []),
        ("```sh\n# comment\n```\n# real\n", ["real"]),
        ("````\n```\n# no\n````\n# yes\n~~~\n# no\n```\n# no\n~~~\n", ["yes"]),
        ("- item\n  ```python\n  # no\n# no\n  ```\n# yes\n", ["yes"]),
        ("```\n# never closed\n", []),
        ("`` ` `` text ```not a fence``` \n# yes\n", ["yes"]),
        ("<!-- \n# no\n-->\n# yes\n<pre>\n# no\n</pre>\n", ["yes"]),
        ("---\ntitle: x\n---\n# yes\n", ["yes"]),
        ("---\n\n# yes\n\n---\n", ["yes"]),
        ("    # indented code\n> # quoted\n", []),
        ("# snake_case_name and _emphasis_\n", ["snake_case_name and emphasis"]),
        ("# 安装\n## 在 Linux 上\n", ["安装", "安装 › 在 Linux 上"]),
    ],
)
def test_headings_are_those_a_reader_sees(text: str, expected: list[str]) -> None:
    assert paths(text) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter_to_headings_and_spans_stay_exact(end: str) -> None:
    text = f"# A\n\n{PROSE * 3}\n\n## B\n\n{PROSE * 3}\n".replace("\n", end)
    passages = cut(text, count=words, max_tokens=100)
    check(text, passages, overlap=0)
    assert [p.heading for p in passages] == ["A", "A › B"]


def test_comments_of_a_program_are_no_headings() -> None:
    text = "".join(f"# step {n}\nrun({n}, 'some argument of it')\n\n" for n in range(40))
    assert {p.heading for p in cut(Document("x.py", text), count=words, max_tokens=60)} == {""}
    assert cut(Document("x.md", text), count=words, max_tokens=60)[1].heading.startswith("step")


def test_what_a_model_reads_begins_with_the_path_of_headings_and_fits() -> None:
    text = f"# Install\n\n{PROSE * 6}\n\n## Linux\n\n{PROSE * 6}"
    passages = cut(text, count=words, max_tokens=90)
    assert reading(passages[-1]) == f"Install › Linux\n{passages[-1].text}"
    assert all(words([reading(p)]) == [p.tokens] and p.tokens <= 90 for p in passages)
    assert reading(cut("# A\n\nshort", count=words, max_tokens=90)[0]) == "# A\n\nshort"


def test_path_longer_than_a_quarter_of_the_window_loses_its_first_parts() -> None:
    text = f"# {'very ' * 20}long\n\n## Short one\n\n{PROSE * 9}\n\n### {'even ' * 30}longer\n\n{PROSE * 9}"
    passages = cut(text, count=words, max_tokens=60)
    assert {p.heading for p in passages} == {"", "Short one"}
    assert cut(text, count=words, max_tokens=60, headings=False)[-1].heading.endswith("longer")


def test_passage_of_several_sections_has_the_heading_it_starts_under() -> None:
    text = f"# Top\n\n{PROSE * 3}\n\n## A\n\nshort.\n\n## B\n\nshort.\n\n## C\n\nshort."
    last = cut(text, count=words, max_tokens=90)[-1]
    assert last.text.startswith("## A")
    assert last.heading == "Top › A"


@pytest.mark.parametrize(
    "text",
    [
        "word and more " * 20_000,
        "今天天气很好我们去公园" * 5_000,
        "a" * 200_000,
        "x.y/" * 50_000,
        "👨‍👩‍👧‍👦🇨🇳" * 8_000,
        "\0" * 100_000 + "end " * 600,
        "שלום עולם. " * 10_000,
    ],
    ids=["line", "chinese", "letter", "address", "emoji", "nul", "hebrew"],
)
def test_long_lines_without_structure_are_cut(text: str) -> None:
    passages = cut(text, count=bytes_merged(), max_tokens=256, overlap=16)
    check(text, passages, overlap=16)
    assert max(passage.tokens for passage in passages) <= 256


def test_ten_megabytes_in_one_line_are_cut() -> None:
    text = "ten megabytes of words " * 450_000

    def quick(texts: Sequence[str]) -> list[int]:
        return [len(part) // 4 + 2 for part in texts]

    passages = cut(text, count=quick, max_tokens=512)
    assert len(text) > 10_000_000
    assert sum(p.end - p.start for p in passages) >= len(text) - len(passages) - 1
    assert max(p.tokens for p in passages) <= 512


def test_emoji_of_several_code_points_are_not_torn_where_words_are_not() -> None:
    passages = cut("👨‍👩‍👧‍👦 🇨🇳 é " * 300, count=bytes_merged(), max_tokens=256)
    assert not any(p.text[0] in "\u200d\u0301" or p.text[-1] == "\u200d" for p in passages)


def test_character_larger_than_the_window_is_a_passage_all_the_same() -> None:
    assert [p.text for p in cut("中中", count=lambda texts: [9 * len(t) for t in texts], max_tokens=5)] == ["中", "中"]


@pytest.mark.parametrize(("window", "overlap"), [(0, 0), (2, 0), (-1, 0), (10, 8), (10, 100), (10, -1)])
def test_window_without_room_is_an_error(window: int, overlap: int) -> None:
    with pytest.raises(DataError, match="room"):
        cut("some text", count=with_special, max_tokens=window, overlap=overlap)


def test_room_is_the_window_without_the_prompt() -> None:
    spec = ModelSpec("m", 4, max_tokens=100, prompts={"document": "passage: ", "query": "query: "})
    assert room(spec, with_special) == 98
    assert room(ModelSpec("m", 4, max_tokens=100), with_special) == 100
    assert room(ModelSpec("m", 4), with_special) is None


def test_packing_is_the_cheapest_of_all_ways() -> None:
    import itertools
    import random

    from cosimo.sources.packing import ONE_MORE, SHORT

    chance = random.Random(0)
    for _ in range(60):
        n, space = chance.randint(1, 9), chance.randint(10, 30)
        sizes = [chance.randint(1, 12) for _ in range(n)]
        cuts = [chance.choice([0.0, 0.2, 0.5, 1.2]) for _ in range(n)]

        def cost(starts: tuple[int, ...], sizes: list[int] = sizes, cuts: list[float] = cuts, space: int = space) -> float:
            runs = list(zip(starts, [*starts[1:], len(sizes)], strict=True))
            totals = [sum(sizes[a:b]) for a, b in runs]
            if any(t > space and b - a > 1 for t, (a, b) in zip(totals, runs, strict=True)):
                return float("inf")
            return sum(
                ONE_MORE + SHORT * max(1 - t / space, 0) ** 2 + (cuts[a] if a else 0)
                for t, (a, _) in zip(totals, runs, strict=True)
            )

        ways = [(0, *rest) for r in range(n) for rest in itertools.combinations(range(1, n), r)]
        runs = pack(sizes, cuts, [0] * n, [False] * n, space, 0)
        assert cost(tuple(run.fresh for run in runs)) == pytest.approx(min(map(cost, ways)))
