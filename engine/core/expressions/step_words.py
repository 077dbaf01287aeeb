"""What ``steps.X`` is compared with: a word that its status never is would be false for ever."""

from __future__ import annotations

from jinja2 import nodes

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.references import constant_of, did_you_mean, unroll

STATUSES = ("succeeded", "failed", "skipped")
"""What ``steps.X.status`` may be, besides null."""

_OTHER_WORDS = {
    **dict.fromkeys(("success", "successful", "ok", "done", "completed", "passed"), "succeeded"),
    **dict.fromkeys(("fail", "failure", "error", "errored", "rejected"), "failed"),
    **dict.fromkeys(("skip", "ignored"), "skipped"),
}


def check_words(node: nodes.Compare) -> None:
    """Raise :class:`ExpressionError` where a step, or its status, is compared with a text that it
    never is.
    """
    left = node.expr
    for operand in node.ops:
        for path, other in ((left, operand.expr), (operand.expr, left)):
            if operand.op in ("eq", "ne", "in", "notin") and (name := _step_of(path)):
                _check(name, path, other)
        left = operand.expr


def _step_of(node: nodes.Expr) -> str:
    """``X`` or ``X.status`` of ``steps.X`` and ``steps.X.status``, or ''."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return ""
    base, parts = unroll(node)
    keys = [part.key for part in parts]
    if not isinstance(base, nodes.Name) or base.name != "steps" or not isinstance(keys[0], str):
        return ""
    if len(keys) == 1:
        return keys[0]
    return f"{keys[0]}.status" if keys[1:] == ["status"] else ""


def _check(name: str, path: nodes.Expr, other: nodes.Expr) -> None:
    for item in other.items if isinstance(other, nodes.List) else (other,):
        known, word = constant_of(item)
        if not known or not isinstance(word, str):
            continue
        if not name.endswith(".status"):
            right = f"did you mean steps.{name}.status?"
            raise ExpressionError(f"'steps.{name}' is no text", path.lineno, right)
        if word not in STATUSES:
            remedy = _meant(word) or f"it is {', '.join(STATUSES)}, or null before it ran"
            raise ExpressionError(f"a status is never {word!r}", item.lineno, remedy)


def _meant(word: str) -> str:
    if other := _OTHER_WORDS.get(word.lower()):
        return f"did you mean '{other}'?"
    return did_you_mean(word, STATUSES)
