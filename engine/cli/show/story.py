"""Why somebody is where he is, as a person reads it: a timeline with what decisions saw.

::

    cart-rescue · user u_1 · version 3 · entered Sun 22 Nov 2026 09:00 Europe/Istanbul
      +0s       ● entered     by event cart_updated  total 129.9
      +45m      ✓ score       POST crm/score  200  (credential 2)
      +45m      ◇ value       → high
                  saw         vars.score 81
      +1d 0h    ⏸ morning     waited until Mon 23 Nov 2026 09:00 Europe/Istanbul
      now       ⏸ answer      waits since +1d 0h for clicked or bought, until Wed …
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.cli.show.moments import date_and_time, since
from engine.cli.show.terminal import Paint, plain
from engine.cli.show.timeline import joined, line, name_width, pairs
from engine.core.expressions.calendar import find_zone
from engine.enrollments.telling import (
    DECISIONS,
    WAITS,
    Ended,
    by_what,
    happenings,
    request_of,
    tried_so_far,
    what_was_noted,
)
from engine.enrollments.told import Noted, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.enrollments.told import Cause, PassageTold, RefusalTold, StepTaken, Why

_MOST_SEEN = 600
_UTC = ZoneInfo("UTC")
_MARKS = {"event": "▸", "attributes": "▸", "goal": "★"}


def story_lines(why: Why, paint: Paint) -> Iterator[str]:
    """Everything there is to tell, ready to print."""
    zone = find_zone(why.zone) or _UTC
    if why.state != "active":
        when = date_and_time(why.since, zone)
        yield paint(f"{why.journey} is {why.state} since {when}", "yellow")
    for passage in why.passages:
        yield from _Passage(why, passage, zone, paint).lines()
    if why.more:
        yield f"and {why.more:,} earlier; --enrollment ID tells of one"
    if not why.passages:
        yield from _never(why)
    for refusal in why.refusals:
        yield from _refused(refusal, zone, paint)


class _Passage:
    """The lines of one passage."""

    def __init__(self, why: Why, passage: PassageTold, zone: ZoneInfo, paint: Paint) -> None:
        self._why = why
        self._passage = passage
        self._zone = zone
        self._paint = paint
        standing = passage.standing
        names = [step.step for step in passage.steps]
        self._width = name_width([*names, standing.step] if standing else names)

    def lines(self) -> Iterator[str]:
        """Line by line, as a terminal shows it."""
        passage, why = self._passage, self._why
        head = [paint_bold(self._paint, why.journey), f"user {plain(why.user)}"]
        head += [f"key {plain(passage.key)}"] if passage.key else []
        head += [f"version {passage.version}", f"passage {passage.id}"]
        entered = date_and_time(passage.entered_at, self._zone)
        yield " · ".join([*head, f"entered {entered}"])
        by = _cause(passage.entered_by)
        brought = passage.entered_by.data
        more = {name: value for name, value in passage.inputs.items() if name not in brought}
        yield self._line(passage.entered_at, "●", "entered", joined(by, _pairs(more)))
        for happened in happenings(passage):
            match happened:
                case Noted():
                    yield self._noted(happened)
                case Standing():
                    yield self._stands(happened)
                case Ended(at, outcome, balance):
                    yield self._line(at, "■", outcome, balance)
                case _:
                    yield from self._step(happened)

    def _noted(self, noted: Noted) -> str:
        name, what = what_was_noted(noted)
        said = joined(plain(what), _pairs(noted.data))
        return self._line(noted.at, _MARKS[noted.what], name, said)

    def _step(self, step: StepTaken) -> Iterator[str]:
        seen = dict(step.seen or {})
        if step.status == "skipped":
            mark, what = "○", f"skipped ({plain(step.text)})" if step.text else "skipped"
        elif step.status == "failed":
            said = ": ".join(part for part in (step.failure, step.text) if part)
            goes = f"; {step.goes}" if step.goes else ""
            mark, what = (
                "✗",
                joined(plain(request_of(step)), plain(said), _terms(step)) + plain(goes),
            )
        else:
            mark, what = self._succeeded(step, seen)
        yield self._line(step.ended_at, mark, step.step, what)
        told = self._moments(seen)
        if told:
            yield line("", "", "  saw", _pairs(told, _MOST_SEEN), self._width, self._paint)

    def _succeeded(self, step: StepTaken, seen: dict[str, object]) -> tuple[str, str]:
        """Mark and words; a moment that was waited for is told here and taken out of ``seen``."""
        if step.type in DECISIONS:
            return "◇", f"→ {plain(step.arm or step.text)}"
        if step.type in WAITS:
            until = seen.pop("until", None)
            zone = find_zone(str(seen.pop("zone", ""))) or self._zone
            what = since(step.ended_at - step.started_at).removeprefix("+")
            if isinstance(until, int):
                what += f", until {date_and_time(until, zone)}"
            return "⏸", joined(f"waited {what}", plain(step.text))
        again = f"sent again ({step.redrive})" if step.redrive else ""
        status = str(step.http_status or "")
        return "✓", joined(plain(request_of(step)), status, plain(step.text), _terms(step), again)

    def _moments(self, seen: dict[str, object]) -> dict[str, object]:
        """``seen`` with the time of an event in words."""
        at = seen.get("at")
        return {**seen, "at": date_and_time(at, self._zone)} if isinstance(at, int) else seen

    def _stands(self, standing: Standing) -> str:
        waited = since(standing.since - self._passage.entered_at)
        until = (
            "" if standing.until is None else f"until {date_and_time(standing.until, self._zone)}"
        )
        if standing.type == "call_api" and standing.until is not None:
            until = f"not before {date_and_time(standing.until, self._zone)}"
        tried = tried_so_far(standing)
        state = f"the journey is {self._why.state}" if self._why.state != "active" else ""
        what = f" for {plain(standing.what)}" if standing.what else ""
        parts = (plain(standing.request or ""), f"waits since {waited}{what}")
        rest = (until, plain(standing.failure or ""), tried, state)
        what = ", ".join(part for part in (joined(*parts), *rest) if part)
        return line("now", "⏸", standing.step or "end", what, self._width, self._paint)

    def _line(self, at: int, mark: str, name: str, what: str) -> str:
        when = since(max(0, at - self._passage.entered_at))
        return line(when, mark, name, what, self._width, self._paint)


def paint_bold(paint: Paint, text: str) -> str:
    """A name as headings have it."""
    return paint(plain(text), "bold")


def _pairs(values: Mapping[str, object], most: int = 200) -> str:
    return plain(pairs(values), most)


def _terms(step: StepTaken) -> str:
    """How often it was tried, and with which version of the credential."""
    parts = [f"{step.attempts} attempts"] if step.attempts > 1 else []
    parts += [f"credential {step.credential_version}"] if step.credential_version else []
    return f"({', '.join(parts)})" if parts else ""


def _cause(cause: Cause) -> str:
    return joined(by_what(replace(cause, name=plain(cause.name))), _pairs(cause.data))


def _never(why: Why) -> Iterator[str]:
    if why.refusals:
        yield f"user {plain(why.user)} never entered {why.journey}:"
        return
    ways = " or ".join(why.ways)
    said = f"it is entered by {ways}" if ways else "only commands and runs let users in"
    yield plain(f"user {why.user} never came to {why.journey}: {said}", 1_000)


def _refused(refusal: RefusalTold, zone: ZoneInfo, paint: Paint) -> Iterator[str]:
    mark = paint("■", "red")
    at, by = date_and_time(refusal.at, zone), _cause(refusal.by)
    yield f"  {mark} refused {at}, {by}: {refusal.reason} ({plain(refusal.rule)})"
    if refusal.seen:
        yield f"      saw {_pairs(refusal.seen, _MOST_SEEN)}"
