"""``journey`` in this process: arguments and variables in, exit code and both outputs out."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Journey:
    """Runs commands in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str, stdin: str | None = None, **variables: str) -> Ended:
        with self._monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((stdin or "").encode())))
            self._capsys.readouterr()
            code = main(arguments)
            captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def write(self, name: str, text: str) -> str:
        """A file in the folder; its name."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    @property
    def files(self) -> set[str]:
        """The names of what is in the folder."""
        return {path.name for path in self.folder.iterdir()}
