"""``journey keys``: the keys that seal secrets. Never shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from engine.cli.context import Installation
    from engine.credentials.kek import LocalKek
    from engine.db.connect import Database
    from engine.operations.key_status import KeyStatus


@click.group()
def keys() -> None:
    """The keys that seal secrets: data keys in the database, wrapped under a key-encryption key.

    The key-encryption key (JOURNEY_KEK, or the file kek in JOURNEY_HOME) never stands in the
    database. Everything here is done while workers run, and may be stopped at any moment: the same
    command goes on.
    """


@keys.command()
@database_option
def init(database: str | None) -> None:
    """Make the keys of a new installation; where there are some, say so and change nothing."""
    from engine.credentials.open_vault import open_vault

    with opened(database) as installation:
        here = installation.database(create=True)
        made = open_vault(here, installation.settings, actor=actor())
        kek = _kek(installation).name
    if made.notice:
        click.echo(made.notice, err=True)
    click.echo(f"{'made the data keys' if made.made else 'the keys are there'}, under {kek}")


@keys.command()
@json_option
@csv_option
@database_option
def status(as_json: bool, as_csv: bool, database: str | None) -> int:
    """Each data key: its state, its age, how many values are sealed under it.

    Exit code 6 if a value needs a key that is gone or doesn't open.
    """
    from engine.cli.outcome import CHECK_FAILED
    from engine.cli.tables import show
    from engine.operations.key_status import status as ring_status

    with opened(database) as installation:
        here, kek = _ring(installation)
        with here.read() as connection:
            found = ring_status(connection, kek)
    rows = [_row(each) for each in found.keys]
    columns = ("id", "state", "made_at", "age", "values", "opens")
    show(rows, columns, as_json=as_json, as_csv=as_csv)
    lost = found.strays + sum(each.values for each in found.keys if not each.opens)
    if lost:
        click.echo(f"{_values(lost)} can't be opened: `journey doctor` names them", err=True)
    return CHECK_FAILED if lost else 0


@keys.command()
@click.option("--kek", "replace", is_flag=True, help="Replace the key-encryption key instead.")
@database_option
def rotate(replace: bool, database: str | None) -> int:
    """Seal every secret and token anew under a fresh data key.

    With --kek the secrets stay as they are, and the data keys are wrapped under another
    key-encryption key: that of JOURNEY_KEK_NEW; without it a new one that takes the place of the
    file. Exit code 6 if a secret couldn't be opened and has to be set again.
    """
    from engine.cli.outcome import CHECK_FAILED
    from engine.operations import keys as operation

    with opened(database) as installation:
        here, kek = _ring(installation)
        if replace:
            _replace(installation, here)
            return 0
        done = operation.rotate(here, kek, actor=actor(), now=wall())
        with here.read() as connection:
            names = operation.names_of(connection, done)
    verb = "a rotation that was stopped is done" if done.resumed else "rotated"
    click.echo(f"{verb}: the data key is {done.key}, {_values(done.values)} sealed anew under it")
    for name in names:
        click.echo(f"  {name} doesn't open: set it again", err=True)
    click.echo("`journey keys retire` destroys data keys that nothing needs any more", err=True)
    return CHECK_FAILED if names else 0


@keys.command()
@click.argument("key_id", metavar="[ID]", required=False)
@database_option
def retire(key_id: str | None, database: str | None) -> None:
    """Destroy the data key ID; without ID every one that only decrypts and that no value needs.

    Backups have keys of their own and aren't touched.
    """
    from engine.operations import keys as operation

    with opened(database) as installation:
        here, _ = _ring(installation)
        gone = operation.retire(here, key_id=key_id, actor=actor(), now=wall())
    for each in gone:
        click.echo(f"data key {each} is retired: nothing opens with it any more")
    if not gone:
        click.echo("no data key could be retired; see `journey keys status`", err=True)


def _ring(installation: Installation) -> tuple[Database, LocalKek]:
    """The database, once its ring was seen to open. Raises SettingsError (exit 78), and NotFound
    where there is none yet.
    """
    from engine.operations.key_status import require_ring

    here = installation.database()
    with here.read() as connection:
        require_ring(connection)
    installation.vault()
    return here, _kek(installation)


def _kek(installation: Installation) -> LocalKek:
    from engine.credentials.kek import find_kek

    found = find_kek(installation.settings)
    assert found is not None  # noqa: S101  opening the vault has found it
    return found


def _replace(installation: Installation, here: Database) -> None:
    from engine.operations.keys import replace_kek

    done = replace_kek(here, installation.settings, actor=actor(), now=wall())
    if done.data_keys:
        click.echo(f"{done.data_keys} data keys are wrapped under {done.name} now")
    else:
        click.echo(f"the data keys are wrapped under {done.name} already")
    if done.kept is not None:
        click.echo(
            f"it has its place; backups of the database need the former one: {done.kept}", err=True
        )
    elif done.name == "JOURNEY_KEK_NEW":
        click.echo(
            "now set JOURNEY_KEK to it everywhere, unset JOURNEY_KEK_NEW, and restart before the"
            " next rotation",
            err=True,
        )


def _row(key: KeyStatus) -> dict[str, object]:
    from engine.cli.tables import instant
    from engine.credentials.changes import ago

    age = wall() - key.made_at
    return {
        "id": key.id,
        "state": key.state,
        "made_at": instant(key.made_at),
        "age": ago(age),
        "values": key.values,
        "opens": key.opens,
    }


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"
