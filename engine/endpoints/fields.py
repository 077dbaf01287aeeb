"""The kinds of values that stand in an endpoint, each read and checked where it is written."""

from __future__ import annotations

import re
from typing import Annotated

from engine.core.dsl.literal_secrets import is_credential_header, looks_secret
from engine.core.steps.fields import Read, refuse
from engine.endpoints.targets import AllowRule, target_problem
from engine.errors import CallFailure
from engine.wire.certificates import ca_problem
from engine.wire.origin import origin_of
from engine.wire.transport import OWNED_HEADERS

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_MOST_HEADERS = 50
_LONGEST_VALUE = 8_000
_LONGEST_URL = 2_000
_LARGEST = 64 * 1024 * 1024
_SIZE = re.compile(r"([0-9]{1,9}) ?(B|KiB|MiB)?")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}


def _read_base_url(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > _LONGEST_URL:
        refuse("base_url.invalid", "a base URL is text", "as in https://crm.example.com/v2")
    if "{" in raw or "}" in raw:
        refuse("base_url.not_literal", "a base URL is literal: a host never depends on data")
    if "#" in raw or "?" in raw:
        refuse(
            "base_url.query",
            "a base URL has no query and no fragment",
            "put what is in the query into `query` of the steps",
        )
    try:
        origin_of(raw)
    except CallFailure as failure:
        userinfo = "user or password" in failure.message
        remedy = "put them into an auth profile of kind basic" if userinfo else ""
        refuse("base_url.invalid", failure.message, remedy)
    path = "/" + raw.split("/", 3)[3] if raw.count("/") > 2 else "/"
    problem = target_problem(path)
    if problem is not None:
        refuse("base_url.invalid", problem)
    return raw


BaseUrl = Annotated[
    str, Read(_read_base_url, {"type": "string", "pattern": "^[hH][tT]{2}[pP][sS]?://"})
]
"""An absolute http or https URL without user information, query and fragment; as written."""


def _read_allow(raw: object) -> str:
    try:
        AllowRule.read(raw if isinstance(raw, str) else "")
    except ValueError:
        refuse(
            "allow.invalid",
            "this is not a method and a path",
            "as in `POST /users/*/score`, `GET /reports/**` or `* /health`",
        )
    return str(raw)


AllowText = Annotated[str, Read(_read_allow, {"type": "string"})]
"""A method and a path that calls may have: what ``AllowRule.read`` takes."""


def _read_headers(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict) or len(raw) > _MOST_HEADERS:
        refuse("headers.invalid", "headers are a mapping of names to texts, 50 at most")
    headers: dict[str, str] = {}
    for name, value in raw.items():
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # noqa: PLW2901 - `X-Version: 2` is plain enough
        _check_name(name)
        _check_value(name, value)
        headers[name] = value
    if len({name.lower() for name in headers}) < len(headers):
        refuse("headers.twice", "a header stands here twice: capitals make no difference")
    return headers


def _check_name(name: object) -> None:
    path = (name,)
    if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None:
        refuse("headers.name", "this is not a header's name", path=path)
    if name.lower() in OWNED_HEADERS:
        refuse("headers.owned", f"the header {name} is set by the engine alone", path=path)
    if is_credential_header(name):
        _refuse_credential(name)


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        refuse("headers.value", f"the value of the header {name} is not text", path=(name,))
    if looks_secret(value):
        _refuse_credential(name)
    if not (value.isascii() and value.replace("\t", " ").isprintable()):
        refuse(
            "headers.value",
            f"the value of the header {name} holds a character that can't be sent",
            path=(name,),
        )


def _refuse_credential(name: str) -> None:
    refuse(
        "headers.credential",
        f"the header {name} looks like a credential, and an endpoint holds none",
        "put it into an auth profile (kind bearer or api_key) and name that in `auth`",
        path=(name,),
    )


_OF_HEADERS = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}

Headers = Annotated[dict[str, str], Read(_read_headers, _OF_HEADERS, dict)]
"""Headers that every request to the endpoint carries; never a credential."""


def _read_idempotency_header(raw: object) -> str:
    if raw in (False, "none"):
        return ""
    if not isinstance(raw, str):
        refuse("headers.name", "this is not a header's name", "as in Idempotency-Key, or `none`")
    _check_name(raw)
    return raw


IdempotencyHeader = Annotated[
    str,
    Read(_read_idempotency_header, {"type": ["string", "boolean"]}, lambda name: name or "none"),
]
"""The header that carries the idempotency key; ``none`` (inside ``""``) sends none."""


def _read_size(raw: object) -> int:
    found = _SIZE.fullmatch(str(raw)) if not isinstance(raw, bool) else None
    size = int(found[1]) * _UNITS[found[2] or "B"] if found else 0
    if not 0 < size <= _LARGEST:
        refuse("size.invalid", "this is not a size up to 64 MiB", "as in 262144, 64 KiB or 1 MiB")
    return size


Size = Annotated[int, Read(_read_size, {"type": ["integer", "string"]}, int)]
"""A number of bytes, 1 to 64 MiB; ``64 KiB`` in files."""


def _read_pem(raw: object) -> str:
    problem = ca_problem(raw) if isinstance(raw, str) else "is no text"
    if problem is not None:
        refuse("ca.invalid", f"this {problem}")
    return str(raw)


Pem = Annotated[str, Read(_read_pem, {"type": "string"})]
"""Certificates in PEM, without any key."""


def _read_certificate(raw: object) -> object:
    if raw is not None:
        refuse(
            "client_certificate.elsewhere",
            "a client certificate belongs to the endpoint's auth profile",
            "give the profile a `client_certificate`",
        )
    return raw


OfItsProfile = Annotated[None, Read(_read_certificate, {"type": "object"}, lambda value: value)]
"""A client certificate: a file writes it here, what stands is the profile's."""
