"""Groups of commands: one that imports a command when it is called, so that `--help` answers in a blink; two with a default."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group that knows its commands by (module, help line) and imports a module at first use."""

    def __init__(self, *args: Any, commands_table: Mapping[str, tuple[str, str]], package: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._table = commands_table
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table: the everyday verbs first."""
        return list(self._table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported now; its function is named like it, with a trailing underscore where Python has that word."""
        if name not in self._table:
            return None
        module = import_module(f".{self._table[name][0]}", self._package)
        for attribute in (name.replace("-", "_"), f"{name}_"):
            command = getattr(module, attribute, None)
            if isinstance(command, click.Command):
                return command
        raise LookupError(f"{module.__name__} defines no command for {name}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest names where there is no such command."""
        from difflib import get_close_matches

        name = args[0] if args else ""
        near = [] if name in self._table or name.startswith("-") else get_close_matches(name, self._table)
        if near:
            ctx.fail(f"No such command '{name}'. Did you mean: {', '.join(near)}?")
        return super().resolve_command(ctx, args)


class DefaultGroup(click.Group):
    """A group that runs one of its commands where none is named: `cosimo collections` is `cosimo collections list`."""

    def __init__(self, *args: Any, default: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._default = default

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, with whole sentences: it cuts them at 45 characters."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(200)) for name in self.list_commands(ctx)])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default in front of its options; a word that is no command is a slip, for click to name."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [self._default, *args]
        return super().parse_args(ctx, args)


class EverydayGroup(DefaultGroup):
    """A group whose default takes whatever is no name of a command: `cosimo score notes` is `cosimo score apply notes`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default in front of all that names no command of the group."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self._default, *args]
        return super().parse_args(ctx, args)
