from __future__ import annotations

import asyncio

from engine.endpoints.limits import Gate, Window


def test_a_window_never_gives_more_than_its_count_within_its_time() -> None:
    window = Window(3, 1.0)
    at = [now + window.take(now) for now in (0.0, 0.0, 0.1, 0.1, 0.2, 5.0, 5.0)]
    assert at[:3] == [0.0, 0.0, 0.1]
    assert all(later - earlier >= 1.0 for earlier, later in zip(at, at[3:], strict=False))
    assert at[5:] == [5.0, 5.0]


def test_no_more_calls_are_inside_than_the_gate_lets_and_all_get_in_in_order() -> None:
    async def scenario() -> tuple[int, list[int]]:
        gate, most, inside, order = Gate(3), 0, 0, list[int]()

        async def one(number: int) -> None:
            nonlocal most, inside
            await gate.enter()
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1
            gate.leave()

        await asyncio.gather(*(one(number) for number in range(20)))
        assert gate.free == 3
        return most, order

    most, order = asyncio.run(scenario())
    assert most == 3
    assert order == list(range(20))


def test_one_who_gives_up_waiting_takes_no_permit_with_him() -> None:
    async def scenario() -> None:
        gate = Gate(1)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        gate.leave()
        waiting[1].cancel()  # its permit was just given to it
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await waiting[2]
        gate.leave()
        assert gate.free == 1

    asyncio.run(scenario())


def test_one_who_gives_up_during_the_rates_pause_gives_its_permit_back() -> None:
    async def scenario() -> None:
        gate = Gate(2)
        gate.configure(2, (1, 60.0))
        await gate.enter()
        second = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        gate.leave()
        assert gate.free == 2

    asyncio.run(scenario())


def test_a_raised_limit_lets_the_waiting_in_at_once() -> None:
    async def scenario() -> None:
        gate = Gate(1)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        gate.configure(4, None)
        await asyncio.gather(*waiting)

    asyncio.run(scenario())


def test_a_rate_makes_calls_wait_and_drops_none() -> None:
    async def scenario() -> float:
        gate = Gate(100)
        gate.configure(100, (5, 0.05))
        started = asyncio.get_running_loop().time()
        for _ in range(15):
            await gate.enter()
            gate.leave()
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(scenario()) >= 0.1
