"""LangChain's own suites of `langchain-tests`, whole, over our classes: nothing overridden, nothing skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("langchain_tests", reason="make test-all installs langchain-tests")

from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

from cosimo.interfaces.integrations.langchain import CosimoEmbeddings, CosimoVectorStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.heavy, pytest.mark.asyncio, pytest.mark.filterwarnings("ignore:.*is not an async function")]


class Fake:
    """What both suites are about."""

    @property
    def embeddings_class(self) -> type[CosimoEmbeddings]:
        return CosimoEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "fake:64"}


class TestEmbeddingsUnit(Fake, EmbeddingsUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"COSIMO_MODEL": "fake:64"}, {}, {"model": "fake:64"}


class TestEmbeddings(Fake, EmbeddingsIntegrationTests):
    """With a model that is always there."""


class TestEmbeddingsOfTheDefaultModel(TestEmbeddings):
    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {}

    @pytest.fixture(autouse=True)
    def _weights(self, minilm: Path) -> None:
        """The default model's weights are here."""


class TestStoreInMemory(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[CosimoVectorStore]:
        with CosimoVectorStore.open(":memory:", embedding=self.get_embeddings()) as store:
            yield store


class TestStoreInAFile(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[CosimoVectorStore]:
        with CosimoVectorStore.open(tmp_path / "own.db", embedding=self.get_embeddings()) as store:
            yield store


class TestStoreWithAModelOfItsOwn(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[CosimoVectorStore]:
        with CosimoVectorStore.open(tmp_path / "own.db", embedding=CosimoEmbeddings("fake:256")) as store:
            yield store


class TestRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> Any:
        def constructor(k: int = 4) -> Any:
            texts = ["bake bread", "bake pizza", "back up a database", "the tax form"]
            return CosimoVectorStore.from_texts(texts, CosimoEmbeddings("fake:256")).as_retriever(search_kwargs={"k": k})

        return constructor

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"k": 2}

    @property
    def retriever_query_example(self) -> str:
        return "bake"
