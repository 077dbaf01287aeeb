"""URL paths with ``{{ }}`` in them: a rendered value is percent-encoded and stays in its segment.

What RFC 3986 calls unreserved stands as it is, everything else is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.grammar import DEFAULT_ROOTS, Expression
from engine.core.expressions.operators import scalar_text
from engine.core.expressions.references import Path
from engine.core.expressions.scope import Scope
from engine.core.expressions.templates import cut

MAX_PATH = 8 * 1024
"""Characters of a rendered path."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BRACED = re.compile(r"\{\s*([A-Za-z_][\w.]*)\s*\}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\?#{}]|%(?![0-9A-Fa-f]{2})")
_DOT = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_MARK = "\x00"
_DOTS_BESIDE_VALUES = re.compile(r"(?=..)(?:\.|%2e|\x00)+", re.IGNORECASE | re.DOTALL)
_UNRESERVED = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_~.-]*")


_Segment = Callable[[Scope], str]


class PathTemplate:
    """A compiled path: immutable, shared freely. ``source`` is what it was compiled from."""

    __slots__ = (
        "_constant",
        "_dots",
        "_parts",
        "constants",
        "depends_on_time",
        "functions",
        "references",
        "source",
    )

    source: str
    references: frozenset[Path]
    functions: frozenset[Path]
    constants: tuple[object, ...]
    depends_on_time: bool

    def __init__(self, source: str, pieces: tuple[str | Expression, ...]) -> None:
        found = [piece for piece in pieces if isinstance(piece, Expression)]
        self.source = source
        self.references = frozenset().union(*(one.references for one in found))
        self.functions = frozenset().union(*(one.functions for one in found))
        self.constants = (
            *(piece for piece in pieces if isinstance(piece, str)),
            *(value for one in found for value in one.constants),
        )
        self.depends_on_time = any(one.depends_on_time for one in found)
        self._parts: list[str | _Segment] = [
            piece if isinstance(piece, str) else _segment(piece) for piece in pieces
        ]
        # '/{{ a }}{{ b }}' and '/.{{ a }}' can make dots that no value holds by itself.
        skeleton = "".join(piece if isinstance(piece, str) else _MARK for piece in pieces)
        self._dots = any(
            _DOTS_BESIDE_VALUES.fullmatch(segment) for segment in skeleton.split("/") if segment
        )

        usable = not found and not self._dots and len(skeleton) <= MAX_PATH
        self._constant = skeleton if usable else None

    def __repr__(self) -> str:
        return f"PathTemplate({self.source!r})"

    @property
    def static(self) -> bool:
        """Whether it is the same for every user."""
        return all(isinstance(part, str) for part in self._parts)

    def render(self, scope: Scope) -> str:
        """The path, ready for the wire.

        Raises :class:`Unfillable` for a value that is null, empty, '.', '..', no scalar, or holds
        control characters.
        """
        if self._constant is not None:
            return self._constant
        path = "".join([part if isinstance(part, str) else part(scope) for part in self._parts])
        if len(path) > MAX_PATH:
            raise Unfillable(f"the path is longer than {MAX_PATH:,} characters")
        if self._dots and any(_DOT.fullmatch(segment) for segment in path.split("/")):
            raise Unfillable("the path would hold '.' or '..'")
        return path


def _segment(expression: Expression) -> _Segment:
    fill, excerpt = expression.filler(), expression.excerpt

    def segment(scope: Scope) -> str:
        value = fill(scope)
        text = value if isinstance(value, str) else scalar_text(expression, value, scope)
        if len(text) > MAX_PATH:
            raise Unfillable(f"{excerpt} is too long for a path")
        if _UNRESERVED.fullmatch(text):
            return text
        if text in ("", ".", ".."):
            what = "'.' or '..'" if text else "empty"
            raise Unfillable(f"{excerpt} is {what}, which has no place in a path")
        if _CONTROL.search(text):
            raise Unfillable(f"{excerpt} holds a control character, which has no place in a path")
        try:
            return quote(text, safe="")
        except UnicodeEncodeError:
            raise Unfillable(f"{excerpt} holds half a surrogate pair") from None

    return segment


def compile_path(template: str, *, allow: frozenset[str] = DEFAULT_ROOTS) -> PathTemplate:
    """Compile a path such as ``/users/{{ user.id }}/score``; its literal parts stay as written.

    Raises :class:`ExpressionError` for what isn't an absolute path without query and fragment.
    """
    if not template.startswith("/"):
        raise ExpressionError("a path begins with '/'", 0, _beginning(template))
    if template.startswith("//"):
        raise ExpressionError("a path begins with one '/'", 1, "hosts are named at the endpoint")
    pieces = cut(template, allow)
    skeleton = "".join(piece if isinstance(piece, str) else _MARK for piece in pieces)
    for literal in (piece for piece in pieces if isinstance(piece, str)):
        _check_literal(literal, template)
    if any(_DOT.fullmatch(segment) for segment in skeleton.split("/")):
        raise ExpressionError("'.' and '..' have no place in a path")
    if len(template) > MAX_PATH:
        raise ExpressionError(f"longer than {MAX_PATH:,} characters", MAX_PATH)
    return PathTemplate(template, tuple(pieces))


def _beginning(template: str) -> str:
    """What a path should begin with that doesn't begin with a slash."""
    if "://" in template[:16]:
        return "the host stands at the endpoint: name that in `endpoint`, and here what follows it"
    return f"did you mean '/{template[:60]}'?" if template and not template.isspace() else ""


def _check_literal(literal: str, template: str) -> None:
    match = _FORBIDDEN.search(literal)
    if match is None:
        return
    offset = template.find(literal) + match.start()
    if match[0] in "{}":
        found = _BRACED.search(literal)
        remedy = f"did you mean '{{{{ {found[1]} }}}}'?" if found else "percent-encoded: %7B, %7D"
        raise ExpressionError(f"{match[0]!r} has no place in a path", offset, remedy)
    if match[0] == "?":
        raise ExpressionError("'?' has no place in a path", offset, "use query:")
    if match[0] == "#":
        raise ExpressionError("'#' has no place in a path", offset, "use query:, or %23")
    remedy = f"percent-encoded: {quote(match[0], safe='')}"
    raise ExpressionError(f"{match[0]!r} has no place in a path", offset, remedy)
