"""Draw the pictures of the README and the docs.

``scripts/dev python scripts/picture.py [FILE]`` draws engine/docs/demo.svg: what scripts/demo
shows, from a run of it made now; FILE is a demo's output kept from before, made with
``FORCE_COLOR=1 COLUMNS=92 scripts/demo --no-serve``.

``scripts/dev python scripts/picture.py --graphs`` draws the sample journeys into engine/docs/img.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from engine.core.drawing.svg import svg
from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import compile_journey

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "engine" / "docs" / "demo.svg"
GRAPHS = ROOT / "engine" / "docs" / "img"
COLUMNS = 92
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (201, 209, 217),
    ],
)
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def output_of_demo() -> str:
    """A run of the demo; raises if a claim didn't hold."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), "--no-serve"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=180,
    )
    return done.stdout


def excerpt(output: str) -> list[str]:
    """The commands, the run's last lines and the claims: what fits the first screen of a page."""
    lines = output.splitlines()
    plain = [_ANSI.sub("", line) for line in lines]
    live = next(i for i, line in enumerate(plain) if line.endswith("customers, live"))
    table = next(i for i, line in enumerate(plain) if line.startswith("   loyalty-upgrade ·"))
    facts = next(i for i, line in enumerate(plain) if line.startswith("   entered "))
    sum_up = next(i for i, line in enumerate(plain) if line.startswith("   failed "))
    checks = next(i for i, line in enumerate(plain) if line.startswith("4. "))
    simulated = next(i for i, line in enumerate(plain) if line.startswith("5. "))
    kept = ["$ scripts/demo", "...", *lines[live : table + 1], "   ..."]
    kept += [*lines[facts : facts + 3], lines[sum_up], "", *lines[checks:simulated], lines[-1]]
    return kept


def draw(lines: list[str]) -> str:
    """The lines as a terminal's window, in SVG without anything to be loaded."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False, highlight=False)
    drawn = console.export_svg(title="scripts/demo", theme=THEME, unique_id="demo")
    drawn = _FONTS.sub("", drawn)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def graphs() -> Iterator[tuple[Path, str]]:
    """Each sample journey's picture: its file, and what stands in it."""
    for journey in sorted((ROOT / "journeys").glob("*.yaml")):
        if re.search(r"^journey:", journey.read_text(encoding="utf-8"), re.MULTILINE):
            loaded = load_and_check(journey.read_bytes(), journey.name)
            yield GRAPHS / f"{journey.stem}.svg", svg(compile_journey(loaded.journey))


def main() -> None:
    """Draw what is asked for."""
    if sys.argv[1:] == ["--graphs"]:
        GRAPHS.mkdir(exist_ok=True)
        for file, drawn in graphs():
            file.write_text(drawn, encoding="utf-8")
            print(file.relative_to(ROOT))
        return
    given = Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else output_of_demo()
    PICTURE.write_text(draw(excerpt(given)), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
