"""Users as JSON Lines: ``{"id", "timezone", "attributes", "inputs", "event"}`` on a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from engine.core import guarded_json
from engine.core.guarded_json import NotGuardedJSON
from engine.users.row import (
    BadRow,
    UserRow,
    check_id,
    check_inputs,
    check_zone,
    did_you_mean,
    one_of,
    shown,
)
from engine.users.source import Lines

KEYS = ("id", "timezone", "attributes", "inputs", "event")


class JSONLRows:
    """Reads users from JSON Lines."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = declared

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """A user for each line, or for a bad one what is wrong with it."""
        while True:
            lines.begin_row()
            line = lines.line + 1
            try:
                text = next(lines, None)
                if text is None:
                    return
                if not text.isspace():
                    yield self._row(line, text)
            except BadRow as bad:
                yield bad.at(line)

    def _row(self, line: int, text: str) -> UserRow:
        try:
            said = guarded_json.parse(text)
        except NotGuardedJSON as reason:
            raise BadRow("users.bad_json", f"the line isn't JSON to be taken: {reason}") from None
        if not isinstance(said, dict):
            raise BadRow(
                "users.bad_json",
                f"the line is {_a(said)}",
                'each line is one object: {"id": "u1", "attributes": {}}',
            )
        for key in said:
            if key not in KEYS:
                raise _unknown_key(key)
        attributes = _object(said, "attributes") or {}
        inputs = _object(said, "inputs") or {}
        check_inputs(self._declared, inputs)
        return UserRow(
            line,
            _id(said, attributes),
            _zone(said, attributes),
            attributes,
            inputs,
            _object(said, "event"),
        )


def _unknown_key(key: str) -> BadRow:
    def remedy() -> str:
        known = f"{one_of(KEYS)}; a user's own data goes into 'attributes'"
        return did_you_mean(key, KEYS) or known

    return BadRow("users.unknown_key", f"unknown key {shown(key)}", remedy)


def _object(said: dict[str, object], key: str) -> dict[str, object] | None:
    value = said.get(key)
    if value is not None and not isinstance(value, dict):
        raise BadRow("users.bad_json", f"{key!r} is {_a(value)}", "it must be an object")
    return cast("dict[str, object] | None", value)


def _id(said: dict[str, object], attributes: dict[str, object]) -> str:
    user = said.get("id", "")
    if not isinstance(user, str):
        raise BadRow("users.bad_id", f"the id is {_a(user)}", "an id is text: put quotes around it")
    if "id" in attributes:
        raise BadRow("users.bad_id", "'id' is no attribute", "it stands beside 'attributes'")
    return check_id(user)


def _zone(said: dict[str, object], attributes: dict[str, object]) -> str | None:
    inner = attributes.pop("timezone", None)
    outer = said.get("timezone")
    if inner is not None and outer is not None and inner != outer:
        raise BadRow(
            "users.unknown_zone",
            f"two timezones: {shown(outer)}, and {shown(inner)} among the attributes",
            "keep one",
        )
    zone = inner if outer is None else outer
    if zone is None or zone == "":
        return None
    if not isinstance(zone, str):
        raise BadRow("users.unknown_zone", f"the timezone is {_a(zone)}", "it must be text")
    return check_zone(zone)


def _a(value: object) -> str:
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "null"


_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "an object"),
)
