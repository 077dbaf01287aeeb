"""Sample journeys, walked on a virtual clock with scripted answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.cli.scripted_answers import read_answers
from engine.core.dsl.check import LoadedAndChecked, load_and_check
from engine.core.dsl.program import compile_journey
from engine.core.expressions.calendar import parse_iso
from engine.core.interpreter.advance import World
from engine.core.interpreter.scripted import ScriptedAnswers
from engine.core.interpreter.simulate import Happened, simulate
from engine.endpoints.file import read_file
from engine.endpoints.model import terms as terms_of
from engine.users.files import open_users
from engine.users.row import UserRow

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "journeys"
UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Way:
    """What one user went through: steps with their status in order, when waits ended (ISO 8601 in
    his zone), what calls were sent, and the outcome.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    waited_until: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str, object]] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    outcome: list[str] = field(default_factory=list)

    @property
    def status(self) -> dict[str, str]:
        """Each step's last status."""
        return dict(self.steps)


def load(name: str) -> LoadedAndChecked:
    """A sample journey."""
    file = SAMPLES / f"{name}.yaml"
    return load_and_check(file.read_bytes(), str(file))


def user(name: str = "u1", zone: str | None = None, **attributes: object) -> UserRow:
    """A user with an address and ``attributes``."""
    return UserRow(0, name, zone, {"email": f"{name}@example.com"} | attributes, {})


def sample_users() -> list[UserRow]:
    """The sample customers."""
    with open_users(SAMPLES / "customers.csv", inputs={}) as users:
        return list(users.rows())


def walk(
    name: str, users: Iterable[UserRow], *, start: str, answers: Sequence[str] = ()
) -> dict[str, Way]:
    """Take ``users`` through a sample from ``start`` (ISO 8601); ``answers`` as of ``--answer``."""
    loaded = load(name)
    file = read_file((SAMPLES / "endpoints.yaml").read_bytes(), "endpoints.yaml")
    terms = {written.endpoint.name: terms_of(written.endpoint) for written in file.endpoints}
    scripts = read_answers(answers, loaded.checked.endpoints)
    begin = parse_iso(start, UTC)
    assert begin is not None
    ways: dict[str, Way] = {}
    for event in simulate(
        compile_journey(loaded.journey),
        users,
        World(terms, "UTC"),
        ScriptedAnswers(scripts, terms),
        begin,
    ):
        _tell(ways.setdefault(event.passage.user.id, Way()), event)
    return ways


def _tell(way: Way, event: Happened) -> None:
    passage = event.passage
    if event.what in ("ended", "refused"):
        way.outcome.append(event.text)
    elif event.what == "waits" and passage.wake_at is not None:
        zone = ZoneInfo(passage.user.timezone or passage.program.journey.timezone or "UTC")
        local = datetime.fromtimestamp(passage.wake_at / 1e6, zone)
        way.waited_until[_id(event, passage.position)] = local.isoformat(timespec="minutes")
    if event.execution is None:
        return
    way.steps.append((_id(event, event.execution.step), event.execution.status))
    if event.call is not None:
        body = json.loads(event.call.body) if event.call.body else None
        way.sent.append((event.call.endpoint, event.call.target, body))
        way.attempts[_id(event, event.execution.step)] = event.execution.attempts


def _id(event: Happened, step: int) -> str:
    return event.passage.program.nodes[step].step.id
