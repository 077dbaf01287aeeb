"""Repairing a file: what is right stays byte for byte, twice is once, no other line is touched."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.core.dsl.fix import repaired

JOURNEYS = [
    file.read_bytes()
    for file in sorted((Path(__file__).parents[2] / "journeys").glob("*.yaml"))
    if not file.name.endswith(".scenarios.yaml")
]

conditions = st.sampled_from(
    [
        *("user.tier in ['a', 'b']", "user.note == 'a: b'", "!user.x", "user.color == ' #fff'"),
        *("user.a, user.b", "*user", "'a' in user.tags", "user.x == 'it''s'", "user.x", "[", "#"),
        *("{{ user.x }}", 'user.a == "b: c"', "not user.b", "'a: b' == user.x", "x: y: z"),
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
shapes = st.sampled_from(
    [
        "  - {{id: {id}, type: exit, when: {when}}}{end}",
        "  - id: {id}{end}    type: exit{end}    when: {when}{end}",
        "  - id: {id}{end}    type: exit{end}    when: {when}   # why{end}",
        "  - {{id: {id}, type: call_api, endpoint: e, path: /u/{{{{ user.id }}}}}}{end}",
        "  - {{ id: {id}, when: {when}, type: exit }}\t{end}",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n"]))
    steps = [
        draw(shapes).format(id=f"s{number}", when=draw(conditions), end=end)
        for number in range(draw(st.integers(1, 4)))
    ]
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return (mark + end.join(["dsl: 1", "journey: j", "steps:", ""]) + "".join(steps)).encode()


@given(st.sampled_from(JOURNEYS) | st.binary(max_size=200))
def test_a_file_without_traps_is_returned_as_it_is(source: bytes) -> None:
    assert repaired(source, "j.yaml") == (source, ())


@given(files())
def test_repairing_changes_the_named_lines_alone_and_twice_is_once(source: bytes) -> None:
    text, repairs = repaired(source, "j.yaml")
    before, after = source.splitlines(keepends=True), text.splitlines(keepends=True)
    assert len(before) == len(after)
    changed = {number for number, (a, b) in enumerate(zip(before, after, strict=True), 1) if a != b}
    assert bool(repairs) == bool(changed)
    assert repaired(text, "j.yaml") == (text, ())
