"""What a person draws: a journey's file, the same with a run's numbers, a report as a page."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree as ET

import pytest

from engine.core.drawing.svg import svg
from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import compile_journey
from engine.db.connect import Connection
from engine.db.schema import open_database
from engine.enrollments import store
from engine.enrollments.store import runs
from tests.house.source import DOCS, ROOT
from tests.unit.cli.commands import Journey

SOURCE = """\
dsl: 1
journey: j
title: A <b>bold</b> journey
steps:
  - {id: ask, type: call_api, endpoint: crm}
  - {id: rest, type: wait, for: P1D}
"""
RUN, NOW = 77, 1_790_000_000_000_000


@pytest.fixture
def database(journey: Journey) -> str:
    """A database with a run of ``j.yaml``: nine came, two calls failed, one user waits."""
    journey.write("j.yaml", SOURCE)
    url = f"sqlite:///{journey.folder / 'engine.db'}"
    made = open_database(url)
    with made.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (5, 'j', 3, ?, ?, FALSE, 1, 'ann')",
            (hashlib.sha256(SOURCE.encode()).hexdigest(), SOURCE),
        )
        run = runs.Run(RUN, "j", 5, "s", runs.OPEN, 9, 9, 0, token_base={})
        runs.open_run(connection, run, now=NOW)
        _count(connection, -1, store.ADMITTED, "", 9)
        _count(connection, -1, store.OUTCOME, "completed", 8)
        _count(connection, 0, store.ENTERED, "", 9)
        _count(connection, 0, store.SUCCEEDED, "", 7)
        _count(connection, 0, store.FAILED, "call.client_error", 2)
        _count(connection, 1, store.ENTERED, "", 9)
        _count(connection, 1, store.SUCCEEDED, "", 8)
    made.close()
    return url


def _count(connection: Connection, step: int, kind: int, name: str, n: int) -> None:
    connection.exec_driver_sql(
        "INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)"
        " VALUES (1, ?, 5, ?, ?, ?, ?, ?)",
        (RUN, step, kind, name, n, n if step == 0 else 0),
    )


def test_a_journey_is_drawn_on_standard_output(journey: Journey) -> None:
    ended = journey("graph", journey.write("j.yaml", SOURCE))
    assert (ended.code, ended.err) == (0, "")
    root = ET.fromstring(ended.out)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "A <b>bold</b> journey" in [element.text for element in root.iter()]


def test_it_is_written_to_a_file_as_text_for_markdown(journey: Journey) -> None:
    file = journey.write("j.yaml", SOURCE)
    ended = journey("graph", file, "--format", "mermaid", "--output", "j.mmd")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (journey.folder / "j.mmd").read_text().startswith("flowchart TD\n")
    assert journey("graph", file, "--format", "mermaid", "-o", "-").out.startswith("flowchart TD\n")


def test_a_journey_with_errors_is_not_drawn(journey: Journey) -> None:
    ended = journey("graph", journey.write("j.yaml", SOURCE + "  - {id: nap, type: nap}\n"))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("j.yaml:7:")


def test_a_file_that_cannot_be_written_is_said_in_one_line(journey: Journey) -> None:
    ended = journey("graph", journey.write("j.yaml", SOURCE), "--output", "nowhere/j.svg")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: can't write 'nowhere/j.svg': No such file or directory\n"


def test_the_numbers_of_a_run_stand_at_its_steps(journey: Journey, database: str) -> None:
    counted = journey("graph", "j.yaml", "--counts", "--database", database)
    assert (counted.code, counted.err) == (0, "")
    shown = ["".join(text.itertext()) for text in ET.fromstring(counted.out).iter()]
    assert {"9 entered", "9 entered   2 failed", "9 entered   1 waiting"} <= set(shown)
    named = journey("graph", "j.yaml", "--run", str(RUN), "--database", database)
    assert named.out == counted.out
    assert journey("graph", "j.yaml", "--run", "5", "--database", database).code == 2


def test_numbers_of_another_text_are_said_to_be(journey: Journey, database: str) -> None:
    journey.write("j.yaml", SOURCE.replace("P1D", "P2D"))
    ended = journey("graph", "j.yaml", "--counts", "--database", database)
    assert ended.code == 0
    assert "run 77 is of version 3, whose text isn't this file's" in ended.err


def test_numbers_of_a_journey_that_never_ran_are_refused(journey: Journey, database: str) -> None:
    journey.write("k.yaml", SOURCE.replace("journey: j", "journey: k"))
    ended = journey("graph", "k.yaml", "--counts", "--database", database)
    assert (ended.code, ended.out) == (2, "")
    assert "there is no run of a journey 'k'" in ended.err


def test_a_report_is_a_page_with_the_graph_and_the_tables(journey: Journey, database: str) -> None:
    ended = journey("report", "j", "--html", "j.html", "--database", database)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    page = (journey.folder / "j.html").read_text()
    assert "<h1>A &lt;b&gt;bold&lt;/b&gt; journey</h1>" in page
    assert "run 77, opened 2026-09-21T14:13:20Z, not finished" in page
    assert page.count("<svg") == 1
    assert "<b>2 times</b> at <b>ask</b> · <code>call.client_error</code>" in page


def test_a_report_takes_one_form(journey: Journey, database: str) -> None:
    ended = journey("report", "j", "--html", "j.html", "--json", "--database", database)
    assert ended.code == 2
    assert "exclude each other" in ended.err
    assert "j.html" not in journey.files


@pytest.mark.parametrize("name", sorted(path.stem for path in (DOCS / "img").glob("*.svg")))
def test_the_pictures_in_the_docs_are_those_of_the_samples(name: str) -> None:
    journey, picture = ROOT / "journeys" / f"{name}.yaml", DOCS / "img" / f"{name}.svg"
    loaded = load_and_check(journey.read_bytes(), journey.name)
    drawn = svg(compile_journey(loaded.journey))
    assert picture.read_text(encoding="utf-8") == drawn, (
        "draw them anew: scripts/dev python scripts/picture.py --graphs"
    )
