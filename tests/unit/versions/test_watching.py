"""Which files of a folder are another now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.versions.files import UnreadableFile
from engine.versions.watching import SETTLED_US, Stamp, scan

NOW = 1_800_000_000_000_000


def write(file: Path, text: str = "x", *, age_us: int = SETTLED_US) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    written = (NOW - age_us) * 1_000
    os.utime(file, ns=(written, written))
    return file


def test_a_file_is_told_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml")
    first = scan(tmp_path, {}, now=NOW)
    assert first.changed == (file,)
    again = scan(tmp_path, first.seen, now=NOW)
    assert (again.changed, again.gone, again.seen) == ((), (), first.seen)
    write(file, "longer")
    assert scan(tmp_path, first.seen, now=NOW).changed == (file,)


def test_a_file_that_may_still_be_written_is_left_for_later(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", age_us=SETTLED_US - 1)
    early = scan(tmp_path, {}, now=NOW)
    assert (early.changed, early.seen) == ((), {})
    assert scan(tmp_path, early.seen, now=NOW + 1).changed == (file,)
    before = {file: Stamp(1, 2, 3)}
    assert scan(tmp_path, before, now=NOW).seen == before


def test_a_file_from_a_clock_ahead_of_ours_is_taken(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", age_us=-5 * SETTLED_US)
    assert scan(tmp_path, {}, now=NOW).changed == (file,)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "below" / "a.yaml")
    first = scan(tmp_path, {}, now=NOW)
    file.unlink()
    assert scan(tmp_path, first.seen, now=NOW).gone == (file,)


def test_only_yaml_files_that_are_no_scenarios_and_not_hidden_are_looked_at(tmp_path: Path) -> None:
    wanted = {write(tmp_path / name) for name in ("a.yaml", "b.yml", "deep/er/c.yaml")}
    for name in ("a.scenarios.yaml", ".hidden.yaml", ".git/d.yaml", "e.txt"):
        write(tmp_path / name)
    assert set(scan(tmp_path, {}, now=NOW).changed) == wanted


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="can't read"):
        scan(tmp_path / "nowhere", {}, now=NOW)
