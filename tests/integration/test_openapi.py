"""Requests drawn from the OpenAPI document, right and wrong ones: no 5xx, and no answer that the
document doesn't know.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.integration.serving import Served, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from hypothesis import HealthCheck, assume, given, settings
    from schemathesis.config import SchemathesisConfig
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

DRAWN = [2, pytest.param(200, marks=pytest.mark.soak)]
"""Requests of each kind for each operation."""
EXCLUDED = [ignored_auth, positive_data_acceptance]
"""Our own headers are sent where it leaves out its own (test_management.py looks at that); and no
schema says what a journey's text, a cursor or an expression is.
"""
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]
"""What a wrong request is answered with: a text that is too long may make a body that is, too; and
who comes without a token too often is told to wait.
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


def _is_said(case: Any) -> bool:
    """Whether the query says all that was drawn: an empty list or object isn't there on the wire,
    and if that is what was wrong, the rest is right.
    """
    return all(value not in ([], {}) for value in (case.query or {}).values())


@pytest.mark.parametrize("drawn", DRAWN)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_answer_to_any_request_is_one_that_the_document_knows(
    served: Served, mode: GenerationMode, drawn: int
) -> None:
    served.client("admin").close()
    headers = {"authorization": f"Bearer {served.tokens['admin']}"}
    config = SchemathesisConfig.from_dict(
        {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
    )
    document = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json", config=config)
    wrong: list[str] = []
    for found in document.get_all_operations():
        operation = cast("Any", found).ok()

        @settings(
            max_examples=drawn, deadline=None, database=None, suppress_health_check=[*HealthCheck]
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_it(case: Any) -> None:
            assume(_is_said(case))
            case.call_and_validate(headers=headers, excluded_checks=EXCLUDED)

        try:
            try_it()
        except BaseException as error:
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)
