"""How many examples Hypothesis draws for a test: few in the suite, many where there is time."""

from __future__ import annotations

from hypothesis import settings


def share(suite: float, *, soak: float | None = None) -> settings:
    """So many of a profile's examples: in the suite, and with ``scripts/test --soak`` (else as many
    there).
    """
    soaking = settings.get_current_profile_name() == "soak"
    part = soak if soaking and soak is not None else suite
    return settings(max_examples=int(part * settings().max_examples))
