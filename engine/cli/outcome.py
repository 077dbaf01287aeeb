"""How a command ends: what is said on standard error, and the exit code. Never a traceback."""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

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

_OUTPUT_FAILED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
_UNUSABLE = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP}
"""What only looking at a path that was given may meet."""

_ASKS_FOR_HELP = {"-h", "--help", "--version"}

_BY_CODE = {"journey.unknown_endpoint": MISSING_ENDPOINT, "replay.miss": MISSING_ENDPOINT}
_BY_KIND: tuple[tuple[type[EngineError], int], ...] = (
    (DefinitionError, INVALID_FILE),
    (OperatorError, USAGE),
    (SettingsError, SETTINGS),
    (DatabaseUnavailable, NO_DATABASE),
)


def run(command: click.Command, name: str, arguments: Sequence[str]) -> int:
    """Run ``command`` and translate whatever ends it; the exit code."""
    # What a command loads stays: looking for garbage in it takes a tenth of a short command. A live
    # run loads 180,000 objects.
    gc.set_threshold(250_000, 50, 100)
    _prepare_streams()
    code: object = 0
    try:
        if not _ASKS_FOR_HELP.intersection(arguments):
            from engine.cli.process import begin

            begin()
        code = command.main(list(arguments), prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # click exits by itself where the pipe is closed
        _give_up_output()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        help_asked = isinstance(error, click.exceptions.NoArgsIsHelpError)
        _say(error.format_message() if help_asked else f"error: {_usage(error, name)}")
        return USAGE
    except EngineError as error:
        tell(error)
        return exit_code(error)
    except OSError as error:
        return _met(error)
    except Exception as error:  # noqa: BLE001 - the last border: a bug is one line, too
        return _bug(error)
    return code if isinstance(code, int) else 0


def leave(code: int) -> NoReturn:
    """End the process with ``code`` once everything said is written: a console script's last act.

    The interpreter isn't taken apart: that takes as long as a short command, and threads that hang
    (a silent name server's) would be met half-way. What must be closed, a command closes.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


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
            _say(render(problem, error.file))
        return
    _say(f"error: {error.message}")
    if isinstance(error, InUse):
        for line in error.used_by:
            _say(f"  {line}")


def _say(line: str) -> None:
    """A line on standard error; the exit code stands even where nobody reads it."""
    with suppress(OSError):
        click.echo(line, err=True)


def _prepare_streams() -> None:
    """Standard streams that can be used: a closed one is nowhere; what isn't a terminal gets
    UTF-8 whatever the locale is, as in Python's UTF-8 mode; what can't be shown is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # The lowest free descriptor, so the closed one: no database gets into its place.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
        elif mode == "w" and isinstance(stream, TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _usage(error: click.ClickException, name: str) -> str:
    """Click's message on one line, and where to read on."""
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else name
    return message if "--help" in message else f"{message.rstrip('.')}; see `{path} --help`"


def _give_up_output() -> None:
    """Standard output leads nowhere from now on: flushing it at exit would be one more error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _met(error: OSError) -> int:
    """A full disk behind standard output, or a terminal that is gone; a path that can't even be
    looked at; a current folder that is there no more. Others are a bug.
    """
    if error.errno in _OUTPUT_FAILED and error.filename is None:
        _give_up_output()
        _say(f"error: the output can't be written: {error.strerror}")
        return NO_DATABASE
    if error.errno in _UNUSABLE and error.filename is not None:
        _say(f"error: {os.fsdecode(error.filename)[:200]!r} can't be used: {error.strerror}")
        return USAGE
    if isinstance(error, FileNotFoundError) and not _stands_somewhere():
        _say("error: the current folder is there no more: change to another one")
        return USAGE
    return _bug(error)


def _stands_somewhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same
    except FileNotFoundError:
        return False
    return True


def _bug(error: Exception) -> int:
    """A bug, in one line that holds no data: messages of foreign errors may carry a secret."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    _say(f"error: this is a bug in journey ({type(error).__name__} at {where}); please report it")
    return INTERNAL
