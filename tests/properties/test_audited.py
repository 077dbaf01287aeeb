"""Whoever changes an endpoint, a profile, a secret or a key leaves a row in the audit log, and no
row stands there for what didn't happen: wherever the change is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from engine.clock import wall
from engine.credentials import profiles, rotation
from engine.credentials.kek import find_kek
from engine.credentials.loaded import load
from engine.credentials.references import Given
from engine.endpoints.file import read_file
from engine.errors import EngineError
from engine.operations import apply, delete, edit_endpoint, keys
from engine.telemetry.redact import Redactor
from engine.wire.egress import Egress
from tests.unit.credentials.installation import Installation

FILE = """
auth_profiles:
  a: {kind: bearer, token: {env: T}, title: "%s"}
endpoints:
  e: {base_url: https://a.example, auth: a, title: "%s"}
  f: {base_url: https://b.example, auth: {kind: bearer, token: {env: T}, title: "%s"}}
"""
STATE = (
    "SELECT name, title, kind, settings, origins, version, inline, changed_at FROM auth_profiles",
    "SELECT profile_id, field, slot, fingerprint, valid_from, valid_until FROM auth_secrets",
    "SELECT name, settings, profile_id, auth_lost, version, changed_at FROM endpoints",
    "SELECT id, state FROM data_keys",
)
Verb = Callable[[Installation, int], object]


class Stopped(BaseException):
    """The process died here."""


@contextmanager
def stopped_at(here: Installation, statement: int) -> Iterator[None]:
    """Inside, the process dies before its statement of that number, or before a commit there."""
    left = statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped

    engine = here.database.engine
    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)
        event.remove(engine, "commit", count)


def state(here: Installation) -> tuple[list[Any], int]:
    """What can be changed, and how many rows the audit log has."""
    with here.database.read() as connection:
        found = [sorted(map(repr, connection.exec_driver_sql(each))) for each in STATE]
        (rows,) = connection.exec_driver_sql("SELECT count(*) FROM audit").one()
    return found, rows


def write(here: Installation, verb: Callable[..., object], *given: Any, **how: Any) -> None:
    with here.database.write() as connection:
        verb(connection, *given, actor="ann", now=wall(), **how)


def _set(here: Installation, n: int) -> None:
    here.apply("p", kind="bearer", token=Given(f"secret-{n}"), prefix=f"P{n % 3}", at=wall())


def _title(here: Installation, n: int) -> None:
    here.apply("a", kind="bearer", token={"env": "T"}, title=f"{n % 2}", at=wall())


def _rotate(here: Installation, n: int) -> None:
    overlap_us = n % 2 * 60_000_000
    write(here, rotation.rotate, here.vault, "p", f"rotated-{n}", overlap_us=overlap_us)


def _schedule(here: Installation, n: int) -> None:
    begins = wall() + 3_600_000_000
    write(here, rotation.schedule, here.vault, "p", f"next-{n}", begins=begins)


def _cut_over(here: Installation, n: int) -> None:
    with here.database.write() as connection:
        connection.exec_driver_sql("UPDATE auth_secrets SET valid_from = 1 WHERE slot = 'next'")
    _load(here)


def _load(here: Installation) -> None:
    load(here.database, here.vault, here.references, Redactor(), 1)


def _apply(here: Installation, n: int) -> None:
    file = read_file((FILE % (n % 2, n % 3, n % 2)).encode(), "e.yaml", egress=Egress())
    given = apply.Keys(here.vault, here.references, Egress())
    apply.apply(here.database, given, file, actor="ann", now=wall())


def _endpoint(here: Installation, n: int) -> None:
    fields = {"base_url": f"https://h{n % 2}.example", "auth": ("p", "none")[n % 2]}
    write(here, edit_endpoint.set_endpoint, f"e{n % 2}", fields)


def _kek(here: Installation) -> Any:
    kek = find_kek(here.settings)
    assert kek is not None
    return kek


VERBS: dict[str, Verb] = {
    "set": _set,
    "title": _title,
    "rotate": _rotate,
    "schedule": _schedule,
    "cut over": _cut_over,
    "settle": lambda here, n: write(here, rotation.settle, "p"),
    "rename": lambda here, n: write(here, profiles.rename, *(("p", "q"), ("q", "p"))[n % 2]),
    "bind": lambda here, n: write(here, profiles.extend_origins, "p", [f"https://h{n}.example"]),
    "apply": _apply,
    "endpoint": _endpoint,
    "delete endpoint": lambda here, n: write(
        here, delete.delete_endpoint, ("e0", "e1", "f")[n % 3], force=True
    ),
    "delete profile": lambda here, n: write(
        here, delete.delete_profile, ("a", "p", "q")[n % 3], force=True
    ),
    "rotate keys": lambda here, n: keys.rotate(here.database, _kek(here), actor="ann", now=wall()),
    "retire keys": lambda here, n: keys.retire(here.database, key_id=None, actor="ann", now=wall()),
}


EACH_ONCE = [
    *(("set", 1), ("title", 1), ("rotate", 1), ("schedule", 1), ("cut over", 1), ("schedule", 2)),
    *(("settle", 1), ("rename", 0), ("rename", 1), ("bind", 1), ("apply", 1), ("endpoint", 0)),
    *(("endpoint", 1), ("delete endpoint", 0), ("delete profile", 1)),
    *(("rotate keys", 1), ("retire keys", 1)),
]
"""Every verb where it has something to change."""


def attempt(here: Installation, verb: str, n: int, statement: int) -> bool:
    """Do it, to its end or until it is stopped; whether it came to its end. What changed was
    written down, and nothing else.
    """
    before, rows = state(here)
    ended = True
    with stopped_at(here, statement):
        try:
            VERBS[verb](here, n)
        except Stopped:
            ended = False
        except EngineError:
            pass  # refused: there is no such profile any more
    after, rows_after = state(here)
    if verb == "cut over" and not ended and rows == rows_after:
        before = after  # the clock was moved for it, and no more
    assert (after != before) == (rows_after > rows), (verb, n, statement)
    return ended


@pytest.mark.usefixtures("either_database")
def test_a_change_that_is_stopped_anywhere_is_whole_and_written_down_or_neither(
    tmp_path: Path,
) -> None:
    here = Installation(tmp_path, {"T": "token-of-the-environment"})
    _set(here, 0)
    _apply(here, 0)
    for verb, n in EACH_ONCE:
        statement = 0
        while not attempt(here, verb, n, statement):
            statement += 1
        assert statement > 2, (verb, n)
    assert {verb for verb, _ in EACH_ONCE} == set(VERBS)


@settings(max_examples=30)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(VERBS)), st.integers(0, 40), st.integers(0, 60)),
        min_size=1,
        max_size=10,
    )
)
def test_no_order_of_changes_and_crashes_parts_them_from_the_audit_log(
    steps: list[tuple[str, int, int]],
) -> None:
    with TemporaryDirectory() as folder:
        here = Installation(Path(folder), {"T": "token-of-the-environment"})
        _set(here, 0)
        for verb, n, statement in steps:
            attempt(here, verb, n, statement)
        here.database.close()
