"""A file that a command was asked to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path


class UnwritableFile(OperatorError):
    """A file named on the command line can't be written."""

    code = "file.unwritable"


def write(file: Path | None, text: str) -> None:
    """Write ``text`` to ``file``, as UTF-8; to standard output for ``-`` and None.

    Raises UnwritableFile.
    """
    import click

    if file is None or str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        from engine.users.row import shown

        reason = getattr(error, "strerror", None) or "not a file's name"
        raise UnwritableFile(f"can't write {shown(str(file))}: {reason}") from None
