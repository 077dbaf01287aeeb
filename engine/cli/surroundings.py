"""What stands around a journey's file: endpoints and the catalogue, from a file or a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.cli.endpoint_terms import ENDPOINTS_FILE
from engine.cli.journey_file import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.core.dsl.catalogue import Catalogue
    from engine.core.dsl.check import LoadedAndChecked
    from engine.endpoints.model import Endpoint
    from engine.errors import Problem


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Endpoints by name, and what is declared."""

    endpoints: Mapping[str, Endpoint]
    catalogue: Catalogue

    def problems(self, loaded: LoadedAndChecked) -> Iterator[Problem]:
        """What of a journey doesn't fit in here, all of it warnings."""
        from engine.core.dsl.undeclared import undeclared_problems
        from engine.endpoints.reach import reach_problems

        if self.endpoints:
            yield from reach_problems(loaded.journey, loaded.document, self.endpoints)
        yield from undeclared_problems(loaded.journey, loaded.document, self.catalogue)


@dataclass(slots=True)
class Finder:
    """Finds the surroundings of journeys, reading each file once: ``given`` for all of them; else
    those of the installation at ``database``; else what stands in endpoints.yaml beside a journey.
    """

    given: Path | None = None
    database: str | None = None
    _found: dict[Path | str, Surroundings | None] = field(default_factory=dict)

    def of(self, journey: Path) -> Surroundings | None:
        """The surroundings of a journey's file; None if there are none, or if they were wrong.

        Raises DefinitionError the first time a file is met that isn't right, UnreadableFile, and
        what opening a database raises.
        """
        if self.given is None and self.database is not None:
            key: Path | str = self.database
        else:
            key = self.given or journey.with_name(ENDPOINTS_FILE)
        if key not in self._found:
            self._found[key] = None
            self._found[key] = _installed(key) if isinstance(key, str) else self._written(key)
        return self._found[key]

    def _written(self, file: Path) -> Surroundings | None:
        if self.given is None and not file.is_file():
            return None
        from engine.endpoints.file import read_file

        written = read_file(read_bounded(file), str(file))
        endpoints = {each.endpoint.name: each.endpoint for each in written.endpoints}
        return Surroundings(endpoints, written.catalogue)


def _installed(database: str) -> Surroundings:
    from engine.cli.context import opened
    from engine.endpoints.store import load_all
    from engine.users.catalogue import load_catalogue

    with opened(database) as installation, installation.database().read() as connection:
        endpoints = {each.endpoint.name: each.endpoint for each in load_all(connection)}
        return Surroundings(endpoints, load_catalogue(connection))
