"""Full text: words and CJK characters are found wherever they stand, and whatever any program writes is found at once."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cosimo.core.filters import F
from cosimo.core.terms import cjk_share, indexed, match_expression, terms
from cosimo.core.types import Row, Settings
from cosimo.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = {
    "backup": "How to back up databases with SQLite while they are running",
    "bread": "Baking bread: flour, water, salt; the café next door bakes better",
    "chinese": "我们每天备份数据库,然后喝茶",
    "japanese": "東京のカフェでデータベースを学ぶ",
    "mixed": "用SQLite备份",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "texts.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as opened:
        opened.create("c", Settings(None, 2))
        put(opened, TEXTS)
        yield opened


def put(store: SQLiteStore, texts: dict[str, str | None], metadata: dict[str, object] | None = None) -> None:
    store.put("c", [Row(id, np.ones(2, np.float32), text, metadata=metadata) for id, text in texts.items()])


def found(store: SQLiteStore, query: str, k: int = 10, **options: object) -> list[str]:
    store.index_text("c")
    numbers = [number for number, _ in store.rows_with("c", terms(query), k, **options)]  # type: ignore[arg-type]
    ids = store.ids_of("c", numbers)
    return [ids[number] for number in numbers]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("sqlite", {"backup", "mixed"}),
        ("database", {"backup"}),  # the stem of databases
        ("cafe", {"bread"}),
        ("CAFÉ", {"bread"}),
        ("茶", {"chinese"}),
        ("备份", {"chinese", "mixed"}),
        ("数据库", {"chinese"}),
        ("库", {"chinese"}),
        ("カフェ", {"japanese"}),
        ("京", {"japanese"}),
        ("ぶ", {"japanese"}),  # the last character of a text
        ("bread 茶", {"bread", "chinese"}),
        ("nothing-of-this", set()),
    ],
)
def test_words_are_found_wherever_they_stand(store: SQLiteStore, query: str, ids: set[str]) -> None:
    if query == "nothing-of-this":
        query = "zzz"
    assert set(found(store, query)) == ids


@pytest.mark.parametrize(
    "query",
    ['"', "*", "NEAR(", "a OR b AND", "-x", "^", "col:umn", "(", "{", "'; drop table embeddings; --", "\0", "a" * 1_000_000],
)
def test_what_is_syntax_elsewhere_is_text_here(store: SQLiteStore, query: str) -> None:
    assert isinstance(found(store, query), list)
    assert store.count("c") == 5


@pytest.mark.parametrize("query", ["", "😀🎉", "!?", "  "])
def test_a_query_without_a_word_finds_nothing(store: SQLiteStore, query: str) -> None:
    assert found(store, query) == []


def test_better_matches_come_first(store: SQLiteStore) -> None:
    put(store, {"both": "bread and salt", "long": "salt " + "and other things " * 50})
    assert found(store, "bread salt")[0] == "both"


def test_texts_indexed_for_the_connection_are_found_while_another_program_writes(store: SQLiteStore, path: Path) -> None:
    with SQLiteStore(path, read_only=True) as reader:
        assert found(reader, "flour") == ["bread"]
        put(store, {"pizza": "Dough of flour"})
        assert len(reader.rows_with("c", ["flour"], 9)) == 1
        assert set(found(reader, "flour")) == {"bread", "pizza"}


def test_changed_and_deleted_texts_are_no_longer_found(store: SQLiteStore) -> None:
    assert found(store, "flour") == ["bread"]
    put(store, {"bread": "Now it speaks of rye"})
    assert found(store, "flour") == []
    assert found(store, "rye") == ["bread"]
    store.delete("c", ["bread"])
    assert found(store, "rye") == []
    put(store, {"bread": None})
    assert found(store, "rye") == []


def test_what_another_program_writes_is_found_at_once(store: SQLiteStore, path: Path) -> None:
    assert found(store, "flour") == ["bread"]
    with sqlite3.connect(path) as other:
        other.execute("update embeddings set content = 'rice and beans' where id = 'bread'")
        other.execute(
            "insert or replace into embeddings (collection_id, id, embedding, content) values (1, 'backup', x'00', 'beans')"
        )
        other.execute("delete from embeddings where id = 'mixed'")
    assert found(store, "flour") == []
    assert set(found(store, "beans")) == {"bread", "backup"}
    assert found(store, "sqlite") == []


def test_many_changes_rebuild_the_index_and_change_no_answer(store: SQLiteStore, path: Path) -> None:
    for turn in range(6):
        put(store, {f"t{i}": f"word{i} turn{turn}" for i in range(20)})
        assert len(found(store, f"turn{turn}", 100)) == 20
        assert found(store, f"turn{turn - 1}", 100) == []
    entries, highest = sqlite3.connect(path).execute("select count(*), max(entry) from cosimo_text_entries").fetchone()
    assert entries == 25
    assert highest < 6 * 20  # dead entries were dropped on the way


def test_a_file_that_may_only_be_read_is_searched_and_stays_as_it_is(store: SQLiteStore, path: Path) -> None:
    store.close()
    before = path.read_bytes()
    with SQLiteStore(path, read_only=True) as reader:
        assert found(reader, "备份", 10) == found(reader, "备份", 10)
        assert set(found(reader, "备份")) == {"chinese", "mixed"}
    assert path.read_bytes() == before


def test_a_file_of_llm_is_searched_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "llm.db"
    with sqlite3.connect(path) as other:
        other.execute("create table collections (id integer primary key, name text, model text)")
        other.execute(
            "create table embeddings (collection_id integer, id text, embedding blob, content text, content_hash blob)"
        )
        other.execute("insert into collections values (1, 'c', 'm')")
        other.execute("insert into embeddings values (1, 'a', x'0000803f00000000', 'bread and butter', null)")
    before = path.read_bytes()
    with SQLiteStore(path, create=False) as reader:
        assert found(reader, "butter") == ["a"]
        with sqlite3.connect(path) as other:
            other.execute("insert into embeddings values (1, 'b', x'0000803f00000000', 'butter alone', null)")
        assert set(found(reader, "butter")) == {"a", "b"}
    assert path.read_bytes() != before
    assert b"cosimo" not in path.read_bytes()


def test_collections_do_not_see_each_other(store: SQLiteStore) -> None:
    store.create("d", Settings(None, 2))
    store.put("d", [Row("other", np.ones(2, np.float32), "flour of another collection")])
    assert found(store, "flour") == ["bread"]
    store.index_text("d")
    assert len(store.rows_with("d", ["flour"], 10)) == 1
    store.drop("d")
    assert found(store, "flour") == ["bread"]


def test_only_allowed_rows_come_and_as_many_as_there_are(store: SQLiteStore) -> None:
    put(store, {f"n{i}": "the same words" for i in range(300)}, {"even": True})
    put(store, {f"m{i}": "the same words" for i in range(300)}, {"even": False})
    allowed = store.numbers_that_pass("c", F("even") == False)  # noqa: E712 - the filter language
    ids = found(store, "same", 250, allowed=allowed)
    assert len(ids) == 250
    assert all(id.startswith("m") for id in ids)


def test_filters_are_remembered_until_the_file_changes(store: SQLiteStore) -> None:
    put(store, {"x": "text"}, {"year": 2020})
    assert len(store.numbers_that_pass("c", F("year") >= 2020)) == 1
    assert store.numbers_that_pass("c", F("year") >= 2020) is store.numbers_that_pass("c", F("year") >= 2020)
    put(store, {"y": "text"}, {"year": 2021})
    assert len(store.numbers_that_pass("c", F("year") >= 2020)) == 2


def test_facets_count_values_under_a_filter(store: SQLiteStore) -> None:
    put(store, {"a": "1", "b": "2"}, {"kind": "dress", "tags": ["red", "new"], "price": 10, "size": {"cm": 3}})
    put(store, {"c": "3"}, {"kind": "shoe", "tags": ["red"], "price": 20})
    assert store.facets("c", "kind") == {"dress": 2, "shoe": 1}
    assert store.facets("c", "tags") == {"red": 3, "new": 2}
    assert store.facets("c", "size.cm") == {"3": 2}
    assert store.facets("c", "kind", filter=F("price") > 15) == {"shoe": 1}
    assert store.facets("c", "nothing") == {}


def test_cjk_is_spelled_as_pairs() -> None:
    assert indexed("数据库 ok").split() == ["数据", "据库", "库", "ok"]
    assert terms("SQLite 数据库 a") == ["sqlite", "数据", "据库", "a"]
    assert match_expression(["库", 'x"y']).startswith('"库"* OR ')
    assert cjk_share("数据") == 1
    assert cjk_share("data") == 0
