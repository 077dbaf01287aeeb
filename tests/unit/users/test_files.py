from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.users import files, repeats, row, source
from engine.users.files import UserRow, UsersFile, UsersFileError, open_users
from engine.users.source import MAX_ROW


def users(
    text: str | bytes,
    *,
    inputs: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> UsersFile:
    data = text.encode() if isinstance(text, str) else text
    return open_users("-", inputs=inputs or {}, skip_bad=skip_bad, stdin=io.BytesIO(data))


def rows(text: str | bytes, **inputs: str) -> list[UserRow]:
    with users(text, inputs=inputs) as file:
        return list(file.rows())


def refusal(text: str | bytes, **inputs: str) -> UsersFileError:
    with pytest.raises(UsersFileError) as raised:
        users(text, inputs=inputs)
    assert "\n" not in raised.value.message
    return raised.value


def test_csv_columns_become_attributes_inputs_and_the_zone() -> None:
    (row,) = rows("id,timezone,tier,campaign\nu1,Europe/Istanbul,gold,spring\n", campaign="text")
    assert row == UserRow(2, "u1", "Europe/Istanbul", {"tier": "gold"}, {"campaign": "spring"})


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("0", 0),
        ("-1", -1),
        ("12.50", 12.5),
        ("1e3", 1000.0),
        ("9223372036854775807", 9223372036854775807),
        ("18446744073709551615", 18446744073709551615),
        ("True", "True"),
        ("NULL", "NULL"),
        ("007", "007"),
        ("00", "00"),
        ("-", "-"),
        ("-01", "-01"),
        ("+1", "+1"),
        (" 1", " 1"),
        ("1 ", "1 "),
        (".5", ".5"),
        ("5.", "5."),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("1\u0663", "1\u0663"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("1" * 5000, "1" * 5000),
        ("2026-11-22", "2026-11-22"),
    ],
)
def test_a_csv_value_is_typed_only_where_json_would_type_it(cell: str, value: object) -> None:
    (row,) = rows(f"id,x\nu1,{cell}\n")
    assert row.attributes["x"] == value
    assert type(row.attributes["x"]) is type(value)


def test_a_header_can_force_text() -> None:
    (row,) = rows("id,zip:text,flag:text\nu1,007,true\n")
    assert row.attributes == {"zip": "007", "flag": "true"}


def test_an_id_is_text_whatever_it_looks_like() -> None:
    assert [row.id for row in rows("id\n7\ntrue\n")] == ["7", "true"]


def test_an_empty_value_is_absent() -> None:
    (row,) = rows('id,timezone,a,b\nu1,,"",1\n')
    assert row.timezone is None
    assert row.attributes == {"b": 1}


def test_a_text_input_takes_the_raw_text_and_a_number_must_be_one() -> None:
    (row,) = rows("id,code,n\nu1,007,7\n", code="text", n="number")
    assert row.inputs == {"code": "007", "n": 7}
    error = refusal("id,n\nu1,7\nu2,seven\n", n="number")
    assert "3: the input 'n' is 'seven'; it must be a number" in error.message


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", "1.5", "true"),
        ("boolean", "true", "1"),
        ("date", "2026-11-22", "tomorrow"),
        ("date", "2026-11-22T09:00:00+03:00", "20"),
    ],
)
def test_an_input_must_fit_its_type(kind: str, good: str, bad: str) -> None:
    assert len(rows(f"id,x\nu1,{good}\n", x=kind)) == 1
    assert refusal(f"id,x\nu1,{bad}\n", x=kind).code == "users.bad_input"


def test_every_row_must_bring_the_inputs() -> None:
    assert "no column brings the input 'x'" in refusal("id\nu1\n", x="text").message
    error = refusal("id,x\nu1,a\nu2,\n", x="text")
    assert "input:3: the input 'x' is missing" in error.message
    assert refusal('{"id": "u1"}\n', x="text").problems[0].line == 1


