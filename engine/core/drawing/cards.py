"""What a node looks like: its lines, broken to fit, and the size they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.drawing.style import CODE, COUNT, DETAIL, TAG, TAG_CODE, TITLE
from engine.core.drawing.typesetting import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.drawing.counts import Counts, StepCounts
    from engine.core.drawing.geometry import Size
    from engine.core.drawing.graph import Label, Node
    from engine.core.drawing.typesetting import Face

WIDTH = 268.0
PADDING = 12.0
TILE = 32.0
TEXT_AT = PADDING + TILE + 11
RAIL = 4.0
"""The height of the bar that shows how a step's visits ended."""

_TEXT_WIDTH = WIDTH - TEXT_AT - PADDING
_END_WIDTH = 228.0
ENDING_TEXT_AT = 42.0
_TAG_WIDTH = 232.0
_TAG_PADDING = 11.0


@dataclass(slots=True, frozen=True)
class Line:
    """A line of text: what stands in it, in pieces of (words, class), and how it is written."""

    pieces: tuple[tuple[str, str], ...]
    style: str
    face: Face


@dataclass(slots=True, frozen=True)
class Card:
    """A node's box: its lines beside the icon, and below them in words what was counted, and a bar
    if there are ``counts``. ``footer`` is the height of all that.
    """

    lines: tuple[Line, ...]
    size: Size
    counted: tuple[Line, ...] = ()
    counts: StepCounts | None = None
    footer: float = 0.0


@dataclass(slots=True, frozen=True)
class Tag:
    """A way's label."""

    lines: tuple[Line, ...]
    size: Size


def card_of(node: Node, counts: Counts | None) -> Card:
    """The box of a node; with ``counts`` a step shows its own."""
    if node.type in ("exit", "end"):
        return _ending(node, counts)
    lines = list(_lines(node.title, "jg-title", TITLE, 3))
    for number, detail in enumerate(node.details):
        code = node.type in ("call_api", "set", "emit", "start_journey")
        face, style = (CODE, "jg-code") if code else (DETAIL, "jg-detail")
        lines += _lines(detail, style, face, 3 if number == 0 else 2)
    if node.when:
        lines += _condition(node.when)
    body = sum(line.face.leading for line in lines) + 2 * PADDING
    body = max(body, TILE + 2 * PADDING)
    counted = counts.steps.get(node.id) if counts is not None and node.id else None
    below = list(_counted(node, counts, counted))
    footer = len(below) * COUNT.leading + (RAIL + 7 if counted is not None else 0)
    footer += 3 if below else 0
    return Card(tuple(lines), (WIDTH, body + footer), tuple(below), counted, footer)


def tag_of(label: Label) -> Tag:
    """The label of a way: its name, and its condition or share below."""
    inner = _TAG_WIDTH - 2 * _TAG_PADDING
    lines = [*_lines(label.name, "jg-name", TAG, 1, inner)] if label.name else []
    lines += _lines(label.detail, "jg-condition", TAG_CODE, 3, inner)
    width = max((line.face.width(line.pieces[0][0]) for line in lines), default=0)
    height = sum(line.face.leading for line in lines) + 8
    return Tag(tuple(lines), (width + 2 * _TAG_PADDING, height))


def _ending(node: Node, counts: Counts | None) -> Card:
    """A pill: how a passage ends."""
    width = _END_WIDTH - ENDING_TEXT_AT - PADDING
    lines = list(_lines(node.title, "jg-title", TITLE, 2, width))
    for detail in node.details:
        lines += _lines(detail, "jg-detail", DETAIL, 1, width)
    if node.when:
        lines += _lines(f"if {node.when}", "jg-code", CODE, 2, width)
    counted = counts.steps.get(node.id) if counts is not None and node.id else None
    if counted is not None:
        left = counted.entered - counted.skipped
        lines.append(Line(((f"{left:,} ended here", ""),), "jg-count", COUNT))
    height = sum(line.face.leading for line in lines) + 20
    return Card(tuple(lines), (_END_WIDTH, max(height, 40.0)))


def _lines(
    text: str, style: str, face: Face, most: int, width: float = _TEXT_WIDTH
) -> Iterator[Line]:
    for line in wrap(text, face, width, most):
        yield Line(((line, ""),), style, face)


def _condition(when: str) -> Iterator[Line]:
    """``if`` in another colour, and the condition."""
    for number, line in enumerate(wrap(f"if {when}", CODE, _TEXT_WIDTH, 3)):
        rest = line.removeprefix("if ") if number == 0 else line
        pieces = (("if ", "jg-word"), (rest, "")) if number == 0 else ((rest, ""),)
        yield Line(pieces, "jg-code", CODE)


def _counted(node: Node, counts: Counts | None, step: StepCounts | None) -> Iterator[Line]:
    """What was counted at a node, on as many lines as it needs."""
    if step is None:
        if counts is not None and node.type == "entry":
            yield Line(((f"{counts.entered:,} entered", "jg-is-text"),), "jg-count", COUNT)
        return
    line: list[tuple[str, str]] = []
    for n, word, style in (
        (step.entered, "entered", "jg-is-text"),
        (step.waiting, "waiting", "jg-is-pause"),
        (step.failed, "failed", "jg-is-bad"),
        (step.skipped, "skipped", ""),
    ):
        if not n and word != "entered":
            continue
        apart = "   " if line else ""
        wide = COUNT.width("".join(words for words, _ in line) + f"{apart}{n:,} {word}")
        if line and wide > WIDTH - 2 * PADDING:
            yield Line(tuple(line), "jg-count", COUNT)
            line, apart = [], ""
        line.append((f"{apart}{n:,} {word}", style))
    yield Line(tuple(line), "jg-count", COUNT)
