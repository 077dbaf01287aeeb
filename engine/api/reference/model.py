"""An OpenAPI document as a page shows it: operations by group, with fields in words."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.api.reference.words import about_of, fields_of, sample_of, schema_at, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.api.reference.words import Field

Document = dict[str, Any]

_METHODS = ("get", "post", "put", "delete")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: its media types, its ``fields`` where it is JSON, and an example of it."""

    types: tuple[str, ...]
    words: str
    about: str
    fields: tuple[Field, ...]
    required: bool
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back with a status."""

    status: str
    about: str
    words: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``kinds`` are the kinds of token that may, () for anybody."""

    anchor: str
    method: str
    path: str
    about: str
    kinds: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: Body | None
    answers: tuple[Answer, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    """Operations about one thing."""

    name: str
    operations: tuple[Operation, ...]

    @property
    def anchor(self) -> str:
        """What links to it name."""
        return self.name.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole document."""

    title: str
    version: str
    summary: str
    groups: tuple[Group, ...]


def reference_of(document: Document) -> Reference:
    """The page of an OpenAPI 3.1 document; groups and operations stand in its order."""
    grouped: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = _operation(document, path, method, methods[method])
                grouped.setdefault(methods[method]["tags"][0], []).append(operation)
    info = document["info"]
    groups = tuple(Group(name, tuple(found)) for name, found in grouped.items())
    return Reference(info["title"], info["version"], info["summary"], groups)


def _operation(document: Document, path: str, method: str, written: Mapping[str, Any]) -> Operation:
    body = _body(document, written.get("requestBody"))
    return Operation(
        anchor=written["operationId"],
        method=method.upper(),
        path=path,
        about=" ".join(written.get("description", written["summary"]).split()),
        kinds=tuple(written.get("x-token-kinds", ())),
        parameters=tuple(_parameters(document, written)),
        body=body,
        answers=tuple(_answers(document, written["responses"])),
        curl=_curl(path, method.upper(), written, body),
    )


def _parameters(document: Document, written: Mapping[str, Any]) -> Iterator[Field]:
    for each in written.get("parameters", ()):
        if each["name"].lower() == "authorization":
            continue
        schema = each["schema"]
        yield schema_at(
            document,
            each["name"],
            {**schema, "description": each.get("description", schema.get("description", ""))},
            required=each.get("required", False),
            place=each["in"],
        )


def _body(document: Document, written: Mapping[str, Any] | None) -> Body | None:
    if written is None:
        return None
    content = written["content"]
    types = tuple(content)
    first = content.get(_JSON) or content[types[0]]
    schema = first["schema"]
    sample = first.get("example", sample_of(document, schema))
    return Body(
        types,
        words_of(document, schema),
        about_of(document, schema),
        tuple(fields_of(document, schema)),
        required=written.get("required", False),
        example=sample if isinstance(sample, str) else json.dumps(sample, ensure_ascii=False),
    )


def _answers(document: Document, responses: Mapping[str, Any]) -> Iterator[Answer]:
    for status, written in responses.items():
        content = written.get("content", {})
        schema = next((each.get("schema") or {} for each in content.values()), None)
        if status in ("default", "422"):
            continue
        words = "" if schema is None else words_of(document, schema)
        if schema == {}:
            words = ", ".join(content)
        fields = () if not schema else tuple(fields_of(document, schema))
        yield Answer(status, written["description"], words, fields)


def _curl(path: str, method: str, written: Mapping[str, Any], body: Body | None) -> str:
    """A command that calls it: required parameters in capitals."""
    query = "&".join(
        f"{each['name']}={each['name'].upper()}"
        for each in written.get("parameters", ())
        if each["in"] == "query" and each.get("required")
    )
    url = path.replace(":path", "").replace("{", "").replace("}", "")
    for each in written.get("parameters", ()):
        if each["in"] == "path":
            url = url.replace(f"/{each['name']}", f"/{each['name'].upper()}", 1)
    whole = f'"$JOURNEY{url}{"?" + query if query else ""}"'
    parts = ["curl", *(("-X", method) if method not in ("GET", "POST") else ()), whole]
    if method == "POST" and body is None:
        parts[1:1] = ["-X", "POST"]
    if written.get("security"):
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if body is not None:
        parts.append(f"-H 'Content-Type: {body.types[0]}'")
        parts.append(f"-d {shlex.quote(body.example)}")
    return " ".join(parts)
