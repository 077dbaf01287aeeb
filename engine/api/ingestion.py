"""The routes that events come in by: Segment's, and a plain one. Answered when all is durable."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from engine.access.roles import Permission
from engine.api import segment
from engine.api.asgi import answer_of, header, send_answer
from engine.api.bodies import read_body
from engine.api.problems import Refused, send_problem
from engine.core import guarded_json
from engine.core.expressions.calendar import parse_iso
from engine.errors import EngineError
from engine.users.event_rows import KEYS, values_of
from engine.users.incoming import IncomingChange, IncomingEvent
from engine.users.ingest import FactRefused
from engine.users.row import BadRow, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from engine.api.asgi import Application, Receive, Scope, Send
    from engine.api.gathering import Gathering
    from engine.api.metrics import Metrics
    from engine.api.permits import Permits
    from engine.users.incoming import InboxRow, Incoming

SEGMENT = "/v1/"
"""What the paths of Segment's routes begin with."""
LARGEST_BATCH = 500 * 1024
LARGEST_MESSAGE = 32 * 1024
"""Bytes of a batch and of a single message: Segment's own bounds."""
MOST_TOLD = 20
"""Refused messages that an answer tells of."""
SLICE = 200
"""Facts that are translated before others get their turn."""

_TAKEN = answer_of(b'{"success":true}')
_LINES = (b"application/x-ndjson", b"application/jsonl", b"application/x-jsonlines")


