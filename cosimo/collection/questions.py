"""Questions: what can be asked of a collection. Each is one short method; `searching` and the verbs do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import DataError
from .arguments import filter_of, refuse_mode, several, several_contents
from .mixing import Mixture, search_mixed
from .named import Named
from .searching import Request, again, answer, search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from ..core.filters import Filter
    from ..core.types import Content, Hit, Mode, Reranker, Similarity, Vector
    from ..verbs.mixed import Fusion
    from ..verbs.search import Query
    from ..verbs.similarities import Related
    from ..verbs.similarity_table import Exported
    from .arguments import Where


class Questions(Named):
    """The part of `Collection` that answers."""

    def search(
        self,
        query: Content | ArrayLike | None = None,
        k: int = 10,
        *,
        mode: Mode | None = None,
        where: Where = None,
        prefix: str = "",
        min_score: float | None = None,
        plus: Content | Sequence[Content] = (),
        minus: Content | Sequence[Content] = (),
        like: str | Sequence[str] = (),
        unlike: str | Sequence[str] = (),
        diversity: float | None = None,
        group: float | None = None,
        fts_syntax: bool = False,
        rerank: str | Reranker | None = None,
    ) -> list[Hit]:
        """The k best documents for a text, a vector or examples, best first; fewer only where fewer exist that pass.

        Parameters
        ----------
        query : a text, which the collection's model embeds as a query, the bytes of a picture where it reads pictures, or
            (dim,) numbers; may be left out where there are examples
        mode : vector (meaning), text (words, BM25) or hybrid (both). Left out: hybrid for a text where texts are stored,
            else vector, as hybrid is too where no texts are stored. A model that reads more than text gets vector: a picture
            has no words, and hybrid would bury it
        where : a filter on metadata, as text, mapping or `F("year") >= 2020`
        prefix : only ids that begin with this
        min_score : leave out hits below it
        plus, minus : a text or the bytes of a picture, or several, whose vectors are added to the query's, or taken from it:
            germany + paris - france
        like, unlike : id of an item or several, examples of what is looked for, and of what is not; they are no hits themselves
        diversity : 0 to 1, how much a hit that is like a better one loses (maximal marginal relevance)
        group : cosine similarity from which documents count as one hit, whose `duplicates` names the others; 0.95 is a start
        fts_syntax : the text is an expression in FTS5's syntax, for mode text
        rerank : a model that reads the question and the 50 best documents together and orders them anew: a cross-encoder's
            name, `cohere:rerank-v3.5`, `http://host:port/v1#name`; scores, and `min_score`, are its own

        Raises
        ------
        NotFound : the collection does not exist, or an example in it
        DataError : k below 1, an empty text, mode text without stored texts, what makes no sense together
        InvalidFilter : `where` is not in the filter language
        BadVector : plus and minus cancel each other out
        """
        request = Request(
            query, k, mode, where, prefix, min_score,
            several_contents(plus), several_contents(minus), several(like), several(unlike),
            diversity, group, fts_syntax, rerank,
        )  # fmt: skip
        return search([self], request)

    def search_mixed(
        self,
        query: Content | ArrayLike | None = None,
        k: int = 10,
        *,
        named: Mapping[str, Content | ArrayLike] | None = None,
        weights: Mapping[str, float] | None = None,
        fusion: Fusion = "weighted",
        where: Where = None,
        prefix: str = "",
        min_score: float | None = None,
    ) -> list[Hit]:
        """The k best items by several of their vectors at once, best first; `hit.why.named` holds what each of them says.

        Parameters
        ----------
        query : a text, a picture or (dim,) numbers, for every space that `named` has nothing else for
        named : name → what its vectors are asked; "" is the collection's own
        weights : name → how much it counts; those that are not here are not asked. Left out: all count the same that `named`
            has something for, or whose model reads the query and that hold vectors
        fusion : weighted, the weighted mean of cosines, exactly, in which an item counts 0 where it has no vector; rrf, by
            ranks; relative, by where a cosine lies between the worst and the best. These two are of 100 candidates a space
        where, prefix : a filter on this collection's metadata, the beginning of ids
        min_score : leave out hits below it

        Raises
        ------
        NotFound : no such collection, or no named vectors of a name
        DataError : weights that are no numbers above 0, a query that a model cannot read, a space without vectors
        ModelMismatch : vectors from elsewhere asked with something else than a vector
        """
        return search_mixed(self, Mixture(query, k, named, weights, fusion, where, prefix, min_score))

    def answer(self, query: Query, vector: Vector | None = None) -> list[Hit]:
        """`search` where everything is decided already: the vector is there, the mode can be had, the full text is made."""
        return answer([self], [vector], query)

    def related(self, id: str, k: int = 10, *, where: Where = None, prefix: str = "") -> list[Hit]:
        """The k documents nearest to one that is stored, itself left out; needs no model.

        Raises
        ------
        NotFound : no such collection or item
        InvalidFilter : `where` is not in the filter language
        """
        from ..verbs.related import related

        def ask() -> list[Hit]:
            self._must_exist()
            filter = self._filter(where)
            with self._searching(whole=True) as index:
                return related(self._store, index, self.name, id, k, prefix=prefix, filter=filter)

        return again(ask)

    def relate(self, k: int = 10, *, full: bool = False) -> Related:
        """Keep every item's k nearest in the database; only lists that what changed may touch are made anew.

        Parameters
        ----------
        full : make every list anew, as another `k` does too; the outcome is the same

        Raises
        ------
        NotFound : no such collection
        DataError : k below 1
        StoreError : the database cannot be written, or another program saved lists meanwhile
        """
        from ..verbs.similarities import relate

        self._must_exist()
        return relate(self._store, self.name, k, full=full)

    def similarities(self) -> Iterator[Similarity]:
        """The lists as `relate` left them, streamed: by id, the nearest first, equal scores in the order of ids.

        Raises
        ------
        NotFound : no such collection, or no lists of it are kept
        """
        from ..verbs.similarities import kept

        self._must_exist()
        return kept(self._store, self.name)

    def export_similarities(self, target: str | Path, table: str = "similarities") -> Exported:
        """Make a plain table (id, other_id, score) of a SQLite file hold the lists that `relate` keeps.

        Parameters
        ----------
        target : made where there is none; it may be this database
        table : what else was in it is removed, what is there already is left alone

        Raises
        ------
        NotFound : no such collection, or no lists of it are kept
        StoreError : the file cannot be written, or has a table of that name with other columns
        """
        from ..verbs.similarity_table import export_similarities

        return export_similarities(self._store, self.similarities(), target, table)

    def facets(self, field: str, *, where: Where = None, prefix: str = "") -> dict[str, int]:
        """How many items have each value of a metadata field, most frequent first; a list counts for each of its items.

        Parameters
        ----------
        where, prefix : which items, as for `search`

        Raises
        ------
        NotFound : no such collection
        InvalidFilter : `where` is not in the filter language
        """
        self._must_exist()
        return self._store.facets(self.name, field, filter=self._filter(where), prefix=prefix)

    def fields(self) -> dict[str, int]:
        """How many items have each field in their metadata, most frequent first.

        Raises
        ------
        NotFound : no such collection
        """
        self._must_exist()
        return self._store.fields(self.name)

    def has_text(self) -> bool:
        """True where texts are stored beside the vectors, so that words can be searched for."""
        return self._stored() is not None and self._store.has_text(self.name)

    # -- for `searching`

    def _mode(self, query: object, asked: Mode | None) -> Mode:
        """The mode asked for where it can be had, else what can."""
        refuse_mode(query, asked)
        if not isinstance(query, str):
            return "vector"
        if asked == "vector" or (self.has_text() and (asked == "text" or self.model is not None)):
            return asked or ("hybrid" if self.embedder.spec.modalities == ("text",) else "vector")
        if asked == "text":
            raise DataError(f"'{self.name}' stores no texts to search for words; add them with store=True (--store)")
        return "text" if self.has_text() and self.model is None else "vector"

    def _filter(self, where: Where) -> Filter | None:
        """A filter in any spelling; what answers its questions of place is up to date then."""
        filter = filter_of(where)
        if filter is not None:
            self._store.index_places(self.name, filter)
        return filter
