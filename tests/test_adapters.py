"""Adapters: other packages' models under our names, each held to the embedders' suite; what is missing is named."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import servers
import tiny_models as tiny
from blocking import block
from servers import DIM

import cosimo
from cosimo.collection.models import load_embedder
from cosimo.core import config, registry
from cosimo.core.errors import ConfigError, DataError, Error, MissingExtra, MissingKey, ModelNotFound
from cosimo.core.types import Document
from cosimo.embedders.adapted import Adapted, Facts
from cosimo.embedders.fake import FakeEmbedder
from cosimo.embedders.llm import LLMEmbedder
from cosimo.embedders.local import LocalEmbedder
from cosimo.embedders.static import StaticEmbedder
from cosimo.testing import check_embedder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PACKAGES = ("torch", "sentence_transformers", "litellm", "langchain_core", "llm", "model2vec", "PIL")


def written(text: str) -> None:
    """The user's own providers.toml."""
    path = config.providers_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_importing_cosimo_imports_none_of_the_adapters_packages() -> None:
    code = (
        "import sys, cosimo, cosimo.collection.models, cosimo.embedders.adapted, cosimo.embedders.langchain, "
        "cosimo.embedders.litellm, cosimo.embedders.llm, cosimo.embedders.sentence_transformers, cosimo.embedders.static; "
        f"print([name for name in {PACKAGES!r} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(("model", "package", "line"), [
    ("st:org/name", "sentence_transformers", "pip install 'cosimo[st]'"),
    ("litellm:bedrock/x", "litellm", "pip install 'cosimo[litellm]'"),
    ("llm:3-small", "llm", "pip install 'cosimo[llm]'"),
    ("langchain:langchain_core.embeddings.X", "langchain_core", "pip install 'cosimo[langchain]'"),
    ("langchain:langchain_nowhere.XEmbeddings", "langchain_nowhere", "pip install langchain_nowhere"),
])  # fmt: skip
def test_a_missing_package_is_named_with_its_pip_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, model: str, package: str, line: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if package == "langchain_nowhere":
        pytest.importorskip("langchain_core")
    block(monkeypatch, package)
    with pytest.raises(MissingExtra) as caught:
        load_embedder(model)
    assert line in str(caught.value)


# -- lengths


def test_a_length_can_be_asked_for(home: Path) -> None:
    whole, short = load_embedder("fake:64"), load_embedder("fake:64@16")
    assert short.spec.name == "fake:64@16"
    assert short.spec.dim == 16
    vectors = whole.embed(["a text", "another"]).vectors[:, :16]
    assert np.allclose(
        short.embed(["a text", "another"]).vectors, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-6
    )
    with pytest.raises(ModelNotFound, match="vectors of length 64"):
        load_embedder("fake:64@65")


def test_a_collection_remembers_the_length(home: Path, tmp_path: Path) -> None:
    with cosimo.open(tmp_path / "x.db") as db:
        db.collection("notes", model="fake:64@16").add([Document("1", "a text about bread")])
    with cosimo.open(tmp_path / "x.db") as db:
        assert db.collection("notes").dim == 16
        assert db.collection("notes").search("bread")[0].id == "1"
        assert db.collection("notes", model="fake:64@16").model == "fake:64@16"


# -- what adapters share


class Odd(Adapted):
    """A package that does as it is told."""

    def __init__(self, answer: Any, facts: Facts | None = None) -> None:
        super().__init__("odd:model", facts)
        self.answer = answer

    def _ask(self, contents: Sequence[Any], role: Any) -> tuple[Any, int | None]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(contents) if callable(self.answer) else self.answer, None


