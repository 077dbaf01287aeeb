"""Rows of users, written by hand: what the tests of reading and erasing begin with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.core.expressions.assignment import bucket_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NOW = 1_790_000_000_000_000


def insert(connection: Connection, table: str, **columns: object) -> None:
    """A row."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values())
    )


def add_version(
    connection: Connection, journey: str, source: str, *, number: int = 1, at: int = NOW
) -> int:
    """A published version whose triggers are on; its id."""
    insert(
        connection,
        "versions",
        journey=journey,
        number=number,
        hash=f"{journey}{number}",
        source=source,
        triggers_on=True,
        published_at=at,
        published_by="",
    )
    found: int = connection.exec_driver_sql("SELECT max(id) FROM versions").scalar_one()
    return found


def add_passage(
    connection: Connection, user: str, journey: str, version_id: int, id_: int, **columns: Any
) -> None:
    """A passage that has ended, unless ``columns`` say otherwise; ``e`` is the seq of the user's
    last fact when he entered.
    """
    data: dict[str, object] = {"s": {}, "n": [0, 0]}
    seq = columns.pop("e", None)
    if seq is not None:
        data["e"] = [seq, seq, 0, 0, 0]
    row = {
        "bucket": bucket_of(user),
        "id": id_,
        "user_id": user,
        "journey": journey,
        "key": "",
        "slot": id_,
        "version_id": version_id,
        "run_id": 0,
        "state": 2,
        "reason": 0,
        "position": -1,
        "started": 0,
        "wake_at": None,
        "entered_at": NOW,
        "ended_at": NOW + 5,
        "outcome": "completed",
        "data": json.dumps(data),
    }
    insert(connection, "enrollments", **row | columns)


def add_everything(connection: Connection, user: str, number: int) -> None:
    """One row for ``user`` in each table that can hold something of him, and his id in each text.

    ``number`` tells his rows' ids from those of other users.
    """
    bucket, said = bucket_of(user), json.dumps({"id": user})
    version = add_version(connection, f"j{number}", "dsl: 1")
    insert(
        connection,
        "users",
        bucket=bucket,
        id=user,
        timezone=None,
        attributes=said,
    )
    place = {"bucket": bucket, "user_id": user}
    fact = {"kind": 0, "name": "bought", "at": NOW, "message_id": f"m-{user}", "data": said}
    insert(connection, "inbox", **place, id=number, **fact)
    insert(connection, "facts", **place, seq=NOW, depth=0, **fact)
    add_passage(connection, user, f"j{number}", version, number, key=user, data=said)
    step = {"bucket": bucket, "enrollment": number, "step": 0, "visit": 1, "redrive": 0}
    times = {"started_at": NOW, "ended_at": NOW}
    insert(connection, "executions", **step, status=1, text=user, attempts=1, **times, seen=said)
    call = {"run_id": 0, "endpoint": "crm", "method": "POST", "headers": "[]", "key": "k"}
    sent = {"target": f"/u/{user}", "body": said.encode(), "attempts": 0, "tries": 0}
    insert(connection, "calls", **step, **call, **sent)
    why = {"run_id": 0, "version_id": version, "trigger": 0, "reason": "live", "at": NOW}
    dated = {"journey": f"j{number}", "trigger": 1, "value": NOW, "due_at": NOW}
    insert(connection, "date_fires", **place, **dated)
    anonymous = f"anon:{user}"
    linked = {"bucket": bucket_of(anonymous), "id": anonymous, "user_id": user, "at": NOW}
    insert(connection, "links", **linked)
    delivery = {"hook_id": 1, "refused": False, "id": number, "at": NOW, "size": 2}
    insert(connection, "hook_deliveries", **place, **delivery, code="", detail="")
    insert(connection, "refusals", **place, seq=NOW, **why, seen=said)
    insert(
        connection,
        "step_counts",
        bucket=bucket,
        run_id=0,
        version_id=version,
        step=0,
        kind=0,
        name="",
        n=1,
        attempts=0,
    )
