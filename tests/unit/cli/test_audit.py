"""The audit log: every command that changes something leaves a row in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from tests.databases import by_hand
from tests.unit.cli.commands import Journey

AUDITED = {
    "auth_profiles": "auth profile",
    "auth_secrets": "auth profile",
    "endpoints": "endpoint",
    "data_keys": "key",
    "attributes": "attribute",
    "event_types": "event",
    "versions": "journey",
    "api_tokens": "API token",
    "operators": "operator",
    "login_links": "operator",
    "sessions": "operator",
}
"""Tables that nobody changes without a row in the audit log, and its kind."""
RESEALS = "UPDATE auth_secrets SET sealed = ? WHERE id"
"""Sealing the same value anew changes no secret."""

PROFILES = """\
auth_profiles:
  crm: {kind: bearer, token: {seal_from_env: SECRET}}
  spare: {kind: basic, username: bot, password: {seal_from_env: SECRET}}
endpoints:
  crm: {base_url: "https://crm.example.com", auth: crm}
  own: {base_url: "https://own.example.com", auth: {kind: bearer, token: {seal_from_env: SECRET}}}
attributes: {tier: text}
events: {login: {}}
"""
WELCOME = """\
dsl: 1
journey: hello
steps:
  - {id: done, type: exit, outcome: served}
