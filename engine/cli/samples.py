"""The sample journeys as a beginning: their own files, under another name.

In a checkout they lie in ``journeys/``, in an installed package in ``engine/samples``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import engine

TEMPLATES = {
    "cart": "cart-rescue",
    "renewal": "renewal",
    "welcome": "welcome",
    "winback": "win-back",
}
"""What ``--from`` calls it → the sample it is made of."""

_NOT_TEXT = {"false", "null", "true"}
"""Names that YAML takes for something else unless they are quoted."""

# A head's paragraph of commands is indented; it speaks of the sample's own files.
_COMMANDS = re.compile(r"(?:^#   .*\n)+(?:^#\n)?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NewJourney:
    """The texts of a new journey: the journey and its scenarios, and the endpoints it calls."""

    journey: str
    scenarios: str
    endpoints: tuple[str, ...]


def new_journey(template: str, name: str, tests: str) -> NewJourney:
    """The files of the journey ``name``, made from a template of TEMPLATES. ``tests`` is what
    ``journey test`` is to be given for them.
    """
    from engine.core.dsl.check import load_and_check

    sample = TEMPLATES[template]
    journey = _renamed(_sample(f"{sample}.yaml"), sample, name, tests)
    scenarios = _renamed(_sample(f"{sample}.scenarios.yaml"), sample, name, tests)
    called = load_and_check(journey.encode(), f"{name}.yaml").checked.endpoints
    return NewJourney(journey, scenarios, tuple(sorted(called)))


def endpoints_file(needed: Iterable[str]) -> str:
    """An apply file with the endpoints ``needed`` and the auth profiles they name, as the samples'
    file has them.
    """
    from engine.endpoints.file import read_file

    text = _sample("endpoints.yaml")
    wanted = set(needed)
    endpoints = [one.endpoint for one in read_file(text.encode(), "endpoints.yaml").endpoints]
    profiles = {one.profile for one in endpoints if one.name in wanted}
    head = _COMMANDS.sub("", text[: text.index("auth_profiles:")])
    sections = [
        _section(text, "auth_profiles", profiles),
        _section(text, "endpoints", wanted),
    ]
    return head + "\n".join(sections)


def _sample(file: str) -> str:
    package = Path(engine.__file__).parent
    packed = package / "samples"
    folder = packed if packed.is_dir() else package.parent / "journeys"
    return (folder / file).read_text(encoding="utf-8")


def _renamed(text: str, sample: str, name: str, tests: str) -> str:
    """``text`` with the sample's name, title and file names replaced; values stay as they are."""
    head, body = re.split(r"^(?=[a-z])", text, maxsplit=1, flags=re.MULTILINE)
    head = _COMMANDS.sub("", head).replace("journey test journeys", f"journey test {tests}")
    quote = '"' if name in _NOT_TEXT else ""
    title = name.replace("-", " ").capitalize()
    body = re.sub(
        rf"^journey: {sample}$", f"journey: {quote}{name}{quote}", body, flags=re.MULTILINE
    )
    body = re.sub(r"^title: .*$", f"title: {quote}{title}{quote}", body, flags=re.MULTILINE)
    return re.sub(rf"\b{sample}(?=(\.scenarios)?\.yaml)", name, head) + body


def _section(text: str, section: str, wanted: Iterable[str | None]) -> str:
    """The lines of a section's entries ``wanted``, under its key."""
    from engine.core.dsl.source import compose

    lines = text.splitlines(keepends=True)
    document = compose(text.encode(), "endpoints.yaml")
    entries = document.root.items[section].keys
    starts = {name: place.line - 1 for name, place in entries.items()}
    following = [place.line - 1 for place in document.root.keys.values()]
    ends = sorted([*starts.values(), *following, len(lines)])
    kept = [
        "".join(lines[start : next(end for end in ends if end > start)]).strip("\n")
        for name, start in starts.items()
        if name in set(wanted)
    ]
    return f"{section}:\n" + "\n\n".join(kept) + "\n"
