"""yaml-language-server, the program that VS Code and others run, spoken to over stdio."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

HERE = Path(__file__).parent
PROGRAM = HERE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
ANSWERS_WITHIN_S = 60

Message = dict[str, Any]

_SETTINGS = {
    "yaml": {
        "schemaStore": {"enable": False},
        "completion": True,
        "hover": True,
        "validate": True,
    }
}


def what_is_missing() -> str:
    """What keeps the server from running here, in words; '' if nothing does."""
    if shutil.which("node") is None:
        return "node isn't installed"
    return "" if PROGRAM.exists() else "no yaml-language-server: `npm ci --prefix tests/editor`"


class LanguageServer:
    """A running server. It reads files and schemas from disk and never from the network."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(PROGRAM), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._arrived: queue.Queue[Message] = queue.Queue()
        self._asked = 0
        self._found: dict[str, list[Message]] = {}
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
            },
        }
        self.ask("initialize", processId=None, rootUri=None, capabilities=capabilities)
        self._send({"method": "initialized", "params": {}})
        self._send(
            {"method": "workspace/didChangeConfiguration", "params": {"settings": _SETTINGS}}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def open(self, file: Path) -> list[Message]:
        """Open ``file``; its diagnostics."""
        document = {
            "uri": file.as_uri(),
            "languageId": "yaml",
            "version": 1,
            "text": file.read_text(encoding="utf-8"),
        }
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while file.as_uri() not in self._found:
            self._take()
        return self._found.pop(file.as_uri())

    def ask(self, method: str, **parameters: object) -> Any:
        """The answer to a request."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": parameters})
        while True:
            message = self._take()
            if message.get("id") == self._asked and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def at(self, method: str, file: Path, line: int, column: int) -> Any:
        """The answer about a place in ``file``; line and column from 1."""
        position = {"line": line - 1, "character": column - 1}
        return self.ask(
            f"textDocument/{method}", textDocument={"uri": file.as_uri()}, position=position
        )

    def _take(self) -> Message:
        """The next message; what the server asks of its client is answered."""
        message = self._arrived.get(timeout=ANSWERS_WITHIN_S)
        if message.get("method") == "textDocument/publishDiagnostics":
            self._found[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            wanted = message["params"].get("items", []) if message.get("params") else []
            answers = [_SETTINGS.get(str(item.get("section")), {}) for item in wanted]
            self._send({"id": message["id"], "result": answers or None})
        return message

    def _send(self, message: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self, stream: IO[bytes]) -> None:
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._arrived.put(json.loads(stream.read(length)))
