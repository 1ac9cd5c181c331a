"""Language models: what a server may do wrong has a defined result, no key is shown, and every model fulfils the contract."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import servers
from servers import SHORT, Answer, Asked

import cosimo
from cosimo.core import registry
from cosimo.core.errors import (
    BadReply,
    ConfigError,
    Error,
    MissingExtra,
    MissingKey,
    ModelNotFound,
    ProviderError,
    RateLimited,
    Refused,
    Timeout,
)
from cosimo.llms import providers
from cosimo.llms.fake import FakeModel
from cosimo.llms.http import HTTPModel
from cosimo.testing import check_language_model

PACKAGE = Path(cosimo.__file__).parent


@pytest.fixture(autouse=True)
def _nothing_of_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in providers.rows():
        for name in (*row.get("key", ()), *row.get("base_from", ())):
            monkeypatch.delenv(name, raising=False)
    for name in ("COSIMO_HTTP_TIMEOUT", "COSIMO_HTTP_PATIENCE", "COSIMO_LLM"):
        monkeypatch.delenv(name, raising=False)


def said(content: Any, **more: Any) -> Answer:
    return Answer(200, {"choices": [{"message": {"role": "assistant", "content": content}}], **more})


def asking(script: Any, path: str = "/v1", name: str = "writer") -> tuple[Any, HTTPModel, servers.Server]:
    """(what ends it, a model, its server)."""
    server = servers.Server(script)
    running = servers.running(server)
    running.__enter__()
    return running, HTTPModel(f"{server.address}{path}#{name}", patience=SHORT), server


def failing(answer: Answer) -> Error:
    """What is raised where a server answers this."""
    running, model, _ = asking(lambda _: answer)
    try:
        with pytest.raises(Error) as raised:
            model.complete("hello")
        return raised.value
    finally:
        running.__exit__(None, None, None)


def test_a_server_is_asked_in_openais_shape_and_its_text_comes_back() -> None:
    running, model, server = asking(lambda _: said(" Bread \n", usage={"prompt_tokens": 7, "completion_tokens": 2}))
    try:
        assert tuple(model.complete("some texts \ud800", system="Name them.")) == ("Bread", 7, 2)
        check_language_model(model)
    finally:
        running.__exit__(None, None, None)
    first = server.asked[0]
    assert first.path == "/v1/chat/completions"
    assert first.body == {
        "model": "writer",
        "messages": [{"role": "system", "content": "Name them."}, {"role": "user", "content": "some texts �"}],
        "stream": False,
    }
    assert "authorization" not in first.headers


@pytest.mark.parametrize("content", [
    "<think>hm, bread</think>\nBread", [{"type": "text", "text": "Br"}, {"type": "text", "text": "ead"}], "\n\n  Bread",
    [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "Bread"}, {"type": "text", "text": None}],
    "hm, bread\n</think>\n\nBread", "<thought>hm</thought>Bread",
])  # fmt: skip
def test_thoughts_are_left_out_and_parts_are_joined(content: Any) -> None:
    running, model, _ = asking(lambda _: said(content))
    try:
        assert model.complete("x").text == "Bread"
    finally:
        running.__exit__(None, None, None)


@pytest.mark.parametrize(("answer", "kind", "words"), [
    (said(""), BadReply, "wrote nothing"), (said(None), BadReply, "wrote nothing"),
    (said("<think>…</think>"), BadReply, "nothing"), (said("<think>… and then"), BadReply, "nothing"),
    (said([{"type": "text", "text": {"value": "x"}}]), BadReply, "another shape"),
    (said({"a": 1}), BadReply, "another shape"), (Answer(200, {"choices": []}), BadReply, "another shape"),
    (Answer(200, [1]), BadReply, "another shape"), (Answer(200, b"<html>"), BadReply, "page of HTML"),
    (Answer(401, {"error": {"message": "no key"}}), MissingKey, "wants a key"),
    (Answer(403, {"error": {"message": "invalid API key"}}), MissingKey, "cosimo keys set"),
    (Answer(402, {"error": {"message": "pay"}}), RateLimited, "quota"),
    (Answer(429, {"error": {"message": "x", "code": "insufficient_quota"}}), RateLimited, "quota"),
    (Answer(404, {"error": {"message": "The model `writer` does not exist"}}), ModelNotFound, "'writer'"),
    (Answer(404, {"detail": "Not Found"}), ConfigError, "/v1/chat/completions"),
    (Answer(400, {"error": {"message": "bad request"}}), Refused, "bad request"),
    (Answer(500, {"error": {"message": "boom"}}), ProviderError, "boom"),
    (Answer(200, said("x").body, stall=True), Timeout, "silent"),
])  # fmt: skip
def test_every_way_a_server_may_fail_is_an_error_of_ours(answer: Answer, kind: type[Error], words: str) -> None:
    error = failing(answer)
    assert isinstance(error, kind), error
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("usage", [[1], "x", {"prompt_tokens": -1, "completion_tokens": "2"}, None])
def test_an_answer_counts_whatever_is_said_of_tokens(usage: Any) -> None:
    running, model, _ = asking(lambda _: said("half a \ud83d", usage=usage))
    try:
        assert tuple(model.complete("x")) == ("half a \ufffd", None, None)
    finally:
        running.__exit__(None, None, None)


def test_an_answer_that_speaks_of_thoughts_is_left_whole() -> None:
    from cosimo.llms.answers import answer

    assert answer("Between <think> and </think> stand thoughts") == "Between <think> and </think> stand thoughts"
    assert answer(" " * 10**6 + "x") == "x"


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ProviderError, match="cannot be reached"):
        HTTPModel("http://127.0.0.1:9#x", patience=SHORT).complete("x")


def test_the_key_of_a_host_or_provider_is_sent_to_it_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Bearer sk-right":
            return Answer(401, {"error": {"message": f"Incorrect key {asked.headers.get('authorization')}"}})
        return said("Bread")

    server = servers.Server(script)
    with servers.running(server):
        host = server.address.partition("://")[2]
        variable = "COSIMO_KEY_" + host.replace(".", "_").replace(":", "_")
        monkeypatch.setenv(variable, "sk-wrong")
        with pytest.raises(MissingKey) as raised:
            HTTPModel(f"{server.address}/v1#m", patience=SHORT).complete("x")
        assert "sk-wrong" not in str(raised.value)
        monkeypatch.setenv(variable, "sk-right")
        assert HTTPModel(f"{server.address}/v1#m", patience=SHORT).complete("x").text == "Bread"
        monkeypatch.setenv("OLLAMA_HOST", host)
        monkeypatch.setenv("OLLAMA_API_KEY", "sk-right")
        assert registry.language_model("ollama:qwen3:4b").complete("x").text == "Bread"
    assert (server.asked[-1].path, server.asked[-1].body["model"]) == ("/v1/chat/completions", "qwen3:4b")


def test_a_users_own_row_is_a_provider_of_language_models_too(home: Path) -> None:
    from cosimo.core import config

    config.providers_path().parent.mkdir(parents=True)
    config.providers_path().write_text(
        '[[provider]]\nname = "mine"\ntitle = "Mine"\nbase = "http://127.0.0.1:9/v1"\nneeds_key = false\n'
        '[[provider]]\nname = "broken"\ntitle = "Broken"\n'
    )
    found = providers.resolve("mine:some/model")
    assert (found.origin, found.path, found.model) == ("http://127.0.0.1:9", "/v1/chat/completions", "some/model")
    with pytest.raises(ConfigError, match="'broken' has no address"):
        providers.resolve("broken:x")


@pytest.mark.parametrize(("host", "origin"), [
    ("gpu-box", "http://gpu-box:11434"), ("gpu-box:9000", "http://gpu-box:9000"), ("0.0.0.0", "http://127.0.0.1:11434"),
    ("https://box.example", "https://box.example"),
])  # fmt: skip
def test_ollamas_own_variable_says_where_it_is(host: str, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert providers.resolve("ollama:qwen3").origin == origin


@pytest.mark.parametrize(("name", "kind", "words"), [
    ("", ModelNotFound, "empty"), ("nobody:x", ModelNotFound, "no provider of language models is called 'nobody'"),
    ("openai:", ModelNotFound, "names no model"), ("openai:gpt-5-mini", MissingKey, "OPENAI_API_KEY"),
    ("http://127.0.0.1:9/v1", ModelNotFound, "after a #"), ("http://u:p@127.0.0.1:9/v1#m", ConfigError, "password or key"),
    ("http://#m", ConfigError, "no address"), ("http://u:p@:9/v1#m", ConfigError, "password or key"),
    ("http://x:port/v1#m", ConfigError, "no address"),
])  # fmt: skip
def test_a_name_that_means_no_model_is_told(name: str, kind: type[Error], words: str) -> None:
    with pytest.raises(kind, match=words):
        registry.language_model(name)


def test_providers_of_vectors_and_of_texts_have_one_address_and_one_key() -> None:
    tables = [
        {row["name"]: row for row in tomllib.loads((PACKAGE / room / "providers.toml").read_text(encoding="utf-8"))["provider"]}
        for room in ("embedders", "llms")
    ]
    both = tables[0].keys() & tables[1].keys()
    assert len(both) > 12
    for name in both:
        for field in ("title", "base", "base_from", "key", "needs_key", "header"):
            assert tables[0][name].get(field) == tables[1][name].get(field), f"{name}: {field}"


def test_the_fake_fulfils_the_contract_and_a_broken_one_does_not() -> None:
    check_language_model(FakeModel("2"))
    assert registry.language_model("fake:2").complete("one two three").text == "one two"
    with pytest.raises(AssertionError, match="must return a Completion"):
        check_language_model(SimpleNamespace(name="x", complete=lambda *_, **__: "text"))  # type: ignore[arg-type]


def test_models_of_llm_write_and_their_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = pytest.importorskip("llm", reason="needs the extra llm")
    from cosimo.llms.llm import LLMModel

    class Writer(llm.Model):  # type: ignore[misc, name-defined]
        model_id = "writer"
        text = "Bread"

        def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any = None, key: Any = None) -> Any:
            if self.text == "boom":
                raise RuntimeError("boom\nbang")
            response.set_usage(input=5, output=1)
            yield self.text

    def get(name: str | None) -> Any:
        if name in (None, "writer"):
            return Writer()
        raise llm.UnknownModelError(name)

    monkeypatch.setattr(llm, "get_model", get)
    check_language_model(LLMModel("writer"))
    for name in ("llm:writer", "writer", "llm:"):  # a bare name is one of llm's; none at all its default
        model = registry.language_model(name)
        assert (model.name, tuple(model.complete("x", system="y"))) == ("llm:writer", ("Bread", 5, 1))
    monkeypatch.setattr(Writer, "text", "<think>hm</think>Bread")
    assert registry.language_model("writer").complete("x").text == "Bread"
    with pytest.raises(ModelNotFound, match="llm models"):
        registry.language_model("llm:nobody")
    monkeypatch.setattr(Writer, "text", "boom")
    with pytest.raises(ProviderError, match=r"'llm:writer' failed: boom$"):
        registry.language_model("writer").complete("x")
    monkeypatch.setattr(Writer, "text", " ")
    with pytest.raises(BadReply, match="wrote nothing"):
        registry.language_model("writer").complete("x")


def test_without_llm_a_bare_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "llm", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cosimo\[llm\]'"):
        registry.language_model("gpt-4o-mini")
