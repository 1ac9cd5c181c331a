"""Peers: other embedded engines and libraries of indexes under the names of engines.py. Each is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from engines import Contender, Cosimo, CosimoIndex, Engine, blocks

if TYPE_CHECKING:
    from engines import Buckets, Vectors
    from numpy.typing import NDArray

    Query = NDArray[np.float32]  # (dim,)


class Chroma(Engine):
    """chromadb's persistent client, in the process."""

    needs = ("chromadb",)
    filters = True

    def _client(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        return chromadb.PersistentClient(str(self.folder), Settings(anonymized_telemetry=False))

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """In the largest calls that it takes."""
        client = self._client()
        collection = client.create_collection("bench", configuration={"hnsw": {"space": "cosine", **self.given}})
        for part in blocks(len(vectors), client.get_max_batch_size()):
            metadata = [{"bucket": bucket} for bucket in buckets[part].tolist()]
            ids = [str(n) for n in range(part.start, part.stop)]
            collection.add(ids, embeddings=np.asarray(vectors[part]), metadatas=metadata)

    def open(self) -> None:
        """The collection by name."""
        self._collection = self._client().get_collection("bench")

    def search(self, query: Query, k: int) -> list[int]:
        """Distances and ids alone are asked for."""
        found = self._collection.query(query_embeddings=[query], n_results=k, include=["distances"])
        return [int(id) for id in found["ids"][0]]

    def filtered(self, query: Query, k: int, below: int) -> list[int]:
        """By `where`."""
        where = {"bucket": {"$lt": below}}
        found = self._collection.query(query_embeddings=[query], n_results=k, include=["distances"], where=where)
        return [int(id) for id in found["ids"][0]]


class LanceDB(Engine):
    """A table with an index, or without one."""

    needs = ("lancedb",)
    filters = True

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """One Arrow table, then the index; nothing of either is changed by `optimize` afterwards."""
        import lancedb
        import pyarrow as pa

        flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
        columns = {"id": pa.array(np.arange(len(vectors))), "vector": pa.FixedSizeListArray.from_arrays(flat, self.dim)}
        columns["bucket"] = pa.array(buckets)
        table = lancedb.connect(self.folder).create_table("c", pa.table(columns))
        if self.given:
            table.create_index(metric="cosine", **self.given)

    def open(self) -> None:
        """The table by name."""
        import lancedb

        self._table = lancedb.connect(self.folder).open_table("c")

    def _query(self, query: Query, k: int) -> Any:
        asked = self._table.search(query).distance_type("cosine").limit(k).select(["id", "_distance"])
        for name, value in self.ask.items():
            asked = getattr(asked, name)(value)
        return asked

    def search(self, query: Query, k: int) -> list[int]:
        """Ids and distances alone are asked for."""
        return [row["id"] for row in self._query(query, k).to_list()]

    def filtered(self, query: Query, k: int, below: int) -> list[int]:
        """Filtered before the search, as is its default."""
        return [row["id"] for row in self._query(query, k).where(f"bucket < {below}", prefilter=True).to_list()]


class SqliteVec(Engine):
    """A `vec0` table, through a Python package of SQLite that can load extensions."""

    needs = ("apsw", "sqlite_vec")
    filters = True

    def _connection(self) -> Any:
        import apsw
        import sqlite_vec

        connection = apsw.Connection(str(self.folder / "c.db"))
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.execute("PRAGMA journal_mode = wal")
        return connection

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """In one transaction."""
        connection = self._connection()
        bits = f", bits bit[{self.dim}]" if self.given else ""
        connection.execute(
            f"CREATE VIRTUAL TABLE c USING vec0(e float[{self.dim}] distance_metric=cosine, bucket integer{bits})"
        )
        place = ", vec_quantize_binary(?2)" if self.given else ""
        sql = f"INSERT INTO c(rowid, e, bucket{', bits' if bits else ''}) VALUES (?1, ?2, ?3{place})"
        with connection:
            rows = ((n, np.asarray(vectors[n]).tobytes(), bucket) for n, bucket in enumerate(buckets.tolist()))
            connection.executemany(sql, rows)
        connection.close()

    def open(self) -> None:
        """The file, the extension loaded."""
        self._open = self._connection()

    def _asked(self, query: Query, k: int, more: str = "") -> list[int]:
        if not self.given:
            sql = f"SELECT rowid, distance FROM c WHERE e MATCH ?1 AND k = ?2 {more} ORDER BY distance"
            return [row for row, _ in self._open.execute(sql, (query.tobytes(), k))]
        sql = (  # by its documentation: the best by sign bits, rescored
            "WITH best AS (SELECT rowid FROM c WHERE bits MATCH vec_quantize_binary(?1) AND k = ?3 " + more + ") "
            "SELECT rowid, vec_distance_cosine(e, ?1) AS distance FROM c WHERE rowid IN (SELECT rowid FROM best) "
            "ORDER BY distance LIMIT ?2"
        )
        return [row for row, _ in self._open.execute(sql, (query.tobytes(), k, self.ask["rescore"]))]

    def search(self, query: Query, k: int) -> list[int]:
        """All rows are looked at."""
        return self._asked(query, k)

    def filtered(self, query: Query, k: int, below: int) -> list[int]:
        """By a metadata column of its own."""
        return self._asked(query, k, f"AND bucket < {below}")


class Milvus(Engine):
    """milvus-lite behind pymilvus; parameters nested twice, else they are ignored."""

    needs = ("pymilvus", "milvus_lite")
    filters = True

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """In calls of 5,000 rows; the index is built after the last."""
        from pymilvus import DataType, MilvusClient

        client = MilvusClient(str(self.folder / "c.db"))
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("bucket", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dim)
        client.create_collection("c", schema=schema)
        for part in blocks(len(vectors), 5000):
            rows = zip(range(part.start, part.stop), buckets[part].tolist(), vectors[part], strict=True)
            client.insert("c", [{"id": n, "bucket": bucket, "vector": vector} for n, bucket, vector in rows])
        client.flush("c")
        made = client.prepare_index_params()
        made.add_index("vector", metric_type="COSINE", index_type=self.given["type"], params={"params": self.given["params"]})
        client.create_index("c", made)
        client.close()

    def open(self) -> None:
        """Load the collection."""
        from pymilvus import MilvusClient

        self._client = MilvusClient(str(self.folder / "c.db"))
        self._client.load_collection("c")

    def search(self, query: Query, k: int, filter: str = "") -> list[int]:
        """Ids alone are asked for; left out, the vectors come too."""
        how = {"metric_type": "COSINE", "params": dict(self.ask)}
        found = self._client.search("c", [query], filter=filter, limit=k, search_params=how, output_fields=["id"])
        return [hit["id"] for hit in found[0]]

    def filtered(self, query: Query, k: int, below: int) -> list[int]:
        """By an expression."""
        return self.search(query, k, f"bucket < {below}")

    def close(self) -> None:
        """End its threads."""
        self._client.close()


class Llm(Engine):
    """The `llm` command's collections; a model that is a list of vectors, as it stores none that are given."""

    needs = ("llm",)

    def _collection(self, vectors: Vectors | None = None) -> Any:
        import llm
        import sqlite_utils

        class Given(llm.EmbeddingModel):
            model_id = "given"

            def embed_batch(self, items: Any) -> Any:
                return (vectors[int(item)].tolist() for item in items)

        return llm.Collection("c", sqlite_utils.Database(self.folder / "c.db"), model=Given())

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """In its batches of 100; metadata it cannot filter by is left out."""
        self._collection(vectors).embed_multi((str(n), str(n)) for n in range(len(vectors)))

    def open(self) -> None:
        """The collection by name."""
        self._open = self._collection()

    def search(self, query: Query, k: int) -> list[int]:
        """What `llm similar` calls."""
        return [int(entry.id) for entry in self._open.similar_by_vector(query.tolist(), k)]


class Usearch(Engine):
    """An HNSW graph, memory-mapped."""

    needs = ("usearch",)

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """All at once, on all processors."""
        from usearch.index import Index

        index = Index(ndim=self.dim, metric="cos", **self.given)
        index.add(np.arange(len(vectors)), np.asarray(vectors))
        index.save(self.folder / "index")

    def open(self) -> None:
        """Mapped, not read."""
        from usearch.index import Index

        self._index = Index.restore(self.folder / "index", view=True)
        self._index.expansion_search = self.ask.get("expansion_search", self._index.expansion_search)

    def search(self, query: Query, k: int) -> list[int]:
        """One query."""
        return self._index.search(query, k).keys.tolist()


class Hnswlib(Engine):
    """An HNSW graph, in memory."""

    needs = ("hnswlib",)
    filters = True

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """All at once, on all processors."""
        import hnswlib

        np.save(self.folder / "buckets.npy", buckets)
        index = hnswlib.Index(space="cosine", dim=self.dim)
        index.init_index(len(vectors), **self.given)
        index.add_items(np.asarray(vectors))
        index.save_index(str(self.folder / "index"))

    def open(self) -> None:
        """Read into memory."""
        import hnswlib

        self._index = hnswlib.Index(space="cosine", dim=self.dim)
        self._index.load_index(str(self.folder / "index"))
        self._index.set_ef(self.ask["ef"])
        self._buckets = np.load(self.folder / "buckets.npy").tolist()

    def search(self, query: Query, k: int) -> list[int]:
        """One query."""
        return self._index.knn_query(query, k, num_threads=1)[0][0].tolist()

    def filtered(self, query: Query, k: int, below: int) -> list[int]:
        """By a function that is called for every row looked at; it raises where it finds fewer than k."""
        buckets = self._buckets
        try:
            return self._index.knn_query(query, k, num_threads=1, filter=lambda n: buckets[n] < below)[0][0].tolist()
        except RuntimeError:
            return []


class Faiss(Engine):
    """FAISS's own indexes, by the factory's names."""

    needs = ("faiss",)

    def add(self, vectors: Vectors, buckets: Buckets) -> None:
        """Train, add, write."""
        import faiss

        index = faiss.index_factory(self.dim, self.given["factory"], faiss.METRIC_INNER_PRODUCT)
        index.train(np.asarray(vectors))
        index.add(np.asarray(vectors))
        faiss.write_index(index, str(self.folder / "index"))

    def open(self) -> None:
        """Mapped where FAISS can."""
        import faiss

        self._index = faiss.read_index(str(self.folder / "index"), faiss.IO_FLAG_MMAP)
        if self.ask:
            faiss.ParameterSpace().set_index_parameters(self._index, self.ask["parameters"])

    def search(self, query: Query, k: int) -> list[int]:
        """One query."""
        return self._index.search(query[None], k)[1][0].tolist()


ENGINES: dict[str, type[Engine]] = {
    "cosimo": Cosimo, "cosimo's index": CosimoIndex, "Chroma": Chroma, "LanceDB": LanceDB, "sqlite-vec": SqliteVec,
    "milvus-lite": Milvus, "llm similar": Llm, "usearch": Usearch, "hnswlib": Hnswlib, "FAISS": Faiss,
}  # fmt: skip

SPEED = {"type": "lists", "params": {"nprobe": 12, "rescore": 200}}
GRAPH = {"type": "graph"}
IVF_PQ, IVF_HNSW = {"index_type": "IVF_PQ"}, {"index_type": "IVF_HNSW_SQ"}
WIDE = {"connectivity": 32, "expansion_add": 200, "dtype": "f32"}

# What somebody gets who reads the first page of a documentation, then what somebody takes who wants to find everything
CONTENDERS = (
    Contender("cosimo", "as it comes"),
    Contender("cosimo", "lists, nprobe 12, rescore 200", SPEED),
    Contender("Chroma", "as it comes"),
    Contender("Chroma", "ef_search 400", {"ef_search": 400}, most=300_000),
    Contender("LanceDB", "no index"),
    Contender("LanceDB", "IVF_PQ", IVF_PQ),
    Contender("LanceDB", "IVF_PQ, nprobes 50, refine 10", IVF_PQ, {"nprobes": 50, "refine_factor": 10}),
    Contender("LanceDB", "IVF_HNSW_SQ, refine 5", IVF_HNSW, {"refine_factor": 5}, most=300_000),
    Contender("sqlite-vec", "as it comes"),
    Contender("sqlite-vec", "sign bits, 200 rescored", {"bits": True}, {"rescore": 200}),
    Contender("milvus-lite", "AUTOINDEX", {"type": "AUTOINDEX", "params": {}}, most=100_000),
    Contender(
        "milvus-lite", "IVF_FLAT, nprobe 64", {"type": "IVF_FLAT", "params": {"nlist": 512}}, {"nprobe": 64}, most=100_000
    ),
    Contender("llm similar", "as it comes", most=100_000),
    Contender("cosimo's index", "as it comes", alone=True),
    Contender("cosimo's index", "lists, nprobe 12, rescore 200", SPEED, alone=True),
    Contender("cosimo's index", "graph", GRAPH, alone=True, most=300_000),
    Contender("usearch", "as it comes", alone=True),
    Contender("usearch", "float32, M 32, expansion 200", WIDE, {"expansion_search": 200}, alone=True, most=300_000),
    Contender("usearch", "float32, M 32, expansion 600", WIDE, {"expansion_search": 600}, alone=True, most=300_000),
    Contender("hnswlib", "M 16, ef 64", {"M": 16, "ef_construction": 200}, {"ef": 64}, alone=True),
    Contender("hnswlib", "M 16, ef 200", {"M": 16, "ef_construction": 200}, {"ef": 200}, alone=True),
    Contender("hnswlib", "M 16, ef 600", {"M": 16, "ef_construction": 200}, {"ef": 600}, alone=True),
    Contender("FAISS", "flat", {"factory": "Flat"}, alone=True),
    Contender("FAISS", "HNSW32, ef 64", {"factory": "HNSW32"}, {"parameters": "efSearch=64"}, alone=True, most=300_000),
)
