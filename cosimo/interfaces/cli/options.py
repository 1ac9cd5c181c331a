"""Options that several commands share, spelled once. Values only; what they mean is the hall's business."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.config import BUSY_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...collection.database import Database

FC = Any  # click's decorators take and give functions or commands

database = click.option(
    "-d", "--database", type=click.Path(dir_okay=False, path_type=Path), help="SQLite file. [default: $COSIMO_DB or your own]"
)
busy_timeout = click.option(
    "--busy-timeout",
    type=click.FloatRange(0),
    default=BUSY_TIMEOUT,
    show_default=True,
    help="Seconds to wait for another writer.",
)
model = click.option("-m", "--model", help="Embedding model. [default: as stored, else `cosimo models default`]")
precision = click.option(
    "--precision",
    type=click.Choice(["auto", "bf16", "float32", "int8"]),
    help="Arithmetic of a local model. [default: auto, bf16 where the processor has it]",
)
role = click.option("--role", type=click.Choice(["query", "document"]), help="Which prompt of the model to use.")
number = click.option("-n", "--number", type=int, default=10, show_default=True, help="How many results.")
content = click.option("-c", "--content", help="Text to embed.")
input_file = click.option(
    "-i",
    "--input",
    "input_",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to embed; - is stdin.",
)
asked_file = click.option(
    "-i",
    "--input",
    "input_",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to ask with, a picture or a text; - is stdin. A text given beside it is added to its meaning.",
)
text = click.option("-c", "--content", help="The text.")
text_file = click.option(
    "-i", "--input", "input_", type=click.Path(dir_okay=False, allow_dash=True, path_type=str), help="File with it; - is stdin."
)
binary = click.option("--binary", is_flag=True, help="Treat the input as binary data.")
store = click.option("--store", is_flag=True, help="Store the text itself beside its vector.")
no_passages = click.option(
    "--no-passages", is_flag=True, help="Embed the beginning of long texts alone, instead of cutting them into passages."
)
progress = click.option(
    "--progress",
    type=click.Choice(["bar", "json", "none"]),
    default="bar",
    show_default=True,
    help='json prints a line {"committed": n, …} to stdout after each commit.',
)
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
as_json = click.option("--json", "as_json", is_flag=True, help="NDJSON, also on a terminal.")
file_format = click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["ndjson", "csv", "parquet", "npy"]),
    help="Format of the file. [default: by its ending, else ndjson]",
)
prefix = click.option("--prefix", default="", help="Only ids that begin with this.")


def stacked(*options: Callable[[FC], FC]) -> Callable[[FC], FC]:
    """Several options as one decorator, in the order written."""

    def decorate(function: FC) -> FC:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def by_name(option: str, form: str, spelled: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE of an option that may be repeated: name → value, each once."""
    found: dict[str, str] = {}
    for each in spelled:
        name, _, value = each.partition("=")
        if not name or not value:
            raise click.UsageError(f"{option} is {form}, not {each!r}.")
        if name in found:
            raise click.UsageError(f"{option} names {name!r} twice; once is enough.")
        found[name] = value
    return found


def opened(path: Path | None, *, writing: bool, busy_timeout: float = BUSY_TIMEOUT, create: bool = True) -> Database:
    """The database a command works on; one that only reads neither makes nor changes a file."""
    from ...collection.database import open

    return open(path, read_only=not writing, create=writing and create, busy_timeout=busy_timeout)