@pytest.mark.parametrize(("answer", "kind", "word"), [
    (RuntimeError("boom"), "ProviderError", "boom"),
    (ValueError("Did not find openai_api_key, set OPENAI_API_KEY"), "MissingKey", "wants a key"),
    (ValueError("401 Client Error: Invalid token"), "MissingKey", "wants a key"),
    (ValueError("This model's maximum context length is 8192 tokens"), "ProviderError", "8192 tokens"),
    (OSError("Can't instantiate a processor, a tokenizer or a feature extractor"), "ProviderError", "a tokenizer"),
    (ModuleNotFoundError("No module named 'boto3'", name="boto3"), "MissingExtra", "pip install boto3"),
    (ImportError("Please install it with `pip install some-sdk`."), "MissingExtra", "pip install some-sdk"),
    ([[1.0, 2.0], [1.0]], "BadReply", "one length"),
    ([[1.0, 2.0]], "BadReply", "a vector each"),
    ([[1.0, float("nan")]] * 2, "BadReply", "NaN"),
    (["a", "b"], "BadReply", "something else"),
    (lambda contents: np.ones((len(contents), len(contents[0]))), "BadReply", "has the model changed"),
])  # fmt: skip
def test_what_a_package_does_wrong_is_one_of_our_errors(answer: Any, kind: str, word: str) -> None:
    odd = Odd(answer)
    with pytest.raises(Error) as caught:
        odd.embed(["x", "y"])
    assert type(caught.value).__name__ == kind
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_prompts_and_the_window_that_somebody_described_are_kept_to() -> None:
    seen: list[str] = []

    def answer(contents: Sequence[str]) -> Any:
        seen.extend(contents)
        return FakeEmbedder("8").embed(contents).vectors * 3

    odd = Odd(answer, Facts(dim=8, max_tokens=10, prompts={"query": "q: "}))
    got = odd.embed(["a", "q: b", "a"], role="query")
    assert seen == ["q: a", "q: b"]
    assert np.allclose(np.linalg.norm(got.vectors, axis=1), 1)
    assert list(odd.embed(["word " * 30]).cut) == [0]
    with pytest.raises(DataError, match="content 1 is bytes"):
        odd.embed(["a", b"b"])


# -- LangChain


@pytest.fixture
def langchain() -> Any:
    return pytest.importorskip("langchain_core.embeddings")


def test_a_class_of_langchains_packages_is_reached_by_its_name(home: Path, langchain: Any) -> None:
    written('[langchain.hashed]\nclass = "langchain_core.embeddings.DeterministicFakeEmbedding"\narguments = { size = 24 }\n')
    got = load_embedder("langchain:hashed")
    assert got.spec.name == "langchain:hashed"
    theirs = langchain.DeterministicFakeEmbedding(size=24).embed_documents(["a", "b"])
    unit = np.asarray(theirs) / np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.allclose(got.embed(["a", "b"]).vectors, unit, atol=1e-6)
    with pytest.raises(ConfigError, match="size"):  # by its name alone: it wants an argument
        load_embedder("langchain:langchain_core.embeddings.DeterministicFakeEmbedding")


def test_the_langchain_adapter_passes_the_embedders_suite(home: Path, tmp_path: Path, langchain: Any, monkeypatch: Any) -> None:
    (tmp_path / "their_module.py").write_text(
        "from langchain_core.embeddings import Embeddings\nfrom cosimo.embedders.fake import FakeEmbedder\n"
        "class Theirs(Embeddings):\n"
        "    def __init__(self, dim): self.fake = FakeEmbedder(dim)\n"
        "    def embed_documents(self, texts): return self.fake.embed(texts).vectors.tolist()\n"
        "    def embed_query(self, text): return self.fake.embed([text], role='query').vectors[0].tolist()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    written('[langchain.theirs]\nclass = "their_module.Theirs"\narguments = { dim = "64" }\nmax_tokens = 100\n')
    check_embedder(load_embedder("langchain:theirs"))


def test_a_model_named_in_somebodys_database_imports_nothing_but_langchains_packages(
    home: Path, tmp_path: Path, langchain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'proof')!r}, 'w').write('ran')\nclass X: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with cosimo.open(tmp_path / "foreign.db") as db:
        db.collection("notes", model="fake:8").add([Document("1", "a")])
    with sqlite3.connect(tmp_path / "foreign.db") as other:
        other.execute("UPDATE collections SET model='langchain:evil_module.X'")
    with cosimo.open(tmp_path / "foreign.db") as db, pytest.raises(ModelNotFound, match=r"providers\.toml"):
        db.collection("notes").search("a")
    assert not (tmp_path / "proof").exists()
    for name in ("os.system", "langchain_core.load.loads", "langchain_core.embeddings.Nothing", "subprocess.Popen", "x", "..a"):
        with pytest.raises(Error):
            load_embedder(f"langchain:{name}")


