"""The rows of ``endpoint_states``: what all processes share of an endpoint besides its settings.

Each function that changes a row is called in a short transaction of its own, never with others'.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from engine.db.statements import ask
from engine.endpoints import limits
from engine.endpoints.gate import OPEN, Gate, after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from engine.db.connect import Connection, Database
    from engine.endpoints.gate import GatePolicy, Sighting

_T = TypeVar("_T")
_GATE = "shut_since, code, text, probe_at, paused_until, failures, change"


@dataclass(frozen=True, slots=True)
class SharedGate:
    """A gate as it is stored; ``change`` rises with each change of it."""

    gate: Gate = OPEN
    change: int = 0


UNTOUCHED = SharedGate()
"""The gate of an endpoint that nothing ever happened to."""


def gates(connection: Connection) -> dict[str, SharedGate]:
    """The gates of all endpoints that anything ever happened to, by the endpoint's name."""
    text = f"SELECT endpoint, {_GATE} FROM endpoint_states WHERE change > 0"  # noqa: S608
    rows = ask(connection, text)
    return {row[0]: _gate(row[1:]) for row in rows}


def gate_of(connection: Connection, endpoint: str) -> SharedGate:
    """The gate of one endpoint."""
    row = connection.exec_driver_sql(
        f"SELECT {_GATE} FROM endpoint_states WHERE endpoint = ?",  # noqa: S608
        (endpoint,),
    ).one_or_none()
    return UNTOUCHED if row is None else _gate(row)


def observe(
    connection: Connection,
    endpoint: str,
    policy: GatePolicy,
    sightings: Sequence[tuple[Sighting, int, bool]],
) -> SharedGate:
    """Change an endpoint's gate by what attempts said: (sighting, when, whether it was the probe)
    in order of time. The gate as it stands then.
    """
    _lock(connection, endpoint)
    shared = gate_of(connection, endpoint)
    gate = shared.gate
    for seen, at, probe in sightings:
        gate = after(gate, policy, seen, at, probe=probe)
    if gate == shared.gate:
        return shared
    change = max([shared.change + 1, *(at for _, at, _ in sightings)])
    connection.exec_driver_sql(
        "UPDATE endpoint_states SET shut_since = ?, code = ?, text = ?, probe_at = ?,"
        " paused_until = ?, failures = ?, change = ? WHERE endpoint = ?",
        (
            gate.since,
            gate.code,
            gate.text,
            gate.probe_at,
            gate.paused_until,
            json.dumps(gate.failures),
            change,
            endpoint,
        ),
    )
    return SharedGate(gate, change)


def claim_probe(connection: Connection, endpoint: str, seen: Gate, until: int) -> bool:
    """Take the right to probe a shut gate, until ``until``: False where the gate isn't the one that
    was ``seen`` any more, because another process has it.
    """
    claimed = connection.exec_driver_sql(
        "UPDATE endpoint_states SET probe_at = ?, change = change + 1"
        " WHERE endpoint = ? AND shut_since = ? AND probe_at = ?",
        (until, endpoint, seen.since, seen.probe_at),
    )
    return claimed.rowcount == 1


def take_permits(
    connection: Connection,
    endpoint: str,
    rate: limits.Rate,
    now: int,
    wanted: int,
    used: Sequence[limits.Used] = (),
) -> tuple[list[limits.Grant], int]:
    """Up to ``wanted`` permits of the endpoint's rate, and when to ask for more; ``used`` is what
    became of earlier ones.
    """
    _lock(connection, endpoint)
    text = connection.exec_driver_sql(
        "SELECT taken FROM endpoint_states WHERE endpoint = ?", (endpoint,)
    ).scalar_one()
    taken = {int(end): count for end, count in json.loads(text).items()}
    for one in used:
        limits.settle(taken, rate, one)
    limits.forget(taken, rate, now)
    granted = limits.grant(taken, rate, now, wanted)
    connection.exec_driver_sql(
        "UPDATE endpoint_states SET taken = ? WHERE endpoint = ?", (json.dumps(taken), endpoint)
    )
    return granted


def in_transaction(database: Database, job: Callable[[Connection], _T]) -> _T | None:
    """What ``job`` gives, in a transaction of its own; None where there can't be one now."""
    try:
        with database.write(alone=False) as connection:  # it locks its row
            return job(connection)
    except Exception:  # noqa: BLE001 (whatever it is: asked again, and calls wait so long)
        return None


def forget(connection: Connection, endpoint: str) -> None:
    """The endpoint is gone, and what happened to it with it."""
    connection.exec_driver_sql("DELETE FROM endpoint_states WHERE endpoint = ?", (endpoint,))


def _lock(connection: Connection, endpoint: str) -> None:
    """See to it that the row is there and nobody else's until the end of the transaction."""
    connection.exec_driver_sql(
        "INSERT INTO endpoint_states"
        " (endpoint, taken, code, text, probe_at, paused_until, failures, change)"
        " VALUES (?, '{}', '', '', 0, 0, '[]', 0)"
        " ON CONFLICT (endpoint) DO UPDATE SET endpoint = excluded.endpoint",
        (endpoint,),
    )


def _gate(row: Sequence[Any]) -> SharedGate:
    since, code, text, probe_at, paused_until, failures, change = row
    failed = tuple(json.loads(failures))
    return SharedGate(Gate(since, code, text, probe_at, paused_until, failed), change)
