"""Facts from a file on their way into the inbox: checked whole, handed on in the file's order."""

from __future__ import annotations

import io
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import parse_iso
from engine.users.events import opened_rows
from engine.users.facts_file import FactsFile, open_facts
from engine.users.findings import EventsFileError
from engine.users.incoming import EVENT, Incoming, IncomingChange, IncomingEvent, numbered

ISTANBUL = ZoneInfo("Europe/Istanbul")


def at(text: str) -> int:
    found = parse_iso(text, ISTANBUL)
    assert found is not None
    return found


NOW = at("2026-12-01")


def facts(folder: Path, text: str, name: str = "events.csv") -> list[Incoming]:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    with open_facts(file, ISTANBUL, NOW) as found:
        read = list(found.rows())
    assert found.count == len(read)
    assert [row[:2] for row in numbered(read, range(len(read)))] == sorted(
        (bucket_of(row[2]), n) for n, row in enumerate(read)
    )
    return [_fact(*row[2:]) for row in read]


def _fact(user: str, kind: int, name: str, at: int, own: str | None, data: str) -> Incoming:
    if kind == EVENT:
        return IncomingEvent(user, name, json.loads(data), at, own)
    return IncomingChange(user, json.loads(data), at, own)


def test_facts_come_in_the_files_order_however_late_they_are(tmp_path: Path) -> None:
    text = (
        "user,event,at,event_id,total,code:text\n"
        "b,bought,2026-11-22,m1,1.5,007\n"
        "a,bought,2026-11-20T09:00Z,,3,\n"
        "b,,2026-11-21,m2,,8\n"
    )
    assert facts(tmp_path, text) == [
        IncomingEvent("b", "bought", {"total": 1.5, "code": "007"}, at("2026-11-22"), "m1"),
        IncomingEvent("a", "bought", {"total": 3}, at("2026-11-20T09:00Z")),
        IncomingChange("b", {"code": "8"}, at("2026-11-21"), "m2"),
    ]


def test_json_lines_keep_the_types_they_have(tmp_path: Path) -> None:
    text = (
        '{"user": "a", "event": "x", "at": "2026-11-22", "properties": {"n": [1]}, "id": "m"}\n'
        '{"user": "a", "at": "2026-11-23", "attributes": {"tier": null}}\n'
    )
    assert facts(tmp_path, text, "events.jsonl") == [
        IncomingEvent("a", "x", {"n": [1]}, at("2026-11-22"), "m"),
        IncomingChange("a", {"tier": None}, at("2026-11-23")),
    ]


def test_every_bad_row_is_named_with_its_line_before_any_is_handed_on(tmp_path: Path) -> None:
    text = (
        "user,event,at,timezone\n"
        "a,x,2026-11-22,\n"
        "a,x,2027-01-01,\n"
        '"b\nc",x,2026-11-22,\n'
        "a,,2026-11-22,Europe/Nowhere\n"
    )
    with pytest.raises(EventsFileError) as raised:
        facts(tmp_path, text)
    assert [problem.line for problem in raised.value.problems] == [3, 4, 6]
    assert "(and 2 more)" in raised.value.message
    assert raised.value.others[1].endswith("did you mean 'Europe/Jersey'?")


def test_a_quote_without_an_end_is_named_where_it_begins(tmp_path: Path) -> None:
    with pytest.raises(EventsFileError, match=r"events\.csv:3: a quoted value begins") as raised:
        facts(tmp_path, 'user,event,at\na,x,2026-11-22\na,"x,2026-11-22\n')
    assert raised.value.problems[0].code == "events.bad_csv"


def test_what_is_sent_was_checked_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("user,event,at\na,x,2026-11-22\n")
    with open_facts(file, ISTANBUL, NOW) as found:
        file.write_text("user,event,at\nb,x\n")
        assert [row[2] for row in found.rows()] == ["a"]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("user,event,at\na,x,2026-11-22\n")
    with opened_rows(file, ISTANBUL) as (source, rows):
        file.write_text("user,event,at\na,x,2026-11-22\nb,x,2026-11-22\n")
        with pytest.raises(EventsFileError, match="was changed while it was being read"):
            FactsFile(source, rows, NOW)


def test_standard_input_is_a_file_too(tmp_path: Path) -> None:
    stdin = io.BytesIO(b"user,event,at\na,x,2026-11-22\n")
    with open_facts("-", ISTANBUL, NOW, stdin) as found:
        assert found.count == 1
        assert [row[2] for row in found.rows()] == ["a"]


@pytest.mark.parametrize("text", ["", "user,event,at\n", "\n"])
def test_a_file_without_events_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EventsFileError):
        facts(tmp_path, text)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_full_temporary_folder_is_named_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("wb") as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda prefix: full)
        with pytest.raises(EventsFileError, match=r"No space left on device.*TMPDIR"):
            facts(tmp_path, "user,event,at\nada,bought,2026-11-22\n")