def test_a_table_that_is_none_is_said_to_be(home: Path, langchain: Any) -> None:
    for text in (
        "langchain = 3", "[langchain]\nx = 3", "not toml", '[langchain.x]\nclass = "a.b"\narguments = 3',
        '[langchain.x]\nclass = "a.b"\nprompts = { qu = "x" }', '[langchain.x]\nclass = "a.b"\ndim = "x"',
    ):  # fmt: skip
        written(text)
        with pytest.raises(ConfigError):
            load_embedder("langchain:x")


# -- llm


@pytest.fixture
def llm_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
    llm = pytest.importorskip("llm")
    from llm.plugins import pm

    class Hashed(llm.EmbeddingModel):
        model_id = "hashed-for-tests"
        batch_size = 3

        def embed_batch(self, items: Any) -> Iterator[list[float]]:
            return (vector.tolist() for vector in FakeEmbedder("64").embed(list(items)).vectors)

    class Keyed(Hashed):
        model_id = "keyed-for-tests"
        needs_key = "keyed"

    class Plugin:
        @llm.hookimpl
        def register_embedding_models(self, register: Any) -> None:
            register(Hashed(), aliases=("hft",))
            register(Keyed())

    plugin = Plugin()
    pm.register(plugin)
    yield Hashed
    pm.unregister(plugin)


def test_an_embedding_model_of_an_llm_plug_in(llm_model: Any, home: Path) -> None:
    check_embedder(load_embedder("llm:hashed-for-tests"))
    assert load_embedder("llm:hft").spec.name == "llm:hashed-for-tests", "an alias is the model"
    with pytest.raises(ModelNotFound, match="llm embed-models"):
        load_embedder("llm:nothing-of-that-name")
    with pytest.raises(MissingKey, match="llm keys set keyed"):
        load_embedder("llm:keyed-for-tests")


def test_our_own_model_is_not_reached_through_llm(llm_model: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_model, "__module__", "cosimo.interfaces.integrations.llm_plugin")
    with pytest.raises(ModelNotFound, match="without llm:"):
        LLMEmbedder("hashed-for-tests")


# -- LiteLLM


@pytest.mark.heavy
def test_litellm_reaches_a_server_and_its_errors_are_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.quieten_litellm()
    pytest.importorskip("litellm")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with servers.running(servers.Server(key="sk-test")) as server:
        address = f'arguments = {{ api_base = "{server.address}/v1", encoding_format = "float" }}'
        written(
            f'[litellm.fake]\nmodel = "openai/fake"\n{address}\n'
            f'[litellm.short]\nmodel = "openai/fake@16"\n{address}\n[litellm.gone]\nmodel = "openai/nothing"\n{address}\n'
        )
        embedder = load_embedder("litellm:fake")
        got = embedder.embed(["a", "b", "a"])
        expected = servers.vectors_of(["a", "b"])
        assert np.allclose(got.vectors, expected[[0, 1, 0]], atol=1e-6)
        assert got.tokens > 0
        assert embedder.spec.dim == DIM
        many = [f"text {n}" for n in range(150)]
        assert np.allclose(embedder.embed(many).vectors, servers.vectors_of(many), atol=1e-6)
        assert load_embedder("litellm:short").spec.dim == 16
        with pytest.raises(ModelNotFound, match="no such model"):
            load_embedder("litellm:gone").embed(["a"])
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
        with pytest.raises(MissingKey):
            load_embedder("litellm:fake").embed(["a"])
    with pytest.raises(ModelNotFound, match="no provider"):
        load_embedder("litellm:nothing-like-it")
    known = load_embedder("litellm:openai/text-embedding-3-large")
    assert (known.spec.dim, known.spec.price) == (3072, 0.13)


# -- static models


VOCABULARY = {word: number for number, word in enumerate([*tiny.WORDS, *"怎样备份数据库？?,'"])}


