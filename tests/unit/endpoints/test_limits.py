from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.endpoints.limits import Window


@given(
    count=st.integers(1, 5),
    pauses=st.lists(st.floats(0, 0.7), max_size=60),
)
def test_a_window_never_gives_more_than_its_count_within_its_time(
    count: int, pauses: list[float]
) -> None:
    window, now, granted = Window(count, 1.0), 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait = window.take(now)
        if wait == 0.0:
            granted.append(now)
        else:
            now += wait + 1e-9
            assert window.take(now) == 0.0, "what it says is free then is free then"
            granted.append(now)
    assert all(b - a >= 1.0 for a, b in zip(granted, granted[count:], strict=False))
