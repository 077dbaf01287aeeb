"""A run as tables: steps, arms, endpoints, outcomes, tokens, the most frequent failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.show.gains import goal_in_words
from engine.cli.show.terminal import Paint, plain
from engine.enrollments.summary import by_frequency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.enrollments.summary import FailureSeen, Summary

_WIDEST_NAME = 40


def summary_lines(summary: Summary, heading: str, paint: Paint) -> list[str]:
    """The whole summary, ready to print; ``heading`` stands behind the journey's name."""
    version = "" if summary.version is None else f" · version {summary.version}"
    lines = [f"{paint(plain(summary.journey), 'bold')}{version} · {heading}", ""]
    lines += _steps(summary, paint)
    if any(tally.calls or tally.attempts for tally in summary.endpoints.values()):
        lines += ["", *_endpoints(summary, paint)]
    lines += ["", *_facts(summary)]
    if summary.failures:
        lines += ["", "most frequent failures", *map(_failure, summary.failures)]
    lines += ["", in_words(summary, paint)]
    return lines


def failures_by_step(summary: Summary, paint: Paint) -> list[str]:
    """Which steps failed with which codes, how often; nothing if none did."""
    rows: list[Sequence[str | int]] = [
        (f"{name}  {code}", n)
        for name, tally in summary.steps.items()
        for code, n in by_frequency(tally.failures).items()
    ]
    return ["", *columns(("failed with", "times"), rows, paint)] if rows else []


def users_in_words(n: int) -> str:
    """``1 user``, ``1,500 users``."""
    return "1 user" if n == 1 else f"{n:,} users"


def in_words(summary: Summary, paint: Paint) -> str:
    """``failed 12, went on 12, stuck 0``: steps that failed, and whether anybody stayed there."""
    failed, stuck = summary.failed, summary.stuck
    line = f"failed {failed:,}, went on {max(0, failed - stuck):,}, stuck {stuck:,}"
    return paint(line, "red" if stuck else "green")


def _steps(summary: Summary, paint: Paint) -> list[str]:
    head = ("step", "entered", "succeeded", "failed", "skipped", "waiting")
    rows: list[Sequence[str | int]] = []
    for name, tally in summary.steps.items():
        counts = (tally.entered, tally.succeeded, tally.failed, tally.skipped, tally.waiting)
        rows.append((name, *counts))
        rows += [(f"  → {arm}", n, "", "", "", "") for arm, n in _arms(summary, name)]
    return columns(head, rows, paint)


def _arms(summary: Summary, step: str) -> Iterable[tuple[str, int]]:
    return sorted(summary.arms.get(step, {}).items())


def _endpoints(summary: Summary, paint: Paint) -> list[str]:
    head = ("endpoint", "calls", "attempts", "succeeded", "failed")
    rows: list[Sequence[str | int]] = [
        (name, tally.calls, tally.attempts, tally.succeeded, tally.failed)
        for name, tally in summary.endpoints.items()
    ]
    return columns(head, rows, paint)


def _facts(summary: Summary) -> list[str]:
    finished, waiting = f"finished {summary.finished:,}", f"waiting {summary.waiting:,}"
    facts = [f"entered   {summary.entered:,}   {finished}   {waiting}"]
    if summary.refusals:
        facts.append(f"refused   {_counts(summary.refusals)}")
    if summary.outcomes:
        facts.append(f"outcomes  {_counts(summary.outcomes)}")
    facts += [f"goal      {goal_in_words(summary, name)}" for name in summary.goals]
    if summary.tokens:
        requests = (f"{plain(name)} {n:,}" for name, n in summary.tokens.items())
        facts.append(f"token requests  {', '.join(requests)}")
    return facts


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(name)} {n:,}" for name, n in counts.items())


def _failure(failure: FailureSeen) -> str:
    text = f": {failure.text}" if failure.text else ""
    example = f"for example user {plain(failure.user, 60)}{plain(text)}"
    return f"  {failure.times:>9,} times  {plain(failure.step)}  {plain(failure.code)}  {example}"


def columns(head: Sequence[str], rows: Sequence[Sequence[str | int]], paint: Paint) -> list[str]:
    """Columns side by side under a head; the first is text, the others are numbers."""
    texts = [
        [plain(cell, _WIDEST_NAME) if isinstance(cell, str) else f"{cell:,}" for cell in row]
        for row in rows
    ]
    widths = [max(len(row[column]) for row in (head, *texts)) for column in range(len(head))]
    return [
        paint(_row(head, widths), "dim"),
        *(_row(row, widths) for row in texts),
    ]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
    return "  ".join(padded).rstrip()
