"""What an author most likely meant by a value that isn't right.

A remedy that can be typed as it stands beats one that explains: each function here takes what was
written and gives the remedy, or '' where nothing better is known than the field's own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from zoneinfo import available_timezones

from engine.core.dsl.problems import did_you_mean, nearest, quoted
from engine.core.expressions.calendar import parse_wall_time

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_REFERENCE = re.compile(r"\$?\{?(?P<path>(?:user|inputs|vars|steps|enrollment)\.[\w.\[\]]+)\}?")
_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2})(?:[:.h](?P<minute>[0-9]{2}))?\s*(?P<half>am|pm)?")
_NUMBER = re.compile(r"-?[0-9][0-9_]*(?:[.,][0-9]+)?")
_TRUTHS = {"yes": "true", "on": "true", "true": "true", "1": "true", "y": "true"}
_FALSEHOODS = {"no": "false", "off": "false", "false": "false", "0": "false", "n": "false"}
_HOURS = {"noon": "12:00", "midday": "12:00", "midnight": "00:00", "morning": "09:00"}


def duration(written: object) -> str:
    """For a duration: a number gets its units, a reference its braces."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return f"with its unit: {written}s, {written}m, {written}h or {written}d"
    if isinstance(written, str) and (found := _REFERENCE.fullmatch(written.strip())):
        return f'did you mean "{{{{ {found["path"]} }}}}"?'
    return "as in PT45M, P2D, 45m or 2d 4h" if isinstance(written, dict | list) else ""


def wall_time(written: object) -> str:
    """For a time of day: ``9am``, ``9.30``, ``9``."""
    text = str(written).strip().lower()
    text = _HOURS.get(text, text)
    found = _CLOCK.fullmatch(text)
    if found is None:
        return 'as in "09:00", in quotes'
    hour = int(found["hour"])
    if found["half"] and hour <= 12:
        hour = hour % 12 + (12 if found["half"] == "pm" else 0)
    clock = f"{hour % 24 if hour == 24 else hour:02}:{found['minute'] or '00'}"
    return f'did you mean "{clock}"?' if parse_wall_time(clock) else 'as in "09:00", in quotes'


@cache
def _zones() -> dict[str, str]:
    """The zones' names by themselves and by their city, in lower case."""
    names = sorted(name for name in available_timezones() if "/" in name or name == "UTC")
    cities = {name.rpartition("/")[2].lower(): name for name in reversed(names)}
    return cities | {name.lower(): name for name in names}


def zone(written: object, *, user: bool = False) -> str:
    """For a time zone: a city, another spelling; ``user`` if that word may stand there."""
    if not isinstance(written, str):
        return ""
    text = written.strip().replace(" ", "_").lower()
    if re.match(r"(?:utc|gmt)_?[+-]", text):
        return ""
    if text == "user":
        return "drop it: the user's own clock is the default"
    if user and did_you_mean(text, ("user",)):
        return "did you mean `user`?"
    found = _zones().get(text) or _zones().get(nearest(text, _zones(), cutoff=0.75))
    return f"did you mean `{found}`?" if found else ""


_NAMED_SCHEDULES = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "midnight": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_CRON_FIELDS = "minute, hour, day, month, weekday"
_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def schedule(written: object) -> tuple[str, str]:
    """For a cron line: what is wrong with it ('' if unknown), and what would be right."""
    text = str(written).strip().lower()
    if text.lstrip("@") in _NAMED_SCHEDULES:
        return "", f'did you mean "{_NAMED_SCHEDULES[text.lstrip("@")]}"?'
    fields = text.split()
    if len(fields) == 1 and (found := _CLOCK.fullmatch(text)) and found["minute"]:
        return "", f'did you mean "{int(found["minute"])} {int(found["hour"])} * * *"?'
    if len(fields) != 5 or not isinstance(written, str):
        number = f"{len(fields)} field{'s' if len(fields) != 1 else ''} instead of five"
        return number, f'{_CRON_FIELDS}, as in "0 9 * * mon"'
    for field, (name, low, high) in zip(fields, _RANGES, strict=True):
        for part in re.split(r"[,/-]", field):
            if part.isdecimal() and not low <= int(part) <= high:
                return f"the {name} {part}", f"the {name} is from {low} to {high}"
            known = {"weekday": WEEKDAYS, "month": _MONTHS}.get(name, ())
            if part.isalpha() and part not in known:
                near = nearest(part[:3], known, cutoff=0.6)
                return f"the {name} {part}", f"did you mean `{near}`?" if near else ""
    return "", ""


def name(written: object, pattern: str, remedy: str) -> str:
    """For a name: itself in the characters that names have, if that gives one."""
    if isinstance(written, list) and len(written) == 1:
        written = written[0]
        return f"write it without [ ]: {quoted(written)}" if isinstance(written, str) else remedy
    if not isinstance(written, str):
        return remedy
    for lower in (False, True):
        for join in ("_", "-", ""):
            text = written.strip().lower() if lower else written.strip()
            text = re.sub(r"[^A-Za-z0-9]+", join, text).strip(join)
            if text != written and re.fullmatch(pattern, text):
                return f"did you mean `{text}`?"
    return remedy


