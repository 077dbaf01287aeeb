"""How a command ends: what is said on standard error, and the exit code. Never a traceback."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from engine.errors import (
    DatabaseUnavailable,
    DefinitionError,
    EngineError,
    InUse,
    OperatorError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2
INVALID_FILE = 3
MISSING_ENDPOINT = 4
NO_DATABASE = 5
CHECK_FAILED = 6
INTERNAL = 70
SETTINGS = 78
INTERRUPTED = 130

_BY_CODE = {"journey.unknown_endpoint": MISSING_ENDPOINT, "replay.miss": MISSING_ENDPOINT}
_BY_KIND: tuple[tuple[type[EngineError], int], ...] = (
    (DefinitionError, INVALID_FILE),
    (OperatorError, USAGE),
    (SettingsError, SETTINGS),
    (DatabaseUnavailable, NO_DATABASE),
)


def run(command: click.Command, name: str, arguments: Sequence[str]) -> int:
    """Run ``command`` and translate whatever ends it; the exit code."""
    try:
        code = command.main(list(arguments), prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # click exits by itself where the pipe is closed
        return _quiet()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        click.echo(f"error: {_usage(error, name)}", err=True)
        return USAGE
    except EngineError as error:
        tell(error)
        return exit_code(error)
    except Exception as error:  # noqa: BLE001 - the last border: a bug is one line, too
        return _bug(error)
    return code if isinstance(code, int) else 0


def exit_code(error: EngineError) -> int:
    """The exit code that an error of the tree stands for."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), CHECK_FAILED)


def tell(error: EngineError) -> None:
    """Say on standard error what went wrong: one line, or a file's problems as a compiler does."""
    if isinstance(error, DefinitionError):
        from engine.core.dsl.problems import render

        for problem in error.problems:
            click.echo(render(problem, error.file), err=True)
        return
    click.echo(f"error: {error.message}", err=True)
    if isinstance(error, InUse):
        for line in error.used_by:
            click.echo(f"  {line}", err=True)


def _usage(error: click.ClickException, name: str) -> str:
    """Click's message on one line, and where to read on."""
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else name
    return message if "--help" in message else f"{message.rstrip('.')}; see `{path} --help`"


def _quiet() -> int:
    """The reader went away: that is no error of ours, and flushing at exit would be one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _bug(error: Exception) -> int:
    """A bug, in one line that holds no data: messages of foreign errors may carry a secret."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    click.echo(
        f"error: this is a bug in journey ({type(error).__name__} at {where}); please report it",
        err=True,
    )
    return INTERNAL
