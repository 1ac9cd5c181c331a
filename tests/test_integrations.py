"""Our classes under other programs' names: LangChain, llm and LlamaIndex get what cosimo gives, and files stay everybody's."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cosimo
from cosimo.core.errors import BadVector, DataError, DimensionMismatch, InvalidFilter, ModelMismatch, ModelNotFound

pytest.importorskip("langchain_core", reason="the extra 'test' installs langchain-core")

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from cosimo.embedders.fake import FakeEmbedder
from cosimo.interfaces.integrations.langchain import CosimoEmbeddings, CosimoVectorStore

if TYPE_CHECKING:
    from collections.abc import Iterator

FAKE = "fake:256"
ROOT = Path(__file__).parents[1]
TEXTS = {
    "bread": "Bake sourdough bread in a hot oven with flour and water.",
    "pizza": "Stretch the dough, add tomatoes and cheese, bake it very hot.",
    "sqlite": "Back up a SQLite database file while another program is using it.",
    "tax": "The tax office wants its form before the end of May.",
}
ABOUT = [{"kind": "food", "year": 2020}, {"kind": "food", "year": 2024}, {"kind": "data", "year": 2022}, {"year": 2023}]


class Plane(Embeddings):
    """An embedding of another package: a text is two numbers, as in "3 4"."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in text.split()] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CosimoVectorStore]:
    with CosimoVectorStore.open(tmp_path / "own.db", "notes", CosimoEmbeddings(FAKE)) as store:
        store.add_texts(list(TEXTS.values()), ABOUT, ids=list(TEXTS))
        yield store


@pytest.fixture
def plane() -> Iterator[CosimoVectorStore]:
    with CosimoVectorStore.open(":memory:", embedding=Plane()) as store:
        yield store


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


# -- LangChain: embeddings


def test_questions_and_documents_are_embedded_in_their_roles() -> None:
    model, text = CosimoEmbeddings(FAKE), "bake bread"
    assert model.embed_documents([text]) == cosimo.embed(text, model=FAKE).tolist()
    assert [model.embed_query(text)] == cosimo.embed(text, model=FAKE, role="query").tolist()
    assert model.embed_query(text) != model.embed_documents([text])[0]
    assert asyncio.run(model.aembed_query(text)) == model.embed_query(text)
    assert model.embed_documents([]) == []


def test_a_model_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ModelNotFound, match="no kind of model"):
        CosimoEmbeddings("fak:256")


def test_threads_that_ask_at_once_load_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosimo.collection import database

    loaded: list[str] = []
    real = database.load_embedder
    monkeypatch.setattr(database, "load_embedder", lambda name, **rest: (loaded.append(name), real(name))[1])
    model = CosimoEmbeddings(FAKE)

    async def many() -> list[list[float]]:
        return await asyncio.gather(*(model.aembed_query(f"text {number}") for number in range(20)))

    found = asyncio.run(many())
    assert loaded == [FAKE]
    assert found[7] == model.embed_query("text 7")


def test_a_model_can_be_copied_and_sent_to_another_process() -> None:
    model = CosimoEmbeddings(FAKE)
    model.embed_query("loaded")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.embed_query("bake bread") == model.embed_query("bake bread")


# -- LangChain: store


def test_what_langchain_adds_is_a_collection_like_any_other(store: CosimoVectorStore, tmp_path: Path) -> None:
    nearest = store.similarity_search("bake bread", k=2, filter={"kind": "food"})
    assert ids(nearest) == ["bread", "pizza"]
    with cosimo.open(tmp_path / "own.db") as db:
        notes = db.collection("notes")
        assert (notes.model, len(notes)) == (FAKE, 4)
        assert [hit.id for hit in notes.search("bake bread", 2, mode="vector")] == ids(nearest)
        notes.add([cosimo.Document("rye", "Rye bread needs a sour starter.", {"kind": "food"})])
    found = store.similarity_search("sour starter", k=1)
    assert found == [Document(id="rye", page_content="Rye bread needs a sour starter.", metadata={"kind": "food"})]


