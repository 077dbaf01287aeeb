"""A file that was read: plain data, and where every piece of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core.dsl.problems import Lines, Place
from engine.errors import Problem

Path = tuple[str | int, ...]
"""Where a node is: keys and indices from the top of the document."""


@dataclass(slots=True, eq=False)
class Node:
    """A value of the document. ``data`` is plain (None, bool, int, float, str, list, dict).

    ``items`` are the nodes below by key or index, ``keys`` the places of a mapping's keys.
    ``style`` is how a scalar was written: ``plain``, ``'``, ``"``, ``|``, ``>``; '' for others.
    ``commented`` says that a comment stands behind a plain scalar. ``broken`` marks a value that
    couldn't be read: its problem is reported already, ``data`` only stands in for it. ``size``
    counts the values in it (a long text is several), ``height`` the levels below it.
    """

    data: object
    place: Place
    items: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    style: str = ""
    commented: bool = False
    broken: bool = False
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read. ``problems`` are those that leave the rest of it readable."""

    file: str
    root: Node
    lines: Lines
    problems: tuple[Problem, ...] = ()

    def node(self, path: Path) -> Node | None:
        """The node at ``path``, or None."""
        node: Node | None = self.root
        for step in path:
            node = node.items.get(step) if node else None
        return node

    def place(self, path: Path) -> Place:
        """Where the value at ``path`` stands, or else the nearest thing that holds it."""
        node = self.root
        for step in path:
            below = node.items.get(step)
            if below is None:
                break
            node = below
        return node.place

    def key_place(self, path: Path) -> Place:
        """Where the key of ``path`` stands; for a list's item where the item begins."""
        holder = self.node(path[:-1])
        if holder and path and isinstance(path[-1], str) and path[-1] in holder.keys:
            return holder.keys[path[-1]]
        return self.place(path)

    def place_within(self, path: Path, offset: int) -> Place:
        """Where character ``offset`` (from 0) of the text at ``path`` stands in the file.

        A text that doesn't stand there letter by letter (folded, escaped) gives its beginning.
        """
        node = self.node(path)
        if node is None or not isinstance(node.data, str):
            return self.place(path)
        place = node.place
        if node.style == "|":
            before = node.data[:offset]
            line, behind = place.line + 1 + before.count("\n"), len(before) - before.rfind("\n") - 1
            raw = self.lines.raw(line)
            return Place(line, len(raw) - len(raw.lstrip()) + 1 + behind)
        opening = 0 if node.style == "plain" else 1
        start = place.column - 1 + opening
        if self.lines.raw(place.line)[start : start + len(node.data)] != node.data:
            return place
        return Place(place.line, start + 1 + min(offset, len(node.data)))
