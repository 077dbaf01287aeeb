"""An operator's own account: his password, his sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import login, operators, passwords
from engine.console.rendering import span
from engine.console.visit import Page, Redirected, Shown
from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit


def _show(visit: Visit, problem: str = "", status: int = 200) -> Reply:
    with visit.means.database.read() as connection:
        operator = operators.require(connection, visit.actor)
    made_at = 0 if visit.session is None else visit.session.made_at
    values = {
        "operator": operator,
        "asks": operator.password is not None and visit.now - made_at >= login.FRESH,
        "problem": problem,
        "shortest": passwords.SHORTEST,
    }
    return Shown("account.html", values, status)


def _set_password(visit: Visit) -> Reply:
    password, current = visit.form.exact("password"), visit.form.exact("current")
    if password != visit.form.exact("again"):
        return _show(visit, "The two passwords aren't the same.", 409)
    database, now = visit.means.database, visit.now
    try:
        changed = login.change_password(
            database, visit.session_id, password, current=current, now=now
        )
    except OperatorError as error:
        return _show(visit, error.message, 409)
    if isinstance(changed, login.Refused):
        wait = f"Too many attempts. Wait {span(changed.wait)}, then try again."
        return _show(visit, wait if changed.wait else "That isn't your present password.", 403)
    said = "Password set. You are logged out everywhere else."
    return Redirected("/account", said, session=changed)


def _log_out_everywhere(visit: Visit) -> Reply:
    with visit.means.database.write() as connection:
        operators.log_out(connection, visit.actor, actor=visit.actor, now=visit.now)
    return Redirected("/login", session="")


PAGES = (
    Page("GET", "/account", None, _show),
    Page("POST", "/account/password", None, _set_password),
    Page("POST", "/account/logout", None, _log_out_everywhere),
)
