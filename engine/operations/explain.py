"""Why an event let its user into a journey, or didn't: each trigger, from what receive recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.core.dsl.trigger import AudienceTrigger, EventTrigger
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.reads import step_into
from engine.enrollments.entered_by import LONGEST_TURN, fact_of_turn
from engine.errors import NotFound
from engine.users.store import fact_at, fact_of_message, facts_of, passages_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.core.dsl.trigger import Trigger
    from engine.core.expressions.grammar import Expression
    from engine.db.connect import Connection
    from engine.users.store import KnownFact, KnownPassage
    from engine.versions.store import Published, Versions

ENTERED = "entered"
NO_TRIGGER = "no_trigger"
PUBLISHED_LATER = "published_later"
NOT_MET = "not_met"
NOT_RECORDED = "not_recorded"

_SEQ_DIGITS = 19
_LOOKED_THROUGH = 100


@dataclass(slots=True, frozen=True)
class Verdict:
    """What a fact did at one trigger of a version; ``trigger`` counts from 1 of ``triggers``, 0: at
    none. ``result`` is ``entered``, the reason of a refusal (``where_false``, ``live`` ...), or
    ``no_trigger`` (none is about such a fact), ``published_later``, ``not_met`` (an audience that
    he didn't come into by it) and ``not_recorded``. ``rule`` is the condition as written, ``seen``
    what it saw; ``passage`` the one that began.
    """

    journey: str
    version: int
    trigger: int
    triggers: int
    result: str
    rule: str = ""
    seen: Mapping[str, object] | None = None
    passage: KnownPassage | None = None


@dataclass(slots=True, frozen=True)
class _Recorded:
    """What receive wrote down of one fact: refusals by (version, trigger), passages by version."""

    seq: int
    refused: Mapping[tuple[int, int], tuple[str, Mapping[str, object] | None]]
    begun: Mapping[int, Sequence[KnownPassage]]


def received_fact(connection: Connection, user: str, which: str | None) -> KnownFact:
    """The received fact of a user that ``which`` means: a ``seq``, the newest of that name, or an
    id; the newest of all where it is None. Raises NotFound.
    """
    fact = None
    if which is not None and which.isascii() and which.isdecimal() and len(which) < _SEQ_DIGITS:
        fact = fact_at(connection, user, int(which))
    if fact is None:
        newest = facts_of(connection, user, event=which, most=_LOOKED_THROUGH)
        received = [one for one in newest if one.seq is not None]
        fact = next(reversed(received or newest), None)
    if fact is None and which is not None:
        fact = fact_of_message(connection, user, which)
    if fact is None:
        what = "event" if which is None else f"event {which[:60]!r}"
        raise NotFound(f"{user[:60]!r} has no {what}; see `journey events list --user`")
    if fact.seq is None:
        raise NotFound("that event is not received yet: it waits for a worker")
    return fact


def explain(
    connection: Connection, versions: Versions, user: str, fact: KnownFact
) -> list[Verdict]:
    """Every trigger that ``fact``, which was received, could have set off, by journey: of the
    versions that took part in it, and of those whose triggers are on now.
    """
    assert fact.seq is not None  # noqa: S101
    recorded = _recorded(connection, versions, user, fact.seq)
    triggered = dict(_triggered_versions(connection))
    concerned = {version for version, _ in recorded.refused} | set(recorded.begun) | set(triggered)
    found = [versions.get(connection, version) for version in concerned]
    verdicts: list[Verdict] = []
    for published in sorted(found, key=lambda one: (one.journey, one.number)):
        later = triggered.get(published.id, 0) > fact.seq
        verdicts += _verdicts(published, fact, recorded, later=later)
    return verdicts


def _recorded(connection: Connection, versions: Versions, user: str, seq: int) -> _Recorded:
    rows = connection.exec_driver_sql(
        "SELECT version_id, trigger, reason, seen FROM refusals"
        " WHERE bucket = ? AND user_id = ? AND seq = ?",
        (bucket_of(user), user, seq),
    )
    refused = {(row[0], row[1]): (row[2], json.loads(row[3]) if row[3] else None) for row in rows}
    begun: dict[int, list[KnownPassage]] = {}
    for passage in passages_of(connection, user):
        if _was_let_in(connection, versions, user, passage, seq):
            begun.setdefault(passage.version_id, []).insert(0, passage)
    return _Recorded(seq, refused, begun)


def _was_let_in(
    connection: Connection, versions: Versions, user: str, passage: KnownPassage, seq: int
) -> bool:
    """Whether a passage began with a fact. Both have the time of their turn; the user's facts of
    one turn follow one another by a microsecond each.
    """
    if not passage.entered_at <= seq < passage.entered_at + LONGEST_TURN:
        return False
    if passage.entered_seq is not None:
        return passage.entered_seq == seq
    triggers = versions.get(connection, passage.version_id).program.journey.entry.triggers
    place = (bucket_of(user), user, passage.version_id, passage.entered_at)
    found = fact_of_turn(connection, place, passage.id, triggers)
    return found is not None and found.seq == seq


def _triggered_versions(connection: Connection) -> list[tuple[int, int]]:
    """Id and time of publishing of the newest version with its triggers on, of each journey that
    isn't archived.
    """
    rows = connection.exec_driver_sql(
        "SELECT v.id, v.published_at FROM versions AS v WHERE v.triggers_on AND v.number ="
        " (SELECT max(number) FROM versions AS w WHERE w.journey = v.journey AND w.triggers_on)"
        " AND NOT EXISTS (SELECT 1 FROM journeys AS j"
        " WHERE j.journey = v.journey AND j.state = 'archived')"
    )
    return [(row[0], row[1]) for row in rows]


def _verdicts(
    published: Published, fact: KnownFact, recorded: _Recorded, *, later: bool
) -> Iterator[Verdict]:
    triggers = published.program.journey.entry.triggers
    begun = list(recorded.begun.get(published.id, ()))
    told = False
    for number, trigger in enumerate(triggers):
        if not _is_about(trigger, fact):
            continue
        told, condition = True, _condition(trigger)
        rule = "" if condition is None else condition.source
        place = (published.journey, published.number, number + 1, len(triggers))
        refusal = recorded.refused.get((published.id, number))
        if refusal is not None:
            seen = _of_event(condition, fact) if refusal[1] is None else refusal[1]
            yield Verdict(*place, refusal[0], rule, seen)
        elif begun:
            yield Verdict(*place, ENTERED, rule, passage=begun.pop(0))
        elif later:
            yield Verdict(*place, PUBLISHED_LATER, rule)
        else:
            is_audience = isinstance(trigger, AudienceTrigger)
            yield Verdict(*place, NOT_MET if is_audience else NOT_RECORDED, rule)
    for passage in begun:
        yield Verdict(
            published.journey, published.number, 0, len(triggers), ENTERED, passage=passage
        )
    if not told and not begun:
        yield Verdict(published.journey, published.number, 0, len(triggers), NO_TRIGGER)


def _is_about(trigger: Trigger, fact: KnownFact) -> bool:
    if isinstance(trigger, EventTrigger):
        return trigger.event == fact.name
    return isinstance(trigger, AudienceTrigger) and fact.name is None


def _condition(trigger: Trigger) -> Expression | None:
    if isinstance(trigger, EventTrigger):
        return trigger.where
    return trigger.audience if isinstance(trigger, AudienceTrigger) else None


def _of_event(condition: Expression | None, fact: KnownFact) -> dict[str, object]:
    """What a condition read of the event itself; what else it saw is known only if recorded."""
    paths = sorted(condition.references) if condition is not None else ()
    seen: dict[str, object] = {}
    for root, *keys in paths:
        if root == "event" and keys:
            value: object = fact.data
            for key in keys:
                value = step_into(value, key)
            seen[".".join([root, *keys])] = value
    return seen


def in_words(verdict: Verdict) -> str:
    """Why, as a person reads it; values are data and not yet fit for a terminal."""
    if verdict.result == "where_false":
        saw = ", ".join(f"{path} {_shown(value)}" for path, value in (verdict.seen or {}).items())
        return f"`{verdict.rule}` is false" + (f": {saw}" if saw else "")
    return _WORDS.get(verdict.result, verdict.result)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_WORDS = {
    ENTERED: "he entered",
    NO_TRIGGER: "no trigger is about it",
    PUBLISHED_LATER: "the version was published after it",
    NOT_MET: "the audience didn't become true by it",
    NOT_RECORDED: "nothing is recorded: its triggers were off then, or it was archived",
    "live": "he is in this journey already, with this key",
    "once": "he was in it before, with this key, and it is entered once",
    "cooldown": "his last entry is too short a time ago (cooldown)",
    "limit": "he entered it as often as its limit allows",
    "no_input": "an input or the key has no value of the right type",
    "already_ran": "he has been through this run",
    "depth": "ten events and passages led to one another",
}
