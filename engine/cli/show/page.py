"""A run as one HTML file: the graph with its counts, the tables, the failures.

It loads nothing and runs nothing, which its own policy (CSP) enforces. Texts from outside stand in
it as text only. It holds what the summary holds, so never a credential.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from engine.cli.show.gains import points_of
from engine.cli.show.page_style import PAGE_STYLE
from engine.core.drawing.svg import svg
from engine.core.drawing.typesetting import shortened
from engine.enrollments.drawn_counts import counts_of
from engine.enrollments.summary import by_frequency
from engine.enrollments.summary_data import gained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from engine.core.dsl.journey import Journey
    from engine.core.dsl.program import Program
    from engine.enrollments.arms import ArmTally
    from engine.enrollments.summary import FailureSeen, StepTally, Summary

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SHARES = (
    ("is-good", "succeeded"),
    ("is-skip", "skipped"),
    ("is-pause", "waiting"),
    ("is-bad", "failed"),
)


def page(program: Program, summary: Summary, about: str, arms: Sequence[ArmTally] = ()) -> str:
    """The page; ``about`` says in words what it is of, and when that was; ``arms`` are the arms of
    splits that are told of on their own.
    """
    journey = program.journey
    title = _text(journey.title or journey.journey)
    drawn = svg(program, counts_of(summary), named=False)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}: report</title>\n<style>{PAGE_STYLE}</style>\n</head>\n<body>\n<main>",
        *_header(journey, summary, about),
        *_section("Journey", [f'<div class="graph">{drawn}</div>']),
        *_section("Goals", _goals(summary)),
        *_section("Most frequent failures", _failures(summary.failures)),
        *_section("Steps", _steps(summary)),
        *_section("Endpoints", _endpoints(summary)),
        *_section("Outcomes", _shares("outcome", summary.outcomes)),
        *_section("Not admitted", _shares("reason", summary.refusals)),
        *_section("Arms", _arms(arms)),
        *_section("Token requests", _shares("auth profile", summary.tokens)),
        "<footer>Steps count visits, so a step in a loop counts a user each time.</footer>",
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _header(journey: Journey, summary: Summary, about: str) -> Iterator[str]:
    version = "" if summary.version is None else f"version {summary.version} · "
    yield f"<header><h1>{_text(journey.title or journey.journey)}</h1>"
    if journey.description:
        yield f"<p>{_text(journey.description)}</p>"
    yield f'<p class="muted"><code>{_text(journey.journey)}</code> · {version}{_text(about)}</p>'
    yield '<div class="tiles">'
    for number, word, style in (
        (summary.entered, "entered", ""),
        (summary.finished, "finished", ""),
        (summary.waiting, "waiting", "pause" if summary.waiting else ""),
        (summary.refused, "not admitted", ""),
        (summary.calls.attempts, "requests sent", ""),
        (summary.failed, "failed steps", "bad" if summary.failed else "good"),
    ):
        yield f'<div class="tile {style}"><b>{number:,}</b><span>{word}</span></div>'
    stuck = summary.stuck
    went_on = f"failed {summary.failed:,}, went on {max(0, summary.failed - stuck):,}"
    bad = " bad" if stuck else ""
    yield f'</div><p class="verdict{bad}">{went_on}, stuck {stuck:,}</p></header>'


def _section(heading: str, content: Iterable[str]) -> Iterator[str]:
    """A heading and what is under it; nothing where that is nothing."""
    inside = list(content)
    if inside:
        yield f"<section>\n<h2>{heading}</h2>"
        yield from inside
        yield "</section>"


def _steps(summary: Summary) -> Iterator[str]:
    rows: list[str] = []
    for name, tally in summary.steps.items():
        cells = [
            *(_number(getattr(tally, key)) for key in ("entered", "succeeded")),
            _number(tally.failed, "failed"),
            _number(tally.skipped),
            _number(tally.waiting, "waiting"),
            f"<td>{_bar(tally)}</td>",
            f'<td class="left">{_text(tally.endpoint or "")}</td>',
        ]
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{"".join(cells)}</tr>')
        rows += [
            f'<tr class="arm"><th scope="row">→ {_text(arm)}</th>{_number(n)}'
            '<td colspan="6"></td></tr>'
            for arm, n in sorted(summary.arms.get(name, {}).items())
        ]
    head = ("step", "entered", "succeeded", "failed", "skipped", "waiting", "", "<endpoint")
    yield _table(head, rows)


def _goals(summary: Summary) -> Iterator[str]:
    """Goals, and what the journey gained where somebody was held out."""
    rows: list[str] = []
    for name, tally in summary.goals.items():
        treated, held_out = summary.groups(name)
        gain = gained(summary, name)
        cells = [_number(tally.met), _percent(tally.met, treated)]
        cells += [_number(tally.held_out), _percent(tally.held_out, held_out)] if held_out else []
        if gain is not None:
            kind = "" if not gain.certain else "good" if gain.low > 0 else "failed"
            cells += [f'<td class="{kind}">{_text(points_of(gain))}</td>']
        elif held_out:
            cells += ["<td></td>"]
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{"".join(cells)}</tr>')
    head = ["goal", "reached", "of those treated"]
    if any(summary.groups(name)[1] for name in summary.goals):
        head += ["held out", "of those held out", "uplift, with its 95% interval"]
    if rows:
        yield _table(head, rows)


def _arms(arms: Sequence[ArmTally]) -> Iterator[str]:
    rows = [
        f'<tr><th scope="row">{_text(arm.step)} → {_text(arm.arm)}</th>{_number(arm.taken)}'
        f'{_number(arm.waiting, "waiting")}<td class="left">{_text(_counts(arm.outcomes))}</td>'
        f'<td class="left">{_text(_counts(arm.goals))}</td></tr>'
        for arm in arms
    ]
    if rows:
        yield _table(("arm", "taken", "waiting", "<outcomes", "<goals"), rows)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in by_frequency(dict(counts)).items())


def _percent(part: int, whole: int) -> str:
    return f"<td>{part / whole:.1%}</td>" if whole else "<td></td>"


def _endpoints(summary: Summary) -> Iterator[str]:
    rows = [
        f'<tr><th scope="row">{_text(name)}</th>{_number(tally.calls)}{_number(tally.attempts)}'
        f"{_number(tally.succeeded)}{_number(tally.failed, 'failed')}</tr>"
        for name, tally in summary.endpoints.items()
    ]
    if rows:
        yield _table(("endpoint", "calls", "requests", "succeeded", "failed"), rows)


def _shares(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Names with their numbers, each with a bar of its share."""
    whole = sum(counts.values())
    rows = [
        f'<tr><th scope="row">{_text(name)}</th>{_number(n)}'
        f'<td class="left"><div class="bar"><i class="is-accent" style="width:{n / whole:.1%}">'
        "</i></div></td></tr>"
        for name, n in counts.items()
        if whole
    ]
    if rows:
        yield _table((what, "number", ""), rows)


