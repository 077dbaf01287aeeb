"""The only reader of the environment.

Every setting is ``JOURNEY_<NAME>``, or ``JOURNEY_<NAME>_FILE`` naming a file that holds the value;
a ``.env`` file in the current folder stands in for variables that aren't set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "JOURNEY_"
_ENV_FILE = Path(".env")
_LARGEST_FILE = 64 * 1024
_LAST_PORT = 65_535
_SHORTEST_LEASE_S, _LONGEST_LEASE_S = 3, 600


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation is told from outside. Each field is a variable, ``JOURNEY_`` + its name.

    ``journeys`` is a folder whose journeys are published as they change ('': none is watched).
    ``kek`` and ``kek_new`` are secret: they are never printed (``journey config`` masks them).
    """

    home: str = ".journey"
    database_url: str = ""
    kek: str = ""
    kek_new: str = ""
    egress_allow: str = ""
    secret_dirs: str = ""
    timezone: str = "UTC"
    log_level: str = "WARNING"
    log_file: str = ""
    in_flight: str = "1000"
    lease: str = "30"
    keep_passages: str = "P365D"
    keep_events: str = "P730D"
    keep_audit: str = "P730D"
    backups: str = ""
    backups_kept: str = "7"
    journeys: str = ""
    host: str = "127.0.0.1"
    port: str = "8420"
    trusted_hosts: str = ""
    trusted_proxies: str = ""
    largest_body: str = "1048576"

    @property
    def home_path(self) -> Path:
        """The folder where state lives unless a setting says otherwise."""
        return Path(self.home)

    @property
    def database(self) -> str:
        """The database's URL: the setting, else ``engine.db`` in the home folder."""
        return self.database_url or f"sqlite:///{self.home_path / 'engine.db'}"

    @property
    def calls_in_flight(self) -> int:
        """How many calls one process may have on the wire. Raises :class:`SettingsError`."""
        return _count("JOURNEY_IN_FLIGHT", self.in_flight, "calls, as in 1000")

    @property
    def lease_s(self) -> int:
        """How long a worker that stands still keeps its users, on PostgreSQL. Raises
        :class:`SettingsError`.
        """
        seconds = _count("JOURNEY_LEASE", self.lease, "seconds, as in 30")
        if not _SHORTEST_LEASE_S <= seconds <= _LONGEST_LEASE_S:
            raise SettingsError(
                f"JOURNEY_LEASE is {seconds}; give {_SHORTEST_LEASE_S} to {_LONGEST_LEASE_S}"
                " seconds",
                code="settings.lease",
            )
        return seconds

    @property
    def listens_on(self) -> int:
        """The port of the HTTP server; 0: one that is free. Raises :class:`SettingsError`."""
        given = self.port
        if not given.isascii() or not given.isdecimal() or int(given) > _LAST_PORT:
            raise SettingsError(
                f"JOURNEY_PORT is {given[:20]!r}; give a port, as in 8420, or 0 for a free one",
                code="settings.port",
            )
        return int(given)

    @property
    def bytes_in_a_body(self) -> int:
        """How large a request may be, unpacked. Raises :class:`SettingsError`."""
        return _count("JOURNEY_LARGEST_BODY", self.largest_body, "bytes, as in 1048576")

    @property
    def backups_folder(self) -> Path | None:
        """Where backups are made each night; None if they aren't."""
        return Path(self.backups) if self.backups else None

    @property
    def backups_to_keep(self) -> int:
        """How many backups of its own the duty leaves there. Raises :class:`SettingsError`."""
        return _count("JOURNEY_BACKUPS_KEPT", self.backups_kept, "backups, as in 7")

    @property
    def secret_folders(self) -> tuple[Path, ...]:
        """Folders that ``{file: …}`` references may read from (``:`` separated in the setting)."""
        given = [Path(part) for part in self.secret_dirs.split(os.pathsep) if part]
        return tuple(given) or (Path("/run/secrets"), self.home_path / "secrets")


def _count(variable: str, given: str, of_what: str) -> int:
    if not given.isascii() or not given.isdecimal() or int(given) < 1:
        raise SettingsError(
            f"{variable} is {given[:20]!r}; give a number of {of_what}",
            code=f"settings.{variable.removeprefix(PREFIX).lower()}",
        )
    return int(given)


SECRET_SETTINGS = frozenset({"kek", "kek_new"})


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of this environment; an empty variable is one that isn't set.

    Raises :class:`SettingsError` for a ``_FILE`` that can't be read.
    """
    names = {PREFIX + field.name.upper(): field.name for field in fields(Settings)}
    values: dict[str, str] = {}
    for variable, raw in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = names.get(variable)
        from_file = names.get(variable.removesuffix("_FILE"))
        if not raw:
            continue
        if name is not None:
            values[name] = raw
        elif variable.endswith("_FILE") and from_file is not None:
            values.setdefault(from_file, _read(variable, raw))
    return Settings(**values)


def unknown_settings(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables with our prefix that are no setting: probably misspelt (``doctor`` names them)."""
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    return tuple(
        sorted(
            name
            for name in environment
            if name.startswith(PREFIX) and not {name, name.removesuffix("_FILE")} & known
        )
    )


def environment() -> dict[str, str]:
    """A snapshot of the environment over the current folder's ``.env`` file. Raises
    :class:`SettingsError` where that can't be read.
    """
    merged = _dotenv(_ENV_FILE)
    merged.update(os.environ)
    return merged


def without_plugins() -> None:
    """Let pydantic look for no plugins: they would see what is validated, and looking for them
    reads the metadata of every package that is installed.

    https://docs.pydantic.dev/latest/concepts/plugins/
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def origins() -> dict[str, str]:
    """Where each setting that was given is from: ``environment``, the current folder's ``.env``, or
    the file that a ``_FILE`` variable names. Others have their default."""
    written = _dotenv(_ENV_FILE)
    found: dict[str, str] = {}
    for field in fields(Settings):
        variable = PREFIX + field.name.upper()
        for name in (variable, f"{variable}_FILE"):
            if os.environ.get(name, written.get(name)):
                place = "environment" if name in os.environ else ".env"
                found[field.name] = place if name == variable else f"{name} ({place})"
                break
    return found


def _read(variable: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LARGEST_FILE).strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"{variable} names a file that can't be read: {path}", code="settings.file"
        ) from None


def _dotenv(path: Path) -> dict[str, str]:
    """What a ``.env`` file says; nothing where there is none, or a folder of that name. Raises
    :class:`SettingsError` for one that can't be read: what it sets would be another installation.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not os.access(path.absolute().parent, os.X_OK):
            return {}  # the folder isn't ours to look into: `sudo -u` leaves one in such
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            f"the file .env here can't be read: {why}; make it readable, or take it away",
            code="settings.env",
        ) from None
    found: dict[str, str] = {}
    for line in lines:
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("'\"")
    return found
