"""Auth profiles as people may see them: no secret, only whether it is set and a fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.clock import wall
from engine.credentials.expiry import Ending, ending
from engine.credentials.loaded import profile_of
from engine.credentials.profiles import require_profile
from engine.credentials.references import FromEnv, FromFile, References, SecretSource
from engine.credentials.store import profiles as store
from engine.credentials.vault import SHOWN_FINGERPRINT
from engine.errors import CredentialFailure

if TYPE_CHECKING:
    from engine.credentials.store.profiles import StoredProfile
    from engine.db.connect import Connection


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """One secret field. ``source`` is ``sealed``, ``env NAME`` or ``file name``; of a sealed one
    ``fingerprint`` are 8 hex digits, ``last_four`` its end where that may be shown, ``set_at`` wall
    time.
    """

    field: str
    source: str
    is_set: bool
    fingerprint: str = ""
    last_four: str = ""
    set_at: int | None = None


@dataclass(frozen=True, slots=True)
class ShownProfile:
    """One profile. ``settings`` are its fields that are no secrets; ``problem`` says why
    it can't be read, if so; ``ending`` that its secret ends soon, or a previous one is still good.
    """

    name: str
    title: str
    kind: str
    version: int
    inline: bool
    changed_at: int
    settings: Mapping[str, Any]
    origins: tuple[str, ...]
    secrets: tuple[ShownSecret, ...]
    used_by: tuple[str, ...]
    problem: str = ""
    ending: Ending | None = None


def show_profile(
    connection: Connection, name: str, references: References | None = None
) -> ShownProfile:
    """The profile of this name. Raises NotFound. With ``references`` it is known, too, when a
    certificate in a file ends.
    """
    stored = require_profile(connection, name)
    return _shown(stored, store.endpoints_using(connection, stored.id), references)


def search_profiles(
    connection: Connection, text: str = "", references: References | None = None
) -> list[ShownProfile]:
    """Profiles whose name, title, kind or a host holds ``text``, whatever the case; by name.
    ``references`` as in :func:`show_profile`.
    """
    return show_profiles(connection, find_profiles(connection, text), references)


def find_profiles(connection: Connection, text: str = "") -> list[StoredProfile]:
    """Those of :func:`search_profiles` as they are stored: to show but some of them."""
    text = text.lower()
    return [each for each in store.all_profiles(connection) if text in _searched(each)]


def show_profiles(
    connection: Connection, found: Iterable[StoredProfile], references: References | None = None
) -> list[ShownProfile]:
    """Stored profiles as people may see them; ``references`` as in :func:`show_profile`."""
    used_by = store.endpoints_by_profile(connection)
    return [_shown(each, used_by.get(each.id, ()), references) for each in found]


def _searched(stored: StoredProfile) -> str:
    columns = stored.columns
    servers = (str(columns.settings.get(name, "")) for name in ("token_url", "issuer"))
    urls = (*columns.origins, *servers)
    hosts = [urlsplit(url).netloc for url in urls]
    return "\n".join((columns.name, columns.title, columns.kind, *hosts)).lower()


def _shown(
    stored: StoredProfile, used_by: tuple[str, ...], references: References | None
) -> ShownProfile:
    columns = stored.columns
    secrets: tuple[ShownSecret, ...] = ()
    problem = ""
    settings = dict(columns.settings)
    try:
        profile = profile_of(stored)
        secrets = tuple(_secret(stored, *each) for each in profile.sources().items())
        settings = {
            name: value
            for name, value in settings.items()
            if name not in {s.field for s in secrets}
        }
    except CredentialFailure as failure:
        problem = failure.message
    return ShownProfile(
        columns.name,
        columns.title,
        columns.kind,
        columns.version,
        columns.inline,
        stored.changed_at,
        settings,
        columns.origins,
        secrets,
        used_by,
        problem,
        ending(stored, wall(), references),
    )


def _secret(stored: StoredProfile, field: str, source: SecretSource) -> ShownSecret:
    if isinstance(source, FromEnv):
        return ShownSecret(field, f"env {source.name}", is_set=True)
    if isinstance(source, FromFile):
        return ShownSecret(field, f"file {source.name}", is_set=True)
    secret = stored.secrets.get(field)
    if secret is None:
        return ShownSecret(field, "sealed", is_set=False)
    return ShownSecret(
        field,
        "sealed",
        is_set=True,
        fingerprint=secret.fingerprint[:SHOWN_FINGERPRINT],
        last_four=secret.hint,
        set_at=secret.set_at,
    )
