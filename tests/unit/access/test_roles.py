"""The table of permissions, and the page that shows it."""

from __future__ import annotations

import re

from engine.access.roles import PERMISSIONS, ROLES, Permission, allows
from engine.access.tokens import KINDS
from tests.house.source import DOCS

_ADMINS = ("tokens", "operators", "keys")
HOLDERS = ("admin", "builder", "viewer", "journeys", "user_data")


def test_every_role_and_kind_has_its_row_and_nobody_else() -> None:
    assert set(PERMISSIONS) == {*ROLES, *KINDS} == set(HOLDERS)


def test_an_admin_may_everything_and_a_stranger_nothing() -> None:
    assert all(allows("admin", each) for each in Permission)
    for nobody in ("", "Admin", "root"):
        assert not any(allows(nobody, each) for each in Permission)


def test_only_an_admin_touches_what_lets_somebody_in_or_sends_a_secret() -> None:
    guarded = {
        *(each for each in Permission if each.partition(".")[0] in _ADMINS),
        *(Permission.PROFILES_WRITE, Permission.PROFILES_TEST, Permission.ENDPOINTS_AUTH),
        *(Permission.HOOKS_WRITE, Permission.USERS_ERASE),
    }
    for holder in HOLDERS[1:]:
        assert not PERMISSIONS[holder] & guarded


def test_a_viewer_changes_nothing_and_a_builder_sees_what_he_sees() -> None:
    assert all(each.endswith(".read") for each in PERMISSIONS["viewer"])
    assert PERMISSIONS["viewer"] < PERMISSIONS["builder"] < PERMISSIONS["admin"]


def test_a_user_data_token_reads_nothing() -> None:
    assert PERMISSIONS["user_data"] == {Permission.EVENTS_WRITE, Permission.USERS_WRITE}


def test_the_page_shows_the_table() -> None:
    page = (DOCS / "access.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+\.\w+)` \|.*?\| ([✓ |]*) \|$", page)
    shown = {name: [cell.strip() == "✓" for cell in cells.split("|")] for name, cells in rows}
    assert shown == {each.value: [allows(who, each) for who in HOLDERS] for each in Permission}
