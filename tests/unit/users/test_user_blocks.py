"""Blocks of a file's users: what is read at once is what is read row by row."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.guarded_json import MAX_DEPTH
from engine.users import source, user_blocks
from engine.users.csv_rows import CSVRows
from engine.users.files import UsersFileError, open_users
from engine.users.jsonl_rows import JSONLRows
from engine.users.records import csv_columns
from engine.users.row import BadRow, UserRow, all_typed, typed
from engine.users.source import Source
from engine.users.user_blocks import Block, Reader, blocks

# What may stand in each place of a row: what is usual first.
TEXTS = ("Ada", "", "7", "007", "1.50", "1e999", "true", "null", "-0", "ü", '"a,b"', '"a\nb"', '"')
CSV = (
    ("u{n}", "u{n}", "u{n}", "ü {n}", '"q""{n}"', "", " ", "x" * 256, "x\x07", "same", "a\rb"),
    ("", "Asia/Tokyo", "Nowhere"),
    TEXTS,
    TEXTS,
    ("4", "0.5", "", "true", "four"),
)
HEADER = "id,timezone,name,note:text,count\n"
DECLARED: Mapping[str, str] = {"count": "number"}
DEEP = tuple(f'{{"a":{"[" * inner}{"]" * inner}}}' for inner in (MAX_DEPTH - 2, MAX_DEPTH - 1))
ZONES = ("null", "7", '""', '"Nowhere"', '"Asia/Tokyo"')
NONE = ("null", "[]", "0", '""')
JSON = (
    ('"u{n}"', '"u{n}"', '"u{n}"', '"\\u0041{n}"', '"\\ud800"', "7", '""', '"same"'),
    (
        "",
        '"x":1,',
        '"event":{"name":"e"},',
        '"event":null,',
        '"event":7,',
        *(f'"timezone":{zone},' for zone in ZONES),
    ),
    (
        '{"a":1.50}',
        "{}",
        '{"b":[[]]}',
        '{"d":NaN}',
        '{"id":1}',
        *NONE,
        *DEEP,
        *(f'{{"timezone":{zone}}}' for zone in ZONES),
    ),
    (
        '{"count":4}',
        '{"count":4}',
        '{"count":"x"}',
        "{}",
        '{"count":4} ',
        '{"count":4}},{',
        "\x00",
        '{"count":4,"x":1}',
        *NONE,
    ),
)
CSV_ROW = ",".join(["{}"] * len(CSV))
JSON_ROW = '{{"id":{},{}"attributes":{},"inputs":{}}}'
ENDS = ("\n", "\n", "\r\n", "\n\n", "")
Parts = tuple[tuple[str, ...], ...]
Read = tuple[list[UserRow], list[tuple[int, str, str, str]]]


def rows_of(parts: Parts) -> st.SearchStrategy[list[tuple[str, ...]]]:
    usual = st.tuples(*(st.just(part[0]) for part in parts))
    unusual = st.tuples(*(st.sampled_from(part) for part in parts))
    end = st.tuples(st.sampled_from(ENDS))
    return st.lists(st.builds(tuple.__add__, usual | unusual, end), max_size=12)


def all_of(read: Iterable[UserRow | BadRow]) -> Read:
    """The users, and what is said of the bad rows; of rows of which one has no end, only that."""
    users: list[UserRow] = []
    bad: list[BadRow] = []
    try:
        for row in read:
            if isinstance(row, BadRow):
                bad.append(row)
            else:
                users.append(row)
    except BadRow as endless:
        users, bad = [], [endless]
    return users, [(row.line, row.code, row.message, row.remedy) for row in bad]


def by_blocks(opened: Source, reader: Reader, begin: tuple[int, int]) -> Iterator[UserRow | BadRow]:
    for block in blocks(opened, reader, *begin):
        users = [*block.good.users]
        assert [*block.good.ids] == [user.id for user in users]
        yield from users
        yield from block.bad


def assert_alike(name: str, text: str, block: int) -> None:
    with opened(name, text) as (users, reader, begin), pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_BLOCK", block)
        assert all_of(by_blocks(users, reader, begin)) == all_of(reader.rows(users.lines(*begin)))


@contextmanager
def opened(name: str, text: str) -> Iterator[tuple[Source, Reader, tuple[int, int]]]:
    """A file, what reads it, and where its first row begins."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        users = Source(file, name)
        if name.endswith(".jsonl"):
            yield users, JSONLRows(DECLARED), (0, 0)
        else:
            lines = users.lines()
            reader = CSVRows.after_header(lines, DECLARED)
            yield users, reader, (lines.offset, lines.line)


