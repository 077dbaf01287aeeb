"""``journey new``: what it writes is right as it is, and nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from engine.cli.samples import TEMPLATES
from tests.house.source import ROOT
from tests.unit.cli.commands import Journey


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_passes_check_and_test_without_a_warning_and_runs(
    journey: Journey, template: str
) -> None:
    ended = journey("new", "my-own", "--from", template)
    assert (ended.code, ended.err) == (0, "")
    assert journey.files == {"my-own.yaml", "my-own.scenarios.yaml", "endpoints.yaml"}
    assert journey("check", "--strict", "my-own.yaml").code == 0
    tested = journey("test", "my-own.yaml")
    assert (tested.code, tested.err) == (0, "")
    assert tested.out.endswith("all as expected\n")
    assert journey("run", "my-own.yaml").code == 0


@pytest.mark.parametrize(("template", "sample"), TEMPLATES.items())
def test_nothing_in_it_is_called_as_the_sample_is(
    journey: Journey, template: str, sample: str
) -> None:
    journey("new", "my-own", "--from", template)
    texts = [path.read_text(encoding="utf-8") for path in journey.folder.iterdir()]
    lines = [line for text in texts for line in text.splitlines() if sample in line]
    # What the messenger calls its template is none of the journey's business.
    assert [line for line in lines if "template" not in line and f"{sample}d" not in line] == []
    assert "\ntitle: My own\n" in (journey.folder / "my-own.yaml").read_text(encoding="utf-8")
    scenarios = (journey.folder / "my-own.scenarios.yaml").read_text(encoding="utf-8")
    assert scenarios.startswith(
        "# Tests of my-own.yaml: `journey test my-own.yaml`.\njourney: my-own"
    )
    assert not any("journeys/" in text for text in texts)


def test_without_a_template_it_is_a_welcome_and_the_next_commands_are_said(
    journey: Journey,
) -> None:
    ended = journey("new", "hello")
    assert ended.out == (
        "hello.yaml  the journey\n"
        "hello.scenarios.yaml  its tests\n"
        "endpoints.yaml  where its calls go: put your addresses in\n"
        "\n"
        "Next:\n"
        "  journey check hello.yaml\n"
        "  journey test hello.yaml\n"
        "  run-journey hello.yaml\n"
    )
    endpoints = (journey.folder / "endpoints.yaml").read_text(encoding="utf-8")
    assert "messenger-key:" in endpoints
    assert "crm" not in endpoints  # only what it calls, and what that authenticates with
    assert "loyalty" not in endpoints


def test_a_folder_called_journeys_is_where_it_belongs_unless_another_is_named(
    journey: Journey,
) -> None:
    (journey.folder / "journeys").mkdir()
    assert "  run-journey journeys/hello.yaml\n" in journey("new", "hello").out
    ended = journey("new", "hello", "--folder", "my journeys/new")
    assert "  run-journey 'my journeys/new/hello.yaml'\n" in ended.out
    assert (journey.folder / "my journeys" / "new" / "hello.scenarios.yaml").is_file()
    assert journey("test").code == 0  # all below journeys/


@pytest.mark.parametrize("there", ["hello.yaml", "hello.scenarios.yaml"])
def test_a_file_that_is_there_is_not_overwritten_and_nothing_else_is_written(
    journey: Journey, there: str
) -> None:
    journey.write(there, "mine")
    ended = journey("new", "hello")
    assert ended.code == 2
    assert ended.err == f"error: {there} is there already, and is not overwritten\n"
    assert journey.files == {there}
    assert (journey.folder / there).read_text(encoding="utf-8") == "mine"


def test_endpoints_that_are_there_stay_and_what_they_lack_is_named(journey: Journey) -> None:
    mine = (
        "endpoints: {messenger: {base_url: https://msg.example.com, contact: true}}\n"
        "contact_policy: {suppress: user.unsubscribed}\n"
    )
    journey.write("endpoints.yaml", mine)
    assert "endpoints.yaml  is there and has what it calls\n" in journey("new", "hello").out
    said = "endpoints.yaml  is there and stays: add crm and loyalty under `endpoints:`\n"
    assert said in journey("new", "rescue", "--from", "cart").out
    assert (journey.folder / "endpoints.yaml").read_text(encoding="utf-8") == mine


def test_an_endpoints_file_that_is_wrong_is_shown_before_anything_is_written(
    journey: Journey,
) -> None:
    journey.write("endpoints.yaml", "endpoint: {}\n")
    ended = journey("new", "hello")
    assert ended.code == 3
    assert "endpoints.yaml:1:1: error: unknown key `endpoint`" in ended.err
    assert journey.files == {"endpoints.yaml"}


@pytest.mark.parametrize("name", ["Hello", "1st", "a b", "a_b", "../x", "", "a" * 64, "hello\n"])
def test_a_name_that_no_journey_can_have_is_refused_with_the_rule(
    journey: Journey, name: str
) -> None:
    ended = journey("new", name)
    assert ended.code == 2
    assert ended.err.endswith(": lower-case letters, digits and -, a letter first, at most 63\n")
    assert ended.err.count("\n") == 1
    assert journey.files == set()


def test_the_name_of_the_endpoints_file_is_no_journeys(journey: Journey) -> None:
    ended = journey("new", "endpoints")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert journey.files == set()


@pytest.mark.parametrize("name", ["true", "null"])
def test_a_name_that_yaml_takes_for_something_else_is_quoted(journey: Journey, name: str) -> None:
    journey("new", name)
    assert journey("test", f"{name}.yaml").code == 0


def test_a_folder_that_cannot_be_made_is_one_line(journey: Journey) -> None:
    journey.write("file", "")
    ended = journey("new", "hello", "--folder", "file/below")
    assert (ended.code, ended.err) == (
        2,
        "error: can't write 'file/below/hello.yaml': Not a directory\n",
    )


def test_it_works_from_a_wheel(tmp_path: Path) -> None:
    built = next(
        iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "work").mkdir()
    script = (
        "import engine, sys\n"
        f"assert engine.__file__.startswith({str(tmp_path)!r}), engine.__file__\n"
        "from engine.cli.main import main\n"
        "sys.exit(main(['new', 'hello']) or main(['test', 'hello.yaml']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "all as expected" in done.stdout
