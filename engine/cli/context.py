"""What commands share: settings, the database and the vault, opened when they are needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.settings import Settings, environment, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from engine.credentials.references import References
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.wire.egress import Egress

Command = TypeVar("Command", bound="Callable[..., Any]")

database_option = click.option(
    "--database",
    metavar="URL",
    default=None,
    help="The database, as sqlite:///path/engine.db or postgresql://user@host/name (default:"
    " JOURNEY_DATABASE_URL, or engine.db in JOURNEY_HOME).",
)
"""``--database`` for a command; its value goes to :func:`opened` or :class:`Installation`."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


_LARGEST = (1 << 63) - 1


def whole_number(written: str | int) -> int:
    """The type of an option: a whole number that a database can hold, from 0 on, as an id, a
    version, or how many. Raises click.BadParameter.
    """
    try:
        found = int(written)
    except ValueError:
        found = -1
    if not 0 <= found <= _LARGEST:
        raise click.BadParameter(f"{str(written)[:60]!r} is no whole number from 0 to {_LARGEST}")
    return found


limit_option = click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="At most N.",
)
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a header.")


class Installation:
    """The installation a command works on. ``settings`` are read at once, the rest when asked for.

    Close it, or use :func:`opened`.
    """

    def __init__(self, database_url: str | None = None) -> None:
        self.environment: Mapping[str, str] = environment()
        settings = load_settings(self.environment)
        if database_url is not None:
            from dataclasses import replace

            settings = replace(settings, database_url=database_url)
        self.settings: Settings = settings
        self._database: Database | None = None
        self._vault: Vault | None = None

    def database(self, *, create: bool = False) -> Database:
        """The database; made if there is none and ``create`` is set, else DatabaseUnavailable."""
        if self._database is None:
            from engine.db.schema import open_database

            self._database = open_database(self.settings.database, create=create)
        return self._database

    def has_database(self) -> bool:
        """Whether there is a database already."""
        from contextlib import closing

        from engine.db.connect import Database
        from engine.db.schema import database_exists

        with closing(Database(self.settings.database)) as database:
            return database_exists(database)

    def vault(self) -> Vault:
        """The vault of the database; the first time its key is made, and that is said."""
        if self._vault is None:
            from engine.credentials.open_vault import open_vault

            opened = open_vault(self.database(), self.settings, actor=actor())
            if opened.notice:
                click.echo(opened.notice, err=True)
            self._vault = opened.vault
        return self._vault

    def references(self) -> References:
        """What ``{env: …}`` and ``{file: …}`` are read with."""
        from engine.credentials.references import References

        return References(self.environment, self.settings.secret_folders)

    def egress(self) -> Egress:
        """Which addresses may be dialled. Raises SettingsError for a setting that can't be read."""
        from engine.wire.egress import Egress

        return Egress.parse(self.settings.egress_allow)

    def zone(self) -> ZoneInfo:
        """The installation's time zone. Raises SettingsError where its name is unknown."""
        from engine.operations.zone import installation_zone

        return installation_zone(self.settings)

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()


@contextmanager
def opened(database_url: str | None) -> Iterator[Installation]:
    """The installation that ``--database`` and the environment name, closed at the end."""
    installation = Installation(database_url)
    try:
        yield installation
    finally:
        installation.close()


def actor() -> str:
    """Who gives the command, for the audit log: the user that the process runs as, whatever
    variables like USER say.
    """
    import os
    from pwd import getpwuid

    try:
        return getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
