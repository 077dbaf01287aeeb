from __future__ import annotations

import pytest

from engine.errors import SettingsError
from engine.operations.readable import require_readable
from engine.settings import Settings

SOMEBODY_ELSES = Settings(port="tcp://10.96.0.12:8420")
"""As Kubernetes sets it in every pod beside a service of our name."""


def test_who_serves_nobody_reads_no_port() -> None:
    require_readable(SOMEBODY_ELSES, doors=False)
    with pytest.raises(SettingsError, match="JOURNEY_PORT"):
        require_readable(SOMEBODY_ELSES, doors=True)
