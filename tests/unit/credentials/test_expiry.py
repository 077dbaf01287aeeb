from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.clock import wall
from engine.credentials.expiry import Ending, ending, read_date
from engine.credentials.listing import show_profile
from engine.credentials.references import Given
from engine.credentials.store.profiles import ProfileColumns, StoredProfile
from tests.unit.credentials.installation import NOW, Installation

TODAY = 1_700_000_000_000_000  # 2023-11-14


def told(expires: str | None) -> Ending | None:
    settings = {} if expires is None else {"secret_expires": expires}
    columns = ProfileColumns("crm", "", "bearer", settings, (), 1, False)
    return ending(StoredProfile(1, columns, 0, {}), TODAY)


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        (None, None),
        ("2024-11-14", None),
        ("2023-12-15", None),
        ("2023-12-14", Ending("odd", "expires in 30 days (2023-12-14)")),
        ("2023-11-15", Ending("odd", "expires in 1 day (2023-11-15)")),
        ("2023-11-14", Ending("wrong", "expired on 2023-11-14")),
        ("changed by hand", None),
    ],
)
def test_a_secret_that_ends_soon_is_told_of(expires: str | None, said: Ending | None) -> None:
    assert told(expires) == said


@pytest.mark.parametrize("written", ["2023-02-30", "tomorrow", 5, ""])
def test_what_is_no_date_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="must be a date such as"):
        read_date(written)


def test_an_overlap_is_told_of_while_it_lasts(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    here.apply("m", kind="bearer", token=Given("one"))
    here.rotate("m", "two", overlap_s=60)
    with here.database.read() as connection:
        shown = show_profile(connection, "m").ending
    assert shown is not None
    assert (shown.state, shown.text[:31]) == ("ok", "the previous one is tried until")


def test_another_end_changes_neither_version_nor_token(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    here.apply("m", kind="bearer", token=Given("one"))
    changed = here.apply("m", kind="bearer", token=Given("one"), secret_expires="2024-01-01")
    assert (changed.fields, changed.version) == (("secret_expires",), 1)


def test_an_old_file_puts_back_neither_the_secret_nor_its_end(tmp_path: Path) -> None:
    here = Installation(tmp_path, {"T": "one"})
    written: dict[str, Any] = {
        "kind": "bearer",
        "token": {"seal_from_env": "T"},
        "secret_expires": "2023-12-01",
    }
    here.apply("m", **written)
    here.rotate("m", "two")
    assert here.sql("SELECT settings FROM auth_profiles") == [('{"token": {"sealed": true}}',)]
    again = here.apply("m", **written, at=NOW + 2)
    assert again.fields == ()
    taken = here.apply("m", **written, at=wall(), take_secrets=True)
    assert set(taken.fields) == {"secret_expires", "token"}
