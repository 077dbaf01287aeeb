"""What layouts are made of. Pixels, from the upper left corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from engine.core.drawing.graph import Group, Way

Size = tuple[float, float]
"""Width and height."""

Route = Literal["on", "arm", "failure", "jump"]

FRAME = 16.0
"""What a frame leaves free around its nodes."""
FRAME_TITLE = 20.0
"""The height that a frame's title takes, above its nodes."""


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


@dataclass(slots=True, frozen=True)
class Box:
    """A rectangle; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True, frozen=True)
class Run:
    """How a way runs: from the bottom of its source on the vertical line ``via`` to the top of its
    target. ``tag`` is the size of its label, nothing if it has none.
    """

    source: int
    way: Way
    via: float
    route: Route
    tag: Size


@dataclass(slots=True, frozen=True)
class Link:
    """A way from the bottom of one node's box to the top of another's, around right angles;
    ``tag`` is its label's box, if it has one.
    """

    source: int
    way: Way
    route: Route
    points: tuple[Point, ...]
    tag: Box | None


@dataclass(slots=True, frozen=True)
class Frame:
    """A rectangle around the nodes of a group, with room for a title at its top."""

    group: Group
    box: Box


@dataclass(slots=True, frozen=True)
class Layout:
    """``boxes`` of the nodes by number, ``links`` and ``frames``, in a canvas of this size."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    frames: tuple[Frame, ...]
    width: float
    height: float
