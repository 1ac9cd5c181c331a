"""Keys: the name of a provider → its account key, from the environment or a file that its owner alone may read. Prints none.

The file is the one `llm` has, `{"openai": "sk-…"}`: a name can be a provider's or a server's (`gpu-box:8000`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING
from uuid import uuid4

from . import config
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTE = "// Note"
_WARNING = "This file holds secret keys. Do not share it!"
_KEY = re.compile(r"[\x21-\x7e]+")  # what may stand in a header; a line break would begin another one


def find(name: str, variables: Iterable[str] = ()) -> str | None:
    """The key of a provider or server; None where there is none. The environment goes before the file.

    Parameters
    ----------
    variables : environment variables that programs know it by; `COSIMO_KEY_NAME` is tried after these

    Raises
    ------
    ConfigError : a file that cannot be read, or a key that cannot be sent
    """
    own = "COSIMO_KEY_" + re.sub(r"[^A-Z0-9]+", "_", name.upper())
    variable, value = config.first_set([*variables, own])
    if variable:
        return checked(value, f"the key in {variable}")
    kept = _read().get(name)
    return None if kept is None else checked(kept, f"the key '{name}' in {config.keys_path()}")


def names() -> list[str]:
    """The names of the keys in the file, sorted."""
    return sorted(_read())


def keep(name: str, key: str) -> None:
    """Write a key into the file, in place of an older one of that name.

    Raises
    ------
    ConfigError : a key or name that cannot be one, or a file that cannot be read or written
    """
    if not name.strip() or name != name.strip() or name.startswith("//") or not name.isprintable():
        raise ConfigError(f"'{name}' is no name for a key; take a provider's (openai) or a server's (gpu-box:8000)")
    _write(_read() | {name: checked(key, "the key")})


def forget(name: str) -> None:
    """Remove a key from the file.

    Raises
    ------
    ConfigError : it is not there, or the file cannot be written
    """
    kept = _read()
    if name not in kept:
        raise ConfigError(f"there is no key '{name}' in {config.keys_path()}; see: cosimo keys list")
    del kept[name]
    _write(kept)


def checked(key: str, which: str) -> str:
    """The key itself.

    Raises
    ------
    ConfigError : it is empty, or holds a line break, a space or another character that no key has
    """
    if not key:
        raise ConfigError(f"{which} is empty; paste the key as the provider shows it")
    if not _KEY.fullmatch(key):
        what = "a line break" if "\n" in key or "\r" in key else "a space or another character that no key has"
        raise ConfigError(f"{which} holds {what}; set it again, without")
    return key


def _read() -> dict[str, str]:
    path = config.keys_path()
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        found = None  # and no word of what is wrong: it would quote the file
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found.values()):
        raise ConfigError(f'{path} is not a file of keys, {{"name": "key"}}; correct it or remove it') from None
    return {name: key for name, key in found.items() if not name.startswith("//")}


def _write(kept: dict[str, str]) -> None:
    """Replace the file in one step by one that was its owner's from the start.

    On Windows the mode says nothing; what protects the file there is that the user's own folder is nobody else's.
    """
    path = config.keys_path()
    part = path.with_name(f"{path.name}-{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = path.resolve()  # a link stays one
        part = path.with_name(part.name)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump({NOTE: _WARNING} | dict(sorted(kept.items())), file, indent=2)
            file.write("\n")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; use an environment variable instead") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
