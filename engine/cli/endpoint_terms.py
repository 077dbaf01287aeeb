"""Endpoints' terms (timeouts, retries, rules of success) and contact policy from a file beside a
journey.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.journey_file import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.contact_policy import ContactPolicy
    from engine.core.steps.terms import Terms

ENDPOINTS_FILE = "endpoints.yaml"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a simulation goes by besides the journey: the ``file`` it is from (None: there is none),
    endpoints' terms by name, and contact policy.
    """

    file: Path | None
    terms: Mapping[str, Terms]
    contact_policy: ContactPolicy | None


def terms_beside(journey: Path, given: Path | None) -> Beside:
    """The endpoints' terms and the contact policy of the file ``given``, else of the one beside the
    journey, else none. Its auth profiles are not read.

    Raises UnreadableFile, and DefinitionError for a file that isn't right.
    """
    file = given if given is not None else journey.with_name(ENDPOINTS_FILE)
    if given is None and not file.is_file():
        return Beside(None, {}, None)
    from engine.endpoints.file import read_file
    from engine.endpoints.model import terms as terms_of

    read = read_file(read_bounded(file), str(file), profiles=False)
    endpoints = [written.endpoint for written in read.endpoints]
    terms = {endpoint.name: terms_of(endpoint) for endpoint in endpoints}
    return Beside(file, terms, read.contact_policy)
