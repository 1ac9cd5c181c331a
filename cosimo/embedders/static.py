"""Static: texts → the mean of their tokens' vectors, in numpy alone: model2vec's folders and hub ids, `minishlab/…`.

Such a model is a vector for each token of the vocabulary and nothing else (https://github.com/MinishLab/model2vec). Reads what
that package writes, whether the numbers lie as float32, float16 or int8. A text is read up to the window's last token; that
package cuts by a number of characters first, so of long texts it reads less.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.content import texts_of
from ..core.errors import ConfigError
from ..core.registry import canonical
from ..core.types import Embedded, ModelSpec
from . import catalog, recipe, safetensors, weights
from .adapted import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.types import Content, Role

WINDOW = 512  # tokens read of a text where the folder does not say


class StaticEmbedder:
    """A model of token vectors.

    Parameters
    ----------
    name : a folder with `config.json`, `tokenizer.json` and `model.safetensors`, or a hub id

    Raises
    ------
    ModelNotFound : no such model, or no way to fetch it
    ConfigError : a folder that holds another kind of model, or a damaged one
    """

    def __init__(self, name: str) -> None:
        self._folder = weights.located(name)
        self._config = recipe.read_json(self._folder / "config.json")
        arrays = safetensors.read(self._folder / recipe.WEIGHTS)
        table = arrays.get("embeddings", arrays.get("embedding.weight"))  # as sentence-transformers writes it
        if table is None or table.ndim != 2:
            raise ConfigError(f"{self._folder} holds no table of token vectors: not a static model; leave static: out")
        self._table: NDArray[Any] = table
        self._weights, self._rows = arrays.get("weights"), arrays.get("mapping")  # of each token; token → row of the table
        self._window: int | None = self._config.get("max_length", WINDOW)
        self._name = str(self._folder) if Path(name).expanduser().is_dir() else canonical(name)

    @cached_property
    def spec(self) -> ModelSpec:
        """What the model is. Its revision is the SHA-256 of its weights."""
        known = catalog.entry(self._name)
        return ModelSpec(
            name=self._name,
            dim=int(self._table.shape[1]),
            revision=weights.revision(self._folder),
            max_tokens=self._window,
            pooling="mean",
            normalized=bool(self._config.get("normalize", False)),
            languages=known.languages if known else (),
            price=0.0,
        )

    def embed(self, contents: Sequence[Content], *, role: Role = "document") -> Embedded:
        """Vectors (n, dim) float32 in the order asked; a text without a known token is zero, which is found nowhere.

        Raises
        ------
        DataError : content that is not text
        """
        import numpy as np

        texts = [whole(text) for text in texts_of(contents, self.spec.name)]
        order = list(dict.fromkeys(texts))
        ids = self._ids(order)
        vectors = np.zeros((len(order), self.spec.dim), np.float32)
        for row, tokens in enumerate(ids):
            known = [token for token in tokens[: self._window] if token != self._unknown]
            if known:
                vectors[row] = self._mean(np.asarray(known))
        place = {text: number for number, text in enumerate(order)}
        rows = np.fromiter((place[text] for text in texts), np.int64, len(texts))
        sizes = [len(tokens) for tokens in ids]
        window = self._window or max(sizes, default=0)
        return Embedded(
            vectors[rows], sum(min(size, window) for size in sizes), [n for n, r in enumerate(rows) if sizes[r] > window]
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut; there are no special ones."""
        return [len(tokens) for tokens in self._ids([whole(text) for text in texts])]

    def close(self) -> None:
        """The mapped file goes with the object."""

    def _mean(self, tokens: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        rows = self._table[self._rows[tokens] if self._rows is not None else tokens].astype(np.float32)
        if self._weights is not None:
            rows = rows * self._weights[tokens].astype(np.float32)[:, None]
        mean = rows.mean(axis=0)
        length = float(np.linalg.norm(mean)) if self.spec.normalized else 1.0
        unit: NDArray[Any] = mean / np.float32(length + 1e-32)  # (dim,)
        return unit

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    @cached_property
    def _tokenizer(self) -> Any:
        import tokenizers

        try:
            found = tokenizers.Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the package raises plain `Exception`
            raise ConfigError(f"cannot read {self._folder / 'tokenizer.json'}: {error}; fetch the model again") from error
        if self._rows is None and found.get_vocab_size() > len(self._table):
            raise ConfigError(f"{self._folder} has more tokens than vectors; fetch the model again")
        found.no_padding()
        found.no_truncation()
        return found

    @cached_property
    def _unknown(self) -> int | None:
        """The token for what is not in the vocabulary: left out of the mean."""
        model = self._tokenizer.model
        name = getattr(model, "unk_token", None)
        if isinstance(name, str):
            found: int | None = self._tokenizer.token_to_id(name)
            return found
        number = json.loads(self._tokenizer.to_str())["model"].get("unk_id")  # of a Unigram model
        return number if isinstance(number, int) else None
