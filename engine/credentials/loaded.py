"""A profile loaded and opened at one version: what is kept in memory between resolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.credentials.credential import Credential, Placement
from engine.credentials.key_ring import Place
from engine.credentials.kinds.registry import stored_profile
from engine.credentials.references import FromEnv, FromFile
from engine.credentials.store.profiles import profile_by_id
from engine.errors import CredentialFailure

if TYPE_CHECKING:
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
    """The profile as it stands now; None if there is none. Blocking; for a thread."""
    with database.read() as connection:
        stored = profile_by_id(connection, profile_id)
        if stored is None:
            return None
        return Loaded(connection, stored, vault, references, redactor)


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
        "_redactor",
        "_references",
        "_sealed",
        "_vault",
        "_with_token",
        "name",
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
        self._fixed: Credential | None = None
        self._with_token: Credential | None = None
        try:
            self.profile = profile_of(stored)
            for name, secret in stored.secrets.items():
                place = secret_place(stored.id, name, secret.version)
                self._sealed[name] = vault.open(connection, secret.sealed, place)
        except CredentialFailure as failure:
            self._failure = self._named(failure)
        redactor.learn(self._sealed.values())

    def opened_values(self) -> Mapping[str, str]:
        """Every secret field's value now. Raises CredentialFailure naming profile and field."""
        if self._failure is not None or self.profile is None:
            raise self._again()
        values: dict[str, str] = {}
        for name, source in self.profile.sources().items():
            try:
                if isinstance(source, FromEnv | FromFile):
                    values[name] = self._references.read(source)
                else:
                    values[name] = self._sealed[name]
            except KeyError:
                raise self._missing(f"{name} isn't set") from None
            except CredentialFailure as failure:
                raise self._named(failure, name) from None
            problem = self.profile.problem_with(name, values[name])
            if problem is not None:
                raise CredentialFailure(
                    f"auth profile {self.name}: {name} {problem}", code="credential.unreadable"
                )
        return values

    def credential(self) -> Credential:
        """What is sent, of a kind that asks no token server. Raises CredentialFailure."""
        if self._fixed is not None:
            return self._fixed
        if self._failure is not None or self.profile is None:
            raise self._again()
        values = self.opened_values()
        self._redactor.learn(values.values())
        placement = self.profile.placement(values)
        self._redactor.learn(value for _, value in placement.headers)
        credential = self._credential(
            placement, self._vault.fingerprint(_joined(placement)), tuple(values.values())
        )
        if not any(isinstance(each, FromFile) for each in self.profile.sources().values()):
            self._fixed = credential
        return credential

    def with_token(self, token: str, fingerprint: str) -> Credential:
        """What is sent with this access token."""
        known = self._with_token
        if known is None or known.fingerprint != fingerprint:
            if self.profile is None:
                raise self._again()
            placement = self.profile.placement({"access_token": token})
            self._with_token = known = self._credential(placement, fingerprint, (token,))
        return known

    def _credential(
        self, placement: Placement, fingerprint: str, secrets: tuple[str, ...]
    ) -> Credential:
        kind = self.profile.kind if self.profile is not None else ""
        return Credential(
            self.profile_id,
            self.name,
            kind,
            self.version,
            self.origins,
            placement,
            fingerprint,
            secrets,
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


def _joined(placement: Placement) -> str:
    return repr((placement.headers, placement.query, placement.body))
