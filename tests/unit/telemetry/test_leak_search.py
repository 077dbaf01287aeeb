from __future__ import annotations

import io
import json
from base64 import b64encode
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from engine.telemetry import leak_search
from engine.telemetry.leak_search import LeakSearch

SECRET = 'cnry-search/+&"secret é 1'
WAYS = {
    "plain": SECRET,
    "percent": quote(SECRET, safe=""),
    "percent, lower case": quote(SECRET, safe="").replace("%2B", "%2b").lower(),
    "form": quote_plus(SECRET),
    "JSON": json.dumps(SECRET),
    "HTML": escape(SECRET),
    "hex": SECRET.encode().hex(),
    "base64 of a pair": b64encode(f"bot:{SECRET}".encode()).decode(),
}
"""The eight encodings."""
FILLER: list[tuple[str, str | bytes]] = [("filler", f"cnry-other-{n:06}-value") for n in range(60)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_a_secret_is_found_in_each_encoding(way: str, many: bool) -> None:
    search = LeakSearch([("crm.token", SECRET), *(FILLER if many else ())])
    content = b"x" * 1_000 + WAYS[way].encode() + b"y" * 1_000
    found = search.find(content)
    assert list(found) == ["crm.token"]
    assert 1_000 <= found["crm.token"] < 1_000 + len(WAYS[way].encode())
    assert search.find(b"nothing to see " * 100) == {}


def test_each_secret_is_told_with_its_first_place() -> None:
    secrets: list[tuple[str, str | bytes]] = [
        ("a", "first-secret-value"),
        ("b", "second-secret-value"),
        ("c", bytes(range(32))),
    ]
    content = b"..second-secret-value..first-secret-value.." + bytes(range(32))
    assert LeakSearch(secrets).find(content * 2) == {"b": 2, "a": 23, "c": 43}
    assert LeakSearch([]).find(content) == {}


def test_secrets_that_begin_alike_or_lie_in_one_another_are_all_found() -> None:
    secrets = [("a", "aaaaaaaaaaab"), ("b", "aaaaaaaaaaac"), ("c", "aaaaaaaab")]
    assert LeakSearch(secrets).find(b"aaaaaaaaaaaaab..aaaaaaaaaaac") == {"a": 2, "c": 5, "b": 16}


def test_a_secret_over_the_edge_of_two_blocks_is_found_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leak_search, "_BLOCK", 64)
    search = LeakSearch([("crm.token", "first-secret-value")])
    for before in (0, 1, 50, 63, 64, 65, 127, 1_000):
        file = io.BytesIO(b"x" * before + b"first-secret-value" + b"y" * 100)
        assert search.find_in_file(file) == {"crm.token": before}
    assert search.find_in_file(io.BytesIO(b"first-secret-valu" * 20)) == {}


def test_what_is_too_short_is_named_and_its_longer_encodings_are_found() -> None:
    search = LeakSearch([("crm.password", "secret")])
    assert search.too_short == ["crm.password"]
    assert search.find(b'{"client_secret": {"sealed": true}}') == {}
    assert search.find(b64encode(b"xyzsecret")) != {}
    assert search.find(b"secret".hex().encode()) != {}


@pytest.mark.parametrize("form", [bytes(range(32)), bytes(range(32)).hex().upper().encode()])
def test_a_key_is_found_in_bytes_and_in_hex(form: bytes) -> None:
    assert LeakSearch([("key", bytes(range(32)))]).find(b".." + form) == {"key": 2}