def test_jsonl_brings_attributes_inputs_zone_and_event() -> None:
    text = (
        '{"id": "u1", "attributes": {"n": 18446744073709551616, "l": [1]}, "inputs": {"c": "x"},'
        ' "event": {"name": "cart"}, "timezone": "UTC"}\n'
        '\n{"id": "u2", "attributes": {"timezone": "Asia/Tokyo"}, "inputs": {"c": "y"}}'
    )
    one, two = rows(text, c="text")
    assert one == UserRow(1, "u1", "UTC", {"n": 2**64, "l": [1]}, {"c": "x"}, {"name": "cart"})
    assert two == UserRow(3, "u2", "Asia/Tokyo", {}, {"c": "y"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "u1", "atributes": {}}', "did you mean 'attributes'?"),
        ('{"id": "u1", "inputs": {"campain": "x"}}', "no input 'campain'"),
        ('{"id": 7}', "put quotes around it"),
        ('{"attributes": {}}', "no id"),
        ('{"id": ""}', "no id"),
        ('{"id": "u1", "attributes": []}', "'attributes' is a list; it must be an object"),
        ('{"id": "u1", "event": "x"}', "'event' is a text"),
        ('{"id": "u1", "id": "u2"}', "a key stands twice"),
        ('{"id": "u1", "attributes": {"a": NaN}}', "NaN"),
        ('{"id": "u1", "attributes": ' + '{"a":' * 70 + "1" + "}" * 71, "deeper than 64"),
        ('{"id": "u1", "timezone": "UTC", "attributes": {"timezone": "Asia/Tokyo"}}', "two time"),
        ('{"id": "u1", "timezone": 3}', "it must be text"),
        ('{"id": "u1", "attributes": {"id": "u2"}}', "'id' is no attribute"),
        ('[{"id": "u1"}]', "the line is a list"),
        ('{"id": "u1"', "isn't JSON"),
        ('{"id": "u\\n1"}', "control character"),
    ],
)
def test_a_bad_json_line_is_named_with_its_remedy(line: str, said: str) -> None:
    error = refusal('{"id": "u0"}\n' + line + "\n")
    assert error.problems[0].line == 2
    assert said in error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no users in standard input: it is empty"),
        (b"\xef\xbb\xbf \n", "it is empty"),
        (b"id,tier\n", "no users in standard input"),
        (b"\x7fELF\x00\x01", "isn't text in UTF-8"),
        ("id\nu1\n".encode("utf-16"), "isn't text in UTF-8"),
        (b"id,na\xefve\nu1,2\n", "not UTF-8"),
        (b"id,name\nu1,a\nu2,na\xefve\n", "input:3: byte 6 is not UTF-8"),
        (b"id,name\n" + b"\n" * 5000 + b"u2,\0\n", "input:5002: the row holds a NUL byte"),
        (b"name,tier\nAda,gold\n", "no column is called 'id'"),
        (b"ID,tier\nu1,gold\n", "rename 'ID' to 'id'"),
        (b"id;tier\nu1;gold\n", "separated by ';'; use commas"),
        (b"id\ttier\nu1\tgold\n", "separated by tabs; use commas"),
        (b"id:text|tier\nu1|gold\n", "separated by '|'; use commas"),
        (b"id,a,a\nu1,1,2\n", "two columns are called 'a'"),
        (b"id,a,a:text\nu1,1,2\n", "two columns are called 'a'"),
        (b"id,a,\nu1,1,2\n", "column 3 of the header has no name"),
        (b"id,n:number\nu1,1\n", "only ':text' can be asked for"),
        (b"id,a\nu1\n", "input:2: the row has 1 field, the header 2"),
        (b"id,a\nu1,x,y\n", "has 3 fields, the header 2"),
        (b'id,a\nu1,x"y\nu2,"x"y\n', "input:3: a quote is out of place"),
        (b'id,a\nu1,"x\nu2,y\n', "input:2: a quoted value begins in this row and has no end"),
        (b"id,a\n,x\n", "input:2: the row has no id"),
        (b"id,a\n  ,x\n", "input:2: the row has no id"),
        (b"id,a\n" + b"u" * 256 + b",x\n", "256 characters"),
        (b"id,a\nu\x01,x\n", "control character"),
        (b"id,timezone\nu1,Europe/Istambul\n", "did you mean 'Europe/Istanbul'?"),
        (b"id,timezone\nu1,../../etc/passwd\n", "unknown"),
        (b"id,timezone\nu1,America\n", "unknown"),
        (b"id\ru1\r", "end lines with LF or CRLF"),
        (b"id,a\nu1," + b"x" * 200_000 + b"\n", "longer than 131,072 characters"),
        (b"id,a\nu1," + b"x" * MAX_ROW + b"\nu2,1\n", "longer than 1 MiB"),
        (b'id,a\nu1,"' + b"x\n" * MAX_ROW + b"\nu2,1\n", "input:2: a quoted value"),
        (b'id,a\nu1,"' + b"x" * 100_000 + b"\n" + b"x" * 100_000, "input:2: a quoted value"),
        (b'id,"' + b"x\n" * 100_000, "input:1:"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_one_line(text: bytes, said: str) -> None:
    assert said in refusal(text).message


def test_a_byte_order_mark_crlf_and_quoted_newlines_are_no_trouble() -> None:
    text = '\ufeffid,note\r\nu1,"two\r\nlines, ""quoted"""\r\n\r\nu2,ş\r\n'
    one, two = rows(text)
    assert one.attributes == {"note": 'two\r\nlines, "quoted"'}
    assert (two.line, two.attributes) == (5, {"note": "ş"})


def test_a_repeated_id_names_both_lines() -> None:
    error = refusal('id,a\nu1,"x\ny"\nu2,1\nu1,2\n')
    assert "standard input:5: the id 'u1' is already on line 2" in error.message
    assert error.code == "users.repeated_id"


def test_all_problems_are_counted_and_the_first_twenty_named_in_file_order() -> None:
    text = "id,a\n" + "u1,1\n" * 3 + "bad\n" * 40
    error = refusal(text)
    assert [p.line for p in error.problems] == list(range(3, 23))
    assert error.further == 22
    assert "(and 41 more)" in error.message


def test_bad_rows_are_skipped_and_counted_on_demand_and_the_first_of_an_id_stays() -> None:
    text = "id,a\nu1,1\nbad\nu1,2\nu2,3\n,4\nu2,5\nu3,\n"
    with users(text, skip_bad=True) as file:
        assert (file.count, file.skipped) == (3, 4)
        assert [p.line for p in file.problems] == [3, 4, 6, 7]
        assert [(r.id, r.line) for r in file.rows()] == [("u1", 2), ("u2", 5), ("u3", 8)]
        assert [r.id for r in file.rows(1)] == ["u2", "u3"]


def test_a_row_that_repeats_a_bad_row_is_the_first_good_one() -> None:
    with users("id,a\nu1\nu1,2\n", skip_bad=True) as file:
        assert [(r.id, r.line) for r in file.rows()] == [("u1", 3)]


def test_a_file_of_bad_rows_alone_has_no_users() -> None:
    with pytest.raises(UsersFileError, match=r"all its rows are bad \(2\)"):
        users("id,a\nu1\nu2\n", skip_bad=True)


def test_two_ids_of_one_hash_are_two_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "id_hash", len)
    assert [row.id for row in rows("id\na\nb\ncc\n")] == ["a", "b", "cc"]
    assert "line 2" in refusal("id\na\nb\na\n").message


