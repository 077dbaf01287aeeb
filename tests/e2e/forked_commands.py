"""``journey`` and ``run-journey`` as files that a shell or a script can start, each a process of
``tests/forked.py``: what is started hands its arguments, folder, environment and streams to the
test, passes on the signals that it gets, and ends as the process does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.forked import Popen

_STUB = """\
#!{python} -IS
import json, os, signal, socket, sys
way = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
way.connect({address!r})
order = json.dumps([[{name!r}, *sys.argv[1:]], os.getcwd(), dict(os.environ)])
socket.send_fds(way, [order.encode()], [0, 1, 2])
pid = int(way.recv(32))
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(way.recv(32))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
_MOST_BYTES = 128 * 1024


@contextmanager
def forked_commands() -> Iterator[Path]:
    """The folder with the two commands, as long as the block lasts: what is under way then is
    killed.
    """
    started: list[Popen] = []
    Popen([sys.executable, "-c", ""], text=True).wait()  # the first waits for all imports
    with (
        tempfile.TemporaryDirectory(prefix="journey-") as name,  # an address must be short
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as ordered,
    ):
        folder = Path(name)
        address = str(folder / "ordered")
        for command in ("journey", "run-journey"):
            stub = _STUB.format(python=sys.executable, address=address, name=command)
            (folder / command).write_text(stub, encoding="utf-8")
            (folder / command).chmod(0o755)
        ordered.bind(address)
        ordered.listen()
        taking = threading.Thread(target=_take, args=(ordered, started))
        taking.start()
        try:
            yield folder
        finally:
            ordered.shutdown(socket.SHUT_RDWR)
            taking.join()
            for process in started:
                process.kill()


def _take(ordered: socket.socket, started: list[Popen]) -> None:
    with suppress(OSError):  # it was shut
        while True:
            way, _ = ordered.accept()
            order, streams, _, _ = socket.recv_fds(way, _MOST_BYTES, 3)
            words, folder, environment = json.loads(order)
            process = Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                text=True,
            )
            for stream in streams:
                os.close(stream)
            started.append(process)
            way.send(str(process.pid).encode())
            threading.Thread(target=_tell, args=(process, way), daemon=True).start()


def _tell(process: Popen, way: socket.socket) -> None:
    with way, suppress(OSError):  # who started it may be gone
        way.send(str(process.wait()).encode())
