"""The rows and the gaps between them: tracks on which ways run sideways, and room for labels.

A gap holds, from top to bottom: tracks for what leaves the row above (one per node), the labels,
tracks for what comes to the row below (one per node). Tracks that overlap lie at different heights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.drawing.geometry import FRAME, FRAME_TITLE, Box, Link, Point

if TYPE_CHECKING:
    from engine.core.drawing.geometry import Run, Size

_TRACK = 10.0
_APART = 8.0
"""So far apart do two ways end that share a track's height."""
_ABOVE_TRACKS = 8.0
_BELOW_TRACKS = 20.0
_AROUND_TAGS = 8.0
_WITHOUT_TAGS = 2.0


@dataclass(slots=True)
class _Gap:
    """What stands between a row and the next: so many tracks, labels of such a height."""

    leaving: int = 0
    coming: int = 0
    tags: float = 0.0
    frame_ends: bool = False
    frame_begins: bool = False

    @property
    def tags_at(self) -> float:
        """Where the labels begin, below the row."""
        frame = FRAME if self.frame_ends else 0.0
        return frame + _ABOVE_TRACKS + self.leaving * _TRACK + _AROUND_TAGS

    @property
    def tracks_end(self) -> float:
        """Where the last track lies, above the next row, counted from it."""
        return _BELOW_TRACKS + (FRAME + FRAME_TITLE if self.frame_begins else 0.0)

    @property
    def height(self) -> float:
        """All of it."""
        tags = self.tags + _AROUND_TAGS if self.tags else _WITHOUT_TAGS - _AROUND_TAGS
        return self.tags_at + tags + self.coming * _TRACK + self.tracks_end


class Tracks:
    """The height of everything, and where ways run. ``rows`` and ``axes`` are the nodes' rows and
    middles, ``frames`` the first and last rows of frames.
    """

    def __init__(
        self,
        rows: Mapping[int, int],
        axes: Mapping[int, float],
        sizes: Sequence[Size],
        runs: Sequence[Run],
        frames: Iterable[tuple[int, int]],
    ) -> None:
        self._rows, self._axes, self._sizes = rows, axes, sizes
        self._gaps = [_Gap() for _ in range(max(rows.values()) + 1)]
        self._leaving = self._assign(runs, "leaving")
        self._coming = self._assign(runs, "coming")
        for run in runs:
            gap = self._gaps[rows[run.source]]
            gap.tags = max(gap.tags, run.tag[1])
        for first, last in frames:
            self._gaps[first - 1].frame_begins = True
            self._gaps[last].frame_ends = True
        self._heights = [0.0] * len(self._gaps)
        for number, row in rows.items():
            self._heights[row] = max(self._heights[row], sizes[number][1])
        self._tops = [0.0]
        for height, gap in zip(self._heights, self._gaps, strict=True):
            self._tops.append(self._tops[-1] + height + gap.height)

    @property
    def height(self) -> float:
        """From the first row's top to what is lowest: the last row, its frame, ways back up."""
        last = self._gaps[-1]
        frame = FRAME if last.frame_ends else 0.0
        below = last.tags_at + last.tags if last.leaving or last.tags else frame
        return self._tops[-2] + self._heights[-1] + below

    def box(self, number: int) -> Box:
        """A node's box."""
        width, height = self._sizes[number]
        return Box(self._axes[number] - width / 2, self._tops[self._rows[number]], width, height)

    def link(self, run: Run) -> Link:
        """Where a way runs."""
        start, end = self._axes[run.source], self._axes[run.way.target]
        source, target = self.box(run.source), self.box(run.way.target)
        points = [Point(start, source.y + source.height)]
        if run.via != start:
            y = self._leaving_at(run.source)
            points += [Point(start, y), Point(run.via, y)]
        if run.via != end:
            y = self._coming_at(run.way.target)
            points += [Point(run.via, y), Point(end, y)]
        points.append(Point(end, target.y))
        return Link(run.source, run.way, run.route, tuple(points), self._tag(run))

    def _tag(self, run: Run) -> Box | None:
        width, height = run.tag
        if not height:
            return None
        row = self._rows[run.source]
        top = self._tops[row] + self._heights[row] + self._gaps[row].tags_at
        return Box(run.via - width / 2, top, width, height)

    def _leaving_at(self, source: int) -> float:
        row = self._rows[source]
        above_tags = self._gaps[row].tags_at - _AROUND_TAGS
        track = (self._gaps[row].leaving - self._leaving[source]) * _TRACK
        return self._tops[row] + self._heights[row] + above_tags - track + _TRACK

    def _coming_at(self, target: int) -> float:
        row = self._rows[target]
        gap = self._gaps[row - 1]
        return self._tops[row] - gap.tracks_end - (gap.coming - 1 - self._coming[target]) * _TRACK

    def _assign(self, runs: Iterable[Run], what: str) -> dict[int, int]:
        """The track of each node that needs one, counted from the top of its gap."""
        spans: dict[int, tuple[float, float]] = {}
        for run in runs:
            number = run.source if what == "leaving" else run.way.target
            axis = self._axes[number]
            if run.via != axis:
                low, high = spans.get(number, (axis, axis))
                spans[number] = min(low, run.via), max(high, run.via)
        by_gap: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
        for number, (low, high) in spans.items():
            gap = self._rows[number] - (what == "coming")
            by_gap[gap].append((low, high, number))
        assigned: dict[int, int] = {}
        for at, found in by_gap.items():
            ends: list[float] = []
            for low, high, number in sorted(found):
                track = next((t for t, end in enumerate(ends) if end + _APART < low), len(ends))
                ends[track : track + 1] = [high]
                assigned[number] = track
            setattr(self._gaps[at], what, len(ends))
        return assigned
