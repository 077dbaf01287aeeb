"""Contact policy and catalogue: as they hold, and changed by a text that `apply` would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from engine.access.roles import Permission
from engine.console.rendering import link
from engine.console.visit import Page, Redirected, Shown
from engine.core.dsl import catalogue
from engine.core.dsl.problems import render
from engine.endpoints.contact_policy import load
from engine.endpoints.contact_policy import written as written_policy
from engine.endpoints.file import POLICY, read_file
from engine.errors import DefinitionError, NotFound, OperatorError
from engine.operations.apply import Keys, apply
from engine.operations.delete import delete_attribute, delete_event
from engine.users.catalogue import load_catalogue
from engine.versions import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.console.visit import Fields, Reply, Visit
    from engine.core.dsl.catalogue import Catalogue
    from engine.core.dsl.contact_policy import ContactPolicy
    from engine.endpoints.file import EndpointsFile
    from engine.errors import Problem
    from engine.operations.apply import Change

_FILE = "policy.yaml"
_SECTIONS = (POLICY, *catalogue.SECTIONS)


class _Dumper(yaml.SafeDumper):
    """Indents the items of a list, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _show(visit: Visit) -> Reply:
    return _shown(visit)


def _shown(
    visit: Visit,
    text: str | None = None,
    changes: Sequence[Change] | None = None,
    problems: Sequence[Problem] = (),
    problem: str = "",
) -> Reply:
    with visit.means.database.read() as connection:
        policy, declared = load(connection).policy, load_catalogue(connection)
    values = {
        "policy": policy,
        "declared": declared,
        "text": _text_of(policy, declared) if text is None else text,
        "changes": changes,
        "problems": [render(each, _FILE) for each in problems],
        "problem": problem,
    }
    return Shown("policy.html", values, 422 if problems or problem else 200)


def _text_of(policy: ContactPolicy | None, declared: Catalogue) -> str:
    """What is stored, as a text that changes nothing."""
    written: dict[str, Any] = {}
    if policy is not None:
        written[POLICY] = written_policy(policy)
    written |= {name: part for name, part in declared.model_dump(mode="json").items() if part}
    if not written:
        return ""
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _check_or_apply(visit: Visit) -> Reply:
    # Browsers end the lines of a form's text with CR LF; files have LF.
    text = visit.form.exact("text").replace("\r\n", "\n")
    means, applies = visit.means, visit.form["do"] == "apply"
    try:
        written = read_file(text.encode(), _FILE, egress=means.egress)
        _require_policy_only(written)
        keys = Keys(means.vault(), means.references, means.egress)
        changes = apply(
            means.database,
            keys,
            written,
            actor=visit.actor,
            now=visit.now,
            dry_run=not applies,
        )
    except DefinitionError as error:
        return _shown(visit, text, problems=error.problems)
    except UnicodeEncodeError:
        return _shown(visit, "", problem="the text holds half a character")
    except OperatorError as error:
        return _shown(visit, text, problem=error.message)
    if not applies:
        return _shown(visit, text, changes)
    told = [f"{each.kind} {each.name}".rstrip() + f" {each.verb}" for each in _told(changes)]
    return Redirected("/policy", "; ".join(told[:10]) or "Nothing changed")


def _ask_delete(visit: Visit) -> Reply:
    kind, name = _which(visit.query)
    with visit.means.database.read() as connection:
        declared = load_catalogue(connection)
        if name not in (declared.attributes if kind == "attribute" else declared.events):
            raise NotFound(f"no {kind} {name[:60]!r} is declared")
        find = usage.of_attribute if kind == "attribute" else usage.of_event
        lines = find(connection, name)
    values = {
        "what": kind,
        "name": name,
        "back": "/policy",
        "within": "Contact policy and catalogue",
        "form": link("/policy/delete", kind=kind, name=name),
        "lines": lines,
        "follows": "Checks of these journeys then warn that it isn't declared.",
        "clear": "No journey names it. What users have and do stays, and comes in all the same.",
    }
    return Shown("delete.html", values)


def _delete(visit: Visit) -> Reply:
    kind, name = _which(visit.query)
    verb = delete_attribute if kind == "attribute" else delete_event
    force = visit.form["force"] == "yes"
    with visit.means.database.write() as connection:
        verb(connection, name, force=force, actor=visit.actor, now=visit.now)
    return Redirected("/policy", f"{kind} {name} deleted")


def _which(query: Fields) -> tuple[str, str]:
    """Kind and name of what is declared. Raises NotFound for another kind."""
    kind = query["kind"]
    if kind not in ("attribute", "event"):
        raise NotFound(f"nothing of the kind {kind[:60]!r} is declared")
    return kind, query.exact("name")


def _told(changes: Sequence[Change]) -> list[Change]:
    return [each for each in changes if each.verb != "unchanged"]


def _require_policy_only(written: EndpointsFile) -> None:
    """Raise DefinitionError for sections that have pages, and permissions, of their own."""
    document = written.document
    foreign = tuple(
        document.lines.problem(
            "key.unknown",
            f"`{key}` isn't changed here",
            document.key_place((key,)),
            "leave it out: it has a page of its own",
        )
        for key in document.root.keys
        if key not in _SECTIONS
    )
    if foreign:
        raise DefinitionError(_FILE, foreign)


PAGES = (
    Page("GET", "/policy", Permission.JOURNEYS_READ, _show),
    Page("POST", "/policy", Permission.JOURNEYS_WRITE, _check_or_apply),
    Page("GET", "/policy/delete", Permission.JOURNEYS_WRITE, _ask_delete),
    Page("POST", "/policy/delete", Permission.JOURNEYS_WRITE, _delete),
)
