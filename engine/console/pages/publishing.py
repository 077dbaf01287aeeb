"""Publishing a journey: its text is checked, what it would do is said, and then it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.visit import Page, Redirected, Shown
from engine.core.dsl.problems import render
from engine.errors import DefinitionError, OperatorError, StepFailure
from engine.operations.export import export
from engine.operations.plan import plan
from engine.operations.publish import publish, read_text

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.errors import Problem
    from engine.operations.plan import Plan
    from engine.operations.publish import JourneyText

_FILE = "journey.yaml"


def _ask(visit: Visit) -> Reply:
    name = visit.query["journey"]
    text = ""
    if name:
        with visit.means.database.read() as connection:
            text = export(connection, name, visit.query.whole("version"))
    return _shown(text)


def _shown(
    text: str,
    planned: Plan | None = None,
    problems: tuple[Problem, ...] = (),
    problem: str = "",
) -> Reply:
    printed = [render(each, _FILE) for each in problems]
    values = {"text": text, "plan": planned, "problems": printed, "problem": problem}
    wrong = problem or (problems and planned is None)
    return Shown("publish.html", values, 422 if wrong else 200)


def _plan_or_publish(visit: Visit) -> Reply:
    # Browsers end the lines of a form's text with CR LF; files have LF.
    text = visit.form.exact("text").replace("\r\n", "\n")
    try:
        found = read_text(_FILE, text.encode())
        if visit.form["do"] == "publish":
            return _publish(visit, found)
        with visit.means.database.read() as connection:
            return _shown(text, plan(connection, found, now=visit.now), found.loaded.warnings)
    except DefinitionError as error:
        return _shown(text, problems=error.problems)
    except UnicodeEncodeError:
        return _shown("", problem="the text holds half a character")
    except (OperatorError, StepFailure) as error:
        return _shown(text, problem=error.message)


def _publish(visit: Visit, found: JourneyText) -> Reply:
    with visit.means.database.write() as connection:
        (done,) = publish(connection, [found], now=visit.now, actor=visit.actor)
    return Redirected(
        f"/journeys/{done.journey}", f"{done.journey} version {done.number}: {done.verb}"
    )


PAGES = (
    Page("GET", "/journeys/_publish", Permission.JOURNEYS_WRITE, _ask),
    Page("POST", "/journeys/_publish", Permission.JOURNEYS_WRITE, _plan_or_publish),
)
