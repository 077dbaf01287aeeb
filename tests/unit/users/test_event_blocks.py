"""Blocks of a file's events: what is taken at once is what is taken row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.expressions.calendar import parse_iso
from engine.errors import Problem
from engine.users import event_blocks, source
from engine.users.event_blocks import inbox_rows
from engine.users.events import opened_rows
from engine.users.findings import EventsFileError, Findings
from engine.users.incoming import InboxRow
from engine.users.row import BadRow

ISTANBUL = ZoneInfo("Europe/Istanbul")
NOW = parse_iso("2026-12-01", ISTANBUL) or 0

# What may stand in each place of a row: what is usual first.
CSV = (
    ("u1", "ü 2", "", "a" * 256, " ", "x\u00a0y", '"q""q"', '"a,b"', '"a\nb"', 'a"b', "x\x07"),
    ("seen", "", "order placed", " seen", "ö" * 201),
    ("2026-11-22", "2026-11-22T09:00:00Z", "2027-01-01", "2026-12-01T00:05", "soon", "1969-01-01"),
    ("m1", "", "m" * 256, "\x00"),
    ("7", "", "007", "1.50", "1e3", "1e999", "true", "null", "Ada", "9" * 19, "-0", "1,2", '"'),
    ("", "Asia/Tokyo", "Nowhere", "7"),
)
JSON = (
    ('"u1"', '"\\u0041"', '"\\ud800"', "7", "null", '""'),
    ('"event":"seen",', "", '"event":null,', '"event":[],', '"x":1,', '"user":"b",', '"event":"",'),
    ('"2026-11-22"', "[]", '"soon"'),
    ('"properties"', '"attributes"', '"id"'),
    (
        *('{"a":1.50}', "{}", "null", '{"b":{"c":[12345678901234567890]}}', '{"d":NaN}'),
        *('{"e":1,"e":2}', f"{'[' * 70}{']' * 70}", '{"id":"x"}', '{"timezone":"Nowhere"}'),
        *('{"f":1e999} ', '{"g":"ö"},{}', '"m"', '{"h":"\\ud83d\\ude00"}'),
    ),
)
HEADER = "user,event,at,event_id,total,timezone\n"
HEADERS = (
    HEADER,
    *(f"user,event,at,event_id,{data}\n" for data in ("a:text,x", "a,a:text", "id,x")),
)
ENDS = ("\n", "\r\n", "\n\n", "\r")
Parts = tuple[tuple[str, ...], ...]


def csv_row(said: Iterable[str]) -> str:
    return ",".join(said)


def json_row(said: Iterable[str]) -> str:
    return '{{"user":{},{}"at":{},{}:{}}}'.format(*said)


def drawn(parts: Parts) -> st.SearchStrategy[list[str]]:
    """The parts of a row, most of them usual."""
    places = st.tuples(*(st.integers(0, 20) for _ in parts))
    return places.map(
        lambda drawn: [p[n if n < len(p) else 0] for p, n in zip(parts, drawn, strict=True)]
    )


def rows_of(
    file: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[InboxRow], tuple[Problem, ...], object]:
    """The rows of a file that is read in blocks of so many bytes, what is wrong, how it ended."""
    monkeypatch.setattr(source, "_BLOCK", block)
    findings, rows, ended = Findings(file.name, EventsFileError), [], None
    with opened_rows(file, ISTANBUL) as (_, read):
        try:
            for some in inbox_rows(read, findings, NOW):
                rows += some
        except BadRow as bad:
            rows, ended = [], (bad.code, bad.line)
    return rows, findings.problems, ended


def same(name: str, text: str, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / name
        file.write_bytes(text.encode())
        assert rows_of(file, block, patch) == rows_of(file, 0, patch)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_block_with_one_odd_row_is_judged_as_its_rows_are(kind: int) -> None:
    for parts, row, header, name in (
        (CSV, csv_row, HEADER, "a.csv"),
        (JSON, json_row, "", "a.jsonl"),
    ):
        usual = [part[kind * (place == 1)] for place, part in enumerate(parts)]
        usual[3] = parts[3][kind * (parts is JSON)]
        for place, part in enumerate(parts):
            for odd in part:
                rows = [usual, [*usual[:place], odd, *usual[place + 1 :]], usual]
                same(name, header + "".join(f"{row(said)}\n" for said in rows), 1 << 16)


@settings(max_examples=60)
@given(
    st.sampled_from(HEADERS),
    st.lists(st.tuples(drawn(CSV).map(csv_row), st.sampled_from(ENDS)).map("".join), max_size=12),
    st.integers(60, 400),
)
def test_csv_says_the_same_in_blocks(header: str, rows: list[str], block: int) -> None:
    same("events.csv", header + "".join(rows), block)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(drawn(JSON).map(json_row), st.sampled_from(ENDS)).map("".join), max_size=12),
    st.integers(60, 400),
)
def test_json_lines_say_the_same_in_blocks(rows: list[str], block: int) -> None:
    same("events.jsonl", "".join(rows), block)


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl"])
def test_rows_as_most_are_take_the_quick_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / name
    row = '{"user":"u","event":"x","at":"2026-11-22T09:00:00Z","properties":{"n":1.5},"id":"m"}\n'
    change = '{"user":"u","at":"2026-11-22","attributes":{"timezone":"Asia/Tokyo","n":null}}\r\n'
    file.write_text(
        (row + change) * 40
        if name.endswith("l")
        else "user,event,at,event_id,n,timezone\n"
        + '"u, v",x,2026-11-22 09:00:00,m,1.5,\nu,,2026-11-22,,,Asia/Tokyo\r\n' * 40
    )
    monkeypatch.setattr(event_blocks, "_one_by_one", lambda *_: iter(()))
    rows, problems, _ = rows_of(file, 1 << 16, monkeypatch)
    assert (len(rows), problems) == (80, ())
