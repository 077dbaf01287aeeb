"""``journey apply``: endpoints, auth profiles, contact policy and catalogue from a file."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from engine.core.dsl.problems import did_you_mean, in_file_order
from engine.credentials.changes import MISSING
from engine.credentials.kek import KEY_BYTES, LocalKek
from engine.credentials.key_ring import KeyRing, new_fingerprint_key, new_key
from engine.credentials.profiles import extend_origins, set_profile
from engine.credentials.store.keys import data_keys
from engine.credentials.store.profiles import StoredProfile, all_profiles
from engine.credentials.vault import Vault
from engine.endpoints import store
from engine.endpoints.contact_policy import save as save_policy
from engine.errors import DefinitionError, OperatorError, Problem
from engine.operations.moving import move_of, require_known
from engine.users.catalogue import save_catalogue
from engine.wire.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.credentials.key_ring import Place
    from engine.credentials.references import References
    from engine.db.connect import Connection, Database
    from engine.endpoints.file import EndpointsFile, WrittenEndpoint, WrittenProfile
    from engine.endpoints.model import Endpoint
    from engine.wire.egress import Egress


@dataclass(slots=True, frozen=True)
class Change:
    """What became of one entry: ``created``, ``changed``, ``removed`` or ``unchanged``. The contact
    policy has no name.

    ``fields`` are the names of what changed, ``notes`` what an operator should know; never a value.
    """

    kind: str
    name: str
    verb: str
    fields: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Keys:
    """What secrets are sealed and read with."""

    vault: Vault
    references: References
    egress: Egress
    take_secrets: bool = False


class _RolledBackError(Exception):
    """Ends a rehearsal's transaction."""


def apply(
    database: Database,
    keys: Keys,
    written: EndpointsFile,
    *,
    actor: str,
    now: int,
    dry_run: bool = False,
) -> tuple[Change, ...]:
    """Make everything what ``written`` says, in one transaction; what changed.

    With ``dry_run`` the same happens and is rolled back. What isn't in the file stays as it is.
    Raises DefinitionError for a name that leads nowhere, with its place in the file, and
    OperatorError for a secret that has no value yet or can't be used.
    """
    changes: tuple[Change, ...] = ()
    try:
        with database.write() as connection:
            changes = _Application(connection, keys, written, actor, now).apply()
            if dry_run:
                raise _RolledBackError
    except _RolledBackError:
        pass
    return changes


def rehearsal_vault(database: Database, vault: Callable[[], Vault]) -> Vault:
    """What a dry run seals with: the database's own vault, or one that nothing outlives where there
    are no keys yet, so that it makes none.
    """
    with database.read() as connection:
        sealed = bool(data_keys(connection))
    return vault() if sealed else ThrowawayVault()


class ThrowawayVault(Vault):
    """A vault that nothing outlives: for a rehearsal where no key was made yet."""

    def __init__(self) -> None:
        key = secrets.token_bytes(KEY_BYTES)
        kek = LocalKek("a rehearsal's", lambda: (key,))
        own = (new_key(kek), new_fingerprint_key(kek))
        super().__init__(kek, own)
        self._own = KeyRing(kek, own)

    def seal(self, connection: Connection, value: str, place: Place) -> str:
        """``value`` sealed under a key that no database has."""
        return self._own.seal(value, place)


