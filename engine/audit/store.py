"""The audit log's rows: who changed what, when, and which fields, by name and never by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.db.tables import AuditRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlmodel import Session


def record(
    session: Session,
    *,
    now: int,
    actor: str,
    verb: str,
    kind: str,
    name: str,
    fields: Iterable[str] = (),
) -> None:
    """Add one change in the transaction that makes it. ``now`` is wall time in microseconds UTC."""
    session.add(
        AuditRow(at=now, actor=actor, verb=verb, kind=kind, name=name, fields=", ".join(fields))
    )
