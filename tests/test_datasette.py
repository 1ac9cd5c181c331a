"""Datasette: the plug-in in a real one: its form, its rows, its permissions; and once in a browser."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import cosimo
from cosimo import Document

pytest.importorskip("datasette", reason="Datasette is installed by the extra `heavy`")
pytestmark = pytest.mark.heavy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TALK = (  # as it is published
    "with input as (select llm_embed('all-MiniLM-L6-v2', :input) as e) select id, content from embeddings, input"
    " order by llm_embed_cosine(embedding, input.e) desc limit 5"
)
TEXTS = {"bread": "Bake bread in a hot oven.", "cats/1": "Cats sleep all day.", "data": "SQLite keeps rows in one file."}
FUNCTIONS = 2_000
QUESTION = "sort a list of dictionaries by key"


@pytest.fixture
def notes(tmp_path: Path, home: Path) -> Path:
    path = tmp_path / "notes.db"
    with cosimo.open(path) as db:
        db.collection("notes", model="fake:64").add(Document(id, text) for id, text in TEXTS.items())
        db.collection("vectors", model=None, dim=2).add_vectors(["a"], [[1, 2]])
    return path


@pytest.fixture(scope="module")
def functions(data: Path, minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python functions with what they are for, as the talk had them."""
    import itertools
    import json

    path = tmp_path_factory.mktemp("functions") / "functions.db"
    with (data / "retrieval/cosqa/corpus.jsonl").open(encoding="utf-8") as lines, cosimo.open(path) as db:
        rows = map(json.loads, itertools.islice(lines, FUNCTIONS))
        functions = db.collection("functions", model="all-MiniLM-L6-v2")
        functions.add((Document(row["_id"], row["text"]) for row in rows), passages=False)
    return path


class Site:
    """A Datasette in this process."""

    def __init__(
        self,
        path: Path,
        *,
        immutable: bool = False,
        crossdb: bool = False,
        models: tuple[str, ...] = ("fake:64",),
        **settings: Any,
    ) -> None:
        from datasette.app import Datasette

        configuration = {"plugins": {"cosimo": {"models": list(models)}}, **settings}
        self.new = hasattr(Datasette, "allowed")  # 1.0
        kept = {"config": configuration} if self.new else {"metadata": configuration}
        files = {"files": [], "immutables": [str(path)]} if immutable else {"files": [str(path)]}
        self._site = Datasette(**files, **kept, crossdb=crossdb)
        self.name = path.stem

    def get(self, path: str, **asked: Any) -> Any:
        return asyncio.run(self._get(path, asked))

    async def _get(self, path: str, asked: dict[str, Any]) -> Any:
        await self._site.invoke_startup()
        return await self._site.client.get(path, params=asked or None)

    def form(self, sql: str, **asked: Any) -> Any:
        """What the form of Datasette sends, answered as JSON."""
        return self.get(f"/{self.name}/-/query.json" if self.new else f"/{self.name}.json", sql=sql, _shape="array", **asked)


