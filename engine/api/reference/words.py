"""JSON Schemas in words, as tables of fields, and as examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Schema = dict[str, Any]

OR_NULL = " or null"
_DEEPEST = 4
_BOUNDS = (
    ("minimum", "≥ "),
    ("maximum", "≤ "),
    ("minLength", "at least so many characters: "),
    ("maxLength", "characters at most: "),
    ("minItems", "at least so many: "),
    ("maxItems", "at most so many: "),
)
_TOLD = 10**12  # larger bounds are those of the database: nobody meets them
_PLAIN = {"None": "anything", "string": "text", "password": "text, a secret"}
_EXAMPLES = {"integer": 1, "number": 1.5, "boolean": True}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body: ``name`` has the path to it, as in ``users[].id``."""

    name: str
    words: str
    required: bool
    about: str
    place: str = ""
    default: str = ""


def schema_at(
    document: Mapping[str, Any], name: str, schema: Schema, *, required: bool, place: str = ""
) -> Field:
    """One schema as a field. A parameter that may be null is one that may be left out."""
    words = words_of(document, schema)
    default = schema.get("default")
    shown = "" if default in (None, "", {}, []) else str(default).lower()
    if isinstance(default, str):
        shown = default
    said = words.removesuffix(OR_NULL) if place else words
    return Field(name, said, required, about_of(document, schema), place, shown)


def fields_of(
    document: Mapping[str, Any], schema: Schema, under: str = "", depth: int = 0
) -> Iterator[Field]:
    """The fields of an object, or of a list's objects, and theirs."""
    resolved, _ = _resolved(document, schema)
    if depth > _DEEPEST:
        return
    if resolved.get("type") == "array":
        yield from fields_of(document, resolved["items"], f"{under}[]", depth + 1)
        return
    required = resolved.get("required", ())
    for name, each in resolved.get("properties", {}).items():
        path = f"{under}.{name}" if under else name
        yield schema_at(document, path, each, required=name in required)
        yield from fields_of(document, each, path, depth + 1)


def words_of(document: Mapping[str, Any], schema: Schema) -> str:
    """What may stand there."""
    resolved, nullable = _resolved(document, schema)
    words = _type(document, resolved)
    bounds = [
        f"{said}{int(resolved[key]):,}"
        for key, said in _BOUNDS
        if key in resolved and abs(resolved[key]) < _TOLD
    ]
    if bounds and resolved.get("type") != "string":
        words = f"{words}, {', '.join(bounds)}"
    return f"{words}{OR_NULL}" if nullable else words


def sample_of(document: Mapping[str, Any], schema: Schema, depth: int = 0) -> object:
    """Something that fits, with the fields that are required; those that may be left out, too,
    where nothing is.
    """
    resolved, _ = _resolved(document, schema)
    if "enum" in resolved:
        return resolved["enum"][0]
    kind = resolved.get("type")
    if kind == "array":
        return [sample_of(document, resolved["items"], depth + 1)]
    if kind == "object" or "properties" in resolved:
        properties = resolved.get("properties", {})
        wanted = resolved.get("required") or (tuple(properties) if depth == 0 else ())
        return {name: sample_of(document, properties[name], depth + 1) for name in wanted}
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    return _EXAMPLES.get(str(kind), "…")


def about_of(document: Mapping[str, Any], schema: Schema) -> str:
    """What is said of a schema as a whole."""
    resolved, _ = _resolved(document, schema)
    return " ".join(str(schema.get("description") or resolved.get("description", "")).split())


def _type(document: Mapping[str, Any], schema: Schema) -> str:
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"array of {words_of(document, schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {words_of(document, schema['additionalProperties'])}"
    return _PLAIN.get(found := str(schema.get("format") or schema.get("type")), found)


def _resolved(document: Mapping[str, Any], schema: Schema) -> tuple[Schema, bool]:
    """The schema that a reference leads to, and whether null fits, too."""
    nullable = False
    while True:
        if "$ref" in schema:
            found: Any = document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        elif "anyOf" in schema:
            others = [each for each in schema["anyOf"] if each.get("type") != "null"]
            nullable = nullable or len(others) < len(schema["anyOf"])
            schema = others[0]
        else:
            return schema, nullable
