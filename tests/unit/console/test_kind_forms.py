"""The forms of auth profiles and their models agree."""

from __future__ import annotations

import pytest

from engine.console.kind_forms import KIND_FORMS, OF_ALL_KINDS
from engine.credentials.kinds.api_key import Pair
from engine.credentials.kinds.registry import KINDS


def test_every_kind_has_a_form() -> None:
    assert set(KIND_FORMS) == set(KINDS)


@pytest.mark.parametrize("kind", KIND_FORMS)
def test_a_form_asks_for_fields_that_its_kind_has(kind: str) -> None:
    model = Pair if kind == "api_key" else KINDS[kind]
    known = {field.alias or name for name, field in model.model_fields.items()}
    assert {field.name for field in KIND_FORMS[kind].fields} <= known
    assert {field.name for field in OF_ALL_KINDS} <= set(KINDS[kind].model_fields)
