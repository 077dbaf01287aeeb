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
_OTHER_ROOTS = {
    **dict.fromkeys(("customer", "contact", "member", "person", "profile", "subscriber"), "user"),
    **dict.fromkeys(("recipient", "client", "account", "lead", "attributes", "traits"), "user"),
    **dict.fromkeys(("body", "answer", "result", "data"), "response.body"),
    **dict.fromkeys(("properties", "props", "payload"), "event"),
    **dict.fromkeys(("variables", "var", "state"), "vars"),
    **dict.fromkeys(("params", "args", "input"), "inputs"),
    "step": "steps",
    "journey": "enrollment",
    "passage": "enrollment",
}
_HOMES = ("event", "response.body", "user")
_AN_EVENT = "it stands in where, a trigger's inputs and the outputs of wait_for"
_STANDS = {
    **dict.fromkeys(("event", "event_name", "event_time", "event_id"), _AN_EVENT),
    "response": "it stands in the outputs of call_api and in success.when",
}
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


def check_root(name: str, offset: int, reading: Reading, parts: Path = ()) -> None:
    """Raise :class:`ExpressionError` unless ``name`` is a root that stands here; ``parts`` are the
    keys that are read of it.
    """
    if name in reading.allow:
        return
    if name in EVENT_ROOTS:
        raise ExpressionError(
            f"'{name}' doesn't stand here", offset, _where(name, parts, reading.allow)
        )
    if name in _NEVER:
        raise ExpressionError(
            f"unknown name '{name}'", offset, "credentials are managed at the endpoint, not here"
        )
    raise ExpressionError(
        f"unknown name '{name}'", offset, _root_remedy(name, parts, reading.allow)
    )


def _where(name: str, parts: Path, allow: frozenset[str]) -> str:
    """Where the root ``name`` stands, and what may be said here instead."""
    stands = _STANDS.get(name, "it stands once somebody has entered")
    if parts and name != "response":
        instead = [root for root in ("inputs", "event", "user") if root in allow and root != name]
        return f"{stands}; here: {' or '.join(f'{root}.{parts[0]}' for root in instead)}"
    return stands


def _root_remedy(name: str, parts: Path, allow: frozenset[str]) -> str:
    """What may have been meant by a root that doesn't exist."""
    folded = name.lower()
    if folded in _CONSTANT_WORDS:
        return f"did you mean '{_CONSTANT_WORDS[folded]}'?"
    root = _OTHER_ROOTS.get(folded, "")
    if root.split(".")[0] in allow and (parts or root != "user"):
        return f"did you mean '{'.'.join((root, *parts))}'?"
    near = did_you_mean(name, allow)
    if near:
        return near
    if parts and parts[0] in STEP_KEYS and "steps" in allow:
        return f"did you mean 'steps.{name}.{parts[0]}'?"
    homes = [f"{home}.{name}" for home in _HOMES if home.split(".")[0] in allow]
    return f"{', '.join(homes)}, or '{name}' if it is a text"


def check_path(path: Path, offset: int) -> None:
    """Raise :class:`ExpressionError` for a key that ``steps.X``, ``response`` and the like lack."""
    known = _KEYS_OF.get(path[0])
    depth = 2 if path[0] == "steps" else 1
    if known is None or len(path) <= depth or path[depth] in known:
        return
    remedy = did_you_mean(path[depth], known)
    if path[0] == "response" and not remedy:
        remedy = f"did you mean 'response.body.{'.'.join(path[1:])}'?"
    raise ExpressionError(
        f"'{'.'.join(path[:depth])}' has no '{path[depth]}'",
        offset,
        remedy or f"it has {', '.join(sorted(known))}",
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
