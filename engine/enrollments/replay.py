"""A recording, given again: what :mod:`engine.enrollments.recording` wrote answers a simulation."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, Literal, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, NonNegativeInt, ValidationError

from engine.core.interpreter.virtual import Exchanged
from engine.core.message import Answer
from engine.enrollments.recording import UnusableRecording, check_head
from engine.errors import OperatorError
from engine.users.row import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.core.interpreter.scripted import ScriptedAnswers
    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import Call


class ReplayMiss(OperatorError):
    """A call was made that the recording has no answer for."""

    code = "replay.miss"


class _Line(BaseModel):
    """An answer, as it stands in a recording."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["answer"]
    user: str
    key: str
    enrollment: int
    step: str
    visit: NonNegativeInt
    attempt: NonNegativeInt
    endpoint: str
    status: NonNegativeInt
    headers: dict[str, str]
    body: str = ""
    base64: Base64Bytes | None = None
    failure: str | None
    text: str
    requests: NonNegativeInt
    credential_version: int | None
    elapsed_us: NonNegativeInt

    def exchanged(self) -> Exchanged:
        """The attempt."""
        body = self.body.encode() if self.base64 is None else self.base64
        answer = Answer(
            status=self.status,
            headers=self.headers,
            body=body,
            failure=self.failure,
            text=self.text,
            elapsed_us=self.elapsed_us,
        )
        return Exchanged(answer, self.requests, self.credential_version)


class Replay:
    """A checked recording. Of each answer sixteen bytes stay in memory; it is open until closed.

    ``scripted`` answers what the recording doesn't, as far as it has a script for the endpoint.
    Raises UnusableRecording for a file that can't be read or isn't a recording of ``journey``.
    """

    def __init__(self, path: Path, journey: str, scripted: ScriptedAnswers) -> None:
        self.path = path
        self.scripted = scripted
        self._file: BinaryIO = _open(path)
        try:
            found = sorted(self._index(journey), key=lambda place: place[0])
        except BaseException:
            self._file.close()
            raise
        self._digests = array("Q", (digest for digest, _ in found))
        self._offsets = array("Q", (offset for _, offset in found))

    def of(self, user: str) -> _OneUser:
        """What answers one user, from his first call on."""
        return _OneUser(self, user, list(self._lines(user)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self, journey: str) -> Iterator[tuple[int, int]]:
        """A digest of its user for each line, and where the line begins."""
        name, offset = str(self.path), 0
        for number, line in enumerate(self._file, 1):
            if number == 1:
                check_head(line, name, journey)
            elif line.strip():
                try:
                    yield _digest(_Line.model_validate_json(line).user), offset
                except ValidationError as error:
                    first = error.errors(include_url=False, include_input=False)[0]
                    place = ".".join(map(str, first["loc"]))
                    why = f"{place}: {first['msg']}" if place else first["msg"]
                    raise UnusableRecording(
                        f"{name}:{number}: this is no recorded answer: {why}"
                    ) from None
            offset += len(line)
        if not offset:
            check_head(b"", name, journey)

    def _lines(self, user: str) -> Iterator[_Line]:
        digest = _digest(user)
        start, end = bisect_left(self._digests, digest), bisect_right(self._digests, digest)
        for place in range(start, end):
            self._file.seek(self._offsets[place])
            line = _Line.model_validate_json(self._file.readline())
            if line.user == user:
                yield line


class _OneUser:
    """The answers of one user. Passages that make calls are those of the recording, in turn for
    each key; of an attempt that was made twice, because a kill lost its answer, the last counts.
    """

    def __init__(self, replay: Replay, user: str, lines: list[_Line]) -> None:
        self._replay = replay
        self._user = user
        self._recorded: dict[str, list[int]] = {}
        self._answers: dict[tuple[int, str, int, int, str], _Line] = {}
        self._passages: dict[int, int | None] = {}
        for line in lines:
            enrollments = self._recorded.setdefault(line.key, [])
            if line.enrollment not in enrollments:
                enrollments.append(line.enrollment)
            place = (line.enrollment, line.step, line.visit, line.attempt, line.endpoint)
            self._answers[place] = line

    def __call__(self, passage: Passage, call: Call, attempt: int, number: int) -> Exchanged:
        """The recorded answer, else the scripted one. Raises ReplayMiss where there is neither."""
        if passage.id not in self._passages:
            waiting = self._recorded.get(passage.key)
            self._passages[passage.id] = waiting.pop(0) if waiting else None
        enrollment = self._passages[passage.id]
        step = passage.program.nodes[passage.position].step.id
        visit = passage.steps[passage.position].visits
        if enrollment is not None:
            line = self._answers.get((enrollment, step, visit, attempt, call.endpoint))
            if line is not None:
                return line.exchanged()
        scripted = self._replay.scripted
        if call.endpoint in scripted.endpoints:
            answer = scripted(call, number)
            return Exchanged(answer, 1 if answer.status or answer.may_have_been_sent else 0)
        raise ReplayMiss(
            f"{str(self._replay.path)!r} has no answer for user {shown(self._user)} at step {step}"
            f" (visit {visit}, attempt {attempt}): record it anew, or say what the endpoint"
            f" answers, as in --answer {call.endpoint}=200"
        )


def _open(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            raise UnusableRecording(f"can't read {str(path)!r}: it is no regular file")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise UnusableRecording(f"can't read {str(path)!r}: {reason}") from None


def _digest(user: str) -> int:
    return int.from_bytes(blake2b(user.encode(), digest_size=8).digest(), "big")
