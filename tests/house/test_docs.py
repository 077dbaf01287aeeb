"""The docs are held to account: where.md finds every file, the changelog is kept."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.house.source import DOCS, ROOT, modules

# A row that names one of these would find everything and nothing.
TOO_WIDE = {"engine/", "engine/core/"}

WHERE = "engine/docs/where.md"


def test_every_place_in_where_md_exists() -> None:
    missing = [
        place
        for place in _places()
        if not ((ROOT / place).is_dir() if place.endswith("/") else (ROOT / place).is_file())
    ]
    assert not missing, f"take these out of {WHERE}, or correct them (a folder ends with a slash)"


def test_every_module_is_found_in_where_md() -> None:
    places = set(_places())
    assert not places & TOO_WIDE, f"name files or smaller folders in {WHERE}"
    rows_to_add = [
        f"| ... | `{module.path}` |"
        for module in modules()
        if not module.is_empty and not _is_found(module.path, places)
    ]
    assert not rows_to_add, "\n".join(
        [f"add to the table of {WHERE}, saying what one would look for:", *rows_to_add]
    )


def _is_found(path: str, places: set[str]) -> bool:
    folders = {path[: i + 1] for i, character in enumerate(path) if character == "/"}
    return path in places or bool(folders & places)


def test_nothing_is_in_where_md_twice() -> None:
    rows = [line.split("|")[1].strip() for line in _rows()]
    assert [row for row, n in Counter(rows).items() if n > 1] == []


def _rows() -> list[str]:
    text = (ROOT / WHERE).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("|") and "`" in line]


def _places() -> list[str]:
    """What stands in backticks in the second column."""
    return [place for row in _rows() for place in re.findall(r"`([^`]+)`", row.split("|")[2])]


def test_links_between_the_docs_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob(".github/*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not dead


def test_links_to_a_place_on_a_page_find_it() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {target}#{anchor}"
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
        for target, anchor in re.findall(
            r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")
        )
        if "://" not in target and anchor not in _anchors(page.parent / target if target else page)
    ]
    assert not lost


def _anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub does it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_linked_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page}" not in index} == set()


def test_the_changelog_says_what_is_coming() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]\n+### (Added|Changed|Fixed)\n+- ", text, re.MULTILINE)