def _failures(failures: Sequence[FailureSeen]) -> Iterator[str]:
    if not failures:
        return
    yield '<div class="failures">'
    for failure in failures:
        said = f": {_text(failure.text)}" if failure.text else ""
        example = f"For example user <code>{_text(failure.user)}</code>{said}"
        times = f"<b>{failure.times:,} times</b> at <b>{_text(failure.step)}</b>"
        yield (
            f'<div class="failure"><p>{times} · <code>{_text(failure.code)}</code></p>'
            f'<p class="muted">{example}</p></div>'
        )
    yield "</div>"


def _table(head: Sequence[str], rows: Iterable[str]) -> str:
    """A table; a heading that begins with ``<`` stands to the left, an empty one has no words."""
    cells = "".join(
        f'<th scope="col" class="left">{word[1:]}</th>'
        if word.startswith("<")
        else f'<th scope="col">{word}</th>'
        if word
        else "<td></td>"
        for word in head
    )
    body = "\n".join(rows)
    return (
        f'<div class="table"><table>\n<thead><tr>{cells}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _number(n: int, style: str = "") -> str:
    kind = "zero" if not n else style
    return f'<td class="{kind}">{n:,}</td>' if kind else f"<td>{n:,}</td>"


def _bar(tally: StepTally) -> str:
    """How a step's visits ended."""
    if not tally.entered:
        return '<div class="bar"></div>'
    parts = "".join(
        f'<i class="{style}" style="width:{getattr(tally, name) / tally.entered:.1%}"></i>'
        for style, name in _SHARES
        if getattr(tally, name) > 0
    )
    return f'<div class="bar">{parts}</div>'


def _text(text: str) -> str:
    return escape(shortened(text, 500))
