"""How many examples Hypothesis draws for a test: few in the suite, many where there is time."""

from __future__ import annotations

from hypothesis import settings


def of_every(suite: int, *, soak: int) -> int:
    """Of so many things of a kind one is tried: in the suite, and with ``scripts/test --soak``."""
    return soak if _soaking() else suite


def share(suite: float, *, soak: float | None = None) -> settings:
    """So many of a profile's examples: in the suite, and with ``scripts/test --soak`` (else as many
    there).
    """
    part = soak if _soaking() and soak is not None else suite
    return settings(max_examples=int(part * settings().max_examples))


def _soaking() -> bool:
    return settings.get_current_profile_name() == "soak"
