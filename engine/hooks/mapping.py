"""What event a foreign webhook is: a mapping in the product's own expressions.

They see the webhook's body as ``event``, what it is about as ``event_name``, its id as ``event_id``
and the time of its signature as ``event_time``. No user stands there, and no credential.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import compile_expression
from engine.core.expressions.scope import Scope
from engine.core.expressions.values import Unfillable, compile_value
from engine.errors import OperatorError
from engine.users.incoming import IncomingEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.expressions.grammar import Expression
    from engine.core.expressions.values import Value
    from engine.hooks.signatures import Delivery

ROOTS = frozenset({"event", "event_name", "event_time", "event_id", "now"})
EVENT_NAME = "{{ event_name }}"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping as it is written: ``user`` and ``when`` (None: always) are expressions, the others
    values with ``{{ }}``; ``properties`` None: the whole body.
    """

    user: str
    event: str = EVENT_NAME
    when: str | None = None
    properties: Mapping[str, object] | None = None

    def stored(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


class CompiledMapping:
    """A mapping that can be used. Raises OperatorError, naming the part that can't be."""

    def __init__(self, written: Mapped) -> None:
        self._user = _expression("user", written.user)
        self._when = None if written.when is None else _expression("when", written.when)
        self._event = _value("event", written.event)
        whole = written.properties is None
        self._properties = None if whole else _value("properties", dict(written.properties or {}))

    def event_of(
        self, name: str, body: Mapping[str, object], delivery: Delivery, now: int
    ) -> IncomingEvent | None:
        """The event that a webhook of the hook ``name`` is; None where it isn't one of a user, or
        ``when`` says no. Raises :class:`Unfillable`.
        """
        kind = delivery.kind if delivery.kind is not None else body.get("type")
        scope = Scope(
            now,
            event=body,
            event_name=kind if isinstance(kind, str) else None,
            event_time=now if delivery.at is None else delivery.at,
            event_id=delivery.id,
        )
        if self._when is not None and not self._when.holds(scope):
            return None
        user = self._user.evaluate(scope)
        if isinstance(user, int) and not isinstance(user, bool):
            user = str(user)
        if not isinstance(user, str) or not user:
            return None
        said = body if self._properties is None else self._properties.render(scope)
        return IncomingEvent(
            user,
            str(self._event.render(scope)),
            cast("Mapping[str, object]", said),
            delivery.at,
            None if delivery.id is None else f"{name}:{delivery.id}",
        )


@lru_cache(maxsize=256)
def compiled(stored: str) -> CompiledMapping:
    """The mapping that was stored as ``stored``."""
    return CompiledMapping(Mapped(**json.loads(stored)))


def _expression(part: str, source: str) -> Expression:
    try:
        return compile_expression(source, allow=ROOTS)
    except ExpressionError as error:
        raise _unusable(part, error) from None


def _value(part: str, raw: object) -> Value:
    try:
        return compile_value(raw, allow=ROOTS)
    except ExpressionError as error:
        raise _unusable(part, error) from None


def _unusable(part: str, error: ExpressionError) -> OperatorError:
    remedy = f"; {error.remedy}" if error.remedy else ""
    return OperatorError(f"{part}: {error}{remedy}", code="hooks.expression")


__all__ = ["EVENT_NAME", "ROOTS", "CompiledMapping", "Mapped", "Unfillable", "compiled"]
