"""Write the tables of engine/docs/language.md anew from the models, the registries and the bounds.

``scripts/dev python scripts/reference.py`` writes them; with ``--check`` nothing is written, and it
fails if they differ (``scripts/check`` runs that). The words between the tables are the page's own:
a table stands between ``<!-- keys: MODEL -->`` (or another name of ``PARTS``) and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from engine.core.dsl import load, problems, scenario
from engine.core.dsl.schema import journey_schema, scenarios_schema
from engine.core.expressions import filters, limits
from engine.core.interpreter import size, walk
from engine.core.steps import computed, facts, terms
from engine.core.steps.model import StepModel
from engine.credentials.kinds.base import AuthKind
from engine.endpoints.schema import apply_schema

PAGE = Path(__file__).resolve().parents[1] / "engine" / "docs" / "language.md"

Schema = Mapping[str, Any]

_REGION = re.compile(r"(?ms)^<!-- (?P<name>[a-z]+)(?:: (?P<of>\w+))? -->\n.*?^<!-- end -->$")
_HEADING = re.compile(r"(?m)^#+ (.+)$")
_DURATION = "[duration](expressions.md#durations)"
_A_MONTH = "P1M"
_KINDS = {
    "expression": "[expression](expressions.md)",
    "value": "[value](expressions.md#values)",
    "path": "[path](expressions.md#values)",
    "duration": _DURATION,
    "offset": f"{_DURATION}, perhaps with `-`",
    "duration or value": f"{_DURATION} or [value](expressions.md#values)",
    "time of day": '`"HH:MM"`, in quotes',
    "time zone": "time zone, as `Europe/Istanbul`",
    "schedule": 'five cron fields, as `"0 9 * * mon"`',
    "moment": 'moment with its offset, as `"2026-11-22T09:00:00+03:00"`',
    "vars.NAME or user.NAME": "`vars.NAME` or `user.NAME`",
    "step": "[step](#steps)",
    "trigger": "[trigger](#triggers)",
    "status": "`200`, `2xx` or `200-204`",
    "text or secret": "text or [secret](endpoints.md#as-a-file)",
    "secret": "[secret](endpoints.md#as-a-file)",
    "media type": "media type, as `text/csv`",
    "step's id": "[id](#names) of a step",
    "journey's name": "[name](#names) of a journey",
    "event's name": "[name](#names) of an event",
    "name": "[name](#names)",
}
_CALLED = {
    "Step": "[step](#steps)",
    "Jump": "`{next: STEP}`",
    "RetryPolicy": "retry",
    "Traveller": "user",
    "Occurring": "event",
    "Reply": "answer",
    "Profile": "[auth profile](#auth-profiles)",
}
_NAMES = {
    "vars.NAME or user.NAME": "`vars.NAME` or `user.NAME`",
    "header": "header",
    "step's id": "step's `id`",
    "moment": "moment",
}
_ROOTS = {
    "conditions and values of steps; `when` of goals and exit rules": computed.STEP_ROOTS,
    "`where`, and `outputs` of `wait_for`": computed.HAPPENING_ROOTS,
    "`outputs` and `success.when` of `call_api`": computed.ANSWER_ROOTS,
    "`where` and `inputs` of a trigger by event": computed.ARRIVAL_ROOTS,
    "triggers by schedule, audience and date": computed.ADMISSION_ROOTS,
    "`key` of `entry`": computed.KEY_ROOTS,
}


@dataclass(frozen=True)
class Base:
    """What several models have in common, said once: their keys, those of the model ``bare``, which
    has no others. ``told_by`` is the key that tells them apart, ``at`` the heading above them.
    """

    bare: str
    told_by: str
    at: str
    keys: frozenset[str]


BASES = {
    "StepModel": Base("ExitStep", "type", "#steps", frozenset(StepModel.model_fields)),
    "AuthKind": Base("NoAuth", "kind", "#auth-profiles", frozenset(AuthKind.model_fields)),
}


def definitions() -> dict[str, Any]:
    """Every model of the language, by its name, as its JSON Schema."""
    journeys, scenarios = journey_schema(), scenarios_schema()
    applied = apply_schema()
    found = {**applied["definitions"], **journeys["definitions"], **scenarios["definitions"]}
    return {**found, "Journey": journeys, "ScenarioFile": scenarios, "ApplyFile": applied}


def filled(page: str) -> str:
    """The page with every table made anew."""
    models = definitions()
    places = dict(_places(page))

    def part(match: re.Match[str]) -> str:
        name, of = match["name"], match["of"]
        lines = _keys(models, of, places) if name == "keys" else PARTS[name]()
        head = f"<!-- {name}: {of} -->" if of else f"<!-- {name} -->"
        return "\n".join([head, *lines, "<!-- end -->"])

    return _REGION.sub(part, page)


def _places(page: str) -> Iterator[tuple[str, str]]:
    """Each model that has a table, and the heading above it as a link."""
    for match in _REGION.finditer(page):
        if match["name"] == "keys":
            heading = _HEADING.findall(page, 0, match.start())[-1]
            words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            yield match["of"], f"#{words}"


def _keys(models: Mapping[str, Any], name: str, places: Mapping[str, str]) -> Iterator[str]:
    """The table of a model's keys, without those of its base."""
    base = BASES.get(name)
    model = models[base.bare if base else name]
    keys: dict[str, Schema] = model["properties"]
    shared = {
        key for each in BASES.values() if "const" in keys.get(each.told_by, {}) for key in each.keys
    }
    yield "| key | takes | unless said | |"
    yield "|---|---|---|---|"
    for key, schema in keys.items():
        if (key in shared) is (base is None):
            continue
        takes, about = _takes(schema, models, places), schema.get("description", "")
        if base and key == base.told_by:
            takes, about = f"[{key}]({base.at})", f"Which {key} it is of."
        is_required = key in model.get("required", ()) or bool(base and key == base.told_by)
        said = "**required**" if is_required else _default(schema)
        cells = (f"`{key}`", takes, said, about or models[_of(schema)]["description"])
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if default is None:
        return ""
    return f"`{default if isinstance(default, str) else dumps(default)}`"


