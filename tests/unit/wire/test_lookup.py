"""Names are asked for beside everything else: silent name servers cost nobody but who asks them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from engine.errors import CallFailure
from engine.wire import lookup
from engine.wire.lookup import Lookup, system_query


def silent_for(monkeypatch: pytest.MonkeyPatch, silence: threading.Event) -> None:
    """Names that begin with ``silent`` get no answer before ``silence`` is over."""
    ask = socket.getaddrinfo

    def answer(host: str, *more: Any, **named: Any) -> Any:
        if host.startswith("silent"):
            silence.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return ask(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_fifty_silent_names_hold_up_no_other_name_and_no_thread_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = threading.Event()
    silent_for(monkeypatch, silence)

    async def scenario() -> None:
        names = Lookup()
        silent = [asyncio.ensure_future(names.addresses(f"silent-{n}", 30)) for n in range(50)]
        assert await asyncio.wait_for(names.addresses("localhost", 5), 5)
        await asyncio.wait_for(asyncio.to_thread(int), 5)
        silence.set()
        failures = await asyncio.gather(*silent, return_exceptions=True)
        assert {str(each) for each in failures} == {"the name server didn't answer"}
        await names.close()

    asyncio.run(scenario())


def test_no_more_names_are_asked_for_at_a_time_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = threading.Event()
    silent_for(monkeypatch, silence)
    monkeypatch.setattr(lookup, "MAX_QUERIES", 3)

    async def scenario() -> None:
        silent = [asyncio.ensure_future(system_query(f"silent-{n}")) for n in range(3)]
        await asyncio.sleep(0)
        names = Lookup()
        with pytest.raises(CallFailure, match="didn't answer"):
            await names.addresses("localhost", 5)
        silence.set()
        await asyncio.gather(*silent, return_exceptions=True)

    asyncio.run(scenario())


def test_a_process_ends_while_a_name_server_is_silent() -> None:
    script = (
        "import asyncio, socket, threading\n"
        "from engine.wire.lookup import Lookup\n"
        "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
        "async def main():\n"
        "    task = asyncio.ensure_future(Lookup().addresses('silent', 30))\n"
        "    await asyncio.sleep(0.01)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)


def test_names_that_nobody_asks_for_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MAX_KNOWN", 10)

    async def query(host: str) -> Sequence[str]:
        return ("192.0.2.1",)

    async def scenario() -> None:
        names = Lookup(query, lifetime_s=0.0)
        for number in range(100):
            await names.addresses(f"a{number}.test", 1)
        assert len(names._known) <= 10

    asyncio.run(scenario())
