"""``journey doctor --leaks``: looking for secrets where none may stand."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.credentials.kek import find_kek
from engine.credentials.kek_file import FILE_NAME as KEK_FILE
from engine.credentials.key_ring import FINGERPRINTS, KeyRing
from engine.credentials.loaded import profile_of
from engine.credentials.references import FromEnv, FromFile, References
from engine.credentials.store import sealed
from engine.credentials.store.keys import data_keys
from engine.credentials.store.profiles import all_profiles
from engine.db.contents import every_row
from engine.errors import CredentialFailure
from engine.operations.checks import Check
from engine.operations.doctor import incomplete
from engine.telemetry.leak_search import LeakSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.credentials.kek import LocalKek
    from engine.db.connect import Connection, Database
    from engine.db.contents import TableRows
    from engine.settings import Settings

_NAME = "leaks"
_ALL = 1_000_000_000
_ROTATE = "rotate it, then see what wrote it there and delete that"


def leaks(
    database: Database, settings: Settings, environment: Mapping[str, str], paths: Sequence[Path]
) -> Iterator[Check]:
    """Look for every secret that this installation can open, in its database, its home folder, its
    log, and ``paths``: files, and folders with what is below them. Changes nothing.

    Secrets are told by name and place; in a database that lacks something that, too. Raises
    SettingsError where the keys don't open.
    """
    lacks = incomplete(database)
    if lacks is not None:
        yield lacks
    kek = find_kek(settings)
    with database.read() as connection:
        secrets = list(_secrets(connection, kek, References(environment, settings.secret_folders)))
        search = LeakSearch(secrets)
        found = [*_in_tables(connection, search)]
    database.close()  # reading its files ends the locks of whatever this process has open there
    files = [*_files(database, settings, paths)]
    for path in files:
        found += _in_file(path, search)
    for name, place in found:
        yield Check(_NAME, "wrong", f"{name} stands in {place}", _ROTATE)
    if search.too_short:
        count = len(search.too_short)
        text = f"{count} under 8 characters can't be told from other text: {search.too_short[0]}"
        yield Check(_NAME, "odd", text + (" …" if count > 1 else ""), "use longer ones")
    if not found:
        counted = f"{len(secrets)} secrets, in every encoding, in the database and"
        yield Check(_NAME, "ok", f"looked for {counted} {len(files)} files: none")


def _secrets(
    connection: Connection, kek: LocalKek | None, references: References
) -> Iterator[tuple[str, str | bytes]]:
    """What must stand nowhere, and what it is called."""
    profiles = all_profiles(connection)
    names = {profile.id: profile.columns.name for profile in profiles}
    for profile in profiles:
        with suppress(CredentialFailure):
            for field, source in profile_of(profile).sources().items():
                if isinstance(source, FromEnv | FromFile):
                    with suppress(CredentialFailure):
                        yield f"{profile.columns.name}.{field}", references.read(source)
    keys = data_keys(connection)
    if kek is None:
        return
    yield from ((f"the key-encryption key ({kek.name})", each) for each in kek.find())
    if not keys:
        return
    ring = KeyRing(kek, keys)
    for key_id, key in ring.opened.items():
        yield ("the key of fingerprints" if key_id == FINGERPRINTS else f"data key {key_id}"), key
    for column in sealed.COLUMNS:
        for each in sealed.sealed_values(connection, column, most=_ALL):
            with suppress(CredentialFailure):  # `journey doctor` names what doesn't open
                row = int(each.place.row)
                owner = f"hook {row}" if column.table == "hooks" else names.get(row, "?")
                yield f"{owner}.{each.place.field}", ring.open(each.sealed, each.place)


def _in_tables(connection: Connection, search: LeakSearch) -> Iterator[tuple[str, str]]:
    places: Counter[tuple[str, str]] = Counter()
    for some in every_row(connection):
        if search.find(b"\n".join(_bytes(value) for row in some.rows for value in row)):
            places.update(_columns(some, search))
    for (name, column), rows in places.items():
        yield name, f"{column} ({'1 row' if rows == 1 else f'{rows:,} rows'})"


def _columns(some: TableRows, search: LeakSearch) -> Iterator[tuple[str, str]]:
    for row in some.rows:
        for column, value in zip(some.columns, row, strict=True):
            for name in search.find(_bytes(value)):
                yield name, f"{some.table}.{column}"


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b""


def _files(database: Database, settings: Settings, paths: Sequence[Path]) -> Iterator[Path]:
    """The database's file and what stands beside it, the home folder, logs, and what was named; but
    not the files where keys and referred secrets are kept.
    """
    at_home = {folder.resolve() for folder in settings.secret_folders}
    places = [settings.home_path, *paths]
    if database.is_file:
        places += database.path.parent.glob(f"{database.path.name}*")
    if settings.log_file:
        log = Path(settings.log_file)
        places += log.parent.glob(f"{log.name}*")
    seen: set[Path] = set()
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            real = path.resolve()
            kept = real.parent == settings.home_path.resolve() and _holds_a_key(real.name)
            if real in seen or kept or at_home.intersection(real.parents) or not real.is_file():
                continue
            seen.add(real)
            yield path


def _holds_a_key(name: str) -> bool:
    return name == KEK_FILE or name.startswith(f"{KEK_FILE}.")


def _in_file(path: Path, search: LeakSearch) -> Iterator[tuple[str, str]]:
    try:
        with path.open("rb") as file:
            found = search.find_in_file(file)
    except FileNotFoundError:
        return  # a write-ahead log goes with the last connection
    for name, at in found.items():
        yield name, f"{path}, at byte {at:,}"
