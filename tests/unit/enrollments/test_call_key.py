"""The key of a call: what the documents say, and never shared."""

from __future__ import annotations

import base64
import hashlib

from engine.enrollments.ids import call_key


def test_the_key_of_a_call_is_what_the_documents_say() -> None:
    for enrollment in range(100):
        text = f"v1|0123abcd|{enrollment}|greet|2"
        expected = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:32]
        assert call_key("0123abcd", enrollment, "greet", 2) == expected


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
