"""HTTP: one way to speak JSON with a server. Patient with one that is busy, brief with one that is wrong. Knows no provider.

A request goes to the server that was named and to no other: a redirect is followed on the same scheme, host and port only,
for a key in a header goes wherever the request does. Requests to this machine never take a proxy.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import BoundedSemaphore, Event
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from . import config
from .errors import BadReply, ConfigError, ProviderError, RateLimited, Refused, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx2

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})  # may be otherwise in a moment
MOVED = frozenset({301, 302, 303, 307, 308})
REDIRECTS = 3
SILENCE, LOADING, TOTAL = 60.0, 600.0, 300.0  # seconds: see `Patience`
LARGEST = 64 << 20  # bytes of a reply, unless the caller knows better
CONCURRENT = 8  # requests at a time
_SAID = 300  # characters of a server's own words in a message of ours


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to ask.

    `silence` is without a byte of a reply, `total` since the server last gave one that can be used: where many requests share
    an account's limit, each may have to wait for the others, and none has to give up as long as some get through.
    """

    connect: float = 10.0
    silence: float = SILENCE
    total: float = TOTAL
    tries: int = 4  # of a request that breaks off or ends in 5xx; one that is told to wait (429) is tried for `total` seconds
    pause: float = 0.5  # before the second try; twice as long before each further one, up to `longest`
    longest: float = 30.0

    @classmethod
    def of_user(cls, *, local: bool) -> Patience:
        """As the environment says; a server on this machine may load a model, in silence, for ten minutes."""
        silence = config.http_silence() or (LOADING if local else SILENCE)
        return cls(silence=silence, total=config.http_patience() or max(TOTAL, silence))


