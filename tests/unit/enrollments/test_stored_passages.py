"""A passage that was stored goes on as one that stayed in memory."""

from __future__ import annotations

import json

import pytest

from engine.core.interpreter.state import Passage, StepRecord, User
from engine.enrollments import rows
from engine.enrollments.rows import STATUS, enrollment_row, read_passage
from engine.versions.store import Published
from tests.unit.core.interpreter.passing import journey, put


@pytest.mark.parametrize(("depth", "seen_seq"), [(0, 0), (3, 0), (0, 7), (3, 7)])
def test_how_much_led_to_a_passage_is_kept_whatever_it_has_seen(depth: int, seen_seq: int) -> None:
    published = Published(1, "j", 1, journey(put()))
    user = User("ada", 7, None, {})
    passage = Passage(5, user, published.program, "", 1_000, {}, depth=depth, seen_seq=seen_seq)
    row = enrollment_row(passage)
    # As `due_passages` has the columns.
    read = [
        *(row[0], row[1], row[2], row[4], row[6], row[7], row[8], row[9], row[10], row[11]),
        *(row[12], row[13], row[15], row[16], None, "{}", row[14]),
    ]
    back = read_passage(read, user, published)
    assert (back.depth, back.seen_seq) == (depth, seen_seq)
    assert (back.entered_at, back.state, back.position) == (1_000, passage.state, passage.position)


def test_long_ways_are_written_like_short_ones_and_not_remembered() -> None:
    published = Published(1, "j", 1, journey(put()))
    passage = Passage(5, User("ada", 7, None, {}), published.program, "", 1_000, {})
    known = rows._known.cache_info().currsize
    passage.steps = {n: StepRecord("failed", "call.timed_out", None, n, None, 1) for n in range(40)}
    assert list(json.loads(rows.encode_data(passage))["s"].items()) == [
        (str(n), [STATUS["failed"], "call.timed_out", None, n, None, 1]) for n in range(40)
    ]
    assert rows._known.cache_info().currsize == known
    passage.steps = {3: StepRecord(None, None, None, 0, "a", 2)}
    assert json.loads(rows.encode_data(passage))["s"] == {"3": [None, None, None, 0, "a", 2]}
