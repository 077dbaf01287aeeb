"""``--record`` and ``--replay``: the answers of endpoints, kept in a file and given again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.cli.launch import Launch
    from engine.core.interpreter.scripted import ScriptedAnswers
    from engine.core.interpreter.state import Passage
    from engine.core.interpreter.virtual import Exchange
    from engine.core.steps.base import Call
    from engine.core.steps.terms import Terms
    from engine.enrollments.recording import Recording
    from engine.settings import Settings


@contextmanager
def exchanges(
    launch: Launch, terms: Iterable[Terms], answers: ScriptedAnswers
) -> Iterator[Callable[[str], Exchange] | None]:
    """What answers each user of a simulation where answers are recorded or replayed, else None.

    Raises UnusableRecording for a file that can't be used.
    """
    journey = launch.loaded.journey.journey
    if launch.invocation.replay is not None:
        from engine.enrollments.replay import Replay

        with Replay(launch.invocation.replay, journey, answers) as replay:
            yield replay.of
    elif launch.invocation.record is not None:
        from engine.core.interpreter.virtual import Exchanged

        with recording(launch, terms, anew=True) as file:

            def exchange(passage: Passage, call: Call, attempt: int, number: int) -> Exchanged:
                answer = answers(call, number)
                made = Exchanged(answer, int(bool(answer.status or answer.may_have_been_sent)))
                file.simulated(passage, call, attempt, made)
                return made

            yield lambda _: exchange
    else:
        yield None


@contextmanager
def recording(launch: Launch, terms: Iterable[Terms], *, anew: bool) -> Iterator[Recording]:
    """The recording that ``--record`` names, open to be written on; closed in the end.

    Raises UnusableRecording, in the end for one that is incomplete.
    """
    from engine.core.dsl.program import compile_journey
    from engine.enrollments.recording import Kept, Recording

    assert launch.invocation.record is not None  # noqa: S101 - for the type checker
    steps = [node.step for node in compile_journey(launch.loaded.journey).nodes]
    journey = launch.loaded.journey.journey
    file = Recording(launch.invocation.record, journey, Kept.of(steps, terms), anew=anew)
    try:
        yield file
    finally:
        file.close()


def stored_terms(settings: Settings) -> Iterable[Terms]:
    """The terms of the installation's endpoints. Raises what opening its database does."""
    from engine.db.schema import open_database
    from engine.endpoints.live import LiveEndpoints

    database = open_database(settings.database, create=False)
    try:
        with database.read() as connection:
            return tuple(LiveEndpoints().terms(connection).values())
    finally:
        database.close()
