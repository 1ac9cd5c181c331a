"""Judging: scales, classifiers and labels: learned, kept in the file, and used on a collection's items. Each a short method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import DataError, NotFound
from .arguments import several
from .scoring import TEMPLATE, Classifier, Scale
from .understanding import Understanding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..core.types import Content
    from ..verbs.classes import Method, Prediction
    from ..verbs.labelling import Labelled
    from ..verbs.score import Scored
    from ..verbs.scoring.labels import Written
    from ..verbs.whole import Whole
    from .arguments import Where


class Judging(Understanding):
    """The part of `Collection` that places items on scales and puts them into classes."""

    # -- scales

    def learn_scale(
        self,
        low: Sequence[str],
        high: Sequence[str],
        *,
        ends: tuple[str, str] = ("low", "high"),
        name: str = "main",
        save: bool = True,
        refresh: bool = False,
    ) -> Scale:
        """A scale between two sets of example texts, kept in the file; its `trust` says how good it is.

        Parameters
        ----------
        low, high : texts; one an end is enough to begin with, twenty are better
        ends : what the ends are called
        name : of the kept scale; several are kept side by side
        save : keep it; on a file that cannot be written nothing is kept, and the scale comes all the same
        refresh : learn it again, though nothing has changed

        Raises
        ------
        NotFound : no such collection
        DataError : an end without examples
        BadVector : the ends are the same
        ModelMismatch : the collection's vectors come from elsewhere, so texts have no place among them
        """
        from .learning import learn_scale

        self._must_exist()
        return Scale(*learn_scale(self, low, high, ends, name, save=save, refresh=refresh))

    def scale(self, name: str = "main") -> Scale:
        """A kept scale.

        Raises
        ------
        NotFound : no such collection, or no scale of that name
        ModelMismatch : the collection has another model since it was learned
        """
        from .learning import kept_scale

        self._must_exist()
        return Scale(*kept_scale(self, name))

    def score(
        self, k: int | None = 10, *, scale: str | Scale = "main", where: Where = None, prefix: str = "", lowest: bool = False
    ) -> list[Scored]:
        """Items by their place on a scale, the highest first; texts from elsewhere are scored by `Scale.score`.

        Parameters
        ----------
        k : so many; None for all
        scale : the name of a kept one, or one that was just learned
        lowest : the lowest first

        Raises
        ------
        NotFound, ModelMismatch : as `scale`
        DataError : k below 1
        """
        from ..verbs.score import score
        from ..verbs.search import checked_k
        from .learning import of_this_space

        self._must_exist()
        if k is not None:
            checked_k(k)
        chosen = of_this_space(self, self.scale(scale) if isinstance(scale, str) else scale, "this scale was")
        return score(self._items(where, prefix), chosen.axis, k, lowest=lowest)

    # -- classes

    def learn_classes(
        self,
        label: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        examples: Sequence[tuple[str, str]] | None = None,
        names: Sequence[str] | None = None,
        method: Method = "auto",
        template: str = TEMPLATE,
        folds: int = 5,
        seed: int = 0,
        where: Where = None,
        prefix: str = "",
        name: str = "main",
        save: bool = True,
        refresh: bool = False,
    ) -> Classifier:
        """A classifier from labels, kept in the file; its `report` says how good it is on examples it has not seen.

        Parameters
        ----------
        label : a field of the metadata that says what items are
        labels : or id → label
        examples : or (text, label) each, from elsewhere
        names : or the names of the classes alone; with one of the above those only test it
        method : regression (logistic, on vectors), means (the nearest mean of a class), names (no examples needed; with `label`
            the names are those of the field). auto is regression, unless that takes longer than minutes
        template : what is embedded of a name, `{}` being the name itself
        folds, seed : examples are held out in so many parts, in turn; the same seed gives the same parts
        where, prefix : which items it learns from
        name, save, refresh : as for `learn_scale`

        Raises
        ------
        NotFound : no such collection
        DataError : fewer than two labels, a field nobody has, a method that does not fit
        """
        from .learning import Asked, learn_classes

        self._must_exist()
        asked = Asked(label, labels, examples, names, method, template, folds, seed, self._filter(where), prefix)
        return Classifier(*learn_classes(self, asked, name, save=save, refresh=refresh))

    def classes(self, name: str = "main") -> Classifier:
        """A kept classifier.

        Raises
        ------
        NotFound : no such collection, or no classes of that name
        ModelMismatch : the collection has another model since they were learned
        """
        from .learning import kept_classes

        self._must_exist()
        return Classifier(*kept_classes(self, name))

    def classify(
        self, classes: str | Classifier = "main", *, min_confidence: float = 0.0, where: Where = None, prefix: str = ""
    ) -> list[Prediction]:
        """A label and the confidence in it for each item; texts from elsewhere are classified by `Classifier.classify`.

        Parameters
        ----------
        classes : the name of kept ones, or what was just learned
        min_confidence : below it the label is None
        where, prefix : which items

        Raises
        ------
        NotFound, ModelMismatch : as `classes`
        DataError : a least confidence that is none
        """
        from ..verbs.classes import checked_confidence
        from .learning import of_this_space

        self._must_exist()
        checked_confidence(min_confidence)
        chosen = of_this_space(self, self.classes(classes) if isinstance(classes, str) else classes, "these classes were")
        items = self._items(where, prefix)
        return chosen.classes.classify(items.ids, items.vectors, min_confidence)

    def label(
        self,
        labels: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        contents: Sequence[Content] | None = None,
        template: str = TEMPLATE,
        scale: float | None = None,
        where: Where = None,
        prefix: str = "",
    ) -> list[Labelled]:
        """How likely each of these labels is for each item: shares that sum to 1, of pictures as CLIP gives them.

        Nothing is learned, and a label is any text: "a red shoe". `classify` says more where there are examples.

        Parameters
        ----------
        labels : two or more
        ids : of the items, in this order; left out, all of them
        contents : in place of items, texts or the bytes of pictures from elsewhere; their ids are 0, 1, …
        template : what is embedded of a label, `{}` being the label itself: "a photo of {}"
        scale : what cosines are multiplied by before the softmax: more makes it surer. Left out, what the model was trained
            with, else 100, CLIP's; for a model of texts alone 20
        where, prefix : which items

        Raises
        ------
        NotFound : no such collection, or no item of one of the ids
        DataError : fewer than two labels, ids or contents together with something else, contents the model does not read
        ModelMismatch : the collection's vectors come from elsewhere, so labels have no place among them
        """
        from .labelling import of_contents, of_items

        self._must_exist()
        if sum((ids is not None, contents is not None, where is not None or bool(prefix))) > 1:
            raise DataError("labels are for some ids, for contents from elsewhere, or for items that pass; give one of them")
        labels = several(labels)
        if contents is not None:
            return of_contents(self.embedder, labels, contents, template, scale)
        items = self._items(where, prefix)
        if ids is None:
            return of_items(self, labels, items.ids, items.vectors, template, scale)
        wanted = several(ids)
        place = {id: at for at, id in enumerate(items.ids)}
        if missing := next((id for id in wanted if id not in place), None):
            raise NotFound(f"no item '{missing}' with a vector in collection '{self.name}'")
        return of_items(self, labels, wanted, items.vectors[[place[id] for id in wanted]], template, scale)

    def write_labels(self, predictions: Iterable[Prediction], field: str, *, overwrite: bool = False) -> Written:
        """Set a field of items' metadata to their predicted labels; texts, vectors and other fields stay as they are.

        Parameters
        ----------
        field : a key at the top of the metadata
        overwrite : also where the field says something already; without, such items are left alone

        Raises
        ------
        NotFound : no such collection
        DataError : a field that cannot be written
        StoreError : the file cannot be written
        """
        from ..verbs.scoring.labels import checked_key, write_labels

        self._must_exist()
        checked_key(field)
        with self._writing() as written:
            done = write_labels(self._store, self.name, predictions, field, overwrite=overwrite)
            written.append(done.written)
        return done

    def _items(self, where: Where, prefix: str) -> Whole:
        from ..verbs.whole import whole

        return whole(self._store, self.name, filter=self._filter(where), prefix=prefix)
