"""The fenced blocks of the pages, and what each claims to be.

The first word behind a fence is its language, the second one narrows it::

    yaml         a whole file: a journey, scenarios of one, or endpoints and auth profiles
    yaml steps   a list of steps
    yaml part    keys of a journey, without its head and perhaps without steps
    yaml wrong   a file that is refused; the `text` behind it is what is said about it
    csv, jsonl   users or events; json: any JSON
    sh           `journey` and `run-journey` commands; the `text` behind is in what they print
    console      commands that need something the tests haven't got
    text         what is printed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.source import DOCS, ROOT

KINDS = {
    *("yaml", "yaml steps", "yaml part", "yaml wrong"),
    *("csv", "jsonl", "json", "sh", "console", "text"),
}

PAGES = [ROOT / "README.md", ROOT / "journeys" / "README.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^ {0,3}(`{3,})([^`\n]*)$")
_HEAD = "dsl: 1\njourney: part\n"
_STEPS = "steps:\n  - {id: pause, type: wait, for: P1D}\n"


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is that of its first line. ``said`` is the ``text`` that follows
    it with nothing but a blank line between, '' if none does.
    """

    page: Path
    line: int
    kind: str
    text: str
    said: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def holds(self) -> str:
        """What a YAML block is: ``journey``, ``scenarios`` or ``endpoints``."""
        if re.search(r"^scenarios:", self.text, re.MULTILINE):
            return "scenarios"
        if re.search(r"^(endpoints|auth_profiles):", self.text, re.MULTILINE):
            return "endpoints"
        return "journey"

    @property
    def journey(self) -> str:
        """The name of the journey that it is, or tests."""
        found = re.search(r"^journey: ([\w-]+)", self.text, re.MULTILINE)
        return found[1] if found else "part"

    @property
    def whole(self) -> str:
        """A journey's text, with what a part leaves out."""
        if self.kind == "yaml steps":
            return f"{_HEAD}steps:\n{self.text}"
        if self.kind == "yaml part":
            has_steps = re.search(r"^steps:", self.text, re.MULTILINE)
            return _HEAD + self.text + ("" if has_steps else _STEPS)
        return self.text

    @property
    def file(self) -> str:
        """What it is called where the commands of its page are run."""
        if self.kind in {"csv", "jsonl"}:
            of_events = re.match(r"user,event|.*\"(event|user)\":", self.text)
            return f"{'events' if of_events else 'users'}.{self.kind}"
        names = {"scenarios": f"{self.journey}.scenarios.yaml", "endpoints": "endpoints.yaml"}
        return names.get(self.holds, f"{self.journey}.yaml")


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in its order."""
    found = list(_blocks(page))
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, block in enumerate(found[:-1]):
        after = found[number + 1]
        end = block.line + block.text.count("\n") + 1
        between = lines[end - 1 : after.line - 2]
        if after.kind == "text" and block.kind != "text" and not any(between[1:]):
            found[number] = Block(page, block.line, block.kind, block.text, after.text)
    return found


def _blocks(page: Path) -> Iterator[Block]:
    fence, kind, begin, inside = "", "", 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        match = _FENCE.match(line)
        if not fence and match:
            fence, kind, begin, inside = match[1], match[2].strip(), number + 1, []
        elif fence and line.strip() == fence:
            yield Block(page, begin, kind, "".join(f"{one}\n" for one in inside))
            fence = ""
        elif fence:
            inside.append(line)
    assert not fence, f"{page}:{begin - 1}: a fence that doesn't end"
