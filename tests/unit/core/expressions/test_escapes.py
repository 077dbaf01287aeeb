"""The corpus of escapes and bombs: refused at load, or bounded in time and size when they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.grammar import EVENT_ROOTS, compile_expression
from engine.core.expressions.limits import MAX_RESULT, MAX_STRING, size_of
from engine.core.expressions.scope import Scope
from engine.core.expressions.values import compile_value

_CORPUS = Path(__file__).parents[3] / "data" / "escapes.yaml"
CASES: dict[str, list[Any]] = yaml.load(
    _CORPUS.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
)
LONGEST = 0.5
"""Seconds of CPU that nothing here may take, on a slow machine."""


def source_of(case: str | dict[str, Any] | float) -> str:
    """The text of a case."""
    if isinstance(case, dict):
        return f"{case.get('before', '')}{case['of'] * case['times']}{case.get('after', '')}"
    return str(case)


def shown(case: object) -> str:
    """A case as a name."""
    return ascii(case)[:70]


@contextmanager
def soon() -> Iterator[None]:
    """Fails if what is done inside takes long."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < LONGEST


@pytest.fixture(scope="module")
def scope() -> Scope:
    """A user whose attributes are as bad as data can be."""
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit() * 3):
        deep = [deep]
    tangle: list[object] = ["x"]
    for _ in range(40):
        tangle = [tangle, tangle]
    user = {
        "id": "u1",
        "name": "Ada",
        "points": 700,
        "tags": ["a", "b", "c"],
        "text": "a" * (MAX_STRING - 10),
        "quotes": '"' * (MAX_STRING - 10),
        "huge": "ab" * 250_000,
        "many": ["ab"] * 20_000,
        "dates": [{"a": {"b": 1}}] * 20_000,
        "dots": "a." * 8_000,
        "big": 10**5_000,
        "deep": deep,
        "tangle": tangle,
    }
    return Scope(now=0, user=user)


@pytest.mark.parametrize("case", CASES["refused"], ids=shown)
def test_a_way_out_is_refused_when_it_is_compiled(case: str | dict[str, Any]) -> None:
    source = source_of(case)
    for allow in (EVENT_ROOTS, frozenset({"user"})):
        with soon(), pytest.raises(ExpressionError) as caught:
            compile_expression(source, allow=allow)
        assert 0 <= caught.value.offset <= len(source)
        assert caught.value.message.isprintable()
        assert len(caught.value.message) + len(caught.value.remedy) < 400


@pytest.mark.parametrize("case", CASES["refused_values"], ids=shown)
def test_a_way_out_in_a_value_is_refused_when_it_is_compiled(case: str | dict[str, Any]) -> None:
    for raw in (source_of(case), {"a": ["b", source_of(case)]}):
        with soon(), pytest.raises(ExpressionError):
            compile_value(raw)


@pytest.mark.parametrize("case", CASES["bounded"], ids=shown)
def test_a_bomb_is_stopped_when_it_runs(case: str | dict[str, Any], scope: Scope) -> None:
    expression = compile_expression(source_of(case))
    for run in (expression.evaluate, expression.fill):
        with soon(), pytest.raises(Unfillable):
            run(scope)


@pytest.mark.parametrize("case", CASES["harmless"], ids=shown)
def test_what_looks_bad_and_is_harmless_gives_plain_data(
    case: str | dict[str, Any], scope: Scope
) -> None:
    expression = compile_expression(source_of(case))
    runs: tuple[Callable[[Scope], object], ...] = (expression.evaluate, expression.holds)
    for run in runs:
        with soon():
            result = run(scope)
        assert type(result) in (type(None), bool, int, float, str)
        assert size_of(result) <= MAX_RESULT


@pytest.mark.parametrize("case", CASES["controls"], ids=shown)
def test_what_authors_write_works(case: dict[str, Any], scope: Scope) -> None:
    source, expected = case["source"], case["gives"]
    result = compile_expression(source).evaluate(scope)
    assert result == expected
    assert compile_value("{{ " + source + " }}").render(scope) == expected


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    kinds = ("refused", "refused_values", "bounded", "harmless")
    assert sum(len(CASES[kind]) for kind in kinds) >= 400
    assert len({source_of(case) for kind in kinds for case in CASES[kind]}) >= 400
