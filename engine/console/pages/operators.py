"""Operators: who logs in, as what. A login link is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import operators
from engine.access.roles import ROLES, Permission
from engine.access.store.operators import operators as stored_operators
from engine.console.doing import doing
from engine.console.listing import as_csv, wants_csv
from engine.console.visit import Page, Redirected, Shown
from engine.errors import OperatorError
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.access.operators import LoginLink
    from engine.console.visit import Reply, Visit

ABOUT = {
    "admin": "Everything: secrets, tokens and operators too.",
    "builder": "Journeys and endpoints, without their secrets.",
    "viewer": "Looks, and changes nothing.",
}
_COLUMNS = ("name", "role", "password", "created_by", "created_at", "last_login_at")


def _list(visit: Visit) -> Reply:
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", link: LoginLink | None = None) -> Reply:
    with visit.means.database.read() as connection:
        found = stored_operators(connection)
    if wants_csv(visit):
        rows = (
            {
                "name": each.name,
                "role": each.role,
                "password": each.password is not None,
                "created_by": each.created_by,
                "created_at": instant(each.created_at),
                "last_login_at": instant(each.last_login_at),
            }
            for each in found
        )
        return as_csv("operators", rows, _COLUMNS)
    values = {
        "found": found,
        "roles": [(role, ABOUT[role]) for role in ROLES],
        "written": dict(visit.form.pairs) if problem else {},
        "problem": problem,
        "login_link": link,
    }
    return Shown("operators.html", values, 409 if problem else 200)


def _add(visit: Visit) -> Reply:
    form, who = visit.form, visit.actor
    try:
        with visit.means.database.write() as connection:
            operators.add(connection, form["name"], form["role"], actor=who, now=visit.now)
            link = operators.make_link(connection, form["name"], actor=who, now=visit.now)
    except OperatorError as error:
        return _shown(visit, error.message)
    return _shown(visit, link=link)


def _link(visit: Visit) -> Reply:
    with visit.means.database.write() as connection:
        link = operators.make_link(
            connection, visit.place["name"], actor=visit.actor, now=visit.now
        )
    return _shown(visit, link=link)


def _ask(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        operator = operators.require(connection, visit.place["name"])
    values = {"operator": operator, "roles": [(role, ABOUT[role]) for role in ROLES]}
    return Shown("operator.html", values)


def _role(visit: Visit) -> Reply:
    name, role = visit.place["name"], visit.form["role"]
    with visit.means.database.write() as connection:
        operators.set_role(connection, name, role, actor=visit.actor, now=visit.now)
    return Redirected("/operators", f"{name} is {role} now, and has to log in anew")


_LOG_OUT = doing(operators.log_out, "/operators", "{name}: {done} sessions ended")
_REMOVE = doing(operators.remove, "/operators", "{name} removed: nobody logs in by that name")

PAGES = (
    Page("GET", "/operators", Permission.OPERATORS_READ, _list),
    Page("POST", "/operators", Permission.OPERATORS_WRITE, _add),
    Page("GET", "/operators/{name}", Permission.OPERATORS_WRITE, _ask),
    Page("POST", "/operators/{name}/link", Permission.OPERATORS_WRITE, _link),
    Page("POST", "/operators/{name}/role", Permission.OPERATORS_WRITE, _role),
    Page("POST", "/operators/{name}/logout", Permission.OPERATORS_WRITE, _LOG_OUT),
    Page("POST", "/operators/{name}/remove", Permission.OPERATORS_WRITE, _REMOVE),
)
