"""Simple: a package index's own file list → where a wheel is. For environments that have neither pip nor uv.

The page of a package is HTML (PEP 503) or JSON (PEP 691), as the index likes.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

from .download import Unavailable

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


def wheel_address(index: str, package: str, version: str) -> tuple[str, str]:
    """(address, SHA-256 or "") of a package's wheel for any platform.

    Raises
    ------
    Unavailable : the index cannot be read, or has no such wheel
    """
    import urllib.request

    page = f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', package).lower()}/"
    try:
        request = urllib.request.Request(page, headers={"Accept": _ACCEPT})
        with urllib.request.urlopen(request, timeout=15) as reply:
            body, kind = reply.read().decode("utf-8", "replace"), reply.headers.get("Content-Type", "")
            page = reply.geturl()
    except (OSError, ValueError) as error:
        raise Unavailable(f"{page} cannot be read") from error
    name = f"{package.replace('-', '_')}-{version}-"
    for file, address, digest in _json(body) if "json" in kind else _html(body):
        if file.startswith(name) and file.endswith("-none-any.whl"):
            return urljoin(page, address), digest
    raise Unavailable(f"{page} lists no wheel of version {version}")


def _json(body: str) -> list[tuple[str, str, str]]:
    try:
        files = json.loads(body)["files"]
        return [(file["filename"], file["url"], file.get("hashes", {}).get("sha256", "")) for file in files]
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("its file list cannot be read") from error


def _html(body: str) -> list[tuple[str, str, str]]:
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value for name, value in attrs if tag == "a" and name == "href" and value)

    Links().feed(body)
    found = []
    for link in links:
        address, fragment = urldefrag(link)
        found.append((address.rpartition("/")[2], address, fragment.removeprefix("sha256=") if "sha256=" in fragment else ""))
    return found
