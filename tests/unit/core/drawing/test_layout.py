from __future__ import annotations

import itertools
import time

from hypothesis import given

from engine.core.drawing.cards import card_of, tag_of
from engine.core.drawing.geometry import Box, Layout, Link, Point
from engine.core.drawing.graph import Graph, graph_of
from engine.core.drawing.layout import lay_out
from engine.core.drawing.svg import svg
from engine.core.dsl.program import Program
from tests.examples import share
from tests.unit.core.drawing.journeys import program, programs

Segment = tuple[Point, Point]


def drawn(of: Program) -> tuple[Graph, Layout]:
    graph = graph_of(of)
    sizes = [card_of(node, None).size for node in graph.nodes]
    return graph, lay_out(graph, sizes, lambda label: tag_of(label).size)


def overlap(a: Box, b: Box, apart: float = 0.0) -> bool:
    return (
        a.x < b.x + b.width + apart
        and b.x < a.x + a.width + apart
        and a.y < b.y + b.height + apart
        and b.y < a.y + a.height + apart
    )


def segments(link: Link) -> list[Segment]:
    return list(itertools.pairwise(link.points))


def span(segment: Segment) -> Box:
    (x, y), (to_x, to_y) = segment
    return Box(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y))


def within(box: Box, layout: Layout) -> bool:
    return (
        box.x >= -0.01
        and box.y >= -0.01
        and box.x + box.width <= layout.width + 0.01
        and box.y + box.height <= layout.height + 0.01
    )


@share(0.25)
@given(programs())
def test_no_boxes_and_no_labels_overlap(of: Program) -> None:
    _, layout = drawn(of)
    tags = [link.tag for link in layout.links if link.tag is not None]
    for one, other in itertools.combinations([*layout.boxes, *tags], 2):
        assert not overlap(one, other, apart=5)


@share(0.25)
@given(programs())
def test_every_way_is_drawn_once_and_begins_and_ends_at_its_nodes(of: Program) -> None:
    graph, layout = drawn(of)
    edges = sorted((source, way.target) for source, way in graph.edges())
    assert sorted((link.source, link.way.target) for link in layout.links) == edges
    for link in layout.links:
        source, target = layout.boxes[link.source], layout.boxes[link.way.target]
        assert link.points[0] == (source.x + source.width / 2, source.y + source.height)
        assert link.points[-1] == (target.x + target.width / 2, target.y)


@share(0.25)
@given(programs())
def test_nothing_is_outside_the_canvas(of: Program) -> None:
    _, layout = drawn(of)
    inside = [*layout.boxes, *(frame.box for frame in layout.frames)]
    inside += [link.tag for link in layout.links if link.tag is not None]
    inside += [span(segment) for link in layout.links for segment in segments(link)]
    assert all(within(box, layout) for box in inside)


@share(0.25)
@given(programs())
def test_ways_run_around_right_angles_and_through_no_box_and_no_label(of: Program) -> None:
    _, layout = drawn(of)
    for link in layout.links:
        for segment in segments(link):
            (x, y), (to_x, to_y) = segment
            assert x == to_x or y == to_y
            assert not any(overlap(span(segment), box, apart=-0.1) for box in layout.boxes)
            for other in layout.links:
                if other is not link and other.tag is not None:
                    assert not overlap(span(segment), other.tag, apart=-0.1)


@share(0.25)
@given(programs())
def test_ways_that_share_no_end_share_no_line(of: Program) -> None:
    _, layout = drawn(of)
    for one, other in itertools.combinations(layout.links, 2):
        if one.source == other.source or one.way.target == other.way.target:
            continue
        for a, b in itertools.product(segments(one), segments(other)):
            level = a[0].y == a[1].y == b[0].y == b[1].y
            upright = a[0].x == a[1].x == b[0].x == b[1].x
            first, second = span(a), span(b)
            if level:
                assert not overlap(
                    Box(first.x, 0, first.width, 1), Box(second.x, 0, second.width, 1)
                )
            elif upright:
                assert not overlap(
                    Box(0, first.y, 1, first.height), Box(0, second.y, 1, second.height)
                )


@share(0.25)
@given(programs())
def test_the_same_journey_is_drawn_the_same(of: Program) -> None:
    assert svg(of) == svg(of)


def test_the_main_line_is_straight() -> None:
    graph, layout = drawn(
        program(
            """\
steps:
  - {id: a, type: call_api, endpoint: crm}
  - id: b
    type: branch
    paths:
      - {name: p, when: user.p, steps: [{id: c, type: wait, for: P1D}]}
      - {name: q, when: user.q, steps: [{id: d, type: wait, for: P1D}]}
      - {name: r, when: user.r}
  - id: e
    type: split
    arms:
      - {name: x, weight: 1, steps: [{id: f, type: wait, for: P1D}]}
      - {name: y, weight: 1}
      - {name: z, weight: 1, steps: [{id: g, type: wait, for: P1D}]}
  - {id: h, type: exit}
"""
        )
    )
    main = [node.number for node in graph.nodes if node.id in ("", "a", "b", "e", "h")]
    boxes = [layout.boxes[number] for number in main]
    assert len({box.x + box.width / 2 for box in boxes}) == 1
    straight = [link for link in layout.links if len(link.points) == 2]
    assert {(link.source, link.way.target) for link in straight} >= set(itertools.pairwise(main))


def test_a_loop_runs_back_up_beside_what_it_repeats() -> None:
    graph, layout = drawn(
        program(
            """\
steps:
  - {id: a, type: wait, for: P1D}
  - {id: b, type: call_api, endpoint: crm}
  - {id: c, type: wait, for: P1D, next: a, when: visits(c) < 3}
"""
        )
    )
    number = {node.id: node.number for node in graph.nodes}
    back = next(link for link in layout.links if link.way.target == number["a"] and link.source)
    assert back.route == "jump"
    assert min(point.x for point in back.points) < min(
        layout.boxes[number[name]].x for name in ("a", "b", "c")
    )


def test_a_thousand_steps_are_drawn_within_a_second() -> None:
    steps = [
        f"  - id: b{n}\n    type: branch\n    paths:\n"
        f"      - {{name: p, when: user.a, steps: [{{id: c{n}, type: wait, for: P1D}}]}}\n"
        f"      - {{name: q, when: user.b, next: b{n * 7 % 333}}}\n"
        f"  - {{id: d{n}, type: call_api, endpoint: crm, on_failure: {{next: b0}}}}\n"
        for n in range(333)
    ]
    large = program("steps:\n" + "".join(steps))
    began = time.process_time()
    assert len(svg(large)) > 100_000
    assert time.process_time() - began < 1.0