"""
COMMANDS = (
    "keys init",
    "apply first.yaml",
    "apply second.yaml",
    "auth set more --kind bearer --from-env token=SECRET",
    "auth set more --title More",
    "auth set more --set prefix=Token",
    "auth set more --env token=SECRET",
    "auth rotate crm --from-env OTHER",
    "auth rename more most",
    "endpoints set crm --title CRM",
    "endpoints set crm --auth spare",
    "endpoints set fresh --url https://fresh.example.com --auth spare",
    "auth delete most",
    "auth delete spare --force",
    "endpoints delete own",
    "endpoints delete fresh --force",
    "run hello.yaml --live --user u1",
    "keys rotate",
    "keys retire",
    "keys rotate --kek",
    "tokens create shop --kind user_data",
    "tokens rotate shop --overlap 1h",
    "tokens revoke shop --previous",
    "tokens revoke shop",
    "operators add ada --role admin",
    "operators add bob --role viewer",
    "operators login-link ada",
    "operators role bob admin",
    "operators logout bob",
    "operators remove ada",
)
"""Every command that changes something, in an order in which each of them does."""


class BrokenError(Exception):
    """What keeps a transaction from being committed."""


Written = tuple[str, tuple[object, ...]]
"""A statement and its parameters."""


class Transactions:
    """Watches what is written between a begin and its commit, on every connection."""

    def __init__(self) -> None:
        self._open: dict[int, list[Written]] = {}
        self.committed: list[list[Written]] = []
        self.breaks = False

    def begun(self, connection: Connection) -> None:
        self._open[id(connection)] = []

    def executed(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        parameters: tuple[object, ...],
        *_: object,
    ) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            self._open.setdefault(id(connection), []).append((statement, parameters))

    def commits(self, connection: Connection) -> None:
        written = self._open.pop(id(connection), [])
        if self.breaks and any(map(_audits, written)):
            raise BrokenError
        if written:
            self.committed.append(written)

    def rolled_back(self, connection: Connection) -> None:
        self._open.pop(id(connection), None)


def _audits(written: Written) -> str | None:
    """The kind of the audit row that is written."""
    statement, parameters = written
    return str(parameters[3]) if statement.startswith("INSERT INTO audit ") else None


def _changes(written: Written) -> str | None:
    """The kind of what is changed, if that is audited."""
    statement, _ = written
    words = statement.replace("(", " ").split()
    table = words[1] if words[0] == "UPDATE" else words[2]
    return None if statement.startswith(RESEALS) else AUDITED.get(table)


@contextmanager
def watched() -> Iterator[Transactions]:
    seen = Transactions()
    listeners = (
        ("begin", seen.begun),
        ("before_cursor_execute", seen.executed),
        ("commit", seen.commits),
        ("rollback", seen.rolled_back),
    )
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


@pytest.fixture
def prepared(journey: Journey) -> Journey:
    journey.write("first.yaml", PROFILES)
    journey.write("second.yaml", PROFILES.replace("tier: text", "tier: number") + "#\n")
    journey.write("hello.yaml", WELCOME)
    return journey


def run(journey: Journey, command: str) -> int:
    return journey(*command.split(), SECRET="a-secret-of-some-length", OTHER="another-one").code


def rows(folder: Path) -> list[tuple[object, ...]]:
    path = folder / ".journey" / "engine.db"
    if not path.exists():
        return []
    with by_hand(path) as connection:
        return connection.execute("SELECT actor, verb, kind, name, fields FROM audit").fetchall()


def test_every_change_of_what_is_audited_has_its_row_in_the_same_transaction(
    prepared: Journey,
) -> None:
    for command in COMMANDS:
        before = len(rows(prepared.folder))
        with watched() as seen:
            assert run(prepared, command) == 0, command
        touched: set[str] = set()
        for written in seen.committed:
            changed = {kind for each in written if (kind := _changes(each))}
            touched |= changed
            assert changed <= {_audits(each) for each in written}, (command, written)
        assert touched, f"{command} changed nothing"
        assert len(rows(prepared.folder)) > before, command
        assert {row[0] for row in rows(prepared.folder)[before:]} == {getuser()}, command


def test_what_is_rolled_back_leaves_no_audit_row_and_no_change(prepared: Journey) -> None:
    for command in COMMANDS:
        before = dump(prepared.folder)
        with watched() as seen:
            seen.breaks = True
            run(prepared, command)
        if before:  # else the database was made on the way
            assert dump(prepared.folder) == before, command
        assert run(prepared, command) == 0, command


def dump(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    path = folder / ".journey" / "engine.db"
    if not path.exists():
        return {}
    with by_hand(path) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in (*AUDITED, "audit")
        }


def test_every_verb_and_no_value_stands_in_the_log(prepared: Journey) -> None:
    for command in COMMANDS:
        run(prepared, command)
    shown = prepared("audit").out
    assert "a-secret-of-some-length" not in shown
    assert "another-one" not in shown
    verbs = {json.loads(line)["verb"] for line in prepared("audit", "--json").out.splitlines()}
    assert verbs == {
        *("create", "update", "rotate", "rename", "bind", "delete"),
        *("publish", "activate", "retire", "rewrap"),
        *("revoke", "login link", "log out"),
    }


def listed(journey: Journey, *options: str) -> list[tuple[str, str]]:
    said = journey("audit", "--json", *options)
    assert said.code == 0, said.err
    return [(row["verb"], row["name"]) for row in map(json.loads, said.out.splitlines())]


def test_the_list_is_filtered_by_time_by_who_and_by_what(prepared: Journey) -> None:
    run(prepared, "apply first.yaml")
    run(prepared, "auth rotate crm --from-env OTHER")
    path = prepared.folder / ".journey" / "engine.db"
    with by_hand(path) as connection:
        connection.execute("UPDATE audit SET at = 0, actor = 'ada_b' WHERE name = 'spare'")
    everything = listed(prepared)
    assert everything[-1] == ("rotate", "crm"), "the oldest first"
    lately = [one for one in everything if one != ("create", "spare")]
    assert listed(prepared, "--actor", "ada_b") == [("create", "spare")]
    assert listed(prepared, "--actor", "adaXb") == listed(prepared, "--actor", "ad%") == []
    assert listed(prepared, "--what", "ROTATE") == [("rotate", "crm")]
    assert listed(prepared, "--what", "password") == [("create", "spare")]
    for since in ("1h", "PT1H", "2020-01-01", "2020-01-01T00:00:00Z"):
        assert listed(prepared, "--since", since) == lately
    assert listed(prepared, "--since", "2999-01-01") == []
    wrong = prepared("audit", "--since", "yesterday")
    assert (wrong.code, "--since" in wrong.err) == (2, True)
    assert "no change fits" in prepared("audit", "--what", "nothing of this name").err
