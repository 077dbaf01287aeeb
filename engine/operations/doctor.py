"""Looking an installation over: what is right, what is odd, what is wrong, and what to do."""

from __future__ import annotations

import resource
import stat
from contextlib import closing
from dataclasses import fields
from ipaddress import ip_address
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from engine.clock import wall
from engine.core.dsl.problems import did_you_mean
from engine.credentials.expiry import expiry
from engine.credentials.kek import find_kek
from engine.credentials.kek_file import kek_path
from engine.credentials.key_ring import KeyRing
from engine.credentials.listing import search_profiles
from engine.credentials.references import FromEnv, FromFile, References
from engine.credentials.store.keys import data_keys
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.db.connect import Database
from engine.db.health import OLDEST_SQLITE, damages, lacking, require_writable, sqlite_version
from engine.db.schema import database_exists, newest_revision, open_database
from engine.endpoints.store import load_all
from engine.errors import CredentialFailure, EngineError, SettingsError
from engine.operations.backup import require_folder
from engine.operations.checks import Check, outliving, reading
from engine.operations.readable import unreadable
from engine.operations.zone import installation_zone
from engine.settings import PREFIX, Settings, unknown_settings
from engine.wire.certificates import ends_on
from engine.wire.egress import Egress
from engine.wire.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.credentials.listing import ShownProfile
    from engine.db.connect import Connection

_MOST_NAMED = 3


