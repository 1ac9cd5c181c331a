"""`cosimo serve`: an HTTP server for models and for the collections of a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options


@click.command()
@options.stacked(
    options.database,
    click.option("--no-database", is_flag=True, help="Serve models alone, no collections."),
    click.option("--read-only", is_flag=True, help="Nobody can add or delete."),
    click.option("-m", "--model", "models", multiple=True, help="Model to serve; may be repeated. [default: your own]"),
    click.option("--alias", "aliases", multiple=True, help="Another name of the first model, as text-embedding-3-small."),
    click.option("--rerank", metavar="MODEL", help="Model that reranks."),
    click.option("--host", default="127.0.0.1", show_default=True, help="Address; 0.0.0.0 is all of this machine's."),
    click.option("--port", type=click.IntRange(0, 65_535), default=8642, show_default=True, help="0 takes a free one."),
    click.option("--key", "keys", multiple=True, help="Key that clients must send; better in a file. [$COSIMO_SERVER_KEY]"),
    click.option("--key-file", type=click.Path(dir_okay=False, path_type=Path), help="File of keys, one a line."),
    click.option("--cors", multiple=True, metavar="ORIGIN", help="Pages that may ask, as https://example.com; * is any."),
    options.quiet,
)
def serve(**given: Any) -> None:
    """Serve embeddings over HTTP, as OpenAI's clients ask for them, and the collections of a database.

    Without a key, programs of this machine alone may ask. Ctrl-C answers what is in flight, and stops.

    \b
    cosimo serve
    cosimo serve -d notes.db --model all-MiniLM-L6-v2 --port 8000
    cosimo serve --host 0.0.0.0 --key-file keys.txt --read-only
    """
    from ...core import config, registry

    run = registry.load("cosimo.interfaces.server.run:serve")
    make, read_keys = (registry.load(f"cosimo.interfaces.server.settings:{name}") for name in ("Settings", "read_keys"))
    if given["database"] and given["no_database"]:
        raise click.UsageError("-d and --no-database exclude each other.")
    filed = read_keys(given["key_file"]) if given["key_file"] else []
    settings = make(
        models=given["models"] or (config.default_model(),), aliases=given["aliases"], rerank=given["rerank"],
        database=None if given["no_database"] else given["database"] or _own(given["read_only"]), read_only=given["read_only"],
        host=given["host"], port=given["port"], keys=(*given["keys"], *filed, *config.server_keys()), cors=given["cors"],
    )  # fmt: skip
    run(settings, quiet=given["quiet"])


def _own(read_only: bool) -> Path | None:
    """The user's own database; one that is only read has to be there."""
    from ...collection.database import make_folder
    from ...core.config import database_path

    path = database_path()
    if read_only:
        return path if path.exists() else None
    make_folder(path.parent)
    return path
