"""What every model of the language has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from engine.core.expressions.durations import Duration
from engine.core.expressions.paths import PathTemplate
from engine.core.steps.editors import Rule, no_null

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Definition(BaseModel):
    """Something an author writes: frozen, no unknown keys, and no key with nothing behind it.

    ``editor_rules`` are what its schema says of keys together; they add to those of its bases.
    """

    editor_rules: ClassVar[tuple[Rule, ...]] = ()

    # Built when the first is made: the outermost model builds all that it holds at once.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError(
                "value.empty", "nothing is written here", {"remedy": "give a value or drop the key"}
            )
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema as authors meet it."""
        return as_authors_meet_it(cls, core_schema, handler)


def as_authors_meet_it(
    model: type[BaseModel], core_schema: CoreSchema, handler: GetJsonSchemaHandler
) -> JsonSchemaValue:
    """The schema of a model where an optional key may be left out, but is never null, and a default
    is what one would write."""
    schema = handler(core_schema)
    described = handler.resolve_ref_schema(schema)
    rules = [rule for base in model.__mro__ for rule in vars(base).get("editor_rules", ())]
    if rules:
        described["allOf"] = rules
    keys = described.get("properties", {})
    for key in keys.values():
        _without_null(key)
        no_null(key)
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if default is not None and (field.alias or name) in keys:
            keys[field.alias or name]["default"] = _as_written(default)
    return schema


def _as_written(default: object) -> object:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if isinstance(default, frozenset):
        return sorted(default)
    if isinstance(default, tuple):
        return list(default)
    if isinstance(default, float) and default.is_integer():
        return int(default)
    if isinstance(default, Duration):
        return default.text
    return default.source if isinstance(default, PathTemplate) else default


def _without_null(schema: dict[str, Any]) -> None:
    """Take ``null`` out of a property's types and defaults, in place."""
    if schema.get("default", ...) is None:
        del schema["default"]
    kinds = schema.get("anyOf", [])
    kept = [kind for kind in kinds if kind != {"type": "null"}]
    if len(kept) == 1:
        del schema["anyOf"]
        for key, value in kept[0].items():
            schema.setdefault(key, value)
    elif kept:
        schema["anyOf"] = kept
