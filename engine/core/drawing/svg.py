"""A journey as SVG: one file that loads nothing, runs nothing, and is light or dark as its reader.

Texts of authors stand in it as text only, cleaned and escaped; there are no styles but one sheet's
and no ids but the drawing's own.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.core.drawing.cards import ENDING_TEXT_AT, PADDING, RAIL, TEXT_AT, TILE, card_of, tag_of
from engine.core.drawing.graph import graph_of
from engine.core.drawing.icons import ICONS, icon_of
from engine.core.drawing.layout import lay_out
from engine.core.drawing.style import ABOUT, HEADING, STYLE
from engine.core.drawing.typesetting import clean, shortened, wrap
from engine.core.drawing.words import about

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.drawing.cards import Card, Line, Tag
    from engine.core.drawing.counts import Counts, StepCounts
    from engine.core.drawing.geometry import Box, Frame, Link, Point
    from engine.core.drawing.graph import Graph, Node
    from engine.core.dsl.journey import Journey
    from engine.core.dsl.program import Program

_MARGIN = 32.0
_NARROWEST = 440.0
_WIDEST_HEADING = 720.0
_BEND = 9.0
_MOST_FACTS = 8
_MOST_NAMED = 60
_FRAME_TITLES = {"on_enter": "on_enter", "on_exit": "on_exit, however it ended"}
_UNDERMOST = {"failure": 0, "jump": 1, "arm": 2, "on": 3}
_PILL = 21.0


def svg(
    program: Program, counts: Counts | None = None, *, named: bool = True, styled: bool = True
) -> str:
    """The drawing of a journey; with ``counts`` each step shows its numbers.

    Its name and description stand above it, unless it stands where they are already (``named``).
    Its style sheet stands in it, unless the page around it has loaded that (``styled``).

    An ``<svg>`` element with its size, fit to be a file or to stand inside HTML.
    """
    graph = graph_of(program, counts)
    cards = [card_of(node, counts) for node in graph.nodes]
    layout = lay_out(graph, [card.size for card in cards], lambda label: tag_of(label).size)
    width = max(layout.width + 2 * _MARGIN, _NARROWEST)
    heading, below = _heading(
        program.journey, min(width - 2 * _MARGIN, _WIDEST_HEADING), named=named
    )
    left = (width - layout.width) / 2
    links = sorted(layout.links, key=lambda link: _UNDERMOST[link.route])
    parts = [
        _opening(program.journey, graph, width, below + layout.height + _MARGIN, styled=styled),
        *heading,
        f'<g transform="translate({_n(left)} {_n(below)})">',
        *map(_frame, layout.frames),
        *map(_way, links),
        *(_tag(link.tag, tag_of(link.way.label), link.route) for link in links if link.tag),
        *map(_node, graph.nodes, cards, layout.boxes),
        "</g></svg>\n",
    ]
    return "\n".join(parts)


def _opening(journey: Journey, graph: Graph, width: float, height: float, *, styled: bool) -> str:
    """The element's beginning: what it is for whoever can't see it, the style, the icons."""
    used = sorted({icon_of(node.type) for node in graph.nodes})
    symbols = "".join(
        f'<symbol id="jg-{name}" viewBox="0 0 20 20"><path d="{ICONS[name]}"/></symbol>'
        for name in used
    )
    prefix = _attribute(f"jg-{journey.journey}")
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    labelled = f'role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="jg" {size} {labelled}>',
            f'<title id="{prefix}-title">{_text(journey.title or journey.journey)}</title>',
            f'<desc id="{prefix}-desc">{_text(_described(graph))}</desc>',
            *((f"<style>{STYLE}</style>",) if styled else ()),
            f"<defs>{symbols}</defs>",
            '<rect class="jg-canvas" width="100%" height="100%" rx="14"/>',
        )
    )


def _described(graph: Graph) -> str:
    steps = [node for node in graph.nodes if node.id]
    named = ", ".join(shortened(node.title, 60) for node in steps[:_MOST_NAMED])
    more = f" and {len(steps) - _MOST_NAMED} more" if len(steps) > _MOST_NAMED else ""
    return f"Flow chart of {len(steps)} steps: {named}{more}."


def _heading(journey: Journey, width: float, *, named: bool) -> tuple[list[str], float]:
    """Name, description, goals and exit rules; and where the drawing begins below them."""
    y = _MARGIN
    lines: list[str] = []
    title, description = journey.title or journey.journey, journey.description or ""
    for line in wrap(title, HEADING, width, 2) if named else ():
        y += HEADING.leading
        lines.append(_line(_MARGIN, y - 7, "jg-heading", ((line, ""),)))
    for line in wrap(description, ABOUT, width, 4) if named else ():
        y += ABOUT.leading
        lines.append(_line(_MARGIN, y - 5, "jg-about", ((line, ""),)))
    facts = list(about(journey))
    for word, fact in facts[:_MOST_FACTS]:
        for number, line in enumerate(wrap(f"{word} {fact}", ABOUT, width, 2)):
            y += ABOUT.leading + (4 if number == 0 else 0)
            rest = line.removeprefix(f"{word} ") if number == 0 else line
            word_piece = ((f"{word} ", "jg-is-text"),) if number == 0 else ()
            lines.append(_line(_MARGIN, y - 5, "jg-about", (*word_piece, (rest, ""))))
    return lines, y + 24 if lines else y


def _frame(frame: Frame) -> str:
    box = frame.box
    title = _line(box.x + 10, box.y + 17, "jg-detail", ((_FRAME_TITLES[frame.group], ""),))
    return f'<rect class="jg-frame" {_placed(box)} rx="16"/>{title}'


def _way(link: Link) -> str:
    end = link.points[-1]
    x, y = _n(end.x), end.y
    head = f"M{x} {_n(y - 1)}l-4.5 -7.5q4.5 2.4 9 0z"
    short = (*link.points[:-1], end._replace(y=y - 6))
    kind = f" jg-{link.route}"
    way = f'<path class="jg-way{kind}" d="{"".join(_rounded(short))}"/>'
    return f'{way}<path class="jg-head{kind}" d="{head}"/>'


def _rounded(points: tuple[Point, ...]) -> Iterator[str]:
    """The path along the points, with rounded corners."""
    yield f"M{_n(points[0].x)} {_n(points[0].y)}"
    for at in range(1, len(points) - 1):
        before, corner, after = points[at - 1 : at + 2]
        enter, leave = _towards(corner, before), _towards(corner, after)
        yield f"L{_n(enter[0])} {_n(enter[1])}"
        yield f"Q{_n(corner.x)} {_n(corner.y)} {_n(leave[0])} {_n(leave[1])}"
    yield f"L{_n(points[-1].x)} {_n(points[-1].y)}"


def _towards(corner: Point, other: Point) -> tuple[float, float]:
    """The point of a bend that lies towards ``other``."""
    dx, dy = other.x - corner.x, other.y - corner.y
    length = abs(dx) + abs(dy)
    step = min(_BEND, length / 2) / length if length else 0.0
    return corner.x + dx * step, corner.y + dy * step


def _tag(box: Box, tag: Tag, route: str) -> str:
    parts = [f'<g class="jg-{route}"><rect class="jg-tag" {_placed(box)} rx="10"/>']
    parts += _lines(tag.lines, box.x + box.width / 2, box.y + 4)
    return "".join((*parts, "</g>"))


def _node(node: Node, card: Card, box: Box) -> str:
    lost = node.type == "end" and ":" in node.title
    ending = node.type in ("exit", "end")
    kind = "jg-lost" if lost else "jg-end" if ending else f"jg-{icon_of(node.type)}"
    width, height = card.size
    radius = min(height / 2, _PILL) if ending else 13
    size = f'width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"'
    parts = [
        f'<g class="jg-node {kind}" transform="translate({_n(box.x)} {_n(box.y)})">',
        f"<title>{_text(_tooltip(node))}</title>",
        f'<rect class="jg-shade" y="2" {size}/><rect class="jg-card" {size}/>',
        *_inside(node, card, ending=ending),
        "</g>",
    ]
    return "".join(parts)


def _inside(node: Node, card: Card, *, ending: bool) -> Iterator[str]:
    """Icon, lines and bar of a node."""
    width, height = card.size
    if ending:
        icon = f'x="15" y="{_n(height / 2 - 8.5)}" width="17" height="17"'
    else:
        yield f'<rect class="jg-tile" {_square(PADDING, TILE)} rx="9"/>'
        icon = _square(PADDING + 7, TILE - 14)
    yield f'<use class="jg-icon" href="#jg-{icon_of(node.type)}" {icon}/>'
    body = height - card.footer
    y = (body - sum(line.face.leading for line in card.lines)) / 2
    yield from _lines(card.lines, ENDING_TEXT_AT if ending else TEXT_AT, y)
    yield from _lines(card.counted, PADDING, body - PADDING + 5)
    if card.counts is not None:
        yield from _rail(card.counts, width, height - PADDING - RAIL + 1)


def _lines(lines: Iterable[Line], x: float, y: float) -> Iterator[str]:
    for line in lines:
        y += line.face.leading
        yield _line(x, y - line.face.leading * 0.27, line.style, line.pieces)


def _rail(counts: StepCounts, width: float, y: float) -> Iterator[str]:
    """How the visits of a step ended, as a bar."""
    whole = width - 2 * PADDING
    yield _bar("jg-rail", PADDING, y, whole)
    shares = (
        ("jg-is-good", counts.succeeded),
        ("jg-is-skipped", counts.skipped),
        ("jg-is-pause", counts.waiting),
        ("jg-is-bad", counts.failed),
    )
    ends = [0]
    for _, n in shares:
        ends.append(ends[-1] + max(n, 0))
    if ends[-1]:
        for (style, _), (start, end) in zip(shares, pairwise(ends), strict=True):
            if end > start:
                x = PADDING + whole * start / ends[-1]
                yield _bar(style, x, y, max(whole * (end - start) / ends[-1], 1.5))


def _bar(style: str, x: float, y: float, width: float) -> str:
    size = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(RAIL)}"'
    return f'<rect class="{style}" {size} rx="1.5"/>'


def _tooltip(node: Node) -> str:
    """Everything that is known of a node, nothing of it cut."""
    what = f"{node.id} ({node.type})" if node.id else node.title
    named = [node.title] if node.id and node.title != node.id else []
    condition = [f"if {node.when}"] if node.when else []
    return " | ".join([what, *named, *node.details, *condition])


def _line(x: float, y: float, style: str, pieces: Iterable[tuple[str, str]]) -> str:
    spans = (
        f'<tspan class="{kind}">{_text(words)}</tspan>' if kind else _text(words)
        for words, kind in pieces
    )
    place = f'x="{_n(x)}" y="{_n(y)}"'
    return f'<text class="{style}" {place} xml:space="preserve">{"".join(spans)}</text>'


def _placed(box: Box) -> str:
    return f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'


def _square(at: float, side: float) -> str:
    return f'x="{_n(at)}" y="{_n(at)}" width="{_n(side)}" height="{_n(side)}"'


def _text(text: str) -> str:
    """Text of anybody's as the content of an element."""
    kept = text if text.isprintable() else clean(text)
    return escape(kept, quote=False)


def _attribute(text: str) -> str:
    return escape(clean(text).replace(" ", "-"))


def _n(number: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{number:.1f}".removesuffix(".0")
