"""Secrets from outside, never from the command line: a variable, a file, a prompt or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import OperatorError
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 64 * 1024


def from_env(variable: str, environment: Mapping[str, str]) -> str:
    """The variable's value. Raises OperatorError where it isn't set."""
    value = environment.get(variable)
    if not value:
        raise OperatorError(f"the environment variable {variable} isn't set")
    known_secrets.learn((value,))
    return value


def from_file(path: str) -> str:
    """The file's text without the line break at its end. Raises OperatorError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise OperatorError(f"{path} can't be read: {error.strerror}") from None
    return _text(content, path)


def one_of(
    variable: str | None, path: str | None, environment: Mapping[str, str], what: str
) -> str:
    """The secret that ``--from-env`` or ``--from-file`` says where it is, or that is asked for as
    ``what``. Raises OperatorError, and click.UsageError for both.
    """
    if variable is not None and path is not None:
        raise click.UsageError("--from-env and --from-file exclude each other")
    if variable is not None:
        return from_env(variable, environment)
    return asked(what) if path is None else from_file(path)


def asked(what: str) -> str:
    """What somebody types (unseen, twice) or pipes in. Raises OperatorError for nothing."""
    if sys.stdin.isatty():
        value: str = click.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
        known_secrets.learn((value,))
        return value
    value = _text(sys.stdin.buffer.read(LARGEST + 1), "standard input")
    if not value:
        raise OperatorError(
            f"no value for {what}: name its source with --from-env or --from-file, or pipe it in"
        )
    return value


def _text(content: bytes, where: str) -> str:
    if len(content) > LARGEST:
        raise OperatorError(f"{where} is over 64 KiB: that is no secret")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise OperatorError(f"{where} isn't UTF-8 text") from None
    value = text.removesuffix("\n").removesuffix("\r")
    known_secrets.learn((value,))
    return value
