"""``journey publish``: journeys' texts become the versions that users enter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.check import load_and_check
from engine.errors import OperatorError
from engine.versions.publish import UnknownEndpoints, publish_live, require_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.dsl.check import LoadedAndChecked
    from engine.db.connect import Connection
    from engine.versions.publish import Publication


@dataclass(slots=True, frozen=True)
class JourneyText:
    """A journey's text that was found right. ``file`` is its name in messages."""

    file: str
    source: bytes
    loaded: LoadedAndChecked

    @property
    def journey(self) -> str:
        """The journey's name."""
        return self.loaded.journey.journey


def read_text(file: str, source: bytes) -> JourneyText:
    """A file's content as a journey. Raises DefinitionError with every problem."""
    return JourneyText(file, source, load_and_check(source, file))


def publish(
    connection: Connection, texts: Sequence[JourneyText], *, now: int, actor: str
) -> tuple[Publication, ...]:
    """Publish journeys, all of them or none: their triggers let users in from the commit on. What
    became of each, in order. Who is inside an earlier version stays on it.

    Raises UnknownEndpoints (exit 4) naming every endpoint that is missing, and OperatorError for
    two files of one journey.
    """
    _refuse_twins(texts)
    missing: list[str] = []
    for text in texts:
        try:
            require_endpoints(connection, text.journey, text.loaded.checked.endpoints)
        except UnknownEndpoints as error:
            missing.append(error.message)
    if missing:
        raise UnknownEndpoints("; ".join(missing))
    return tuple(
        publish_live(
            connection,
            text.journey,
            text.source,
            text.loaded.checked.endpoints,
            now=now,
            actor=actor,
        )
        for text in texts
    )


def _refuse_twins(texts: Sequence[JourneyText]) -> None:
    files: dict[str, str] = {}
    for text in texts:
        other = files.setdefault(text.journey, text.file)
        if other != text.file:
            raise OperatorError(
                f"{other} and {text.file} are both journey {text.journey}, and nothing was"
                " published: name one of them, or give one another name",
                code="journey.twice",
            )
