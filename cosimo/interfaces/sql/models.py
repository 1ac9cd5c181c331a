"""Models: embedders by name for SQL: which may be used, each loaded once in a process, the last texts remembered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from ...core import registry
from ...core.errors import ConfigError, DataError
from ...core.vectors import checked, pack

if TYPE_CHECKING:
    from ...core.types import Embedder, ModelSpec, Role, Settings

ALIASES = {  # short names that `llm` has, and that published queries use → the ids it knows and stores
    "ada": "text-embedding-ada-002", "ada-002": "text-embedding-ada-002", "3-small": "text-embedding-3-small",
    "3-large": "text-embedding-3-large", "3-small-512": "text-embedding-3-small-512",
    "3-large-256": "text-embedding-3-large-256", "3-large-1024": "text-embedding-3-large-1024",
}  # fmt: skip
TEXTS = 256  # vectors remembered a model: SQLite asks again for each row where a query joins


@dataclass(frozen=True, slots=True)
class Permission:
    """Which models a connection may use.

    Attributes
    ----------
    hosted : models that send the text to a server, or run code of others
    names : these models, whatever they do; None leaves it to `hosted`
    installed : besides `names`, the models that are in the user's folder
    """

    hosted: bool = False
    names: frozenset[str] | None = None
    installed: bool = False

    def refuse(self, name: str) -> None:
        """Raise `ConfigError` for a model that may not be used; nothing of it is loaded before."""
        full = registry.canonical(name)
        if self.names is None:
            if not self.hosted and registry.split(name)[0] not in registry.LOCAL:
                raise ConfigError(
                    f"{name} does not run here, and texts would leave this machine; register(…, hosted=True) allows it"
                )
        elif full not in {registry.canonical(ALIASES.get(each, each)) for each in self.names} and not (
            self.installed and _here(full)
        ):
            raise ConfigError(f"the model {name} may not be used here; whoever runs this can add it to the setting 'models'")


def _here(full: str) -> bool:
    from ...embedders import weights

    return any(model.name == full for model in weights.installed())


class Loaded:
    """One model, for all connections and threads."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._lock = Lock()
        self._made: OrderedDict[tuple[Role, str | bytes], bytes] = OrderedDict()

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self.embedder.spec

    def vector(self, text: str | bytes, role: Role) -> bytes:
        """A text's vector as a blob."""
        key = role, text
        with self._lock:
            if key not in self._made:
                self._made[key] = pack(checked(self.embedder.embed([text], role=role).vectors)[0])
                while len(self._made) > TEXTS:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return self._made[key]


class Models:
    """The models of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: dict[tuple[str, tuple[tuple[str, str], ...] | None], Loaded] = {}

    def get(self, name: str, permission: Permission, stored: Settings | None = None) -> Loaded:
        """A model, loaded at first use.

        Parameters
        ----------
        stored : what made the collection that asks, whose prompts it goes on with

        Raises
        ------
        ConfigError : it may not be used here
        ModelNotFound : there is none of that name
        """
        from ...collection.models import as_made, load_embedder

        permission.refuse(name)
        with self._lock:
            if (name, None) not in self._loaded:
                self._loaded[name, None] = Loaded(load_embedder(name))
            plain = self._loaded[name, None]
            if stored is None or (twin := as_made(plain.embedder, stored)) is plain.embedder:
                return plain
            return self._loaded.setdefault((name, tuple(sorted(stored.prompts.items()))), Loaded(twin))


@cache
def shared() -> Models:
    """The one for all connections: a model is too large to be there twice."""
    return Models()


class Embed:
    """`embed(model, text[, role])`."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission
        self._known: dict[
            str, Loaded
        ] = {}  # by the names they were asked for: whether one may be used takes 0.3 ms to find out

    def __call__(self, model: object, text: object, role: object = "document") -> bytes | None:
        """The vector of a text; NULL for NULL. Numbers are embedded as they are written.

        Raises
        ------
        DataError : a role that there is not, a model's name that is no text
        Error : whatever the model says
        """
        if model is None or text is None or role is None:
            return None
        if not isinstance(model, str):
            raise DataError("the first argument of embed is the name of a model, like 'all-MiniLM-L6-v2'")
        if role not in ("document", "query"):
            raise DataError(f"no role is called {role!r}; known: document, query")
        content = text if isinstance(text, str | bytes) else str(text)
        if model not in self._known:
            self._known[model] = shared().get(ALIASES.get(model, model), self._permission)
        return self._known[model].vector(content, "query" if role == "query" else "document")
