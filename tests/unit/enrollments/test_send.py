from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.endpoints.gate import Due, Parked, Refused
from engine.endpoints.live import LiveEndpoints
from engine.enrollments.pending import Lane, PendingCall
from engine.enrollments.send import Outbox

OK = Result(Answer(status=200), None, "", 1, 1, 1)


@dataclass(eq=False)
class OneHeld:
    """What the outbox needs of a held call."""

    journey: str
    number: int
    call: PendingCall = field(
        default_factory=lambda: PendingCall(0, 1, "api", "POST", "/", (), None, b"", "k")
    )
    too_old: bool = False

    @property
    def passage(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.number)

    @property
    def lane(self) -> Lane:
        return ("api", self.journey)

    @property
    def place(self) -> tuple[object, ...]:
        return (0, self.number, 0, 1, 0)

    def outlives(self, now: int) -> bool:
        return self.too_old


class Shut(LiveEndpoints):
    """Says the same to every call until it is told otherwise."""

    def __init__(self, verdict: float | Parked | Refused) -> None:
        super().__init__()
        self.verdict = verdict

    def admit(
        self, endpoint: str, call: Due, queued: Callable[[], int]
    ) -> float | Parked | Refused:
        return self.verdict


def offered(outbox: Outbox, *calls: OneHeld) -> bool:
    """Whether all of them found room."""
    full: list[Any] = []
    outbox.offer(calls, full.append)  # type: ignore[arg-type]
    return not full


def test_a_journey_with_few_calls_has_its_turn_beside_one_with_many() -> None:
    order: list[str] = []

    async def deliver(held: OneHeld) -> Result:
        order.append(held.journey)
        await asyncio.sleep(0)
        return OK

    async def scenario() -> int:
        outbox = Outbox(deliver, LiveEndpoints(), 4)  # type: ignore[arg-type]
        many = 0
        while offered(outbox, OneHeld("many", many)):
            many += 1
        assert offered(outbox, *(OneHeld("few", 10_000 + number) for number in range(10)))
        assert outbox.room(("api", "third")) > 0
        outbox.pump()
        while not outbox.idle:
            outbox.committed(outbox.take_answers(100))
            await asyncio.sleep(0)
        return many

    many = asyncio.run(scenario())
    assert order.count("many") == many >= 30
    assert order.count("few") == 10
    last = max(at for at, journey in enumerate(order) if journey == "few")
    assert last < 22, "each second call is theirs"


def test_what_is_parked_stays_in_memory_and_tells_until_when() -> None:
    async def deliver(held: OneHeld) -> Result:
        return OK

    async def scenario() -> None:
        allowance = Shut(Parked(77, 60.0))
        outbox = Outbox(deliver, allowance, 4)  # type: ignore[arg-type]
        assert offered(outbox, OneHeld("j", 1))
        assert outbox.standing() == (False, None)
        outbox.pump()
        assert outbox.standing() == (True, 77)
        allowance.verdict = 0.0
        outbox.pump()
        for _ in range(5):
            await asyncio.sleep(0)
        assert outbox.standing() == (False, None)
        assert len(outbox.take_answers(9)) == 1

    asyncio.run(scenario())


def test_what_is_refused_comes_back_without_having_been_sent() -> None:
    async def deliver(held: OneHeld) -> Result:
        raise AssertionError

    async def scenario() -> None:
        refused = Refused("call.circuit_open", "5 calls failed", 42)
        outbox = Outbox(deliver, Shut(refused), 4)  # type: ignore[arg-type]
        assert offered(outbox, *(OneHeld("j", number) for number in range(10)))
        outbox.pump()
        answers = outbox.take_answers(99)
        assert len(answers) == 10
        assert {(one.result.failure, one.result.attempts) for one in answers} == {
            ("call.circuit_open", 0)
        }
        assert (outbox.in_flight, outbox.idle) == (0, True)

    asyncio.run(scenario())


