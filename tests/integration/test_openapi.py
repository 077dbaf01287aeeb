"""Requests drawn from the OpenAPI document, right and wrong ones: no 5xx, and no answer that the
document doesn't know.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.integration.serving import Served, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from hypothesis import HealthCheck, settings

schema = schemathesis.pytest.from_fixture("document")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def document(served: Served) -> object:
    return schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_answer_to_any_request_is_one_that_the_document_knows(
    case: schemathesis.Case, served: Served
) -> None:
    served.client("admin").close()
    headers = {"authorization": f"Bearer {served.tokens['admin']}"}
    case.call_and_validate(headers=headers)
