"""The file that ``journey apply`` takes as JSON Schema, made of the models it is read with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag
from pydantic.json_schema import JsonSchemaValue

from engine.core.dsl.catalogue import Catalogue
from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.dsl.schema import schema_of
from engine.core.steps.editors import ToldByType, duration_schema
from engine.core.steps.fields import Name
from engine.credentials.kinds.api_key import ApiKey
from engine.credentials.kinds.basic import Basic
from engine.credentials.kinds.bearer import Bearer
from engine.credentials.kinds.none import NoAuth
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.kinds.registry import KINDS
from engine.endpoints.file import NO_POLICY
from engine.endpoints.model import Endpoint

Profile = Annotated[
    Annotated[NoAuth, Tag("none")]
    | Annotated[Basic, Tag("basic")]
    | Annotated[Bearer, Tag("bearer")]
    | Annotated[ApiKey, Tag("api_key")]
    | Annotated[OAuth2, Tag("oauth2")],
    Discriminator("kind"),
    ToldByType(
        "auth profile",
        tuple(KINDS),
        tuple(str(kind.model_fields["kind"].description) for kind in KINDS.values()),
        key="kind",
        required=("kind",),
    ),
]
"""A profile of any kind."""

_PROFILE_NAMES = r"^(?!none$)[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"


class ApplyFile(Catalogue):
    """Where calls go and what they authenticate with. It never holds a secret."""

    auth_profiles: dict[str, Profile] = Field(
        {}, description="What requests authenticate with, each under its name."
    )
    endpoints: dict[Name, Endpoint] = Field(
        {}, description="Where journeys' calls go, each under its name."
    )
    contact_policy: ContactPolicy | None = Field(
        None, description="Whom calls of contact endpoints reach; `none` removes the stored one."
    )


def apply_schema(zones: Collection[str] = ()) -> JsonSchemaValue:
    """The schema of a file for ``journey apply``; ``zones`` as of a journey's."""
    schema = schema_of(ApplyFile, "endpoints", zones)
    definitions: dict[str, Any] = schema["definitions"]
    profiles = schema["properties"]["auth_profiles"]
    definitions["Profile"] = profiles["additionalProperties"]
    profiles["patternProperties"] = {_PROFILE_NAMES: {"$ref": "#/definitions/Profile"}}
    profiles["additionalProperties"] = False
    endpoint = definitions["Endpoint"]
    del endpoint["properties"]["name"]
    endpoint["required"].remove("name")
    network = definitions["NetworkSettings"]["properties"]
    network["client_certificate"] = definitions["Bearer"]["properties"]["token"] | {
        "description": network["client_certificate"]["description"]
    }
    auth, timeout = endpoint["properties"]["auth"], endpoint["properties"]["timeout"]
    auth["oneOf"] = [{"$ref": "#/definitions/Profile"}, {"type": auth.pop("type")}]
    failing, hold = (
        endpoint["properties"]["on_auth_failure"],
        definitions["OnAuthFailure"]["properties"]["hold"],
    )
    failing["oneOf"] = [{"enum": ["continue", "hold"]}, {"$ref": failing.pop("$ref")}]
    longest = duration_schema("duration", "6h", "PT6H", fixed=True)
    hold["oneOf"] = [{"$ref": hold.pop("$ref")}, longest]
    total = duration_schema("duration", "10s", "PT20S", fixed=True)
    timeout["oneOf"] = [{"$ref": timeout.pop("$ref")}, total]
    policy = schema["properties"]["contact_policy"]
    policy["oneOf"] = [{"$ref": policy.pop("$ref")}, {"const": NO_POLICY}]
    definitions["OAuth2"]["properties"]["default_ttl"].pop("default")
    definitions["OAuth2"]["properties"]["default_ttl"].pop("markdownDescription")
    return schema | {"minProperties": 1}
