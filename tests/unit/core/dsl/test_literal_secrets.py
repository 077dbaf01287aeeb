from __future__ import annotations

import pytest

from engine.core.dsl.literal_secrets import looks_secret, masked


@pytest.mark.parametrize(
    "line",
    [
        'base_url: "https://canary@api.example/v2"',
        "base_url: https://bot:canary@api.example/v2",
        'base_url: "https://api.example/v2?key=canary&a=1"',
        "client_secret: canary",
        "pairs: [{name: X-Key, token: canary}]",
    ],
)
def test_a_line_is_shown_without_what_may_be_secret_in_it(line: str) -> None:
    shown = masked(line)
    assert "canary" not in shown
    assert len(shown) == len(line)


@pytest.mark.parametrize(
    "text", ["https://somebody@example.com", "?key=1", "mailto:a@b.example", "12:30 @ home"]
)
def test_an_address_with_a_name_is_no_secret(text: str) -> None:
    assert looks_secret(text) is None
