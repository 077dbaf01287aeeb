"""Every bench runs and tells its figures; how good they are is nothing that a test can say."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import forked
from tests.bench import spending
from tests.bench.__main__ import BENCHES, main

SMALL = {
    "main-job": "--users 20 --runs 1",
    "pure": "--users 20 --runs 2",
    "sleepers": "--users 5 --idle 0.1",
    "wake": "--sleepers 20 --runs 1",
    "ingest": "--events 50 --runs 1",
    "ingest-http": "--seconds 0.05 --rate 100",
    "resolve": "--resolutions 300 --runs 1",
    "latency": "--rate 50 --seconds 0.2 --idle 1",
    "growth": "--users 10",
    "workers": "--users 20 --workers 1 --disks slow --runs 1",
    "start": "--runs 1 --commands run-journey",
    "wire": "--calls 100 --runs 1",
    "fair": "--users 40 --delay 0.1 --runs 1",
}
SOAK = {"workers"}


@pytest.fixture(autouse=True)
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are forked from what has the engine imported: here their start is no figure."""

    def started(command: list[str], folder: Path, environment: Mapping[str, str] | None) -> str:
        begun = time.perf_counter()
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            code = forked.Popen(command, env=environment, stdout=out, stderr=err).wait()
        took = time.perf_counter() - begun
        return f"{code} {took} {took} 1024"

    monkeypatch.setattr(spending, "started", started)
    monkeypatch.setattr(spending, "Popen", forked.Popen)


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.soak if each in SOAK else ()) for each in sorted(SMALL)],
)
def test_a_bench_runs_and_tells_its_figures(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "figures.jsonl"
    main([name, *SMALL[name].split(), "--save", str(saved)])
    table, _, said = capsys.readouterr().out.strip().rpartition("\n")
    told = json.loads(said)
    assert saved.read_text().strip() == said
    assert told["bench"] == name
    assert told["cases"]
    for case, figures in told["cases"].items():
        assert case in table
        for figure, spread in figures.items():
            assert figure in table
            assert spread["low"] <= spread["median"] <= spread["high"]


def test_every_bench_is_tried_here() -> None:
    assert SMALL.keys() == BENCHES.keys()


def test_figures_are_compared_with_saved_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "figures.jsonl"
    then = {"run-journey": {"cpu_ms": {"median": 1e6, "low": 1e6, "high": 1e6}}}
    given = {"commands": "run-journey", "runs": 1}
    told = {"bench": "start", "given": given, "cases": then}
    saved.write_text(f"a table\n{json.dumps(told)}\n")
    main(["--compare", str(saved)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("now/then")
    (figure,) = (line.split() for line in lines if " cpu_ms " in line)
    assert (figure[-2], float(figure[-1]) < 1) == ("1,000,000", True)
