"""Partners in a process of their own, and how to ask and change them from here."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]


class Remote:
    """A partner that runs elsewhere, known by its ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def counts(self) -> dict[str, int]:
        """Its counters now; one that never counted isn't there."""
        return dict(self._ask("GET", "/__counts"))

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its last thousand requests: method, target, headers, body, at, status, credential."""
        return self.last(1000)

    def last(self, requests: int) -> list[dict[str, Any]]:
        """So many of its last requests, as in :attr:`log`."""
        return list(self._ask("GET", f"/__log?last={requests}"))

    def change(self, **changes: object) -> None:
        """As :meth:`Partner.change`. Raises ValueError for what it doesn't know."""
        self._ask("POST", "/__set", changes)

    def _ask(self, method: str, path: str, value: object = None) -> Any:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(value))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(said["error"])
        return said


@contextmanager
def spawned(*names: str, **settings: object) -> Iterator[dict[str, Remote]]:
    """Run partners (see ``python -m tests.partners --help``) in one process while the block lasts.

    ``settings`` are NAME={setting: value}.
    """
    command = [sys.executable, "-m", "tests.partners", *names, "--set", json.dumps(settings)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the partners didn't start")
        try:
            yield {name: Remote(url) for name, url in json.loads(line).items()}
        finally:
            process.stdin.close()
            process.wait(10)
