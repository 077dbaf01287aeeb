"""What a live run recorded answers a simulation the same way, and holds no secret."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.e2e.canaries import leaks
from tests.e2e.installation import Finished, Installation
from tests.e2e.test_leaks import SECRETS, fates, written
from tests.partners import AuthorizationServer, running

TOLD = (
    "user",
    "step",
    "status",
    "failure",
    "http_status",
    "attempts",
    "visit",
    "credential_version",
)


def steps(ended: Finished) -> list[tuple[Any, ...]]:
    """What became of each step of each user, in an order that both modes have."""
    lines = [line for line in ended.lines if line["type"] == "step"]
    return sorted(tuple(str(line[key]) for key in TOLD) for line in lines)


def test_a_recorded_run_is_replayed_step_by_step_and_its_file_holds_no_secret(
    tmp_path: Path,
) -> None:
    usable = {name: value for name, value in SECRETS.items() if name not in ("BY_FILE", "LITERAL")}
    here = Installation(tmp_path, usable)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "token.txt").write_text(SECRETS["BY_FILE"])
    here.environment["JOURNEY_SECRET_DIRS"] = str(mounted)
    oauth = AuthorizationServer(
        secrets={SECRETS["CLIENT_SECRET"]}, users={"bot": SECRETS["USER_PASSWORD"]}, life=2
    )
    here.write("users.csv", "id\nu1\nu2\nu3\n")
    with running(oauth), fates(oauth) as urls:
        apply, journey = written(urls, oauth.token_url)
        here.write("apply.yaml", apply)
        here.write("journey.yaml", journey)
        here.run("journey", "apply", "apply.yaml")
        run = ("run-journey", "journey.yaml", "--users", "users.csv", "--json")
        live = here.run(*run, "--live", "--record", "answers.jsonl")
    recorded = tmp_path / "answers.jsonl"
    content = recorded.read_bytes()
    assert content.count(b"\n") == 1 + sum(t["attempts"] > 0 for t in answers(content))
    assert b"[redacted]" in content
    secrets = [*SECRETS.values(), *oauth.book._tokens]
    assert not list(leaks(secrets, [("answers.jsonl", content)]))
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o600

    replayed = here.run(*run, "--replay", "answers.jsonl", "--endpoints", "apply.yaml")
    assert steps(replayed) == steps(live)
    assert replayed.summary["endpoints"] == live.summary["endpoints"]
    assert recorded.read_bytes() == content


def answers(content: bytes) -> list[dict[str, Any]]:
    """The attempts in a recording, each with how often it was made."""
    head, *lines = [json.loads(line) for line in content.splitlines()]
    assert head == {"type": "recording", "format": 1, "journey": "canaries"}
    return [{**line, "attempts": line["attempt"]} for line in lines]
