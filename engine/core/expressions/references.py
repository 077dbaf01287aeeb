"""What an expression names: its roots, the paths it reads, and what it may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from jinja2 import nodes

from engine.core.expressions.errors import ExpressionError

Path = tuple[str, ...]

DEFAULT_ROOTS = frozenset({"user", "inputs", "vars", "steps", "response", "enrollment", "now"})
"""The names that stand everywhere."""
EVENT_ROOTS = DEFAULT_ROOTS | {"event", "event_name", "event_time", "event_id"}
"""With an event at hand: ``where``, a trigger's ``inputs``, the ``outputs`` of wait_for."""

STEP_KEYS = frozenset({"status", "failure", "http_status", "attempts", "arm", "visits"})
RESPONSE_KEYS = frozenset({"status", "headers", "body", "text"})
ENROLLMENT_KEYS = frozenset({"id", "journey", "version", "key", "entered_at", "outcome", "goal"})

_NEVER = frozenset(
    {"secret", "secrets", "env", "environ", "environment", "request", "credentials", "auth"}
)
_CONSTANT_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false", "nil": "none"}


@dataclass(slots=True)
class Reading:
    """What was found in one expression while it was compiled."""

    source: str
    allow: frozenset[str]
    references: set[Path] = field(default_factory=set)
    functions: set[Path] = field(default_factory=set)
    constants: list[object] = field(default_factory=list)
    depends_on_time: bool = False

    @property
    def excerpt(self) -> str:
        """The expression for a note or a failure: one line, not too long."""
        line = " ".join(self.source.split())
        return line if len(line) <= 80 else line[:77] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'user'?`` for the nearest of ``known``, or ''."""
    near = get_close_matches(word[:64], sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def check_root(name: str, offset: int, reading: Reading) -> None:
    """Raise :class:`ExpressionError` unless ``name`` is a root that stands here."""
    if name in reading.allow:
        return
    if name in EVENT_ROOTS:
        raise ExpressionError(
            f"'{name}' doesn't stand here",
            offset,
            "it stands in where, a trigger's inputs and the outputs of wait_for",
        )
    if name in _NEVER:
        raise ExpressionError(
            f"unknown name '{name}'", offset, "credentials are managed at the endpoint, not here"
        )
    remedy = did_you_mean(name, reading.allow)
    if name.lower() in _CONSTANT_WORDS:
        remedy = f"did you mean '{_CONSTANT_WORDS[name.lower()]}'?"
    raise ExpressionError(
        f"unknown name '{name}'", offset, remedy or f"user.{name}, or '{name}' if it is a text"
    )


def check_path(path: Path, offset: int) -> None:
    """Raise :class:`ExpressionError` for a key that ``steps.X``, ``response`` and the like lack."""
    known = _KEYS_OF.get(path[0])
    depth = 2 if path[0] == "steps" else 1
    if known is None or len(path) <= depth or path[depth] in known:
        return
    raise ExpressionError(
        f"'{'.'.join(path[:depth])}' has no '{path[depth]}'",
        offset,
        did_you_mean(path[depth], known) or f"it has {', '.join(sorted(known))}",
    )


_KEYS_OF = {"steps": STEP_KEYS, "response": RESPONSE_KEYS, "enrollment": ENROLLMENT_KEYS}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a dotted path: its literal key or index, or the node that computes it."""

    key: str | int | nodes.Expr
    offset: int


def unroll(node: nodes.Expr) -> tuple[nodes.Expr, list[Part]]:
    """``a.b[0].c`` → its innermost node and the parts from there outwards."""
    parts: list[Part] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        key = node.attr if isinstance(node, nodes.Getattr) else _key_of(node.arg)
        if isinstance(key, str) and key.startswith("__"):
            raise ExpressionError(f"'{key}' is not a name of the language", node.lineno)
        parts.append(Part(key, node.lineno))
        node = node.node
    parts.reverse()
    return node, parts


def _key_of(node: nodes.Expr) -> str | int | nodes.Expr:
    known, value = constant_of(node)
    if not known:
        return node
    if type(value) is str or type(value) is int:
        return value
    raise ExpressionError("a key is a text, an index a whole number", node.lineno)


def constant_of(node: nodes.Node) -> tuple[bool, object]:
    """(True, its value) if ``node`` is written as a constant, a signed number included."""
    if isinstance(node, nodes.Const):
        return True, node.value
    if isinstance(node, nodes.Name) and node.name == "null":
        return True, None
    if isinstance(node, nodes.Neg | nodes.Pos) and isinstance(node.node, nodes.Const):
        number = node.node.value
        if type(number) is int or type(number) is float:
            return True, -number if isinstance(node, nodes.Neg) else number
    return False, None
