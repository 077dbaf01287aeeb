"""Templates: Jinja2 with everything escaped, nothing undefined, and texts from outside made inert.

A template says what may be markup; whatever comes into it is text. Characters that steer (controls,
and those that turn the direction of writing) are shown as U+FFFD, except in fields to be edited.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from engine import __version__
from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND, from_instant
from engine.core.inert import inert
from engine.operations.tables import instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from engine.console.assets import Asset

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINES = "\n\t"


class Templates:
    """The templates of a folder. ``zone`` is where instants are shown in."""

    def __init__(self, folder: str, assets: Mapping[str, Asset], zone: ZoneInfo) -> None:
        self._zone = zone
        self._environment = environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters.update(
            when=self._when,
            clock=self._clock,
            day=self._day,
            span=span,
            number=_number,
            percent=_percent,
            pretty=_pretty,
            compact=_compact,
            exact=_exact,
            q=_quoted,
            words=_words,
        )
        environment.globals.update(
            asset=lambda name: assets[name].path,
            version=__version__,
            zone=zone.key,
            link=link,
        )

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """The page."""
        return self._environment.get_template(template).render(values)

    def _when(self, microseconds: int | None, otherwise: str = "never") -> Markup:
        """An instant as ``22 Nov 2026, 09:00:05``, exactly and in UTC as its title."""
        if microseconds is None:
            return Markup("<span class=muted>{}</span>").format(otherwise)
        return self._time(microseconds, "{day} {month} {year}, {clock}")

    def _clock(self, microseconds: int) -> Markup:
        """Its time of day; the rest is its title."""
        return self._time(microseconds, "{clock}")

    def _day(self, microseconds: int) -> Markup:
        return self._time(microseconds, "{day} {month} {year}")

    def _time(self, microseconds: int, form: str) -> Markup:
        local = from_instant(microseconds, self._zone)
        month, clock = _MONTHS[local.month - 1], f"{local:%H:%M:%S}"
        shown = form.format(day=local.day, month=month, year=local.year, clock=clock)
        exact = instant(microseconds)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, exact, shown)


def span(microseconds: int, units: int = 2) -> str:
    """A length of time by its largest units: ``1 d 3 h``, ``45 min``, ``12 s``, ``85 ms``."""
    if microseconds < SECOND:
        return f"{max(0, microseconds) / 1000:.0f} ms"
    known = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
    at = next(index for index, (size, _) in enumerate(known) if microseconds >= size)
    parts = []
    for size, name in known[at : at + units]:
        count, microseconds = divmod(microseconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def visible(text: str) -> str:
    """``text`` without a character that steers what shows it, line ends and tabs excepted."""
    return inert(text, kept=_LINES)


def link(path: str, **query: str | int | None) -> str:
    """A path of ours with a query; what is None or '' is left out."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    if not given:
        return path
    return f"{path}?{urlencode(given, errors='replace')}"


def _finalized(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(value)


def _exact(text: str) -> Markup:
    """A text as it is, for the value of a field: what is sent back is what was there."""
    return escape(text.encode("utf-8", "replace").decode())


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _number(n: int) -> str:
    return f"{n:,}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _compact(value: object, most: int = 160) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _words(text: str) -> str:
    return text.replace("_", " ")
