"""Where everything stands: a layered layout that knows how journeys nest.

Every node gets a row (its layer) and a column. The main line is one column; the bodies that a step
holds stand beside each other below it, and what goes on straight stays in the column. Between two
rows is a gap without nodes: all that runs sideways runs there, on tracks (``tracks``). A jump runs
up or down on a lane of its own, beside everything between its ends. So no way crosses a node, and
no two ways run on top of each other unless they come from one node or lead to one.

Pixels, from the upper left corner. The same graph gives the same layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.drawing.geometry import FRAME, FRAME_TITLE, Box, Frame, Layout, Run
from engine.core.drawing.tracks import Tracks

if TYPE_CHECKING:
    from engine.core.drawing.geometry import Route, Size
    from engine.core.drawing.graph import Graph, Group, Item, Label, Way

_BETWEEN_COLUMNS = 30.0
_BESIDE_LANE = 14.0
_LANE = 10.0


def lay_out(graph: Graph, sizes: Sequence[Size], tag_size: Callable[[Label], Size]) -> Layout:
    """Where the nodes of ``graph`` stand, which take ``sizes``, and how its ways run."""
    return _Layout(graph, sizes, tag_size).layout()


@dataclass(slots=True)
class _Cell:
    """An item in its column. ``left`` and ``right`` are how far it reaches from the column's axis
    with all that stands below it; ``join`` is the node below.
    """

    item: Item
    row: int
    join: int
    left: float = 0.0
    right: float = 0.0
    beside: list[tuple[Way, _Column | None]] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    straight: Way | None = None


@dataclass(slots=True)
class _Column:
    """A sequence of items around an axis, ``offset`` from the axis of the column it hangs in."""

    holder: tuple[_Column, int] | None
    cells: list[_Cell] = field(default_factory=list)
    jumps: list[_Jump] = field(default_factory=list)
    offset: float = 0.0
    left: float = 0.0
    right: float = 0.0


@dataclass(slots=True)
class _Jump:
    """A way on a lane of its own, ``lane`` from the axis of the column that holds both ends."""

    source: int
    way: Way
    first: int
    last: int
    lane: float = 0.0


class _Layout:
    def __init__(
        self, graph: Graph, sizes: Sequence[Size], tag_size: Callable[[Label], Size]
    ) -> None:
        self._graph = graph
        self._sizes = sizes
        self._tag_size = tag_size
        self._places: dict[int, tuple[_Column, int]] = {}
        self._leaps: list[tuple[int, Way]] = []
        self._rows: dict[int, int] = {}
        self._axes: dict[int, float] = {}
        self._runs: list[Run] = []

    def layout(self) -> Layout:
        main = _Column(None)
        self._stand(main, self._graph.items, 0, join=-1)
        for source, way in self._leaps:
            self._hang(source, way)
        self._spread(main)
        self._settle(main, main.left)
        tracks = Tracks(self._rows, self._axes, self._sizes, self._runs, self._framed_rows())
        boxes = tuple(tracks.box(number) for number in range(len(self._sizes)))
        links = tuple(tracks.link(run) for run in self._runs)
        frames = tuple(_frames(self._graph, boxes))
        return Layout(boxes, links, frames, main.left + main.right, tracks.height)

    def _framed_rows(self) -> Iterator[tuple[int, int]]:
        """First and last row of each frame."""
        for _, numbers in _grouped(self._graph):
            rows = [self._rows[number] for number in numbers]
            yield min(rows), max(rows)

    # Rows, from top to bottom.

    def _stand(self, column: _Column, items: Sequence[Item], row: int, join: int) -> int:
        """Give each node its row and place; the row below them all."""
        for at, item in enumerate(items):
            below = items[at + 1].node if at + 1 < len(items) else join
            cell = _Cell(item, row, below)
            column.cells.append(cell)
            self._places[item.node] = column, at
            self._rows[item.node] = row
            row = self._hold(column, cell, row + 1)
        return row

    def _hold(self, column: _Column, cell: _Cell, row: int) -> int:
        """Put the ways of a cell into columns, or on lanes; the row below them all."""
        lowest = row
        for way in cell.item.ways:
            if way.body:
                inner = _Column((column, len(column.cells) - 1))
                lowest = max(lowest, self._stand(inner, way.body, row, cell.join))
                cell.beside.append((way, inner))
            elif way.target != cell.join:
                self._leaps.append((cell.item.node, way))
            elif way.onward and cell.straight is None:
                cell.straight = way
            else:
                cell.beside.append((way, None))
        return lowest

    def _hang(self, source: int, way: Way) -> None:
        """Give a jump to the innermost column that holds both of its ends."""
        around = {id(column): at for column, at in self._upwards(source)}
        for column, at in self._upwards(way.target):
            if id(column) in around:
                first, last = sorted((around[id(column)], at))
                column.jumps.append(_Jump(source, way, first, last))
                return

    def _upwards(self, node: int) -> Iterator[tuple[_Column, int]]:
        place: tuple[_Column, int] | None = self._places[node]
        while place is not None:
            yield place
            place = place[0].holder

    # Columns, from the inside out.

    def _spread(self, column: _Column) -> None:
        for cell in column.cells:
            for _, inner in cell.beside:
                if inner is not None:
                    self._spread(inner)
            self._spread_cell(cell)
        column.jumps.sort(key=lambda jump: (jump.last - jump.first, jump.source))
        for jump in column.jumps:
            self._lane(column, jump)
        column.left = max(cell.left for cell in column.cells)
        column.right = max(cell.right for cell in column.cells)

    def _spread_cell(self, cell: _Cell) -> None:
        """Stand what is beside a cell's straight way to its left and right, in the file's order."""
        node = cell.item.node
        margin = FRAME if self._graph.nodes[node].group else 0.0
        cell.left = cell.right = self._sizes[node][0] / 2 + margin
        widths = [self._reach(way, inner) for way, inner in cell.beside]
        centre = len(widths) // 2
        left, right = 0.0, 0.0
        if cell.straight is not None:
            left, right = self._reach(cell.straight, None)
        elif len(widths) % 2:
            left, right = widths[centre]
        offsets = [0.0] * len(widths)
        for at in reversed(range(centre)):
            offsets[at] = -(left + _BETWEEN_COLUMNS + widths[at][1])
            left = widths[at][0] - offsets[at]
        for at in range(centre + (cell.straight is None and len(widths) % 2), len(widths)):
            offsets[at] = right + _BETWEEN_COLUMNS + widths[at][0]
            right = widths[at][1] + offsets[at]
        if cell.straight is None and widths and not len(widths) % 2:
            shift = (offsets[centre - 1] + offsets[centre]) / 2
            offsets = [offset - shift for offset in offsets]
            left, right = left + shift, right - shift
        for (_, inner), offset in zip(cell.beside, offsets, strict=True):
            if inner is not None:
                inner.offset = offset
        cell.offsets = offsets
        cell.left, cell.right = max(cell.left, left), max(cell.right, right)

    def _reach(self, way: Way, inner: _Column | None) -> tuple[float, float]:
        """How far a way reaches to the left and right of its own axis."""
        half = max(self._tag_size(way.label)[0] / 2 if way.label else 0.0, _LANE / 2)
        return (half, half) if inner is None else (max(inner.left, half), max(inner.right, half))

    def _lane(self, column: _Column, jump: _Jump) -> None:
        """Put a jump beside everything between its ends, on the side where it comes from."""
        half = max(self._tag_size(jump.way.label)[0] / 2 if jump.way.label else 0.0, _LANE / 2)
        between = column.cells[jump.first : jump.last + 1]
        if self._side(column, jump) < 0:
            reach = max(cell.left for cell in between) + _BESIDE_LANE + half
            for cell in between:
                cell.left = reach + half
            jump.lane = -reach
        else:
            reach = max(cell.right for cell in between) + _BESIDE_LANE + half
            for cell in between:
                cell.right = reach + half
            jump.lane = reach

    def _side(self, column: _Column, jump: _Jump) -> float:
        back = self._rows[jump.way.target] <= self._rows[jump.source]
        source, target = self._offset(jump.source, column), self._offset(jump.way.target, column)
        return source or target or (-1.0 if back else 1.0)

    def _offset(self, node: int, column: _Column) -> float:
        """How far a node stands from the axis of a column around it."""
        offset = 0.0
        for around, _ in self._upwards(node):
            if around is column:
                break
            offset += around.offset
        return round(offset, 3)

    def _settle(self, column: _Column, axis: float) -> None:
        """Fix the axes of a column and of those that hang in it, and how every way runs."""
        for cell in column.cells:
            self._axes[cell.item.node] = axis
            if cell.straight is not None:
                self._run(cell.item.node, cell.straight, axis)
            for (way, inner), offset in zip(cell.beside, cell.offsets, strict=True):
                self._run(cell.item.node, way, axis + offset)
                if inner is not None:
                    self._settle(inner, axis + offset)
        for jump in column.jumps:
            self._run(jump.source, jump.way, axis + jump.lane, jump=True)

    def _run(self, source: int, way: Way, via: float, *, jump: bool = False) -> None:
        tag = self._tag_size(way.label) if way.label else (0.0, 0.0)
        route: Route = "jump" if jump and way.kind != "failure" else way.kind
        self._runs.append(Run(source, way, via, route, tag))


def _grouped(graph: Graph) -> Iterator[tuple[Group, list[int]]]:
    groups: tuple[Group, ...] = ("on_enter", "on_exit")
    for group in groups:
        numbers = [node.number for node in graph.nodes if node.group == group]
        if numbers:
            yield group, numbers


def _frames(graph: Graph, boxes: Sequence[Box]) -> Iterator[Frame]:
    for group, numbers in _grouped(graph):
        inside = [boxes[number] for number in numbers]
        left = min(box.x for box in inside) - FRAME
        top = min(box.y for box in inside) - FRAME - FRAME_TITLE
        right = max(box.x + box.width for box in inside) + FRAME
        bottom = max(box.y + box.height for box in inside) + FRAME
        yield Frame(group, Box(left, top, right - left, bottom - top))
