"""Bare expressions: ``user.tier == 'gold' and inputs.total >= 50``.

Jinja2's expressions, parsed by Jinja2, compiled into closures over plain data. ``parse`` bounds the
text, ``compile`` allows node types, ``limits`` bounds what a run can make.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from jinja2 import nodes

from engine.core.expressions.calendar import parse_iso, to_instant
from engine.core.expressions.compile import EXPLICIT_NULL, compile_node, has_special_tail
from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.limits import MAX_RESULT, check_size
from engine.core.expressions.operators import Evaluate, local_text
from engine.core.expressions.parse import parse
from engine.core.expressions.references import DEFAULT_ROOTS, EVENT_ROOTS, Path, Reading
from engine.core.expressions.scope import Scope

__all__ = [
    "DEFAULT_ROOTS",
    "EVENT_ROOTS",
    "Expression",
    "ExpressionError",
    "Unfillable",
    "compile_expression",
]

_READY = frozenset({int, bool, type(None), float})


class Expression:
    """A compiled expression: immutable, shared freely, the same for the same scope each time.

    ``references`` are the static paths it reads (an index or a computed key ends a path),
    ``functions`` the calls with their literal arguments (``('has_event', 'order_placed', 'P7D')``,
    ``('visits', 'greet')``, ``('now',)``), ``constants`` the texts and numbers written in it.
    ``depends_on_time`` says whether time alone can change its result.
    """

    __slots__ = (
        "_fill",
        "_run",
        "constants",
        "depends_on_time",
        "excerpt",
        "functions",
        "references",
        "source",
    )

    source: str
    excerpt: str
    references: frozenset[Path]
    functions: frozenset[Path]
    constants: tuple[object, ...]
    depends_on_time: bool

    def __init__(self, reading: Reading, tree: nodes.Expr, run: Evaluate, fill: Evaluate) -> None:
        self.source = reading.source
        self.excerpt = reading.excerpt
        self.references = frozenset(reading.references)
        self.functions = frozenset(reading.functions)
        self.constants = _constants_in(tree)
        self.depends_on_time = reading.depends_on_time
        self._run = run
        self._fill = fill

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, scope: Scope) -> object:
        """The result as JSON data; a date is ISO 8601 text in the user's zone.

        Raises :class:`Unfillable` only for a result too big, too deep or beyond 64 bits.
        """
        return finished(self._run(scope), scope)

    def holds(self, scope: Scope) -> bool:
        """Whether the condition is true: not null, false, 0, '', [] or {}."""
        return bool(self._run(scope))

    def fill(self, scope: Scope) -> object:
        """The result where one must be: Unfillable for null, unless ``none`` was written."""
        return self.filler()(scope)

    def filler(self) -> Evaluate:
        """:meth:`fill` as a plain function, for whoever calls it often."""
        run, excerpt = self._fill, self.excerpt

        def fill(scope: Scope) -> object:
            value = run(scope)
            if type(value) is str and len(value) <= MAX_RESULT:
                return value
            if value is None:
                raise Unfillable(f"{excerpt} is null; say | default(...)")
            return None if value is EXPLICIT_NULL else finished(value, scope)

        return fill

    def instant(self, scope: Scope) -> int | None:
        """The result as an instant (a date, or a text that says one), or None."""
        value = self._run(scope)
        if isinstance(value, datetime):
            return to_instant(value)
        return parse_iso(value, scope.zone) if isinstance(value, str) else None


def compile_expression(source: str, *, allow: frozenset[str] = DEFAULT_ROOTS) -> Expression:
    """Compile a bare expression that may use the roots ``allow``.

    Raises :class:`ExpressionError` with the column and, where there is one, what would be right.
    """
    return (_compiled if type(source) is str else _compile)(source, allow)


def _compile(source: str, allow: frozenset[str]) -> Expression:
    tree = parse(source)
    reading = Reading(source, allow)
    run = compile_node(tree, reading)
    fill = run
    if has_special_tail(tree):
        fill = compile_node(tree, Reading(source, allow), tail=True)
    return Expression(reading, tree, run, fill)


_compiled = lru_cache(maxsize=2_048)(_compile)
"""The same for a text that was compiled before: ``user.id`` stands in every second line."""


def _constants_in(tree: nodes.Expr) -> tuple[object, ...]:
    found = [tree] if isinstance(tree, nodes.Const) else list(tree.find_all(nodes.Const))
    return tuple(node.value for node in found if type(node.value) in (str, int, float))


def finished(value: object, scope: Scope) -> object:
    """``value`` as JSON data within the bounds; the same object if it is that already."""
    kind = type(value)
    if kind is str:
        if len(value) > MAX_RESULT:  # type: ignore[arg-type]
            raise Unfillable(f"the result is bigger than {MAX_RESULT:,} characters")
        return value
    if kind in _READY or check_size(value):
        return value
    return _plain(value, scope)


def _plain(value: object, scope: Scope) -> object:
    if isinstance(value, datetime):
        return local_text(value, scope)
    if isinstance(value, list | tuple):
        return [_plain(item, scope) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item, scope) for key, item in value.items()}
    return value
