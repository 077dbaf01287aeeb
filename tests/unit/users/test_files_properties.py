from __future__ import annotations

import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.users.files import UsersFileError, open_users

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ids = st.integers(0, 30).map(lambda n: f"u{n}")


@given(st.lists(st.tuples(ids, cells), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_what_a_csv_writer_writes_is_read_and_repeats_are_skipped(
    said: list[tuple[str, str]],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "note:text"])
    writer.writerows(said)
    first: dict[str, str] = {}
    for user, note in said:
        first.setdefault(user, note)
    stdin = io.BytesIO(text.getvalue().encode())
    with open_users("-", inputs={}, skip_bad=True, stdin=stdin) as file:
        assert (file.count, file.skipped) == (len(first), len(said) - len(first))
        assert [(r.id, r.attributes.get("note", "")) for r in file.rows()] == list(first.items())
        for start in range(len(first) + 1):
            assert [r.id for r in file.rows(start)] == list(first)[start:]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": ids},
            optional={"attributes": st.dictionaries(cells.map("_".__add__), cells | st.integers())},
        ),
        min_size=1,
        max_size=10,
        unique_by=lambda user: str(user["id"]),
    )
)
@settings(max_examples=100, deadline=None)
def test_json_lines_come_back_as_they_were(said: list[dict[str, object]]) -> None:
    text = "".join(json.dumps(user) + "\n" for user in said)
    with open_users("-", inputs={}, stdin=io.BytesIO(text.encode())) as file:
        assert [(r.id, r.attributes) for r in file.rows()] == [
            (user["id"], user.get("attributes", {})) for user in said
        ]


@given(st.binary(max_size=300), st.sampled_from([b"", b"id,a\n", b'{"id": "u1"}\n']), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_users_or_one_line_of_refusal(
    data: bytes, head: bytes, skip_bad: bool
) -> None:
    try:
        file = open_users("-", inputs={}, skip_bad=skip_bad, stdin=io.BytesIO(head + data))
    except UsersFileError as error:
        assert error.message.isprintable()
        return
    with file:
        assert sum(1 for _ in file.rows()) == file.count > 0
