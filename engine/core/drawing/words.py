"""What a step does, in a few words: the lines of its box and the labels of its ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.core.dsl.trigger import AudienceTrigger, DateTrigger, EventTrigger
from engine.core.expressions.durations import DAY, HOUR, MINUTE, SECOND, Duration
from engine.core.expressions.values import Value
from engine.core.steps.branch import BranchStep
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.emit import EmitStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.set import SetStep
from engine.core.steps.split import SplitStep
from engine.core.steps.start_journey import StartJourneyStep
from engine.core.steps.until import WEEKDAYS, Until
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.dsl.journey import Entry, Journey
    from engine.core.dsl.trigger import Trigger
    from engine.core.steps.flow import Occurrence

_HOLE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_MOST_TRIGGERS = 6
_UNITS = ((DAY, "day", "days"), (HOUR, "h", "h"), (MINUTE, "min", "min"), (SECOND, "s", "s"))


def span(duration: Duration) -> str:
    """``45 min``, ``1 day 4 h``, ``1 month``: the sign left out."""
    parts: list[str] = []
    years, months = divmod(abs(duration.months), 12)
    parts += [_counted(years, "year", "years")] if years else []
    parts += [_counted(months, "month", "months")] if months else []
    rest = abs(duration.elapsed)
    for unit, one, many in _UNITS:
        n, rest = divmod(rest, unit)
        parts += [_counted(n, one, many)] if n else []
    if rest:
        parts.append(f"{rest // 1_000} ms")
    return " ".join(parts) or "no time"


def percent(share: float) -> str:
    """``50 %``, ``33.3 %``."""
    return f"{share:.1f}".removesuffix(".0") + " %"


def purpose(step: object) -> str:
    """What a step does, as far as its ways don't say it."""
    line = ""
    match step:
        case CallApiStep():
            line = f"{step.method} {step.endpoint}{plain_holes(step.path.source)}"
        case WaitStep(for_=Duration() as length):
            line = span(length)
        case WaitStep(for_=Value() as value):
            line = plain_holes(str(value.raw))
        case WaitStep(until=Until() as until):
            line = _moment(until)
        case WaitForStep():
            line = f"{span(step.within)} at most"
        case BranchStep() if len(step.paths) > 1:
            line = "the first that is true"
        case SplitStep():
            line = f"{len(step.arms)} arms by lot"
        case SetStep():
            line = ", ".join(step.values)
        case ExitStep() if step.id != step.outcome or step.title is not None:
            line = f"exit: {step.id}"
        case EmitStep():
            line = step.event
        case StartJourneyStep():
            line = step.journey + (", and wait for its end" if step.await_ else "")
    return line


def entry_lines(entry: Entry) -> Iterator[str]:
    """Who enters, and how often, a line each."""
    for trigger in entry.triggers[:_MOST_TRIGGERS]:
        yield _trigger(trigger)
    if len(entry.triggers) > _MOST_TRIGGERS:
        yield f"and {len(entry.triggers) - _MOST_TRIGGERS} more triggers"
    if not entry.triggers:
        yield "by command or API"
    reentry = entry.reentry
    if reentry.mode != "once":
        again = "again after leaving" if reentry.mode == "after_exit" else "again: starts anew"
        yield again + (f", {span(reentry.cooldown)} later" if reentry.cooldown else "")
    if entry.holdout:
        yield f"{percent(entry.holdout)} held out"


def about(journey: Journey) -> Iterator[tuple[str, str]]:
    """Goals and exit rules: a word for each, and what it is."""
    for goal in journey.goals:
        within = f", within {span(goal.within)}" if goal.within else ""
        stays = "" if goal.exit else "; goes on"
        yield "Goal", f"{goal.name}: {occurrence(goal)}{within}{stays}"
    for rule in journey.exit:
        yield "Leaves on", occurrence(rule)


def occurrence(what: Occurrence) -> str:
    """What happens: an event, perhaps narrowed, or a condition."""
    if what.event is None:
        return what.when.source if what.when else ""
    return what.event + (f" where {what.where.source}" if what.where else "")


def plain_holes(text: str) -> str:
    """``{{ user.id }}`` as ``{user.id}``."""
    return _HOLE.sub(r"{\1}", text)


def _trigger(trigger: Trigger) -> str:
    match trigger:
        case EventTrigger():
            where = f" where {trigger.where.source}" if trigger.where else ""
            return f"on {trigger.event}{where}"
        case AudienceTrigger():
            return f"when {trigger.audience.source}"
        case DateTrigger():
            at = f", {trigger.time:%H:%M}" if trigger.time else ""
            return f"{_moved(trigger.date.source, trigger.offset)}{at}"
    audience = f" if {trigger.audience.source}" if trigger.audience else ""
    return f"at {trigger.schedule}{audience}"


def _moment(until: Until) -> str:
    """``until 09:00, Mon to Fri``, ``1 day later at 09:30``, ``7 days before user.ends, 09:00``."""
    time = f"{until.time:%H:%M}" if until.time is not None else ""
    days = _weekdays(until.weekdays) if until.weekdays else ""
    if until.date is not None:
        parts = [_moved(until.date.source, until.offset), time, days]
    elif until.days:
        later = f"{_counted(until.days, 'day', 'days')} later"
        parts = [f"{later} at {time}" if time else later, days]
    else:
        parts = [f"until {time or days}", days if time else ""]
    return ", ".join(part for part in parts if part)


def _moved(date: str, offset: Duration | None) -> str:
    if offset is None or not (offset.elapsed or offset.months):
        return date
    before = offset.elapsed < 0 or offset.months < 0
    return f"{span(offset)} {'before' if before else 'after'} {date}"


def _weekdays(days: Sequence[str]) -> str:
    """``Mon to Fri``, ``Tue, Sat``."""
    numbers = sorted({WEEKDAYS.index(day) for day in days})
    names = [WEEKDAYS[number].title() for number in numbers]
    together = len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1
    return f"{names[0]} to {names[-1]}" if together else ", ".join(names)


def _counted(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
