"""Intervals against the figures that were published with them."""

from __future__ import annotations

import pytest

from engine.enrollments.uplift import share_of, uplift


# R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine
# 17 (1998), table I, method 3: the score interval.
@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_share_has_the_published_score_interval(
    part: int, whole: int, low: float, high: float
) -> None:
    share = share_of(part, whole)
    assert share is not None
    assert share.low == pytest.approx(low, abs=5e-5)
    assert share.high == pytest.approx(high, abs=5e-5)
    assert share.value == part / whole


# R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics
# in Medicine 17 (1998), table II, method 10.
@pytest.mark.parametrize(
    ("treated", "held_out", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_a_difference_has_the_published_hybrid_interval(
    treated: tuple[int, int], held_out: tuple[int, int], low: float, high: float
) -> None:
    found = uplift(treated, held_out)
    assert found is not None
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
    assert found.difference == treated[0] / treated[1] - held_out[0] / held_out[1]
    assert found.certain is (low > 0)


@pytest.mark.parametrize(("treated", "held_out"), [((1, 2), (0, 0)), ((0, 0), (1, 2))])
def test_without_somebody_on_both_sides_there_is_no_uplift(
    treated: tuple[int, int], held_out: tuple[int, int]
) -> None:
    assert uplift(treated, held_out) is None