class Reply(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Again(Exception):
    """A try that failed in a way that another may not; holds the error to raise where there is none left."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error)
        self.error = error


class Server:
    """One server. Threads may share it: connections are kept, and no more than `concurrent` requests run at a time.

    Parameters
    ----------
    origin : scheme, host and port: `https://api.openai.com`
    headers : sent with every request
    secret : the key in these headers; should the server repeat it, it is struck out
    hopeless : says of a refusal whether it is final although its status (500, 429) usually is not
    """

    def __init__(
        self,
        origin: str,
        *,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
        patience: Patience | None = None,
        concurrent: int = CONCURRENT,
        hopeless: Callable[[Refused], bool] = lambda _: False,
    ) -> None:
        self.origin = origin
        self.name = urlsplit(origin).netloc
        self._headers = dict(headers or {})
        self._secret = secret
        self._patience = patience or Patience.of_user(local=is_local(origin))
        self._hopeless = hopeless
        self._slots = BoundedSemaphore(concurrent)
        self._heard: float | None = None  # when it last gave a reply that can be used
        self._resume = 0.0  # until when it asked everybody to wait

    def post(self, path: str, body: Mapping[str, Any], *, most: int = LARGEST, stop: Event | None = None) -> Any:
        """What the server answers to a JSON body, parsed.

        Parameters
        ----------
        path : from the root, with the query if there is one
        most : bytes of a reply, more are not read
        stop : set by another thread to end the waiting

        Raises
        ------
        Refused : a status that says no, for good
        RateLimited, Timeout, BadReply, ProviderError : busy for too long, silent, not JSON, not reachable
        ConfigError : a redirect to another host, an address or header that cannot be sent
        """
        return self._answer("POST", path, _packed(body), most, stop)

    def get(self, path: str, *, most: int = LARGEST) -> Any:
        """What the server answers, parsed. Raises as `post` does."""
        return self._answer("GET", path, None, most, None)

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def _answer(self, method: str, path: str, content: bytes | None, most: int, stop: Event | None) -> Any:
        started, tries, stop = time.monotonic(), 0, stop or Event()
        while True:
            self._wait(self._resume - time.monotonic(), stop)
            asked: float | None = None
            try:
                reply = self._exchange(method, path, content, most)
                if reply.status < 300:
                    self._heard = time.monotonic()
                    return self._parsed(reply)
                refused = self._refusal(reply)
                if reply.status not in BUSY or self._hopeless(refused):
                    raise refused
                asked = retry_after(reply.headers)
                tries += reply.status != 429
                error: ProviderError = refused
            except _Again as again:
                tries += 1
                error = again.error
            self._pause(error, tries, asked, started, stop)

    def _pause(self, error: ProviderError, tries: int, asked: float | None, started: float, stop: Event) -> None:
        """Wait before the next try; raise where there shall be none."""
        patience = self._patience
        left = max(started, self._heard or 0.0) + patience.total - time.monotonic()
        limited = isinstance(error, Refused) and error.status == 429
        if tries >= patience.tries or left <= 0 or (asked or 0.0) > left:
            raise self._given_up(error, asked, patience.total) if limited else error
        wait = min(patience.pause * 2 ** max(tries - 1, 0), patience.longest)
        if limited and not asked:
            wait = max(wait, min(patience.longest, (patience.total - left) / 2))  # longer with every time
        wait = asked or wait * random.uniform(0.5, 1.0)  # "0 s" and a date gone by say nothing of when
        if limited or asked:  # the account has to wait, not this request alone
            self._resume = max(self._resume, time.monotonic() + wait)
        # apart from each other, so that not all who waited come back at once
        self._wait(min(wait + random.uniform(0.0, 0.1 * wait + 0.01), max(left, 0.0)), stop)

    def _given_up(self, error: ProviderError, asked: float | None, total: float) -> RateLimited:
        said = f" ({error.said})" if isinstance(error, Refused) and error.said else ""
        if asked:
            return RateLimited(f"{self.name} asks to wait {asked:,.0f} s{said}; try again then")
        return RateLimited(f"{self.name} has been too busy for {total:,.0f} s (429){said}; try again later")

    def _wait(self, seconds: float, stop: Event) -> None:
        if seconds > 0 and stop.wait(seconds):
            raise ProviderError(f"the request to {self.name} was given up, since another one had failed")

    def _exchange(self, method: str, path: str, content: bytes | None, most: int) -> Reply:
        """One request and its whole reply, redirects on the same server followed."""
        address = self.origin + path  # not joined: a path can never lead elsewhere
        until = time.monotonic() + max(self._patience.silence, self._patience.total)
        for _ in range(REDIRECTS + 1):
            with self._slots, self._translated(), self._client.stream(method, address, content=content) as reply:
                if reply.status_code in MOVED and "location" in reply.headers:
                    address = self._moved(address, reply.headers["location"])
                    continue
                return Reply(reply.status_code, dict(reply.headers), self._body(reply, most, until))
        raise BadReply(f"{self.name} redirects in a circle; is {self.origin}{path} the right address?")

    def _moved(self, address: str, location: str) -> str:
        try:
            there = urljoin(address, location)
            where = urlsplit(there)
        except ValueError as error:
            raise BadReply(f"{self.name} sends on to what is no address; is {self.origin} the right one?") from error
        if where[:2] != urlsplit(address)[:2]:
            raise ConfigError(
                f"{self.name} sends on to {where.scheme}://{where.netloc}, which nobody named, so nothing was sent there; "
                "if you trust it, name it instead"
            )
        return there

    def _body(self, reply: httpx2.Response, most: int, until: float) -> bytes:
        parts, size = [], 0
        for part in reply.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > most:
                raise BadReply(f"{self.name} answers with more than {most:,} bytes; is it the right address?")
            if time.monotonic() > until:  # a byte now and then ends no `silence`
                raise Timeout(f"{self.name} did not come to the end of its reply; try again later")
        return b"".join(parts)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The library's errors as ours; `_Again` for those that another try may not meet."""
        import httpx2

        try:
            yield
        except httpx2.TimeoutException as error:
            raise _Again(self._timeout(error)) from error
        except httpx2.ConnectError as error:
            if certificate := _certificate(error):
                raise ProviderError(
                    f"the certificate of {self.name} is not valid ({certificate}), so nothing was sent; check the address, "
                    "or name your own authority's file in SSL_CERT_FILE"
                ) from error
            reason = _line(error)
            problem = ProviderError(f"{self.name} cannot be reached ({reason}); is the address right, and the server running?")
            if self._heard is None:  # never there: nothing to wait for
                raise problem from error
            raise _Again(problem) from error
        except httpx2.DecodingError as error:
            raise BadReply(f"{self.name} sends a reply that cannot be decompressed") from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError) as error:
            raise ConfigError(f"nothing can be sent to {self.name}: {self._clean(str(error))}; check the address") from error
        except httpx2.TransportError as error:
            broken = ProviderError(f"{self.name} broke off ({self._clean(_line(error))}); try again later")
            raise _Again(broken) from error

    def _timeout(self, error: Exception) -> Timeout:
        import httpx2

        if isinstance(error, httpx2.ConnectTimeout):
            return Timeout(f"{self.name} cannot be reached: no answer in {self._patience.connect:,.0f} s")
        silence = self._patience.silence
        return Timeout(f"{self.name} was silent for {silence:,.0f} s; try again later, or set COSIMO_HTTP_TIMEOUT")

    def _parsed(self, reply: Reply) -> Any:
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            what = "a page of HTML" if _is_html(reply.body) else "something else"
            raise BadReply(
                f"{self.name} answers with {what} instead of JSON; check the address, which often ends in /v1"
            ) from error

    def _refusal(self, reply: Reply) -> Refused:
        said, code = reason(reply.body)
        said = self._clean(said)
        return Refused(
            f"{self.name} refuses the request ({reply.status}{': ' + said if said else ''})", reply.status, said, code
        )

    def _clean(self, text: str) -> str:
        """Without the key, which some servers repeat, and on one short line."""
        text = text.replace(self._secret, "***") if self._secret else text
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SAID]

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        patience = self._patience
        try:
            client = httpx2.Client(
                headers={"User-Agent": "cosimo", "Accept": "application/json", "Accept-Encoding": "identity"}
                | {"Content-Type": "application/json"}
                | self._headers,
                timeout=httpx2.Timeout(patience.silence, connect=patience.connect),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=CONCURRENT, keepalive_expiry=30.0),
                trust_env=not is_local(self.origin),  # proxies and SSL_CERT_FILE
                verify=_trust() if self.origin.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        except (ImportError, ValueError, OSError, httpx2.InvalidURL) as error:  # no file there, no certificate in it; SOCKS
            raise ConfigError(
                f"a proxy or the certificates that the environment names cannot be used ({_line(error)}); "
                "correct HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE"
            ) from error
        weakref.finalize(self, client.close)  # whoever forgets to close it leaves no connection open
        return client


