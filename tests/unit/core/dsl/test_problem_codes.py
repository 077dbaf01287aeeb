"""Every code of a problem and of a failure is explained in the docs, and every one there exists."""

from __future__ import annotations

import re
from pathlib import Path

from engine.core.dsl import check

ENGINE = Path(check.__file__).parents[2]
CODE = re.compile(r'"((?:[a-z_]+)\.(?:[a-z_]+))"')
OF_PROBLEMS = ("core/dsl", "core/steps", "endpoints", "operations")
OF_FAILURES = ("core/interpreter", "wire")
NO_CODES = {"user.id", "settings.endpoint", "settings.contact_policy"}


def codes_on(*pages: str) -> set[str]:
    texts = [(ENGINE / "docs" / page).read_text(encoding="utf-8") for page in pages]
    rows = [
        line.split("|")[1] for text in texts for line in text.splitlines() if line.startswith("| `")
    ]
    return {code for row in rows for code in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}


def codes_in(*folders: str) -> set[str]:
    files = [file for folder in folders for file in sorted((ENGINE / folder).glob("*.py"))]
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def test_every_code_is_explained() -> None:
    explained = codes_on("errors.md", "running.md", "credentials.md")
    known = codes_in("core/dsl", "core/steps", "endpoints", *OF_FAILURES)
    assert known - NO_CODES - explained == set()


def test_every_explained_code_exists() -> None:
    assert codes_on("errors.md") - codes_in(*OF_PROBLEMS) == set()
