"""Auth profiles: what requests authenticate with. Secrets come in here, and never go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.doing import doing
from engine.console.kind_forms import KIND_FORMS, OF_ALL_KINDS, kind_name
from engine.console.lengths import length_of
from engine.console.listing import as_csv, wants_csv
from engine.console.profile_edit import WAYS, edit_of, safe_to_show, written_of
from engine.console.seen import require_unchanged
from engine.console.visit import Page, Redirected, Shown
from engine.credentials import profiles, rotation
from engine.credentials.expiry import read_date
from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.loaded import profile_of
from engine.credentials.store.profiles import profile_by_name
from engine.endpoints.store import load_all
from engine.errors import CredentialFailure, NotFound, OperatorError
from engine.operations import probe
from engine.operations.edit_endpoint import set_endpoint
from engine.operations.edit_profile import edited
from engine.operations.marks import profile_mark
from engine.operations.tables import instant
from engine.telemetry.redact import known_secrets
from engine.versions.usage import of_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.console.visit import Reply, Visit
    from engine.credentials.profiles import ProfileChange
    from engine.credentials.store.profiles import StoredProfile
    from engine.operations.probe import Tried

OVERLAPS = (
    ("", "None: it ends now"),
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
)
_COLUMNS = ("name", "kind", "title", "hosts", "endpoints", "version", "changed_at", "secret")


def _list(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        every = search_profiles(connection, visit.query["q"], visit.means.references)
        found = [each for each in every if not each.inline]
    if wants_csv(visit):
        rows = (
            {
                "name": each.name,
                "kind": each.kind,
                "title": each.title,
                "hosts": list(each.origins),
                "endpoints": list(each.used_by),
                "version": each.version,
                "changed_at": instant(each.changed_at),
                "secret": each.ending.text if each.ending else "",
            }
            for each in found
        )
        return as_csv("auth-profiles", rows, _COLUMNS)
    return Shown("profiles.html", {"found": found, "kind_name": kind_name})


def _show(visit: Visit) -> Reply:
    return _shown(visit)


def _shown(visit: Visit, tried: Tried | None = None, problem: str = "") -> Reply:
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        profile = show_profile(connection, name, visit.means.references)
        stored = profiles.require_profile(connection, name)
        values = {
            "profile": profile,
            "kind": kind_name(profile.kind),
            "settings": _plain_settings(profile.settings),
            "previous": [
                each for each in stored.previous.values() if (each.valid_until or 0) > visit.now
            ],
            "next": list(stored.next.values()),
            "usage": of_profile(connection, name),
            "sealed": _sealed(stored),
            "overlaps": OVERLAPS,
            "tried": tried,
            "problem": problem,
        }
    return Shown("profile.html", values, 409 if problem else 200)


def _plain_settings(settings: Mapping[str, object]) -> list[tuple[str, object]]:
    """Settings without whatever is sealed in them."""
    return [(key, _unsealed(value)) for key, value in settings.items() if not _is_sealed(value)]


def _unsealed(value: object) -> object:
    if isinstance(value, dict):
        return {k: "sealed" if _is_sealed(v) else _unsealed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_unsealed(each) for each in value]
    return value


def _is_sealed(value: object) -> bool:
    return value == {"sealed": True}


def _sealed(stored: StoredProfile) -> list[str]:
    """The fields that can be rotated."""
    try:
        return rotation.sealed_fields(profile_of(stored))
    except CredentialFailure:
        return []


def _choose(visit: Visit) -> Reply:
    values = {"forms": KIND_FORMS.values(), "endpoint": visit.query["endpoint"]}
    return Shown("profile_kinds.html", values)


def _ask_new(visit: Visit) -> Reply:
    kind = _require_kind(visit.place["kind"])
    return _form(visit, kind, None, {})


def _ask_edit(visit: Visit) -> Reply:
    stored = _stored(visit)
    kind = _require_kind(stored.columns.kind)
    if kind == "api_key" and len(stored.columns.settings.get("pairs", ())) != 1:
        raise OperatorError("a profile with several pairs is changed by `journey apply`")
    return _form(visit, kind, stored, written_of(stored))


def _require_kind(kind: str) -> str:
    if kind not in KIND_FORMS:
        raise NotFound(f"there is no kind of authentication {kind[:40]!r}")
    return kind


def _stored(visit: Visit) -> StoredProfile:
    with visit.means.database.read() as connection:
        return profiles.require_profile(connection, visit.place["name"])


def _form(
    visit: Visit,
    kind: str,
    stored: StoredProfile | None,
    written: Mapping[str, str],
    problem: str = "",
) -> Reply:
    with visit.means.database.read() as connection:
        names = [each.endpoint.name for each in load_all(connection)]
    values = {
        "form": KIND_FORMS[kind],
        "shared": OF_ALL_KINDS,
        "ways": WAYS,
        "stored": stored,
        "mark": profile_mark(stored) or "",
        "written": written,
        "endpoints": [(each, each) for each in names],
        "endpoint": written.get("endpoint", visit.query["endpoint"]),
        "problem": problem,
    }
    return Shown("profile_form.html", values, 409 if problem else 200)


def _create(visit: Visit) -> Reply:
    kind, form = _require_kind(visit.place["kind"]), visit.form
    name, endpoint = form["profile"], form["endpoint"]
    try:
        change, notes = _save(visit, name, kind, None, endpoint)
    except OperatorError as error:
        return _form(visit, kind, None, safe_to_show(kind, form), error.message)
    return Redirected(f"/profiles/{name}", _said(name, change, notes))


def _change(visit: Visit) -> Reply:
    stored, form = _stored(visit), visit.form
    name, kind = stored.columns.name, _require_kind(stored.columns.kind)
    try:
        change, notes = _save(visit, name, kind, stored, "")
        name = form["profile"] or name
    except OperatorError as error:
        return _form(visit, kind, stored, safe_to_show(kind, form), error.message)
    return Redirected(f"/profiles/{name}", _said(name, change, notes))


def _save(
    visit: Visit, name: str, kind: str, stored: StoredProfile | None, endpoint: str
) -> tuple[ProfileChange, tuple[str, ...]]:
    """Write the profile, and assign it or rename it where that is asked for: all or nothing."""
    means = visit.means
    edit = edit_of(kind, visit.form)
    vault, who = means.vault(), {"actor": visit.actor, "now": visit.now}
    notes: tuple[str, ...] = ()
    with means.database.write() as connection:
        present = profile_by_name(connection, name)
        if stored is None and present is not None:
            raise OperatorError(f"there is an auth profile {name} already", code="auth.name")
        require_unchanged(visit.form, f"auth profile {name}", profile_mark(present))
        written = edited(name, present, edit, means.egress)
        change = profiles.set_profile(
            connection,
            vault,
            means.references,
            name,
            written,
            take_secrets=True,
            inline=stored is not None and stored.columns.inline,
            actor=visit.actor,
            now=visit.now,
        )
        if stored is not None and visit.form["profile"]:
            profiles.rename(connection, name, visit.form["profile"], **who)  # type: ignore[arg-type]
        if endpoint:
            notes = set_endpoint(connection, endpoint, {"auth": name}, **who).notes  # type: ignore[arg-type]
    return change, notes


def _said(name: str, change: ProfileChange, notes: tuple[str, ...]) -> str:
    if change.created:
        return "; ".join((f"Auth profile {name} created", *notes))
    what = f"changed: {', '.join(change.fields)}" if change.fields else "unchanged"
    return "; ".join((f"Auth profile {name} {what}", *change.notes, *notes))


def _rotate(visit: Visit) -> Reply:
    name, form = visit.place["name"], visit.form
    value = form.exact("value")
    known_secrets.learn((value,))
    try:
        if not value:
            raise OperatorError("give the new secret")
        overlap, expires = length_of(form["overlap"], "an overlap"), _expiry(form["expires"])
        vault = visit.means.vault()
        with visit.means.database.write() as connection:
            change = rotation.rotate(
                connection,
                vault,
                name,
                value,
                field=form["field"] or None,
                actor=visit.actor,
                now=visit.now,
                overlap_us=overlap,
                expires=expires,
            )
    except OperatorError as error:
        return _shown(visit, problem=error.message)
    if not change.fields:
        return Redirected(f"/profiles/{name}", "; ".join(change.notes))
    until = f"; the old one is tried for {form['overlap']} where the new one is refused"
    said = f"{', '.join(change.fields)} rotated: the next call uses the new one"
    return Redirected(f"/profiles/{name}", said + (until if overlap else ""))


_SETTLE = doing(
    rotation.settle, "/profiles/{name}", "{name} has its current secrets only, and no others"
)


def _expiry(text: str) -> str | None:
    try:
        return read_date(text or None)
    except ValueError as error:
        raise OperatorError(f"the secret's end {error}") from None


def _test(visit: Visit) -> Reply:
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        profiles.require_profile(connection, name)
    tried = visit.means.over_http(lambda means: probe.try_profile(means, name))
    return _shown(visit, tried)


PAGES = (
    Page("GET", "/profiles", Permission.PROFILES_READ, _list),
    Page("GET", "/profiles/_new", Permission.PROFILES_WRITE, _choose),
    Page("GET", "/profiles/_new/{kind}", Permission.PROFILES_WRITE, _ask_new),
    Page("POST", "/profiles/_new/{kind}", Permission.PROFILES_WRITE, _create),
    Page("GET", "/profiles/{name}", Permission.PROFILES_READ, _show),
    Page("GET", "/profiles/{name}/edit", Permission.PROFILES_WRITE, _ask_edit),
    Page("POST", "/profiles/{name}/edit", Permission.PROFILES_WRITE, _change),
    Page("POST", "/profiles/{name}/rotate", Permission.PROFILES_WRITE, _rotate),
    Page("POST", "/profiles/{name}/settle", Permission.PROFILES_WRITE, _SETTLE),
    Page("POST", "/profiles/{name}/test", Permission.PROFILES_TEST, _test),
)
