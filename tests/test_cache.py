"""The cache of computed vectors: nothing twice, whatever else goes wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
import warnings
from dataclasses import replace
from hashlib import sha1
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import servers
from click.testing import CliRunner

import cosimo
from cosimo.collection.models import load_embedder
from cosimo.core.errors import ConfigError, ProviderError
from cosimo.core.types import Document, Embedded
from cosimo.embedders import cache as cache_module
from cosimo.embedders.cache import CachedEmbedder, CacheWarning, user_cache
from cosimo.embedders.cache_file import PAGE, CacheFile
from cosimo.embedders.cache_mappings import Folder, LangChainFiles
from cosimo.embedders.fake import FakeEmbedder
from cosimo.interfaces.cli import cli
from cosimo.testing import check_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIMIT = 2_000_000_000


class Counting(FakeEmbedder):
    """A fake that remembers what it was asked to compute."""

    def __init__(self, dim: str = "64", delay: float = 0.0) -> None:
        super().__init__(dim)
        self.computed: list[Any] = []
        self.delay = delay

    def embed(self, contents: Sequence[Any], *, role: Any = "document") -> Embedded:
        self.computed += contents
        time.sleep(self.delay)
        texts = [content.decode("latin-1") if isinstance(content, bytes) else content for content in contents]
        return super().embed(texts, role=role)


@pytest.fixture
def file(tmp_path: Path) -> CacheFile:
    return CacheFile(tmp_path / "vectors.db", LIMIT)


def texts(count: int) -> list[str]:
    return [f"text number {number}, about thing {number * 7}" for number in range(count)]


def test_a_text_is_computed_once_in_a_call_and_ever_after(file: CacheFile) -> None:
    first = Counting()
    got = CachedEmbedder(first, file).embed(["b", "a", "b", "b"])
    assert first.computed == ["b", "a"]
    again = Counting()
    other = CachedEmbedder(again, CacheFile(file.path, LIMIT)).embed(["a", "b", "c"])
    assert again.computed == ["c"]
    plain = FakeEmbedder("64").embed(["a", "b", "c"])
    assert np.array_equal(other.vectors, plain.vectors)
    assert np.array_equal(got.vectors, plain.vectors[[1, 0, 1, 1]])
    assert got.tokens == 2
    assert other.tokens == 1


def test_the_cached_embedder_passes_the_embedders_suite(file: CacheFile) -> None:
    check_embedder(CachedEmbedder(FakeEmbedder("64"), file))


def test_a_text_that_was_cut_is_still_said_to_be_when_it_is_kept(file: CacheFile) -> None:
    embedder = CachedEmbedder(FakeEmbedder("64"), file)
    long = "word " * 600
    assert list(embedder.embed(["a", long]).cut) == [1]
    assert list(embedder.embed([long, "a", long]).cut) == [0, 2]


def test_what_decides_a_vector_is_in_its_key(file: CacheFile) -> None:
    def computed(embedder: Counting, provider: str = "", role: Any = "document", content: Any = "a") -> int:
        CachedEmbedder(embedder, file, provider=provider).embed([content], role=role)
        return len(embedder.computed)

    assert computed(Counting()) == 1
    assert computed(Counting()) == 0
    assert computed(Counting(), role="query") == 1
    assert computed(Counting("128")) == 1
    assert computed(Counting(), provider="local float32") == 1
    assert computed(Counting(), content=b"a") == 1, "the bytes of a text are not the text"
    for change in ({"prompts": {"document": "passage: "}}, {"revision": "2"}, {"max_tokens": 8}, {"normalized": False}):
        changed = Counting()
        changed.spec = replace(changed.spec, **change)
        assert computed(changed) == 1, change


def test_texts_that_only_together_look_alike_have_their_own_vectors(file: CacheFile) -> None:
    embedder = CachedEmbedder(Counting(), file)
    odd = ["", "\x00", "a\x00b", "ab", "half \ud800 a pair", "half \ufffd a pair", "怎样备份"]
    got = embedder.embed(odd)
    assert len(embedder.computed) == len(odd)
    assert np.array_equal(embedder.embed(odd).vectors, got.vectors)


# -- several at once


SCRIPT = """
import sys, time
from pathlib import Path
from cosimo.embedders.cache import CachedEmbedder
from cosimo.embedders.cache_file import CacheFile
from cosimo.embedders.fake import FakeEmbedder

class Counting(FakeEmbedder):
    count = 0
    def embed(self, contents, *, role="document"):
        Counting.count += len(contents)
        time.sleep(0.3)
        return super().embed(contents, role=role)

