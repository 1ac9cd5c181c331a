"""Words: files of word vectors as they are met, sums of words as they are typed, and what both give."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from blocking import block

import cosimo
from cosimo.collection.models import load_embedder
from cosimo.collection.words import embed_tokens, load, made_of, one_hot, train
from cosimo.core import registry
from cosimo.core.errors import BadVector, ConfigError, DataError, Error, MissingExtra, ModelNotFound, NotFound, UnreadableSource
from cosimo.core.types import Document
from cosimo.embedders import word_files
from cosimo.embedders.words import words_of
from cosimo.testing import check_embedder
from cosimo.verbs.expressions import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cosimo.collection.words import Words

VECTORS = {
    "king": [1, 0, 0.5], "queen": [1, 1, 0.5], "man": [0.2, 0, -1], "woman": [0.2, 1, -1], "New_York": [0, 0.1, 1],
    "well-known": [-1, 0, 0], "C++": [0, -1, 0.2],
}  # fmt: skip


@pytest.fixture
def few() -> Words:
    return made_of(list(VECTORS), list(VECTORS.values()))


@pytest.fixture
def google(data: Path) -> Words:
    return load(data / "words" / "word2vec-8k.bin")


def binary(words: dict[str, list[float]], *, end: bytes = b"\n", header: str | None = None) -> bytes:
    rows = [word.encode() + b" " + np.array(row, "<f4").tobytes() + end for word, row in words.items()]
    return (header or f"{len(words)} {len(next(iter(words.values())))}").encode() + b"\n" + b"".join(rows)


def text(words: dict[str, list[float]], *, header: str | None = "") -> bytes:
    rows = [f"{word} {' '.join(map(str, row))}\n" for word, row in words.items()]
    first = f"{len(words)} {len(next(iter(words.values())))}" if header == "" else header
    return "".join([*([f"{first}\n"] if first is not None else []), *rows]).encode()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# -- the known answers


def test_the_words_nearest_to_france_are_the_known_ones(google: Words) -> None:
    found = google.neighbours("france", 6)
    assert [each.word for each in found] == ["french", "belgium", "paris", "germany", "italy", "spain"]
    known = [0.700075, 0.693318, 0.633491, 0.627076, 0.613522, 0.606422]
    assert np.abs(np.array([each.score for each in found]) - known).max() < 1e-5
    assert abs(google.similarity("france", "French") - 0.700075) < 1e-5


@pytest.mark.parametrize("typed", [
    "germany + paris - france", "germany+paris-france", "Germany + PARIS − France", "  paris – france + germany ",
    "- france + germany + paris", '"germany" + \'paris\' - france', "1*germany + 1.0 * paris - france",
    "germany ＋ paris － france",
])  # fmt: skip
def test_germany_plus_paris_less_france_is_berlin_however_it_is_typed(google: Words, typed: str) -> None:
    found = google.neighbours(typed, 3)
    assert found[0].word == "berlin"
    assert abs(found[0].score - 0.764400) < 1e-5
    assert not {each.word for each in found} & {"germany", "paris", "france"}


def test_analogies_are_answered_as_often_as_word2vec_answers_them_in_under_five_seconds(google: Words, data: Path) -> None:
    started = time.perf_counter()
    found = google.analogies(data / "words" / "questions-words.txt")
    assert time.perf_counter() - started < 5
    assert (found.total.questions, found.total.covered) == (19_544, 4_686)
    assert abs((found.total.accuracy or 0) - 0.784) < 0.002
    assert len(found.sections) == 14
    assert sum(section.covered for section in found.sections) == 4_686


def test_gensim_reads_the_same_and_answers_the_same(google: Words, data: Path) -> None:
    models = pytest.importorskip("gensim.models", reason="gensim is installed by make test-all")
    theirs = models.KeyedVectors.load_word2vec_format(str(data / "words" / "word2vec-8k.bin"), binary=True)
    assert list(google) == theirs.index_to_key
    assert np.array_equal(google.table.take(range(len(google))), theirs.vectors)
    for plus, minus in ((["king", "woman"], ["man"]), (["bigger", "small"], ["big"])):
        expected = theirs.most_similar(positive=plus, negative=minus, topn=5)
        found = google.neighbours(f"{' + '.join(plus)} - {minus[0]}", 5)
        assert [each.word for each in found] == [word for word, _ in expected]
        assert np.allclose([each.score for each in found], [score for _, score in expected], atol=1e-5)
    assert google.odd_one_out(["breakfast", "lunch", "dinner", "table"]).word == "table"


# -- sums


def test_a_word_may_hold_signs_and_spaces(few: Words) -> None:
    known = lambda word: few.table.known(word) is not None  # noqa: E731
    assert [term.word for term in parse("well-known", known)] == ["well-known"]
    assert [tuple(term) for term in parse("C++-king+well-known", known)] == [("C++", 1), ("king", -1), ("well-known", 1)]
    assert [tuple(term) for term in parse("2*king - 0.5 queen", known)] == [("king", 2), ("0.5 queen", -1)]
    assert [tuple(term) for term in parse('"C++" - - man', known)] == [("C++", 1), ("man", 1)]
    for spelled in ("New York", "new york", "new_york", "NEW-YORK", "newyork", '"new york"'):
        assert few.vector(spelled.strip('"')).tolist() == np.float32([0, 0.1, 1]).tolist()
        assert abs(few.similarity(spelled, "New_York") - 1) < 1e-6


def test_given_words_are_answers_only_where_asked(few: Words) -> None:
    assert few.neighbours("king - man + woman", 1)[0].word == "queen"
    assert "king" in {each.word for each in few.neighbours("king", 9, with_inputs=True)}
    assert len(few.neighbours("king", 99)) == len(VECTORS) - 1


def test_a_factor_counts(few: Words) -> None:
    once, twice = few.neighbours("king + queen", 9, with_inputs=True), few.neighbours("9*king + queen", 9, with_inputs=True)
    assert {each.word: each.score for each in once}["king"] < {each.word: each.score for each in twice}["king"]


@pytest.mark.parametrize("typed", [
    "", "   ", "+", "+ -", "a +", "king +", "king -", "- -", "2*", "''", "king - king", "x" * 10_000, "+" * 10_000,
    "king + nothing", "(king", "\0", "king\nman + ?", "*", "99999999 * king", "-" * 1_999 + "king -", "🙂", "a-" * 900,
])  # fmt: skip
def test_what_is_no_sum_is_an_error_in_one_sentence_and_at_once(few: Words, typed: str) -> None:
    started = time.perf_counter()
    with pytest.raises(Error) as caught:
        few.neighbours(typed, 3)
    assert isinstance(caught.value, DataError | NotFound)
    assert "\n" not in str(caught.value).replace(typed, "")
    assert len(str(caught.value)) < 300
    assert time.perf_counter() - started < 2


def test_words_spelled_alike_are_named(google: Words) -> None:
    with pytest.raises(NotFound, match=r"'frnace' is not among the 7,924 words of word2vec-8k\.bin; spelled alike: france"):
        google.neighbours("frnace")
    with pytest.raises(NotFound, match="write royal \\+ family"):
        google.neighbours("royal family")
    with pytest.raises(NotFound, match="none is spelled alike"):
        google.similarity("qqqqzzzz", "france")


def test_questions_that_make_no_sense_are_refused(few: Words) -> None:
    with pytest.raises(DataError, match="three words"):
        few.odd_one_out(["king", "queen", "king"])
    for k in (0, -1, "3", 2.5, True):
        with pytest.raises(DataError, match="at least 1"):
            few.neighbours("king", k)  # type: ignore[arg-type]
    for asked in (None, b"king", 5):
        with pytest.raises(DataError, match="is a text, not"):
            few.neighbours(asked)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one vector for each"):
        made_of(["a", "a"], np.eye(2))
    with pytest.raises(DataError, match="empty"):
        made_of(["a", ""], np.eye(2))
    with pytest.raises(BadVector):
        made_of(["a", "b"], [[1, np.nan], [0, 1]])
    with pytest.raises(DataError, match="content 1 is bytes"):
        few.sentences(["king", b"queen"])  # type: ignore[list-item]


def test_one_text_is_one_text_and_no_list_of_its_letters(few: Words) -> None:
    assert few.sentences("king queen").tolist() == few.sentences(["king queen"]).tolist()
    assert list(one_hot("cat")) == ["cat"]
    with pytest.raises(DataError, match="three words or more, not 1"):
        few.odd_one_out("king queen man")


# -- files


@pytest.mark.parametrize("content", [
    binary(VECTORS), binary(VECTORS, end=b""), text(VECTORS), text(VECTORS, header=None),
    b"\xef\xbb\xbf" + text(VECTORS, header=None),
    text(VECTORS).replace(b"\n", b"\r\n"), text(VECTORS, header=None).replace(b" ", b"\t"), text(VECTORS, header=None).rstrip(),
    text(VECTORS, header=None).replace(b" 0", b"  0"),
])  # fmt: skip
def test_every_form_gives_the_same_words_and_vectors(tmp_path: Path, content: bytes) -> None:
    found = load(written(tmp_path / "w", content))
    assert list(found) == list(VECTORS)
    assert np.array_equal(found.table.take(range(7)), np.array(list(VECTORS.values()), np.float32))
    assert found.notes == ()
    assert list(load(tmp_path / "w", limit=2)) == ["king", "queen"]


@pytest.mark.parametrize("name", ["w.bin", "w.txt"])
def test_what_is_saved_is_read_again(few: Words, tmp_path: Path, name: str) -> None:
    odd = made_of([*few, "größer", "a b"], np.random.default_rng(0).standard_normal((9, 5)))
    odd.save(tmp_path / name)
    again = load(tmp_path / name)
    assert list(again) == [word.replace(" ", "_") if name == "w.bin" else word for word in odd]
    assert np.array_equal(again.table.take(range(9)), odd.table.take(range(9)))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["w.bin", "w.txt"])
def test_a_line_end_in_a_word_does_not_end_the_word_where_it_is_saved(tmp_path: Path, name: str) -> None:
    odd = made_of(["a\nb", "\tc", "d\r", "e\x00f", "\ud800"], np.eye(5))
    odd.save(tmp_path / name)
    assert list(load(tmp_path / name)) == ["a_b", "_c", "d_", "e_f", "?"]


def test_places_where_nothing_can_be_saved_are_told_and_databases_stay(few: Words, tmp_path: Path, home: Path) -> None:
    written(tmp_path / "file", b"x")
    with cosimo.open(tmp_path / "notes.db") as db:
        db.collection("notes", model="fake:8").add([Document("1", "text")])
    for path, word in (
        (tmp_path, "folder"), (tmp_path / "file" / "w.bin", "cannot be written"), (tmp_path / ("x" * 300), "cannot be written"),
        (tmp_path / "no" / "w.bin", "cannot be written"), (tmp_path / "notes.db", "is a database"),
    ):  # fmt: skip
        with pytest.raises(UnreadableSource, match=word):
            few.save(path)
    with cosimo.open(tmp_path / "notes.db") as db:
        assert len(db.collection("notes")) == 1


def test_words_with_spaces_are_read_where_the_form_can_tell(tmp_path: Path) -> None:
    spaced = {"at the end": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0], "new york": [7.0, 8.0, 9.0]}
    for content in (text(spaced), text(spaced, header=None), binary({"b": [4.0, 5.0, 6.0], **spaced})):
        found = load(written(tmp_path / "w", content))
        assert found.vector("new york").tolist() == [7, 8, 9]
        assert set(found) == set(spaced)
    assert found.neighbours("'new york' - b", 1)[0].word == "at the end"


def test_of_a_word_that_comes_twice_the_first_vector_counts_and_that_is_said(tmp_path: Path) -> None:
    rows = b"a 1 0\nb 0 1\na 0 1\n"
    for content in (rows, b"3 2\n" + rows):
        found = load(written(tmp_path / "w", content))
        assert list(found) == ["a", "b"]
        assert found.vector("a").tolist() == [1, 0]
        assert "1 words stand in it a second time" in found.notes[0]
    twice = binary({"a": [1, 0], "b": [0, 1]}, header="3 2") + b"a " + np.float32([0, 1]).tobytes() + b"\n"
    found = load(written(tmp_path / "w", twice))
    assert found.vector("b").tolist() == [0, 1]
    assert found.notes


def test_vectors_of_zeros_and_nan_are_near_to_nothing_and_said_so(tmp_path: Path) -> None:
    rows = b"a 1 0\nb 1 0.1\nzero 0 0\nnan nan 1\nhuge inf 1\ntiny 1e-30 0\n"
    found = load(written(tmp_path / "w", rows))
    assert {each.word for each in found.neighbours("a", 9)} == {"b", "tiny"}
    for word in ("zero", "nan", "huge"):
        with pytest.raises(DataError, match="near to nothing"):
            found.neighbours(word)
    assert np.isfinite(found.sentences(["a nan huge b", "nan", "zero"])).all()


@pytest.mark.parametrize(("content", "word"), [
    (b"", "is empty"),
    (b"0 300\n", "holds no words"), (b"5 0\n", "holds no words"),
    (b"hello world\nthis is prose\n", "no file of word vectors"), (b"\x00" * 5_000, "no file of word vectors"),
    (b"word 3\nother 4\n", "no file of word vectors"), (bytes(range(256)) * 9, "no file of word vectors"),
    (b"\x1f\x8b\x08" + b"x" * 99, "gunzip"), (b"PK\x03\x04" + b"x" * 99, "unzip"), (b"\x80\x04\x95", "pickle"),
    (b"\x93NUMPY" + b"x" * 99, "array without words"), (b"SQLite format 3\x00" + b"x" * 99, "database"),
    (b"999999999999 300\nking " + b"\x01" * 4_000, "needs? at least|need at least"),
    (b"99 300000000\nking 1 2 3\n", "need at least"),
    (b"2 3\nking 1 2\nqueen 3 4\n", "cut short|holds 2 numbers where others hold 3"),
    (b"3 2\nking 1 2\nqueen 3 4.00000000\n", "holds 2 words and its first line says 3"),
    (b"1 2\nking 1 2\nqueen 3 4\n", "holds 2 words and its first line says 1"),
    (b"king 1 2\nqueen 3 x\nman 3 4\n", ":2 "), (b"king 1 2\nqueen 3\nman 3 4\n", ":2 "),
    (b"king 1 2\nqueen 3,5 4,1\nman 3 4\n", ":2 "),
    (binary(VECTORS, header="6 3"), "goes on after"), (binary(VECTORS, header="7 2"), "damaged|goes on"),
    (binary(VECTORS, header="7 4"), "damaged|cut short"), (binary(VECTORS, header="8 3"), "cut short|damaged"),
    (binary(VECTORS, end=b"", header="7 2"), "damaged|goes on|cut short"),
    (b"2 2\n" + b"x" * 5_000, "damaged"),
])  # fmt: skip
def test_a_file_that_is_none_or_damaged_is_refused_in_one_sentence(tmp_path: Path, content: bytes, word: str) -> None:
    path = written(tmp_path / "w", content)
    with pytest.raises(UnreadableSource, match=word) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [binary(VECTORS), binary(VECTORS, end=b""), text(VECTORS)])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, content: bytes) -> None:
    whole = content.rindex(b" ") if content == text(VECTORS) else len(content) - 2  # 0.2 cut to 0. is a number still
    for size in range(1, whole):
        with pytest.raises(UnreadableSource):
            load(written(tmp_path / "w", content[:size]))


def test_half_of_the_real_file_is_refused(data: Path, tmp_path: Path) -> None:
    content = (data / "words" / "word2vec-8k.bin").read_bytes()
    for path in (written(tmp_path / "half.bin", content[: len(content) // 2]), written(tmp_path / "less.bin", content[:-900])):
        with pytest.raises(UnreadableSource, match="cut short"):
            load(path)


def test_places_without_a_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="no file"):
        load(tmp_path / "nothing.bin")
    with pytest.raises(UnreadableSource, match="is no file"):
        load(tmp_path)
    with pytest.raises(DataError, match="1 or more"):
        load(written(tmp_path / "w", text(VECTORS)), limit=0)


def test_one_word_has_no_neighbours(tmp_path: Path) -> None:
    alone = load(written(tmp_path / "w", b"1 2\nking 1 2\n"))
    assert alone.neighbours("king") == []
    assert alone.similarity("king", "king") == pytest.approx(1)


@pytest.mark.parametrize("make", [binary, text])
def test_a_large_file_is_not_held_in_memory_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., bytes]
) -> None:
    rows = np.random.default_rng(0).standard_normal((3_000, 4)).astype(np.float32)
    path = written(tmp_path / "w", make({f"word{n}": row.tolist() for n, row in enumerate(rows)}))
    held = load(path)
    monkeypatch.setattr(word_files, "MEMORY", 1_000)
    monkeypatch.setattr(word_files, "READ", 5_000)
    monkeypatch.setattr("cosimo.embedders.word_table.BLOCK", 700)
    streamed = load(path)
    kept: Any = streamed.table._rows
    assert not isinstance(getattr(kept, "matrix", None), np.ndarray) or isinstance(kept.matrix.base, np.memmap)
    for sum_ in ("word5", "word1 + word2999 - word700"):
        assert streamed.neighbours(sum_, 20) == held.neighbours(sum_, 20)
    assert list(streamed) == list(held)


def test_the_letters_of_a_word_may_be_of_any_kind(tmp_path: Path) -> None:
    found = load(written(tmp_path / "w", text({"größe": [1, 0], "数据": [0, 1], "\u202bשלום": [1, 1], "🙂": [2, 1]})))
    assert found.neighbours("GRÖSSE", 1)[0].word == "\U0001f642"
    assert found.vector("gro\u0308ße").tolist() == [1, 0], "composed or not"
    broken = load(written(tmp_path / "v", b"a 1 2\n\xff\xfe 3 4\n"))
    assert len(broken) == 2


# -- as a model


def test_a_word_file_is_a_model_of_texts(google: Words, data: Path, home: Path) -> None:
    path = data / "words" / "word2vec-8k.bin"
    plain = load_embedder(f"words:{path}")
    expected = google.table.take([google.table.index["royal"], google.table.index["family"]]).mean(axis=0)
    got = plain.embed(["Royal FAMILY!"]).vectors[0]
    assert np.allclose(got, expected / np.linalg.norm(expected), atol=1e-6)
    assert not plain.embed(["", "🙂 qqqqzzzz"]).vectors.any(), "no known word: zero, found nowhere"
    with pytest.raises(DataError, match="bytes"):
        plain.embed([b"x"])


@pytest.mark.parametrize("option", ["", "@sif", "@96", "@sif@96"])
def test_word_files_pass_the_embedders_suite(tmp_path: Path, home: Path, option: str) -> None:
    from cosimo.testing.embedders import ODD, TEXTS

    words = list(dict.fromkeys(word for each in (*TEXTS, *ODD) for word in (*words_of(each), *each) if word.strip(" \t\n\0?")))
    rows = np.random.default_rng(0).standard_normal((len(words), 128))
    made_of([word.encode("utf-8", "replace").decode() for word in words], rows).save(tmp_path / "w.txt")
    embedder = load_embedder(f"words:{tmp_path / 'w.txt'}{option}")
    check_embedder(embedder)
    assert embedder.spec.name == f"words:{tmp_path / 'w.txt'}{option}"
    assert embedder.spec.dim == (96 if "96" in option else 128)


@pytest.mark.parametrize(("name", "dev"), [("", 0.5225), ("@sif", 0.6647)])
def test_rare_words_count_for_more(data: Path, home: Path, name: str, dev: float) -> None:
    from cosimo.collection.evaluation import correlate

    found = correlate(data / "stsb" / "en" / "dev.tsv", model=f"words:{data / 'words' / 'word2vec-8k.bin'}{name}")
    assert abs(found.value - dev) < 0.002


def test_what_all_texts_have_in_common_is_taken_out(google: Words, data: Path) -> None:
    from cosimo.sources.beir import load_scored_pairs
    from cosimo.verbs.evaluate import spearman

    pairs = load_scored_pairs(data / "stsb" / "en" / "dev.tsv")
    vectors = google.sentences([text for _, a, b in pairs for text in (a, b)], sif=True)
    assert abs(spearman([s for s, _, _ in pairs], np.einsum("ij,ij->i", vectors[::2], vectors[1::2])).value - 0.680) < 0.002
    assert google.sentences(["one text"], sif=True).any(), "one text alone keeps its vector"
    assert google.sentences([]).shape == (0, 300)


def test_how_frequent_words_are_is_not_guessed_from_an_alphabet(tmp_path: Path, home: Path) -> None:
    path = written(tmp_path / "w.txt", text({f"word{n:04}": [1.0, n] for n in range(300)}))
    with pytest.raises(ConfigError, match="alphabet"):
        load_embedder(f"words:{path}@sif")
    assert load_embedder(f"words:{path}").embed(["word0001"]).vectors.any()


def test_one_file_is_one_model_from_whatever_folder_it_is_named(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "w@sif", text(VECTORS))
    monkeypatch.chdir(tmp_path)
    assert registry.canonical("words:w@sif") == f"words:{tmp_path / 'w@sif'}"
    assert load_embedder("words:w@sif").spec.pooling == "mean", "a file of that name goes before an option"
    with pytest.raises(ModelNotFound, match="no file of word vectors"):
        load_embedder("words:nothing.bin")
    with pytest.raises(ModelNotFound):
        load_embedder("words:")
    with cosimo.open(tmp_path / "x.db") as db:
        db.collection("notes", model="words:w@sif").add([Document("1", "the king"), Document("2", "a woman")])
    monkeypatch.chdir("/")
    with cosimo.open(tmp_path / "x.db") as db:
        assert db.collection("notes").search("queen", mode="vector")[0].id == "1"
        assert db.collection("notes", model=f"words:{tmp_path}/w@sif").model == f"words:{tmp_path / 'w@sif'}"


def test_chinese_is_cut_into_the_longest_known_words(tmp_path: Path, home: Path) -> None:
    path = written(tmp_path / "w", text({"数据": [1, 0, 0], "数据库": [0, 1, 0], "备份": [0, 0, 1], "库": [9, 9, 9]}))
    got = load_embedder(f"words:{path}").embed(["怎样备份数据库？"]).vectors[0]
    assert np.allclose(got, np.float32([0, 1, 1]) / np.sqrt(2), atol=1e-6)
    assert words_of("It's state-of-the-art: 数据库 3,5") == ["It's", "state-of-the-art", "数据库", "3", "5"]


# -- as a collection


def test_a_word_table_is_a_collection_like_any_other(google: Words, data: Path, tmp_path: Path, home: Path) -> None:
    with cosimo.open(tmp_path / "words.db") as db:
        english = db.collection("english", model=f"words:{data / 'words' / 'word2vec-8k.bin'}")
        assert google.into(english) == (7_924, 0)
        expected = google.neighbours("france", 6)
        found = english.related("france", 6)
        assert [hit.id for hit in found] == [each.word for each in expected]
        assert np.allclose([hit.score for hit in found], [each.score for each in expected], atol=1e-5)
        assert english.search("germany", plus="paris", minus="france", k=4)[0].id in ("berlin", "paris", "germany")
        assert np.array_equal(english.vector("france"), google.vector("france"))
        assert google.into(english) == (7_924, 0), "a second time replaces"
        assert len(english) == 7_924


def test_vectors_that_no_database_holds_are_left_out(tmp_path: Path, home: Path) -> None:
    table = load(written(tmp_path / "w", b"a 1 0\nnan nan 1\nzero 0 0\n"))
    with cosimo.open(tmp_path / "x.db") as db:
        assert table.into(db.collection("words", model=None)) == (2, 1)
        assert [hit.id for hit in db.collection("words").search([1.0, 0.0])] == ["a"]


# -- tests of words


def test_pairs_are_read_in_the_layouts_that_people_publish(few: Words, tmp_path: Path) -> None:
    rows = [
        ("king", "queen", 9.0),
        ("man", "woman", 8.5),
        ("king", "C++", 1.0),
        ("man", "well-known", 2.0),
        ("king", "unknown", 5.0),
    ]
    wordsim = "Word 1,Word 2,Human (mean)\n" + "".join(f"{a},{b},{s}\n" for a, b, s in rows)
    simlex = "word1\tword2\tPOS\tSimLex999\tconc(w1)\n" + "".join(f"{a}\t{b}\tN\t{s}\t3.1\n" for a, b, s in rows)
    men = "".join(f"{a} {b} {s}\n" for a, b, s in rows)
    found = []
    for layout in (wordsim, simlex, men, "# a comment\n" + men):
        (tmp_path / "pairs").write_text(layout)
        found.append(few.likeness(tmp_path / "pairs"))
    assert len(set(found)) == 1
    assert (found[0].pairs, found[0].covered) == (5, 4)
    assert found[0].spearman > 0.5


@pytest.mark.parametrize(("content", "word"), [
    (b"", "no pairs"), (b"a b\n", "no pairs"), (b"a b 1\nc d\n", ":2 "), (b"a,b,1\nc,d,x\n", ":2 "), (b"a b nan\n", "no pairs"),
    (b"king queen 1\nqueen king 2\n", "four"), (b"\xff\xfea b 1\n", "UTF-8"),
    (b": one\nking queen man\n", ":2 "), (b": one\n", "no questions"), (b"a b c d\n", "not all four"),
])  # fmt: skip
def test_files_of_questions_that_are_none_are_refused(few: Words, tmp_path: Path, content: bytes, word: str) -> None:
    from cosimo.sources.word_questions import are_analogies

    path = written(tmp_path / "q", content)
    with pytest.raises(Error, match=word):
        (few.analogies if are_analogies(path) else few.likeness)(path)


def test_analogies_are_counted_without_case_and_without_what_was_given(few: Words, tmp_path: Path) -> None:
    path = written(tmp_path / "q", b": family\nMAN woman KING queen\nking queen man woman\n: places\nking queen a b\n")
    found = few.analogies(path)
    assert [(s.name, s.questions, s.covered, s.right) for s in found.sections] == [("family", 2, 2, 2), ("places", 1, 0, 0)]
    assert found.sections[1].accuracy is None
    assert found.total.accuracy == 1


def test_one_hot_vectors_know_nothing() -> None:
    flat = one_hot(["cat", "dog", "cat", "car", ""])
    assert list(flat) == ["cat", "dog", "car"]
    assert flat.vector("dog").tolist() == [0, 1, 0]
    assert flat.similarity("cat", "dog") == 0 == flat.similarity("cat", "car")
    assert {each.score for each in flat.neighbours("cat", 5)} == {0.0}
    a, b = flat.sentences(["cat dog", "dog car car"])
    assert abs(float(a @ b) - 1 / np.sqrt(2 * 5)) < 1e-6, "counts of words, at unit length"
    for words in ([], [""], [str(n) for n in range(10_001)]):
        with pytest.raises(DataError):
            one_hot(words)


# -- training


@pytest.fixture
def gensim() -> Any:
    return pytest.importorskip("gensim", reason="gensim is installed by make test-all")


TEXTS = [
    "The cat sat on the mat. The dog sat on the rug.",
    "A cat and a dog are pets! 数据库的备份。",
    "the cat chased the dog",
] * 30


@pytest.mark.parametrize(
    ("kind", "name"), [("word2vec", "w.bin"), ("word2vec", "w.txt"), ("fasttext", "w.vec"), ("fasttext", "w.bin")]
)
def test_what_is_trained_is_read_and_is_the_same_again(gensim: Any, tmp_path: Path, kind: str, name: str) -> None:
    made = train(iter(TEXTS), tmp_path / name, kind=kind, dim=8, epochs=2)
    found = load(tmp_path / name)
    assert (made.words, made.dim) == (len(found), 8)
    assert {"cat", "dog", "the", "数"} <= set(found)
    assert made.sentences == 150
    first = found.table.take(range(len(found)))
    train(TEXTS, tmp_path / name, kind=kind, dim=8, epochs=2)
    assert np.array_equal(load(tmp_path / name).table.take(range(len(found))), first)
    if (kind, name) == ("fasttext", "w.bin"):
        assert found.vector("catt").shape == (8,), "a word that is not there, from its parts"
        assert load_embedder(f"words:{tmp_path / name}@sif").embed(["catt"]).vectors.any()
        content = (tmp_path / name).read_bytes()
        for size in (4, 10, 200, len(content) // 2):
            with pytest.raises(UnreadableSource, match="cut short"):
                load(written(tmp_path / "cut.bin", content[:size]))
    else:
        with pytest.raises(NotFound):
            found.vector("catt")


def test_words_that_stand_in_the_same_places_come_near(gensim: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    fruit, tools = ["apple", "pear", "plum"], ["hammer", "saw", "drill"]
    texts = [f"I eat the sweet {random.choice(fruit)} for lunch" for _ in range(400)]
    texts += [f"she fixed it with her {random.choice(tools)} yesterday" for _ in range(400)]
    train(texts, tmp_path / "w.bin", dim=16, epochs=20)
    assert {each.word for each in load(tmp_path / "w.bin").neighbours("apple", 2)} <= {"pear", "plum", "sweet", "lunch"}
    assert load(tmp_path / "w.bin").odd_one_out(["apple", "pear", "plum", "saw"]).word == "saw"


def test_too_little_text_and_senseless_numbers_are_refused(gensim: Any, tmp_path: Path) -> None:
    for texts, word in (([], "no word"), ([" ... "], "no word"), (["only once"], "no word occurs 5 times")):
        with pytest.raises(DataError, match=word):
            train(texts, tmp_path / "w.bin")
    with pytest.raises(ConfigError, match="dim"):
        train(["x"], tmp_path / "w.bin", dim=0)
    with pytest.raises(ConfigError, match="glove"):
        train(["x"], tmp_path / "w.bin", kind="glove")
    for seed in (-1, 2**32):
        with pytest.raises(ConfigError, match="seed"):
            train(TEXTS, tmp_path / "w.bin", seed=seed)
    with pytest.raises(ConfigError, match="memory"):
        train(TEXTS, tmp_path / "w.bin", dim=10**13)
    with pytest.raises(DataError):
        train([None], tmp_path / "w.bin")  # type: ignore[list-item]
    with pytest.raises(UnreadableSource, match="no folder"):
        train(TEXTS, tmp_path / "nowhere" / "w.bin")
    with pytest.raises(UnreadableSource, match="folder"):
        train(TEXTS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_learned_from_by_its_words_and_half_characters_do_no_harm(gensim: Any, tmp_path: Path) -> None:
    assert train("the cat \ud800 sat. " * 9, tmp_path / "w.txt", dim=2).tokens == 27
    assert set(load(tmp_path / "w.txt")) == {"the", "cat", "sat"}


def test_without_gensim_the_pip_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block(monkeypatch, "gensim")
    with pytest.raises(MissingExtra, match=re.escape("pip install 'cosimo[words]'")):
        train(TEXTS, tmp_path / "w.bin")
    with pytest.raises(MissingExtra, match=re.escape("pip install 'cosimo[words]'")):
        load(written(tmp_path / "ft.bin", word_files.FASTTEXT + b"\x0c\0\0\0"))


# -- in context


def test_bank_differs_in_two_sentences(minilm: Path) -> None:
    river, savings, loan = (
        embed_tokens(text, model=str(minilm)).of("bank")
        for text in (
            "She sat on the bank of the river and watched the boats.",
            "She went to the bank to open a savings account.",
            "The bank approved the loan and the mortgage.",
        )
    )
    assert abs(float(savings @ loan) - 0.8127) < 0.001
    assert abs(float(savings @ river) - 0.7665) < 0.001
    assert abs(float(loan @ river) - 0.7480) < 0.001


def test_tokens_have_their_places_and_pool_to_the_texts_vector(minilm: Path) -> None:
    text = "  Unbelievable:\tTübingen, 数据库 \ud800!"
    found = embed_tokens(text, model=str(minilm))
    assert len(found.tokens) == len(found.spans) == len(found.vectors)
    assert "".join(found.text[a:b] for a, b in found.spans) == "Unbelievable:Tübingen,数据库!"
    assert found.vectors.dtype == np.float32
    assert not found.cut
    assert found.of("数据").shape == (384,)
    with pytest.raises(NotFound, match="not at all"):
        found.of("bank")
    with pytest.raises(NotFound, match="once"):
        found.of("unbelievable", 2)
    long = embed_tokens("word " * 400 + "end", model=str(minilm))
    assert long.cut
    with pytest.raises(NotFound, match="behind"):
        long.of("end")
    again = embed_tokens("bank bank", model=str(minilm))
    assert not np.allclose(again.of("bank", 1), again.of("bank", 2), atol=1e-3)


def test_tokens_are_shown_by_local_models_alone(minilm: Path, home: Path) -> None:
    with pytest.raises(ConfigError, match="single tokens"):
        embed_tokens("x", model="fake:8")
    with pytest.raises(DataError, match="empty"):
        embed_tokens(" ", model=str(minilm))


# -- the tour


def test_the_tour_prints_what_it_says(data: Path, tmp_path: Path, minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path as Folder

    page = (Folder(__file__).parents[1] / "docs" / "tour.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    said = [match[1] for match in re.finditer(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)]
    assert len(said) == code.count("print(") >= 10
    for file in (data / "words").iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    printed: list[str] = []
    exec(code, {"print": lambda *values: printed.append(" ".join(map(str, values)))})
    assert printed == said


# -- at the doors


@pytest.fixture
def call(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command line in this process: (exit code, stdout, stderr)."""
    from cosimo.interfaces.cli import cli
    from cosimo.interfaces.cli.failure import run

    monkeypatch.chdir(tmp_path)
    written(tmp_path / "w.txt", text(VECTORS))

    def run_it(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cosimo", *arguments])
        capfd.readouterr()
        code = run(cli)
        out = capfd.readouterr()
        return code, out.out, out.err

    return run_it


def test_the_command_prints_lines_in_a_pipe_and_a_table_on_a_terminal(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = call("words", "w.txt", "king - man + woman", "-n", "2")
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [set(record) for record in records] == [{"word", "score"}] * 2
    assert records[0]["word"] == "queen"
    assert call("words", "neighbours", "w.txt", "king - man + woman", "-n", "2")[1] == out
    monkeypatch.setattr("cosimo.interfaces.cli.output.on_terminal", lambda: True)
    _, out, _ = call("words", "w.txt", "king - man + woman", "-n", "1")
    assert out.splitlines()[0].split() == ["score", "word"]
    assert out.splitlines()[1].split()[1] == "queen"


def test_the_other_questions_on_the_command_line(call: Any, tmp_path: Path) -> None:
    assert json.loads(call("words", "similarity", "w.txt", "king", "KING")[1])["score"] == pytest.approx(1)
    assert json.loads(call("words", "odd", "w.txt", "king queen C++")[1].splitlines()[0])["word"] == "C++"
    written(tmp_path / "q", b": family\nman woman king queen\n")
    assert json.loads(call("words", "eval", "w.txt", "q")[1].splitlines()[-1]) == {
        "section": "total", "questions": 1, "covered": 1, "right": 1, "accuracy": 1.0,
    }  # fmt: skip
    for header in ("", "Word 1,Word 2,Human (mean)\n", "word1 word2 POS score\n"):  # WordSim-353's is four words
        rows = "king queen N 9\nman woman N 8\nking C++ N 1\nman well-known N 2\n"
        written(tmp_path / "p", (header + (rows.replace(" ", ",") if "," in header else rows)).encode())
        assert json.loads(call("words", "eval", "w.txt", "p")[1])["covered"] == 4
    assert [json.loads(line)["word"] for line in call("words", "odd", "w.txt", "new york", "man", "woman")[1].splitlines()] == [
        "new york", "man", "woman",
    ]  # fmt: skip
    assert call("words", "w.txt", "--into", "all", "-d", "x.db", "--save", "w.bin")[2].count("7 words") == 2
    assert json.loads(call("similar", "all", "king", "-d", "x.db", "-n", "1")[1])["id"] == "queen"
    assert json.loads(call("similar", "all", "-c", "the KING", "-d", "x.db", "-n", "1")[1])["id"] == "king"
    assert call("words", "w.bin", "king")[1] == call("words", "w.txt", "king")[1]


def test_errors_on_the_command_line_are_one_line(call: Any, tmp_path: Path) -> None:
    for arguments, word in (
        (("words", "w.txt", "kign"), "spelled alike: king"), (("words", "nothing.bin", "x"), "no file"),
        (("words", "w.txt", "+ -"), "no word"), (("words", "similarity", "w.txt", "king", "zzzz"), "zzzz"),
        (("words", "train", "nothing", "x.bin"), "nothing"),
        (("words", "w.txt", "king", "--save", "no/where.bin"), "cannot be written"),
    ):  # fmt: skip
        code, out, err = call(*arguments)
        assert (code, out) == (1, "")
        assert word in err
        assert err.count("\n") == 1
    assert call("words", "w.txt")[0] == 2
    for arguments in (("trian", "notes", "out.bin"), ("simlarity", "w.txt", "king", "queen"), ("odds",)):
        code, _, err = call("words", *arguments)
        assert (code, "Did you mean:" in err, arguments[0] in err) == (2, True, True)
    written(tmp_path / "trian", text(VECTORS))
    assert json.loads(call("words", "trian", "king", "-n", "1")[1])["word"] == "queen", "a file of that name is one"
    assert "Commands:" in "".join(call("words")[1:])
    written(tmp_path / "twice", b"a 1 0\na 0 1\nb 1 1\n")
    code, out, err = call("words", "twice", "a")
    assert (code, json.loads(out)["word"]) == (0, "b")
    assert "second time" in err


def test_training_on_the_command_line(gensim: Any, call: Any, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("\n".join(TEXTS))
    code, out, err = call("words", "train", "notes", "own.bin", "--glob", "**/*.md", "--dim", "8")
    assert (code, out) == (0, "")
    assert "words of 8 numbers" in err
    assert call("words", "train", "notes/a.md", "same.bin", "--dim", "8", "-q")[2] == ""
    assert list(load(tmp_path / "own.bin")) == list(load(tmp_path / "same.bin"))
    before = (folder / "a.md").read_bytes()
    assert "is the text itself" in call("words", "train", "notes/a.md", "notes/../notes/a.md", "--dim", "8")[2]
    assert (folder / "a.md").read_bytes() == before


def test_tokens_on_the_command_line(call: Any, minilm: Path) -> None:
    _, out, _ = call("words", "tokens", "the bank", "-m", str(minilm))
    assert [(r["token"], r["start"], r["end"], len(r["embedding"])) for r in map(json.loads, out.splitlines())] == [
        ("the", 0, 3, 384), ("bank", 4, 8, 384),
    ]  # fmt: skip
    code, out, _ = call("words", "tokens", "a river bank", "a bank lends money", "--word", "bank", "-m", str(minilm))
    assert (code, 0.5 < json.loads(out)["score"] < 0.95) == (0, True)
    assert call("words", "tokens", "the bank", "--word", "bank", "-m", str(minilm))[0] == 2


def test_a_served_word_file_answers_sums(tmp_path: Path, home: Path) -> None:
    pytest.importorskip("fastapi", reason="the server's extra is not installed")
    from serving import refused, running

    path = written(tmp_path / "w.txt", text(VECTORS))
    with running(models=("fake:8", f"words:{path}")) as server:
        got = server.post("/v1/words", {"expression": "king - man + woman", "k": 1})
        assert got.status_code == 200, got.text
        assert got.json()["words"][0]["word"] == "queen"
        for body, status in (
            ({"expression": "kign"}, 404), ({"expression": "+ -"}, 400), ({"expression": "king", "k": 0}, 400), ({}, 400),
            ({"expression": "king", "k": 10_000}, 400), ({"expression": "king", "model": "fake:8"}, 404),
            ({"expression": "king", "model": "nothing"}, 404), ({"expression": "king", "extra": 1}, 400),
        ):  # fmt: skip
            assert refused(server.post("/v1/words", body), status)
        made = server.post("/v1/embeddings", {"input": "the king", "model": f"words:{path}"}).json()
        assert len(made["data"][0]["embedding"]) == 3
        assert "/v1/words" in server.client.get("/openapi.json").json()["paths"]
    with running(models=("fake:8",)) as server:
        assert "words:FILE" in refused(server.post("/v1/words", {"expression": "king"}), 404)


def test_many_threads_may_ask_one_table(google: Words) -> None:
    expected = google.neighbours("king", 5)
    wrong: list[int] = []

    def ask() -> None:
        wrong.extend(1 for _ in range(5) if google.neighbours("king", 5) != expected)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_no_number_is_never_among_the_best() -> None:
    from cosimo.core.vectors import top_k

    scores = np.float32([np.nan, 1, np.nan, 3, -np.inf])
    assert top_k(scores, 9).tolist() == [3, 1, 4]
    assert top_k(np.tile(scores, 1_000), 2_500).tolist()[:1_001] == [*range(3, 5_000, 5), 1]
    assert not np.isnan(np.tile(scores, 1_000)[top_k(np.tile(scores, 1_000), 5_000)]).any()
