"""A journey as Mermaid's ``flowchart TD`` (https://mermaid.js.org/syntax/flowchart.html).

Nodes are called n0, n1, ...; what authors wrote stands in quotes, with every character that could
mean something to Mermaid or to HTML as an entity code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.drawing.graph import graph_of
from engine.core.drawing.typesetting import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.drawing.counts import Counts
    from engine.core.drawing.graph import Graph, Group, Label, Node, Way
    from engine.core.dsl.program import Program

_SHAPES = {
    "entry": ("([", "])"),
    "exit": ("([", "])"),
    "end": ("([", "])"),
    "wait": ("(", ")"),
    "wait_for": ("(", ")"),
    "branch": ("{", "}"),
    "split": ("{{", "}}"),
}
_BOX = ("[", "]")
_ARROWS = {"on": "-->", "arm": "-->", "failure": "-.->"}
_PLAIN = frozenset(" _-.,:/+*%?!€·…")
_LONGEST = 80


def mermaid(program: Program, counts: Counts | None = None) -> str:
    """The journey as a Mermaid flow chart; with ``counts`` each step shows its numbers."""
    graph = graph_of(program, counts)
    groups: tuple[Group, ...] = ("", "on_enter", "on_exit")
    lines = ["flowchart TD"]
    for group in groups:
        nodes = [node for node in graph.nodes if node.group == group]
        lines += _group(group, [f"{_node(node, counts)}" for node in nodes])
    lines += [f"  {_edge(source, way)}" for source, way in graph.edges()]
    lines += _classes(graph)
    return "\n".join((*lines, ""))


def escaped(text: str) -> str:
    """``text`` as it may stand between Mermaid's quotes."""
    return "".join(
        c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in shortened(text, _LONGEST)
    )


def _group(group: Group, nodes: Sequence[str]) -> Iterator[str]:
    if not group:
        yield from (f"  {node}" for node in nodes)
    elif nodes:
        yield f'  subgraph {group}["{group}"]'
        yield from (f"    {node}" for node in nodes)
        yield "  end"


def _node(node: Node, counts: Counts | None) -> str:
    lines = [node.title, *node.details]
    if node.when:
        lines.append(f"if {node.when}")
    counted = counts.steps.get(node.id) if counts is not None and node.id else None
    if counted is not None:
        waiting = f", {counted.waiting:,} waiting" if counted.waiting else ""
        failed = f", {counted.failed:,} failed" if counted.failed else ""
        lines.append(f"{counted.entered:,} entered{waiting}{failed}")
    opening, closing = _SHAPES.get(node.type, _BOX)
    return f'n{node.number}{opening}"{"<br/>".join(map(escaped, lines))}"{closing}'


def _edge(source: int, way: Way) -> str:
    arrow = _ARROWS[way.kind]
    label = _label(way.label)
    return f"n{source} {arrow}{label} n{way.target}"


def _label(label: Label) -> str:
    lines = [escaped(part) for part in (label.name, label.detail) if part]
    return f'|"{"<br/>".join(lines)}"|' if lines else ""


def _classes(graph: Graph) -> Iterator[str]:
    """The ends stand out."""
    ends = [f"n{node.number}" for node in graph.nodes if node.type in ("exit", "end")]
    if ends:
        yield "  classDef ending fill:#2a3546,stroke:#2a3546,color:#ffffff"
        yield f"  class {','.join(ends)} ending"