def target(written: object) -> str:
    """For what a step writes to: ``vars.NAME`` or ``user.NAME``."""
    if not isinstance(written, str):
        return ""
    if written in ("vars", "user"):
        return f"the name stands behind a point: `{written}.NAME: ...`"
    root, _, rest = written.partition(".")
    parts = [root, *rest.split(".")] if rest else [root]
    right = parts.pop(0) if parts[0] in ("vars", "user") and rest else "vars"
    if right == "vars" and len(parts) > 1 and parts[0] != "vars":
        near = nearest(parts[0], ("vars", "user"), cutoff=0.6)
        parts, right = parts[1:], near or "vars"
    joined = re.sub(r"\W+", "_", "_".join(parts)).strip("_")
    return f"did you mean `{right}.{joined}`?" if re.match("[A-Za-z_]", joined) else ""


def number(written: object) -> str:
    """For a number: without quotes, percent signs, underscores and units."""
    if not isinstance(written, str):
        return ""
    text = written.strip().rstrip("%").strip()
    if _NUMBER.fullmatch(text):
        plain = text.replace("_", "").replace(",", ".")
        return f"write it without quotes: {plain}" if plain == written else f"write {plain}"
    return ""


def whole_number(written: object) -> str:
    """For a whole number."""
    if isinstance(written, float):
        return f"write {round(written)}"
    if isinstance(written, str) and (found := re.fullmatch(r"P?([0-9]+) ?[A-Za-z]+", written)):
        return f"write {found[1]}, without a unit"
    return number(written) or "as in 3"


def truth(written: object) -> str:
    """For true or false."""
    word = str(written).strip().lower()
    found = _TRUTHS.get(word) or _FALSEHOODS.get(word)
    return f"write `{found}`" if found else "write `true` or `false`"


def listed(written: object) -> str:
    """For a list: the one item in brackets, a range of weekdays written out."""
    if isinstance(written, str) and (days := weekday_range(written)):
        return f"write [{', '.join(days)}]"
    if isinstance(written, str | int | float) and not isinstance(written, bool):
        return f"write [{str(written)[:60]}]"
    return "begin each item with `- `"


def weekday_range(written: str) -> tuple[str, ...]:
    """The days of ``mon-fri``, in order; none if it isn't a range of days."""
    first, dash, last = written.strip().lower().partition("-")
    start, end = first.strip()[:3], last.strip()[:3]
    if not dash or start not in WEEKDAYS or end not in WEEKDAYS:
        return ()
    begin, length = WEEKDAYS.index(start), (WEEKDAYS.index(end) - WEEKDAYS.index(start)) % 7
    return tuple(WEEKDAYS[(begin + day) % 7] for day in range(length + 1))


_INSTEAD_OF_A_MAPPING = {
    "until": "{{time: {}}}",
    "retry": "{{attempts: {}}}",
    "success": "{{status: [{}]}}",
    "limit": "{{count: {}, per: P30D}}",
    "goals": "{{name: {}, event: EVENT}}",
    "triggers": "{{event: {}}}",
    "any": "{{event: {}}}",
    "exit": "{{event: {}}}",
}


_COMPUTED = re.compile(r"(?:user|inputs|vars|steps|enrollment|response|now|date)\b")
_INSTEAD_OF_A_CONDITION = {
    "until": "{{date: {}, missing: exit}}",
    "success": "{{when: {}}}",
}


def mapped(written: object, key: str, keys: Iterable[str]) -> str:
    """For a mapping that stands at ``key`` (a list's items: the list's key) and takes ``keys``."""
    if isinstance(written, str) and key in _INSTEAD_OF_A_CONDITION and _COMPUTED.match(written):
        shown = written[:60] if not set(written) & set("[]{},:#") else f'"{written[:60]}"'
        return f"write {_INSTEAD_OF_A_CONDITION[key].format(shown)}"
    if isinstance(written, str | int | float) and key in _INSTEAD_OF_A_MAPPING:
        shown = f'"{written}"' if ":" in str(written) else str(written)[:60]
        return f"write {_INSTEAD_OF_A_MAPPING[key].format(shown)}"
    names = list(keys)
    shown = f"; the keys are {', '.join(names)}" if 0 < len(names) <= 12 else ""
    return f"write `key: value`{shown}"


NAME_PATTERNS: Mapping[str, str] = {
    "name.step": "[a-z][a-z0-9_]{0,62}",
    "name.journey": "[a-z][a-z0-9-]{0,62}",
    "name.invalid": "[A-Za-z0-9][A-Za-z0-9_.-]{0,62}",
    "name.data": "[A-Za-z_][A-Za-z0-9_]{0,62}",
    "header.name": "[A-Za-z0-9-]{1,100}",
}
"""Code → what such a name looks like."""

VALUES: Mapping[str, Callable[[object], str]] = {
    "duration.invalid": duration,
    "time.invalid": wall_time,
    "target.invalid": target,
    "percent.invalid": number,
    "weight.invalid": number,
}
"""Code → what may be said of the value as it was written."""
