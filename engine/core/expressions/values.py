"""Values: any JSON or YAML data whose texts may hold ``{{ }}``.

A lone ``{{ }}`` keeps its type; in a longer text every expression becomes text. Null fails, unless
the author wrote ``none`` or ``| default(...)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.core.expressions.errors import ExpressionError, Place, Unfillable
from engine.core.expressions.grammar import DEFAULT_ROOTS, Expression
from engine.core.expressions.limits import MAX_RESULT, MAX_TEMPLATES, MAX_TEXT, size_of
from engine.core.expressions.operators import kind_of, scalar_text, text_of
from engine.core.expressions.paths import PathTemplate, compile_path
from engine.core.expressions.references import Path
from engine.core.expressions.scope import Scope
from engine.core.expressions.templates import cut, has_template
from engine.core.guarded_json import quoted
from engine.core.guarded_json import text_of as json_of

__all__ = ["PathTemplate", "Unfillable", "Value", "compile_path", "compile_value"]

Render = Callable[[Scope], object]


class Value:
    """A compiled value: immutable, shared freely.

    ``static`` says that nothing in it depends on the scope; ``raw`` is what it was compiled from.
    ``references``, ``functions``, ``constants`` and ``depends_on_time`` are those of all its
    expressions; ``constants`` also holds every literal text of it.
    """

    __slots__ = (
        *("_frame", "_leaves", "constants", "depends_on_time", "functions", "raw"),
        *("references", "render", "static"),
    )

    raw: object
    static: bool
    references: frozenset[Path]
    functions: frozenset[Path]
    constants: tuple[object, ...]
    depends_on_time: bool
    render: Render
    """The value as JSON data, at most 1 MiB; not to be changed, parts of it may be shared.

    Raises :class:`Unfillable`, with the place inside the value, for a null that nobody wrote, a
    list or an object inside a text, and a result too big.
    """

    def __init__(self, raw: object, render: Render | None, parts: _Parts) -> None:
        found = tuple(parts.expressions)
        self.raw = raw
        self.static = render is None
        self.references = frozenset().union(*(one.references for one in found))
        self.functions = frozenset().union(*(one.functions for one in found))
        self.constants = (*parts.literals, *(value for one in found for value in one.constants))
        self.depends_on_time = any(one.depends_on_time for one in found)
        self.render = render if render is not None else lambda scope: raw
        self._leaves = parts.leaves
        self._frame: list[str] | None = None

    def __repr__(self) -> str:
        return f"Value({self.raw!r})"

    def render_json(self, scope: Scope) -> bytes:
        """The value as compact JSON in UTF-8: only what depends on the scope is written anew.

        Raises :class:`Unfillable` as :attr:`render`, and ValueError and TypeError for what JSON
        can't say.
        """
        frame = self._frame
        if frame is None:
            frame = self._frame = _frame_of(self.raw)
        written = frame.copy()
        for index, value in enumerate(_rendered(self._leaves, scope)):
            written[2 * index + 1] = quoted(value) if type(value) is str else json_of(value)
        return "".join(written).encode()

    def render_text(self, scope: Scope) -> str:
        """The value as one text, for a query or a header: numbers and booleans as JSON writes them.

        Raises :class:`Unfillable` as :attr:`render`, and for null, a list or an object.
        """
        value = self.render(scope)
        if type(value) is str:
            return value
        text = text_of(value, scope)
        if text is None:
            raise Unfillable(f"{kind_of(value)} has no text; say | join(',') or | tojson")
        return text


class _Leaf:
    """One text with an expression in it: its place, and what renders it."""

    __slots__ = ("place", "render")

    def __init__(self, place: Place, render: Render) -> None:
        self.place = place
        self.render = render


class _Parts:
    """What is met on the way through a raw value."""

    def __init__(self, allow: frozenset[str]) -> None:
        self.allow = allow
        self.expressions: list[Expression] = []
        self.literals: list[str] = []
        self.leaves: list[_Leaf] = []


def compile_value(raw: object, *, allow: frozenset[str] = DEFAULT_ROOTS) -> Value:
    """Compile JSON or YAML data (text, number, boolean, null, list, mapping) as a value.

    Raises :class:`ExpressionError`: its ``path`` is the place inside the value, its ``offset`` the
    column in the text that stands there.
    """
    parts = _Parts(allow)
    try:
        build = _compile(raw, parts, ())
    except RecursionError:
        raise ExpressionError("the value is nested too deeply") from None
    render: Render | None = None
    if build is not None:
        render = parts.leaves[0].render if isinstance(raw, str) else _whole(build, parts.leaves)
    return Value(raw, render, parts)


Build = Callable[[list[object]], object]
"""Makes data out of the rendered leaves, which come in the order they stand in the raw value."""


def _whole(build: Build, leaves: list[_Leaf]) -> Render:
    return lambda scope: build(_rendered(leaves, scope))


def _rendered(leaves: list[_Leaf], scope: Scope) -> list[object]:
    rendered: list[object] = []
    size = 0
    for leaf in leaves:
        try:
            value = leaf.render(scope)
        except Unfillable as failure:
            raise failure.at(leaf.place) from None
        size += len(value) if type(value) is str else size_of(value)
        rendered.append(value)
    if size > MAX_RESULT:
        raise Unfillable(f"the result is bigger than {MAX_RESULT:,} characters")
    return rendered


def _frame_of(raw: object) -> list[str]:
    """The JSON of a raw value in pieces; every second one is left free for a leaf."""
    pieces = [""]

    def write(here: object) -> None:
        if isinstance(here, str) and has_template(here):
            pieces.extend(("", ""))
        elif isinstance(here, Mapping):
            for number, (key, item) in enumerate(here.items()):
                pieces[-1] += f"{',' if number else '{'}{quoted(key)}:"
                write(item)
            pieces[-1] += "}" if here else "{}"
        elif isinstance(here, list | tuple):
            for number, item in enumerate(here):
                pieces[-1] += "," if number else "["
                write(item)
            pieces[-1] += "]" if here else "[]"
        else:
            pieces[-1] += json_of(here)

    write(raw)
    return pieces


def _compile(raw: object, parts: _Parts, place: Place) -> Build | None:
    """What builds ``raw``, or None if it is always ``raw`` itself."""
    if isinstance(raw, str):
        return _compile_text(raw, parts, place)
    if isinstance(raw, Mapping):
        return _compile_mapping(raw, parts, place)
    if isinstance(raw, list | tuple):
        return _compile_list(raw, parts, place)
    if raw is None or isinstance(raw, bool | int | float):
        return None
    raise ExpressionError(f"{type(raw).__name__} is no JSON data", path=place)


def _compile_text(raw: str, parts: _Parts, place: Place) -> Build | None:
    if not has_template(raw):
        parts.literals.append(raw)
        return None
    try:
        pieces = cut(raw, parts.allow)
    except ExpressionError as error:
        raise error.at(place) from None
    parts.expressions.extend(piece for piece in pieces if isinstance(piece, Expression))
    parts.literals.extend(piece for piece in pieces if isinstance(piece, str))
    if len(parts.expressions) > MAX_TEMPLATES:
        raise ExpressionError(f"more than {MAX_TEMPLATES:,} expressions in one value", path=place)
    index = len(parts.leaves)
    lone = pieces[0] if len(pieces) == 1 else None
    render = lone.filler() if isinstance(lone, Expression) else _text(pieces)
    parts.leaves.append(_Leaf(place, render))
    return lambda rendered: rendered[index]


def _text(pieces: list[str | Expression]) -> Render:
    base = [piece if isinstance(piece, str) else "" for piece in pieces]
    dynamic = [
        (index, piece, piece.filler())
        for index, piece in enumerate(pieces)
        if isinstance(piece, Expression)
    ]

    def render(scope: Scope) -> object:
        written = base.copy()
        for index, expression, fill in dynamic:
            value = fill(scope)
            written[index] = value if type(value) is str else scalar_text(expression, value, scope)
        text = "".join(written)
        if len(text) > MAX_TEXT:
            raise Unfillable(f"the text is longer than {MAX_TEXT:,} characters")
        return text

    return render


def _compile_mapping(raw: Mapping[object, object], parts: _Parts, place: Place) -> Build | None:
    builds: list[tuple[str, Build]] = []
    for key, item in raw.items():
        if not isinstance(key, str):
            raise ExpressionError("a key is a text", remedy=f"in quotes: '{key}'", path=place)
        if has_template(key):
            raise ExpressionError("a key can't hold '{{', '{%' or '{#'", path=(*place, key))
        build = _compile(item, parts, (*place, key))
        if build is not None:
            builds.append((key, build))
    if not builds:
        return None
    base = dict(raw)

    def mapping(rendered: list[object]) -> object:
        filled = base.copy()
        for key, build in builds:
            filled[key] = build(rendered)
        return filled

    return mapping


def _compile_list(
    raw: list[object] | tuple[object, ...], parts: _Parts, place: Place
) -> Build | None:
    compiled = [_compile(item, parts, (*place, index)) for index, item in enumerate(raw)]
    builds = [(index, build) for index, build in enumerate(compiled) if build is not None]
    if not builds:
        return None
    base = list(raw)

    def items(rendered: list[object]) -> object:
        filled = base.copy()
        for index, build in builds:
            filled[index] = build(rendered)
        return filled

    return items
