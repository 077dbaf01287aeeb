"""Flattening: bodies, jumps, what stands before and behind."""

from __future__ import annotations

from typing import Any

from engine.core.dsl.journey import Journey
from engine.core.dsl.program import END, Node, Program, compile_journey


def call(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "type": "call_api", "endpoint": "crm", **keys}


def leaf(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "type": "wait", "for": "P1D", **keys}


def branch(name: str, *bodies: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    paths = [
        {"name": f"p{number}", "when": True, **({"steps": body} if body else {})}
        for number, body in enumerate(bodies)
    ]
    return {"id": name, "type": "branch", "paths": paths, **keys}


def program(*steps: dict[str, Any], **keys: Any) -> Program:
    return compile_journey(
        Journey.model_validate({"dsl": 1, "journey": "j", "steps": steps, **keys})
    )


def ways(made: Program) -> dict[str, tuple[str, str, list[str]]]:
    """Of each step: where it follows on, what is behind it, where its exits lead."""
    names = {node.number: node.step.id for node in made.nodes} | {END: "END"}

    def of(node: Node) -> tuple[str, str, list[str]]:
        return names[node.follow], names[node.behind], [names[exit_] for exit_ in node.exits]

    return {node.step.id: of(node) for node in made.nodes}


def test_numbers_are_places_in_the_table() -> None:
    made = program(leaf("a"), branch("b", [leaf("c"), leaf("d")], [leaf("e")]), leaf("f"))
    assert [node.number for node in made.nodes] == list(range(6))
    assert made.numbers == {node.step.id: node.number for node in made.nodes}
    assert list(made.numbers) == ["a", "b", "c", "d", "e", "f"]


def test_the_end_of_a_body_leads_behind_the_step_that_holds_it_however_deep() -> None:
    made = program(
        branch("a", [branch("b", [leaf("c"), branch("d", [leaf("e")])])], [leaf("f")]), leaf("g")
    )
    assert ways(made) == {
        "a": ("g", "g", ["b", "f"]),
        "b": ("g", "g", ["c"]),
        "c": ("d", "d", []),
        "d": ("g", "g", ["e"]),
        "e": ("g", "g", []),
        "f": ("g", "g", []),
        "g": ("END", "END", []),
    }


def test_next_jumps_forward_and_back_and_a_skipped_step_still_goes_behind() -> None:
    made = program(leaf("a", next="c"), leaf("b", next="a"), leaf("c"))
    assert ways(made)["a"] == ("c", "b", [])
    assert ways(made)["b"] == ("a", "c", [])


def test_a_step_with_bodies_and_a_next_goes_there_by_every_way_that_says_nothing_else() -> None:
    made = program(branch("a", [leaf("b"), leaf("c")], [], next="e"), leaf("d"), leaf("e"))
    assert ways(made)["a"] == ("e", "d", ["b", "e"])
    assert ways(made)["c"] == ("e", "e", [])


def test_a_jump_leads_into_a_body() -> None:
    made = program(leaf("a", next="c"), branch("b", [leaf("c")]))
    assert ways(made)["a"] == ("c", "b", [])


def test_otherwise_is_an_exit_like_the_others() -> None:
    made = program(
        branch("a", [], otherwise={"steps": [leaf("b")]}), branch("c", [], otherwise="a")
    )
    assert ways(made)["a"] == ("c", "c", ["c", "b"])
    assert ways(made)["c"] == ("END", "END", ["END", "a"])


def test_calls_before_and_after_stand_around_the_steps() -> None:
    made = program(
        leaf("a", next="b"),
        leaf("b"),
        on_enter=[call("hello"), call("again")],
        on_exit=[call("bye"), call("gone")],
    )
    assert ways(made) == {
        "hello": ("again", "again", []),
        "again": ("a", "a", []),
        "a": ("b", "b", []),
        "b": ("END", "END", []),
        "bye": ("gone", "gone", []),
        "gone": ("END", "END", []),
    }
    assert (made.first, made.leaving) == (0, 4)


def test_without_calls_afterwards_leaving_is_the_end() -> None:
    made = program(leaf("a"), on_enter=[call("hello")])
    assert (made.first, made.leaving) == (0, END)


def test_a_jump_to_nowhere_ends_the_passage_instead_of_breaking_it() -> None:
    made = program(leaf("a", next="gone"), call("b", on_failure={"next": "gone"}))
    assert ways(made)["a"] == ("END", "b", [])
    assert ways(made)["b"] == ("END", "END", ["END"])


def test_of_two_steps_with_one_id_jumps_find_the_first() -> None:
    made = program(leaf("a"), leaf("a"), leaf("b", next="a"))
    assert made.nodes[2].follow == 0


def test_a_thousand_steps_and_forty_levels_are_no_matter() -> None:
    deep = [leaf("leaf")]
    for level in range(40):
        deep = [branch(f"b{level}", deep)]
    made = program(*deep, *(leaf(f"s{number}") for number in range(900)))
    assert len(made.nodes) == 941
    assert made.nodes[40].step.id == "leaf"
    assert made.nodes[40].follow == 41
