"""The command line: one file a verb. Each parses, calls the hall and prints; a verb's file is imported when it is called."""

from __future__ import annotations

import sys

import click

from .lazy import LazyGroup

COMMANDS = {  # name → (module, one line of help), so that --help imports no verb; a test holds the lines against the verbs
    "embed": ("embed", "Embed one text; print the vector or store it."),
    "embed-multi": ("embed_multi", "Embed many texts into a collection: files, a table, a pipe or a query."),
    "similar": ("similar", "Find the items of a collection nearest to a text or to one of them."),
    "similarity": ("similarity", "Cosine similarity of texts to the first one."),
    "get": ("items", "Print items of a collection."),
    "delete": ("items", "Delete items of a collection."),
    "collections": ("collections", "List, describe and delete collections."),
    "models": ("models", "List, fetch and choose models."),
    "export": ("exchange", "Write a collection to a file: NDJSON, CSV, Parquet or npy."),
    "import": ("exchange", "Read rows with vectors into a collection."),
    "check": ("upkeep", "Check a database: integrity, orphans, stale rows, bad vectors."),
    "backup": ("upkeep", "Copy a database while it is in use."),
    "demo": ("demo", "Embed the documentation of Python's standard library and ask it questions."),
    "completion": ("completion", "Print the line that switches on shell completion."),
}


@click.group(cls=LazyGroup, commands_table=COMMANDS, package=__name__, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosimo", message="cosimo %(version)s")
def cli() -> None:
    """Embed anything, keep it in one SQLite file, search it by meaning.

    \b
    cosimo embed-multi notes --files ~/notes '**/*.md' --store
    cosimo similar notes -c 'how do I back up sqlite?'
    """


def main() -> None:
    """Run the command line; whatever goes wrong becomes one line on stderr and an exit code."""
    from .failure import run

    sys.exit(run(cli))
