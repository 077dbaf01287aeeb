"""A process that used the transport ends cleanly: no abort, no message, exit code 0."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from engine.core.message import Request
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport

OK = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"

async def answer(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(OK)
    except (asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
    transport = HttpTransport(Egress.parse("127.0.0.0/8"))
    calls = (transport.send(Request("GET", url), 5.0) for _ in range(50))
    assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
    server.close()
    await transport.close()
    print("done")

asyncio.run(main())
"""


def runs_to_its_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("attempt", range(5))
def test_the_interpreter_ends_cleanly_after_close(attempt: int) -> None:
    runs_to_its_end()


@pytest.mark.soak
def test_the_interpreter_ends_cleanly_forty_times_in_a_row() -> None:
    for _ in range(40):
        runs_to_its_end()
