"""The project around the code: the lock, the wheel, the scripts, and nothing of one machine."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, project_files

LOCK = (ROOT / "scripts" / "requirements.lock").read_text(encoding="utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# A path that only exists on somebody's machine. (Split, so that this file passes its own test.)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:ho" r"me|ro" r"ot|wo" r"rk|Us" r"ers)/")


def test_the_lock_pins_every_dependency_in_its_range() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE))
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(line) for group in (project["dependencies"], *extras) for line in group]
    stale = [
        str(requirement)
        for requirement in wanted
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]
    assert not stale, "run scripts/lock"


def test_every_line_of_the_lock_is_hashed() -> None:
    entries = re.split(r"\n(?=[\w.-]+==)", LOCK)[1:]
    assert len(entries) > 30
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_place_to_download_from() -> None:
    places = re.compile(r"://|--index|--extra-index|--find-links|^-[if]\b| @ ", re.MULTILINE)
    assert places.findall(LOCK) == []


def test_the_wheel_carries_engine_docs_and_samples(tmp_path: Path) -> None:
    built = next(
        iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert {name for name in inside if not name.startswith("engine/")} == set()
    tracked = set(project_files())
    expected = {name for name in tracked if name.startswith("engine/")}
    expected |= {
        name.replace("journeys/", "engine/samples/", 1)
        for name in tracked
        if name.startswith("journeys/")
    }
    assert "engine/docs/index.md" in inside
    assert any(name.startswith("engine/samples/") for name in inside)
    assert expected - inside == set()


def test_scripts_are_strict_bash_and_can_be_executed() -> None:
    scripts = [
        ROOT / name
        for name in project_files()
        if name == ".ci/run" or (name.startswith("scripts/") and "." not in name[8:])
    ]
    assert {path.name for path in scripts} >= {"bench", "check", "demo", "dev", "run", "test"}
    wrong = [
        path.name
        for path in scripts
        if not path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
        or "\nset -euo pipefail\n" not in path.read_text(encoding="utf-8")
        or not path.stat().st_mode & 0o111
    ]
    assert not wrong


def test_no_file_names_a_place_of_one_machine() -> None:
    found = [
        f"{name}:{number}"
        for name in project_files()
        for number, line in enumerate(_text(ROOT / name).splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


def _text(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", errors="replace")
