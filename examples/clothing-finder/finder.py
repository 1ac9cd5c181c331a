"""A finder for photographs of clothes, as a page: python finder.py FOLDER --model MODEL"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import cosimo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).with_name("page.html")
SHOWN = 24  # photographs on the page
LARGEST = 20_000_000  # bytes of a photograph that is asked with


def main() -> None:
    """Embed what is new in the folder, then serve the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs, one folder a category: dress/1.jpg")
    parser.add_argument("--model", default="st:clip-ViT-B-32", help="a model of pictures [%(default)s]")
    parser.add_argument("--database", default="clothing.db", help="[%(default)s]")
    parser.add_argument("--port", type=int, default=8765, help="[%(default)s]")
    given = parser.parse_args()
    try:
        with cosimo.open(given.database) as db, Finder(fill(db, given.folder, given.model), given.port) as server:
            print(f"open http://127.0.0.1:{server.server_port} (Ctrl-C ends it)", flush=True)
            server.serve_forever()
    except cosimo.Error as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        pass


def fill(db: cosimo.Database, folder: Path, model: str) -> cosimo.Collection:
    """The collection with every photograph of the folder in it; only new and changed ones are embedded."""
    photos = db.collection("clothing", model=model)
    photos.add(documents(folder), store=False, source=str(folder.resolve()), sync=True)
    return photos


def documents(folder: Path) -> Iterator[cosimo.Document]:
    """The photographs, each with the folder that it is in as its category."""
    for document in cosimo.read(folder, "*/*.jpg"):
        yield replace(document, metadata={**(document.metadata or {}), "category": document.id.partition("/")[0]})


def find(
    photos: cosimo.Collection, *, text: str = "", photo: bytes = b"", like: str = "", category: str = ""
) -> list[cosimo.Hit]:
    """The photographs nearest to a text, to a photograph, to both, or to one of the collection."""
    where = cosimo.F("category") == category if category else None
    if like:
        return photos.search(like=like, plus=text or (), k=SHOWN, where=where)
    if photo:
        return photos.search(photo, plus=text or (), k=SHOWN, where=where)
    if text.strip():
        return photos.search(text, k=SHOWN, where=where)
    return photos.search(like=next(photos.rows()).id, k=SHOWN, where=where)  # nothing asked: something to begin with


class Finder(ThreadingHTTPServer):
    """Serves the page, its answers and the photographs, to this machine alone."""

    def __init__(self, photos: cosimo.Collection, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.photos = photos


class Handler(BaseHTTPRequestHandler):
    """`GET /` the page, `GET /categories`, `GET /photo/ID`, `POST /find?text=&like=&category=` with a photograph or nothing."""

    server: Finder

    def do_GET(self) -> None:
        """The page and what it shows."""
        path = urlsplit(self.path).path
        if path == "/":
            self.reply(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif path == "/categories":
            self.reply_json(sorted(self.server.photos.facets("category")))
        elif path.startswith("/photo/"):
            self.answer(lambda: self.reply(self.server.photos.thumbnail(unquote(path.removeprefix("/photo/"))), "image/webp"))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Answers: a list of photographs, the nearest first."""
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if address.path != "/find" or length > LARGEST:
            self.send_error(HTTPStatus.NOT_FOUND if address.path != "/find" else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        photo = self.rfile.read(length)
        asked = {name: values[0] for name, values in parse_qs(address.query).items() if name in ("text", "like", "category")}
        self.answer(lambda: self.reply_json([shown(hit) for hit in find(self.server.photos, photo=photo, **asked)]))

    def answer(self, made: Callable[[], None]) -> None:
        """Reply, or say in a sentence why not."""
        try:
            made()
        except cosimo.Error as error:
            self.reply_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)

    def reply_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """A value as JSON."""
        self.reply(json.dumps(value).encode(), "application/json", status)

    def reply(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Bytes of some kind."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A page of photographs is fifty lines of a log: none is kept."""


def shown(hit: cosimo.Hit) -> dict[str, object]:
    """What the page needs of a hit."""
    return {"id": hit.id, "score": round(hit.score, 3), "category": (hit.metadata or {}).get("category", "")}


if __name__ == "__main__":
    main()