def test_more_repeats_than_fit_in_memory_are_found_in_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeats, "SUSPECTS", 7)
    ids = [f"u{i}" for i in range(100)]
    text = "id\n" + "\n".join(ids + ids[::-1] + ids) + "\n"
    with users(text, skip_bad=True) as file:
        assert (file.count, file.skipped) == (100, 200)
        assert [row.id for row in file.rows()] == ids


@pytest.mark.parametrize("repeat", [1, 3])
def test_reading_goes_on_from_any_user(repeat: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MARK_EVERY", 16)
    monkeypatch.setattr(source, "_BLOCK", 64)
    ids = [f"u{i}" for i in range(100)]
    text = "id,a\n" + "".join(f'{user},"\n"\nbad\n' * repeat for user in ids)
    with users(text, skip_bad=True) as file:
        for start in range(120):
            assert [row.id for row in file.rows(start)] == ids[start:]


def test_two_readings_at_once_do_not_disturb_each_other() -> None:
    with users("id\nu1\nu2\nu3\n") as file:
        pairs = [(a.id, b.id) for a, b in zip(file.rows(), file.rows(1), strict=False)]
    assert pairs == [("u1", "u2"), ("u2", "u3")]


def test_the_digest_is_the_contents_sha256_however_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("id\nu1\n")
    with open_users(path, inputs={}) as file, users("id\nu1\n") as spooled:
        assert file.digest == spooled.digest == hashlib.sha256(b"id\nu1\n").hexdigest()


def test_the_name_or_the_content_says_which_format_it_is(tmp_path: Path) -> None:
    for name in ("u.jsonl", "u.NDJSON", "u.txt", "u"):
        (tmp_path / name).write_text('{"id": "u1"}\n')
        with open_users(tmp_path / name, inputs={}) as file:
            assert file.count == 1
    (tmp_path / "u.csv").write_text('{"id": "u1"}\n')
    with pytest.raises(UsersFileError, match="no column is called 'id'"):
        open_users(tmp_path / "u.csv", inputs={})


def test_a_file_that_changes_between_the_passes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("id\nu1\n")
    with open_users(path, inputs={}) as file:
        with path.open("a") as more:
            more.write("u2\n")
        with pytest.raises(UsersFileError, match="was changed"):
            list(file.rows())


@pytest.mark.parametrize("name", ["missing.csv", ".", "a\0b"])
def test_what_cannot_be_opened_is_a_users_file_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsersFileError, match="can't read"):
        open_users(f"{tmp_path}/{name}", inputs={})


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("id\nu1\n",))
    writer.start()
    with open_users(path, inputs={}) as file:
        assert [row.id for row in file.rows()] == ["u1"]
    writer.join()


def test_remedies_are_searched_for_the_problems_shown_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[str] = []

    def search(word: str, _: object) -> str:
        searched.append(word)
        return ""

    monkeypatch.setattr(row, "did_you_mean", search)
    refusal("id,timezone\n" + "".join(f"u{i},Mars/{i}\n" for i in range(1000)))
    assert set(searched) <= {f"Mars/{i}" for i in range(20)}
