"""An operator's own account: his password, his sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import operators, passwords, sessions
from engine.console.visit import Page, Redirected, Shown
from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit


def _show(visit: Visit, problem: str = "", status: int = 200) -> Reply:
    with visit.means.database.read() as connection:
        operator = operators.require(connection, visit.actor)
    values = {
        "operator": operator,
        "problem": problem,
        "shortest": passwords.SHORTEST,
        "longest": passwords.LONGEST,
    }
    return Shown("account.html", values, status)


def _set_password(visit: Visit) -> Reply:
    password = visit.form.exact("password")
    if password != visit.form.exact("again"):
        return _show(visit, "The two passwords aren't the same.", 409)
    try:
        kept = passwords.hashed(password)
    except OperatorError as error:
        return _show(visit, error.message, 409)
    name, now = visit.actor, visit.now
    with visit.means.database.write() as connection:
        operators.set_password(connection, name, kept, actor=name, now=now, but=visit.session_id)
        session = sessions.rotate(connection, visit.session_id, now)
    said = "Password set. You are logged out everywhere else."
    return Redirected("/account", said, session=session or "")


def _log_out_everywhere(visit: Visit) -> Reply:
    with visit.means.database.write() as connection:
        operators.log_out(connection, visit.actor, actor=visit.actor, now=visit.now)
    return Redirected("/login", session="")


PAGES = (
    Page("GET", "/account", None, _show),
    Page("POST", "/account/password", None, _set_password),
    Page("POST", "/account/logout", None, _log_out_everywhere),
)
