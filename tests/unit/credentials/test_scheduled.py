from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.clock import VirtualClock, wall
from engine.credentials import profiles, rotation
from engine.credentials.profiles import ProfileChange
from engine.credentials.references import Given
from engine.credentials.resolver import Resolver
from engine.errors import OperatorError
from tests.unit.credentials.installation import Installation
from tests.unit.credentials.resolving import TokenServer, now, oauth, run, sent

pytestmark = pytest.mark.usefixtures("either_database")

SLOTS = "SELECT slot, version FROM auth_secrets ORDER BY slot"
DUE = "UPDATE auth_secrets SET valid_from = 1 WHERE slot = 'next'"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path, {"TOKEN": "from-env-1"})


def schedule(
    here: Installation, name: str, value: str, in_s: float = 60, overlap_s: float = 0
) -> ProfileChange:
    with here.database.write() as connection:
        at = wall()
        return rotation.schedule(
            connection,
            here.vault,
            name,
            value,
            begins=at + int(in_s * 1_000_000),
            actor="ann",
            now=at,
            overlap_us=int(overlap_s * 1_000_000),
        )


def settle(here: Installation, name: str) -> ProfileChange:
    with here.database.write() as connection:
        return rotation.settle(connection, name, actor="ann", now=wall())


def bearer(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("first"))
    here.endpoint("messenger", "m")


def test_a_scheduled_secret_is_used_from_its_time_on_by_processes_that_run(
    here: Installation,
) -> None:
    bearer(here)

    async def work(resolver: Resolver) -> None:
        other = here.resolver(TokenServer())
        schedule(here, "m", "second", in_s=0.5)
        before = [await now(each, "messenger") for each in (resolver, other)]
        assert [sent(each) for each in before] == ["Bearer first"] * 2
        await asyncio.sleep(0.6)
        after = await asyncio.gather(*(now(each, "messenger") for each in (resolver, other) * 20))
        assert {sent(each) for each in after} == {"Bearer second"}
        assert {each.version for each in after} == {before[0].version + 1}
        await other.close()

    run(here, work)
    assert here.sql(SLOTS) == [("current", 3)]
    assert here.sql("SELECT actor, verb, fields FROM audit WHERE name = 'm' ORDER BY id")[2:] == [
        ("ann", "schedule", "token"),
        ("engine", "rotate", "token"),
    ]


def test_what_was_current_has_its_overlap_from_then_on(here: Installation) -> None:
    bearer(here)
    schedule(here, "m", "second", overlap_s=60)
    here.sql(DUE)

    async def work(resolver: Resolver) -> None:
        current = await now(resolver, "messenger")
        previous = await now(resolver, "messenger", current)
        assert [sent(each) for each in (current, previous)] == ["Bearer second", "Bearer first"]
        assert (current.version, previous.version) == (4, 1)

    run(here, work)
    ((until,),) = here.sql("SELECT valid_until FROM auth_secrets WHERE slot = 'previous'")
    assert 110_000_000 < until - wall() <= 120_000_000


def test_a_token_is_kept_until_then_and_got_with_the_new_secret_afterwards(
    here: Installation,
) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        assert sent(await now(resolver, "scores")) == "Bearer token-1"
        schedule(here, "crm", "second")
        kept = await now(resolver, "scores")
        assert (sent(kept), len(server.requests)) == ("Bearer token-1", 1)
        here.sql(DUE)
        other = here.resolver(server, clock=clock)
        assert sent(await now(other, "scores")) == "Bearer token-2"
        assert b"client_secret=second" in server.requests[1].body
        assert sent(await now(resolver, "scores")) == "Bearer token-2"
        await other.close()

    oauth(here, work, client_auth="post")


def test_one_field_has_one_next_value_and_the_current_one_is_none(here: Installation) -> None:
    bearer(here)
    assert schedule(here, "m", "second").fields == ("token",)
    assert schedule(here, "m", "third").version == 4
    assert here.sql(SLOTS) == [("current", 1), ("next", 4)]
    assert schedule(here, "m", "first").notes == ("token: that is its value already",)
    here.rotate("m", "third")
    assert here.sql(SLOTS) == [("current", 5)], "it came before its time"


@pytest.mark.parametrize("in_s", [-1, 0, 367 * 86_400])
def test_a_rotation_is_scheduled_for_a_time_to_come(here: Installation, in_s: float) -> None:
    bearer(here)
    with pytest.raises(OperatorError, match="a time to come"):
        schedule(here, "m", "second", in_s=in_s)


def test_settling_ends_an_overlap_and_gives_up_what_is_scheduled(here: Installation) -> None:
    bearer(here)
    here.rotate("m", "second", overlap_s=60)
    schedule(here, "m", "third")
    assert settle(here, "m").fields == ("token",)
    assert here.sql(SLOTS) == [("current", 3)]
    assert settle(here, "m").fields == ()
    assert here.sql("SELECT verb FROM audit ORDER BY id DESC")[0] == ("settle",)


@pytest.mark.parametrize("write", ["rotate", "settle", "apply"])
def test_what_is_due_comes_before_any_other_change(here: Installation, write: str) -> None:
    bearer(here)
    schedule(here, "m", "second", overlap_s=60)
    here.sql(DUE)
    if write == "rotate":
        here.rotate("m", "third", overlap_s=60)
    elif write == "settle":
        settle(here, "m")
    else:
        here.apply("m", kind="bearer", token=Given("third"), at=wall())
    verbs = [row[0] for row in here.sql("SELECT verb FROM audit WHERE name = 'm' ORDER BY id")]
    assert verbs[3] == "rotate"
    assert here.sql("SELECT count(*) FROM auth_secrets WHERE slot = 'next'") == [(0,)]


OAUTH2: dict[str, Any] = {"kind": "oauth2", "client_id": "crm", "token_url": "https://a.example"}


@pytest.mark.parametrize("how", ["overlap", "next"])
def test_who_knows_the_current_secret_sends_no_other_one_elsewhere(
    here: Installation, how: str
) -> None:
    here.apply("crm", **OAUTH2, client_secret=Given("first"))
    if how == "overlap":
        here.rotate("crm", "second", overlap_s=60)
    else:
        here.rotate("crm", "second")
        schedule(here, "crm", "third")
    moved = OAUTH2 | {"token_url": "https://b.example", "client_secret": Given("second")}
    with pytest.raises(OperatorError, match="journey auth settle crm"):
        here.apply("crm", **moved, at=wall())
    settle(here, "crm")
    assert "token_url" in here.apply("crm", **moved, at=wall()).fields


def test_a_profile_that_is_deleted_takes_its_next_secret_along(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("first"))
    schedule(here, "m", "second")
    with here.database.write() as connection:
        profiles.delete_profile(connection, "m", actor="ann", now=wall())
    assert here.sql(SLOTS) == []
