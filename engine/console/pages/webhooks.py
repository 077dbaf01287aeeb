"""Webhooks: foreign systems that tell of events at addresses of ours, and how they are read.

Their pages aren't at ``/hooks/``: that is where they are sent to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.doing import doing
from engine.console.lengths import length_of
from engine.console.listing import as_csv, wants_csv
from engine.console.seen import require_unchanged
from engine.console.visit import Page, Redirected, Shown
from engine.core import guarded_json
from engine.core.guarded_json import NotGuardedJSON
from engine.errors import OperatorError
from engine.hooks import deliveries, keeping, store
from engine.hooks.mapping import EVENT_NAME
from engine.operations.deliveries import COLUMNS, row
from engine.operations.marks import hook_mark
from engine.operations.tables import instant
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.console.visit import Fields, Reply, Visit
    from engine.hooks.store import StoredHook

PRESETS = {
    "standard": "Standard Webhooks",
    "github": "GitHub",
    "stripe": "Stripe",
    "shopify": "Shopify",
}
"""The ways of signing, as people call them."""

_COLUMNS = ("name", "preset", "user", "event", "when", "properties", "changed_at")
_TEXTS = ("preset", "user", "event", "when", "properties")


def _list(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        found = [(each, _mapping(each)) for each in store.every(connection)]
    if wants_csv(visit):
        return as_csv("webhooks", (_row(*each) for each in found), _COLUMNS)
    return Shown("webhooks.html", {"found": found, "presets": PRESETS, "every_event": EVENT_NAME})


def _mapping(stored: StoredHook) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stored.mapping)
    return found


def _row(stored: StoredHook, mapping: Mapping[str, Any]) -> dict[str, object]:
    return {
        "name": stored.name,
        "preset": stored.preset,
        **mapping,
        "changed_at": instant(stored.changed_at),
    }


def _show(visit: Visit) -> Reply:
    if not wants_csv(visit):
        return _shown(visit)
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        found = deliveries.of_hook(connection, keeping.require(connection, name).id)
    return as_csv(f"{name}-deliveries", map(row, found), COLUMNS)


def _shown(visit: Visit, problem: str = "") -> Reply:
    with visit.means.database.read() as connection:
        stored = keeping.require(connection, visit.place["name"])
        came = deliveries.of_hook(connection, stored.id)
    overlaps = (stored.previous_until or 0) > visit.now
    values = {
        "hook": stored,
        "mapping": _mapping(stored),
        "presets": PRESETS,
        "previous_until": stored.previous_until if overlaps else None,
        "came": came,
        "problem": problem,
    }
    return Shown("webhook.html", values, 409 if problem else 200)


def _ask_new(_visit: Visit) -> Reply:
    return _form(None, {})


def _ask_edit(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        stored = keeping.require(connection, visit.place["name"])
    mapping = _mapping(stored)
    properties = mapping["properties"]
    written = {
        "preset": stored.preset,
        "user": mapping["user"],
        "event": "" if mapping["event"] == EVENT_NAME else mapping["event"],
        "when": mapping["when"] or "",
        "properties": "" if properties is None else json.dumps(properties, ensure_ascii=False),
    }
    return _form(stored, written)


def _form(stored: StoredHook | None, written: Mapping[str, str], problem: str = "") -> Reply:
    values = {
        "hook": stored,
        "mark": hook_mark(stored) or "",
        "written": written,
        "presets": tuple(PRESETS.items()),
        "problem": problem,
    }
    return Shown("webhook_form.html", values, 409 if problem else 200)


def _create(visit: Visit) -> Reply:
    name = visit.form["name"]
    with visit.means.database.read() as connection:
        taken = store.find(connection, name) is not None
    if taken:
        return _form(None, _said(visit.form), f"there is a webhook {name} already")
    return _save(visit, name, None)


def _change(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        stored = keeping.require(connection, visit.place["name"])
    return _save(visit, stored.name, stored)


def _save(visit: Visit, name: str, stored: StoredHook | None) -> Reply:
    try:
        edit = _edit_of(visit.form)
        vault = visit.means.vault()
        with visit.means.database.write() as connection:
            if stored is not None:
                present = hook_mark(store.find(connection, name))
                require_unchanged(visit.form, f"webhook {name}", present)
            new = keeping.set_hook(connection, vault, name, edit, actor=visit.actor, now=visit.now)
    except OperatorError as error:
        return _form(stored, _said(visit.form), error.message)
    return Redirected(f"/webhooks/{name}", f"Webhook {name} {'created' if new else 'saved'}")


def _edit_of(form: Fields) -> keeping.HookEdit:
    """What a form says. Raises OperatorError for properties that are no JSON object."""
    secret = form.exact("secret")
    known_secrets.learn((secret,))
    properties: Mapping[str, object] | None = None
    if form["properties"]:
        try:
            said = guarded_json.parse(form["properties"])
        except NotGuardedJSON as error:
            raise OperatorError(f"the properties are {error}") from None
        if not isinstance(said, dict):
            raise OperatorError('the properties are an object, as in {"total": "…"}')
        properties = said
    return keeping.HookEdit(
        preset=form["preset"] or None,
        user=form["user"] or None,
        event=form["event"],
        when=form["when"],
        properties=properties,
        secret=secret or None,
        whole=properties is None,
    )


def _said(form: Fields) -> dict[str, str]:
    """What a form said that is shown again; never the secret."""
    return {name: form[name] for name in (*_TEXTS, "name")}


def _rotate(visit: Visit) -> Reply:
    name, secret = visit.place["name"], visit.form.exact("secret")
    known_secrets.learn((secret,))
    try:
        overlap = length_of(visit.form["overlap"], "the overlap")
        vault = visit.means.vault()
        with visit.means.database.write() as connection:
            keeping.rotate(
                connection,
                vault,
                name,
                secret,
                overlap_us=overlap,
                actor=visit.actor,
                now=visit.now,
            )
    except OperatorError as error:
        return _shown(visit, error.message)
    return Redirected(f"/webhooks/{name}", "Rotated: the next webhook is verified with the new one")


def _ask_delete(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        stored = keeping.require(connection, visit.place["name"])
    values = {
        "what": "webhook",
        "name": stored.name,
        "back": f"/webhooks/{stored.name}",
        "lines": (),
        "follows": "",
        "clear": "What is sent to it from then on is answered 404. It doesn't come back.",
    }
    return Shown("delete.html", values)


_DELETE = doing(keeping.delete, "/webhooks", "Webhook {name} deleted")

PAGES = (
    Page("GET", "/webhooks", Permission.HOOKS_READ, _list),
    Page("GET", "/webhooks/_new", Permission.HOOKS_WRITE, _ask_new),
    Page("POST", "/webhooks/_new", Permission.HOOKS_WRITE, _create),
    Page("GET", "/webhooks/{name}", Permission.HOOKS_READ, _show),
    Page("GET", "/webhooks/{name}/edit", Permission.HOOKS_WRITE, _ask_edit),
    Page("POST", "/webhooks/{name}/edit", Permission.HOOKS_WRITE, _change),
    Page("POST", "/webhooks/{name}/rotate", Permission.HOOKS_WRITE, _rotate),
    Page("GET", "/webhooks/{name}/delete", Permission.HOOKS_WRITE, _ask_delete),
    Page("POST", "/webhooks/{name}/delete", Permission.HOOKS_WRITE, _DELETE),
)
