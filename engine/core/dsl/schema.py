"""The language as JSON Schema, made of its models: what editors complete, explain and check.

Draft-07, because every editor knows it: yaml-language-server (VS Code, Neovim, Helix, Emacs) has
read it since its first version and 2020-12 only lately. What stands beside a ``$ref`` are words,
which draft-07 ignores and editors show. Everything that a schema refuses the loader refuses, too;
the loader sees more: what expressions say, which steps, inputs and endpoints there are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from json import dumps
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from engine.core.dsl.journey import Journey
from engine.core.dsl.literal_secrets import CREDENTIAL_HEADERS
from engine.core.dsl.scenario import ScenarioFile
from engine.core.steps.call_api import WIRE_HEADERS

DIALECT = "http://json-schema.org/draft-07/schema#"

_REFERENCE = "#/definitions/{model}"
_STEP = "#/definitions/Step"
_WORDS = ("title", "description", "markdownDescription")


def journey_schema(
    endpoints: Mapping[str, str] | None = None, zones: Collection[str] = ()
) -> JsonSchemaValue:
    """The schema of a journey file.

    With ``endpoints`` (name → a few words about it) a call names one of these; with ``zones`` a
    time zone is one of these.
    """
    schema = schema_of(Journey, "journey", zones)
    call = schema["definitions"]["CallApiStep"]["properties"]
    credentials = [_however_written(name, "[-_]") for name in sorted(CREDENTIAL_HEADERS)]
    wire = [_however_written(name, "-") for name in sorted(WIRE_HEADERS)]
    call["query"] = _without(call["query"], credentials)
    call["headers"] = _without(call["headers"], [*credentials, *wire])
    if endpoints:
        call["endpoint"] |= {
            "enum": sorted(endpoints),
            "enumDescriptions": [endpoints[name] for name in sorted(endpoints)],
            "errorMessage": f"there is no such endpoint: one of {', '.join(sorted(endpoints))}",
        }
    return schema


def scenarios_schema(
    endpoints: Mapping[str, str] | None = None, zones: Collection[str] = ()
) -> JsonSchemaValue:
    """The schema of a file of scenarios; ``endpoints`` and ``zones`` as of a journey's."""
    schema = schema_of(ScenarioFile, "scenarios", zones)
    if endpoints:
        for model, key in (("Scenario", "answers"), ("Expect", "calls")):
            named = schema["definitions"][model]["properties"][key]
            (each,) = named.pop("patternProperties").values()
            named["properties"] = {
                name: {"description": endpoints[name], **each} for name in sorted(endpoints)
            }
    return schema


def schema_of(model: type[BaseModel], title: str, zones: Collection[str] = ()) -> JsonSchemaValue:
    """The schema of a file that is a ``model``, as editors want it."""
    made = model.model_json_schema(
        by_alias=True, ref_template=_REFERENCE, schema_generator=_ForEditors
    )
    definitions: dict[str, Any] = made.pop("$defs", {})
    for name, each in definitions.items():
        each["title"] = _title(name, each)
    whole = {"$schema": DIALECT, **made, "title": title, "definitions": definitions}
    for each in list(_schemas(whole)):
        _finish(each, definitions, zones)
    definitions["Step"] = _one_step(whole)
    if not definitions["Step"]:
        del definitions["Step"]
    return whole


class _ForEditors(GenerateJsonSchema):
    """Titles are the kinds of values, as models give them; a key isn't repeated as its title."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """No title made of a key."""
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """With the titles of names and values, which say what kind they are."""
        written = super().dict_schema(schema)
        named = self.generate_inner(schema.get("keys_schema", {"type": "any"})).get("title")
        valued = self.generate_inner(schema.get("values_schema", {"type": "any"})).get("title")
        said = {"title": valued} if valued else {}
        for pattern, each in written.get("patternProperties", {}).items():
            written["patternProperties"][pattern] = each | said
        if said and "additionalProperties" in written:
            open_ended = written["additionalProperties"]
            written["additionalProperties"] = said | (open_ended if open_ended is not True else {})
        if named:
            written["propertyNames"] = {"title": named}
        return written


def _schemas(node: object) -> Iterator[dict[str, Any]]:
    """Every schema in ``node``, itself first, and every mapping of schemas."""
    if isinstance(node, dict):
        yield node
        for below in node.values():
            yield from _schemas(below)
    elif isinstance(node, list):
        for below in node:
            yield from _schemas(below)


def _finish(schema: dict[str, Any], definitions: Mapping[str, Any], zones: Collection[str]) -> None:
    """What is said in words, made fit to be read; what the models leave open, closed."""
    default = schema.get("default")
    if isinstance(default, dict) or default in ([], "") or "const" in schema:
        schema.pop("default", None)  # an editor would write it
    if isinstance(about := schema.get("description"), str):
        schema["description"] = _plain(about)
        if "`" in about or "default" in schema:
            schema["markdownDescription"] = _plain(about) + _by_default(schema)
    if "patternProperties" in schema:
        schema["additionalProperties"] = False
    schema.pop("uniqueItems", None)  # written twice is the same as once
    for key in ("anyOf", "oneOf"):
        kinds = schema.get(key)
        if isinstance(kinds, list) and any(_is_model(kind, definitions) for kind in kinds):
            del schema[key]
            said = {key: schema[key] for key in _WORDS if key in schema}
            ordered = sorted(kinds, key=lambda kind: not _is_model(kind, definitions))
            schema["oneOf"] = [kind | said for kind in ordered]  # who hovers meets the first
    if zones and schema.get("title") == "time zone":
        words = "this is no time zone: an IANA name, as in Europe/Istanbul"
        schema["enum"], schema["errorMessage"] = sorted(zones), words


def _is_model(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether this is a mapping. Editors compare what was written with the first of several."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return bool(definitions.get(name, {}).get("type") == "object")


def _one_step(whole: dict[str, Any]) -> dict[str, Any]:
    """The choice of a step's type, which stands wherever steps do: once, and referred to."""
    found: dict[str, Any] = {}
    for schema in _schemas(whole):
        items = schema.get("items")
        if isinstance(items, dict) and items.get("title") == "step":
            found = items
            schema["items"] = {"$ref": _STEP}
    return found


def _title(name: str, model: Mapping[str, Any]) -> str:
    """What people call a model: its step type, its kind, or its name in words."""
    keys = model.get("properties", {})
    kind = keys.get("type", {}).get("const") or keys.get("kind", {}).get("const")
    return str(kind) if kind else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _plain(text: str) -> str:
    """A docstring as one would write it: `code` in single quotes, lines joined to paragraphs."""
    text = re.sub(r":[a-z]+:`([^`]*)`", r"`\1`", text.replace("``", "`"))
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _by_default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    written = dumps(default, ensure_ascii=False) if not isinstance(default, str) else default
    return f"\n\nUnless said: `{written}`" if default is not None else ""


def _without(schema: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A mapping of names to values, but none of these ``names``, which are patterns."""
    patterns = schema.get("patternProperties") or {"^.+$": schema["additionalProperties"]}
    ((pattern, each),) = patterns.items()
    fitting = {f"^(?!(?:{'|'.join(names)})$){pattern.removeprefix('^')}": each}
    return dict(schema) | {"patternProperties": fitting, "additionalProperties": False}


def _however_written(name: str, dash: str) -> str:
    """A pattern of a header's name in whatever capitals."""
    letters = (dash if x == "-" else f"[{x}{x.upper()}]" if x.isalpha() else x for x in name)
    return "".join(letters)