def links(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]*?/-/similar[^"]*)"', page)]


# -- SQL


def test_the_functions_are_there_on_every_connection(notes: Path) -> None:
    site = Site(notes)
    only = (
        "select id from embeddings where collection_id = 1 order by llm_embed_cosine(embedding, llm_embed('fake:64', :q)) desc"
    )
    assert site.form(only, q="where cats sleep").json()[0] == {"id": "cats/1"}
    near = "select value ->> 'id' as id from json_each(similar('notes', :q, 1))"
    assert site.form(near, q="where cats sleep").json() == [{"id": "cats/1"}]


def test_an_error_is_told_with_its_sentence(notes: Path) -> None:
    reply = Site(notes).form("select embed_cosine(x'00', x'00')")
    assert reply.status_code == 400
    assert "a blob of 1 bytes is not a vector" in reply.text


def test_models_that_nobody_allowed_are_not_used(notes: Path) -> None:
    site = Site(notes, models=())
    for model in ("fake:64", "openai:text-embedding-3-small", "langchain:os.path", str(notes.parent), "org/any-model"):
        reply = site.form("select embed(:model, 'text')", model=model)
        assert reply.status_code == 400
        assert "may not be used here" in reply.text
    reply = site.form("select similar('notes', 'text')")
    assert "may not be used here" in reply.text
    allowed = Site(notes, models=("fake:64",)).form("select length(embed('fake:64', 'text')) as n")
    assert allowed.json() == [{"n": 256}]


def test_an_immutable_file_is_answered_from_and_nothing_is_made_beside_it(notes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(notes, folder / "notes.db")  # still in WAL mode, the log itself is empty
    before = (folder / "notes.db").read_bytes()
    site = Site(folder / "notes.db", immutable=True)
    assert site.form("select value ->> 'id' as id from json_each(similar('notes', 'cats sleep', 1))").json() == [
        {"id": "cats/1"}
    ]
    assert site.get("/notes/-/similar.json", collection="notes", id="bread").json()["ok"]
    assert [path.name for path in folder.iterdir()] == ["notes.db"]
    assert (folder / "notes.db").read_bytes() == before


# -- rows and pages


def test_rows_of_embeddings_lead_to_what_is_near(notes: Path) -> None:
    site = Site(notes)
    table = site.get("/notes/embeddings").text
    found = links(table)
    assert "/notes/-/similar" in found  # the menu of the table
    to_cats = next(link for link in found if "id=cats" in link)
    page = site.get(to_cats)
    assert page.status_code == 200
    assert "Similar to cats/1" in page.text
    assert "Bake bread" in page.text
    assert "Cats sleep" not in page.text  # itself
    rows = re.findall(r'href="(/notes/embeddings/[^"]+)"', page.text)
    assert site.get(html.unescape(rows[0])).status_code == 200
    blobs = [html.unescape(found) for found in re.findall(r'href="([^"]*_blob_column=embedding[^"]*)"', table)]
    assert len(site.get(blobs[0]).content) == 256


def test_the_page_of_a_row_leads_to_what_is_near(notes: Path) -> None:
    page = Site(notes).get("/notes/embeddings/1,bread").text
    assert any("collection_id=1" in link and "id=bread" in link for link in links(page))


def test_a_text_is_searched_for_and_the_same_offered_as_sql(notes: Path) -> None:
    site = Site(notes)
    page = site.get("/notes/-/similar", collection="notes", q="where cats sleep").text
    assert page.index("cats/1") < page.index("bread")
    sql = html.unescape(re.search(r'href="([^"]+)">The same as SQL', page)[1])  # type: ignore[index]
    assert "cats/1" in site.get(sql).text
    record = site.get("/notes/-/similar.json", collection="notes", q="where cats sleep", k="1").json()
    assert [row["id"] for row in record["rows"]] == ["cats/1"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"collection": "nothing", "q": "x"}, "no collection 'nothing'"),
        ({"collection": "notes", "id": "nothing"}, "no item 'nothing'"),
        ({"collection": "vectors", "q": "x"}, "has no model"),
        ({"collection": "notes", "q": "x", "k": "0"}, "at least 1"),
        ({"collection": "notes", "q": "x", "k": "-3"}, "'-3' is no whole number"),
        ({"collection_id": "99", "q": "x"}, "no collection has the number 99"),
        ({"collection_id": "²", "q": "x"}, "'²' is no whole number"),
    ],
)
def test_what_cannot_be_answered_is_told(notes: Path, asked: dict[str, str], words: str) -> None:
    site = Site(notes)
    page, record = site.get("/notes/-/similar", **asked), site.get("/notes/-/similar.json", **asked)
    assert page.status_code == record.status_code == 400
    assert words in html.unescape(page.text)
    assert words in record.json()["error"]


def test_a_number_of_any_length_is_a_number(notes: Path) -> None:
    reply = Site(notes).get("/notes/-/similar.json", collection="notes", q="x", k="9" * 5_000)
    assert len(reply.json()["rows"]) == 3


def test_texts_on_the_page_are_text(notes: Path) -> None:
    with cosimo.open(notes) as db:
        db.collection("notes").add([Document("<b>", "<script>alert(1)</script> cats")])
    page = Site(notes).get("/notes/-/similar", collection="notes", q="<script>alert(1)</script>").text
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_other_tables_and_other_databases_are_left_alone(tmp_path: Path, home: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "plain.db") as plain:
        plain.execute("create table embeddings (id integer primary key, embedding blob)")
        plain.execute("insert into embeddings values (1, x'00000000')")
    site = Site(tmp_path / "plain.db")
    assert not [link for link in links(site.get("/plain/embeddings").text) if "id=" in link]
    assert site.get("/plain/-/similar").status_code == 404
    assert site.get("/nothing/-/similar").status_code == 404


