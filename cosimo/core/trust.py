"""Trust: the servers whose addresses the user has named. A database names one too, and anybody may have written that.

Searching a file by text sends the text to the model that the file names. A provider is one that the user has an account with;
an address could be anybody's. So it has to be named once, by the user of this machine.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from . import config
from .errors import ConfigError


def remember(model: str) -> None:
    """Take note that the user has named this model; one that has no address, or that of this machine, needs no note."""
    origin = _origin(model)
    if origin is None or origin in _named():
        return
    path = config.servers_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sorted({*_named(), origin}), indent=1), encoding="utf-8")
    except OSError:  # then it has to be named again
        return


def refuse_unnamed(model: str, collection: str) -> None:
    """Raise for a model on a server that only a file has named.

    Raises
    ------
    ConfigError : says how to name it
    """
    origin = _origin(model)
    if origin is not None and origin not in _named():
        raise ConfigError(
            f"'{collection}' was made with a model at {origin}, and your text would be sent there; if you trust it, run:"
            f" cosimo models trust {origin}"
        )


def _origin(model: str) -> str | None:
    """Scheme, host and port of a server elsewhere; None for any other model."""
    if not model.startswith(("http://", "https://")):
        return None
    from .http import is_local  # brings ssl, which most runs need not wait for

    try:
        parts = urlsplit(model)
    except ValueError:  # no address: whoever goes there says so
        return None
    if is_local(model) or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _named() -> set[str]:
    try:
        found = json.loads(config.servers_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return set()
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
