"""The page of settings says of each what the code does."""

from __future__ import annotations

import re
from dataclasses import fields

from engine.settings import PREFIX, Settings
from tests.house.source import DOCS

ROWS = dict(
    re.findall(r"(?m)^\| `(JOURNEY_\w+)` \| (.+?) \|", (DOCS / "settings.md").read_text("utf-8"))
)


def test_every_setting_is_explained_in_its_order() -> None:
    assert list(ROWS) == [PREFIX + field.name.upper() for field in fields(Settings)]


def test_the_defaults_are_those_of_the_code() -> None:
    for field in fields(Settings):
        told = ROWS[PREFIX + field.name.upper()]
        if field.default:
            assert told == f"`{field.default}`"
        else:
            assert not re.fullmatch(r"`[^`]*`", told), "it has no default: say what holds then"
