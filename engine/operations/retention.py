"""Retention: what is older than the settings keep it for is forgotten.

By wall time, in pages of one bucket, each removed in a short transaction of its own with a pause
behind it, so that nobody's work waits. It may be ended after any page and begun again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

from engine.audit import store as audit
from engine.clock import rest, stopwatch
from engine.core.dsl.load import load
from engine.core.expressions.assignment import BUCKETS
from engine.core.expressions.calendar import DAY
from engine.core.expressions.durations import DurationError, parse_duration
from engine.db.ids import IdMaker
from engine.enrollments.store import retention as store
from engine.errors import DefinitionError, SettingsError
from engine.hooks import deliveries
from engine.settings import PREFIX
from engine.versions.store import admitting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engine.db.connect import Connection, Database
    from engine.enrollments.store.retention import Key
    from engine.settings import Settings

FAILED_CALLS_US = 7 * DAY
"""How long a failed call can be redriven."""

FOREVER = "forever"
PAGE = 250
_PAUSE = 4
"""Between two pages this times as long as the last one took: a fifth of one processor at most."""
_LEAST_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long things are kept, in microseconds; None for ever."""

    passages: int | None
    events: int | None
    audit: int | None

    @classmethod
    def by(cls, settings: Settings) -> Kept:
        """As the settings say. Raises SettingsError for one that can't be read."""
        return cls(*(_span(settings, f"keep_{field.name}") for field in fields(cls)))


@dataclass(slots=True)
class Forgotten:
    """How much was forgotten; emptied passages are those whose row has to stay."""

    passages: int = 0
    emptied: int = 0
    calls: int = 0
    facts: int = 0
    refusals: int = 0
    changes: int = 0
    deliveries: int = 0

    def __str__(self) -> str:
        """In words, '' where there was nothing."""
        told = (
            (self.passages, "passages"),
            (self.emptied, "passages emptied"),
            (self.calls, "failed calls"),
            (self.facts, "facts"),
            (self.refusals, "refusals"),
            (self.changes, "audited changes"),
            (self.deliveries, "webhooks' deliveries"),
        )
        return ", ".join(f"{n:,} {what}" for n, what in told if n)


class Retention:
    """One sweep at ``now`` (wall time). ``stopping`` is asked between pages; ``pause`` lets others
    work for so many seconds.
    """

    def __init__(
        self,
        database: Database,
        kept: Kept,
        now: int,
        *,
        stopping: Callable[[], bool] = lambda: False,
        pause: Callable[[float], None] = rest,
    ) -> None:
        self._database = database
        self._kept = kept
        self._now = now
        self._stopping = stopping
        self._pause = pause
        self.forgotten = Forgotten()

    def sweep(self) -> Forgotten:
        """Forget all that is too old. Raises DatabaseUnavailable; what was forgotten stays so."""
        kept, forgotten = self._kept, self.forgotten
        before = self._now - FAILED_CALLS_US
        forgotten.calls = self._remove(
            lambda connection, _: store.old_failed_calls(connection, before, PAGE),
            store.delete_failed_calls,
        )
        if kept.passages is not None:
            self._forget_passages(self._now - kept.passages)
        if kept.events is not None:
            self._forget_facts(self._now - kept.events)
            self._forget_deliveries(self._now - kept.events)
        if kept.audit is not None:
            changes_before = self._now - kept.audit
            forgotten.changes = self._remove(
                lambda connection, _: audit.old_changes(connection, changes_before, PAGE),
                audit.delete_changes,
            )
        return forgotten

    def _forget_passages(self, before: int) -> None:
        with self._database.read() as connection:
            asked = asked_for(connection, self._now)
        for bucket in range(BUCKETS):
            self._passages(bucket, before, asked)
            find = partial(_refusals, bucket, before)
            self.forgotten.refusals += self._remove(find, store.delete_refusals)

    def _forget_facts(self, before: int) -> None:
        for bucket in range(BUCKETS):
            find = partial(_facts, bucket, before)
            self.forgotten.facts += self._remove(find, store.delete_facts)

    def _forget_deliveries(self, before: int) -> None:
        """They are few, whatever came."""
        with self._database.read() as connection:
            old = deliveries.count_old(connection, before)
        if old and not self._stopping():
            with self._writing() as connection:
                deliveries.forget(connection, before)
            self.forgotten.deliveries = old

    def _passages(self, bucket: int, before: int, asked: Mapping[str, int]) -> None:
        after, id_before = -1, IdMaker(lambda: 0)(before)
        while not self._stopping():
            with self._database.read() as connection:
                page = store.ended_passages(connection, bucket, after, id_before, before, PAGE)
            stay = [one for one in page if one.entered_at > asked.get(one.journey, self._now)]
            empty = [one.id for one in stay if not one.emptied]
            delete = sorted({one.id for one in page} - {one.id for one in stay})
            if empty or delete:
                with self._writing() as connection:
                    store.empty_passages(connection, bucket, empty)
                    store.delete_passages(connection, bucket, delete)
            self.forgotten.emptied += len(empty)
            self.forgotten.passages += len(delete)
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _remove(
        self,
        find: Callable[[Connection, Key | None], list[Key]],
        delete: Callable[[Connection, Sequence[Key]], None],
    ) -> int:
        """Remove what is found behind the last key of the page before; how much there was."""
        removed = 0
        after: Key | None = None
        while not self._stopping():
            with self._database.read() as connection:
                keys = find(connection, after)
            if keys:
                with self._writing() as connection:
                    delete(connection, keys)
                removed += len(keys)
            if len(keys) < PAGE:
                break
            after = keys[-1]
        return removed

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One short transaction, with a pause behind it."""
        since = stopwatch()
        with self._database.write() as connection:
            yield connection
        self._pause(max(_LEAST_PAUSE_S, _PAUSE * (stopwatch() - since)))


def _refusals(bucket: int, before: int, connection: Connection, after: Key | None) -> list[Key]:
    return store.old_refusals(connection, bucket, after, before, PAGE)


def _facts(bucket: int, before: int, connection: Connection, after: Key | None) -> list[Key]:
    return store.old_facts(connection, bucket, after, before, PAGE)


def asked_for(connection: Connection, now: int) -> dict[str, int]:
    """Since when each journey's rules of re-entry ask for passages: those that entered after that
    instant. -1: for all; ``now``: for none. The rules are those of the newest version, and of the
    newest one whose triggers let users in.
    """
    found: dict[str, int] = {}
    for journey, source in admitting(connection):
        found[journey] = min(found.get(journey, now), _asked_since(source, now))
    return found


def _asked_since(source: str, now: int) -> int:
    try:
        reentry = load(source.encode(), "a version").journey.entry.reentry
    except DefinitionError:  # of a language that isn't read any more
        return -1
    if reentry.mode == "once":
        return -1
    cooldown = reentry.cooldown.microseconds if reentry.cooldown else 0
    return now - max(cooldown, reentry.limit.per.microseconds if reentry.limit else 0)


def _span(settings: Settings, name: str) -> int | None:
    given = str(getattr(settings, name)).strip()
    if given.lower() == FOREVER:
        return None
    try:
        span = parse_duration(given).microseconds
    except DurationError as error:
        raise SettingsError(
            f"{PREFIX}{name.upper()}: {error.message}; say P365D, or {FOREVER}",
            code=f"settings.{name}",
        ) from None
    if span < FAILED_CALLS_US:
        raise SettingsError(
            f"{PREFIX}{name.upper()} is {given[:20]!r}: failed calls are kept for 7 days, and"
            " nothing for less",
            code=f"settings.{name}",
        )
    return span
