"""The key ring under traffic, and installations whose keys or sealed values are not right."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.databases import BOTH_IN_SOAK
from tests.e2e.four_partners import four_partners, write_journey
from tests.e2e.installation import Installation

SPARE = 120
"""Profiles that nobody uses: a rotation has something to do."""

IN_SMALL_SETS = """\
import sys
from engine.cli.main import main
from engine.operations import keys

def begins(*given, **named):
    print("begins", flush=True)
    return rotate(*given, **named)

keys.SET, rotate, keys.rotate = 3, keys.rotate, begins
sys.exit(main(["keys", "rotate"]))
"""
"""``journey keys rotate`` in many transactions, so that a kill falls between or into them."""


def active_key(here: Installation) -> str:
    """The data key that seals now."""
    ((key,),) = here.query(
        "SELECT id FROM data_keys WHERE state = 'active' AND id <> 'fingerprint'"
    )
    return str(key)


def sealed_elsewhere(here: Installation) -> int:
    """How many values aren't sealed under the active key."""
    like = f"v1.{active_key(here)}.%"
    ((count,),) = here.query(
        "SELECT (SELECT count(*) FROM auth_secrets WHERE sealed NOT LIKE '" + like + "')"
        " + (SELECT count(*) FROM token_states WHERE sealed_token NOT LIKE '" + like + "')"
    )
    return int(count)


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    ("users", "kills"),
    [
        pytest.param(2_000, 5, id="ci"),
        pytest.param(8_000, 50, id="full", marks=pytest.mark.soak),
    ],
)
def test_keys_are_rotated_and_retired_under_traffic_through_kill_9(
    tmp_path: Path, users: int, kills: int
) -> None:
    lots = random.Random(kills)
    stopped, retired = 0, 0
    with four_partners(tmp_path) as partners:
        here = partners.here
        here.patience_s = 600.0
        # Tokens are renewed, and sealed, all the while; good for a moment longer than they say.
        partners.oauth.change(life=4.0, answer_with={"expires_in": 3})
        names = [
            f"  spare{n}: {{kind: bearer, token: {{seal_from_env: CRM_SECRET}}}}\n"
            for n in range(SPARE)
        ]
        here.write("spare.yaml", "auth_profiles:\n" + "".join(names))
        here.run("journey", "apply", "spare.yaml")
        since = time.monotonic()
        here.run("journey", "keys", "rotate")
        took = time.monotonic() - since
        first = active_key(here)
        command = write_journey(here, rounds=1, users=users)
        partners.change(delay=4.0)  # the run must outlast the kills
        with here.running(*command) as run:
            for kill in range(kills):
                assert not run.ended, "the run was over before the last kill"
                stopped += killed(here, lots.uniform(0.0, 0.8 * took))
                if kill % 4 == 3:
                    said = here.run("journey", "keys", "retire")
                    retired += said.out.count("is retired")
            assert not run.ended
            here.run("journey", "keys", "rotate")
            assert sealed_elsewhere(here) == 0
            partners.change(delay=0.0)
            summary = run.finish().summary

        assert (summary["entered"], summary["finished"], summary["waiting"]) == (users, users, 0)
        assert summary["calls"] == {
            "succeeded": 4 * users,
            "failed": 0,
            "attempts": 4 * users,
        }
        assert here.query("SELECT count(*) FROM executions WHERE failure IS NOT NULL") == [(0,)]
        assert summary["tokens"]["crm-oauth"]["requests"] > 1, "tokens came meanwhile"
        assert stopped >= kills // 2, "most were stopped on the way"
        assert sealed_elsewhere(here) == 0, "nobody sealed under an old key"
        here.run("journey", "keys", "retire")
        assert here.query("SELECT count(*) FROM data_keys WHERE state = 'decrypt_only'") == [(0,)]
        assert here.query(f"SELECT state, wrapped FROM data_keys WHERE id = '{first}'") == [
            ("retired", "")
        ]
        again = write_journey(here, rounds=1, users=0)
        assert here.run(*again[:2], "--user", "late", "--live", "--json").summary["finished"] == 1
        assert here.run("journey", "doctor", "--leaks").code == 0
    print(f"{stopped} of {kills} stopped on the way, {retired} keys retired meanwhile")


def killed(here: Installation, after_s: float) -> bool:
    """Begin a rotation and kill it; whether it was still at work."""
    with here.start("python", "-c", IN_SMALL_SETS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n", process.communicate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        process.kill()
        process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_swapped_and_flipped_secrets_fail_their_own_calls_and_nobody_elses(tmp_path: Path) -> None:
    users = 30
    with four_partners(tmp_path) as partners:
        here = partners.here
        rows = here.query(
            "SELECT s.id, s.sealed, p.name FROM auth_secrets s"
            " JOIN auth_profiles p ON p.id = s.profile_id"
        )
        by_name = {name: (row, sealed) for row, sealed, name in rows}
        basic, key, desk = (by_name[n] for n in ("loyalty-basic", "messenger-key", "desk-token"))
        here.execute("UPDATE auth_secrets SET sealed = ? WHERE id = ?", key[1], basic[0])
        here.execute("UPDATE auth_secrets SET sealed = ? WHERE id = ?", basic[1], key[0])
        flipped = desk[1][:40] + chr(ord(desk[1][40]) ^ 1) + desk[1][41:]
        here.execute("UPDATE auth_secrets SET sealed = ? WHERE id = ?", flipped, desk[0])
        summary = here.run(*write_journey(here, rounds=1, users=users)).summary
        failures = dict(
            here.query("SELECT failure, count(*) FROM executions GROUP BY failure ORDER BY 1")
        )
        assert (summary["finished"], summary["endpoints"]["crm"]["succeeded"]) == (users, users)
        assert failures == {None: users, "credential.unreadable": 3 * users}
        assert [len(partners.of[n].log) for n in ("loyalty", "messenger", "desk")] == [0, 0, 0]

        said = here.run("journey", "keys", "rotate", code=6)
        for name in ("loyalty-basic.password", "messenger-key.value", "desk-token.token"):
            assert name.split(".")[0] in said.err
        here.environment["ANEW"] = "new-bearer-token-63aa"
        here.run("journey", "auth", "rotate", "desk-token", "--from-env", "ANEW")
        alone = here.run("run-journey", "journey.yaml", "--user", "x", "--live", "--json").summary
        assert alone["endpoints"]["desk"]["succeeded"] == 1


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_database_opened_with_another_key_or_none_starts_nothing(tmp_path: Path) -> None:
    with four_partners(tmp_path) as partners:
        here = partners.here
        command = write_journey(here, rounds=1, users=3)
        kek = here.folder / "home" / "kek"
        right = kek.read_text()
        commands = (command, ("journey", "keys", "rotate"), ("journey", "apply", "apply.yaml"))
        before = here.query("SELECT * FROM data_keys")
        for content in ("ab" * 32, None):
            kek.unlink()
            if content is not None:
                kek.write_text(content)
                kek.chmod(0o600)
            for each in commands:
                said = here.run(*each, code=78)
                assert said.err.count("\n") == 1, said.err
                assert "JOURNEY_KEK" in said.err
            assert kek.exists() == (content is not None), "no new key is made"
            if content is None:
                kek.write_text(right)
                kek.chmod(0o600)
        assert here.query("SELECT * FROM data_keys") == before
        assert not partners.requests()
        assert here.run(*command).summary["calls"]["failed"] == 0
