"""Recordings: what endpoints answered, as JSON Lines, so that a simulation can answer the same.

The first line says what it is, ``{"type": "recording", "format": 1, "journey"}``; every other one
is an attempt of a call: whose (``user``, ``key``, ``enrollment``), at which ``step``, ``visit``,
``attempt`` and ``endpoint``, and its answer. Requests are none of it. Known secrets are taken out
of answers by value, in every encoding; what is left is what the endpoint said, personal data
included.
"""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from engine.core.steps.call_api import CallApiStep
from engine.errors import OperatorError
from engine.telemetry.redact import Redactor, known_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from engine.core.expressions.grammar import Expression
    from engine.core.interpreter.state import Passage
    from engine.core.interpreter.virtual import Exchanged
    from engine.core.message import Answer
    from engine.core.steps.base import Call
    from engine.core.steps.terms import Terms
    from engine.endpoints.send import Sent
    from engine.enrollments.pending import Held

FORMAT = 1
ALWAYS_KEPT = frozenset({"content-type", "retry-after"})
"""Headers by which an answer is read and tried again."""
NEVER_KEPT = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate"})
"""Headers that hand out credentials, or ask for them."""
_LONGEST_HEAD = 4096


class UnusableRecording(OperatorError):
    """A recording can't be written, or isn't one."""

    code = "recording.unusable"


@dataclass(frozen=True, slots=True)
class Kept:
    """Which headers of an answer are recorded: those of these ``names``, or all (None) but
    :data:`NEVER_KEPT`.
    """

    names: frozenset[str] | None = ALWAYS_KEPT

    @classmethod
    def of(cls, steps: Iterable[object], terms: Iterable[Terms]) -> Self:
        """Those that ``steps``, or endpoints' rules of success, read."""
        names = set(ALWAYS_KEPT)
        read: list[Expression | None] = [one.success.when for one in terms]
        for step in steps:
            if isinstance(step, CallApiStep):
                read += [*step.outputs.values(), step.success.when if step.success else None]
        for expression in read:
            for root, *keys in expression.references if expression else ():
                if root != "response" or keys[:1] not in ([], ["headers"]):
                    continue
                if len(keys) < 2:
                    return cls(None)
                names.add(str(keys[1]).lower())
        return cls(frozenset(names))

    def of_answer(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What is kept of ``headers``."""
        return {
            name: value
            for name, value in headers.items()
            if (self.names is None or name in self.names) and name not in NEVER_KEPT
        }


class Recording:
    """A recording being written. Whatever becomes of its file, the run goes on; close() tells.

    A file that is a recording of this journey is written on, or anew if ``anew``; a new one is its
    owner's alone (0600). Raises UnusableRecording for one that can't be written or is another file.
    """

    def __init__(
        self,
        path: Path,
        journey: str,
        kept: Kept,
        *,
        anew: bool,
        redactor: Redactor = known_secrets,
    ) -> None:
        self._path = path
        self._kept = kept
        self._redactor = redactor
        self._problem: str | None = None
        self._file = _open(path, journey, anew=anew)
        self._beside = ThreadPoolExecutor(1)  # one: lines are written one after another

    async def attempted(self, held: Held, sent: Sent) -> None:
        """Record an attempt of a live run; beside the event loop, since answers may be large."""
        call, passage = held.call, held.passage
        where = (call.step, call.visit, call.tries + 1, call.endpoint)
        requests, version = sent.attempts, sent.credential_version
        line = (passage, where, sent.answer, sent.failure, sent.text, requests, version)
        import asyncio  # noqa: PLC0415 - a simulation that replays has no loop

        await asyncio.get_running_loop().run_in_executor(self._beside, self._write, *line)

    def simulated(self, passage: Passage, call: Call, attempt: int, made: Exchanged) -> None:
        """Record an attempt of a simulation."""
        visit = passage.steps[passage.position].visits
        where = (passage.position, visit, attempt, call.endpoint)
        answer = made.answer
        version = made.credential_version
        self._write(passage, where, answer, answer.failure, answer.text, made.requests, version)

    def close(self) -> None:
        """Close the file. Raises UnusableRecording if not everything could be written."""
        self._beside.shutdown()
        os.close(self._file)
        if self._problem is not None:
            raise UnusableRecording(f"the recording {self._path} is incomplete: {self._problem}")

    def _write(
        self,
        passage: Passage,
        where: tuple[int, int, int, str],
        answer: Answer,
        failure: str | None,
        text: str,
        requests: int,
        credential_version: int | None,
    ) -> None:
        step, visit, attempt, endpoint = where
        line = {
            "type": "answer",
            "user": passage.user.id,
            "key": passage.key,
            "enrollment": passage.id,
            "step": passage.program.nodes[step].step.id,
            "visit": visit,
            "attempt": attempt,
            "endpoint": endpoint,
            "status": answer.status,
            "headers": {
                name: self._redactor.redact(value)
                for name, value in self._kept.of_answer(answer.headers).items()
            },
            **self._body(answer.body),
            "failure": failure,
            "text": self._redactor.redact(text),
            "requests": requests,
            "credential_version": credential_version,
            "elapsed_us": answer.elapsed_us,
        }
        self._append(line)

    def _body(self, body: bytes) -> dict[str, str]:
        # One text whatever the bytes are: what isn't UTF-8 comes back as it was.
        said = self._redactor.redact(body.decode(errors="surrogateescape"))
        try:
            said.encode()
        except UnicodeEncodeError:
            return {"base64": b64encode(said.encode(errors="surrogateescape")).decode()}
        return {"body": said}

    def _append(self, line: dict[str, Any]) -> None:
        if self._problem is not None:
            return
        data = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self._problem = error.strerror or type(error).__name__


def _open(path: Path, journey: str, *, anew: bool) -> int:
    """The file, opened to be written on."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise UnusableRecording(f"can't write {str(path)!r}: {reason}") from None
    try:
        _prepare(file, path, journey, anew=anew)
    except BaseException:
        os.close(file)
        raise
    return file


def _prepare(file: int, path: Path, journey: str, *, anew: bool) -> None:
    """Find the place to write at."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise UnusableRecording(f"can't write {str(path)!r}: it is no regular file")
    begins = os.pread(file, _LONGEST_HEAD, 0)
    if begins:
        check_head(begins, str(path), journey)
    try:
        if begins and not anew:
            os.ftruncate(file, _end_of_lines(file))
        else:
            os.ftruncate(file, 0)
            head = {"type": "recording", "format": FORMAT, "journey": journey}
            os.write(file, json.dumps(head).encode() + b"\n")
        os.lseek(file, 0, os.SEEK_END)
    except OSError as error:
        raise UnusableRecording(f"can't write {str(path)!r}: {error.strerror}") from None


def check_head(begins: bytes, path: str, journey: str) -> None:
    """Raise UnusableRecording unless a file that ``begins`` so is a recording of ``journey``."""
    try:
        head = json.loads(begins.partition(b"\n")[0])
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("type") != "recording":
        raise UnusableRecording(f"{path!r} holds something else than a recording; name another")
    if head.get("format") != FORMAT:
        raise UnusableRecording(f"{path!r} was recorded by another version; record it anew")
    if head.get("journey") != journey:
        of = str(head.get("journey"))[:63]
        raise UnusableRecording(f"{path!r} is a recording of the journey {of}, not of {journey}")


def _end_of_lines(file: int) -> int:
    """Where the last whole line ends: a power cut may have left half a one."""
    end = os.fstat(file).st_size
    position = end
    while position > 0:
        start = max(0, position - 65_536)
        found = os.pread(file, position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
