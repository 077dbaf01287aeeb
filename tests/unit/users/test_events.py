"""Events from a file: by user, in order of time; every bad row named."""

from __future__ import annotations

import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import parse_iso
from engine.core.steps.facts import Change, Event
from engine.users.events import EventsFile, EventsFileError, open_events

ISTANBUL = ZoneInfo("Europe/Istanbul")


def at(text: str) -> int:
    found = parse_iso(text, ISTANBUL)
    assert found is not None
    return found


def opened(folder: Path, text: str) -> EventsFile:
    file = folder / ("events.jsonl" if text.startswith("{") else "events.csv")
    file.write_text(text, encoding="utf-8")
    return open_events(file, ISTANBUL)


def refused(folder: Path, text: str) -> EventsFileError:
    with pytest.raises(EventsFileError) as raised:
        opened(folder, text)
    return raised.value


def test_a_users_events_come_in_order_of_time_and_of_one_time_as_they_stand(
    tmp_path: Path,
) -> None:
    text = (
        "user,event,at,total,code:text\n"
        "b,bought,2026-11-22T09:00Z,1.5,007\n"
        "a,bought,2026-11-22,3,\n"
        "b,opened,2026-11-20,,\n"
        'b,"bou,ght",2026-11-22T09:00Z,,\n'
    )
    with opened(tmp_path, text) as events:
        assert (events.events, events.count) == (4, 2)
        assert events.first_at == at("2026-11-20")
        nine = at("2026-11-22T09:00Z")
        assert events.of("b") == [
            Event(0, at("2026-11-20"), "opened", {}),
            Event(0, nine, "bought", {"total": 1.5, "code": "007"}),
            Event(0, nine, "bou,ght", {}),
        ]
        assert events.of("a") == [Event(0, at("2026-11-22T00:00+03:00"), "bought", {"total": 3})]
        assert events.of("c") == []
        assert sorted(user.id for user in events.rows()) == ["a", "b"]


def test_json_lines_bring_ids_and_nested_properties(tmp_path: Path) -> None:
    text = (
        '{"user": "a", "event": "bought", "at": "2026-11-22", "properties": {"x": [1]},'
        ' "id": "e"}\n'
        "\n"
        '{"user": "a", "at": "2026-11-23", "attributes": {"tier": null}}\n'
    )
    with opened(tmp_path, text) as events:
        assert events.of("a") == [
            Event(0, at("2026-11-22"), "bought", {"x": [1]}, "e"),
            Change(0, at("2026-11-23"), {"tier": None}, {}),
        ]


def test_a_row_without_an_event_changes_attributes(tmp_path: Path) -> None:
    with opened(tmp_path, "user,event,at,tier\na,,2026-11-22,gold\n") as events:
        assert events.of("a") == [Change(0, at("2026-11-22"), {"tier": "gold"}, {})]


def test_standard_input_is_taken(tmp_path: Path) -> None:
    stdin = io.BytesIO(b"user,event,at\na,x,2026-11-22\n")
    with open_events("-", ISTANBUL, stdin) as events:
        assert [event.at for event in events.of("a")] == [at("2026-11-22")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",x,2026-11-22,", "the row has no id"),
        ("a,x,yesterday,", "'yesterday' is no time; ISO 8601"),
        ("a,x,,", "the row has no 'at'; ISO 8601"),
        ("a,x,2026-11-22", "the row has 3 fields, the header 4"),
        ('a,x,2026-11-22,"', "events.csv:2"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    error = refused(tmp_path, f"user,event,at,n\n{row}\n")
    assert "events.csv:2: " in error.message
    assert said in error.message


def test_all_bad_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    error = refused(tmp_path, "user,event,at\n" + "a,x,soon\n" * 30 + "a,x,2026-11-22\n")
    assert "(and 29 more)" in error.message
    assert len(error.problems) == 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column is called 'user'"),
        ("user,event\n", "no column is called 'at'"),
        ("user,at,event,at\n", "two columns are called 'at'"),
        ("user,event,at\n", "no events in"),
        ('{"user": "a", "evnt": "x"}\n', "unknown key 'evnt'; did you mean 'event'?"),
        ('{"user": 7, "event": "x", "at": "2026-11-22"}\n', "a user's id is text"),
        ('{"user": "a", "event": "x"}\n', "the row has no 'at'; ISO 8601"),
        ('{"user": "a"\n', "isn't JSON"),
        ('{"user": "a", "at": "2026-11-22"}\n', "neither 'event' nor 'attributes'; give one"),
        (
            '{"user": "a", "event": "x", "at": "2026-11-22", "attributes": {"n": 1}}\n',
            "'attributes' stands beside an event; the event's own data goes into 'properties'",
        ),
        (
            '{"user": "a", "at": "2026-11-22", "attributes": {}, "properties": {"n": 1}}\n',
            "'properties' stands in a row without 'event'; name the event",
        ),
    ],
)
def test_a_file_that_cant_be_taken_says_why(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text).message


def test_a_file_that_isnt_there_is_one_line() -> None:
    with pytest.raises(EventsFileError, match=r"can't read 'gone\.csv': No such file"):
        open_events("gone.csv", ISTANBUL)
