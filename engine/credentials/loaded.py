"""A profile loaded and opened at one version: what is kept in memory between resolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.clock import stopwatch, wall
from engine.credentials.credential import Credential, Opened, Placement
from engine.credentials.key_ring import Place
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.kinds.registry import stored_profile
from engine.credentials.overlap import Preference
from engine.credentials.references import FromEnv, FromFile
from engine.credentials.scheduled import cut_over, is_due, next_at
from engine.credentials.store.profiles import profile_by_id
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.errors import CredentialFailure

if TYPE_CHECKING:
    from engine.credentials.credential import AccessToken
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.references import References
    from engine.credentials.store.profiles import StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection, Database
    from engine.telemetry.redact import Redactor


def load(
    database: Database,
    vault: Vault,
    references: References,
    redactor: Redactor,
    profile_id: int,
) -> Loaded | None:
    """The profile as it stands now, with a scheduled rotation made whose time has come; None if
    there is none. Blocking; for a thread.
    """
    while True:
        with database.read() as connection:
            stored = profile_by_id(connection, profile_id)
            if stored is None:
                return None
            if not is_due(stored, wall()):
                return Loaded(connection, stored, vault, references, redactor)
        with database.write() as connection:
            cut_over(connection, profile_id, wall())


def secret_place(profile_id: int, field: str, version: int) -> Place:
    """Where a profile's sealed value belongs."""
    return Place("auth_secrets", profile_id, field, version)