def is_local(address: str) -> bool:
    """True for a server on this machine; what is no address is nowhere."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.endswith(".localhost") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a reply asks to wait: its `Retry-After` in seconds or as a date, or OpenAI's `retry-after-ms`.

    A date is held against the reply's own, so that no clock has to be right. None where nothing readable is asked.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d*)?", lower.get(name, "")):
            return float(lower[name]) * unit
    then = _moment(lower.get("retry-after", ""))
    if then is None:
        return None
    now = _moment(lower.get("date", ""))
    return max(then - (time.time() if now is None else now), 0.0)


def reason(body: bytes) -> tuple[str, str]:
    """(what, code) of the many shapes in which servers say what is wrong."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body[: 4 * _SAID].decode("utf-8", "replace")
        return ("a page of HTML" if _is_html(body) else text), ""
    while isinstance(found, list) and found:  # Google; FastAPI's lists of problems
        found = found[0]
    if not isinstance(found, dict):
        return str(found or ""), ""
    inner = next((found[name] for name in ("error", "detail", "errors") if isinstance(found.get(name), dict | list)), None)
    if inner:
        return reason(json.dumps(inner).encode())
    said = next((found[name] for name in ("message", "msg", "error", "detail", "title") if found.get(name)), "")
    where = ".".join(map(str, found["loc"])) + ": " if isinstance(found.get("loc"), list) else ""
    code = next((found[name] for name in ("code", "type", "error_type") if isinstance(found.get(name), str)), "")
    return f"{where}{said}", code


def _packed(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; half a character, as a name from a command line may hold, has none and is a question mark."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _moment(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _is_html(body: bytes) -> bool:
    return body[:500].lstrip()[:1] == b"<"


def _trust() -> ssl.SSLContext:
    """The authorities that the system trusts, or those of SSL_CERT_FILE."""
    import httpx2

    return httpx2.create_ssl_context()


def _certificate(error: BaseException | None) -> str:
    """What is wrong with a certificate, where that is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (error.verify_message or str(error)).rstrip(".")
        error = error.__cause__ or error.__context__
    return ""


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
