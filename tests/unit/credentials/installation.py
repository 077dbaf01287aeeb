"""An installation with a vault, for tests of credentials: profiles and endpoints in a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.clock import Clock, RealClock, wall
from engine.credentials.kinds.base import AuthKind
from engine.credentials.kinds.registry import read_profile
from engine.credentials.open_vault import open_vault
from engine.credentials.profiles import ProfileChange, extend_origins, set_profile
from engine.credentials.references import References
from engine.credentials.resolver import Resolver
from engine.credentials.rotation import rotate
from engine.db.schema import open_database
from engine.settings import Settings
from engine.telemetry.redact import Redactor
from engine.wire.transport import Transport
from tests.databases import database_url

API = "https://api.example.com"
NOW = 1_700_000_000_000_000


class Installation:
    """A database and a vault in ``folder``; ``environment`` is the process's. ``url`` is of the
    folder's database, for a process that was told it.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, *, url: str = ""
    ) -> None:
        self.settings = Settings(home=str(folder), database_url=url or database_url(folder))
        self.environment = dict(environment or {})
        self.database = open_database(self.settings.database)
        self.vault = open_vault(self.database, self.settings).vault

    @property
    def references(self) -> References:
        """As a process started now would have them."""
        return References(self.environment, self.settings.secret_folders)

    def apply(
        self, name: str, *, at: int = NOW, take_secrets: bool = False, **written: Any
    ) -> ProfileChange:
        """Create or change a profile as a file says it."""
        with self.database.write() as connection:
            return set_profile(
                connection,
                self.vault,
                self.references,
                name,
                profile(**written),
                actor="ann",
                now=at,
                take_secrets=take_secrets,
            )

    def endpoint(self, name: str, profile_name: str, url: str = API) -> int:
        """An endpoint with this profile, which may be sent there; returns the profile's id."""
        with self.database.write() as connection:
            extend_origins(connection, profile_name, [url], actor="ann", now=NOW)
            connection.exec_driver_sql(
                "INSERT INTO endpoints (name, settings, profile_id, version, changed_at)"
                " VALUES (?, '{}', (SELECT id FROM auth_profiles WHERE name = ?), 1, 1)",
                (name, profile_name),
            )
            found = connection.exec_driver_sql(
                "SELECT id FROM auth_profiles WHERE name = ?", (profile_name,)
            )
            return int(found.scalar_one())

    def rotate(
        self, name: str, value: str, field: str | None = None, *, overlap_s: float = 0
    ) -> ProfileChange:
        """Rotate a secret now, as the command does."""
        with self.database.write() as connection:
            return rotate(
                connection,
                self.vault,
                name,
                value,
                field=field,
                actor="ann",
                now=wall() if overlap_s else NOW + 1,
                overlap_us=int(overlap_s * 1_000_000),
            )

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of one statement, written or read."""
        with self.database.write() as connection:
            rows = connection.exec_driver_sql(statement, values)
            return [tuple(row) for row in rows] if rows.returns_rows else []

    def resolver(
        self,
        transport: Transport,
        *,
        clock: Clock | None = None,
        redactor: Redactor | None = None,
        lot: Callable[[], float] = lambda: 0.5,
    ) -> Resolver:
        """A resolver as a process has it."""
        return Resolver(
            self.database,
            self.vault,
            transport,
            clock or RealClock(),
            self.references,
            redactor=redactor,
            lot=lot,
        )


def profile(**written: Any) -> AuthKind:
    """The profile that a file writes so; fails where it has problems."""
    found = read_profile(written)
    assert isinstance(found, AuthKind), found
    return found
