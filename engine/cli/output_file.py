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


def replace(file: Path, content: bytes) -> None:
    """Put ``content`` into the place of ``file``, in one step: whoever reads it meanwhile gets the
    old text or the new one, whole. A link's target is replaced; permissions stay.

    Raises UnwritableFile; the file is then as it was.
    """
    import os
    import tempfile
    from contextlib import suppress

    target = file.resolve()
    made = None
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.chmod(made, target.stat().st_mode & 0o7777)  # noqa: PTH101
        os.replace(made, target)  # noqa: PTH105
    except OSError as error:
        if made is not None:
            with suppress(OSError):
                os.unlink(made)  # noqa: PTH108
        raise UnwritableFile(f"can't write {file}: {error.strerror}") from None
