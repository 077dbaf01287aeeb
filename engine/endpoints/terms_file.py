"""The terms of endpoints from a file, for those who send nothing: simulation reads no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.core.dsl.model_problems import findings
from engine.core.dsl.problems import in_file_order
from engine.core.dsl.source import read_yaml
from engine.endpoints.model import NO_AUTH, Endpoint, terms
from engine.errors import DefinitionError

if TYPE_CHECKING:
    from engine.core.steps.terms import Terms


class _File(BaseModel):
    """What is looked at; auth profiles and the rest are `journey apply`'s."""

    model_config = ConfigDict(hide_input_in_errors=True)

    endpoints: dict[str, Endpoint] = {}


def read_terms(source: bytes, file: str) -> dict[str, Terms]:
    """The terms of every endpoint in an apply file, by name. ``auth`` is passed over.

    Raises DefinitionError with every problem of the endpoints.
    """
    document = read_yaml(source, file)
    data: Any = document.root.data
    endpoints = data.get("endpoints") if isinstance(data, dict) else None
    if isinstance(endpoints, dict):
        endpoints = {name: _without_auth(name, raw) for name, raw in endpoints.items()}
    try:
        read = _File.model_validate({"endpoints": {} if endpoints is None else endpoints})
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = (found.problem for found in findings(document, details, _File))
        raise DefinitionError(file, in_file_order(problems)) from None
    return {name: terms(endpoint) for name, endpoint in read.endpoints.items()}


def _without_auth(name: str, raw: object) -> object:
    return {**raw, "name": name, "auth": NO_AUTH} if isinstance(raw, dict) else raw