def test_scores_are_cosines_and_relevance_keeps_them(store: CosimoVectorStore) -> None:
    vectors = cosimo.embed(list(TEXTS.values()), model=FAKE) @ cosimo.embed("bake bread", model=FAKE, role="query")[0]
    expected = dict(zip(TEXTS, vectors.tolist(), strict=True))
    scored = {document.id: score for document, score in store.similarity_search_with_score("bake bread")}
    assert scored == pytest.approx(expected, abs=1e-6)
    relevant = store.similarity_search_with_relevance_scores("bake bread", k=4, score_threshold=0.1)
    assert {document.id: score for document, score in relevant} == pytest.approx(
        {id: score for id, score in expected.items() if score >= 0.1}, abs=1e-6
    )


@pytest.mark.filterwarnings("error")
def test_relevance_is_never_below_zero_or_above_one(plane: CosimoVectorStore) -> None:
    plane.add_texts(["1 0", "-1 0", "3 3"])
    found = asyncio.run(plane.asimilarity_search_with_relevance_scores("5 0", k=3))
    assert [round(score, 4) for _, score in found] == [1.0, 0.7071, 0.0]
    plane.collection.index("flat", "l2")
    found = plane.similarity_search_with_relevance_scores("3 0", k=3)
    assert [document.page_content for document, _ in found] == ["1 0", "3 3", "-1 0"]
    assert [score for _, score in found] == pytest.approx([1 / 3, 1 / 4, 1 / 5])
    plane.collection.index("flat", "ip")
    with pytest.raises(DataError, match="inner products"):
        plane.similarity_search_with_relevance_scores("3 0")


@pytest.mark.parametrize(
    "filter",
    [
        "kind = 'food' AND year >= 2021",
        '{"kind": "food", "year": {"$gte": 2021}}',
        {"kind": "food", "year": {"$gte": 2021}},
        {"and": [{"field": "kind", "op": "=", "value": "food"}, {"field": "year", "op": ">=", "value": 2021}]},
        (cosimo.F("kind") == "food") & (cosimo.F("year") >= 2021),
    ],
    ids=["text", "json", "dollars", "fields", "python"],
)
def test_a_filter_has_every_spelling_in_every_search(store: CosimoVectorStore, filter: Any) -> None:
    vector = CosimoEmbeddings(FAKE).embed_query("bread")
    assert ids(store.similarity_search("bread", filter=filter)) == ["pizza"]
    assert ids(store.similarity_search("dough", filter=filter, mode="hybrid")) == ["pizza"]
    assert ids(store.similarity_search("dough", filter=filter, mode="text")) == ["pizza"]
    assert ids(store.similarity_search_by_vector(vector, filter=filter)) == ["pizza"]
    assert ids(store.max_marginal_relevance_search("bread", filter=filter)) == ["pizza"]
    assert ids([found for found, _ in store.similarity_search_with_relevance_scores("bread", filter=filter)]) == ["pizza"]
    for kind in ("similarity", "mmr"):
        retriever = store.as_retriever(search_type=kind, search_kwargs={"filter": filter})
        assert ids(retriever.invoke("bread")) == ids(asyncio.run(retriever.ainvoke("bread"))) == ["pizza"]


def test_what_may_have_been_meant_for_a_filter_is_refused(store: CosimoVectorStore) -> None:
    for call in (
        lambda: store.similarity_search("bread", where={"kind": "food"}),
        lambda: store.similarity_search_with_score("bread", where_document={}),
        lambda: store.max_marginal_relevance_search("bread", expr="kind = 'food'"),
        lambda: store.add_texts(["x"], namespace="y"),
        lambda: store.delete(None, filter="kind = 'food'"),
    ):
        with pytest.raises(DataError, match="filter="):
            call()
    assert len(store.collection) == 4
    with pytest.raises(InvalidFilter):
        store.similarity_search("bread", filter=lambda document: True)