def examine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order in which they build on one another. Changes nothing.

    ``environment`` is the process's: references to variables are looked up in it.
    """
    yield from _settings(settings, environment)
    yield from _egress(settings)
    yield from _machine(settings)
    database: Database | None = None
    try:
        for found in outliving("database", _database(settings)):
            if isinstance(found, Check):
                yield found
            else:
                database = found
        if database is not None:
            yield from reading("key", database, _keys, settings)
            yield from reading("endpoints", database, _endpoints, settings)
            yield from reading("secrets", database, _references, settings, environment)
    finally:
        if database is not None:
            database.close()


def _settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    known = [PREFIX + field.name.upper() for field in fields(Settings)]
    unknown = unknown_settings(environment)
    for name in unknown:
        hint = did_you_mean(name.removesuffix("_FILE"), known)
        yield Check("settings", "odd", f"{name} is no setting", hint or "unset it")
    wrong = [Check("settings", "wrong", error.message) for error in unreadable(settings)]
    yield from wrong
    if not (unknown or wrong):
        found = f"all known; {settings.calls_in_flight:,} calls in flight at most"
        yield Check("settings", "ok", found)
    try:
        require_folder(settings)
    except EngineError as error:
        yield Check("backups", "wrong", error.message)


def _egress(settings: Settings) -> Iterator[Check]:
    try:
        Egress.parse(settings.egress_allow)
    except EngineError as error:
        yield Check("egress", "wrong", error.message)
    else:
        opened = settings.egress_allow or "nothing opened: public addresses only"
        yield Check("egress", "ok", opened)


def _zones(settings: Settings) -> Check:
    zones = len(available_timezones())
    if not zones:
        return Check("time zones", "wrong", "no time zone data", "pip install tzdata")
    try:
        own = installation_zone(settings)
    except SettingsError as error:
        return Check("time zones", "wrong", error.message)
    return Check("time zones", "ok", f"{zones} zones; this installation's is {own}")


def _machine(settings: Settings) -> Iterator[Check]:
    yield _zones(settings)
    version = sqlite_version()
    shown = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        remedy = "use a Python whose SQLite is 3.40 or newer"
        yield Check("sqlite", "wrong", f"SQLite {shown} is too old", remedy)
    else:
        yield Check("sqlite", "ok", f"SQLite {shown}")
    yield _open_files(settings)


def _open_files(settings: Settings) -> Check:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Check("open files", "ok", "no limit")
    wanted = int(settings.in_flight) if settings.in_flight.isdecimal() else 0
    if hard // 2 < wanted:
        remedy = (
            f"raise it to {2 * wanted:,} (ulimit -Hn, LimitNOFILE=), or lower JOURNEY_IN_FLIGHT"
        )
        found = f"a limit of {hard:,} allows {hard // 2:,} calls in flight, not {wanted:,}"
        return Check("open files", "odd", found, remedy)
    return Check("open files", "ok", f"a limit of {hard:,}")


def _database(settings: Settings) -> Iterator[Check | Database]:
    """The checks of the database; last, if it can be read, the database itself."""
    try:
        with closing(Database(settings.database)) as found:
            there = found.path.exists() if found.is_file else database_exists(found)
        if not there:
            remedy = "`journey apply FILE` makes it"
            yield Check("database", "odd", f"none yet at {found.name}", remedy)
            return
        database = open_database(settings.database, create=False)
    except EngineError as error:
        yield Check("database", "wrong", error.message)
        return
    damage = _damage(database)
    if damage is not None:
        database.close()
        yield damage
        return
    yield Check("database", "ok", f"{database.name} is sound, revision {newest_revision()}")
    if database.is_file and stat.S_IMODE(database.path.stat().st_mode) & 0o077:
        remedy = f"chmod 600 {database.path}"
        yield Check("database", "odd", f"{database.path} may be read by others", remedy)
    yield database


def _damage(database: Database) -> Check | None:
    """What keeps the database from being written or read."""
    try:
        require_writable(database)
        found = damages(database)
        if not found:
            return incomplete(database)
    except EngineError as error:
        return Check("database", "wrong", error.message)
    what = f"{database.name} is damaged: {found[0]}"
    return Check("database", "wrong", what, "restore it from a backup")


def incomplete(database: Database) -> Check | None:
    """What the database lacks of what every one of this version has; None for a whole one."""
    missing = lacking(database)
    if not missing:
        return None
    what = f"{database.name} lacks {', '.join(missing[:_MOST_NAMED])}"
    return Check("database", "wrong", what, "restore it from a backup")


def _keys(connection: Connection, settings: Settings) -> Iterator[Check]:
    sealed = data_keys(connection)
    try:
        kek = find_kek(settings)
        if sealed and kek is not None:
            KeyRing(kek, sealed)
    except EngineError as error:
        yield Check("key", "wrong", error.message)
        return
    where = "JOURNEY_KEK" if settings.kek else str(kek_path(settings))
    if kek is not None:
        yield Check("key", "ok", f"{where} opens what is sealed" if sealed else where)
    elif sealed:
        remedy = f"put the key file back to {kek_path(settings)}, or set JOURNEY_KEK"
        yield Check("key", "wrong", "secrets are sealed and their key is missing", remedy)
    else:
        yield Check("key", "ok", "none yet; the first command that needs one makes it")


def _endpoints(connection: Connection, settings: Settings) -> Iterator[Check]:
    stored = load_all(connection)
    wrong = False
    for one in stored:
        name = one.endpoint.name
        if one.auth_lost is not None:
            wrong = True
            found = f"{name} had the auth profile {one.auth_lost}, which was deleted"
            remedy = f"journey endpoints set {name} --auth PROFILE (or none)"
            yield Check("endpoints", "wrong", found, remedy)
        closed = _closed(settings, one.endpoint.base_url)
        if closed is not None:
            wrong = True
            yield Check("endpoints", "wrong", f"{name} can't be called: {closed}")
    if not wrong:
        bare = ", ".join(one.endpoint.name for one in stored if one.endpoint.profile is None)
        without = f"; without authentication: {bare}" if bare else ""
        count = "1 endpoint" if len(stored) == 1 else f"{len(stored)} endpoints"
        yield Check("endpoints", "ok", f"{count}{without}")


def _closed(settings: Settings, base_url: str) -> str | None:
    """Why the egress setting keeps a URL with an address in it closed. Names are not looked up."""
    origin = origin_of(base_url)
    host = "127.0.0.1" if origin.host == "localhost" else origin.host.strip("[]")
    try:
        ip_address(host)
        return Egress.parse(settings.egress_allow).check(origin.host, origin.port, [host])
    except (ValueError, EngineError):
        return None


def _references(
    connection: Connection, settings: Settings, environment: Mapping[str, str]
) -> Iterator[Check]:
    references = References(environment, settings.secret_folders)
    profiles = search_profiles(connection)
    wrong = [check for profile in profiles for check in _secrets(profile, references)]
    yield from wrong
    if not wrong:
        yield Check("secrets", "ok", "every secret can be read" if profiles else "none yet")


def _secrets(profile: ShownProfile, references: References) -> Iterator[Check]:
    """What is wrong with a profile's secrets; names only."""
    if profile.problem:
        yield Check("secrets", "wrong", f"{profile.name}: {profile.problem}")
    if profile.ending is not None and profile.ending.state != "ok":
        remedy = f"journey auth rotate {profile.name} --expires DATE"
        found = f"{profile.name}: its {profile.ending.of} {profile.ending.text}"
        yield Check("secrets", profile.ending.state, found, remedy)
    for secret in profile.secrets:
        way, _, name = secret.source.partition(" ")
        where = f"{profile.name}.{secret.field}"
        if way in ("env", "file"):
            try:
                value = references.read(FromEnv(name) if way == "env" else FromFile(name))
            except CredentialFailure as failure:
                yield Check("secrets", "wrong", f"{where}: {failure.message}")
                continue
            ends = expiry(ends_on(value), wall()) if secret.field == CLIENT_CERTIFICATE else None
            if ends is not None:
                yield Check("secrets", ends.state, f"{where} {ends.text}", f"renew {name}")
        elif not secret.is_set:
            yield Check(
                "secrets", "wrong", f"{where} is not set", f"journey auth rotate {profile.name}"
            )
