"""``journey hooks``: sources of foreign webhooks, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.in_process import InProcess

SECRET = b"canary-secret-of-a-sender"
SET = ("journey", "hooks", "set", "shop", "--preset", "shopify", "--user", "event.customer.id")


def test_a_hook_is_set_listed_rotated_and_deleted(tmp_path: Path) -> None:
    here = InProcess(tmp_path)
    made = here.call(*SET, "--property", "total={{ event.total }}", stdin=SECRET + b"\n")
    assert (made.code, "/hooks/shop" in made.err) == (0, True), made.err
    changed = here.call("journey", "hooks", "set", "shop", "--when", "event.total > 5")
    assert changed.code == 0, changed.err
    (listed,) = [
        json.loads(line)
        for line in here.call("journey", "hooks", "list", "--json").out.splitlines()
    ]
    assert listed["properties"] == {"total": "{{ event.total }}"}
    assert (listed["user"], listed["when"]) == ("event.customer.id", "event.total > 5")
    shown = here.call("journey", "hooks", "show", "shop", "--json")
    assert json.loads(shown.out) == listed
    came = here.call("journey", "hooks", "deliveries", "shop")
    assert (came.code, came.out, came.err) == (0, "", "nothing came to shop\n")
    rotate = ("journey", "hooks", "rotate", "shop", "--overlap", "24h")
    assert here.call(*rotate, stdin=SECRET + b"2\n").code == 0
    assert here.call("journey", "doctor", "--leaks").code == 0
    assert SECRET.decode() not in repr(here.contents())
    assert here.call("journey", "hooks", "delete", "shop").code == 0
    assert here.call("journey", "hooks", "delete", "shop").code == 2


def test_what_no_hook_can_be_is_said_in_one_line(tmp_path: Path) -> None:
    here = InProcess(tmp_path)
    for options, stdin in ((("--when", "event."), SECRET), ((), b"short"), ((), b"")):
        done = here.call(*SET, *options, stdin=stdin)
        assert (done.code, len(done.err.splitlines()[-1:]) == 1) == (2, True), done.err
        assert "Traceback" not in done.err
