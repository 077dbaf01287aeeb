"""The reference of the language says everything, and what the models say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.filters import FILTER_NAMES
from engine.core.expressions.functions import FUNCTION_NAMES
from engine.core.expressions.grammar import compile_expression
from engine.core.expressions.operators import COMPARISONS
from engine.core.expressions.references import EVENT_ROOTS
from engine.core.expressions.scope import Scope
from engine.core.steps.registry import STEP_TYPES
from scripts.reference import PAGE, definitions, filled
from tests.house.blocks import blocks_of
from tests.house.source import DOCS

TEXT = PAGE.read_text(encoding="utf-8")
EXPRESSIONS = (DOCS / "expressions.md").read_text(encoding="utf-8")
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
COMPARED |= {"in": "in", "notin": "not in"}
COMPUTED = ("and", "or", "not", "+", "-", "*", "/", "%", "~", "x if c else y")
TYPES = [str(model.model_fields["type"].annotation).split("'")[1] for model in STEP_TYPES]


def test_the_tables_are_those_of_the_models() -> None:
    assert filled(TEXT) == TEXT, "run `scripts/dev python scripts/reference.py`"


def test_every_model_has_a_table() -> None:
    tables = set(re.findall(r"^<!-- keys: (\w+) -->$", TEXT, re.MULTILINE))
    assert tables == (set(definitions()) - {"Step", "Profile", "NoAuth"}) | {
        "StepModel",
        "AuthKind",
    }


def _undescribed() -> Iterator[str]:
    for name, model in definitions().items():
        for key, schema in model.get("properties", {}).items():
            described = schema.get("description") or "$ref" in schema
            if not described:
                yield f"{name}.{key}"
        if not model.get("description") and name not in ("Step", "Profile"):
            yield name


def test_every_key_of_every_model_is_described() -> None:
    assert list(_undescribed()) == [], "give the field a description"


@pytest.mark.parametrize("kind", TYPES)
def test_every_step_type_has_an_example(kind: str) -> None:
    section = re.search(rf"(?ms)^### {kind}$(.*?)(?=^###? \w)", TEXT)
    assert section is not None
    examples = [block.text for block in blocks_of(PAGE) if block.kind == "yaml steps"]
    shown = [text for text in examples if text in section[1] and f"type: {kind}" in text]
    assert shown, f"show a step in `### {kind}` of {PAGE.name}, as ```yaml steps"


@pytest.mark.parametrize("name", sorted(FILTER_NAMES | FUNCTION_NAMES))
def test_every_function_and_filter_is_explained(name: str) -> None:
    rows = [line for line in EXPRESSIONS.splitlines() if line.startswith("| `")]
    assert [row for row in rows if re.search(rf"`{name}[`(]", row.split(" | ")[0])]
    assert re.search(rf"`{name}[`(]", TEXT)


def test_every_name_and_operator_is_explained() -> None:
    assert set(COMPARED) == set(COMPARISONS)
    words = [*EVENT_ROOTS, *COMPARED.values(), *COMPUTED]
    for text in (EXPRESSIONS, TEXT):
        assert [word for word in words if not re.search(rf"`{re.escape(word)}[`.]", text)] == []


def test_the_parts_of_the_clock_are_what_the_page_says() -> None:
    """Each row of its table ends in what comes out at the moment that the page shows."""
    section = re.search(r"(?ms)^### Parts of the clock$(.*?)^##", EXPRESSIONS)
    assert section is not None
    zone = ZoneInfo("Europe/Istanbul")
    moment = re.search(r"`now \| string` is .*\(`([^`]+)`\)", section[1])
    assert moment is not None
    now = parse_iso(moment[1], zone)
    assert now is not None
    rows = re.findall(r"(?m)^\| (.+), `?([\w-]+)`? \| `(.+)` \|$", section[1])
    given = {
        what: compile_expression(text.replace("\\|", "|")).evaluate(Scope(now=now, zone=zone))
        for what, _, text in rows
    }
    assert {what: str(value) for what, value in given.items()} == {
        what: said for what, said, _ in rows
    }
    assert len(given) == 7
