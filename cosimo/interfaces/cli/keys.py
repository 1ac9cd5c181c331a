"""`cosimo keys`: account keys, kept in a file that its owner alone may read. No command prints one."""

from __future__ import annotations

import sys

import click

from .lazy import DefaultGroup


@click.group(cls=DefaultGroup, default="list")
def keys() -> None:
    """Keep account keys of providers: set, list, delete. None is ever printed."""


@keys.command(name="set")
@click.argument("name")
@click.option("--value", help="The key; others may see it in your shell's history. [default: asked for, or stdin]")
def set_(name: str, *, value: str | None) -> None:
    """Keep the key of NAME: a provider (openai), or a server of your own (gpu-box:8000).

    \b
    cosimo keys set openai
    cosimo keys set gpu-box:8000 < key.txt
    """
    from ...core import config
    from ...core import keys as kept
    from ...core.registry import HTTP

    kept.keep(name, _given(name) if value is None else value)
    click.echo(f"kept in {config.keys_path()}", err=True)
    if name not in HTTP and ":" not in name and "." not in name:
        click.echo(f"cosimo knows no provider '{name}'; a server's key goes by its name and port, as gpu-box:8000", err=True)


@keys.command(name="list")
def list_() -> None:
    """List the names of the keys in the file, without the keys."""
    from ...core import keys as kept

    for name in kept.names():
        click.echo(name)


@keys.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete the key of NAME from the file."""
    from ...core import keys as kept

    kept.forget(name)
    click.echo(f"deleted the key '{name}'", err=True)


@keys.command()
def path() -> None:
    """Print the path of the file."""
    from ...core import config

    click.echo(config.keys_path())


def _given(name: str) -> str:
    """What is typed unseen, or comes from a pipe; the line's end does not belong to it."""
    if sys.stdin is not None and sys.stdin.isatty():
        typed: str = click.prompt(f"Key of {name}", hide_input=True, default="", show_default=False)
        return typed.strip()
    text = sys.stdin.read() if sys.stdin is not None else ""
    return text.removesuffix("\n").removesuffix("\r")
