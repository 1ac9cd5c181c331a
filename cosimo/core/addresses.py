"""Addresses: what a user or an environment variable calls a server → one that something can be sent to. Calls nobody."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from .errors import ConfigError

_SECRET = re.compile(r"key|token|secret|sig|password", re.IGNORECASE)


def checked_address(address: str, which: str) -> str:
    """An address that something can be sent to, with a scheme and without a slash at the end.

    Parameters
    ----------
    which : whose it is, for messages

    Raises
    ------
    ConfigError : it is none, or it holds what must not stand in a database
    """
    if "://" not in address:  # as Ollama's own variable has it
        address = f"http://{address}"
    address = address.rstrip("/").replace("://0.0.0.0", "://127.0.0.1")  # where it listens is no place to go to
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the address of {which} is no address; write http://host:port/v1") from error
    if "@" in parts.netloc or any(_SECRET.search(key) for key, _ in parse_qsl(parts.query)):  # first: others show the address
        raise ConfigError(f"the address of {which} holds a password or key, which has no place there; use cosimo keys set")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"the address of {which} is no address: '{address}'; write http://host:port/v1")
    return address


def completed(given: str, usual: str) -> str:
    """An address out of a variable; what it leaves out is as usual: Ollama's is often a host, Databricks' has no https."""
    if "://" in given or "@" in given or not given:
        return given or usual
    there = urlsplit(usual)
    try:
        parts = urlsplit(f"//{given}")
        host, port = parts.hostname or there.hostname or "", parts.port or there.port
    except ValueError:  # whoever goes there says so
        return given
    return f"{there.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{parts.path}"


def origin_and_path(address: str) -> tuple[str, str]:
    """`https://host:port/v1` → (`https://host:port`, `/v1`)."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
