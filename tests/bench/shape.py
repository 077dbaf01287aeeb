"""What every bench is: options, and cases whose figures were taken in several runs.

A figure's unit stands in its name: ``..._per_s``, ``..._us``, ``..._ms``, ``..._mib``; what begins
with ``of_`` is a ratio to a bare limit that was measured in the same run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Figures = dict[str, float]
"""What one run gave."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a bench's own; the default says its type, a list of numbers is ``1,10``."""

    name: str
    default: int | float | str
    help: str
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One size, or one way, that was measured: each figure has a value of each run."""

    name: str
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, figures: Figures) -> None:
        """What one more run gave."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench. ``about`` says what it measures and beside what; ``measure`` gives its cases."""

    name: str
    about: str
    options: tuple[Option, ...]
    measure: Callable[[Any], Iterator[Case]]


def repeated(name: str, runs: int, once: Callable[..., Figures], *given: object) -> Case:
    """A case that is run so often: each time ``once(*given)``."""
    case = Case(name)
    for _ in range(runs):
        case.add(once(*given))
    return case


def sizes(text: str) -> list[int]:
    """The numbers of an option that holds several."""
    return [int(size) for size in text.split(",")]


def percentiles(name: str, values: list[float]) -> Figures:
    """Median, 99th percentile and maximum of what was measured; ``name`` has a ``*`` for which."""
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name.replace("*", k): ordered[int((len(ordered) - 1) * q)] for k, q in at.items()}


Summary = dict[str, dict[str, dict[str, float]]]
"""Case → figure → median, low and high."""


def summary(cases: list[Case]) -> Summary:
    """The figures of all cases, with their spread over the runs."""
    return {
        case.name: {
            name: {
                "median": _short(statistics.median(values)),
                "low": _short(min(values)),
                "high": _short(max(values)),
            }
            for name, values in case.figures.items()
        }
        for case in cases
    }


def line(bench: str, given: Mapping[str, object], cases: list[Case]) -> str:
    """The one line of JSON that says everything of a bench."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    told = {"bench": bench, "given": dict(given), "machine": machine, "cases": summary(cases)}
    return json.dumps(told, ensure_ascii=False)


def table(now: Summary, then: Summary) -> Iterator[str]:
    """The lines of a table; where ``then`` has the same figure, with it and the ratio to it."""
    head = f"{'':18} {'figure':24} {'median':>12} {'lowest':>12} {'highest':>12}"
    yield head + (f" {'then':>12} {'now/then':>9}" if then else "")
    for case, figures in now.items():
        for place, (name, figure) in enumerate(figures.items()):
            shown = " ".join(f"{_shown(figure[key]):>12}" for key in ("median", "low", "high"))
            before = then.get(case, {}).get(name)
            yield f"{'' if place else case:18} {name:24} {shown}" + _against(figure, before)


def _against(figure: Mapping[str, float], before: Mapping[str, float] | None) -> str:
    if before is None:
        return ""
    ratio = f"{figure['median'] / before['median']:.2f}" if before["median"] else "-"
    return f" {_shown(before['median']):>12} {ratio:>9}"


def _shown(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _short(value: float) -> float:
    return float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
