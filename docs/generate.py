"""Docs: writes each command's help text into the docs/*.md that speaks of it, between `<!-- help: NAME -->` and `<!-- end -->`,
and the table of providers.toml into providers.md.

`python docs/generate.py` writes; tests/test_docs.py holds the pages against what would be written.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
from click.testing import CliRunner

from cosimo.interfaces.cli import cli

FOLDER = Path(__file__).parent
TABLE = re.compile(r"<!-- table: providers -->\n.*?<!-- end -->", re.DOTALL)
BLOCK = re.compile(r"<!-- help: (?P<name>[a-z -]*?) -->\n.*?<!-- end -->", re.DOTALL)


def commands() -> dict[str, click.Command]:
    """Every command by its full name; a group stands beside its commands."""
    found: dict[str, click.Command] = {}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": each for inner, each in command.commands.items()}
        else:
            found[name] = command
    return found


def help_of(name: str) -> str:
    """What `cosimo NAME --help` prints, 100 columns wide."""
    result = CliRunner(env={"COLUMNS": "100"}).invoke(
        cli, [*name.split(), "--help"], prog_name="cosimo", terminal_width=100, max_content_width=100
    )
    assert result.exit_code == 0, result.output
    return result.output.rstrip()


def classes() -> list[dict[str, str]]:
    """The rows of providers.toml."""
    rows: list[dict[str, str]] = tomllib.loads((FOLDER / "providers.toml").read_text(encoding="utf-8"))["class"]
    return rows


def table() -> str:
    """The rows as Markdown."""
    lines = ["| LangChain's class | cosimo | needs | |", "|---|---|---|---|"]
    for row in classes():
        needs = row.get("needs", "")
        kind, _, name = needs.partition(" ")
        if kind in ("extra", "pip"):
            package = f"'cosimo[{name}]'" if kind == "extra" else name
            needs = f"`pip install {package}`"
        elif needs.isupper():
            needs = f"`{needs}`"
        spelled = f"`{row['cosimo']}`" if "cosimo" in row else f"gone: {row['gone']}"
        lines.append(f"| {row['name']} | {spelled} | {needs} | {row.get('note', '')} |")
    return "\n".join(lines)


def rendered(page: str) -> str:
    """A page with all its help blocks as they should be."""

    def block(match: re.Match[str]) -> str:
        return f"<!-- help: {match['name']} -->\n```text\n{help_of(match['name'])}\n```\n<!-- end -->"

    page = TABLE.sub(lambda _: f"<!-- table: providers -->\n{table()}\n<!-- end -->", page)
    return BLOCK.sub(block, page)


def main() -> None:
    """Write all pages again."""
    for path in sorted(FOLDER.glob("*.md")):
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
