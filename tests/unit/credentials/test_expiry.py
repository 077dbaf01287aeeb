from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clock import wall
from engine.credentials.expiry import Ending, ending, read_date
from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.references import Given
from engine.credentials.store.profiles import ProfileColumns, StoredProfile
from tests.contract.test_transport_tls import AUTHORITY
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


def test_the_end_of_a_certificate_in_a_file_is_told_and_so_is_a_file_that_cannot_be_read(
    tmp_path: Path,
) -> None:
    here = Installation(tmp_path)
    file = here.settings.secret_folders[-1] / "bank.pem"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(AUTHORITY.leaf("client-a", timedelta(-20), timedelta(5)))
    written: dict[str, Any] = {"kind": "none", "client_certificate": {"file": "bank.pem"}}
    here.apply("bank", **written)

    def listed() -> str:
        with here.database.read() as connection:
            assert search_profiles(connection)[0].ending is None
            return str(search_profiles(connection, references=here.references)[0].ending)

    assert listed().startswith("client certificate expires in")
    file.write_text("no certificate")
    assert listed() == "client certificate can't be read: the file bank.pem holds none in PEM"
    file.unlink()
    assert listed().startswith("client certificate can't be read here: the secret file bank.pem")
