"""``run-journey --record`` and ``--replay`` in a simulation, and files that are none."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.unit.cli.commands import Ended, Journey

NUDGE = """\
dsl: 1
journey: nudge
entry: {reentry: after_exit, triggers: [{event: cart}]}
steps:
  - id: score
    type: call_api
    endpoint: crm
    path: /score
    retry: {attempts: 2}
    outputs: {vars.n: "response.body.n", vars.tier: "response.headers['X-Tier']"}
  - {id: rest, type: wait, for: P1D}
  - {id: tell, type: call_api, endpoint: messenger, body: {n: "{{ vars.n | default(0) }}"}}
"""
RUN = ("run", "nudge.yaml", "--now", "2026-11-22T09:00Z", "--json", "-q")
RECORD, REPLAY = ("--record", "r.jsonl"), ("--replay", "r.jsonl")


@pytest.fixture
def nudge(journey: Journey) -> Journey:
    journey.write("nudge.yaml", NUDGE)
    journey.write("users.csv", "id\nada\nbob\n")
    return journey


def recorded(nudge: Journey) -> list[dict[str, Any]]:
    lines = (nudge.folder / "r.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(ended: Ended) -> list[str]:
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


def test_what_was_answered_is_answered_again(nudge: Journey) -> None:
    script = ("--answer", "crm=503", "--answer", 'crm=200:{"n": 7}', "--answer", "messenger=404")
    users = ("--users", "users.csv")
    first = told(nudge(*RUN, *users, *RECORD, *script))
    assert told(nudge(*RUN, *users, *REPLAY)) == first
    assert '"attempts":2' in first[0]
    head, one, two, *_ = recorded(nudge)
    assert head == {"type": "recording", "format": 1, "journey": "nudge"}
    assert one == {
        "type": "answer",
        "user": "ada",
        "key": "",
        "enrollment": 1,
        "step": "score",
        "visit": 1,
        "attempt": 1,
        "endpoint": "crm",
        "status": 503,
        "headers": {"content-type": "application/json"},
        "body": "{}",
        "failure": None,
        "text": "",
        "requests": 1,
        "credential_version": None,
        "elapsed_us": 0,
    }
    assert (two["attempt"], two["body"]) == (2, '{"n": 7}')


def test_no_answer_is_an_answer_as_well(nudge: Journey) -> None:
    script = ("--answer", "crm=timeout", "--answer", "crm=connection")
    first = told(nudge(*RUN, *RECORD, *script))
    assert told(nudge(*RUN, *REPLAY)) == first
    assert [(a["failure"], a["requests"], a["elapsed_us"]) for a in recorded(nudge)[1:3]] == [
        ("call.timed_out", 1, 10_000_000),
        ("call.unreachable", 0, 0),
    ]


def test_passages_of_one_user_get_their_own_answers_in_turn(nudge: Journey) -> None:
    nudge.write("events.csv", "user,event,at\nu1,cart,2026-11-23\nu1,cart,2026-11-28\n")
    script = ("--answer", 'crm=200:{"n": 1}', "--answer", "crm=404")
    events = ("--events", "events.csv")
    first = told(nudge(*RUN, *events, *RECORD, *script))
    assert told(nudge(*RUN, *events, *REPLAY)) == first
    assert [line["enrollment"] for line in recorded(nudge)[1:]] == [1, 1, 2, 2]


def test_of_an_attempt_recorded_twice_the_last_counts(nudge: Journey) -> None:
    told(nudge(*RUN, *RECORD, "--answer", 'crm=200:{"n": 1}'))
    file = nudge.folder / "r.jsonl"
    again = file.read_text().splitlines()[1].replace('"status":200', '"status":404')
    file.write_text(file.read_text() + again + "\n")
    assert '"http_status":404' in told(nudge(*RUN, *REPLAY))[0]


def test_a_miss_says_whose_and_where_and_what_to_do(nudge: Journey) -> None:
    told(nudge(*RUN, *RECORD))
    missing = nudge(*RUN, *REPLAY, "--user", "eve")
    assert missing.code == 4
    assert missing.err == (
        "error: 'r.jsonl' has no answer for user 'eve' at step score (visit 1, attempt 1): record"
        " it anew, or say what the endpoint answers, as in --answer crm=200\n"
    )
    scripts = ("--answer", "crm=200", "--answer", "messenger=200")
    assert nudge(*RUN, *REPLAY, "--user", "eve", *scripts).code == 0


def test_headers_are_kept_as_far_as_they_matter(nudge: Journey) -> None:
    headers = "{x-tier: gold, X-Other: x, set-cookie: sid=1, Retry-After: '5'}"
    nudge.write(
        "nudge.scenarios.yaml",
        "journey: nudge\nscenarios:\n  - name: x\n    enter: {at: 2026-11-22T09:00:00Z}\n"
        f"    answers: {{crm: [{{body: {{n: 1}}, headers: {headers}}}]}}\n    expect: {{}}\n",
    )
    told(nudge("run", "nudge.yaml", *RECORD))
    json_ = {"content-type": "application/json"}
    assert recorded(nudge)[1]["headers"] == json_ | {"x-tier": "gold", "retry-after": "5"}
    nudge.write("nudge.yaml", NUDGE.replace("response.headers['X-Tier']", "response.headers"))
    told(nudge("run", "nudge.yaml", *RECORD))
    assert "set-cookie" not in recorded(nudge)[1]["headers"]
    assert recorded(nudge)[1]["headers"]["x-other"] == "x"


def test_what_is_no_recording_is_neither_overwritten_nor_read(nudge: Journey) -> None:
    for option in ("--record", "--replay"):
        ended = nudge(*RUN, option, "nudge.yaml")
        assert (ended.code, "something else than a recording" in ended.err) == (2, True)
        assert nudge(*RUN, option, ".").code == 2
        assert nudge(*RUN, option, "no/such/folder").code == 2
    assert (nudge.folder / "nudge.yaml").read_text() == NUDGE
    os.mkfifo(nudge.folder / "pipe")
    assert nudge(*RUN, "--replay", "pipe").code == 2
    told(nudge(*RUN, *RECORD))
    nudge.write("other.yaml", NUDGE.replace("journey: nudge", "journey: other"))
    for option in ("--record", "--replay"):
        other = nudge("run", "other.yaml", option, "r.jsonl")
        assert (other.code, "of the journey nudge, not of other" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('{"type":"answer"}', "user: Field required"),
        ("nonsense", "Invalid JSON"),
        ("[]", "should be an object"),
    ],
)
def test_a_bad_line_is_named(nudge: Journey, wrong: str, said: str) -> None:
    told(nudge(*RUN, *RECORD))
    file = nudge.folder / "r.jsonl"
    file.write_text(file.read_text() + wrong + "\n")
    ended = nudge(*RUN, *REPLAY)
    assert ended.code == 2
    assert "r.jsonl:4: this is no recorded answer" in ended.err
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_options_that_exclude_each_other(nudge: Journey) -> None:
    assert nudge(*RUN, *RECORD, *REPLAY).code == 2
    assert nudge(*RUN, "--record", "-").code == nudge(*RUN, "--replay", "-").code == 2
    assert nudge.files == {"nudge.yaml", "users.csv"}
    assert nudge("run", "nudge.yaml", "--user", "u", "--live", *REPLAY).code == 2
    empty = nudge.write("empty.jsonl", "")
    assert nudge(*RUN, "--replay", empty).code == 2
