"""A journey on a virtual clock: real decisions, scripted answers, no database and no network.

Everything a live run decides is decided here by the same code: who enters, arms, holdout, waits on
the user's wall clock, retries and their pauses, goals, exit rules and what events do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from engine.core.dsl.trigger import by_the_clock
from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.clock_triggers import ClockTriggers
from engine.core.interpreter.life import Life, Setting
from engine.core.interpreter.state import User
from engine.core.interpreter.virtual import Answers, Exchange, Happened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.program import Program
    from engine.core.interpreter.advance import World
    from engine.core.steps.facts import Fact

__all__ = ["Answers", "Arriving", "Exchange", "Facts", "Happened", "simulate"]

_BY_TIME = attrgetter("at")


class Arriving(Protocol):
    """A user who is to be taken through the journey; values are JSON."""

    @property
    def id(self) -> str:
        """The user's id."""
        ...

    @property
    def timezone(self) -> str | None:
        """His IANA zone."""
        ...

    @property
    def attributes(self) -> Mapping[str, object]:
        """What is known of him; null stands for nothing."""
        ...

    @property
    def inputs(self) -> dict[str, object]:
        """What he enters with."""
        ...


Facts = Callable[[str], Iterable["Fact"]]
"""What happens to the user of this id, from outside. Of equal times the earlier one comes first;
``seq`` is given here."""


def simulate(
    program: Program,
    users: Iterable[Arriving],
    world: World,
    answers: Answers,
    start: int,
    horizon: int | None = None,
    *,
    facts: Facts | None = None,
    triggered: bool = False,
    exchanges: Callable[[str], Exchange] | None = None,
) -> Iterator[Happened]:
    """Take ``users``, one after another, through a journey.

    All enter at ``start``; if ``triggered``, whenever the journey's triggers let them in. What
    happens to one user comes in order of time; at one moment facts come before clocks, a passage's
    clock before a trigger's, and after all of them calls go out, as they were decided. Facts before
    ``start`` are known and move nobody. Sleepers are woken, facts applied and users let in up to
    the instant ``horizon`` (None: as long as anything can happen, for ever if a schedule lets them
    in); a retry is no sleep and is always made. An answer's ``elapsed_us`` passes on the clock.
    Memory doesn't grow with the users.

    ``exchanges`` gives what answers the user of an id, instead of ``answers``.
    """
    clocks = None
    if triggered and by_the_clock(program.journey.entry.triggers):
        clocks = ClockTriggers(program.journey, world.zone, start)
    setting = Setting(program, world, answers, start, horizon, triggered, clocks, exchanges)
    for row in users:
        known = {name: value for name, value in row.attributes.items() if value is not None}
        user = User(row.id, bucket_of(row.id), row.timezone, known)
        came = sorted(facts(row.id), key=_BY_TIME) if facts is not None else ()
        yield from Life(setting, user, came).all(row.inputs)
