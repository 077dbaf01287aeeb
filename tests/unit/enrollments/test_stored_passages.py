"""A passage that was stored goes on as one that stayed in memory."""

from __future__ import annotations

import pytest

from engine.core.interpreter.state import Passage, User
from engine.enrollments.rows import enrollment_row, read_passage
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
