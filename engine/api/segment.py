"""Segment's messages as facts: what each call means here.

https://segment.com/docs/connections/spec/ and RudderStack's event spec, which follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from engine.core.expressions.calendar import find_zone, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.core.guarded_json import NotGuardedJSON
from engine.users.incoming import ANONYMOUS, IncomingChange, IncomingEvent, IncomingLink
from engine.users.row import BadRow, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.users.incoming import Incoming

Said = dict[str, object]

_NOT_KEPT = frozenset({"library", "traits"})
"""Of the context: which SDK sent it, and what ``identify`` tells."""


@dataclass(frozen=True, slots=True)
class Sending:
    """When a request came (microseconds UTC), and when its sender's clock says it was sent."""

    received_at: int
    sent_at: int | None

    def correct(self, original: int) -> int:
        """An instant of the sender's clock as ours has it: both clocks' difference is that between
        sending and receiving, as Segment does it.
        """
        return original if self.sent_at is None else original + self.received_at - self.sent_at


def sending_of(body: Mapping[str, object], received_at: int) -> Sending:
    """When ``body``, a batch or a message, was sent; unknown where it doesn't say a time."""
    sent_at = body.get("sentAt")
    instant = parse_iso(sent_at, UTC_ZONE) if isinstance(sent_at, str) else None
    return Sending(received_at, instant)


def fact_of(message: object, kind: str | None, sending: Sending) -> Incoming:
    """What one message says; ``kind`` is the call that was made, None: the message tells it. In
    the place of one that can't be read stands why.

    Raises :class:`BadRow` for one that can't be understood.
    """
    if not isinstance(message, dict):
        if isinstance(message, NotGuardedJSON):
            raise BadRow("events.bad_json", f"the message can't be read: {message}")
        raise BadRow("events.bad_json", "a message is no object", "as in {'type': 'track', ...}")
    said = cast("Said", message)
    called = said.get("type") if kind is None else kind
    translate = _CALLS.get(called) if isinstance(called, str) else None
    if translate is None:
        known = ", ".join(_CALLS)
        raise BadRow("events.bad_type", f"{shown(called)} is no call", f"known: {known}")
    own = said.get("messageId")
    return translate(
        said,
        _user_of(said),
        _time_of(said, sending),
        cast("str", own) if own else None,  # what it must be is looked at with all the rest
    )


def link_of(message: Mapping[str, object], fact: Incoming) -> IncomingLink | None:
    """Which anonymous user a message that was understood as ``fact`` says to be its user: that of
    an ``identify`` with both ids, the previous one of an ``alias``. None: it says none.
    """
    if isinstance(fact, IncomingChange):
        previous = _id(message, "anonymousId")
    elif isinstance(fact, IncomingEvent) and fact.name == "alias":
        previous = _id(message, "previousId")
    else:
        return None
    if not previous or fact.user.startswith(ANONYMOUS):
        return None
    return IncomingLink(ANONYMOUS + previous.removeprefix(ANONYMOUS), fact.user, fact.at)


def _user_of(said: Said) -> str:
    user = _id(said, "userId")
    if user:
        return user
    anonymous = _id(said, "anonymousId")
    if anonymous:
        return ANONYMOUS + anonymous
    raise BadRow("events.no_user", "the message names no user", "give userId or anonymousId")


def _id(said: Mapping[str, object], key: str) -> str:
    """An id, as text; '' where there is none."""
    given = said.get(key)
    if isinstance(given, str):
        return given
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else ""


def _time_of(said: Said, sending: Sending) -> int | None:
    """When it happened, by our clock. A message that has both times was corrected on its way."""
    stamp, original = said.get("timestamp"), said.get("originalTimestamp")
    if stamp is None and original is None:
        return None
    instant = _instant(original if stamp is None else stamp)
    return instant if stamp is not None and original is not None else sending.correct(instant)


def _instant(given: object) -> int:
    instant = parse_iso(given, UTC_ZONE) if isinstance(given, str) else None
    if instant is None:
        raise BadRow("events.bad_time", f"{shown(given)} is no time", "give ISO 8601")
    return instant


def _object(said: Said, key: str) -> Said:
    value = said.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRow("events.bad_json", f"{key!r} is no object", "it must be one")
    return cast("Said", value)


def _event(
    said: Said, name: str, data: Said, user: str, at: int | None, own: str | None
) -> Incoming:
    if "context" in said and "context" not in data:
        context = {k: v for k, v in _object(said, "context").items() if k not in _NOT_KEPT}
        if context:
            data = {**data, "context": context}
    return IncomingEvent(user, name, data, at, own)


def _track(said: Said, user: str, at: int | None, own: str | None) -> Incoming:
    name = cast("str", said.get("event"))
    return _event(said, name, _object(said, "properties"), user, at, own)


def _viewed(name: str) -> Callable[[Said, str, int | None, str | None], Incoming]:
    """A page or a screen: an event of that name, with what is called so among its properties."""

    def translate(said: Said, user: str, at: int | None, own: str | None) -> Incoming:
        called = {key: said[key] for key in ("name", "category") if said.get(key) is not None}
        return _event(said, name, {**called, **_object(said, "properties")}, user, at, own)

    return translate


def _identify(said: Said, user: str, at: int | None, own: str | None) -> Incoming:
    """Attributes. A time zone that nobody knows is left out: the rest is worth more."""
    context = _object(said, "context")
    traits = {**_object(context, "traits"), **_object(said, "traits")}
    traits.pop("id", None)
    zone = traits.pop("timezone", None) or context.get("timezone")
    if isinstance(zone, str) and find_zone(zone) is not None:
        traits["timezone"] = zone
    return IncomingChange(user, traits, at, own)


def _group(said: Said, user: str, at: int | None, own: str | None) -> Incoming:
    data = {"group_id": said.get("groupId"), "traits": _object(said, "traits")}
    return _event(said, "group", data, user, at, own)


def _alias(said: Said, user: str, at: int | None, own: str | None) -> Incoming:
    return _event(said, "alias", {"previous_id": said.get("previousId")}, user, at, own)


_CALLS: dict[str, Callable[[Said, str, int | None, str | None], Incoming]] = {
    "track": _track,
    "identify": _identify,
    "page": _viewed("page"),
    "screen": _viewed("screen"),
    "group": _group,
    "alias": _alias,
}

CALLS = tuple(_CALLS)
"""The calls that have a route of their own."""
