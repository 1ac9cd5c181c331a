"""Config: the only reader of the environment and of default paths. Answers questions; creates nothing, imports no adapter."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

APP = "cosimo"
DEFAULT_MODEL = "all-MiniLM-L6-v2"
BUSY_TIMEOUT = 5.0  # seconds a writer waits for another
CACHE_LIMIT = "2GB"  # of computed vectors: 1.2 million of 384 numbers


def _folder(kind: str) -> Path:
    """$COSIMO_HOME/kind where that is set, else the platform's own folder for it."""
    home = os.environ.get("COSIMO_HOME")
    if home:
        return Path(home).expanduser() / kind
    import platformdirs

    found = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
    }
    return found[kind](APP, appauthor=False)


def database_path() -> Path:
    """Where rows go when nobody says: `$COSIMO_DB`, else a file in the user's data folder."""
    named = os.environ.get("COSIMO_DB")
    return Path(named).expanduser() if named else _folder("data") / "embeddings.db"


def models_dir() -> Path:
    """Where fetched weights are kept, one folder a model."""
    return _folder("data") / "models"


def compiled_dir() -> Path:
    """Where compiled models are kept: derived, can be deleted at any time."""
    return _folder("cache") / "compiled"


def cache_path() -> Path:
    """Where computed vectors are kept, for models with a price or a network: `$COSIMO_CACHE_PATH`, else the user's cache."""
    named = os.environ.get("COSIMO_CACHE_PATH")
    return Path(named).expanduser() if named else own_cache_path()


def own_cache_path() -> Path:
    """Where they are kept unless the user says otherwise. The number is the file's format: an older cosimo has its own."""
    return _folder("cache") / "vectors-1.db"


def cache_wanted() -> bool | None:
    """`$COSIMO_CACHE`: on for every model, off for every model; None where it says nothing and the kind of model decides.

    Raises
    ------
    ConfigError : another word
    """
    word = os.environ.get("COSIMO_CACHE", "").strip().lower()
    if word in ("on", "1", "true", "yes"):
        return True
    if word in ("off", "0", "false", "no"):
        return False
    if word:
        raise ConfigError(f"COSIMO_CACHE must be on or off, not '{word}'; where the file is, COSIMO_CACHE_PATH says")
    return None


def cache_limit() -> int:
    """`$COSIMO_CACHE_SIZE`: bytes that the file may take (`500MB`, `2GB`) before what was used longest ago goes."""
    return size_of(os.environ.get("COSIMO_CACHE_SIZE") or CACHE_LIMIT, "COSIMO_CACHE_SIZE")


def size_of(text: str, name: str) -> int:
    """`500MB`, `2GB` or a number of bytes → bytes.

    Raises
    ------
    ConfigError : `name` is given something else
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([kMGT]?)i?B?", text.strip(), re.IGNORECASE | re.ASCII)
    if not found or len(found[1]) > 15:
        raise ConfigError(f"{name} must be a size such as 500MB or 2GB, not '{text}'")
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " "))


def _default_model_file() -> Path:
    return _folder("config") / "default_model.txt"


def default_model() -> str:
    """The model used where none is named: `$COSIMO_MODEL`, else the one set by `cosimo models default`."""
    named = os.environ.get("COSIMO_MODEL")
    if named:
        return named
    try:
        return _default_model_file().read_text(encoding="utf-8-sig").strip() or DEFAULT_MODEL
    except FileNotFoundError:
        return DEFAULT_MODEL
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read {_default_model_file()}: {error}; run: cosimo models default NAME") from error


def default_language_model() -> str:
    """The language model used where none is named: `$COSIMO_LLM`, else the default of `llm`."""
    return os.environ.get("COSIMO_LLM", "").strip() or "llm:"


def set_default_model(name: str) -> None:
    """Remember a default model for this user."""
    path = _default_model_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; set COSIMO_MODEL instead") from error


def keys_path() -> Path:
    """Where account keys are kept: a file that its owner alone may read."""
    return _folder("config") / "keys.json"


def servers_path() -> Path:
    """Where the addresses of servers are kept that the user has named."""
    return _folder("config") / "servers.json"


def providers_path() -> Path:
    """Where a user describes servers and models of their own, in the format of `embedders/providers.toml`."""
    return _folder("config") / "providers.toml"


def own_providers() -> dict[str, Any]:
    """What that file says, `{"provider": […], "model": […]}`; nothing where there is none.

    Raises
    ------
    ConfigError : it cannot be read
    """
    path = providers_path()
    if not path.is_file():
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {path}: {error}; correct it or remove it") from error
    for name in ("provider", "model"):
        rows = found.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ConfigError(f"{path}: {name} is not a list of tables; begin each with [[{name}]]")
    return found


def first_set(names: Iterable[str]) -> tuple[str, str]:
    """(name, value) of the first of these environment variables that is set and not empty; ("", "") where none is."""
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def server_keys() -> list[str]:
    """`$COSIMO_SERVER_KEY`: keys that open `cosimo serve`, with commas between them."""
    return [key.strip() for key in os.environ.get("COSIMO_SERVER_KEY", "").split(",") if key.strip()]


def tiktoken_folders() -> list[Path]:
    """Where tiktoken keeps the vocabularies that it has fetched."""
    import tempfile

    named = [os.environ[name] for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if os.environ.get(name)]
    return [*map(Path, named), Path(tempfile.gettempdir()) / "data-gym-cache"]


def http_silence() -> float | None:
    """`$COSIMO_HTTP_TIMEOUT`: seconds to wait for the next byte of a server's reply."""
    return _seconds("COSIMO_HTTP_TIMEOUT")


def http_patience() -> float | None:
    """`$COSIMO_HTTP_PATIENCE`: seconds to go on asking a server that is too busy to answer."""
    return _seconds("COSIMO_HTTP_PATIENCE")


def http_concurrency() -> int | None:
    """`$COSIMO_HTTP_CONCURRENCY`: requests that a server is sent at the same time."""
    found = _seconds("COSIMO_HTTP_CONCURRENCY")
    return None if found is None else max(int(found), 1)


def _seconds(name: str) -> float | None:
    value = os.environ.get(name)
    if not value:
        return None
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise ConfigError(f"{name} must be a number above 0, not '{value}'")
    return found


def precision() -> str:
    """`$COSIMO_PRECISION`: auto (bf16 where the processor has it), float32, bf16 or int8."""
    return os.environ.get("COSIMO_PRECISION", "auto")


def offline() -> bool:
    """True where the user asked for no network: `$HF_HUB_OFFLINE` or `$COSIMO_OFFLINE` is set to something true."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in ("COSIMO_OFFLINE", "HF_HUB_OFFLINE"))


def debug() -> bool:
    """True where `$COSIMO_DEBUG` asks for tracebacks."""
    return bool(os.environ.get("COSIMO_DEBUG"))


def quieten_litellm() -> None:
    """Have LiteLLM, before it is imported, use the list of prices that it was installed with: else it fetches one."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


def demo_path() -> Path:
    """Where `cosimo demo` keeps its rows."""
    return _folder("data") / "demo.db"


def package_index() -> str:
    """The package index's address, as pip and uv are told it; what a file of theirs says, only they know."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    return "https://pypi.org/simple"