def test_what_is_withdrawn_is_not_sent_and_another_call_is_the_probe() -> None:
    sent: list[int] = []
    spared: list[object] = []

    async def deliver(held: OneHeld) -> Result:
        sent.append(held.number)
        return OK

    class Withdrawing(Shut):
        def admit(
            self, endpoint: str, call: Due, queued: Callable[[], int]
        ) -> float | Parked | Refused:
            if call is calls[1].call:  # just as it is let go
                assert outbox.withdraw(calls[1])
            return 0.0

        def withdrawn(self, endpoint: str, call: Due) -> None:
            spared.append(call)

    calls: list[Any] = [OneHeld("j", number) for number in range(3)]

    async def scenario() -> None:
        assert offered(outbox, *calls)
        assert outbox.held_call(0) is calls[0]
        assert outbox.withdraw(calls[0])  # type: ignore[arg-type]
        assert outbox.held_call(0) is None
        outbox.pump()
        for _ in range(5):
            await asyncio.sleep(0)
        assert outbox.take_answers(9)[0].held is calls[2]
        assert outbox.idle
        assert not outbox.withdraw(calls[2])

    outbox = Outbox(deliver, Withdrawing(0.0), 4)  # type: ignore[arg-type]
    asyncio.run(scenario())
    assert sent == [2]
    assert spared == [calls[1].call]


def test_what_is_marked_before_it_is_sent_can_be_withdrawn_until_it_is_launched() -> None:
    sent: list[int] = []

    async def deliver(held: OneHeld) -> Result:
        sent.append(held.number)
        return OK

    class Marking(Shut):
        def at_most_once(self, endpoint: str) -> bool:
            return True

    calls: list[Any] = [OneHeld("j", number) for number in range(4)]

    async def scenario() -> None:
        assert offered(outbox, *calls)
        outbox.notify = outbox.pump
        outbox.pump()
        assert outbox.in_flight == 4
        assert outbox.withdraw(calls[0])  # before the turn that would mark it
        assert outbox.take_starting() == calls[1:]
        assert outbox.in_flight == 3
        assert outbox.withdraw(calls[1])  # in that turn
        for held in calls[1:]:
            outbox.launch(held)
        assert not outbox.withdraw(calls[2])
        outbox.pump()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(outbox.take_answers(9)) == 2
        assert outbox.idle

    outbox = Outbox(deliver, Marking(0.0), 4)  # type: ignore[arg-type]
    asyncio.run(scenario())
    assert sent == [2, 3]


def test_what_its_passage_is_too_old_for_goes_back_to_the_database() -> None:
    async def deliver(held: OneHeld) -> Result:
        assert held.number == 1
        return OK

    async def scenario() -> None:
        outbox = Outbox(deliver, LiveEndpoints(), 4)  # type: ignore[arg-type]
        calls: list[Any] = [OneHeld("j", 0, too_old=True), OneHeld("j", 1)]
        assert offered(outbox, *calls)
        outbox.pump()
        await asyncio.sleep(0)
        assert len(outbox.take_answers(9)) == 1
        assert not outbox.idle  # or the run would end with its user in it
        assert outbox.take_outlived() == calls[:1]
        assert outbox.held_call(0) is None
        assert outbox.idle

    asyncio.run(scenario())


def test_journeys_that_come_together_have_as_much_room_as_one_alone() -> None:
    def room(*journeys: str) -> list[int]:
        outbox = Outbox(None, LiveEndpoints(), 4)  # type: ignore[arg-type]
        calls = [OneHeld(name, number) for number, name in enumerate(journeys * 99)]
        full: list[Any] = []
        outbox.offer(calls, full.append)  # type: ignore[arg-type]
        kept: list[Any] = outbox.every_call()
        assert full == [held for held in calls if held not in kept]
        places = {
            ("api", name): {held.place for held in kept if held.journey == name}
            for name in journeys
        }
        assert outbox.places(places) == places
        assert outbox.places([("api", "none")]) == {("api", "none"): set()}
        return [sum(held.journey == name for held in kept) for name in journeys]

    assert room("one") == [4 + 32]
    assert room("one", "other") == [4 + 16, 4 + 16]
    assert room("one", "other", "third") == [4 + 10] * 3
