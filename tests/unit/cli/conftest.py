from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.commands import Journey


@pytest.fixture
def journey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Journey:
    """``journey`` in an empty folder."""
    return Journey(tmp_path, monkeypatch, capsys)
