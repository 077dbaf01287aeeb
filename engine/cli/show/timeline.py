"""One user's way as a person reads it: when, what, how it went, why.

::

    cart-rescue · user u_1 · simulated from Sun 22 Nov 2026 09:00 Europe/Istanbul
      +0s       ● entered     total 129.9
      +45m      ✓ score       POST crm/users/u_1/score  200
      +45m      ⏸ morning     until Mon 09:00 Europe/Istanbul
      +1d 0h    ✗ coupon      POST loyalty/coupons  credential.rejected; goes on
      +3d 0h    ■ reminded    6 steps, 1 failed call
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from engine.cli.show.moments import date_and_time, since
from engine.cli.show.terminal import Colour, Paint, plain
from engine.core.guarded_json import dumps
from engine.core.interpreter.scope import zone_of
from engine.enrollments.telling import balance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.dsl.program import Step
    from engine.core.interpreter.state import Execution, Passage

_WHEN = 9
_WIDEST_NAME = 24
_COLOURS: dict[str, Colour] = {
    "●": "blue",
    "✓": "green",
    "⏸": "yellow",
    "◇": "blue",
    "✗": "red",
    "↻": "yellow",
    "○": "dim",
    "■": "bold",
    "…": "dim",
    "▸": "blue",
    "★": "green",
}


class SentCall(Protocol):
    """The request a step made, as far as it is shown."""

    @property
    def endpoint(self) -> str:
        """The endpoint's name."""
        ...

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def target(self) -> str:
        """Path and query."""
        ...


class Event(Protocol):
    """Something a passage went through; a live run's and a simulation's are both such."""

    @property
    def passage(self) -> Passage:
        """Whose it is."""
        ...

    @property
    def at(self) -> int:
        """When, in microseconds UTC."""
        ...

    @property
    def execution(self) -> Execution | None:
        """The step taken, if one was."""
        ...

    @property
    def call(self) -> SentCall | None:
        """The request it made."""
        ...

    @property
    def what(self) -> str:
        """What else happened: entered, refused, waits, again, event, goal, ended, stays."""
        ...

    @property
    def text(self) -> str:
        """Why, in words."""
        ...


class Timeline:
    """Makes the lines, one passage at a time. ``mode`` is ``simulated`` or ``live``; ``zone`` the
    installation's time zone."""

    def __init__(self, mode: str, zone: str, paint: Paint) -> None:
        self._mode = mode
        self._zone = zone
        self._paint = paint
        self._of: tuple[str, int] | None = None
        self._waited: set[tuple[int, int]] = set()
        self._taken = 0
        self._failed_calls = 0

    def lines(self, event: Event) -> list[str]:
        """The lines that tell of ``event``; often one, sometimes none."""
        of = event.passage.user.id, event.passage.id
        lines = [] if of == self._of else [self._head(event.passage)]
        self._of = of
        if event.execution is None:
            told = self._happened(event)
        elif event.execution.status == "succeeded":
            told = self._succeeded(event, event.execution)
        else:
            told = self._not_succeeded(event, event.execution)
        return [*lines, self._line(event, *told)] if told else lines

    def _head(self, passage: Passage) -> str:
        self._waited.clear()
        self._taken = self._failed_calls = 0
        zone, _ = zone_of(passage, self._zone)
        entered = date_and_time(passage.entered_at, zone)
        journey = self._paint(passage.program.journey.journey, "bold")
        return f"{journey} · user {plain(passage.user.id)} · {self._mode} from {entered}"

    def _happened(self, event: Event) -> Told | None:
        passage, text = event.passage, event.text
        told: Told | None = None
        match event.what:
            case "entered":
                told = ("●", "entered", pairs(passage.inputs))
            case "refused":
                told = ("■", "refused", text)
            case "waits":
                self._waited.add(_visit(passage))
                told = ("⏸", _step_of(passage).id, text)
            case "again":
                told = ("↻", _step_of(passage).id, f"{_request(event.call)}  {text}; tries again")
            case "ended":
                told = ("■", text, balance(self._taken, self._failed_calls))
            case "event":
                told = ("▸", "event", text)
            case "goal":
                told = ("★", "goal", text)
            case "stays":
                told = ("…", _step_of(passage).id, "is where it stands")
        return told

    def _succeeded(self, event: Event, execution: Execution) -> Told | None:
        self._taken += 1
        step = event.passage.program.nodes[execution.step].step
        waited = step.type == "wait" and (execution.step, execution.visit) in self._waited
        if step.type == "exit" or waited:
            return None  # the outcome, and the wait, have a line of their own
        if step.type in ("branch", "split"):
            return "◇", step.id, f"→ {execution.arm or execution.text}"
        parts = (_request(event.call), str(execution.http_status or ""), execution.text)
        return "✓", step.id, joined(*parts, _tried(execution))

    def _not_succeeded(self, event: Event, execution: Execution) -> Told:
        step = event.passage.program.nodes[execution.step].step
        if execution.status == "skipped":
            return "○", step.id, f"skipped ({execution.text})"
        self._taken += 1
        self._failed_calls += step.type == "call_api"
        said = ": ".join(part for part in (execution.failure, execution.text) if part)
        why = joined(_request(event.call), said, _tried(execution))
        return "✗", step.id, f"{why}; {_goes(step)}"

    def _line(self, event: Event, mark: str, name: str, what: str) -> str:
        width = name_width(node.step.id for node in event.passage.program.nodes)
        when = since(event.at - event.passage.entered_at)
        return line(when, mark, name, plain(what), width, self._paint)


def name_width(names: Iterable[str]) -> int:
    """How wide the column of names is."""
    return max(10, min(max(map(len, names), default=0), _WIDEST_NAME))


def line(when: str, mark: str, name: str, what: str, width: int, paint: Paint) -> str:
    """One line of a timeline; ``what`` is fit for a terminal already."""
    marked = paint(mark, _COLOURS[mark]) if mark in _COLOURS else mark or " "
    return f"  {when:<{_WHEN}} {marked} {plain(name):<{width}}  {what}".rstrip()


Told = tuple[str, str, str]
"""A mark, a name, and what is to be said."""


def joined(*parts: str) -> str:
    """The parts that say something, side by side."""
    return "  ".join(part for part in parts if part)


def _step_of(passage: Passage) -> Step:
    return passage.program.nodes[passage.position].step


def _visit(passage: Passage) -> tuple[int, int]:
    return passage.position, passage.steps[passage.position].visits


def _request(call: SentCall | None) -> str:
    return "" if call is None else f"{call.method} {call.endpoint}{call.target}"


def _tried(execution: Execution) -> str:
    return f"({execution.attempts} attempts)" if execution.attempts > 1 else ""


def _goes(step: Step) -> str:
    way: Any = getattr(step, "on_failure", "continue")
    if way == "exit":
        return "leaves"
    return "goes on" if way == "continue" else f"goes to {way.next}"


def pairs(inputs: Mapping[str, object]) -> str:
    """Names with their values, side by side."""
    shown = (
        value if isinstance(value, str) else dumps(value).decode() for value in inputs.values()
    )
    return "  ".join(f"{name} {value}" for name, value in zip(inputs, shown, strict=True))