@dataclass(slots=True)
class _Application:
    connection: Connection
    keys: Keys
    written: EndpointsFile
    actor: str
    now: int
    problems: list[Problem] = field(default_factory=list)
    stored: dict[str, StoredProfile] = field(default_factory=dict)
    given: dict[str, frozenset[str]] = field(default_factory=dict)

    def apply(self) -> tuple[Change, ...]:
        self.stored = {each.columns.name: each for each in all_profiles(self.connection)}
        self._check_names(self.stored)
        profiles = self._profiles()
        endpoints = [self._endpoint(each) for each in self.written.endpoints]
        return (*profiles, *self._bind(), *endpoints, *self._policy(), *self._catalogue())

    def _check_names(self, stored: Mapping[str, StoredProfile]) -> None:
        """Every name leads somewhere, and no endpoint's own profile is meant by another name."""
        inline = {p.name: p.inline for p in self.written.profiles}
        for profile in self.written.profiles:
            before = stored.get(profile.name)
            if before is not None and before.columns.inline != profile.inline:
                whose = "the endpoint's own" if before.columns.inline else "a profile of its own"
                self._problem(
                    profile.path,
                    f"`{profile.name}` is {whose} in the database",
                    "give one of the two another name",
                )
        for each in self.written.endpoints:
            name = each.endpoint.profile
            if name is None or each.inline:
                continue
            known = inline.keys() | stored.keys()
            if name not in known:
                remedy = did_you_mean(name, known) or "add it under `auth_profiles`"
                self._problem((*each.path, "auth"), f"there is no auth profile `{name}`", remedy)
            elif inline.get(name, name in stored and stored[name].columns.inline):
                message = f"`{name}` belongs to the endpoint of that name alone"
                self._problem((*each.path, "auth"), message, "write it under `auth_profiles`")
        if self.problems:
            raise DefinitionError(self.written.document.file, in_file_order(self.problems))

    def _problem(self, path: tuple[str | int, ...], message: str, remedy: str) -> None:
        document = self.written.document
        place = document.place(path)
        self.problems.append(document.lines.problem("auth.unknown", message, place, remedy))

    def _profiles(self) -> list[Change]:
        """All of them. Raises OperatorError with every secret that has no value yet, at once."""
        done, missing = [], []
        for profile in self.written.profiles:
            try:
                done.append(self._profile(profile))
            except OperatorError as error:
                if error.code != MISSING:
                    raise
                missing.append(error.message)
        if missing:
            raise OperatorError("; ".join(missing), code=MISSING)
        return done

    def _profile(self, profile: WrittenProfile) -> Change:
        origins = (*profile.kind.origins, *self._urls(profile.name))
        change = set_profile(
            self.connection,
            self.keys.vault,
            self.keys.references,
            profile.name,
            profile.kind.model_copy(update={"origins": origins}),
            actor=self.actor,
            now=self.now,
            take_secrets=self.keys.take_secrets,
            inline=profile.inline,
        )
        self.given[profile.name] = change.given
        verb = "created" if change.created else "changed" if change.fields else "unchanged"
        return Change("auth profile", profile.name, verb, change.fields, change.notes)

    def _urls(self, profile: str) -> tuple[str, ...]:
        return tuple(
            each.endpoint.base_url
            for each in self.written.endpoints
            if each.endpoint.profile == profile
        )

    def _bind(self) -> Iterator[Change]:
        """Profiles of the database that the file only names may be sent to the file's endpoints."""
        in_file = {profile.name for profile in self.written.profiles}
        named = {e.endpoint.profile: None for e in self.written.endpoints if e.endpoint.profile}
        for name in sorted(named.keys() - in_file):
            urls = self._urls(name)
            if extend_origins(self.connection, name, urls, actor=self.actor, now=self.now):
                yield Change("auth profile", name, "changed", ("origins",))

    def _policy(self) -> Iterator[Change]:
        policy = self.written.contact_policy
        if policy is not None or self.written.no_policy:
            verb, keys = save_policy(self.connection, policy, now=self.now, actor=self.actor)
            yield Change("contact policy", "", verb, keys if verb == "changed" else ())

    def _catalogue(self) -> Iterator[Change]:
        declared = self.written.catalogue
        for one in save_catalogue(self.connection, declared, now=self.now, actor=self.actor):
            verb = "created" if one.created else "changed" if one.fields else "unchanged"
            yield Change(one.kind, one.name, verb, () if one.created else one.fields)

    def _endpoint(self, each: WrittenEndpoint) -> Change:
        endpoint = each.endpoint
        notes = [*_unreachable(endpoint.base_url, self.keys.egress)]
        before = store.find(self.connection, endpoint.name)
        if before is not None:
            self._require_known(before.endpoint, endpoint)
            if before.inline and endpoint.auth != before.endpoint.auth:
                notes.append(f"auth: {endpoint.auth} takes the place of its own")
        fields = store.save(self.connection, endpoint, now=self.now, actor=self.actor)
        verb = "created" if before is None else "changed" if fields else "unchanged"
        return Change(
            "endpoint", endpoint.name, verb, () if before is None else fields, tuple(notes)
        )

    def _require_known(self, before: Endpoint, after: Endpoint) -> None:
        """Who moves an endpoint gives its profile's secrets in the same file."""
        profile = self.stored.get(after.auth)
        move = None if profile is None else move_of(before, after, profile)
        if move is not None:
            require_known(move, self.given.get(after.auth, ()), self.now)


def _unreachable(url: str, egress: Egress) -> Iterator[str]:
    """A base URL with an address that egress refuses: said now, before the first call fails."""
    origin = origin_of(url)
    try:
        ip_address(origin.host)
    except ValueError:
        return
    refusal = egress.check(origin.host, origin.port, (origin.host,))
    if refusal is not None:
        yield f"its calls will be blocked: {refusal}"