def _of(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _takes(schema: Schema, models: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """In words what may stand behind a key."""

    def within(inner: Schema) -> str:
        return _takes(inner, models, places)

    name, title = _of(schema), schema.get("title")
    alternatives = schema.get("oneOf", ())[::-1] or schema.get("anyOf", ())
    if name:
        title = _CALLED.get(name) or models[name]["title"]
        return f"[{title}]({places[name]})" if name in places and name != "Jump" else title
    if words := schema.get("enum") or [schema[key] for key in ("const",) if key in schema]:
        return ", ".join(f"`{word}`" for word in dict.fromkeys(map(str, words)))
    if alternatives and title not in _KINDS:
        return " or ".join(within(each) for each in alternatives)
    if title in _KINDS:
        return _kind(str(title), schema)
    return _of_its_type(schema, within)


def _kind(title: str, schema: Schema) -> str:
    """A kind of text in words; a duration that refuses months is a fixed one."""
    words = _KINDS[title]
    if _DURATION in words and not re.search(schema["pattern"], _A_MONTH):
        return words.replace(_DURATION, "[fixed duration](expressions.md#durations)")
    return words


def _of_its_type(schema: Schema, within: Callable[[Schema], str]) -> str:
    words = "data"
    match schema.get("type"):
        case "array":
            words = f"list of {within(schema['items'])}" if "items" in schema else "list"
        case "object":
            words = _of_names(schema, within)
        case "boolean":
            words = "`true`, `false`"
        case "integer" | "number" as kind:
            low, most = schema.get("minimum"), schema.get("maximum")
            bounds = "" if low is None or most is None else f", {low:,} to {most:,}"
            words = ("whole number" if kind == "integer" else "number") + bounds
        case "string":
            most = schema.get("maxLength")
            words = "text" if most is None else f"text, at most {most:,} characters"
        case [*kinds] if "object" not in kinds:
            words = " or ".join(within({"type": kind}) for kind in kinds)
    return words


def _of_names(schema: Schema, within: Callable[[Schema], str]) -> str:
    """A mapping of an author's own names to values of one kind."""
    inner = [*schema.get("patternProperties", {}).values()]
    inner += [each for each in [schema.get("additionalProperties")] if each]
    if not inner:
        return "mapping"
    each = within(inner[0]) if isinstance(inner[0], dict) else "data"
    names = schema.get("propertyNames", {}).get("title", "NAME")
    return f"for each {_NAMES.get(names, '`NAME`')}: {each}"


# --- registries and bounds -----------------------------------------------------------------------


def _roots() -> Iterator[str]:
    yield "| in | can be named |"
    yield "|---|---|"
    for where, names in _ROOTS.items():
        yield f"| {where} | {', '.join(f'`{name}`' for name in sorted(names))} |"


def _filters() -> Iterator[str]:
    yield ", ".join(f"`{_signature(name)}`" for name in sorted(filters.FILTER_NAMES)) + "."


def _signature(name: str) -> str:
    if name == "default":
        return "default(value='', boolean=false)"
    taken = [
        parameter if default is filters.REQUIRED else f"{parameter}={_written(default)}"
        for parameter, default in filters.FILTERS[name].parameters
    ]
    return f"{name}({', '.join(taken)})" if taken else name


def _written(default: object) -> str:
    return f"'{default}'" if isinstance(default, str) else dumps(default)


def _limits() -> Iterator[str]:
    kib = 1024
    rows = {
        "steps of a journey, those in bodies, `on_enter` and `on_exit` included": load.MOST_STEPS,
        "expressions of a journey, those in `{{ }}` included": load.MOST_EXPRESSIONS,
        "scenarios of a file": scenario.MOST_SCENARIOS,
        "problems reported of a file": problems.MOST_PROBLEMS,
        "characters of an expression": limits.MAX_SOURCE,
        "parts of an expression": limits.MAX_NODES,
        "depth of an expression": limits.MAX_DEPTH,
        "characters of a text that an expression makes": limits.MAX_STRING,
        "characters of a text with `{{ }}`, once rendered": limits.MAX_TEXT,
        "steps of a passage without a wait between them": walk.MOST_STEPS_UNWAITED,
        "steps of a passage in all": walk.MOST_STEPS,
        "events and passages that lead to one another": walk.MOST_DEPTH,
        "KiB of what a passage keeps (`vars`, `inputs`, `steps`)": size.LARGEST_STATE // kib,
        "seconds of one attempt of a call": terms.LONGEST_TIMEOUT // 1_000_000,
        "events of one name that are remembered of a user": facts.MOST_COUNTED,
    }
    yield "| of | at most |"
    yield "|---|---|"
    yield from (f"| {what} | {most:,} |" for what, most in rows.items())


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "filters": _filters,
    "limits": _limits,
    "roots": _roots,
}
"""Parts of the page besides ``keys``, by name."""


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check`` only compare. The exit code."""
    page = PAGE.read_text(encoding="utf-8")
    made = filled(page)
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
    elif made != page:
        print("engine/docs/language.md isn't what the models give:", file=sys.stderr)
        print("run `scripts/dev python scripts/reference.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