class Loaded:
    """One profile at one version, opened in the transaction that it was read in.

    What can't be opened fails each time it is asked for, alone.
    """

    __slots__ = (
        "_failure",
        "_fixed",
        "_fixed_previous",
        "_next_at",
        "_preference",
        "_previous",
        "_previous_until",
        "_previous_version",
        "_redactor",
        "_references",
        "_sealed",
        "_vault",
        "_with_token",
        "fell_back",
        "name",
        "oauth2",  # profile, if it is one: isinstance() takes long with pydantic's classes
        "origins",
        "profile",
        "profile_id",
        "version",
    )

    def __init__(
        self,
        connection: Connection,
        stored: StoredProfile,
        vault: Vault,
        references: References,
        redactor: Redactor,
    ) -> None:
        columns = stored.columns
        self.profile_id = stored.id
        self.name = columns.name
        self.version = columns.version
        self.origins = frozenset(columns.origins)
        self.profile: AuthKind | None = None
        self._vault = vault
        self._references = references
        self._redactor = redactor
        self._sealed: dict[str, str] = {}
        self._failure: CredentialFailure | None = None
        self._next_at = next_at(stored)
        self._fixed: Credential | None = None
        self._fixed_previous: Credential | None = None
        self._with_token: Credential | None = None
        self._preference = Preference()
        self.fell_back = False
        try:
            self.profile = profile_of(stored)
            for name, secret in stored.secrets.items():
                place = secret_place(stored.id, name, secret.version)
                self._sealed[name] = vault.open(connection, secret.sealed, place)
        except CredentialFailure as failure:
            self._failure = self._named(failure)
        self.oauth2 = self.profile if isinstance(self.profile, OAuth2) else None
        redactor.learn(self._sealed.values())
        self._open_previous(connection, stored)

    def _open_previous(self, connection: Connection, stored: StoredProfile) -> None:
        """The values before a rotation with overlap. One that doesn't open is no loss."""
        good = [each for each in stored.previous.values() if (each.valid_until or 0) > wall()]
        self._previous: dict[str, str] = {}
        self._previous_until = min((each.valid_until or 0 for each in good), default=0)
        self._previous_version = max((each.version for each in good), default=0)
        try:
            for each in good:
                place = secret_place(stored.id, each.field, each.version)
                self._previous[each.field] = self._vault.open(connection, each.sealed, place)
        except CredentialFailure:
            self._previous = {}
        self._redactor.learn(self._previous.values())

    def is_outdated(self) -> bool:
        """Whether another value of a secret is current by now: it is to be loaded again."""
        return self._next_at is not None and wall() >= self._next_at

    def files(self) -> set[str]:
        """The names of the files that its secrets are read from."""
        found = () if self.profile is None else self.profile.sources().values()
        return {each.name for each in found if isinstance(each, FromFile)}

    def opened(self) -> Opened:
        """The values now, and the previous ones while they are good. Raises CredentialFailure."""
        values = dict(self.opened_values())
        if not self._overlaps():
            return Opened(values, version=self.version)
        return Opened(values, values | self._previous, self.version, self._previous_version)

    def _overlaps(self) -> bool:
        return bool(self._previous) and wall() < self._previous_until

    def opened_values(self) -> Mapping[str, str]:
        """Every secret field's value now. Raises CredentialFailure naming profile and field."""
        kind = self._kind()
        values: dict[str, str] = {}
        for name, source in kind.sources().items():
            try:
                if isinstance(source, FromEnv | FromFile):
                    values[name] = self._references.read(source)
                else:
                    values[name] = self._sealed[name]
            except KeyError:
                raise self._missing(f"{name} isn't set") from None
            except CredentialFailure as failure:
                raise self._named(failure, name) from None
            problem = kind.value_problem(name, values[name])
            if problem is not None:
                raise CredentialFailure(
                    f"auth profile {self.name}: {name} {problem}", code="credential.unreadable"
                )
        return values

    def credential(self, not_this: Credential | None = None) -> Credential:
        """What is sent, of a kind that asks no token server, and not what was refused: of two
        values the current one, then the previous one. Raises CredentialFailure.
        """
        current = self._current()
        if not self._overlaps():
            return self._another(current, not_this)
        previous = self._with_previous()
        refused = None if not_this is None else not_this.fingerprint
        if refused == current.fingerprint:
            self.fell_back = True
            self._preference.current_refused(stopwatch())
            return self._another(previous, not_this)
        if refused == previous.fingerprint:
            self._preference.previous_refused()
            return current
        return previous if self._preference.is_for_previous(stopwatch()) else current

    def _another(self, credential: Credential, not_this: Credential | None) -> Credential:
        if not_this is not None and credential.fingerprint == not_this.fingerprint:
            raise CredentialFailure(
                f"auth profile {self.name}: the API refused this credential; rotate it, or check"
                " what it may do there",
                code="credential.rejected",
            )
        return credential

    def _current(self) -> Credential:
        if self._fixed is not None:
            return self._fixed
        credential = self._fixed_by(self.opened_values(), self.version)
        if not self.files():
            self._fixed = credential
        return credential

    def _with_previous(self) -> Credential:
        if self._fixed_previous is not None:
            return self._fixed_previous
        values = {**self.opened_values(), **self._previous}
        credential = self._fixed_by(values, self._previous_version)
        if not self.files():
            self._fixed_previous = credential
        return credential

    def _fixed_by(self, values: Mapping[str, str], version: int) -> Credential:
        self._redactor.learn(values.values())
        placement = self._kind().placement(values)
        self._redactor.learn(value for _, value in placement.headers)
        certificate = values.get(CLIENT_CERTIFICATE)
        fingerprint = self._vault.fingerprint(_joined(placement, certificate))
        secrets = tuple(value for name, value in values.items() if name != CLIENT_CERTIFICATE)
        return self._credential(placement, fingerprint, secrets, version, certificate)

    def _kind(self) -> AuthKind:
        if self._failure is not None or self.profile is None:
            raise self._again()
        return self.profile

    def with_token(self, token: AccessToken) -> Credential:
        """What is sent with this access token."""
        certificate = None
        if self._kind().client_certificate is not None:
            certificate = self.opened_values()[CLIENT_CERTIFICATE]
        known = self._with_token
        if (
            known is None
            or known.fingerprint != token.fingerprint
            or known.client_certificate != certificate
        ):
            placement = self._kind().placement({"access_token": token.value})
            self._with_token = known = self._credential(
                placement, token.fingerprint, (token.value,), token.secret_version, certificate
            )
        return known

    def _credential(
        self,
        placement: Placement,
        fingerprint: str,
        secrets: tuple[str, ...],
        version: int,
        certificate: str | None,
    ) -> Credential:
        kind = self._kind()
        expired = kind.token_expired_when if isinstance(kind, OAuth2) else None
        return Credential(
            self.profile_id,
            self.name,
            kind.kind,
            version,
            self.origins,
            placement,
            fingerprint,
            secrets,
            None if expired is None else expired.matches,
            certificate,
        )

    def _named(self, failure: CredentialFailure, field: str = "") -> CredentialFailure:
        where = f"auth profile {self.name}: " + (f"{field}: " if field else "")
        return CredentialFailure(f"{where}{failure.message}", code=failure.code)

    def _missing(self, what: str) -> CredentialFailure:
        return CredentialFailure(f"auth profile {self.name}: {what}", code="credential.missing")

    def _again(self) -> CredentialFailure:
        failure = self._failure or self._missing("it can't be read")
        return CredentialFailure(failure.message, code=failure.code)


def profile_of(stored: StoredProfile) -> AuthKind:
    """The profile's model. Raises ``credential.unreadable`` where it was changed by hand."""
    try:
        return stored_profile(stored.columns.kind, stored.columns.settings)
    except (ValidationError, KeyError):
        raise CredentialFailure(
            f"its kind {stored.columns.kind} or settings aren't known to this version",
            code="credential.unreadable",
        ) from None


def _joined(placement: Placement, certificate: str | None) -> str:
    places = (placement.headers, placement.query, placement.body)
    return repr(places if certificate is None else (*places, certificate))