def text_of(rows: Iterable[tuple[str, ...]], row: str) -> str:
    return "".join(
        row.format(*said).replace("{n}", str(n)) + end for n, (*said, end) in enumerate(rows)
    )


def with_one_odd(parts: Parts) -> Iterator[list[tuple[str, ...]]]:
    """Three rows, of which one differs from what is usual in one place."""
    usual = (*(part[0] for part in parts), "\n")
    for place, part in enumerate(parts):
        for odd in part:
            yield [usual, (*usual[:place], odd, *usual[place + 1 :]), usual]


def test_one_odd_value_is_seen_in_a_block_as_one_by_one() -> None:
    for rows in with_one_odd(CSV):
        assert_alike("users.csv", HEADER + text_of(rows, CSV_ROW), 1 << 16)
    for rows in with_one_odd(JSON):
        assert_alike("users.jsonl", text_of(rows, JSON_ROW), 1 << 16)


@given(rows_of(CSV), st.sampled_from([20, 60, 1 << 16]))
@settings(max_examples=100, deadline=None)
def test_users_as_csv_are_the_same_at_once_and_one_by_one(
    rows: list[tuple[str, ...]], block: int
) -> None:
    assert_alike("users.csv", HEADER + text_of(rows, CSV_ROW), block)


@given(rows_of(JSON), st.sampled_from(["", "\ufeff"]), st.sampled_from([60, 1 << 16]))
@settings(max_examples=100, deadline=None)
def test_users_as_json_lines_are_the_same_at_once_and_one_by_one(
    rows: list[tuple[str, ...]], mark: str, block: int
) -> None:
    text = mark + '{"id":"first"}\n' + text_of(rows, JSON_ROW)
    assert_alike("users.jsonl", text, block)


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("users.csv", HEADER, "u{n},,Ada,,4\n"),
        ("users.csv", HEADER, 'u{n},Asia/Tokyo,"a,b",7,0.5\r\n'),
        ("users.csv", HEADER, "u{n},Asia/Tokyo,Ada,7,0.5\r\n"),
        ("users.jsonl", "", '{"id":"u{n}","inputs":{"count":4}}\n'),
        ("users.jsonl", "", '{"id":"u{n}","attributes":{"timezone":"UTC"},"inputs":{"count":4}}\n'),
    ],
)
def test_usual_rows_are_read_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, head: str, row: str
) -> None:
    def never(*_: object) -> Block:
        raise AssertionError("one by one")

    text = head + "".join(row.replace("{n}", str(n)) for n in range(9))
    with opened(name, text) as (users, reader, begin):
        monkeypatch.setattr(user_blocks, "_one_by_one", never)
        whole = next(blocks(users, reader, *begin))
    found = [*whole.good.users]
    assert [user.id for user in found] == [f"u{n}" for n in range(9)]
    assert [user.line for user in found] == [*range(begin[1] + 1, begin[1] + 10)]
    assert (whole.line, whole.offset) == (begin[1] + 9, len(text.encode()))


def test_who_is_no_good_besides_is_found_in_a_block_with_his_line() -> None:
    def check(row: UserRow) -> None:
        if row.id == "u2":
            raise BadRow("users.bad_id", "nobody wants him")

    stdin = io.BytesIO(b"id\nu1\nu2\nu3\n")
    with pytest.raises(UsersFileError, match="nobody wants him"):
        open_users("-", inputs={}, stdin=stdin, also=check)


@given(st.lists(st.sampled_from([*TEXTS, ":", "9a", "+1", "a", "nullify", "12"])))
@settings(max_examples=100, deadline=None)
def test_a_column_is_typed_as_each_of_its_texts_is(texts: list[str]) -> None:
    each = [typed(text) for text in texts]
    assert [*map(repr, all_typed(texts))] == [*map(repr, each)]


def test_a_blank_line_is_no_row_of_one_field() -> None:
    assert csv_columns("a\nb\n", 1) == [("a", "b")]
    assert csv_columns("a\n\nb\n", 1) is None
