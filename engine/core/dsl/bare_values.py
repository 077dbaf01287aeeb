"""Values that read like references and lack their ``{{ }}``: they would be sent as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.core.dsl.document import Document, Path
from engine.core.dsl.walk import Written
from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import compile_expression
from engine.core.expressions.references import EVENT_ROOTS
from engine.core.expressions.values import Value
from engine.errors import Problem

_REFERENCE = r"(?:user|inputs|vars|steps|enrollment|event|response)\.[A-Za-z_][\w.]*"
_ALONE = re.compile(rf"({_REFERENCE}(?: *\|[^|].*)?)")
_BRACED = re.compile(rf"\$?\{{+ *({_REFERENCE}(?: *\|[^|}}]*)?) *\}}+")


def bare_values(document: Document, computed: Iterable[Written]) -> Iterator[Problem]:
    """A warning for each text of a value that is a reference, or holds one in single braces."""
    for one in computed:
        if isinstance(one.computed, Value):
            yield from _of(document, one.path, one.computed.raw)


def _of(document: Document, path: Path, raw: object) -> Iterator[Problem]:
    waiting: list[tuple[Path, object]] = [(path, raw)]
    while waiting:
        at, data = waiting.pop()
        if isinstance(data, dict):
            waiting.extend(((*at, key), below) for key, below in data.items())
        elif isinstance(data, list):
            waiting.extend(((*at, index), below) for index, below in enumerate(data))
        elif isinstance(data, str) and "{{" not in data and (right := _right(data)):
            message = "this is sent letter by letter: a reference stands in {{ }}"
            if "}}" in data:
                message = "this is sent letter by letter: `}}` ends what no `{{` begins"
            place = document.place(at)
            remedy = f'did you mean "{right}"?'
            yield document.lines.problem("value.bare", message, place, remedy, severity="warning")


def _right(text: str) -> str:
    """``text`` with ``{{ }}`` around its references, or '' if it has none."""
    if found := _ALONE.fullmatch(text.strip()):
        return f"{{{{ {found[1]} }}}}" if _is_expression(found[1]) else ""
    if "{" not in text:
        return ""
    right = _BRACED.sub(lambda found: f"{{{{ {found[1].strip()} }}}}", text)
    return right if right != text else ""


def _is_expression(text: str) -> bool:
    try:
        compile_expression(text, allow=EVENT_ROOTS)
    except ExpressionError:
        return False
    return True
