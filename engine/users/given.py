"""What the command line says of a user: ids, and NAME=VALUE settings."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import guarded_json
from engine.core.guarded_json import NotGuardedJSON
from engine.users.row import BadRow, shown


def utf8(argument: str) -> str:
    """An argument as text: bytes that the locale has no character for come in as half surrogates
    (PEP 383). Raises :class:`BadRow`.
    """
    try:
        return argument.encode(errors="surrogateescape").decode()
    except UnicodeError:
        raise BadRow(
            "users.notutf8", f"{shown(argument)} is not UTF-8", "give it as UTF-8"
        ) from None


def pairs_of(option: str, settings: Sequence[str]) -> dict[str, str]:
    """Name to text of each ``NAME=VALUE`` of an option. Raises :class:`BadRow` for one that isn't,
    and for a name that stands twice.
    """
    pairs: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise BadRow(
                "users.bad_setting", f"{option} {shown(setting)} is no setting", "write NAME=VALUE"
            )
        if name in pairs:
            raise BadRow("users.bad_setting", f"{option} {name} stands twice", "keep one")
        pairs[name] = text
    return pairs


def json_or_text(text: str) -> object:
    """A value of the command line: JSON if it parses, text otherwise."""
    try:
        return guarded_json.parse(text)
    except NotGuardedJSON:
        return text
