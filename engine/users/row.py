"""One user as a file, a line of standard input or the command line brings him."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from zoneinfo import available_timezones

from engine.core.expressions.calendar import find_zone
from engine.core.expressions.declared import fits
from engine.core.guarded_json import quoted, text_of

LONGEST_PATH = 250
"""Characters of a path that a message shows: the end of it says most."""

MAX_ID = 255
"""Characters in a user id."""

# Control characters, and half surrogates: no text of Unicode holds them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST_EVENT = 200
_EVENT = re.compile(rf"(?! )[^\x00-\x1f\x7f\ud800-\udfff]{{1,{_LONGEST_EVENT}}}(?<! )")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None}
_MAX_DIGITS = 1000


@dataclass(slots=True)
class UserRow:
    """A user who is to be taken through a journey.

    ``line`` is where his row begins, counted from 1 (0: from the command line). ``attributes`` and
    ``inputs`` hold JSON values; ``event`` is the event he enters by, if the row has one.
    """

    line: int
    id: str
    timezone: str | None
    attributes: dict[str, object]
    inputs: dict[str, object]
    event: dict[str, object] | None = None


class BadRow(Exception):
    """A row can't be used: a slug, what is wrong, and what would be right ('' if nothing helps).

    A remedy that takes a search is given as a function: of a million bad rows twenty are shown.
    """

    def __init__(self, code: str, message: str, remedy: str | Callable[[], str] = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = 0
        self._remedy = remedy

    @property
    def remedy(self) -> str:
        """What would be right."""
        return self._remedy if isinstance(self._remedy, str) else self._remedy()

    def at(self, line: int) -> Self:
        """The same, of the row that begins on ``line``."""
        self.line = line
        return self


def typed(text: str) -> object:
    """``text`` as CSV and the command line type it.

    Exactly ``true``, ``false`` and ``null`` and JSON's numbers have a type; ``007``, ``+1`` and
    ``True`` stay text, and so does a number beyond what a float holds.
    """
    if text.isdecimal() and text[0] != "0" and len(text) < _MAX_DIGITS and text.isascii():
        return int(text)  # the common case, without a match object
    if text[:1] in _NUMBER_STARTS:
        number = _NUMBER.fullmatch(text)
        if number is None or len(text) > _MAX_DIGITS:
            return text
        if number[1] is None and number[2] is None:
            return int(text)
        value = float(text)
        return text if value - value != 0.0 else value
    return _CONSTANTS.get(text, text)


_NUMBER_STARTS = frozenset("-0123456789")


def all_typed(texts: Sequence[str]) -> Sequence[object]:
    """:func:`typed` of each of them."""
    # All that a number begins with comes before ":".
    if min(filter(None, texts), default=":") >= ":" and _CONSTANTS.keys().isdisjoint(texts):
        return texts
    values = {text: typed(text) for text in {*texts}}
    return [*map(values.__getitem__, texts)]


def typed_json(text: str) -> str:
    """:func:`typed` of ``text``, as JSON."""
    if text.isdecimal() and text[0] != "0" and len(text) < _MAX_DIGITS and text.isascii():
        return text
    value = typed(text)
    return quoted(text) if value is text else text_of(value)


def check_id(user: str) -> str:
    """``user`` itself; :class:`BadRow` if it can't be a user's id."""
    if not user or user.isspace():
        raise BadRow("users.no_id", "the row has no id", "every user needs an id")
    if len(user) > MAX_ID:
        raise BadRow(
            "users.bad_id",
            f"the id is {len(user):,} characters long",
            f"an id has at most {MAX_ID} characters",
        )
    if not user.isprintable() and _CONTROL.search(user):  # the first is a tenth of the second
        raise BadRow("users.bad_id", f"the id {shown(user)} has a control character", "take it out")
    return user


def are_ids(texts: Collection[str]) -> bool:
    """Whether all of them are, surely, ids of users or events, told without a look at each."""
    return not texts or (
        "".join(texts).isprintable()
        and "" not in texts
        and max(map(len, texts)) <= MAX_ID
        and not any(map(str.isspace, texts))
    )


def check_event_name(name: object) -> str:
    """``name`` itself; :class:`BadRow` if no journey could name such an event."""
    if not isinstance(name, str) or not (_is_plain(name) or _EVENT.fullmatch(name)):
        raise BadRow(
            "events.bad_name",
            f"{shown(name)} is no event's name",
            "a name is text of one line, at most 200 characters, no blank at its ends",
        )
    return name


def _is_plain(name: str) -> bool:
    """Whether an event's name is surely one, told without a match object."""
    return 0 < len(name) <= _LONGEST_EVENT and name.isprintable() and " " not in (name[0], name[-1])


def check_message_id(message_id: object) -> str:
    """``message_id`` itself; :class:`BadRow` if it can't be an event's id."""
    if (
        not isinstance(message_id, str)
        or not 0 < len(message_id) <= MAX_ID
        or (not message_id.isprintable() and _CONTROL.search(message_id))
    ):
        raise BadRow(
            "events.bad_id",
            f"the event's id is {shown(message_id)}",
            f"an id is text of 1 to {MAX_ID} characters",
        )
    return message_id


def check_zone(name: str) -> str:
    """``name`` itself; :class:`BadRow` unless it is a zone of the IANA database."""
    if find_zone(name) is None:
        raise BadRow(
            "users.unknown_zone",
            f"the timezone {shown(name)} is unknown",
            lambda: did_you_mean(name, available_timezones()) or "use a name like Europe/Istanbul",
        )
    return name


def check_inputs(declared: Mapping[str, str], inputs: Mapping[str, object]) -> None:
    """Raise :class:`BadRow` unless ``inputs`` are exactly the declared ones, of their types."""
    for name, kind in declared.items():
        if name not in inputs:
            raise BadRow(
                "users.missing_input",
                f"the input {shown(name)} is missing",
                f"the journey asks every user for it ({kind})",
            )
        if not fits(kind, inputs[name]):
            raise BadRow(
                "users.bad_input",
                f"the input {shown(name)} is {shown(inputs[name])}",
                f"it must be {_WANTED[kind]}",
            )
    if len(inputs) != len(declared):
        unknown = next(name for name in inputs if name not in declared)
        raise BadRow(
            "users.unknown_input",
            f"the journey has no input {shown(unknown)}",
            lambda: did_you_mean(unknown, declared) or one_of(declared),
        )


_WANTED = {
    "text": "text",
    "number": "a number",
    "boolean": "true or false",
    "date": "an ISO 8601 date or time, like 2026-11-22 or 2026-11-22T09:00:00+03:00",
    "any": "a value",
}


def shown(value: object, most: int = 60) -> str:
    """``value`` as a message shows it: quoted, on one line, cut to ``most`` characters."""
    quoted = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return quoted if len(quoted) <= most else quoted[: most - 4] + "...'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest of ``known``, or ''."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]!r}?" if near else ""


def one_of(known: Iterable[str]) -> str:
    """What there is, as a remedy."""
    names = ", ".join(known)
    return f"known: {names}" if names else "it declares none"
