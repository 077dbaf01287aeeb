"""API tokens in the database: created, rotated, revoked; five places, whatever races."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.access import issuing
from engine.access.store import tokens as store
from engine.access.tokens import KINDS, digest, make
from engine.audit.store import changes
from engine.core.expressions.calendar import DAY, HOUR
from engine.db.connect import Connection, Database
from engine.db.contents import every_row
from engine.errors import Limit, NotFound, OperatorError
from engine.telemetry.redact import known_secrets
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

ROOT = Path(__file__).parents[2]
NOW = 1_700_000_000_000_000


def create(connection: Connection, name: str = "shop", kind: str = "user_data", **more: Any) -> str:
    about: dict[str, Any] = {"actor": "ann", "now": NOW} | more
    return issuing.create(connection, name, kind, **about).text


def audited(connection: Connection) -> list[tuple[str, str, str, str]]:
    return [(each.actor, each.verb, each.name, each.fields) for each in changes(connection)]


def test_a_token_is_kept_as_a_digest_and_shown_by_its_last_four(connection: Connection) -> None:
    text = create(connection, expires_at=NOW + DAY)
    (stored,) = store.live_tokens(connection)
    assert (stored.digest, stored.hint, stored.slot) == (digest(text), text[-4:], 1)
    (listed,) = issuing.listed(connection, NOW)
    assert (listed.token, listed.state) == (f"jrn_user_data_…{text[-4:]}", "live")
    assert (listed.created_by, listed.created_at, listed.last_used_at) == ("ann", NOW, None)
    assert audited(connection) == [("ann", "create", "shop", "kind user_data")]


@pytest.mark.parametrize("name", ["", " ", "-a", "a b", "a" * 101, "ä", "a\n"])
def test_a_name_that_is_none_is_refused(connection: Connection, name: str) -> None:
    with pytest.raises(OperatorError, match="a token's name is letters"):
        create(connection, name)


def test_a_kind_that_is_none_and_an_end_that_has_passed_are_refused(connection: Connection) -> None:
    with pytest.raises(OperatorError, match="no kind of token 'root': user_data, journeys, admin"):
        create(connection, kind="root")
    with pytest.raises(OperatorError, match="has to lie ahead"):
        create(connection, expires_at=NOW)
    create(connection)
    with pytest.raises(OperatorError, match="has to lie ahead"):
        issuing.rotate(connection, "shop", actor="ann", now=NOW, expires_at=NOW)


def test_a_name_is_free_again_when_its_token_has_ended(connection: Connection) -> None:
    create(connection, expires_at=NOW + DAY)
    with pytest.raises(OperatorError, match="there is an API token shop already"):
        create(connection)
    create(connection, now=NOW + DAY)
    issuing.revoke(connection, "shop", actor="ann", now=NOW + 2 * DAY)
    create(connection, now=NOW + 3 * DAY)
    states = [each.state for each in issuing.listed(connection, NOW + 3 * DAY, ended=True)]
    assert states == ["expired", "revoked", "live"]
    assert [each.id for each in issuing.listed(connection, NOW + 3 * DAY)] == [3]


def test_five_tokens_of_kind_user_data_are_live_at_most(connection: Connection) -> None:
    for number in range(5):
        create(connection, f"t{number}", expires_at=NOW + DAY if number == 3 else None)
    with pytest.raises(Limit, match="5 API tokens of kind user_data are live"):
        create(connection, "sixth")
    for kind in KINDS[1:]:
        create(connection, kind, kind)
    issuing.rotate(connection, "t0", actor="ann", now=NOW, overlap=HOUR)  # takes no place
    issuing.revoke(connection, "t1", actor="bob", now=NOW)
    create(connection, "sixth")
    create(connection, "seventh", now=NOW + DAY)  # in the place of the one that has expired
    with pytest.raises(Limit):
        create(connection, "eighth", now=NOW + DAY)


@pytest.mark.parametrize("slot", [None, 0, 6, 1])
def test_the_table_has_no_place_for_a_sixth(database: Database, slot: int | None) -> None:
    with database.write() as connection:
        create(connection)
    row = store.NewToken("more", "user_data", slot, digest(make("user_data")), "0000", "ann", None)
    with pytest.raises(Exception, match=r"(?i)slot_fits|slot"), database.write() as connection:
        store.add(connection, row, NOW)


def test_a_rotation_keeps_id_name_and_kind_and_says_what_ends_when(connection: Connection) -> None:
    old = create(connection, expires_at=NOW + 90 * DAY)
    store.note_use(connection, digest(old), NOW + 1)
    new = issuing.rotate(connection, "shop", actor="bob", now=NOW + DAY, overlap=HOUR)
    assert (new.token_id, new.kind, new.text != old) == (1, "user_data", True)
    assert (new.expires_at, new.previous_until) == (NOW + 91 * DAY, NOW + DAY + HOUR)
    (listed,) = issuing.listed(connection, NOW + DAY)
    assert (listed.token[-4:], listed.last_used_at) == (new.text[-4:], None)
    assert (listed.previous or "")[-4:] == old[-4:]
    assert (listed.previous_used_at, listed.previous_until) == (NOW + 1, NOW + DAY + HOUR)
    (later,) = issuing.listed(connection, NOW + 2 * DAY)
    assert (later.previous, later.previous_until) == (None, None)
    assert audited(connection)[-1] == ("bob", "rotate", "shop", "secret")
    again = issuing.rotate(connection, "shop", actor="bob", now=NOW + 3 * DAY)
    assert (again.expires_at, again.previous_until) == (NOW + 93 * DAY, None)


def test_an_overlap_is_no_longer_than_the_old_secrets_own_life(connection: Connection) -> None:
    create(connection, expires_at=NOW + HOUR)
    rotated = issuing.rotate(
        connection, "shop", actor="a", now=NOW, overlap=DAY, expires_at=NOW + 9 * DAY
    )
    assert (rotated.previous_until, rotated.expires_at) == (NOW + HOUR, NOW + 9 * DAY)


def test_an_overlap_may_be_ended_early(connection: Connection) -> None:
    create(connection)
    with pytest.raises(NotFound, match="API token shop has no previous secret"):
        issuing.revoke_previous(connection, "shop", actor="ann", now=NOW)
    issuing.rotate(connection, "shop", actor="ann", now=NOW, overlap=HOUR)
    issuing.revoke_previous(connection, "shop", actor="ann", now=NOW)
    (listed,) = issuing.listed(connection, NOW)
    assert (listed.state, listed.previous) == ("live", None)
    with pytest.raises(NotFound, match="API token shop has no previous secret"):
        issuing.revoke_previous(connection, "shop", actor="ann", now=NOW)
    assert audited(connection)[-1] == ("ann", "revoke", "shop", "previous secret")


@pytest.mark.parametrize("verb", [issuing.rotate, issuing.revoke, issuing.revoke_previous])
def test_what_is_not_live_is_not_found(connection: Connection, verb: Callable[..., object]) -> None:
    create(connection, "over", expires_at=NOW + 1)
    create(connection, "revoked")
    issuing.revoke(connection, "revoked", actor="ann", now=NOW)
    for name in ("over", "revoked", "never"):
        with pytest.raises(NotFound, match=f"there is no live API token {name}"):
            verb(connection, name, actor="ann", now=NOW + 1)


def test_a_token_is_kept_out_of_logs(connection: Connection) -> None:
    made = create(connection)
    rotated = issuing.rotate(connection, "shop", actor="ann", now=NOW).text
    for text in (made, rotated):
        assert text not in known_secrets.redact(f"GET /?key={text}")


def test_a_use_told_late_takes_back_no_later_one(connection: Connection) -> None:
    text = create(connection)
    for at in (NOW + 2, NOW + 1):
        store.note_use(connection, digest(text), at)
    (listed,) = issuing.listed(connection, NOW)
    assert listed.last_used_at == NOW + 2


def test_every_change_but_use_is_counted(connection: Connection) -> None:
    counts = [store.change(connection)]
    text = create(connection)
    counts.append(store.change(connection))
    issuing.rotate(connection, "shop", actor="ann", now=NOW, overlap=HOUR)
    counts.append(store.change(connection))
    issuing.revoke_previous(connection, "shop", actor="ann", now=NOW)
    counts.append(store.change(connection))
    issuing.revoke(connection, "shop", actor="ann", now=NOW)
    counts.append(store.change(connection))
    assert counts == [0, 1, 2, 3, 4]
    store.note_use(connection, digest(text), NOW)
    assert store.change(connection) == 4


def test_of_fifty_created_at_once_in_two_processes_there_are_exactly_five(
    database: Database, tmp_path: Path
) -> None:
    url = database_url(tmp_path)
    command = [sys.executable, "-m", "tests.contract.token_creators", url]
    processes = [
        subprocess.Popen(
            [*command, beginning, "25"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for beginning in ("a", "b")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ended = [json.loads(process.communicate()[0]) for process in _told(processes)]
    made = [text for each in ended for text in each["made"]]
    refused = [code for each in ended for code in each["refused"]]
    assert (len(made), refused) == (5, ["operator.limit"] * 45)
    with database.read() as connection:
        stored = store.all_tokens(connection)
        assert {each.slot for each in stored} == {1, 2, 3, 4, 5}
        assert {each.digest for each in stored} == set(map(digest, made))
        assert len(audited(connection)) == 5
        kept = "".join(str(part.rows) for part in every_row(connection))
        assert not any(text in kept for text in made)


def _told(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """All of them begin before one is waited for."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes
