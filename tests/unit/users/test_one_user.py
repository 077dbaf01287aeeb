from __future__ import annotations

import pytest

from engine.users.files import UserRow, UsersFileError, one_user


def test_a_setting_is_json_if_it_parses_and_text_otherwise() -> None:
    row = one_user(
        "u1", ["n=7", "s=seven", 'o={"a": [1]}', "e=", "q=a=b", "x=NaN", "timezone=UTC"], [], {}
    )
    assert row == UserRow(
        0, "u1", "UTC", {"n": 7, "s": "seven", "o": {"a": [1]}, "e": "", "q": "a=b", "x": "NaN"}, {}
    )


def test_a_declared_text_input_keeps_its_text() -> None:
    row = one_user("u1", [], ["code=007", "n=7"], {"code": "text", "n": "number"})
    assert row.inputs == {"code": "007", "n": 7}


@pytest.mark.parametrize(
    ("settings", "inputs", "said"),
    [
        (["x"], ["c=a"], "write NAME=VALUE"),
        (["=x"], ["c=a"], "write NAME=VALUE"),
        (["x=1", "x=2"], ["c=a"], "stands twice"),
        (["id=u2"], ["c=a"], "use --user ID"),
        (["timezone=Mars"], ["c=a"], "unknown"),
        ([], [], "the input 'c' is missing; say --input c=VALUE"),
        ([], ["c=a", "d=b"], "no input 'd'"),
    ],
)
def test_what_does_not_fit_is_refused(settings: list[str], inputs: list[str], said: str) -> None:
    with pytest.raises(UsersFileError, match=said):
        one_user("u1", settings, inputs, {"c": "text"})


def test_the_id_is_checked_too() -> None:
    with pytest.raises(UsersFileError, match="control character"):
        one_user("u\t1", [], [], {})
