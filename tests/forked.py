"""Processes that needn't import the engine first: forked from one that has.

Most of a short command's time goes into its imports. A :class:`Popen` of this module is the one of
``subprocess``, and its process is a child of this one with its own pid, signals, streams, folder
and environment; but it is forked from a *stock*, which has everything imported, in a hundredth of
the time. It takes console scripts of the engine and ``python -c`` or ``-m``; no signal is
ignored in it, whatever this process was told to ignore. That a program starts
from nothing is proven with ``subprocess`` (tests/unit/cli/test_start.py, tests/e2e/test_demo.py,
tests/e2e/test_first_journey.py, tests/e2e/test_interrupted.py). A shell or another program starts
such a process by tests/e2e/forked_commands.py.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parents[1]
_SCRIPTS = {"journey": "engine.cli.main", "run-journey": "engine.cli.run_journey"}
_PR_SET_CHILD_SUBREAPER = 36
_MOST_BYTES = 128 * 1024
"""What an order may have: the arguments, and the variables."""

Program = Callable[[], object]


class Popen(subprocess.Popen[str]):
    """``subprocess.Popen`` for what a stock can run; on Linux only it is forked."""

    def _execute_child(self, args: Any, *given: Any) -> None:
        if sys.platform != "linux":
            super()._execute_child(args, *given)  # type: ignore[misc]
            return
        cwd, env = given[4:6]
        ends = given[9:15]
        theirs = [own if end == -1 else end for own, end in enumerate((ends[0], ends[3], ends[5]))]
        folder = str(Path.cwd() if cwd is None else cwd)
        order = [list(map(str, args)), folder, dict(os.environ if env is None else env)]
        stock = _stock()
        socket.send_fds(stock, [json.dumps(order).encode()], theirs)
        self.pid = int(stock.recv(32))
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]


@cache
def _stock() -> socket.socket:
    """The way to this process's stock: it ends when this is closed."""
    # Whoever loses his parent becomes a child of this process, which can wait for him then.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(other.fileno())],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
        )
    process.returncode = 0  # nobody waits for it
    return mine


# --- in the stock -----------------------------------------------------------------------------


def _take_in() -> None:
    """Import whatever commands need, and ignore nothing."""
    import engine

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        if not module.name.startswith(("engine.db.migrations", "engine.__main__")):
            importlib.import_module(module.name)
    for name in ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "uvloop"):
        importlib.import_module(name)
    gc.freeze()


def _serve(orders: socket.socket) -> Program | None:
    """Fork a process for each order. Returns in each of them what it is to run, and None in the
    stock at the end.
    """
    while True:
        order, streams, _, _ = socket.recv_fds(orders, _MOST_BYTES, 3)
        if not order:
            return None
        reading, writing = os.pipe()
        if (between := os.fork()) == 0:
            # Forked twice, so that it has lost its parent.
            if pid := os.fork():
                os.write(writing, str(pid).encode())
                os._exit(0)
            for end in (reading, writing):
                os.close(end)
            orders.close()
            words, folder, environment = json.loads(order)
            return _become(words, folder, environment, streams)
        os.waitpid(between, 0)
        orders.send(os.read(reading, 32))
        for end in (reading, writing, *streams):
            os.close(end)


def _become(
    words: list[str], folder: str, environment: Mapping[str, str], streams: list[int]
) -> Program:
    """Make this process as if it had been started with these."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    from engine.db import ids

    ids._random.seed(secrets.randbits(128))
    return _program(words)


def _program(words: list[str]) -> Program:
    name, *arguments = words
    sys.argv = words
    if name != sys.executable:
        script = importlib.import_module(_SCRIPTS[Path(name).name])
        entry: Program = script.entry
        return entry
    how, what, *rest = arguments
    sys.argv = [how, *rest]
    if how == "-m":
        return lambda: runpy.run_module(what, run_name="__main__", alter_sys=True)
    code = compile(what, "<string>", "exec")
    return lambda: exec(code, {"__name__": "__main__"})


def _run(program: Program) -> NoReturn:
    """Run it, and end the process without taking apart all that was imported."""
    from engine.cli.outcome import leave

    code: object = 0
    try:
        program()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    leave(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _take_in()
    if (program := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _run(program)
