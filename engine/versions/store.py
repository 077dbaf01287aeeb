"""Published versions: their rows, and their programs, compiled once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey
from engine.core.interpreter.contact import PolicyInForce, governed
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.db.connect import Connection


@dataclass(slots=True, frozen=True)
class Published:
    """One version, ready to run."""

    id: int
    journey: str
    number: int
    program: Program


class Versions:
    """The versions this process has met. A version never changes, so it is compiled once; its calls
    ask the contact ``policy``, which whoever makes them keeps current.
    """

    __slots__ = ("_known", "policy")

    def __init__(self) -> None:
        self._known: dict[int, Published] = {}
        self.policy = PolicyInForce()

    def get(self, connection: Connection, version_id: int) -> Published:
        """The version with this id. Raises :class:`NotFound` where there is none."""
        known = self._known.get(version_id)
        if known is None:
            row = connection.exec_driver_sql(
                "SELECT journey, number, source FROM versions WHERE id = ?", (version_id,)
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no version {version_id}")
            loaded = load(row[2].encode(), f"{row[0]} (version {row[1]})")
            program = governed(compile_journey(loaded.journey), self.policy)
            known = Published(version_id, row[0], row[1], program)
            self._known[version_id] = known
        return known


@dataclass(slots=True, frozen=True)
class Newest:
    """A journey's newest version; ``hash`` is SHA-256 of its text. Unless ``triggers_on``, only
    commands enter it.
    """

    id: int
    number: int
    hash: str
    triggers_on: bool


def newest(connection: Connection, journey: str) -> Newest | None:
    """A journey's newest version, None if it was never published."""
    row = connection.exec_driver_sql(
        "SELECT id, number, hash, triggers_on FROM versions WHERE journey = ?"
        " ORDER BY number DESC LIMIT 1",
        (journey,),
    ).one_or_none()
    return None if row is None else Newest(row[0], row[1], row[2], bool(row[3]))


@dataclass(slots=True, frozen=True)
class Listed:
    """A version as lists show it. ``published_at`` is microseconds UTC."""

    id: int
    number: int
    triggers_on: bool
    published_at: int
    published_by: str


def versions_of(connection: Connection, journey: str) -> tuple[Listed, ...]:
    """A journey's versions, the newest first."""
    rows = connection.exec_driver_sql(
        "SELECT id, number, triggers_on, published_at, published_by FROM versions"
        " WHERE journey = ? ORDER BY number DESC",
        (journey,),
    )
    return tuple(Listed(row[0], row[1], bool(row[2]), row[3], row[4]) for row in rows)


def every_version(connection: Connection) -> list[tuple[int, str, bool]]:
    """Id and journey of every version there is, by number, and whether its triggers are on."""
    rows = connection.exec_driver_sql(
        "SELECT id, journey, triggers_on FROM versions ORDER BY journey, number"
    )
    return [(row[0], row[1], bool(row[2])) for row in rows]


def source_of(connection: Connection, version_id: int) -> str:
    """A version's text, as it was published."""
    text: str = connection.exec_driver_sql(
        "SELECT source FROM versions WHERE id = ?", (version_id,)
    ).scalar_one()
    return text


def endpoints_of(connection: Connection, version_id: int) -> dict[str, tuple[str, ...]]:
    """The endpoints that a version's steps name, each with those steps."""
    rows = connection.exec_driver_sql(
        "SELECT endpoint, step FROM version_endpoints WHERE version_id = ? ORDER BY endpoint, step",
        (version_id,),
    )
    found: dict[str, tuple[str, ...]] = {}
    for endpoint, step in rows:
        found[endpoint] = (*found.get(endpoint, ()), step)
    return found


def switch_triggers_on(connection: Connection, version_id: int) -> None:
    """Let a version's triggers let users in."""
    connection.exec_driver_sql("UPDATE versions SET triggers_on = TRUE WHERE id = ?", (version_id,))


def admitting(connection: Connection) -> list[tuple[str, str]]:
    """Journey and text of every version that lets users in: of each journey the newest one, and the
    newest one whose triggers are on.
    """
    rows = connection.exec_driver_sql(
        "SELECT v.journey, v.source FROM versions AS v WHERE v.number IN ("
        "SELECT max(n.number) FROM versions AS n WHERE n.journey = v.journey"
        " UNION SELECT max(t.number) FROM versions AS t WHERE t.journey = v.journey"
        " AND t.triggers_on) ORDER BY v.journey, v.number"
    )
    return [(row[0], row[1]) for row in rows]


def triggered(connection: Connection) -> list[tuple[str, int, str]]:
    """Journeys that users enter by themselves: name, number of the version, and its state."""
    rows = connection.exec_driver_sql(
        "SELECT j.journey, max(v.number), j.state FROM journeys AS j"
        " JOIN versions AS v ON v.journey = j.journey WHERE v.triggers_on"
        " GROUP BY j.journey, j.state ORDER BY j.journey"
    )
    return [(row[0], row[1], row[2]) for row in rows]


def find(connection: Connection, journey: str, number: int) -> int | None:
    """The id of a journey's version ``number``, None if there is none."""
    found: int | None = connection.exec_driver_sql(
        "SELECT id FROM versions WHERE journey = ? AND number = ?", (journey, number)
    ).scalar_one_or_none()
    return found


def insert(
    connection: Connection,
    journey: str,
    number: int,
    source: bytes,
    source_hash: str,
    endpoints: Mapping[str, tuple[str, ...]],
    *,
    now: int,
    actor: str,
    triggers_on: bool = False,
) -> int:
    """Write a version and which steps name which endpoints; its id."""
    version_id: int = connection.exec_driver_sql(
        "INSERT INTO versions (journey, number, hash, source, triggers_on, published_at,"
        " published_by) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (journey, number, source_hash, source.decode(), triggers_on, now, actor),
    ).scalar_one()
    connection.exec_driver_sql(
        "INSERT INTO journeys (journey, state, since, change) VALUES (?, 'active', ?, 1)"
        " ON CONFLICT (journey) DO UPDATE SET change = journeys.change + 1",
        (journey, now),
    )
    uses = [(name, version_id, step) for name, steps in endpoints.items() for step in steps]
    if uses:
        connection.exec_driver_sql(
            "INSERT INTO version_endpoints (endpoint, version_id, step) VALUES (?, ?, ?)", uses
        )
    return version_id


def missing_endpoints(connection: Connection, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Those of a journey's endpoints that don't exist here."""
    known = {row[0] for row in connection.exec_driver_sql("SELECT name FROM endpoints")}
    return [name for name in names if name not in known]
