"""Recordings: what is taken out, what a power cut leaves, and a disk that is full."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.scripted import ScriptedAnswers
from engine.core.interpreter.state import Passage, StepRecord, User
from engine.core.interpreter.virtual import Exchanged
from engine.core.message import Answer
from engine.core.steps.base import Call
from engine.endpoints.send import Sent
from engine.enrollments.pending import Held, PendingCall
from engine.enrollments.recording import Kept, Recording, UnusableRecording
from engine.enrollments.replay import Replay
from engine.telemetry.redact import Redactor
from tests.e2e.canaries import leaks
from tests.unit.core.interpreter.passing import call, journey

SECRET = 'hush/"hush€+1'
CALL = Call("crm", "POST", "/ask")


def passage() -> Passage:
    program = journey(call())
    user = User("u1", bucket_of("u1"), None, {})
    steps = {0: StepRecord(visits=1)}
    return Passage(7, user, program, "", 1, {}, position=0, steps=steps)


def recording(path: Path, *, anew: bool = False) -> Recording:
    redactor = Redactor()
    redactor.learn([SECRET])
    return Recording(path, "j", Kept(), anew=anew, redactor=redactor)


def record(path: Path, *answers: Answer) -> None:
    file = recording(path)
    for number, answer in enumerate(answers, 1):
        file.simulated(passage(), CALL, number, Exchanged(answer, 1))
    file.close()


def replayed(path: Path, attempt: int = 1) -> Answer:
    with Replay(path, "j", ScriptedAnswers({}, {})) as replay:
        return replay.of("u1")(passage(), CALL, attempt, 0).answer


@pytest.mark.parametrize(
    "body", [b"{}", b"", "tschüß".encode(), b"\xff\x00\xfe", b"a\r\n\xe2\x80", '"\u2028"'.encode()]
)
def test_bodies_come_back_byte_by_byte(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "r.jsonl"
    answer = Answer(200, {"content-type": "text/plain; x=ü"}, body, elapsed_us=5)
    record(path, answer)
    assert replayed(path) == answer


def test_known_secrets_are_taken_out_in_every_encoding_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    plain = SECRET.encode()
    bodies = [plain, json.dumps(SECRET).encode(), b"\xff" + plain + b"\xfe", plain.hex().encode()]
    answers = [Answer(500, {"retry-after": SECRET}, body, text=SECRET) for body in bodies]
    record(path, *answers)
    assert not list(leaks([SECRET], [("r.jsonl", path.read_bytes())]))
    assert replayed(path, 3).body == b"\xff[redacted]\xfe"


def test_a_recording_is_written_on_and_half_a_line_of_a_power_cut_is_dropped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.jsonl"
    record(path, Answer(201))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"answer","us')
    file = recording(path)
    file.simulated(passage(), CALL, 2, Exchanged(Answer(202), 1))
    file.close()
    assert path.read_bytes().startswith(whole)
    assert (replayed(path, 1).status, replayed(path, 2).status) == (201, 202)
    recording(path, anew=True).close()
    assert path.read_bytes().count(b"\n") == 1


def test_a_disk_that_is_full_costs_the_recording_and_not_the_run(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    file = recording(path)
    closed = os.open(os.devnull, os.O_RDONLY)
    os.dup2(closed, file._file)
    os.close(closed)
    for _ in range(2):
        file.simulated(passage(), CALL, 1, Exchanged(Answer(200), 1))
    with pytest.raises(UnusableRecording, match="is incomplete: Bad file descriptor"):
        file.close()


def test_an_answer_is_recorded_beside_the_event_loop_and_before_its_result_counts(
    tmp_path: Path,
) -> None:
    class Slow(Redactor):
        def redact(self, text: str) -> str:
            assert going_on.wait(5), "the loop stands still"
            return super().redact(text)

    async def scenario() -> None:
        held = Held(passage(), pending)
        being = asyncio.create_task(file.attempted(held, sent))
        await asyncio.sleep(0)
        going_on.set()
        await being
        assert path.read_bytes().count(b"\n") == 2

    pending = PendingCall(0, 1, "crm", "POST", "/ask", (), None, b"", "key")
    sent = Sent(Answer(200, {}, b"{}"), None, "", 1, None)
    path, going_on = tmp_path / "r.jsonl", threading.Event()
    file = Recording(path, "j", Kept(), anew=False, redactor=Slow())
    asyncio.run(scenario())
    file.close()
