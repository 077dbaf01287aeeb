"""Thousands of auth profiles, some of them broken: nobody else's calls are the slower for it."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from engine.clock import stopwatch
from engine.credentials.profiles import extend_origins, set_profile
from engine.credentials.references import Given
from engine.endpoints import store
from engine.endpoints.model import Endpoint
from engine.endpoints.send import Sender
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.databases import BOTH_IN_SOAK
from tests.integration.token_user import Call
from tests.partners.processes import Remote, spawned
from tests.unit.credentials.installation import NOW, Installation, profile

GOOD, STANDING_IN = "good", "well"
REFUSED, SLOW = "refused", "slow"


@dataclass(frozen=True)
class Size:
    """So many profiles, and how long is measured: so many ``pairs`` of ``seconds`` with the broken
    ones and as long without.
    """

    profiles: int
    broken: int
    pairs: int
    seconds: float


SIZES = [
    pytest.param(Size(150, 10, 1, 0.5), id="ci"),
    pytest.param(Size(5_000, 50, 16, 0.5), id="full", marks=pytest.mark.soak),
]
RATE = 150
"""Measured calls a second; a quarter as many go to the endpoints that are broken, or stand in."""


@contextmanager
def servers() -> Iterator[dict[str, Remote]]:
    """A token server that works, one that refuses everybody, one that takes 30 s; an API."""
    with ExitStack() as stack:
        good = stack.enter_context(spawned("oauth", "crm"))
        good["oauth"].change(secrets=["s3cret"])
        refusing = stack.enter_context(spawned("oauth"))["oauth"]
        refusing.change(reject=True)
        slow = stack.enter_context(spawned("oauth"))["oauth"]
        slow.change(delay=30.0)
        yield {**good, REFUSED: refusing, SLOW: slow}


def install(here: Installation, at: dict[str, Remote], size: Size) -> dict[str, list[str]]:
    """All profiles, an endpoint for each; the endpoints by what becomes of their calls."""
    kinds = [REFUSED] * size.broken + [SLOW] + [STANDING_IN] * (size.broken + 1)
    kinds += [GOOD] * (size.profiles - len(kinds))
    names: dict[str, list[str]] = {}
    with here.database.write() as connection:
        for number, kind in enumerate(kinds):
            name = f"{kind}-{number}"
            names.setdefault(kind, []).append(name)
            written = profile(
                kind="oauth2",
                token_url=f"{at.get(kind, at['oauth']).url}/oauth/token",
                client_id="crm-client",
                client_secret=Given("s3cret"),
            )
            means = (here.vault, here.references)
            set_profile(connection, *means, name, written, actor="ann", now=NOW)
            extend_origins(connection, name, [at["crm"].url], actor="ann", now=NOW)
            endpoint = Endpoint(name=name, base_url=at["crm"].url, auth=name)
            store.save(connection, endpoint, actor="ann", now=NOW)
    return names


class Measured:
    """Calls sent evenly; how long each of the measured ones took, and what became of all."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._number = 0
        self.ended: Counter[tuple[str, str]] = Counter()
        self.took: list[float] = []
        self._beside: set[asyncio.Task[None]] = set()

    async def end(self, *, wait: bool) -> None:
        """End the calls beside: wait for what becomes of them, or give them up."""
        for task in () if wait else self._beside:
            task.cancel()
        ended = await asyncio.gather(*self._beside, return_exceptions=True)
        assert not [each for each in ended if isinstance(each, Exception)]

    async def call(self, endpoint: str, *, measured: bool = False) -> None:
        """Send one."""
        self._number += 1
        began = stopwatch()
        sent = await self._sender.send(Call(f"call-{self._number}", "/tasks", endpoint))
        if measured:
            self.took.append(stopwatch() - began)
        kind = endpoint.partition("-")[0]
        self.ended[kind, sent.failure or str(sent.answer.status)] += 1

    async def pairs(
        self, good: Iterator[str], standing_in: Iterator[str], broken: Iterator[str], size: Size
    ) -> Pairs:
        """The same calls, once with as many that succeed going beside them, once with those of the
        broken ones; which of the two comes first changes from pair to pair.
        """
        await self.phase(good, standing_in, size.seconds)
        found: Pairs = []
        for number in range(size.pairs):
            turn = [standing_in, broken][:: 1 if number % 2 else -1]
            medians = [await self.phase(good, beside, size.seconds) for beside in turn]
            without, beside = medians[:: 1 if number % 2 else -1]
            found.append((without, beside))
        return found

    async def phase(self, good: Iterator[str], beside: Iterator[str], seconds: float) -> float:
        """The median of the measured calls with others going ``beside`` them, in seconds."""
        self.took = []
        async with asyncio.TaskGroup() as group:
            end, number = stopwatch() + seconds, 0
            while stopwatch() < end:
                group.create_task(self.call(next(good), measured=True))
                if number % 4 == 0:
                    # Not waited for here: one of them takes longer than a phase.
                    task = asyncio.create_task(self.call(next(beside)))
                    self._beside.add(task)
                    task.add_done_callback(self._beside.discard)
                number += 1
                await asyncio.sleep(1 / RATE)
        return statistics.median(self.took)


Pairs = list[tuple[float, float]]
"""Medians in seconds, without and beside the broken ones."""


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("size", SIZES)
def test_broken_profiles_and_a_slow_token_server_slow_nobody_else_down(
    tmp_path: Path, size: Size
) -> None:
    here = Installation(tmp_path)

    async def scenario(names: dict[str, list[str]]) -> tuple[Pairs, Measured]:
        transport = HttpTransport(Egress.parse("127.0.0.0/8,[::1]"))
        resolver = here.resolver(transport)
        measured = Measured(Sender(here.database, resolver, transport))
        good, broken = names[GOOD], [*names[SLOW], *names[REFUSED]]
        try:
            for first in range(0, len(good), 50):  # everybody has his token before
                await asyncio.gather(*map(measured.call, good[first : first + 50]))
            await asyncio.gather(*map(measured.call, names[STANDING_IN]))
            going = cycle(good), cycle(names[STANDING_IN]), cycle(broken)
            pairs = await measured.pairs(*going, size)
            await measured.end(wait=size.profiles >= 5_000)
            return pairs, measured
        finally:
            await resolver.close()
            await transport.close()

    with servers() as at:
        names = install(here, at, size)
        pairs, measured = asyncio.run(scenario(names))
        refused, slow = at[REFUSED].counts, at[SLOW].counts
    ratios = [beside / without for without, beside in pairs]
    ratio, apart = statistics.median(ratios), statistics.median(one for one, _ in pairs)
    low, high = statistics.quantiles(ratios, n=4)[::2] if len(ratios) > 1 else (ratio, ratio)
    print(
        f"{size.profiles} profiles: calls take {apart * 1000:.2f} ms, beside {size.broken} broken"
        f" ones and a slow token server {ratio - 1:+.1%} (quartiles of {len(pairs)} pairs"
        f" {low - 1:+.1%} and {high - 1:+.1%})"
    )
    assert {how for kind, how in measured.ended if kind in (GOOD, STANDING_IN)} == {"201"}
    failed = {how for kind, how in measured.ended if kind in (REFUSED, SLOW)}
    assert failed == {"credential.unavailable"}
    longest = 2 * size.pairs * (size.seconds + 1)
    assert refused["token.requests"] <= size.broken * (1 + longest / 30)
    assert slow["token.requests"] <= 2 + longest / 10
    assert ratio < 1.05 or size.profiles < 5_000