embedder = CachedEmbedder(Counting("64"), CacheFile(Path(sys.argv[1]), 10**9))
got = embedder.embed([f"text {n}" for n in range(1000)])
print(Counting.count, got.vectors.sum().item())
"""


def test_eight_processes_that_ask_for_the_same_texts_compute_them_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "vectors.db")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    out = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 8
    assert sum(int(count) for count, _ in out) == 1000
    assert len({total for _, total in out}) == 1


def test_threads_that_share_a_cache_compute_a_text_once(file: CacheFile) -> None:
    embedders = [Counting(delay=0.05) for _ in range(8)]
    threads = [threading.Thread(target=CachedEmbedder(each, file).embed, args=(texts(50),)) for each in embedders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(each.computed) for each in embedders) == 50


def test_what_a_process_that_died_had_begun_is_taken_over(file: CacheFile, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Counting()
    keys = cache_module.keys_of(embedder.spec, "", ["a"], "document")
    monkeypatch.setattr("cosimo.embedders.cache_file.LEASE", 0.4)
    assert file.claim(keys, "somebody who dies") == (keys, {})
    started = time.monotonic()
    CachedEmbedder(embedder, file).embed(["a", "b"])
    assert sorted(embedder.computed) == ["a", "b"]
    assert 0.2 < time.monotonic() - started < 10


def test_a_claim_is_renewed_as_long_as_the_work_goes_on(file: CacheFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosimo.embedders.cache_file.LEASE", 0.3)
    monkeypatch.setattr(cache_module, "LEASE", 0.3)
    slow, other = Counting(delay=1.2), Counting()
    thread = threading.Thread(target=CachedEmbedder(slow, file).embed, args=(["a"],))
    thread.start()
    time.sleep(0.2)
    CachedEmbedder(other, file).embed(["a"])
    thread.join()
    assert other.computed == []


def test_an_embedder_that_fails_leaves_no_claim_and_what_was_done_before_it_is_kept(file: CacheFile) -> None:
    class Failing(Counting):
        def embed(self, contents: Sequence[Any], *, role: Any = "document") -> Embedded:
            if self.computed:
                raise ProviderError("the server is gone")
            return super().embed(contents, role=role)

    failing = CachedEmbedder(Failing(), file)
    many = texts(cache_module.FIRST + 10)
    with pytest.raises(ProviderError):
        failing.embed(many)
    after = Counting()
    started = time.monotonic()
    CachedEmbedder(after, file).embed(many)
    assert len(after.computed) == 10
    assert time.monotonic() - started < 5, "nobody waits for the claim of one who failed"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_opens_the_file_for_itself(file: CacheFile) -> None:
    embedder = Counting()
    cached = CachedEmbedder(embedder, file)
    cached.embed(["a"])
    if not (child := os.fork()):
        cached.embed(["a", "b"])
        os._exit(0 if embedder.computed == ["a", "b"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cached.embed(["b", "c"])
    assert embedder.computed == ["a", "c"]


# -- the file


@pytest.mark.parametrize("dim", ["256", "384", "768", "1024", "1536", "3072"])
def test_the_file_takes_little_more_than_the_numbers(file: CacheFile, dim: str) -> None:
    count = 1000
    CachedEmbedder(FakeEmbedder(dim), file).embed(texts(count))
    file.close()
    size = sum(each.stat().st_size for each in file.path.parent.iterdir())
    assert size <= 1.1 * 4 * int(dim) * count + 16 * count


def test_a_hit_writes_nothing(file: CacheFile) -> None:
    embedder = CachedEmbedder(FakeEmbedder("64"), file)
    embedder.embed(texts(20))
    watching = sqlite3.connect(file.path)
    before = watching.execute("PRAGMA data_version").fetchone()
    embedder.embed(texts(20))
    assert watching.execute("PRAGMA data_version").fetchone() == before


def test_a_damaged_row_is_computed_again(file: CacheFile) -> None:
    CachedEmbedder(FakeEmbedder("64"), file).embed(["a", "b", "c"])
    with sqlite3.connect(file.path) as other:
        other.execute("UPDATE vectors SET vector=zeroblob(256) WHERE rowid=(SELECT min(rowid) FROM vectors)")
        other.execute("UPDATE vectors SET vector='text' WHERE rowid=(SELECT max(rowid) FROM vectors)")
    for expected in (2, 0):
        embedder = Counting()
        got = CachedEmbedder(embedder, file).embed(["a", "b", "c"])
        assert len(embedder.computed) == expected
        assert np.array_equal(got.vectors, FakeEmbedder("64").embed(["a", "b", "c"]).vectors)


def test_a_damaged_file_is_put_aside_and_a_new_one_begun(file: CacheFile) -> None:
    CachedEmbedder(FakeEmbedder("64"), file).embed(texts(200))
    file.close()
    raw = bytearray(file.path.read_bytes())
    raw[2 * PAGE :] = os.urandom(len(raw) - 2 * PAGE)
    file.path.write_bytes(raw)
    with pytest.warns(CacheWarning, match="begun anew"):
        got = CachedEmbedder(FakeEmbedder("64"), file).embed(texts(200))
    assert np.array_equal(got.vectors, FakeEmbedder("64").embed(texts(200)).vectors)
    assert file.path.with_name("vectors.db.damaged").exists()
    embedder = Counting()
    for _ in range(2):
        CachedEmbedder(embedder, file).embed(texts(20))
    assert len(embedder.computed) <= 20


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE notes(text)")
    before = path.read_bytes()
    with pytest.warns(CacheWarning, match="a database of something else"):
        CachedEmbedder(FakeEmbedder("64"), CacheFile(path, LIMIT)).embed(["a"])
    assert path.read_bytes() == before
    path.write_text("not a database, but somebody's text")
    cached = CachedEmbedder(FakeEmbedder("64"), CacheFile(path, LIMIT))
    with pytest.warns(CacheWarning, match=r"not kept: .* is no cache of cosimo's; name another"):
        cached.embed(["a"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cached.embed(["b"])
    assert path.read_text() == "not a database, but somebody's text"


def test_a_file_that_cannot_be_written_costs_one_warning_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    embedder = CachedEmbedder(Counting(), CacheFile(tmp_path / "a file" / "vectors.db", LIMIT))
    with pytest.warns(CacheWarning, match="not kept") as caught:
        got = [embedder.embed([text]).vectors for text in "aab"]
    assert np.array_equal(np.concatenate(got), FakeEmbedder("64").embed(["a", "a", "b"]).vectors)
    assert len([each for each in caught if each.category is CacheWarning]) == 1


def test_a_file_that_can_only_be_read_is_still_read(file: CacheFile, monkeypatch: pytest.MonkeyPatch) -> None:
    CachedEmbedder(FakeEmbedder("64"), file).embed(["a"])
    file.close()
    monkeypatch.setattr("cosimo.core.sqlite.File._writable", lambda self: False)  # root may write anything
    embedder = Counting()
    cached = CachedEmbedder(embedder, CacheFile(file.path, LIMIT))
    with pytest.warns(CacheWarning, match="cannot be written"):
        cached.embed(["b"])
    cached.embed(["a"])
    assert embedder.computed == ["b"]


def test_what_was_used_longest_ago_goes_first_and_the_limit_holds(tmp_path: Path) -> None:
    file = CacheFile(tmp_path / "vectors.db", 200_000)
    embedder = CachedEmbedder(FakeEmbedder("256"), file)
    embedder.embed(texts(100))
    with sqlite3.connect(file.path) as other:
        other.execute("UPDATE vectors SET used=used-48")
    embedder.embed(texts(10))  # used again today
    embedder.embed([f"new {number}" for number in range(120)])
    assert file.info().bytes <= 200_000
    left = Counting("256")
    CachedEmbedder(left, file).embed(texts(10))
    assert left.computed == []
    CachedEmbedder(left, file).embed(texts(100))
    assert len(left.computed) >= 30


def test_info_clear_and_prune(file: CacheFile) -> None:
    assert file.info().rows == 0
    assert file.clear() == file.prune(size=0) == 0
    assert not file.path.exists(), "asking makes no file"
    CachedEmbedder(FakeEmbedder("64"), file).embed(texts(30))
    CachedEmbedder(FakeEmbedder("128"), file).embed(texts(20))
    info = file.info()
    assert [(each.name, each.dim, each.rows) for each in info.models] == [("fake:128", 128, 20), ("fake:64", 64, 30)]
    assert file.clear("fake:128") == 20
    assert file.info().rows == 30
    with sqlite3.connect(file.path) as other:
        other.execute("UPDATE vectors SET used=used-240 WHERE rowid IN (SELECT rowid FROM vectors LIMIT 5)")
    assert file.prune(days=7) == 5
    assert file.prune(size=0) == 25
    CachedEmbedder(FakeEmbedder("64"), file).embed(texts(10))
    assert file.clear() == 10
    assert file.path.stat().st_size < 20_000


# -- other places


def test_a_mapping_keeps_vectors_under_its_namespace(tmp_path: Path) -> None:
    for mapping in ({}, Folder(tmp_path / "folder")):
        first, again = Counting(), Counting()
        CachedEmbedder(first, mapping, namespace="mine:").embed(["a", "b", "word " * 600])
        assert all(key.startswith("mine:") for key in mapping)
        got = CachedEmbedder(again, mapping, namespace="mine:").embed(["b", "word " * 600, "a"])
        assert again.computed == []
        assert list(got.cut) == [1]
        assert np.array_equal(got.vectors, FakeEmbedder("64").embed(["b", "word " * 600, "a"]).vectors)
        CachedEmbedder(again, mapping, namespace="yours:").embed(["a"])
        assert again.computed == ["a"]
        for key in list(mapping):
            mapping[key] = mapping[key][:100]
        assert CachedEmbedder(again, mapping, namespace="mine:").embed(["a"]).tokens == 1


def test_a_folder_is_a_mapping(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "new")
    assert len(folder) == 0
    folder["a:b"] = b"1"
    folder["a:b"] = b"2"
    assert dict(folder) == {"a:b": b"2"}
    del folder["a:b"]
    assert "a:b" not in folder
    for wrong in ("", "../x", "a/b", ".x", "a\0b"):
        with pytest.raises(KeyError):
            folder[wrong]


def test_a_mapping_that_fails_costs_one_warning() -> None:
    class Gone(dict[str, bytes]):
        def get(self, key: str, default: Any = None) -> Any:
            raise ConnectionError("no route to the server")

    embedder = CachedEmbedder(Counting(), Gone())
    with pytest.warns(CacheWarning, match="no route"):
        assert embedder.embed(["a"]).vectors.shape == (1, 64)
    embedder.embed(["a"])


def test_a_collection_takes_a_mapping_as_its_cache(home: Path, tmp_path: Path) -> None:
    mapping: dict[str, bytes] = {}
    for name in ("one.db", "two.db"):
        with cosimo.open(tmp_path / name, cache=mapping) as db:
            added = db.collection("notes", model="fake:64").add([Document("1", "a text"), Document("2", "another")])
            assert added.tokens == (3 if name == "one.db" else 0)
    assert len(mapping) == 2


def langchain_folder(path: Path, vectors: dict[str, list[float]], namespace: str) -> Path:
    path.mkdir()
    for text, vector in vectors.items():
        name = uuid.uuid5(uuid.UUID(int=1985), sha1(text.encode()).hexdigest())
        (path / f"{namespace}{name}").write_text(json.dumps(vector))
    return path


def test_langchains_files_are_read_for_documents(file: CacheFile, tmp_path: Path) -> None:
    vectors = FakeEmbedder("64").embed(["a", "b", "short", "broken"]).vectors.tolist()
    old = langchain_folder(tmp_path / "old", {"a": vectors[0], "b": vectors[1], "short": vectors[2][:5]}, "my-model")
    (old / f"my-model{uuid.uuid5(uuid.UUID(int=1985), sha1(b'broken').hexdigest())}").write_text("[0.1, 0.")
    embedder = Counting()
    cached = CachedEmbedder(embedder, file, older=LangChainFiles(old, "my-model"))
    got = cached.embed(["b", "broken", "a", "c", "short"])
    assert sorted(embedder.computed) == ["broken", "c", "short"]
    assert np.allclose(got.vectors[0], vectors[1])
    cached.embed(["a"], role="query")
    assert embedder.computed[-1] == "a", "theirs are not of queries"
    CachedEmbedder(embedder, file).embed(["a", "b"])
    assert embedder.computed[-1] == "a", "what was found there is kept here"
    assert len(embedder.computed) == 4
    with pytest.raises(ConfigError, match="no folder"):
        LangChainFiles(tmp_path / "nothing")


@pytest.mark.heavy
@pytest.mark.parametrize("encoder", ["sha1", "blake2b", "sha256", "sha512"])
def test_langchains_own_program_wrote_the_files_that_are_read(file: CacheFile, tmp_path: Path, encoder: Any) -> None:
    classic = pytest.importorskip("langchain_classic.embeddings")
    from langchain_classic.storage import LocalFileStore
    from langchain_core.embeddings import DeterministicFakeEmbedding

    theirs = classic.CacheBackedEmbeddings.from_bytes_store(
        DeterministicFakeEmbedding(size=64), LocalFileStore(str(tmp_path / "store")), namespace="m", key_encoder=encoder
    )
    vectors = theirs.embed_documents(["a", "怎样备份"])
    embedder = Counting()
    got = CachedEmbedder(embedder, file, older=LangChainFiles(tmp_path / "store", "m")).embed(["怎样备份", "a"])
    assert embedder.computed == []
    assert np.allclose(got.vectors, vectors[::-1], atol=1e-6)


def test_one_name_on_two_servers_is_two_models(home: Path, file: CacheFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def vector(address: str) -> Any:
        monkeypatch.setenv("OLLAMA_HOST", address)
        return load_embedder("ollama:fake@32", cache=mapping).embed(["a text"]).vectors

    def negated(asked: servers.Asked) -> servers.Answer:
        reply = other.answer(asked)
        for item in reply.body.get("data", []):
            item["embedding"] = [-number for number in servers.vectors_of(["a text"])[0].tolist()]
        return reply

    mapping: dict[str, bytes] = {}
    other = servers.Server(negated)
    with servers.running(servers.Server()) as one, servers.running(other):
        assert np.allclose(vector(one.address), -vector(other.address))
        asked = len(one.asked)
        vector(one.address)
        assert len(one.asked) <= asked + 2, "what a server says of its window is asked again, its vectors are not"


def test_other_arguments_of_a_users_own_class_make_another_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = pytest.importorskip("langchain_core.embeddings").Embeddings

    class Ours(base):  # type: ignore[misc, valid-type]
        def __init__(self, turned: bool) -> None:
            self.turned = turned

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[0.0, 1.0] if self.turned else [1.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    monkeypatch.setitem(sys.modules, "our_package", SimpleNamespace(Ours=Ours))
    (home / "config").mkdir(parents=True)
    mapping: dict[str, bytes] = {}
    for turned, vector in (("false", [1, 0]), ("true", [0, 1]), ("false", [1, 0])):
        (home / "config" / "providers.toml").write_text(
            f'[langchain.ours]\nclass = "our_package.Ours"\narguments = {{ turned = {turned} }}\ndim = 2\n'
        )
        assert load_embedder("langchain:ours", cache=mapping).embed(["a text"]).vectors.tolist() == [vector]
    assert len(mapping) == 2


# -- when there is one


@pytest.mark.parametrize(("word", "model", "cached"), [
    ("", "fake:8", False), ("", "http://127.0.0.1:1/v1#m", True), ("on", "fake:8", True),
    ("off", "http://127.0.0.1:1/v1#m", False),
])  # fmt: skip
def test_on_for_what_has_a_price_or_a_network(
    home: Path, monkeypatch: pytest.MonkeyPatch, word: str, model: str, cached: bool
) -> None:
    monkeypatch.setenv("COSIMO_CACHE", word)
    assert isinstance(load_embedder(model), CachedEmbedder) == cached
    assert not isinstance(load_embedder(model, cache=False), CachedEmbedder)
    assert isinstance(load_embedder(model, cache=True), CachedEmbedder)


def test_words_that_mean_nothing_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIMO_CACHE", "perhaps")
    with pytest.raises(ConfigError, match="COSIMO_CACHE must be on or off"):
        load_embedder("fake:8")
    monkeypatch.setenv("COSIMO_CACHE_SIZE", "much")
    with pytest.raises(ConfigError, match="such as 500MB"):
        user_cache()


def test_the_command_line_uses_describes_and_empties_the_users_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIMO_CACHE", "on")
    run = CliRunner()

    def output(*words: str) -> str:
        result = run.invoke(cli, list(words))
        assert result.exit_code == 0, result.output
        return result.output

    assert json.loads(output("cache"))["rows"] == 0
    first = output("embed", "-m", "fake:64", "-c", "a text")
    assert output("embed", "-m", "fake:64", "-c", "a text") == first
    info = json.loads(output("cache", "info", "--json"))
    assert info["models"][0]["model"] == "fake:64"
    assert info["rows"] == 1
    for days in ("3", "1e300", "inf", "nan"):
        assert "0 vectors removed" in output("cache", "prune", "--days", days)
    assert "1 vectors removed" in output("cache", "clear", "-m", "fake:64")
    assert json.loads(output("cache", "info"))["rows"] == 0
    assert run.invoke(cli, ["cache", "prune", "--size", "x"]).exit_code != 0
