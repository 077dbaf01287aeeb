"""What an author sees who types: yaml-language-server on what `journey schema` writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from engine.cli.main import main
from tests.editor.language_server import LanguageServer, what_is_missing
from tests.house.source import ROOT

if missing := what_is_missing():
    pytest.skip(missing, allow_module_level=True)

ENDPOINTS = """\
endpoints:
  crm: {base_url: "https://crm.example.com/v2", title: The CRM}
  messenger: {base_url: "https://messenger.example.com"}
"""
HEAD = "# yaml-language-server: $schema=./{0}.schema.json\n"
JOURNEY = "dsl: 1\njourney: j\nsteps:\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both schemas, which know two endpoints."""
    made = tmp_path_factory.mktemp("editor")
    (made / "endpoints.yaml").write_text(ENDPOINTS, encoding="utf-8")
    known = ("--endpoints", str(made / "endpoints.yaml"))
    assert main(["schema", *known, "-o", str(made / "journey.schema.json")]) == 0
    written = str(made / "scenarios.schema.json")
    assert main(["schema", "--scenarios", *known, "-o", written]) == 0
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """The language server, started once."""
    with LanguageServer() as running:
        yield running


class Author:
    """Somebody who writes steps in an editor. Line 1 is the first line of the steps."""

    _files = count()

    def __init__(self, server: LanguageServer, folder: Path) -> None:
        self._server = server
        self._folder = self._file = folder
        self._before = 1 + JOURNEY.count("\n")

    def writes(self, steps: str) -> list[tuple[int, str]]:
        """What is underlined: line, and what is said."""
        text = HEAD.format("journey") + JOURNEY + steps
        self._file = self._folder / f"{next(self._files)}.yaml"
        self._file.write_text(text, encoding="utf-8")
        return sorted(
            (found["range"]["start"]["line"] + 1 - self._before, found["message"])
            for found in self._server.open(self._file)
        )

    def is_offered(self, line: int, column: int) -> list[str]:
        """What can be completed at a place."""
        found = self._server.at("completion", self._file, self._before + line, column)
        return [item["label"] for item in found["items"]]

    def reads(self, line: int, column: int) -> str:
        """What is shown where the pointer rests."""
        return str(
            self._server.at("hover", self._file, self._before + line, column)["contents"]["value"]
        )


@pytest.fixture
def author(server: LanguageServer, folder: Path) -> Author:
    """An author with a new file for whatever he writes."""
    return Author(server, folder)


CALL = "  - id: a\n    type: call_api\n    endpoint: crm\n"


def test_authentication_in_a_step_is_not_allowed_on_its_line(author: Author) -> None:
    assert author.writes(f"{CALL}    auth: me\n") == [(4, "Property auth is not allowed.")]


@pytest.mark.parametrize(
    ("steps", "line", "said"),
    [
        (f"{CALL}    tiemout: 10s\n", 4, "Property tiemout is not allowed."),
        ("  - {id: a, type: call_api}\n", 1, 'Missing property "endpoint".'),
        (CALL.replace("crm", "cmr"), 3, "there is no such endpoint: one of crm, messenger"),
        (f"{CALL}    on_failure: contine\n", 4, 'Valid values: "continue", "exit".'),
        (f"{CALL}    retry:\n      attemps: 3\n", 5, "Property attemps is not allowed."),
        (f"{CALL}    form: {{}}\n    text: x\n", 5, "`form` and `text` exclude each other"),
        (f"{CALL}    headers:\n      Authorization: x\n", 5, "Property Authorization is not"),
        ("  - id: a\n    type: wate\n", 2, 'Valid values: "call_api", "wait", "wait_for"'),
        ("  - id: a\n    type: wait\n    for: 2 dayz\n", 3, "a duration: as in PT45M"),
        ("  - id: a\n    type: wait\n", 1, "this takes either `for` or `until`"),
        ("  - id: a\n    type: wait\n    until: {time: 9:00}\n", 3, "a time of day"),
        ("  - id: a\n    type: wait\n    until: {days: 1, timezone: Mars/X}\n", 3, "no time zone"),
        ("  - {id: A, type: exit}\n", 1, "lower-case letters, digits and _"),
        ("  - {id: a, type: split, arms: [{name: x, weight: 0}]}\n", 1, "above 0"),
    ],
)
def test_a_slip_is_underlined_once_and_where_it_stands(
    author: Author, steps: str, line: int, said: str
) -> None:
    ((found, message),) = author.writes(steps)
    assert (found, said in message) == (line, True), message


