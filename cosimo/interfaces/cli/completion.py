"""`cosimo completion`: the script a shell reads to complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: cosimo completion bash > ~/.local/share/bash-completion/completions/cosimo
    zsh:  cosimo completion zsh > ~/.zfunc/_cosimo
    fish: cosimo completion fish > ~/.config/fish/completions/cosimo.fish
    """
    from . import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click completes no shell called {shell}.")
    click.echo(found(cli, {}, "cosimo", "_COSIMO_COMPLETE").source())
