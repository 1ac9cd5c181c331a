"""Understanding: what is found out about a collection as a whole. Each is one short method; the verbs do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..core.errors import Locked, NotFound, StoreError
from .questions import Questions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..core.llm import LanguageModel
    from ..core.results import KeepingStore, ResultInfo, ResultKind
    from ..verbs.atlas import Map
    from ..verbs.clustering.agreement import Agreement
    from ..verbs.clustering.clusters import Clusters
    from ..verbs.duplicates import Duplicates
    from ..verbs.outliers import Outlier
    from .arguments import Where


class Understanding(Questions):
    """The part of `Collection` that shows what is there."""

    def duplicates(self, threshold: float = 0.95, *, where: Where = None, prefix: str = "") -> list[Duplicates]:
        """Groups of documents that are nearly the same, the largest first; exact. Nothing is deleted.

        Parameters
        ----------
        threshold : cosine similarity from which two are near-duplicates, above 0 and up to 1
        where, prefix : which items, as for `search`

        Raises
        ------
        NotFound : no such collection
        DataError : a threshold that is none
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.duplicates import checked_threshold, duplicates
        from ..verbs.whole import whole

        self._must_exist()
        checked_threshold(threshold)
        return duplicates(whole(self._store, self.name, filter=self._filter(where), prefix=prefix), threshold)

    def outliers(self, k: int = 10, *, neighbours: int = 10, where: Where = None, prefix: str = "") -> list[Outlier]:
        """The k documents least like their nearest neighbours, the most alone first.

        Parameters
        ----------
        neighbours : how many nearest ones count
        where, prefix : which items may be named; their neighbours are any of the collection

        Raises
        ------
        NotFound : no such collection
        DataError : k or neighbours below 1, fewer than two items with a vector
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.outliers import outliers
        from ..verbs.whole import numbers_among, whole

        self._must_exist()
        filter = self._filter(where)
        with self._searching(whole=True) as index:
            among = numbers_among(self._store, self.name, filter=filter, prefix=prefix)
            return outliers(whole(self._store, self.name), index, k, neighbours=neighbours, among=among)

    def map(
        self,
        method: str | None = None,
        *,
        dim: int | None = None,
        seed: int | None = None,
        neighbours: int | None = None,
        where: Where = None,
        prefix: str = "",
        name: str = "main",
        save: bool = True,
        refresh: bool = False,
    ) -> Map:
        """Where each document lies in two or three dimensions. A kept map stays as it is; what is new is placed on it.

        What is left out is as the kept map of that name has it, else the default.

        Parameters
        ----------
        method : auto (the default: UMAP where it is installed, up to 100,000 items, else PCA), pca, umap or tsne
        dim : 2, or 3
        seed : 0; the same one gives the same map again
        neighbours : 15, of UMAP; t-SNE has a perplexity of twice as many
        where, prefix : which items, as for `search`
        name : of the kept map; several are kept side by side
        save : keep it in the file; on one that cannot be written nothing is kept, and the map comes all the same
        refresh : make it anew, with all that is there now

        Raises
        ------
        NotFound : no such collection
        DataError : no such method, 1 or 4 dimensions, or no item with a vector
        InvalidFilter : `where` is not in the filter language
        MissingExtra : UMAP or t-SNE was asked for by name, and is not installed
        """
        from ..core.filters.syntax import to_text
        from ..verbs.atlas import Wanted, atlas
        from .mapping import kept_in

        self._must_exist()
        filter = self._filter(where)
        asked = "" if filter is None else to_text(filter)
        wanted = Wanted(method, dim, seed, neighbours, asked, prefix, self._settings.model, self._settings.revision)
        return atlas(
            self._store, self.name, wanted, filter=filter, name=name, kept=kept_in(self._store),
            saving=save and self._can_keep(), refresh=refresh,
        )  # fmt: skip

    def kept_map(self, name: str = "main") -> Map:
        """A kept map with what is new placed on it. None is made, which may take minutes, and nothing is written.

        Raises
        ------
        NotFound : no such collection, no map of that name, or one that does not hold any more: of another model, or of less
            than half of what is there
        """
        from ..verbs.atlas import Wanted, atlas

        self._must_exist()
        store = self._keeping_store
        found = store.result(self.name, "map", name)
        if found is None:
            raise NotFound(f"'{self.name}' keeps no map '{name}'; make one: cosimo map {self.name}")
        where, prefix = (str(found.settings.get(setting) or "") for setting in ("where", "prefix"))
        wanted = Wanted(where=where, prefix=prefix, model=self._settings.model, revision=self._settings.revision)
        return atlas(store, self.name, wanted, filter=self._filter(where or None), name=name, kept=store, making=False)

    def export_map(
        self,
        map: Map,
        target: str | Path | BinaryIO,
        *,
        format: str | None = None,
        color: str | None = None,
        title: str | None = None,
        link: str | None = None,
        clusters: str | None = None,
        dark: bool = False,
    ) -> int:
        """Write a map to a file, by its ending: a page (html), a picture (png, svg, pdf) or rows (parquet, csv, ndjson).

        A page holds all it needs, and opens from disk. The number of items comes back.

        Parameters
        ----------
        format : of a stream, or where the name does not tell
        color : a field of the metadata, `cluster`, `folder` or `placed`; left out, what tells most
        title : the field with titles; left out: title, else the first line of the text, else the id
        link : the field with an http address that a page opens; left out: url, link, href or path
        clusters : the name of kept clusters; left out, `main` where there are any
        dark : a picture on a dark ground; a page goes by its reader's system

        Raises
        ------
        NotFound : no such collection, field or clusters
        DataError : an ending that is none of these, or a file that cannot be written
        MissingExtra : a picture without matplotlib, Parquet without pyarrow
        """
        from ..verbs.maps.scene import scene
        from .mapping import format_of, kept_in, write

        self._must_exist()
        format = format_of(target, format)
        shown = scene(self._store, map, kept=kept_in(self._store), clusters=clusters, color=color, title=title, link=link)
        return write(shown, target, format, dark=dark)

    def cluster(
        self,
        k: int | str | None = None,
        *,
        method: str | None = None,
        seed: int | None = None,
        where: Where = None,
        prefix: str = "",
        name: str = "main",
        name_with: str | LanguageModel | None = None,
        prompt: str | None = None,
        truncate: int = 100,
        save: bool = True,
        refresh: bool = False,
    ) -> Clusters:
        """Groups of documents that are like each other. Kept ones stay: what is new is put into the nearest.

        When a fifth of the documents are others than those the clusters were made of, they are made anew. A number, method or
        seed that is left out is as the kept clusters of that name have it, else the default; `where` and `prefix` are as given.

        Parameters
        ----------
        k : how many; "auto" (the default): as the mean silhouette says
        method : kmeans (the default), or hdbscan (dense groups and noise between them; finds their number itself)
        seed : 0; the same one gives the same clusters again
        where, prefix : which items, as for `search`
        name : of the kept clusters; several are kept side by side
        name_with : a language model that writes their names: `ollama:qwen3`, `http://host:port/v1#name`, `llm:gpt-4o-mini`. It
            is sent the beginnings of up to 50 texts a cluster. Left out: keywords, or the names that are kept
        prompt : what that model is told to do with the texts
        truncate : characters of each text that it is sent; 0: whole texts, up to 16,000 characters a cluster
        save : keep them in the file; on one that cannot be written nothing is kept, and they come all the same
        refresh : make them anew

        Raises
        ------
        NotFound : no such collection
        DataError : no items with a vector, or fewer than clusters; a number, method, seed, name or model that cannot be
        InvalidFilter : `where` is not in the filter language
        MissingExtra : a package of the method is not installed
        """
        from ..verbs.cluster import Request, cluster
        from .mapping import kept_in
        from .naming import writer_of

        self._must_exist()
        request = Request(k, method, seed, self._filter(where), prefix, name)
        writer = writer_of(name_with, prompt, truncate)
        return cluster(
            self._store, self.name, request.checked(), kept=kept_in(self._store), writer=writer,
            save=save and self._can_keep(), refresh=refresh,
        )  # fmt: skip

    def clusters(self, name: str = "main") -> Clusters:
        """Clusters as they were kept, whatever has changed since.

        Raises
        ------
        NotFound : no such collection, or none kept under that name
        DataError : a name that cannot be
        Corrupt : another program wrote something else into their place
        """
        from ..verbs.cluster import kept

        self._must_exist()
        return kept(self._keeping_store, self.name, name)

    def cluster_items(self, clusters: Clusters, *, truncate: int = 100) -> Iterator[dict[str, Any]]:
        """Of each cluster `{"id", "items": [{"id", "content"}], "summary", …}`, as users of `llm cluster` know it.

        Parameters
        ----------
        truncate : characters of each content; 0 gives it whole
        """
        from ..verbs.clustering.cluster_items import listed

        return listed(self._store, self.name, clusters, truncate=truncate)

    def compare_labels(self, clusters: Clusters, field: str) -> Agreement:
        """How far clusters agree with a metadata field: NMI, adjusted Rand index, purity.

        Raises
        ------
        DataError : no item has the field
        """
        from ..verbs.clustering.cluster_items import compared

        return compared(self._store, self.name, clusters, field)

    def naming_prompts(
        self, clusters: Clusters, *, prompt: str | None = None, truncate: int = 100
    ) -> list[tuple[int, str, str]]:
        """What `name_with` would send: of each cluster its id, what the model is told to do, and what it reads.

        Groups of clusters follow: of each the model reads the names that it gave to these.
        """
        from ..verbs.cluster import prompts
        from .naming import writer_for

        return prompts(self._store, self.name, clusters, writer_for("", prompt, truncate))

    def results(self) -> list[ResultInfo]:
        """Clusters, maps and small models that are kept in the file, by kind and name.

        Raises
        ------
        NotFound : no such collection
        """
        self._must_exist()
        return self._keeping_store.results(self.name)

    def forget(self, kind: ResultKind, name: str) -> None:
        """Remove a kept result.

        Raises
        ------
        NotFound : no such collection, or no result of that kind and name
        DataError : an alignment that a collection is made with
        """
        self._must_exist()
        with self._store.atomic():
            if kind == "alignment":
                self._db._refuse_forgetting(name, self.name)
            gone = self._keeping_store.forget(self.name, kind, name)
        if not gone:
            kept = ", ".join(f"{info.kind} '{info.name}'" for info in self.results()) or "nothing yet"
            raise NotFound(f"'{self.name}' keeps no {kind} '{name}'; it keeps {kept}")

    @property
    def _keeping_store(self) -> KeepingStore:
        if not hasattr(self._store, "keep"):
            raise StoreError(f"{self._db.name} cannot keep what is found out about a collection; ask for it with save=False")
        return cast("KeepingStore", self._store)

    def _ready_to_keep(self) -> None:
        """Make our tables where there are none: before the version of the rows is asked for, and before hours of work.

        Raises
        ------
        StoreError : the file cannot be written
        """
        with self._store.atomic():
            pass

    def _can_keep(self) -> bool:
        """Whether there is a place for results; our tables are in it then.

        Raises
        ------
        Locked : there is one, and another program is writing for longer than the busy timeout
        """
        if not hasattr(self._store, "keep"):
            return False
        try:
            self._ready_to_keep()
        except Locked:
            raise
        except StoreError:
            return False
        return True