def test_modes_find_by_words_too(store: CosimoVectorStore, plane: CosimoVectorStore) -> None:
    assert ids(store.similarity_search("tomatoes", k=1, mode="text")) == ["pizza"]
    assert ids(store.as_retriever(search_kwargs={"k": 1, "mode": "hybrid"}).invoke("tomatoes")) == ["pizza"]
    plane.add_texts(["1 0", "0 2"], ids=["a", "b"])
    assert ids(plane.similarity_search("2", k=1, mode="text")) == ["b"]
    with pytest.raises(DataError, match="mode hybrid"):
        plane.similarity_search("2", mode="hybrid")


def test_marginal_relevance_is_langchains(plane: CosimoVectorStore) -> None:
    points = np.abs(np.random.default_rng(4).normal(size=(40, 2))).round(3)  # no cosine below 0, which `diverse` takes for 0
    plane.add_texts([f"{x} {y}" for x, y in points], ids=[str(number) for number in range(40)])
    question = np.array([1.0, 0.2])
    nearest = [int(document.id) for document in plane.similarity_search_by_vector(question.tolist(), k=40)]
    picked = {}
    for mult in (0.0, 0.3, 0.5, 1.0):
        for fetch in (8, 30):
            places = maximal_marginal_relevance(question, points[nearest[:fetch]].tolist(), mult, k=5)
            picked[mult, fetch] = tuple(str(nearest[place]) for place in places)
            found = plane.max_marginal_relevance_search("1 0.2", k=5, fetch_k=fetch, lambda_mult=mult)
            assert tuple(ids(found)) == picked[mult, fetch]
    assert picked[1.0, 8] == picked[1.0, 30] == tuple(map(str, nearest[:5]))
    assert len(set(picked.values())) >= 5  # both parameters change the outcome
    assert len(plane.max_marginal_relevance_search("1 0.2", k=6, fetch_k=2)) == 6
    with pytest.raises(DataError, match="lambda_mult"):
        plane.max_marginal_relevance_search("1 0.2", lambda_mult=1.5)


def test_a_long_text_is_found_by_a_passage_and_comes_back_whole(tmp_path: Path) -> None:
    filler = "Nothing of interest happens in this sentence about the weather. " * 120
    long = f"{filler}\n\nZebras eat quinoa.\n\n{filler}"
    store = CosimoVectorStore.from_texts([long, filler], CosimoEmbeddings(FAKE), ids=["long", "filler"])
    with store:
        (found, score), (_, second) = store.similarity_search_with_score("zebras eat quinoa", k=2)
        assert (found.id, found.page_content) == ("long", long)
        assert score > second


