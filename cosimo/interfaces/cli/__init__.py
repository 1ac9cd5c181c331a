"""The command line: one file a verb. Each parses, calls the hall and prints; a verb's file is imported when it is called."""

from __future__ import annotations

import sys

import click

from .lazy import LazyGroup

COMMANDS = {  # name → (module, one line of help), so that --help imports no verb; a test holds the lines against the verbs
    "embed": ("embed", "Embed one text: print its vector, or store it in COLLECTION under ID."),
    "embed-multi": ("embed_multi", "Embed many texts into COLLECTION; only what is new or changed is embedded."),
    "code": ("code", "Find the functions, methods and classes below PATH; with --into, embed those that are new or changed."),
    "similar": ("similar", "Find the items of COLLECTION nearest to a text, a picture, both, or the item with this ID."),
    "related": ("related", "Find the items of COLLECTION nearest to the one with this ID, or save those of every item."),
    "compare": ("compare", "Compare models, lengths or precisions by the neighbours that each gives the same items."),
    "map": ("map", "Draw a map of COLLECTION: items that are alike lie side by side."),
    "duplicates": ("duplicates", "List groups of near-duplicates in COLLECTION, the largest first."),
    "outliers": ("duplicates", "List the items of COLLECTION least like their nearest neighbours, the most alone first."),
    "cluster": ("cluster", "Sort the items of COLLECTION into K clusters, named by what their texts have in common."),
    "score": ("score", "Place texts, sentences or the items of a collection on a scale between two sets of examples."),
    "classify": (
        "classify",
        "Learn classes from labelled items and say what others are, or sort texts by the names of classes alone.",
    ),
    "search": ("search", "Search COLLECTION by meaning, by words, or by both, with filters."),
    "similarity": ("similarity", "Cosine similarity of each further text to the first one of TEXTS."),
    "get": ("items", "Print items of COLLECTION as lines of JSON: id, content, metadata."),
    "delete": ("items", "Delete items of COLLECTION by their ids."),
    "collections": ("collections", "List, describe and delete collections."),
    "models": ("models", "List, fetch and choose models."),
    "keys": ("keys", "Keep account keys of providers: set, list, delete."),
    "cache": ("cache", "Describe, empty and shorten the cache of computed vectors."),
    "export": ("exchange", "Write COLLECTION, vectors included, to the file TARGET; - is stdout."),
    "import": ("exchange", "Read the rows of SOURCE, as `export` writes them, into COLLECTION: all of them or none."),
    "serve": ("serve", "Serve embeddings over HTTP, as OpenAI's clients ask for them, and the collections of a database."),
    "index": ("index", "Build the index of COLLECTION now, and say what was chosen and why."),
    "migrate": (
        "migrate",
        "Give COLLECTION another model: every text is embedded anew, the old vectors serve until all are there.",
    ),
    "align": ("align", "Learn a map from the vectors of one collection to those of another, and use it as a model."),
    "eval": ("eval", "Measure how well modes and models answer judged questions."),
    "words": ("words", "Ask a file of word vectors (word2vec, GloVe, fastText), train one, or see a text's tokens in context."),
    "check": ("upkeep", "Check a database: integrity, orphans, stale rows, bad vectors."),
    "backup": ("upkeep", "Copy the database to TARGET, which must not exist, while other programs may go on using it."),
    "demo": (
        "demo",
        "Embed the documentation strings of Python's standard library, several thousand of them, and ask three questions.",
    ),
    "completion": ("completion", "Print the completion script of SHELL."),
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