@pytest.mark.parametrize("sample", sorted((ROOT / "journeys").glob("*.yaml")), ids=lambda p: p.name)
def test_nothing_is_underlined_in_a_sample(
    server: LanguageServer, folder: Path, sample: Path
) -> None:
    kind = "scenarios" if sample.stem.endswith(".scenarios") else "journey"
    kind = "apply" if sample.stem == "endpoints" else kind
    open_ended = folder / f"open-{kind}.schema.json"
    if not open_ended.exists():
        option = [] if kind == "journey" else [f"--{kind}"]
        assert main(["schema", *option, "-o", str(open_ended)]) == 0
    copy = folder / sample.name
    lines = [x for x in sample.read_text("utf-8").splitlines() if "$schema=" not in x]
    copy.write_text("\n".join([HEAD.format(f"open-{kind}").strip(), *lines, ""]), "utf-8")
    assert server.open(copy) == []


def test_step_types_are_completed(author: Author) -> None:
    author.writes("  - id: a\n    type: \n")
    offered = author.is_offered(2, 11)
    assert set(offered) >= {"call_api", "wait", "wait_for", "branch", "split", "exit"}


def test_keys_are_those_of_the_steps_type(author: Author) -> None:
    author.writes(f"{CALL}    \n")
    offered = author.is_offered(4, 5)
    assert set(offered) >= {"path", "body", "outputs", "on_failure", "when"}
    assert not set(offered) & {"for", "until", "arms", "endpoint"}
    author.writes("  - id: a\n    type: wait\n    \n")
    assert set(author.is_offered(3, 5)) == {"title", "when", "next", "for", "until"}


def test_endpoints_that_exist_are_completed(author: Author) -> None:
    author.writes("  - id: a\n    type: call_api\n    endpoint: \n")
    assert author.is_offered(3, 15) == ["crm", "messenger"]


def test_words_and_keys_further_down_are_completed(author: Author) -> None:
    author.writes(f"{CALL}    on_failure: \n    retry:\n      \n")
    assert author.is_offered(4, 17)[:2] == ["continue", "exit"]
    assert "attempts" in author.is_offered(6, 7)


def test_what_a_key_takes_is_told_where_the_pointer_rests(author: Author) -> None:
    author.writes(f"{CALL}    method: GET\n    on_failure: exit\n")
    assert "Calls an endpoint." in author.reads(2, 12)
    assert "* `crm`: The CRM: https://crm.example.com/v2" in author.reads(3, 16)
    method = author.reads(4, 6)
    assert "The HTTP method." in method
    assert "Unless said: `POST`" in method
    assert "Where to go when the call has failed for good." in author.reads(5, 6)


def test_a_mapping_where_a_word_could_stand_is_judged_as_a_mapping(author: Author) -> None:
    assert author.writes(f"{CALL}    on_failure: {{nxt: a}}\n") == [
        (4, 'Missing property "next".'),
        (4, "Property nxt is not allowed."),
    ]
    author.writes(f"{CALL}    on_failure: {{next: a}}\n")
    assert "Where to go when the call has failed for good." in author.reads(4, 6)


def test_scenarios_are_completed_and_checked(server: LanguageServer, folder: Path) -> None:
    file = folder / "j.scenarios.yaml"
    file.write_text(
        HEAD.format("scenarios") + "journey: j\nscenarios:\n  - name: one\n"
        "    enter: {at: 2026-03-28}\n    answers:\n      crn: [timeout]\n    expekt: {}\n",
        encoding="utf-8",
    )
    said = {(m["range"]["start"]["line"] + 1, m["message"]) for m in server.open(file)}
    assert {line for line, _ in said} == {4, 5, 7, 8}
    assert (7, "Property crn is not allowed.") in said
    assert (8, "Property expekt is not allowed.") in said


def test_authentication_is_completed_and_checked_where_it_belongs(
    server: LanguageServer, folder: Path
) -> None:
    assert main(["schema", "--apply", "-o", str(folder / "apply.schema.json")]) == 0
    file = folder / "endpoints-to-be.yaml"
    file.write_text(
        HEAD.format("apply")
        + "auth_profiles:\n  crm:\n    kind: bearer\n    tokn: {env: CRM_TOKEN}\n"
        "  mail:\n    kind: \n",
        encoding="utf-8",
    )
    said = {(m["range"]["start"]["line"] + 1, m["message"]) for m in server.open(file)}
    assert (5, "Property tokn is not allowed.") in said
    assert (3, 'Missing property "token".') in said
    kinds = [item["label"] for item in server.at("completion", file, 7, 11)["items"]]
    assert kinds == ["none", "basic", "bearer", "api_key", "oauth2"]
