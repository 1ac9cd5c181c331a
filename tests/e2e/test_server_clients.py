"""Other people's clients against the server that `cosimo serve` starts: the vectors are those of `cosimo embed`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cosimo

pytest.importorskip("fastapi", reason="needs the extra server")
from cosimo.interfaces.server import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["Hello world", "Ein kurzer Satz.", "如何备份数据库？"]
CLOSE = 1e-5


class Serving:
    """`cosimo serve` in a process of its own."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "cosimo", "serve", "--port", "0", *options]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.greeting = self.process.stderr.readline()
        self.url = next(word for word in self.greeting.split() if word.startswith("http://"))
        urllib.request.urlopen(self.url.removesuffix("/v1") + "/health", timeout=20)
        self.seconds = time.monotonic() - self.started

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM if os.name != "nt" else signal.SIGINT)
        code = self.process.wait(30)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code


@pytest.fixture(scope="module")
def served(minilm: Path) -> Iterator[Serving]:
    server = Serving("--no-database", "--alias", "text-embedding-3-small")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def expected(minilm: Path) -> np.ndarray:
    done = [
        subprocess.run([sys.executable, "-m", "cosimo", "embed", "-c", text], capture_output=True, check=True) for text in TEXTS
    ]
    return np.array([json.loads(each.stdout) for each in done], np.float32)


def test_curl_gets_the_vectors_of_cosimo_embed(served: Serving, expected: np.ndarray) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    body = json.dumps({"model": MODEL, "input": TEXTS})
    done = subprocess.run(
        [curl, "-sS", "--noproxy", "*", f"{served.url}/embeddings", "-d", body], capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    np.testing.assert_allclose([each["embedding"] for each in found["data"]], expected, atol=CLOSE)


@pytest.mark.parametrize("encoding", ["base64", "float", None])
def test_the_openai_sdk_gets_them(served: Serving, expected: np.ndarray, encoding: Any) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=served.url, api_key="none", max_retries=0)
    options = {"encoding_format": encoding} if encoding else {}
    found = client.embeddings.create(model=MODEL, input=TEXTS, **options)
    if encoding != "base64":
        np.testing.assert_allclose([each.embedding for each in found.data], expected, atol=CLOSE)
    assert found.usage.total_tokens > 0
    assert [model.id for model in client.models.list()][1] == "text-embedding-3-small"
    with pytest.raises(openai.NotFoundError, match="not served") as missing:
        client.embeddings.create(model="gpt-7", input="x")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model=MODEL, input="x", dimensions=7)


def test_llms_own_models_get_them_by_an_alias(served: Serving, expected: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    environment = {**os.environ, "OPENAI_BASE_URL": served.url, "OPENAI_API_KEY": "none", "LLM_USER_PATH": str(tmp_path)}
    command = [sys.executable, "-m", "llm", "embed", "-m", "3-small", "-c", TEXTS[2]]
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected[2], atol=CLOSE)


@pytest.mark.heavy
def test_langchains_token_ids_are_read_where_the_vocabulary_is(
    served: Serving, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    langchain = pytest.importorskip("langchain_openai", reason="needs langchain-openai")
    folder = next((place.parent for place in vocabulary._places() if place.is_file()), None)
    options = {"model": MODEL, "base_url": served.url, "api_key": "none", "max_retries": 0}
    plain = langchain.OpenAIEmbeddings(check_embedding_ctx_length=False, **options)
    np.testing.assert_allclose(plain.embed_documents(TEXTS), expected, atol=CLOSE)
    if folder is None:
        pytest.skip("the vocabulary cl100k_base is not on this machine: neither tiktoken's cache nor LiteLLM's package has it")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    sends_ids = langchain.OpenAIEmbeddings(**options)
    np.testing.assert_allclose(sends_ids.embed_documents(TEXTS), expected, atol=CLOSE)
    np.testing.assert_allclose(sends_ids.embed_query(TEXTS[0]), expected[0], atol=CLOSE)


@pytest.mark.heavy
def test_litellm_gets_them(served: Serving, expected: np.ndarray) -> None:
    litellm = pytest.importorskip("litellm", reason="needs litellm")
    found = litellm.embedding(f"openai/{MODEL}", input=TEXTS, api_base=served.url, api_key="none")
    np.testing.assert_allclose([each["embedding"] for each in found.data], expected, atol=CLOSE)


def test_our_own_client_gets_them(served: Serving, expected: np.ndarray) -> None:
    np.testing.assert_allclose(cosimo.embed(TEXTS, model=f"{served.url}#{MODEL}"), expected, atol=CLOSE)


def test_a_hundred_clients_at_once_get_their_own(served: Serving) -> None:
    texts = [f"text number {number} about {word}" for number in range(25) for word in ("bread", "databases", "maps", "trains")]
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda text: served.post("/embeddings", {"input": text})["data"][0]["embedding"], texts))
    cosines = (np.array(found) * cosimo.embed(texts)).sum(1)
    assert cosines.min() > 0.9995


def test_it_starts_at_once_and_stops_when_what_it_was_asked_is_answered(minilm: Path, tmp_path: Path) -> None:
    server = Serving("-d", str(tmp_path / "notes.db"))
    assert str(tmp_path / "notes.db") in server.greeting
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(
            server.post, "/embeddings", {"input": [f"a text, number {number}, " + "word " * 60 for number in range(200)]}
        )
        time.sleep(0.3)
        assert not reply.done()
        assert server.stop() == 0 or os.name == "nt"
        assert len(reply.result()["data"]) == 200


def test_what_is_wrong_with_a_start_is_one_line(tmp_path: Path) -> None:
    for options, said in (
        (["--host", "0.0.0.0"], "key"), (["-m", "fake:none"], "fake"), (["--key-file", str(tmp_path / "none")], "keys"),
        (["-d", str(tmp_path / "no" / "folder.db")], "folder"), (["--cors", "here"], "origin"),
    ):  # fmt: skip
        command = [sys.executable, "-m", "cosimo", "serve", "--port", "0", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
