"""What the pages show can be used as it stands there: files load, scenarios hold, commands say
what is said that they say. See :mod:`tests.house.blocks` for how a block is marked.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.dsl.check import load_and_check
from engine.core.dsl.problems import render
from engine.core.dsl.program import compile_journey
from engine.core.dsl.scenarios import check_scenarios, read_scenarios
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.scenario import run_scenario
from engine.endpoints.file import read_file
from engine.errors import DefinitionError
from engine.users.events import EventsFileError, open_events
from engine.users.files import UsersFileError, open_users
from tests.house.blocks import KINDS, PAGES, Block, blocks_of
from tests.house.source import DOCS, ROOT
from tests.unit.cli.commands import Journey

BLOCKS = [block for page in PAGES for block in blocks_of(page)]

# A shell runs these from the first line to the last: tests/e2e/test_first_journey.py and
# tests/e2e/test_living_guide.py.
RUN_BY_A_SHELL = {DOCS / "guide" / "first-journey.md", DOCS / "guide" / "living.md"}

# What the samples' and the pages' apply files ask the environment for.
SECRETS = {
    "CRM_SECRET": "s3cret-of-the-crm",
    "LOYALTY_PASSWORD": "word-of-loyalty",
    "MESSENGER_KEY": "key-of-the-messenger",
    "TRACKER_TOKEN": "token-of-the-tracker",
}

EXIT_CODE = ' || echo "exit code $?"'


def of(*kinds: str) -> list[object]:
    return [pytest.param(block, id=block.place) for block in BLOCKS if block.kind in kinds]


def failing(block: Block, error: DefinitionError) -> None:
    """Fail, naming the line of the page."""
    moved = block.line - 1 - block.whole[: block.whole.find(block.text)].count("\n")
    shown = [
        render(replace(problem, line=problem.line + moved), block.page.name)
        for problem in error.problems
    ]
    pytest.fail(f"the block at {block.place} isn't right:\n" + "\n".join(shown), pytrace=False)


def test_every_block_says_what_it_is() -> None:
    unknown = [f"{block.place}: ```{block.kind}" for block in BLOCKS if block.kind not in KINDS]
    assert not unknown, f"mark them as one of {', '.join(sorted(KINDS))} (tests/house/blocks.py)"


@pytest.mark.parametrize("block", of("yaml", "yaml steps", "yaml part"))
def test_a_yaml_block_has_no_error_and_no_warning(block: Block) -> None:
    source, name = block.whole.encode(), block.file
    wrong = None
    try:
        if block.holds == "endpoints":
            read_file(source, name)
        elif block.holds == "scenarios":
            check_scenarios(read_scenarios(source, name), load_and_check(*beside(block)).journey)
        else:
            warnings = load_and_check(source, name).warnings
            if warnings:
                raise DefinitionError(name, warnings)
    except DefinitionError as error:
        wrong = error
    if wrong is not None:
        failing(block, wrong)


def beside(block: Block) -> tuple[bytes, str]:
    """The journey that a block of scenarios tests: on its page above it, else a sample."""
    name = f"{block.journey}.yaml"
    for other in reversed(BLOCKS):
        is_above = other.page == block.page and other.line < block.line
        if is_above and other.kind == "yaml" and (other.holds, other.file) == ("journey", name):
            return other.text.encode(), name
    sample = ROOT / "journeys" / name
    assert sample.is_file(), f"{block.place}: no journey {block.journey!r} above it on the page"
    return sample.read_bytes(), name


@pytest.mark.parametrize(
    "block",
    [b for b in of("yaml") if b.values[0].holds == "scenarios"],  # type: ignore[attr-defined]
)
def test_the_scenarios_of_a_page_go_as_they_say(block: Block) -> None:
    program = compile_journey(load_and_check(*beside(block)).journey)
    scenarios = read_scenarios(block.text.encode(), block.file)
    went = {one.name: run_scenario(program, one, {}) for one in scenarios.file.scenarios}
    assert {name: ways for name, ways in went.items() if ways} == {}, block.place


@pytest.mark.parametrize("block", of("yaml wrong"))
def test_what_is_shown_as_wrong_is_refused_with_the_words_shown(block: Block) -> None:
    with pytest.raises(DefinitionError) as refused:
        (read_file if block.holds == "endpoints" else load_and_check)(
            block.text.encode(), block.file
        )
    said = "\n".join(render(problem, block.file) for problem in refused.value.problems)
    assert block.said == said + "\n", f"{block.place}: put this ```text behind it"


@pytest.mark.parametrize("block", of("csv", "jsonl", "json"))
def test_a_block_of_data_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / block.file if block.kind != "json" else tmp_path / "data.json"
    file.write_text(block.text, encoding="utf-8")
    try:
        if block.kind == "json":
            json.loads(block.text)
        elif file.stem == "events":
            open_events(file, UTC_ZONE).close()
        else:
            open_users(file, inputs={}).close()
    except (EventsFileError, UsersFileError, ValueError) as error:
        pytest.fail(f"{block.place}: {error}", pytrace=False)


@pytest.fixture
def journey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Journey:
    """``journey`` in an empty folder."""
    return Journey(tmp_path, monkeypatch, capsys)


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.relative_to(ROOT).as_posix())
        for page in PAGES
        if page not in RUN_BY_A_SHELL and any(b.page == page and b.kind == "sh" for b in BLOCKS)
    ],
)
def test_the_commands_of_a_page_work_and_print_what_the_page_says(
    page: Path, journey: Journey
) -> None:
    """In a folder where the page's files lie, as far as one has read; a clone's for a README."""
    if DOCS not in page.parents:
        shutil.copytree(ROOT / "journeys", journey.folder / "journeys")
    for block in blocks_of(page):
        if block.kind in {"yaml", "csv", "jsonl"}:
            journey.write(block.file, block.text)
        elif block.kind == "sh":
            printed = "".join(run(journey, line, block.place) for line in commands(block))
            missing = [line for line in block.said.splitlines() if not is_in(line, printed)]
            assert not missing, f"{block.place}: not printed. It was:\n{printed}"


def commands(block: Block) -> Iterator[str]:
    """The command lines, each on one line."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def run(journey: Journey, line: str, place: str) -> str:
    """What a command prints; one that fails without the page saying so fails the test."""
    command, may_fail, _ = line.partition(EXIT_CODE)
    words = shlex.split(command, comments=True)
    variables = dict(SECRETS)
    while re.match(r"[A-Z_]+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    program, *arguments = words
    assert program in {"journey", "run-journey"}, f"{place}: {line}: mark it ```console"
    ended = journey(*(["run"] if program == "run-journey" else []), *arguments, **variables)
    if may_fail:
        return f"{ended.out}{ended.err}exit code {ended.code}\n"
    assert ended.code == 0, f"{place}: {line}\n{ended.out}{ended.err}"
    return ended.out + ended.err


def is_in(line: str, printed: str) -> bool:
    """Whether ``line`` is a line of what was printed; `...` stands for anything, and how wide a
    column is doesn't matter.
    """
    words = [re.escape(word).replace(r"\.\.\.", ".*") for word in line.split()]
    return re.search(rf"^ *{' +'.join(words)} *$", printed, re.MULTILINE) is not None


# --- the README ----------------------------------------------------------------------------------


def test_the_readme_shows_a_journey_in_twenty_lines_and_an_apply_file() -> None:
    shown = [block for block in BLOCKS if block.page.parent == ROOT and block.kind == "yaml"]
    (journey,) = (block for block in shown if block.holds == "journey")
    assert len(journey.text.splitlines()) <= 20
    assert [block.holds for block in shown if block is not journey] == ["endpoints"]


def test_the_readmes_picture_is_whole_in_itself() -> None:
    picture = (DOCS / "demo.svg").read_text(encoding="utf-8")
    assert "](engine/docs/demo.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Every claim held" in picture.replace("&#160;", " ")
    # An address that is fetched, as opposed to a namespace: pages may not load foreign fonts.
    assert re.findall(r"(?:url\(|href=)[\"']?https?:", picture) == []
