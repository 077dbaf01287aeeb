"""Partners as a program: prints ``{"name": "url", ...}`` and serves until its input closes.

Each answers ``GET /__counts``, ``GET /__log`` and ``POST /__set {"setting": value}``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable

from tests.partners.authorization_server import AuthorizationServer
from tests.partners.faulty import Faulty
from tests.partners.partner import Partner
from tests.partners.plain import Answers, Echo
from tests.partners.protected import CRM, Loyalty, Messenger
from tests.partners.server import Server, new_loop
from tests.partners.tokens import TokenBook

DEMO = ("oauth", "crm", "loyalty", "messenger")


def partners(names: list[str]) -> dict[str, Partner]:
    """The partners of those names; CRM and authorization server share their tokens."""
    book = TokenBook()
    makers: dict[str, Callable[[], Partner]] = {
        "oauth": lambda: AuthorizationServer(book=book, users={"crm-bot": "crm-password"}),
        "crm": lambda: CRM(book),
        "loyalty": lambda: Loyalty({"bot": "loyalty-password"}),
        "messenger": lambda: Messenger({"X-Api-Key": "messenger-key"}),
        "answers": Answers,
        "load": lambda: Answers(record=False),
        "echo": Echo,
        "faulty": Faulty,
    }
    return {name: makers[name]() for name in names}


async def serve(running: dict[str, Partner], ports: dict[str, int]) -> None:
    """Serve all until standard input closes or SIGINT or SIGTERM comes."""
    servers = [Server(partner) for partner in running.values()]
    listening = [
        await server.listen(ports.get(name, 0))
        for name, server in zip(running, servers, strict=True)
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(json.dumps({name: partner.url for name, partner in running.items()}), flush=True)

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await stop.wait()
    for each in listening:
        each.close()
    for server in servers:
        server.hang_up()
    await asyncio.sleep(0)


def main() -> None:
    """``python -m tests.partners [NAME...] [--port NAME=N] [--set JSON]``."""
    parser = argparse.ArgumentParser(prog="python -m tests.partners", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        default=DEMO,
        help="oauth crm loyalty messenger (these by default) answers load echo faulty",
    )
    parser.add_argument("--port", action="append", default=[], metavar="NAME=N")
    parser.add_argument("--set", default="{}", metavar="JSON", help="{name: {setting: value}}")
    arguments = parser.parse_args()
    chosen = partners(list(arguments.names))
    for name, changes in json.loads(arguments.set).items():
        chosen[name].change(**changes)
    ports = dict(pair.split("=", 1) for pair in arguments.port)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(chosen, {name: int(port) for name, port in ports.items()}))


main()
