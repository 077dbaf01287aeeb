"""What holds for every test: no setting of the machine leaks in, only loopback may be dialled."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("suite", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("soak", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Start from a bare environment; child processes of tests inherit it."""
    for name in list(os.environ):
        if name.startswith("JOURNEY_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["JOURNEY_EGRESS_ALLOW"] = "127.0.0.0/8,[::1]"
