"""Ids that rise and never meet, and the key of a call."""

from __future__ import annotations

import base64
import hashlib

from engine.db.ids import IdMaker, entropy
from engine.enrollments.ids import call_key

NOW = 1_790_000_000_000_000


def test_a_hundred_thousand_ids_rise_and_differ() -> None:
    make = IdMaker(entropy)
    ids = [make(NOW + n // 100) for n in range(100_000)]
    assert ids == sorted(set(ids))


def test_ids_fit_into_63_bits_until_2069() -> None:
    last = 3_124_224_000_000_000  # 2069-01-01
    for instant in (0, 946_684_800_000_000, NOW, last):
        made = IdMaker(lambda: 2**22 - 1)(instant)
        assert 0 < made < 2**63


def test_a_later_id_is_larger_in_whichever_process() -> None:
    for earlier in (1_000_000_000_000_000, 1_600_000_000_000_000, NOW):
        assert IdMaker(lambda: 2**22 - 1)(earlier) < IdMaker(lambda: 0)(earlier + 1_000)


def test_ids_rise_when_the_clock_goes_back() -> None:
    make = IdMaker(entropy)
    before = make(NOW)
    assert make(NOW - 3_600_000_000) > before


def test_the_same_entropy_makes_the_same_ids() -> None:
    def ids() -> list[int]:
        make = IdMaker(iter(range(100)).__next__)
        return [make(NOW) for _ in range(50)]

    assert ids() == ids()


def test_the_key_of_a_call_is_what_the_documents_say() -> None:
    text = "v1|0123abcd|77|greet|2"
    expected = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:32]
    assert call_key("0123abcd", 77, "greet", 2) == expected


def test_a_key_stays_what_it_was_in_the_first_release() -> None:
    assert call_key("0123abcd", 77, "greet", 2) == "VAQT4VUVKQR23H7LPLGUCE5YHWTXQQTU"


def test_calls_that_differ_in_anything_have_different_keys() -> None:
    keys = {
        call_key(installation, enrollment, step, visit)
        for installation in ("a", "b")
        for enrollment in (1, 2)
        for step in ("x", "y")
        for visit in (1, 2)
    }
    assert len(keys) == 16
    assert all(len(key) == 32 and key.isalnum() for key in keys)