# -- permissions


@pytest.mark.parametrize("table", ["embeddings", "collections"])
def test_who_may_not_see_the_tables_sees_no_page(notes: Path, table: str) -> None:
    site = Site(notes, databases={"notes": {"tables": {table: {"allow": {"id": "root"}}}}})
    for path in ("/notes/-/similar", "/notes/-/similar.json"):
        assert site.get(path, collection="notes", id="bread").status_code == 403


def test_who_may_not_see_the_database_sees_no_page(notes: Path) -> None:
    site = Site(notes, databases={"notes": {"allow": {"id": "root"}}})
    assert site.get("/notes/-/similar", collection="notes", id="bread").status_code == 403


def test_a_database_in_memory_shows_nothing_of_those_attached_to_it(notes: Path) -> None:
    site = Site(notes, crossdb=True, databases={"notes": {"allow": {"id": "root"}}})
    reply = site.get("/_memory/-/similar.json", collection="notes", q="cats")
    assert reply.status_code == 404
    assert "Cats sleep" not in reply.text


@pytest.mark.parametrize("settings", [{"models": 5}, {"load": {"a": 1}}, "all", ["all"]])
def test_settings_that_cannot_be_stop_it_with_one_sentence(notes: Path, settings: Any) -> None:
    from datasette.utils import StartupError

    site = Site(notes, plugins={"cosimo": settings})
    with pytest.raises(StartupError, match="is a list of names of models; correct it"):
        site.get("/")


def test_a_model_that_cannot_be_loaded_stops_it_with_one_sentence(notes: Path) -> None:
    from datasette.utils import StartupError

    with pytest.raises(StartupError, match="no model is called 'fake:0'"):
        Site(notes, plugins={"cosimo": {"load": ["fake:0"]}}).get("/")


def test_who_may_not_write_sql_is_not_offered_it(notes: Path) -> None:
    site = Site(notes, databases={"notes": {"allow_sql": {"id": "root"}}})
    page = site.get("/notes/-/similar", collection="notes", q="cats")
    assert page.status_code == 200
    assert "The same as SQL" not in page.text


# -- the talk's query


def test_the_talks_query_answers_two_thousand_functions_at_once(functions: Path) -> None:
    site = Site(functions, models=())  # the model is the user's own
    best, seconds = [], []
    for _ in range(4):
        started = time.perf_counter()
        reply = site.form(TALK, input=QUESTION)
        seconds.append(time.perf_counter() - started)
        best = reply.json()
    print(f"the talk's query over {FUNCTIONS} functions: {', '.join(f'{each:.3f}' for each in seconds)} s")
    assert len(best) == 5
    assert "sorted" in best[0]["content"]
    with cosimo.open(functions, read_only=True) as db:
        assert [hit.id for hit in db.collection("functions").search(QUESTION, 5, mode="vector")] == [row["id"] for row in best]


@pytest.fixture
def served(functions: Path) -> Iterator[str]:
    """The address of a Datasette of its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "datasette", "serve", str(functions), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_in_a_browser_the_form_answers_and_a_row_leads_to_similar_ones(served: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is installed by the extra `heavy`")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{served}/functions?{urlencode({'sql': TALK, 'input': ''})}")
        for _ in range(2):  # the model is loaded by the first
            page.fill("input[name=input]", QUESTION)
            started = time.perf_counter()
            page.click("form.sql input[type=submit], #sql-run, form.sql button[type=submit]")
            page.wait_for_selector("table.rows-and-columns tbody tr")
            seconds = time.perf_counter() - started
        print(f"the talk's query from the form, in a browser: {seconds:.3f} s")
        assert page.locator("table.rows-and-columns tbody tr").count() == 5
        assert "sorted" in page.locator("table.rows-and-columns tbody tr").first.inner_text()
        page.goto(f"{served}/functions/embeddings")
        page.locator("td.col-embedding a", has_text="similar").first.click()
        page.wait_for_selector("table.rows-and-columns tbody tr")
        assert page.locator("table.rows-and-columns tbody tr").count() == 10
        browser.close()
