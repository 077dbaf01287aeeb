"""Logging in, by a link or a password, and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import login, sessions
from engine.access.login import LoggedIn
from engine.console.rendering import link, span
from engine.console.visit import Page, Redirected, Shown

if TYPE_CHECKING:
    from engine.access.login import Refused
    from engine.console.visit import Reply, Visit

_WRONG = "That name and password don't let anybody in."
_OVER = "This link isn't good any more: it works once, and for an hour."


def _ask(visit: Visit) -> Reply:
    if visit.session is not None:
        return Redirected(_local(visit.query["next"]))
    return Shown("login.html", {"next": visit.query["next"], "name": "", "problem": ""})


def _by_password(visit: Visit) -> Reply:
    name, password = visit.form["name"], visit.form.exact("password")
    came = login.by_password(
        visit.means.database,
        name,
        password,
        address=visit.address,
        now=visit.now,
        replaces=visit.session_id,
    )
    if isinstance(came, LoggedIn):
        return Redirected(_local(visit.form["next"]), session=came.session)
    problem, status = _problem(came, _WRONG)
    return Shown(
        "login.html", {"next": visit.form["next"], "name": name, "problem": problem}, status
    )


def _ask_by_link(visit: Visit) -> Reply:
    """A button: what only follows links (a mail scanner, a preview) uses none up."""
    return Shown("login_link.html", {"token": visit.place["token"], "problem": ""})


def _by_link(visit: Visit) -> Reply:
    came = login.by_link(
        visit.means.database,
        visit.place["token"],
        address=visit.address,
        now=visit.now,
        replaces=visit.session_id,
    )
    if isinstance(came, LoggedIn):
        return Redirected(
            "/account" if not _has_password(visit, came) else "/", session=came.session
        )
    problem, status = _problem(came, _OVER)
    return Shown("login_link.html", {"token": "", "problem": problem}, status)


def _has_password(visit: Visit, came: LoggedIn) -> bool:
    from engine.access.operators import require  # noqa: PLC0415

    with visit.means.database.read() as connection:
        return require(connection, came.name).password is not None


def _log_out(visit: Visit) -> Reply:
    with visit.means.database.write() as connection:
        sessions.close(connection, visit.session_id)
    return Redirected(link("/login"), session="")


def _problem(refused: Refused, otherwise: str) -> tuple[str, int]:
    """What to say, and the status."""
    if refused.wait:
        return f"Too many attempts. Wait {span(refused.wait)}, then try again.", 429
    return otherwise, 403


def _local(path: str) -> str:
    """A path of ours to go on at; anything else would let a link lead elsewhere."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine and "\\" not in path else "/"


PAGES = (
    Page("GET", "/login", None, _ask, open=True),
    Page("POST", "/login", None, _by_password, open=True),
    Page("GET", "/login/{token}", None, _ask_by_link, open=True),
    Page("POST", "/login/{token}", None, _by_link, open=True),
    Page("POST", "/logout", None, _log_out),
)
