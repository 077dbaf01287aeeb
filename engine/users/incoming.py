"""What comes in from outside about users: events, changes of attributes, entries into journeys.

Each is checked here, once for the command line, files and the API: whatever is in the inbox can be
taken by a journey, stored by every database, and costs a bounded time to apply.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core import guarded_json
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import MINUTE
from engine.core.guarded_json import MAX_DEPTH, NotGuardedJSON, text_of
from engine.users.row import (
    BadRow,
    check_event_name,
    check_id,
    check_message_id,
    check_zone,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LARGEST = 32 * 1024
"""Bytes of an event's properties, a change's attributes or an entry's inputs, as JSON."""

AHEAD = 10 * MINUTE
"""How far a sender's clock may be ahead of ours, in microseconds."""

EVENT, CHANGE, ENTRY, ERASE, LINK = range(5)
"""Kinds of rows of the inbox that come from outside."""

ANONYMOUS = "anon:"
"""What stands before the id of a user who isn't known by a name yet."""

LONG_NUMBER = re.compile(r"[0-9]{19}")
_INT64 = range(-(2**63), 2**63)
_JOURNEY = re.compile(r"[a-z][a-z0-9-]{0,62}")
_LONGEST_NAME = 200


@dataclass(slots=True)
class IncomingEvent:
    """Something a user did. ``at`` is when (microseconds UTC; None: now); ``message_id``, where the
    sender gives one, makes the event happen once however often it is sent.
    """

    user: str
    name: str
    properties: Mapping[str, object]
    at: int | None = None
    message_id: str | None = None


@dataclass(slots=True)
class IncomingChange:
    """Attributes of a user that are to be set: None removes one, ``timezone`` is his zone."""

    user: str
    values: Mapping[str, object]
    at: int | None = None
    message_id: str | None = None


@dataclass(slots=True, frozen=True)
class IncomingEntry:
    """A user who is to enter a journey, with its inputs."""

    user: str
    journey: str
    inputs: Mapping[str, object]
    at: int | None = None
    message_id: str | None = None


@dataclass(slots=True, frozen=True)
class IncomingLink:
    """An anonymous user (his id begins with :data:`ANONYMOUS`) who turned out to be the known user
    ``known``.
    """

    user: str
    known: str
    at: int | None = None
    message_id: None = None


Incoming = IncomingEvent | IncomingChange | IncomingEntry | IncomingLink

InboxRow = tuple[int, int, str, int, str, int, str | None, str]
"""Bucket, id, user, kind, name, own time, message id, data (JSON): as ``insert_inbox`` takes it."""


def inbox_row(fact: Incoming, id_: int, now: int) -> InboxRow:
    """The row that ``fact`` is in the inbox. Raises :class:`BadRow` for one that can't be taken."""
    user = check_id(fact.user)
    message_id = fact.message_id
    if message_id is not None:
        check_message_id(message_id)
    if isinstance(fact, IncomingEvent):
        kind, name = EVENT, check_event_name(fact.name)
        data = _encoded(fact.properties, "the properties")
    elif isinstance(fact, IncomingChange):
        kind, name = CHANGE, ""
        check_attributes(fact.values)
        data = _encoded(fact.values, "the attributes")
    elif isinstance(fact, IncomingLink):
        kind, name, data = LINK, check_id(fact.known), "{}"
    else:
        kind, name = ENTRY, _journey(fact.journey)
        data = f'{{"inputs":{_encoded(fact.inputs, "the inputs")}}}'
    return bucket_of(user), id_, user, kind, name, own_time(fact.at, now), message_id, data


def numbered(rows: Sequence[InboxRow], ids: Iterable[int]) -> list[InboxRow]:
    """Rows that :func:`inbox_row` made before, with their own ids: in the order of the inbox."""
    buckets, _, *others = zip(*rows, strict=True)
    return sorted(zip(buckets, ids, *others, strict=True))


def check_attributes(values: Mapping[str, object]) -> None:
    """Raise :class:`BadRow` unless a user can have these attributes."""
    for name, value in values.items():
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise BadRow(
                "users.bad_attribute",
                f"{shown(name)} is no attribute's name",
                f"a name is text of one line, at most {_LONGEST_NAME} characters",
            )
        if name == "id":
            raise BadRow("users.bad_id", "'id' is no attribute", "it says whose they are")
        if name == "timezone" and value is not None:
            if not isinstance(value, str):
                message = f"the timezone is {shown(value)}"
                raise BadRow("users.unknown_zone", message, "use a name like Europe/Istanbul")
            check_zone(value)


def _journey(name: str) -> str:
    if _JOURNEY.fullmatch(name) is None:
        raise BadRow("journey.bad_name", f"{shown(name)} is no journey's name")
    return name


def own_time(at: int | None, now: int) -> int:
    """When it happened. Nothing has happened later than it was told of: a sender's clock that is a
    little ahead is taken back to ``now``, and one that is far ahead is wrong.
    """
    if at is None or now < at <= now + AHEAD:
        return now
    if at > now:
        raise BadRow(
            "events.in_the_future",
            "its time is more than ten minutes ahead",
            "an event is sent when it has happened; set the sender's clock",
        )
    if at < 0:
        raise BadRow("events.bad_time", "its time is before 1970", "give the time it happened at")
    return at


def _encoded(values: Mapping[str, object], what: str) -> str:
    """``values`` as JSON that everything behind the inbox can take."""
    try:
        text = text_of(values)
        size = len(text) if text.isascii() else len(text.encode())
        if size <= LARGEST and text.count("{") + text.count("[") > MAX_DEPTH:
            guarded_json.parse(text)  # how deep it is takes longer to see
    except UnicodeEncodeError:
        raise _unfit(f"{what} hold a lone surrogate", "that is no text of Unicode") from None
    except NotGuardedJSON as reason:
        raise _unfit(f"{what} are {reason}", f"at most {MAX_DEPTH} levels") from None
    except (TypeError, ValueError) as error:
        raise _unfit(f"{what} are no JSON: {error}", "no NaN, no infinity") from None
    if size > LARGEST:
        raise _unfit(f"{what} have {size:,} bytes as JSON", f"at most {LARGEST:,} are taken")
    if LONG_NUMBER.search(text) is not None:
        json.loads(text, parse_int=_int64)
    return text


def _unfit(message: str, remedy: str) -> BadRow:
    return BadRow("events.bad_data", message, remedy)


def _int64(digits: str) -> int:
    number = int(digits)
    if number not in _INT64:
        raise _unfit("an integer is beyond 64 bits", "send it as text")
    return number