def test_the_same_texts_again_are_not_embedded_again(store: CosimoVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[str] = []
    real = FakeEmbedder.embed
    monkeypatch.setattr(
        FakeEmbedder, "embed", lambda self, texts, **rest: (embedded.extend(texts), real(self, texts, **rest))[1]
    )
    assert store.add_texts(list(TEXTS.values()), [{"seen": True}, {}, {}, {}], ids=list(TEXTS)) == list(TEXTS)
    assert embedded == []
    kept = {document.id: document.metadata for document in store.get_by_ids(list(TEXTS))}
    assert kept == {"bread": {"seen": True}, "pizza": {}, "sqlite": {}, "tax": {}}


@pytest.mark.parametrize("embedding", [CosimoEmbeddings(FAKE), None], ids=["own", "foreign"])
def test_ids_are_made_kept_and_replaced(embedding: Embeddings | None, tmp_path: Path) -> None:
    with CosimoVectorStore.open(tmp_path / "x.db", "c", embedding or Plane()) as store:
        made = store.add_texts(["1 1", "1 2", "1 2"])
        assert len(set(made)) == 3
        assert store.add_documents([Document("2 1", id="a"), Document("2 2")])[0] == "a"
        assert store.add_texts(["3 1", "3 2"], ids=["a", "a"]) == ["a", "a"]
        assert [document.page_content for document in store.get_by_ids(["a", "no", made[1], "a"])] == ["3 2", "1 2"]
        assert store.add_texts(["  ", "4 1", ""], ids=["a", "b", "c"]) == ["a", "b", "c"]  # blank: what was there goes
        assert ids(store.get_by_ids(["a", "b", "c"])) == ["b"]
        assert store.add_texts([]) == []
        assert store.delete(["b", "no"]) is True
        assert store.get_by_ids(["b"]) == []
        assert len(store.collection) == 4
        assert store.delete() is True
        assert (len(store.collection), store.similarity_search("1 1")) == (0, [])


def test_lists_of_different_lengths_store_nothing(store: CosimoVectorStore) -> None:
    for error in (ValueError, cosimo.Error):
        with pytest.raises(error, match="2 texts but 1 ids"):
            store.add_texts(["a", "b"], ids=["a"])
        with pytest.raises(error, match="2 texts but 1 metadatas"):
            store.add_texts(["a", "b"], [{}])
    with pytest.raises(DataError, match="text 0 is bytes"):
        store.add_texts([b"a"])
    assert len(store.collection) == 4


def test_vectors_that_do_not_fit_store_nothing(plane: CosimoVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.add_texts(["1 0"], ids=["a"])
    for text, error in (("1 0 0", DimensionMismatch), ("nan 0", BadVector)):
        with pytest.raises(error):
            plane.add_texts(["5 5", text] if error is BadVector else [text])
    with pytest.raises(DimensionMismatch):
        plane.similarity_search("1 0 0")
    monkeypatch.setattr(Plane, "embed_documents", lambda self, texts: [[1.0, 1.0]])
    with pytest.raises(DataError, match="2 ids but 1 vectors"):
        plane.add_texts(["1 1", "1 2"])
    assert len(plane.collection) == 1


def test_what_is_of_the_wrong_kind_is_told(store: CosimoVectorStore, plane: CosimoVectorStore) -> None:
    for wrong in (
        lambda: store.max_marginal_relevance_search("bread", fetch_k=None),  # type: ignore[arg-type]
        lambda: store.max_marginal_relevance_search("bread", lambda_mult="x"),  # type: ignore[arg-type]
        lambda: store.max_marginal_relevance_search(" "),
        lambda: plane.similarity_search(" "),
        lambda: store.add_texts(["x"], ["about"]),  # type: ignore[list-item]
        lambda: CosimoVectorStore.from_texts(["x"], FAKE),  # type: ignore[arg-type]
    ):
        with pytest.raises(DataError, match=r"fetch_k is|lambda_mult must|text is empty|metadata of text 0|CosimoEmbeddings"):
            wrong()
    assert len(store.collection) == len(TEXTS)


def test_models_are_not_mixed(store: CosimoVectorStore, tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    with pytest.raises(ModelMismatch, match="leave the embedding out"):
        CosimoVectorStore(store.collection, Plane())
    for other in (Plane(), CosimoEmbeddings("fake:64")):
        with pytest.raises(ModelMismatch):
            CosimoVectorStore.open(path, "notes", other)
    with pytest.raises(ModelMismatch):
        CosimoVectorStore(store.collection, CosimoEmbeddings("fake:64"))
    assert ids(CosimoVectorStore(store.collection, CosimoEmbeddings(FAKE)).similarity_search("tax form", k=1)) == ["tax"]
    with CosimoVectorStore.open(path, "notes") as again:  # as stored
        assert ids(again.similarity_search("tax form", k=1)) == ["tax"]
        assert again.embeddings is not None
        assert again.embeddings.embed_query("a") == CosimoEmbeddings(FAKE).embed_query("a")


def test_a_document_without_text_is_an_error_not_an_empty_page(tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "x.db") as db:
        notes = db.collection("notes", model=FAKE)
        notes.add([cosimo.Document("a", "some text")], store=False)
        store = CosimoVectorStore(notes)
        with pytest.raises(DataError, match=r"'a' has no text in 'notes'.*store=True"):
            store.similarity_search("text")
        with pytest.raises(DataError, match="no text"):
            store.get_by_ids(["a"])
        store.close()  # the database is not ours to close
        assert len(notes) == 1


@pytest.mark.parametrize("cleanup", ["full", "incremental", "scoped_full"])
def test_langchains_indexing_keeps_a_store_in_step_with_its_source(store: CosimoVectorStore, cleanup: Any) -> None:
    records = InMemoryRecordManager("notes")
    records.create_schema()
    store.delete()

    def run(*texts: str) -> dict[str, int]:
        documents = [Document(text, metadata={"source": "a.md"}) for text in texts]
        return dict(index(documents, records, store, cleanup=cleanup, source_id_key="source", key_encoder="sha256"))

    assert run("one", "two") == {"num_added": 2, "num_updated": 0, "num_skipped": 0, "num_deleted": 0}
    assert run("two", "three") == {"num_added": 1, "num_updated": 0, "num_skipped": 1, "num_deleted": 1}
    assert sorted(document.page_content for document in store.similarity_search("two", k=9)) == ["three", "two"]


def test_many_tasks_write_and_search_one_file(store: CosimoVectorStore) -> None:
    async def one(number: int) -> bool:
        id = f"n{number}"
        await store.aadd_texts([f"text about number{number} alone"], [{"n": number}], ids=[id])
        found = await store.asimilarity_search(f"number{number}", k=1, filter={"n": number})
        return ids(found) == [id] and ids(await store.aget_by_ids([id])) == [id]

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(one(number) for number in range(40)))

    assert asyncio.run(all_of_them()) == [True] * 40
    assert len(store.collection) == 44


def test_from_texts_and_from_documents_need_no_file() -> None:
    documents = [Document(text, id=id) for id, text in TEXTS.items()]
    with CosimoVectorStore.from_documents(documents, CosimoEmbeddings(FAKE)) as store:
        assert ids(store.similarity_search("sqlite backup", k=1)) == ["sqlite"]
        assert store.collection.name == "langchain"
    with asyncio.run(CosimoVectorStore.afrom_texts(["1 0", "0 1"], Plane(), ids=["x", "y"])) as store:
        assert ids(store.similarity_search("0 3", k=1)) == ["y"]
    with pytest.raises(DataError, match="persist_directory"):
        CosimoVectorStore.from_texts(["a"], CosimoEmbeddings(FAKE), persist_directory="x")


# -- what is not there


def test_importing_cosimo_imports_none_of_the_programs() -> None:
    packages = ("langchain_core", "llm", "llama_index", "pydantic")
    code = (
        f"import sys, cosimo; list(map(cosimo.__getattr__, cosimo.__all__)); print([p for p in {packages} if p in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("langchain", "langchain_core", "langchain"), ("llama_index", "llama_index", "llama-index")],
)
def test_a_missing_package_names_the_line_that_installs_it(module: str, package: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\nimport cosimo\n"
        f"try:\n    import cosimo.interfaces.integrations.{module}\nexcept cosimo.Error as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'cosimo[{extra}]'" in done.stdout


# -- llm


def llm(place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"COSIMO_MODEL": FAKE, "LLM_USER_PATH": str(place / "llm"), **environment}
    command = [str(Path(sys.executable).parent / "llm"), *arguments]
    return subprocess.run(command, cwd=place, env={**os.environ, **given}, capture_output=True, text=True)


def test_llm_embeds_with_our_models(home: Path, tmp_path: Path) -> None:
    done = llm(tmp_path, "embed", "-m", f"cosimo/{FAKE}", "-c", "hello world")
    assert json.loads(done.stdout) == pytest.approx(cosimo.embed("hello world", model=FAKE)[0].tolist())
    listed = llm(tmp_path, "embed-models").stdout
    assert "sentence-transformers/all-MiniLM-L6-v2 (aliases: cosimo/all-MiniLM-L6-v2" in listed
    assert "cosimo/voyage:voyage-3.5" in listed
    assert listed.index("cosimo/openai:text-embedding-3-small") < listed.index(
        "OpenAIEmbeddingModel"
    )  # the later one has the id


def test_llm_and_cosimo_search_each_others_collections(home: Path, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in TEXTS.items())
    (tmp_path / "rows.nl").write_text(rows)
    done = llm(tmp_path, "embed-multi", "theirs", "rows.nl", "--format", "nl", "--store", "-m", f"cosimo/{FAKE}", "-d", "x.db")
    assert done.returncode == 0, done.stderr
    with cosimo.open(tmp_path / "x.db") as db:
        theirs = db.collection("theirs")
        assert theirs.model == FAKE
        assert theirs.search("bake bread", 1)[0].id == "bread"
        assert theirs.add(cosimo.Document(id, text) for id, text in TEXTS.items()).embedded == 0
        db.collection("ours", model=FAKE).add(cosimo.Document(id, text) for id, text in TEXTS.items())
    done = llm(tmp_path, "similar", "ours", "-c", "sourdough bread", "-n", "1", "-d", "x.db")
    assert json.loads(done.stdout)["id"] == "bread"


def test_llm_prints_our_errors_in_one_line(home: Path, tmp_path: Path) -> None:
    done = llm(
        tmp_path, "embed", "-m", "cosimo/all-MiniLM-L6-v2", "-c", "hello", COSIMO_OFFLINE="1", HF_HUB_CACHE=str(tmp_path)
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: sentence-transformers/all-MiniLM-L6-v2 ")


def test_a_file_of_ours_that_cannot_be_read_does_not_stop_llm(home: Path, tmp_path: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "providers.toml").write_text("not = [toml")
    done = llm(tmp_path, "embed-models")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cosimo/all-MiniLM-L6-v2" in done.stdout
    assert "OpenAIEmbeddingModel" in done.stdout


@pytest.mark.heavy
def test_llms_own_plugin_keeps_its_name(tmp_path: Path) -> None:
    pytest.importorskip("llm_sentence_transformers", reason="make test-all installs llm-sentence-transformers")
    listed = llm(tmp_path, "embed-models").stdout.splitlines()
    same = [line.partition(":")[0] for line in listed if ": sentence-transformers/all-MiniLM-L6-v2" in line]
    assert same == ["CosimoModel", "SentenceTransformerModel"]  # the last one with an id has it


# -- LlamaIndex


@pytest.fixture
def llama_index() -> Any:
    return pytest.importorskip("llama_index.core", reason="make test-all installs llama-index-core")


@pytest.mark.heavy
def test_llamaindex_embeds_in_both_roles(llama_index: Any) -> None:
    from cosimo.interfaces.integrations.llama_index import CosimoEmbedding

    model, text = CosimoEmbedding(FAKE), "bake bread"
    query = cosimo.embed(text, model=FAKE, role="query")[0].tolist()
    assert model.get_query_embedding(text) == query == asyncio.run(model.aget_query_embedding(text))
    assert model.get_text_embedding(text) == cosimo.embed(text, model=FAKE)[0].tolist() != query
    many = [f"text {number}" for number in range(600)]
    assert model.get_text_embedding_batch(many) == cosimo.embed(many, model=FAKE).tolist()
    assert asyncio.run(model.aget_text_embedding_batch(many[:3])) == model.get_text_embedding_batch(many[:3])
    assert CosimoEmbedding.from_dict(model.to_dict()).get_query_embedding(text) == query
    with pytest.raises(ModelNotFound):
        CosimoEmbedding("fak:256")


@pytest.mark.heavy
def test_llamaindex_may_copy_it_and_send_it_to_other_processes(llama_index: Any) -> None:
    from cosimo.interfaces.integrations.llama_index import CosimoEmbedding

    model = CosimoEmbedding(FAKE)
    model.get_query_embedding("loaded")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.get_query_embedding("bake bread") == model.get_query_embedding("bake bread")


@pytest.mark.heavy
def test_llamaindex_finds_what_is_near(llama_index: Any) -> None:
    from cosimo.interfaces.integrations.llama_index import CosimoEmbedding

    documents = [llama_index.Document(text=text, id_=id) for id, text in TEXTS.items()]
    made = llama_index.VectorStoreIndex.from_documents(documents, embed_model=CosimoEmbedding(FAKE))
    (found,) = made.as_retriever(similarity_top_k=1).retrieve("how do I bake bread?")
    assert found.text == TEXTS["bread"]


@pytest.mark.heavy
@pytest.mark.parametrize("page", ["README.md", "docs/integrations.md"])
def test_the_lines_for_llamaindex_run_as_typed(page: str, llama_index: Any, minilm: Path) -> None:
    blocks = re.findall(r"^```py\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(block, {})
