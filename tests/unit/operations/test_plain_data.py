from __future__ import annotations

from dataclasses import dataclass, field

from engine.operations.plain_data import plain_data

INSTANT, TEXT = 1_790_000_000_000_000, "2026-09-21T14:13:20.000000Z"


@dataclass
class Taken:
    started_at: int
    at: int | None
    seen: dict[str, object] | None = None
    data: dict[str, object] = field(default_factory=dict)


@dataclass
class Told:
    visits: int
    steps: tuple[Taken, ...]
    others: list[Taken]


def test_instants_are_told_in_iso_8601_wherever_they_stand_but_in_what_users_brought() -> None:
    seen = {"until": INSTANT, "at": INSTANT, "user.at": INSTANT, "event": "clicked"}
    told = Told(1, (Taken(INSTANT, None, seen),), [Taken(INSTANT, INSTANT, data={"at": 5})])
    assert plain_data(told) == {
        "visits": 1,
        "steps": [
            {
                "started_at": TEXT,
                "at": None,
                "seen": {"until": TEXT, "at": TEXT, "user.at": INSTANT, "event": "clicked"},
                "data": {},
            }
        ],
        "others": [{"started_at": TEXT, "at": TEXT, "seen": None, "data": {"at": 5}}],
    }
