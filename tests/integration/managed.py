"""The management API on either database, for a module's tests, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.databases import databases_on
from tests.integration.serving import Served, serving

DATABASES = ["sqlite", "postgresql"]


@contextmanager
def managed(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over a fresh database of the kind that ``request.param`` names."""
    folder = folders.mktemp("served")
    if request.param == "sqlite":
        with serving(folder) as served:
            yield served
        return
    with databases_on(request.getfixturevalue("postgresql")), serving(folder) as served:
        yield served


@contextmanager
def calling(served: Served, kind: str = "admin") -> Iterator[httpx.Client]:
    """A client of the management API with a token of this kind."""
    with served.client(kind) as client:
        client.base_url = httpx.URL(f"{served.url}/api/v1")
        yield client
