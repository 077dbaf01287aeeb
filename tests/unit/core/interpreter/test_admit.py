"""Who enters: keys, re-entry, holdout, and what a journey must be brought."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.dsl.program import Program
from engine.core.interpreter.admit import LONGEST_KEY, Admission, Earlier, admit
from engine.core.interpreter.state import Passage, State, User
from tests.unit.core.interpreter.passing import DAY, NOW, WORLD, entered, journey, put


def _journey(**entry: Any) -> Program:
    return journey(put(), entry=entry)


def _before(
    *, key: str = "", days: float = 10, live: bool = False, outcome: str = "completed"
) -> Earlier:
    """A passage that began so many days ago."""
    at = NOW - int(days * DAY)
    ended = None if live else at + 1
    return Earlier(key, 3, 99, at, ended, None if live else outcome)


def _admit(program: Program, *earlier: Earlier, **values: Any) -> tuple[Admission, Passage]:
    passage = entered(program, **values)
    return admit(passage, WORLD, earlier), passage


def test_who_was_never_here_enters() -> None:
    for mode in ("once", "after_exit", "restart"):
        assert _admit(_journey(reentry=mode))[0] == Admission()


def test_once_is_once() -> None:
    program = _journey()
    assert _admit(program, _before())[0].refusal == "once"
    assert _admit(program, _before(live=True), _before())[0].refusal == "live"
    assert _admit(program, _before(outcome="held_out"))[0].refusal == "once"


def test_after_the_exit_one_may_come_back() -> None:
    program = _journey(reentry="after_exit")
    assert _admit(program, _before(), _before(days=20))[0] == Admission()
    assert _admit(program, _before(live=True))[0].refusal == "live"


def test_a_restart_names_the_live_passage() -> None:
    program = _journey(reentry="restart")
    live = _before(live=True)
    assert _admit(program, live, _before(days=20))[0] == Admission(restarts=live)
    assert _admit(program, _before())[0] == Admission()


def test_each_key_counts_for_itself() -> None:
    program = _journey(key="inputs.cart", inputs={"cart": "any"})
    same = _before(key="c1", live=True)
    admission, passage = _admit(program, same, inputs={"cart": "c1"})
    assert (admission.refusal, passage.key) == ("live", "c1")
    admission, passage = _admit(program, same, inputs={"cart": "c2"})
    assert (admission.refusal, passage.key) == (None, "c2")


@pytest.mark.parametrize(
    ("value", "key"),
    [(7, "7"), (True, "true"), (["a", 1], '["a",1]'), ("ü", "ü"), (2**70, str(2**70))],
)
def test_a_key_is_text(value: object, key: str) -> None:
    program = _journey(key="inputs.cart", inputs={"cart": "any"})
    assert _admit(program, inputs={"cart": value})[1].key == key


def test_long_keys_that_differ_at_their_end_stay_two_keys() -> None:
    program = _journey(key="inputs.cart", inputs={"cart": "text"})
    one = _admit(program, inputs={"cart": "x" * 300 + "1"})[1].key
    two = _admit(program, inputs={"cart": "x" * 300 + "2"})[1].key
    assert one != two
    assert max(len(one), len(two)) <= LONGEST_KEY
    assert one == _admit(program, inputs={"cart": "x" * 300 + "1"})[1].key


def test_who_brings_no_key_is_refused() -> None:
    program = _journey(key="user.cart")
    assert _admit(program)[0].refusal == "no_input"
    assert _admit(program, cart="c1")[0].refusal is None


def test_a_key_that_cannot_be_computed_refuses_this_user_only() -> None:
    program = _journey(key="user.n * 9223372036854775807")
    assert _admit(program, n=9)[0].refusal == "no_input"
    assert _admit(program, n=1)[0].refusal is None


def test_who_brings_not_what_the_journey_asks_for_is_refused() -> None:
    program = _journey(inputs={"cart": "text", "note": "any"})
    assert _admit(program, inputs={"cart": "c1"})[0].refusal == "no_input"
    assert _admit(program, inputs={"cart": "c1", "note": None})[0].refusal is None


def test_the_cooldown_counts_from_the_entry() -> None:
    program = _journey(reentry={"mode": "after_exit", "cooldown": "P10D"})
    assert _admit(program, _before(days=9.99))[0].refusal == "cooldown"
    assert _admit(program, _before(days=10))[0].refusal is None
    assert _admit(program, _before(days=30), _before(days=5))[0].refusal == "cooldown"


def test_a_restart_within_the_cooldown_ends_nobody() -> None:
    program = _journey(reentry={"mode": "restart", "cooldown": "P10D"})
    assert _admit(program, _before(days=1, live=True))[0] == Admission("cooldown")


def test_a_limit_counts_entries_in_the_span() -> None:
    program = _journey(reentry={"mode": "after_exit", "limit": {"count": 2, "per": "P10D"}})
    assert _admit(program, _before(days=1), _before(days=9))[0].refusal == "limit"
    assert _admit(program, _before(days=1), _before(days=10))[0].refusal is None
    assert _admit(program, _before(days=1, outcome="held_out"), _before(days=2))[0].refusal


def test_the_held_out_enter_and_end_at_once_the_same_ones_each_time() -> None:
    program = _journey(holdout=30)
    out = []
    for number in range(300):
        admission, passage = _admit(program, user=User(f"u{number}", 1, None, {}))
        assert admission.refusal is None
        if passage.state is State.ENDED:
            assert (passage.outcome, passage.ended_at) == ("held_out", passage.entered_at)
            out.append(passage.user.id)
    assert 60 < len(out) < 120
    again = entered(program, user=User(out[0], 1, None, {}))
    admit(again, WORLD, ())
    assert again.outcome == "held_out"


def test_who_is_refused_is_not_held_out() -> None:
    admission, passage = _admit(_journey(holdout=100), _before())
    assert (admission.refusal, passage.outcome) == ("once", None)
