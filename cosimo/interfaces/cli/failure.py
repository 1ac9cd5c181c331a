"""Failure: what a person reads when something goes wrong. Exceptions in, one line on stderr and an exit code out."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import click

from ...core.config import debug
from ...core.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # what shells report for Ctrl-C


def run(command: click.Command) -> int:
    """Run a command and give its exit code: 0 done, 1 an error with a message, 2 wrong usage, 130 interrupted."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # None too where stdout is closed
    if reconfigure is not None:
        reconfigure(errors="replace")  # a letter that the terminal's encoding lacks becomes "?": no result is lost over it
    warnings.showwarning = _warn  # type: ignore[assignment]
    try:
        return _exit_code(lambda: command.main(prog_name="cosimo", standalone_mode=False))
    except BrokenPipeError:  # `cosimo … | head`: the reader has what it wanted
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - the flush at exit would fail again
        return 0


def _exit_code(call: Callable[[], object]) -> int:
    try:
        outcome = call()
        if sys.stdout is not None:  # closed: nothing was printed
            sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; what was committed is kept, and the same command goes on from there", INTERRUPTED)
    except Error as error:
        return _say(f"Error: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        return _say(f"Error: {error.filename or 'standard input or output'}: {error.strerror or error}")
    except MemoryError:
        return _say("Error: not enough memory; try a smaller --batch-size")
    except Exception as error:  # the last door: a traceback never reaches a user who did not ask for it
        if debug():
            raise
        return _say(f"Error: {type(error).__name__}: {error}; this is a bug, please report it with COSIMO_DEBUG=1 set")


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    """Our own warnings as one line; those of other packages as Python shows them."""
    if category.__module__.startswith("cosimo."):
        click.echo(f"Warning: {message}".replace("\n", " "), err=True)
    elif sys.stderr is not None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _say(line: str, code: int = 1) -> int:
    click.echo(line.replace("\n", " "), err=True)
    return code
