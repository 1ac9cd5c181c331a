"""Settings: what a server is told when it starts, checked. Refuses an address that others reach as long as no key is set."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ...core import keys
from ...core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PORT = 8642
SHORTEST_KEY = 16  # characters, where others can reach the server: a shorter one may be guessed


@dataclass(frozen=True, slots=True)
class Settings:
    """One server. Sizes in bytes, times in seconds."""

    models: tuple[str, ...]  # the first is meant where a request names none
    aliases: tuple[str, ...] = ()  # other names of the first: programs that ask for `text-embedding-3-small` and nothing else
    rerank: str | None = None
    database: Path | None = None  # None: no collections
    read_only: bool = False
    host: str = "127.0.0.1"
    port: int = PORT
    keys: tuple[str, ...] = field(default=(), repr=False)
    cors: tuple[str, ...] = ()  # origins whose pages may ask; "*" is any
    largest: int = 8 << 20  # of a request's body: OpenAI's 300,000 tokens are 2 MB of text, or of token ids
    held: int = 256 << 20  # of all bodies in memory at a time
    waiting: int = 4096  # texts of a model that wait to be embedded; two requests of OpenAI's largest size
    threads: int = 32  # verbs of collections that run at a time
    crowd: int = 256  # of them that run or wait
    head: float = 10.0  # for the first line and the headers of a request
    body: float = 30.0  # for the rest of it
    idle: float = 30.0  # between two requests of a connection; clients keep theirs for 5 s
    reading: float = 60.0  # for a client to take its answer
    stopping: float = 20.0  # for requests in flight when the server is stopped


class Keys:
    """The keys that open the server. Holds their hashes: comparing takes as long whatever is wrong with a guess."""

    def __init__(self, given: Iterable[str]) -> None:
        self._hashes = [sha256(key.encode()).digest() for key in given]

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def open(self, authorization: bytes) -> bool:
        """Whether a header `Bearer KEY` holds one of them. Every key is compared, whichever matched."""
        kind, _, key = authorization.partition(b" ")
        guess, found = sha256(key.strip()).digest(), False
        for known in self._hashes:
            found |= hmac.compare_digest(guess, known)
        return found and kind.lower() == b"bearer"


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one a line; empty lines and lines that begin with # are left out.

    Raises
    ------
    ConfigError : a file that cannot be read, or holds no key
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read keys from {path}: {getattr(error, 'strerror', None) or error}") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError(f"{path} holds no key; write one a line")
    return found


def checked(settings: Settings) -> Settings:
    """The settings themselves.

    Raises
    ------
    ConfigError : an address that is none, or that others reach while no key is set, or one that may be guessed
    """
    for key in settings.keys:
        keys.checked(key, "a key of the server")
    for origin in settings.cors:
        if origin != "*" and ("://" not in origin or origin.endswith("/")):
            raise ConfigError(f"'{origin}' is no origin; write scheme, host and port, as in https://example.com, or *")
    if not _is_loopback(settings.host):
        if not settings.keys:
            raise ConfigError(
                f"others can reach {settings.host}, so this needs a key that they have to know: name a file with --key-file"
            )
        if min(map(len, settings.keys)) < SHORTEST_KEY:
            raise ConfigError(f"others can reach {settings.host}, and a key under {SHORTEST_KEY} characters may be guessed")
    return settings


def _is_loopback(host: str) -> bool:
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)} if host else set()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"'{host}' is no address of this machine; use 127.0.0.1, or 0.0.0.0 for all") from error
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)
