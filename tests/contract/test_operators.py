"""Operators: added, removed, given roles and links; logging in, and being kept out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.access import login, operators, passwords, sessions
from engine.access.login import LoggedIn, Refused
from engine.access.store import failed_logins
from engine.access.store import operators as store
from engine.access.throttling import OF_ADDRESS, OF_NAME
from engine.access.tokens import digest
from engine.audit.store import changes
from engine.core.expressions.calendar import HOUR, MINUTE
from engine.db.connect import Connection, Database
from engine.db.contents import every_row
from engine.errors import NotFound, OperatorError
from engine.telemetry.redact import known_secrets
from tests.unit.access.cheap import cheap_passwords

pytestmark = pytest.mark.usefixtures("either_database", "cheap")

NOW = 1_700_000_000_000_000
WORD = "correct horse battery"
HOME = "127.0.0.1"


@pytest.fixture
def cheap() -> Iterator[None]:
    with cheap_passwords():
        yield


def add(connection: Connection, name: str, role: str = "admin") -> int:
    return operators.add(connection, name, role, actor="root", now=NOW)


def link(database: Database, name: str, *, now: int = NOW, life: int = HOUR) -> str:
    with database.write() as connection:
        made = operators.make_link(connection, name, actor="root", now=now, life=life)
    return made.path.removeprefix("/login/")


def ada(database: Database) -> None:
    """An operator with a password."""
    with database.write() as connection:
        add(connection, "ada")
        operators.set_password(connection, "ada", passwords.hashed(WORD), actor="ada", now=NOW)


def try_password(
    database: Database, password: str = WORD, *, name: str = "ada", at: str = HOME, now: int = NOW
) -> LoggedIn | Refused:
    return login.by_password(database, name, password, address=at, now=now)


# --- who there is ----------------------------------------------------------------------------


def test_an_operator_is_added_once_in_small_letters(connection: Connection) -> None:
    assert add(connection, " Ada@Example.com ") == 1
    with pytest.raises(OperatorError, match=r"there is an operator ada@example\.com already"):
        add(connection, "ADA@example.com")
    assert operators.require(connection, "Ada@example.com").password is None
    for wrong in ("", "a b", "@ada", "a" * 101, "a\nb", "ädä"):
        with pytest.raises(OperatorError, match="an operator's name is letters"):
            add(connection, wrong)
    with pytest.raises(OperatorError, match="no role 'root': admin, builder, viewer"):
        add(connection, "bob", "root")


def test_the_last_admin_stays_one(connection: Connection) -> None:
    add(connection, "ada")
    add(connection, "bob", "builder")
    for refused in ("builder", "viewer"):
        with pytest.raises(OperatorError, match="ada is the last admin"):
            operators.set_role(connection, "ada", refused, actor="root", now=NOW)
    with pytest.raises(OperatorError, match="ada is the last admin"):
        operators.remove(connection, "ada", actor="root", now=NOW)
    operators.set_role(connection, "bob", "admin", actor="root", now=NOW)
    operators.remove(connection, "ada", actor="root", now=NOW)
    assert [each.name for each in store.operators(connection)] == ["bob"]


def test_who_is_not_there_is_not_found(connection: Connection) -> None:
    about = {"actor": "root", "now": NOW}
    with pytest.raises(NotFound, match="there is no operator eve"):
        operators.remove(connection, "eve", **about)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        operators.set_role(connection, "eve", "admin", **about)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        operators.make_link(connection, "eve", **about)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        operators.log_out(connection, "eve", **about)  # type: ignore[arg-type]


def test_every_change_is_audited_and_tells_no_secret(database: Database) -> None:
    ada(database)
    text = link(database, "ada")
    login.by_link(database, text, address=HOME, now=NOW)
    with database.write() as connection:
        add(connection, "bob")
        operators.set_role(connection, "bob", "viewer", actor="ada", now=NOW)
        operators.log_out(connection, "bob", actor="ada", now=NOW)
        operators.remove(connection, "bob", actor="ada", now=NOW)
        told = [(each.actor, each.verb, each.name, each.fields) for each in changes(connection)]
        kept = [str(part.rows) for part in every_row(connection)]
    assert told == [
        ("root", "create", "ada", "role admin"),
        ("ada", "update", "ada", "password"),
        ("root", "login link", "ada", ""),
        ("ada", "log in", "ada", "by link"),
        ("root", "create", "bob", "role admin"),
        ("ada", "update", "bob", "role viewer (was admin)"),
        ("ada", "log out", "bob", ""),
        ("ada", "delete", "bob", ""),
    ]
    assert not any(text in rows or WORD in rows for rows in kept)
    assert text not in known_secrets.redact(f"GET /login/{text}")


# --- login links -----------------------------------------------------------------------------


def test_a_link_is_good_for_one_login(database: Database) -> None:
    with database.write() as connection:
        add(connection, "ada")
    text = link(database, "ada")
    came = login.by_link(database, text, address=HOME, now=NOW)
    assert isinstance(came, LoggedIn)
    assert (came.operator_id, came.name, came.role) == (1, "ada", "admin")
    with database.read() as connection:
        assert sessions.find(connection, came.session, NOW) is not None
        assert operators.require(connection, "ada").last_login_at == NOW
    assert login.by_link(database, text, address=HOME, now=NOW) == Refused()


def test_a_link_ends_and_a_newer_one_takes_its_place(database: Database) -> None:
    with database.write() as connection:
        add(connection, "ada")
    first, second = link(database, "ada"), link(database, "ada")
    assert login.by_link(database, first, address=HOME, now=NOW) == Refused()
    assert login.by_link(database, second, address=HOME, now=NOW + HOUR) == Refused()
    third = link(database, "ada", life=2 * HOUR)
    assert isinstance(login.by_link(database, third, address=HOME, now=NOW + HOUR), LoggedIn)


def test_a_link_lets_in_whose_name_is_guessed_at_and_frees_it(database: Database) -> None:
    ada(database)
    for number in range(OF_NAME.failures):
        try_password(database, "wrong", at=f"10.0.{number}.1")
    assert try_password(database) == Refused(MINUTE)
    assert isinstance(
        login.by_link(database, link(database, "ada"), address=HOME, now=NOW), LoggedIn
    )
    assert isinstance(try_password(database), LoggedIn)


def test_a_logout_everywhere_and_another_password_make_a_link_void(database: Database) -> None:
    ada(database)
    first = link(database, "ada")
    with database.write() as connection:
        operators.log_out(connection, "ada", actor="root", now=NOW)
        assert store.take_link(connection, digest(first), NOW) is None
    second = link(database, "ada")
    with database.write() as connection:
        operators.set_password(connection, "ada", "a hash", actor="ada", now=NOW)
        assert store.take_link(connection, digest(second), NOW) is None


def test_of_many_who_use_a_link_at_once_one_comes_in(database: Database) -> None:
    with database.write() as connection:
        add(connection, "ada")
    text = link(database, "ada")
    with ThreadPoolExecutor(8) as threads:
        ended = list(
            threads.map(
                lambda n: login.by_link(database, text, address=f"10.0.0.{n}", now=NOW), range(24)
            )
        )
    assert sum(isinstance(each, LoggedIn) for each in ended) == 1


def test_the_first_start_makes_an_admin_and_shows_links_until_somebody_came(
    database: Database,
) -> None:
    def opening() -> operators.LoginLink | None:
        with database.write() as connection:
            return operators.opening_link(connection, actor="root", now=NOW)

    first, again = opening(), opening()
    assert first is not None
    assert again is not None
    assert first.operator == again.operator == "admin"
    assert first.path != again.path
    text = again.path.removeprefix("/login/")
    came = login.by_link(database, text, address=HOME, now=NOW)
    assert isinstance(came, LoggedIn)
    assert came.role == "admin"
    assert opening() is None


def test_where_operators_were_added_by_hand_a_start_shows_nothing(connection: Connection) -> None:
    add(connection, "ada")
    assert operators.opening_link(connection, actor="root", now=NOW) is None


# --- passwords, and who is kept out ----------------------------------------------------------


def test_a_password_lets_its_operator_in_and_nothing_else_does(database: Database) -> None:
    ada(database)
    with database.write() as connection:
        add(connection, "bob")
    came = try_password(database, name=" Ada ")
    assert isinstance(came, LoggedIn)
    assert try_password(database, WORD + "x") == Refused()
    assert try_password(database, name="bob") == Refused()  # he has none
    assert try_password(database, name="nobody") == Refused()


def test_a_login_ends_the_session_that_the_browser_came_with(database: Database) -> None:
    ada(database)
    given = try_password(database)
    assert isinstance(given, LoggedIn)
    came = login.by_password(database, "ada", WORD, address=HOME, now=NOW, replaces=given.session)
    assert isinstance(came, LoggedIn)
    with database.read() as connection:
        assert sessions.find(connection, given.session, NOW) is None
        assert sessions.find(connection, came.session, NOW) is not None


def test_a_password_hashed_otherwise_is_hashed_anew(database: Database) -> None:
    with database.write() as connection:
        add(connection, "ada")
        old = passwords.HASHER.__class__(time_cost=2, memory_cost=64, parallelism=1).hash(WORD)
        operators.set_password(connection, "ada", old, actor="ada", now=NOW)
    assert isinstance(try_password(database), LoggedIn)
    with database.read() as connection:
        kept = operators.require(connection, "ada").password
    assert kept is not None
    assert kept != old
    assert passwords.fits(kept, WORD)


def test_guesses_at_a_name_are_few_wherever_they_come_from(database: Database) -> None:
    ada(database)
    for number in range(OF_NAME.failures):
        assert try_password(database, "wrong", at=f"10.0.{number}.1") == Refused()
    for name in ("ada", "ADA "):
        assert try_password(database, name=name, at="10.1.0.1") == Refused(MINUTE)
    assert isinstance(try_password(database, at="10.1.0.1", now=NOW + MINUTE), LoggedIn)
    # a success forgets the name's failures
    assert try_password(database, "wrong", now=NOW + MINUTE) == Refused()
    assert isinstance(try_password(database, now=NOW + MINUTE), LoggedIn)


def test_names_that_nobody_has_are_throttled_alike(database: Database) -> None:
    for _ in range(OF_NAME.failures):
        assert try_password(database, name="nobody") == Refused()
    assert try_password(database, name="nobody") == Refused(MINUTE)


def test_guesses_from_an_address_are_few_whatever_the_name(database: Database) -> None:
    ada(database)
    text = link(database, "ada")
    for number in range(OF_ADDRESS.failures):
        assert try_password(database, name=f"n{number}", at="2001:db8::1") == Refused()
    wait = OF_ADDRESS.each
    assert try_password(database, at="2001:db8::ffff:2") == Refused(wait)
    assert login.by_link(database, text, address="2001:db8::3", now=NOW) == Refused(wait)
    assert isinstance(try_password(database, at="2001:db8:0:1::1"), LoggedIn)
    assert isinstance(
        login.by_link(database, text, address="2001:db8::3", now=NOW + wait), LoggedIn
    )


def test_whoever_knows_one_password_does_not_wash_off_his_guesses_at_others(
    database: Database,
) -> None:
    ada(database)
    for number in range(OF_ADDRESS.failures - 1):
        try_password(database, "wrong", name=f"n{number}")
        assert number > 3 or isinstance(try_password(database), LoggedIn)
    assert isinstance(try_password(database), LoggedIn)
    try_password(database, "wrong", name="one more")
    assert try_password(database) == Refused(OF_ADDRESS.each)


def test_a_hundred_guesses_at_once_are_a_hundred_guesses(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada(database)
    looked_at: list[str] = []

    def fits(_kept: str | None, password: str) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(passwords, "fits", fits)
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda n: try_password(database, str(n), at=f"10.0.0.{n}"), range(100)))
    assert len(looked_at) == OF_NAME.failures


def test_a_password_changed_while_it_is_looked_at_lets_nobody_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada(database)

    def fits(_kept: str | None, _password: str) -> bool:
        with database.write() as connection:
            operators.set_password(connection, "ada", "another", actor="ada", now=NOW)
        return True

    monkeypatch.setattr(passwords, "fits", fits)
    assert try_password(database) == Refused()


def test_a_password_is_set_after_a_login_by_a_link(database: Database) -> None:
    with database.write() as connection:
        add(connection, "ada")
        elsewhere = sessions.open_session(connection, 1, NOW)
    came = login.by_link(database, link(database, "ada"), address=HOME, now=NOW)
    assert isinstance(came, LoggedIn)
    for wrong in ("short", "x" * 257):
        with pytest.raises(OperatorError, match="12 to 256"):
            login.change_password(database, came.session, wrong, now=NOW)
    new = login.change_password(database, came.session, WORD, now=NOW)
    assert isinstance(new, str)
    with database.read() as connection:
        for over in (came.session, elsewhere):
            assert sessions.find(connection, over, NOW) is None
        found = sessions.find(connection, new, NOW)
        assert found is not None
        assert found.name == "ada"
    assert isinstance(try_password(database), LoggedIn)
    assert login.change_password(database, came.session, WORD * 2, now=NOW) == Refused()


def test_who_has_been_logged_in_for_long_says_his_password_to_set_another(
    database: Database,
) -> None:
    ada(database)
    came = try_password(database)
    assert isinstance(came, LoggedIn)
    later = NOW + login.FRESH
    session = login.change_password(database, came.session, WORD, now=later - 1)
    assert isinstance(session, str)
    for _ in range(OF_NAME.failures):
        ended = login.change_password(database, session, WORD * 2, current="no", now=later)
        assert ended == Refused()
    ended = login.change_password(database, session, WORD * 2, current=WORD, now=later)
    assert ended == Refused(MINUTE)
    later += MINUTE
    ended = login.change_password(database, session, WORD * 2, current=WORD, now=later)
    assert isinstance(ended, str)
    assert try_password(database, now=later) == Refused()
    assert isinstance(try_password(database, WORD * 2, now=later), LoggedIn)


def test_logins_remember_what_counts_still_and_of_a_bounded_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remembered() -> int:
        with database.read() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM failed_logins")
            return int(count.scalar_one())

    for number in range(4):
        try_password(database, name=f"n{number}", at=f"10.0.0.{number}")
    assert remembered() == 8
    try_password(database, name="later", now=NOW + HOUR)
    assert remembered() == 2
    monkeypatch.setattr(login, "MOST_KEYS", 5)
    for number in range(9):
        try_password(database, name=f"n{number}", at=f"10.0.0.{number}", now=NOW + HOUR + number)
    assert remembered() <= 5


def test_failures_are_forgotten_and_bounded(connection: Connection) -> None:
    for number in range(20):
        failed_logins.put(connection, str(number), NOW + number)
    failed_logins.keep(connection, 50)
    failed_logins.keep(connection, 10)
    assert failed_logins.used_until(connection, "9") == 0
    assert failed_logins.used_until(connection, "10") == NOW + 10
    assert failed_logins.forget_over(connection, NOW + 14) == 5
    assert failed_logins.used_until(connection, "15") == NOW + 15
