"""Every code of a problem is explained in the docs, and every code of the docs exists."""

from __future__ import annotations

import re
from pathlib import Path

from engine.core.dsl import check

ENGINE = Path(check.__file__).parents[2]
CODE = re.compile(r'"((?:[a-z_]+)\.(?:[a-z_]+))"')
AT_RUN_TIME = frozenset(("call", "step", "journey"))
"""Roots that codes of failures at run time share."""


def codes_in_the_docs() -> set[str]:
    text = (ENGINE / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {code for row in rows for code in re.findall(r"`([a-z_.]+)`", row)}


def codes_in(folder: Path) -> set[str]:
    files = sorted(folder.glob("*.py"))
    return {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}


def test_every_code_of_a_problem_is_explained() -> None:
    roots = {code.split(".")[0] for code in codes_in_the_docs()}
    known = {
        code
        for folder, left_out in (("dsl", frozenset[str]()), ("steps", AT_RUN_TIME))
        for code in codes_in(ENGINE / "core" / folder)
        if code.split(".")[0] in roots - left_out
    }
    assert known - codes_in_the_docs() == set()


def test_every_explained_code_exists() -> None:
    folders = ("core/dsl", "core/steps", "endpoints")
    found = {code for folder in folders for code in codes_in(ENGINE / folder)}
    assert codes_in_the_docs() - found == set()
