"""A process that resolves credentials when told to: lines in, one JSON line out for each.

``get N`` resolves N at once, ``reject N`` N other ones than the last. The answer has the distinct
tokens (``values``), versions and failure codes. ``flow N PATH`` begins to send N calls a second
to the endpoint ``api``; ``stop 0`` ends that, and the answer has how many were ``good``, and of the
others (``failed``) when the call began and ended and its failure's code.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.clock import wall
from engine.credentials.credential import Credential
from engine.credentials.resolver import Resolver
from engine.endpoints.send import Sender
from engine.errors import CredentialFailure
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.databases import database_url
from tests.forked import Popen
from tests.unit.credentials.installation import Installation

ROOT = Path(__file__).parents[2]


class TokenUser:
    """The other end of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def tell(self, command: str) -> None:
        """Start a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, list[Any]]:
        """Wait for what came of the oldest command that was started."""
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def ask(self, command: str) -> dict[str, list[Any]]:
        """Start and wait."""
        self.tell(command)
        return self.answer()


@contextmanager
def token_users(folder: Path, count: int) -> Iterator[list[TokenUser]]:
    """That many processes on one installation, ready to be told."""
    command = [sys.executable, "-m", "tests.integration.token_user", str(folder)]
    command.append(database_url(folder))
    with ExitStack() as stack:
        users = []
        for _ in range(count):
            process = stack.enter_context(
                Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            users.append(TokenUser(process))
        for user in users:
            assert user.answer() == {"ready": []}
        yield users


async def _main(folder: Path, url: str) -> None:
    transport = HttpTransport(Egress.parse("127.0.0.0/8,[::1]"))
    here = Installation(folder, url=url)
    resolver = here.resolver(transport)
    flow = Flow(Sender(here.database, resolver, transport))
    last: Credential | None = None
    print('{"ready": []}', flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        verb, _, count = line.strip().partition(" ")
        if verb == "flow":
            rate, _, target = count.partition(" ")
            flow.begin(int(rate), target)
            continue
        if verb == "stop":
            print(json.dumps(await flow.end()), flush=True)
            continue
        refused = last if verb == "reject" else None
        work = (_one(resolver, refused) for _ in range(int(count)))
        found = await asyncio.gather(*work)
        last = next((each for each in found if isinstance(each, Credential)), last)
        print(json.dumps(_said(found)), flush=True)
    await resolver.close()
    await transport.close()


@dataclass
class Call:
    """A call to the endpoint ``api``."""

    key: str
    target: str
    endpoint: str = "api"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = "application/json"
    body: bytes = b'{"n":1}'


@dataclass
class Flow:
    """Calls that are sent one after another, evenly, whatever becomes of them."""

    sender: Sender
    good: int = 0
    failed: list[tuple[int, int, str]] = field(default_factory=list)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _going: asyncio.Task[None] | None = None

    def begin(self, rate: int, target: str) -> None:
        """So many a second from now on."""
        self._going = asyncio.create_task(self._send(1 / rate, target))

    async def end(self) -> dict[str, Any]:
        """Send no more, wait for those under way; what became of them."""
        assert self._going is not None
        self._going.cancel()
        await asyncio.gather(*self._calls)
        return {"good": self.good, "failed": self.failed}

    async def _send(self, pause: float, target: str) -> None:
        number = 0
        while True:
            number += 1
            task = asyncio.create_task(self._call(Call(f"{os.getpid()}-{number}", target)))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            await asyncio.sleep(pause)

    async def _call(self, call: Call) -> None:
        began = wall()
        sent = await self.sender.send(call)
        if sent.answer.status in (200, 201) and sent.failure is None:
            self.good += 1
        else:
            self.failed.append((began, wall(), sent.failure or str(sent.answer.status)))


async def _one(resolver: Resolver, refused: Credential | None) -> Credential | str:
    live = await resolver.current("scores")
    assert live is not None
    assert live.profile_id is not None
    try:
        return await resolver.credential(live.profile_id, live.profile_version, not_this=refused)
    except CredentialFailure as failure:
        return failure.code


def _said(found: list[Credential | str]) -> dict[str, list[Any]]:
    good = [each for each in found if isinstance(each, Credential)]
    return {
        "values": sorted({each.placement.headers[0][1].partition(" ")[2] for each in good}),
        "versions": sorted({each.version for each in good}),
        "codes": sorted({each for each in found if isinstance(each, str)}),
    }


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
