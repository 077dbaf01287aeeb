"""A folder of journeys: what is right in it is published by itself, every trouble is told once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints.model import Endpoint
from engine.endpoints.store import save
from engine.errors import DatabaseUnavailable
from engine.operations.archive import archive
from engine.operations.watch import JourneysFolder, Notice
from engine.versions.watching import SETTLED_US

NOW = 1_800_000_000_000_000
WAIT = "dsl: 1\njourney: {name}\nsteps: [{{id: rest, type: wait, for: {span}}}]\n"
CALL = "dsl: 1\njourney: {name}\nsteps: [{{id: ask, type: call_api, endpoint: crm}}]\n"


class Here:
    """A folder that is watched, and the database that is published to."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.watched = JourneysFolder(folder)
        self._writes = 0

    def write(self, file: str, text: str = WAIT, *, name: str = "j", span: str = "P1D") -> None:
        self._writes += 1
        path = self.folder / file
        path.write_text(text.format(name=name, span=span))
        written = (NOW - SETTLED_US) * 1_000 - 1_000_000 + self._writes
        os.utime(path, ns=(written, written))

    def look(self) -> tuple[Notice, ...]:
        return self.watched.look(self.database, now=NOW)

    def said(self) -> list[str]:
        return [notice.text.replace(f"{self.folder}/", "") for notice in self.look()]

    @property
    def versions(self) -> list[tuple[str, int, bool]]:
        with self.database.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT journey, number, triggers_on FROM versions ORDER BY id"
            )
            return [(row[0], row[1], bool(row[2])) for row in found]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    folder = tmp_path / "journeys"
    folder.mkdir()
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    yield Here(folder, database)
    database.close()


def test_what_changes_and_is_right_is_published(here: Here) -> None:
    here.write("j.yaml")
    assert here.said() == ["j.yaml: journey j version 1 published"]
    assert here.said() == []
    here.write("j.yaml", span="P2D")
    assert here.said() == ["j.yaml: journey j version 2 published"]
    assert here.versions == [("j", 1, True), ("j", 2, True)]


def test_a_new_start_publishes_nothing_that_stands_already(here: Here) -> None:
    here.write("j.yaml")
    here.look()
    here.watched = JourneysFolder(here.folder)
    assert here.said() == []
    assert len(here.versions) == 1


def test_a_bad_file_is_told_once_with_its_place_and_the_good_version_stays(here: Here) -> None:
    here.write("j.yaml")
    here.write("k.yaml", name="k")
    here.look()
    here.write("j.yaml", span="soon")
    here.write("k.yaml", name="k", span="P2D")
    (bad, good) = here.look()
    assert bad.bad
    assert f"{here.folder}/j.yaml:3:" in bad.text
    assert "journey k version 2" in good.text
    assert here.said() == []
    here.write("j.yaml", span="later")
    assert "j.yaml:3:" in here.said()[0]
    here.write("j.yaml", span="P3D")
    assert here.said() == ["j.yaml: journey j version 2 published"]


def test_a_file_that_vanishes_unpublishes_nothing_and_that_is_said(here: Here) -> None:
    here.write("j.yaml")
    here.look()
    (here.folder / "j.yaml").unlink()
    (said,) = here.said()
    assert said.startswith("j.yaml is gone; journey j stays published")
    assert here.said() == []
    assert here.versions == [("j", 1, True)]


def test_a_missing_endpoint_is_told_once_and_tried_again(here: Here) -> None:
    here.write("j.yaml", CALL)
    (said,) = here.said()
    assert "crm (step ask)" in said
    assert here.said() == []
    with here.database.write() as connection:
        endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://crm.example"})
        save(connection, endpoint, now=NOW, actor="test")
    assert here.said() == ["j.yaml: journey j version 1 published"]
    assert here.said() == []


def test_a_second_file_of_one_journey_is_refused_until_the_first_is_gone(here: Here) -> None:
    here.write("a.yaml")
    here.write("b.yaml", span="P2D")
    first, second = here.said()
    assert first == "a.yaml: journey j version 1 published"
    assert "b.yaml is journey j, which" in second
    here.write("a.yaml", span="P3D")
    assert here.said() == ["a.yaml: journey j version 2 published"]
    (here.folder / "a.yaml").unlink()
    gone, taken = here.said()
    assert (gone[:14], taken) == ("a.yaml is gone", "b.yaml: journey j version 3 published")


def test_a_new_start_keeps_the_file_that_was_published_of_two(here: Here) -> None:
    here.write("b.yaml")
    here.look()
    here.write("a.yaml", span="P2D")
    here.look()
    here.watched = JourneysFolder(here.folder)
    (refused,) = here.said()
    assert refused.startswith("a.yaml is journey j, which b.yaml is already")
    assert here.versions == [("j", 1, True)]


def test_a_file_that_becomes_another_journey_leaves_the_first_published(here: Here) -> None:
    here.write("j.yaml")
    here.look()
    here.write("j.yaml", name="other")
    assert here.said() == [
        "j.yaml is journey other now; journey j stays published",
        "j.yaml: journey other version 1 published",
    ]


def test_an_archived_journey_is_not_brought_back_by_its_file(here: Here) -> None:
    here.write("j.yaml")
    here.look()
    with here.database.write() as connection:
        archive(connection, "j", at=NOW, now=NOW, actor="test")
    here.watched = JourneysFolder(here.folder)
    (said,) = here.said()
    assert "journey j is archived" in said
    assert here.said() == []
    assert here.versions == [("j", 1, True)]


def test_a_database_that_is_away_costs_time_and_no_publication(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("j.yaml")
    with monkeypatch.context() as patch:
        patch.setattr(here.database, "read", _away)
        with pytest.raises(DatabaseUnavailable):
            here.look()
    assert here.said() == ["j.yaml: journey j version 1 published"]


def _away() -> None:
    raise DatabaseUnavailable("locked")


def test_a_folder_that_is_away_is_told_once_and_nothing_is_forgotten(here: Here) -> None:
    here.write("j.yaml")
    here.look()
    away = here.folder.rename(here.folder.with_name("elsewhere"))
    assert "can't read" in here.said()[0]
    assert here.said() == []
    away.rename(here.folder)
    assert here.said() == []


def test_yaml_that_is_no_journey_is_left_alone(here: Here) -> None:
    here.write("endpoints.yaml", "endpoints: {{}}\n")
    assert here.said() == []
