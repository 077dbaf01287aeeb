from __future__ import annotations

from engine.core.drawing.graph import Graph, graph_of
from engine.core.drawing.words import about, entry_lines, span
from engine.core.expressions.durations import parse_duration
from tests.unit.core.drawing.journeys import program


def edges(graph: Graph) -> list[tuple[str, str, str]]:
    name = {node.number: node.id or node.title for node in graph.nodes}
    return [
        (name[source], way.label.name or way.label.detail, name[way.target])
        for source, way in graph.edges()
    ]


def test_a_step_goes_on_to_the_one_behind_it_and_the_last_one_ends_it() -> None:
    graph = graph_of(program("steps: [{id: a, type: wait, for: P1D}]"))
    assert edges(graph) == [("Entry", "", "a"), ("a", "", "completed")]


def test_an_end_that_nobody_comes_to_is_not_drawn() -> None:
    graph = graph_of(program("steps: [{id: a, type: exit, outcome: over}]"))
    assert [(node.type, node.title) for node in graph.nodes] == [
        ("entry", "Entry"),
        ("exit", "over"),
    ]


def test_bodies_lead_on_behind_their_step_and_say_what_leads_into_them() -> None:
    text = """\
steps:
  - id: b
    type: branch
    next: d
    paths:
      - {name: p, when: user.a, steps: [{id: c, type: wait, for: P1D}]}
      - {name: q, when: user.b, next: b}
      - {name: r, when: user.c}
  - {id: skipped, type: exit}
  - {id: d, type: exit}
"""
    assert edges(graph_of(program(text)))[1:] == [
        ("b", "p", "c"),
        ("b", "q", "b"),
        ("b", "r", "d"),
        ("b", "otherwise", "d"),
        ("c", "", "d"),
    ]


def test_every_way_that_a_failure_or_a_missing_date_takes_is_there() -> None:
    text = """\
steps:
  - {id: a, type: call_api, endpoint: crm, on_failure: exit}
  - {id: b, type: call_api, endpoint: crm, on_failure: {next: d}}
  - {id: c, type: wait, until: {date: user.day, missing: exit, past: {next: d}}}
  - {id: d, type: wait, until: {date: user.day, missing: exit, past: exit}}
"""
    found = set(edges(graph_of(program(text))))
    assert found >= {
        ("a", "if it fails", "failed:a"),
        ("b", "if it fails", "d"),
        ("c", "no date", "missed:c"),
        ("c", "too late", "d"),
        ("d", "no date or too late", "missed:d"),
    }


def test_a_step_that_may_be_skipped_shows_where_that_leads_if_it_is_elsewhere() -> None:
    text = """\
steps:
  - {id: a, type: wait, for: P1D, when: user.x}
  - {id: b, type: exit, when: user.y}
  - {id: c, type: wait, for: P1D, when: user.z, next: a}
  - {id: d, type: exit}
"""
    assert edges(graph_of(program(text)))[1:] == [
        ("a", "", "b"),
        ("b", "else", "c"),
        ("c", "", "a"),
        ("c", "else", "d"),
    ]


def test_what_is_waited_for_stands_on_its_way() -> None:
    text = """\
steps:
  - id: w
    type: wait_for
    any:
      - {event: paid, where: event.total > 0, next: done}
      - {when: user.gold}
    within: P2DT3H
  - {id: done, type: exit}
"""
    graph = graph_of(program(text))
    labels = [(way.label.name, way.label.detail) for node, way in graph.edges() if node == 1]
    assert labels == [("paid", "event.total > 0"), ("", "user.gold"), ("after 2 days 3 h", "")]


def test_calls_around_the_steps_are_groups() -> None:
    text = """\
on_enter: [{id: in, type: call_api, endpoint: crm}]
on_exit: [{id: out, type: call_api, endpoint: crm, on_failure: exit}]
steps: [{id: a, type: wait, for: P1D}]
"""
    graph = graph_of(program(text))
    assert [(node.title, node.group) for node in graph.nodes] == [
        ("Entry", ""),
        ("in", "on_enter"),
        ("a", ""),
        ("out", "on_exit"),
        ("completed", ""),
        ("failed:out", "on_exit"),
    ]
    assert edges(graph)[:3] == [("Entry", "", "in"), ("in", "", "a"), ("a", "", "completed")]


def test_what_a_step_does_is_said_in_few_words() -> None:
    text = """\
steps:
  - {id: a, type: call_api, endpoint: crm, method: GET, path: "/users/{{ user.id }}"}
  - {id: b, type: wait, until: {time: "09:00", weekdays: [mon, tue, wed, thu, fri]}}
  - {id: c, type: wait, until: {days: 1, time: "09:30", weekdays: [tue, sat]}}
  - {id: d, type: wait, until: {date: user.ends, offset: -P7D, time: "09:00", missing: continue}}
  - {id: e, type: wait, until: {weekdays: [mon]}}
  - {id: f, type: wait, for: "{{ user.pause }}"}
  - {id: g, type: set, values: {vars.x: 1, user.y: 2}}
  - {id: h, type: start_journey, journey: welcome, await: true}
  - {id: i, type: emit, event: seen}
"""
    details = [node.details for node in graph_of(program(text)).nodes if node.id]
    assert details == [
        ("GET crm/users/{user.id}",),
        ("until 09:00, Mon to Fri",),
        ("1 day later at 09:30, Tue, Sat",),
        ("7 days before user.ends, 09:00",),
        ("until Mon",),
        ("{user.pause}",),
        ("vars.x, user.y",),
        ("welcome, and wait for its end",),
        ("seen",),
    ]


def test_who_enters_and_what_it_is_for_is_said() -> None:
    journey = program(
        """\
entry:
  triggers:
    - {event: signed_up, where: event.plan == 'trial'}
    - {schedule: "0 9 * * mon", audience: user.gold}
    - {audience: user.total > 500}
    - {date: user.birthday, offset: -P3D, time: "09:00"}
  reentry: {mode: after_exit, cooldown: P30D}
  holdout: 2.5
goals: [{name: bought, event: order, within: P30D, exit: false}]
exit: [{event: unsubscribed}]
steps: [{id: a, type: exit}]
"""
    ).journey
    assert list(entry_lines(journey.entry)) == [
        "on signed_up where event.plan == 'trial'",
        "at 0 9 * * mon if user.gold",
        "when user.total > 500",
        "3 days before user.birthday, 09:00",
        "again after leaving, 30 days later",
        "2.5 % held out",
    ]
    assert list(about(journey)) == [
        ("Goal", "bought: order, within 30 days; goes on"),
        ("Leaves on", "unsubscribed"),
    ]


def test_spans_are_spoken() -> None:
    said = {text: span(parse_duration(text)) for text in ("PT45M", "P1DT4H", "P1Y2M", "500ms")}
    assert said == {
        "PT45M": "45 min",
        "P1DT4H": "1 day 4 h",
        "P1Y2M": "1 year 2 months",
        "500ms": "500 ms",
    }
