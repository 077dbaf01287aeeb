"""Lots: the same everywhere, evenly spread, and pinned for ever."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import pytest

from engine.core.expressions.assignment import bucket_of, fraction, held_out, lot, pick_arm


def test_lots_are_blake2b_over_joined_fields() -> None:
    digest = blake2b(b"cart-rescue/variant\x1fu1", digest_size=8).digest()
    assert lot("cart-rescue/variant", "u1") == int.from_bytes(digest, "big")
    assert bucket_of("u1") == blake2b(b"u1", digest_size=8).digest()[-1]


def test_lots_never_change() -> None:
    assert lot("retry", "u1", "welcome", "", "greet", "1", "2") == 13_003_412_616_976_584_198
    assert [bucket_of(f"u{n}") for n in range(5)] == [226, 213, 174, 31, 83]
    assert [pick_arm("welcome/split", f"u{n}", (50, 50)) for n in range(10)] == [
        1,
        0,
        1,
        1,
        0,
        1,
        0,
        1,
        0,
        0,
    ]


def test_a_fraction_is_below_one() -> None:
    assert all(0 <= fraction("s", str(n)) < 1 for n in range(1_000))


def test_arms_get_their_weights() -> None:
    counts = Counter(pick_arm("s", f"u{n}", (70, 0, 20, 10)) for n in range(20_000))
    assert counts[1] == 0
    for arm, share in ((0, 0.7), (2, 0.2), (3, 0.1)):
        assert counts[arm] / 20_000 == pytest.approx(share, abs=0.015)


def test_an_arm_is_sticky_and_scale_does_not_matter() -> None:
    for n in range(500):
        arm = pick_arm("s", f"u{n}", (50, 50))
        assert arm == pick_arm("s", f"u{n}", (50, 50)) == pick_arm("s", f"u{n}", (0.5, 0.5))


def test_different_salts_draw_independently() -> None:
    both = sum(
        pick_arm("a", f"u{n}", (1, 1)) == pick_arm("b", f"u{n}", (1, 1)) for n in range(10_000)
    )
    assert both / 10_000 == pytest.approx(0.5, abs=0.03)


def test_no_weight_above_zero_is_refused() -> None:
    for weights in ((), (0, 0)):
        with pytest.raises(ValueError, match="weight"):
            pick_arm("s", "u", weights)


def test_holdout_keeps_its_percentage_and_its_users() -> None:
    held = {n for n in range(20_000) if held_out("global", f"u{n}", 5)}
    assert len(held) / 20_000 == pytest.approx(0.05, abs=0.01)
    assert held <= {n for n in range(20_000) if held_out("global", f"u{n}", 10)}
    assert not any(held_out("global", f"u{n}", 0) for n in range(1_000))
    assert all(held_out("global", f"u{n}", 100) for n in range(1_000))


def test_buckets_are_spread_evenly_and_take_any_text() -> None:
    counts = Counter(bucket_of(f"user-{n}") for n in range(51_200))
    assert len(counts) == 256
    assert max(counts.values()) < 300
    assert 0 <= bucket_of("\ud800") <= 255
