"""What the demo writes: plain lines that fit the terminal, colour where it is wanted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
from io import TextIOWrapper

_COLOURS = {"bold": "1", "dim": "2", "green": "32", "red": "31", "blue": "34", "cyan": "36"}


class Screen:
    """Standard output. Colour goes to a terminal unless NO_COLOR is set, and anywhere with
    FORCE_COLOR."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace", line_buffering=True)
        terminal = sys.stdout.isatty()
        self.interactive = terminal and sys.stderr.isatty()
        self.silent = False
        self._colour = not os.environ.get("NO_COLOR") and (
            bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")
        )
        self._width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 100))
        self._headings = 0

    def heading(self, text: str) -> None:
        """A new part."""
        self._headings += 1
        self._write("")
        self._write(self._paint(f"{self._headings}. {text}", "bold"))

    def note(self, text: str) -> None:
        """A sentence of the narrator."""
        for line in textwrap.wrap(text, self._width - 3):
            self._write(f"   {self._paint(line, 'blue')}")

    def facts(self, *rows: tuple[str, str]) -> None:
        """Names and what is to be said of them."""
        for name, what in rows:
            self._write(f"   {name:<21} {what}")

    def command(self, *words: str) -> None:
        """A command as one would type it."""
        typed = shlex.join(words)
        lines = textwrap.wrap(
            typed, self._width - 7, subsequent_indent="    ", break_on_hyphens=False
        )
        for number, line in enumerate(lines):
            sign = self._paint("$", "cyan") if number == 0 else " "
            slash = " \\" if number + 1 < len(lines) else ""
            self._write(f"   {sign} {self._paint(line, 'bold')}{slash}")

    def output(self, text: str) -> None:
        """What a command said."""
        for line in text.rstrip().splitlines():
            hanging = " " * (len(line) - len(line.lstrip()) + 5)
            for folded in textwrap.wrap(
                f"   {line}",
                self._width,
                subsequent_indent=hanging,
                drop_whitespace=False,
                break_on_hyphens=False,
            ) or [""]:
                self._write(folded.rstrip())

    def line(self, text: str) -> None:
        """One line however long it is, so that it can be clicked."""
        self._write(f"   {self._paint(text, 'bold')}")

    def interruption(self) -> None:
        """Make room beside a progress bar that another process draws."""
        if self.interactive:
            sys.stdout.write("\r\x1b[K")
        self._write("")

    def claim(self, holds: bool, text: str) -> None:
        """A claim, and whether it held."""
        mark = self._paint("✓", "green") if holds else self._paint("✗", "red")
        first, *others = textwrap.wrap(text, self._width - 5)
        self._write(f"   {mark} {first}")
        for line in others:
            self._write(f"     {line}")

    def end(self, held: bool, seconds: float) -> None:
        """The last line."""
        said = "Every claim held" if held else "Not every claim held"
        self._write("")
        self._write(self._paint(f"{said}. {seconds:.0f} seconds.", "green" if held else "red"))

    def _write(self, line: str) -> None:
        if not self.silent:
            print(line, flush=True)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colour else text
