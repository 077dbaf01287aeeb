"""Endpoints' terms (timeouts, retries, rules of success) from a file beside a journey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.journey_file import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.steps.terms import Terms

ENDPOINTS_FILE = "endpoints.yaml"


def terms_beside(journey: Path, given: Path | None) -> tuple[Path | None, Mapping[str, Terms]]:
    """The file that holds the terms, and the terms by endpoint: the one ``given``, else the one
    beside the journey, else none. Secrets in it are not read.

    Raises UnreadableFile, and DefinitionError for a file that isn't right.
    """
    file = given if given is not None else journey.with_name(ENDPOINTS_FILE)
    if given is None and not file.is_file():
        return None, {}
    from engine.endpoints.file import read_file
    from engine.endpoints.model import terms as terms_of

    endpoints = [written.endpoint for written in read_file(read_bounded(file), str(file)).endpoints]
    return file, {endpoint.name: terms_of(endpoint) for endpoint in endpoints}
