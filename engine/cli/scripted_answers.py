"""``--answer ENDPOINT=STATUS[:BODY]``: what endpoints say in a simulation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.core.guarded_json import NotGuardedJSON, parse
from engine.core.interpreter.scripted import JSON, NO_CONNECTION, TIMEOUT
from engine.core.message import Answer
from engine.users.row import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATUS = re.compile(r"[1-5][0-9]{2}")
_TEXT = {"content-type": "text/plain; charset=utf-8"}


class BadAnswer(ValueError):
    """An answer that can't be scripted; the message says what would be right."""


def read_answers(options: Iterable[str], endpoints: Iterable[str]) -> dict[str, list[Answer]]:
    """The scripts of ``--answer`` options; ``endpoints`` are those the journey calls.

    Raises BadAnswer.
    """
    known = sorted(endpoints)
    scripts: dict[str, list[Answer]] = {}
    for option in options:
        name, equals, script = option.partition("=")
        if not equals:
            raise BadAnswer(f"{option[:60]!r}: write ENDPOINT=STATUS or ENDPOINT=STATUS:BODY")
        if name not in known:
            hint = did_you_mean(name, known) or f"it calls {', '.join(known) or 'none'}"
            raise BadAnswer(f"the journey calls no endpoint {name[:60]!r}; {hint}")
        scripts.setdefault(name, []).append(_answer(script))
    return scripts


def _answer(script: str) -> Answer:
    status, _, body = script.partition(":")
    if status == "timeout":
        return TIMEOUT
    if status == "connection":
        return NO_CONNECTION
    if not _STATUS.fullmatch(status):
        raise BadAnswer(
            f"{status[:60]!r} is no answer: an HTTP status (as in crm=503), timeout or connection"
        )
    if not body:
        return Answer(status=int(status), headers=JSON, body=b"{}")
    return Answer(status=int(status), headers=_type_of(body), body=body.encode(errors="replace"))


def _type_of(body: str) -> dict[str, str]:
    try:
        parse(body)
    except NotGuardedJSON:
        return _TEXT
    return JSON