def static_folder(path: Path, **changes: Any) -> Path:
    """A table of token vectors as model2vec saves one."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    path.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(path / "tokenizer.json"))
    table = np.random.default_rng(0).standard_normal((len(VOCABULARY), 16)).astype(np.float32)
    arrays = {"embeddings": table} | changes.pop("arrays", {})
    tiny.safetensors(path / "model.safetensors", arrays)
    tiny.write(path, "config.json", {"model_type": "model2vec", "normalize": True, "hidden_dim": 16} | changes)
    return path


def test_a_static_model_passes_the_embedders_suite(tmp_path: Path) -> None:
    check_embedder(StaticEmbedder(str(static_folder(tmp_path / "m", max_length=80))))


def test_a_static_folder_needs_no_prefix(home: Path, tmp_path: Path) -> None:
    folder = static_folder(tmp_path / "m")
    assert isinstance(load_embedder(str(folder)), StaticEmbedder)
    assert load_embedder(f"static:{folder}").spec == load_embedder(str(folder)).spec
    with pytest.raises(ConfigError, match="not a static model"):
        load_embedder(f"static:{tiny.folder(tmp_path / 'bert')}")
    zero = load_embedder(str(folder)).embed(["", "\U0001f600"])
    assert not zero.vectors.any(), "no token is known: found nowhere"


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["plain", "weights", "not normalised"])
def test_a_static_model_gives_what_model2vec_gives(tmp_path: Path, kind: str) -> None:
    model2vec = pytest.importorskip("model2vec")
    rng, count = np.random.default_rng(1), len(VOCABULARY)
    changes: dict[str, Any] = {
        "weights": {"arrays": {"weights": rng.random(count).astype(np.float32)}},
        "not normalised": {"normalize": False},
    }.get(kind, {})
    folder = static_folder(tmp_path / "m", **changes)
    texts = ["the cat sat on the mat", "怎样备份", "", "\U0001f600 dog", "the dog . " * 40]
    theirs = model2vec.StaticModel.from_pretrained(str(folder)).encode(texts)
    assert np.allclose(StaticEmbedder(str(folder)).embed(texts).vectors, theirs, atol=1e-5)


# -- sentence-transformers


@pytest.mark.heavy
def test_one_folder_is_one_model_in_both_runtimes(minilm: Path) -> None:
    pytest.importorskip("sentence_transformers")
    theirs, ours = load_embedder(f"st:{minilm}"), LocalEmbedder(str(minilm), precision="float32")
    assert theirs.spec == ours.spec
    check_embedder(theirs)
    texts = ["How do I back up a SQLite database?", "怎样备份数据库？", "", "half \ud800 a pair", "word " * 400, "x"]
    for role in ("query", "document"):
        a, b = theirs.embed(texts, role=role), ours.embed(texts, role=role)  # type: ignore[arg-type]
        assert np.einsum("ij,ij->i", a.vectors, b.vectors).min() > 0.99999
        assert (a.tokens, list(a.cut)) == (b.tokens, list(b.cut))
    assert theirs.count_tokens(texts) == ours.count_tokens(texts)
    short = load_embedder(f"st:{minilm}@64")
    assert short.spec.name == f"{ours.spec.name}@64"
    assert short.embed(["x"]).vectors.shape == (1, 64)


@pytest.mark.heavy
def test_prompts_of_a_folder_are_put_before_texts_by_role(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.folder(tmp_path / "prompted", prompts={"query": "query: ", "document": "the "})
    theirs, ours = load_embedder(f"st:{folder}", precision="float32"), LocalEmbedder(str(folder), precision="float32")
    assert theirs.spec == ours.spec
    for role in ("query", "document"):
        a, b = (each.embed(["cat on mat", "query: dog", "the dog"], role=role).vectors for each in (theirs, ours))
        assert np.allclose(a, b, atol=1e-4)
    assert load_embedder(f"st:{folder}", precision="bf16").embed(["the cat"]).vectors.dtype == np.float32
    with pytest.raises(ConfigError, match="int8"):
        load_embedder(f"st:{folder}", precision="int8")


@pytest.mark.heavy
def test_a_model_that_our_runtime_does_not_run_is_run_by_theirs(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.folder(tmp_path / "weighted", pooling="weightedmean")
    embedder = load_embedder(str(folder))
    assert type(embedder).__name__ == "SentenceTransformersEmbedder"
    assert embedder.spec.name == str(folder)
    assert embedder.embed(["the cat"]).vectors.shape == (1, 32)


def test_without_their_package_the_message_says_what_is_wanted(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block(monkeypatch, "sentence_transformers")
    with pytest.raises(MissingExtra, match=r"weightedmean.*pip install 'cosimo\[st\]'"):
        load_embedder(str(tiny.folder(tmp_path / "weighted", pooling="weightedmean")))


@pytest.mark.heavy
def test_clip_reads_texts_and_images(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    embedder = load_embedder(f"st:{clip_folder(tmp_path / 'clip')}")
    assert embedder.spec.modalities == ("text", "image")
    assert len(embedder.spec.revision) == 64
    red, blue = picture((255, 0, 0)), picture((0, 0, 255))
    got = embedder.embed([red, "the cat", blue, red])
    assert got.vectors.shape == (4, embedder.spec.dim)
    assert np.array_equal(got.vectors[0], got.vectors[3])
    assert not np.allclose(got.vectors[0], got.vectors[2])
    assert np.allclose(embedder.embed([blue]).vectors[0], got.vectors[2], atol=1e-5)
    assert embedder.spec.logit_scale == pytest.approx(math.exp(2.6592), rel=1e-3)
    with pytest.raises(DataError, match="reads text and pictures, and content 0 is bytes"):
        embedder.embed([b"no image at all"])
    with pytest.raises(DataError, match="content 1: the picture is damaged"):
        embedder.embed([red, red[:60]])


def picture(color: tuple[int, int, int]) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    image = Image.new("RGB", (40, 30), color)
    image.putpixel((3, 3), (0, 255, 0))
    image.save(out, "PNG")
    return out.getvalue()


def clip_folder(path: Path) -> str:
    """A random CLIP as sentence-transformers saves one."""
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *tiny.LETTERS, "the", "cat"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|startoftext|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>",
        unk_token="<|endoftext|>", model_max_length=16,
    )  # fmt: skip
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape = CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 16,
            "eos_token_id": 1,
            "bos_token_id": 0,
        },
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    raw = path / "raw"
    CLIPModel(shape).save_pretrained(raw)
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), fast).save_pretrained(
        raw
    )
    SentenceTransformer(str(raw)).save(str(path / "saved"))
    return str(path / "saved")


# -- plug-ins


def test_another_packages_embedder_is_found_by_its_entry_point(home: Path, tmp_path: Path) -> None:
    (tmp_path / "their_package.py").write_text(
        "from cosimo.embedders.fake import FakeEmbedder\nclass Theirs(FakeEmbedder): pass\n"
    )
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cosimo.embedders]\ntheirs = their_package:Theirs\nfake = their_package:Theirs\n")
    code = (
        "import cosimo, json; from cosimo.collection.models import load_embedder; "
        "print(json.dumps([cosimo.embed('a', model='theirs:16').shape[1], type(load_embedder('fake:8')).__name__, "
        "type(load_embedder('theirs:8')).__name__]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COSIMO_CACHE": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [16, "FakeEmbedder", "CachedEmbedder"]
    with pytest.raises(ModelNotFound, match="no kind of model is called 'theirs:'"):
        load_embedder("theirs:8")


@pytest.mark.parametrize(("code", "said"), [
    ("from json import nothing_of_that_name", "nothing_of_that_name"),
    ("class Other: pass", "no attribute 'Theirs'"),
    ("raise OSError('libtheirs.so: cannot open shared object file')", "libtheirs.so"),
    ("import package_that_is_nowhere", "pip install package_that_is_nowhere"),
])  # fmt: skip
def test_a_package_that_cannot_be_imported_is_named_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (tmp_path / "their_broken_package.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_broken_package", raising=False)
    with pytest.raises(ConfigError, match=said) as caught:
        registry.load("their_broken_package:Theirs")
    assert "pip install" in str(caught.value)


def test_a_prefix_without_a_model_is_no_folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers")
    monkeypatch.chdir(tiny.folder(tmp_path / "model"))
    for prefix in ("st:", "static:", "local:", "fake:"):
        with pytest.raises(ModelNotFound):
            load_embedder(prefix)


@pytest.mark.heavy
def test_code_that_a_model_brings_is_not_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    monkeypatch.chdir(tmp_path)
    folder = tiny.folder(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "theirs.Module"
    tiny.write(folder, "modules.json", modules)
    (folder / "theirs.py").write_text("import pathlib; pathlib.Path('run').touch()\nclass Module: pass\n")
    with pytest.raises(ConfigError, match=r"code of its own.*trust_remote_code = true under \[st\."):
        load_embedder(f"st:{folder}")
    assert not (tmp_path / "run").exists()


def test_every_prefix_of_the_registry_has_a_class_and_a_kind() -> None:
    for adapter in registry.EMBEDDERS:
        assert isinstance(registry.embedder(adapter), type)
    assert set(registry.EMBEDDERS) >= registry.LOCAL >= registry.PRECISE