class Ingestion:
    """What the routes share. ``zone`` is that of times without one."""

    def __init__(
        self,
        gathering: Gathering,
        permits: Permits,
        metrics: Metrics,
        now: Callable[[], int],
        zone: ZoneInfo,
        largest: int,
    ) -> None:
        self._gathering = gathering
        self._permits = permits
        self._metrics = metrics
        self._now = now
        self._zone = zone
        self._largest = largest

    def routes(self) -> dict[str, Application]:
        """Path → route."""
        routes: dict[str, Application] = {
            f"{SEGMENT}batch": self._segment(None),
            f"{SEGMENT}import": self._segment(None),
        }
        for call in segment.CALLS:
            routes[f"{SEGMENT}{call}"] = self._segment(call)
        return routes

    def plain_routes(self) -> dict[str, Application]:
        """Path → route of the product's own, for POST."""
        return {"/api/v1/events": self._plain}

    def _segment(self, call: str | None) -> Application:
        """A route of Segment's: a batch, or the one call. What can be taken is, and the rest told:
        an SDK sends what it got 400 for never again, good messages and bad ones.
        """
        most = LARGEST_BATCH if call is None else LARGEST_MESSAGE

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            """Answer when every message that can be taken is durable."""
            try:
                require_post(scope)
                self._permits.require(scope, Permission.EVENTS_WRITE, basic=True)
                given = await read_body(scope, receive, most)
                said = _parsed(given) if call is not None else _parsed_batch(given)
                if not isinstance(said, dict):
                    raise Refused(400, "events.bad_json", "the body is no object")
                body = cast("dict[str, object]", said)
                messages = _batch_of(body) if call is None else [body]
                rows, refused = await self._taken(messages, call, body)
                accepted = len(messages) - len(refused)
                if rows:
                    await self._gathering.append(rows)
            except EngineError as error:
                await send_problem(send, error, scope["request_id"], with_message=True)
                return
            if refused:
                said = {"success": True, "accepted": accepted, "refused": refused[:MOST_TOLD]}
                await send_answer(send, guarded_json.dumps(said))
                return
            for message in _TAKEN:
                await send(dict(message))

        return serve

    async def _taken(
        self, messages: Sequence[object], call: str | None, body: dict[str, object]
    ) -> tuple[list[InboxRow], list[dict[str, object]]]:
        """The rows of the messages that can be taken, and what is wrong with the others."""
        sending = segment.sending_of(body, self._now())
        rows: list[InboxRow] = []
        refused: list[dict[str, object]] = []
        for index, message in enumerate(messages):
            if index % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            try:
                fact = segment.fact_of(message, call, sending)
                row = self._gathering.row(fact)
                link = segment.link_of(cast("dict[str, object]", message), fact)
                if link is not None:
                    rows.append(self._gathering.row(link))
                rows.append(row)
            except BadRow as bad:
                self._metrics.refused(bad.code)
                why = FactRefused(bad).message
                refused.append({"index": index, "code": bad.code, "message": why})
        if refused and not rows:
            first = refused[0]
            raise Refused(400, str(first["code"]), f"message {first['index']}: {first['message']}")
        return rows, refused

    async def _plain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Events and changes of attributes, one, an array, or a line each: all of them or none."""
        self._permits.require(scope, Permission.EVENTS_WRITE, basic=True)
        body = await read_body(scope, receive, self._largest)
        kind = (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
        rows: list[InboxRow] = []
        for index, said in enumerate(_of_lines(body) if kind in _LINES else _of_json(body)):
            if index % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            try:
                rows.append(self._gathering.row(self._fact(said)))
            except BadRow as bad:
                self._metrics.refused(bad.code)
                why = FactRefused(bad, index).message
                raise Refused(400, bad.code, f"event {index}: {why}; none was taken") from None
        if rows:
            await self._gathering.append(rows)
        await send_answer(send, b'{"accepted":%d}' % len(rows))

    def _fact(self, said: object) -> Incoming:
        """An event, or a change of attributes, as files have them; its time may be left out."""
        if not isinstance(said, dict):
            raise BadRow("events.bad_json", "an event is no object", "give an object each")
        for key in said:
            if key not in KEYS:
                remedy = "an event's own data goes into 'properties'"
                raise BadRow("events.bad_json", f"an event has no {shown(key)}", remedy)
        user, name, at = said.get("user"), said.get("event"), said.get("at")
        if not isinstance(user, str):
            raise BadRow("events.no_user", "the event has no user", "a user's id is text")
        values = values_of(said)
        instant = None
        if at is not None:
            instant = parse_iso(at, self._zone) if isinstance(at, str) else None
            if instant is None:
                raise BadRow("events.bad_time", f"{shown(at)} is no time", "give ISO 8601")
        if name is None:
            return IncomingChange(user, values, instant, said.get("id"))
        return IncomingEvent(user, name, values, instant, said.get("id"))


def require_post(scope: Scope) -> None:
    """Raise Refused for another method."""
    if scope["method"] != "POST":
        raise Refused(405, "request.method", "this route takes POST", (("allow", "POST"),))


def _parsed(body: bytes) -> object:
    try:
        return guarded_json.parse(body)
    except guarded_json.NotGuardedJSON as reason:
        raise Refused(400, "events.bad_json", f"the body is {reason}") from None


def _parsed_batch(body: bytes) -> object:
    """What a batch says. Where one of its messages holds what no JSON may, that one can't be taken:
    why stands in its place.
    """
    try:
        return _parsed(body)
    except Refused as refused:
        with suppress(guarded_json.NotGuardedJSON):
            said = guarded_json.parse_around(body)
            if isinstance(said, dict) and isinstance(said.get("batch"), list):
                return {**said, "batch": [_judged(each) for each in said["batch"]]}
        raise refused from None


def _judged(message: object) -> object:
    """A message as it came, or why it can't be read."""
    try:
        return guarded_json.parse(guarded_json.text_of(message))
    except guarded_json.NotGuardedJSON as reason:
        return reason
    except ValueError as reason:
        return guarded_json.NotGuardedJSON(str(reason))


def _batch_of(body: dict[str, object]) -> list[object]:
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise Refused(400, "events.bad_json", "the body has no 'batch', an array of messages")
    return batch


def _of_json(body: bytes) -> Sequence[object]:
    said = _parsed(body)
    return said if isinstance(said, list) else [said]


def _of_lines(body: bytes) -> Iterator[object]:
    for line in body.split(b"\n"):
        if line and not line.isspace():
            yield _parsed(line)
