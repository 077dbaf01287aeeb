"""Token servers as they are: over a hundred answers, right, odd and wrong, each under a path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.partners.partner import Partner
from tests.partners.traffic import Reply, Request

TOKEN = "odd-token_1.~+/="
"""The access token in all of them."""

JSON = ("content-type", "application/json")


@dataclass(frozen=True)
class Odd:
    """An answer; ``failure`` is a piece of what must be said of it, '' where it is a token."""

    name: str
    reply: Reply
    failure: str = ""


class OddTokens(Partner):
    """Answers ``POST /NAME`` with the answer of that name."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = {odd.name: odd for odd in odd_answers()}

    def answer(self, request: Request) -> Reply:
        odd = self.answers.get(request.path.strip("/"))
        return Reply.json(404, {}) if odd is None else odd.reply


def odd_answers() -> list[Odd]:
    """All of them, by names that are theirs alone."""
    found = [*_lives(), *_members(), *_tokens(), *_bodies(), *_types(), *_errors(), *_statuses()]
    assert len({odd.name for odd in found}) == len(found)
    return found


def _said(**members: object) -> bytes:
    return json.dumps({"access_token": TOKEN, "token_type": "Bearer"} | members).encode()


def _json(body: bytes, status: int = 200, *headers: tuple[str, str]) -> Reply:
    return Reply(status, body, (JSON, *headers))


def _lives() -> Iterator[Odd]:
    lives: list[object] = [3600, "3600", 3599.5, "3599.5", " 60 ", None, 0, -1, "", "soon", True]
    lives += [[], {}, 1e12, 10**30, "-5", "1e999", "0x10", "Infinity", "1_000", "9" * 40]
    for at, life in enumerate(lives):
        yield Odd(f"life_{at}", _json(_said(expires_in=life)))
    yield Odd("life_absent", _json(_said()))


def _members() -> Iterator[Odd]:
    for at, kind in enumerate(["bearer", "BEARER", "", None, 5, "Token", ["Bearer"]]):
        yield Odd(f"type_{at}", _json(_said(token_type=kind)))
    for kind in ("mac", "DPoP", "N_A"):
        yield Odd(f"type_{kind.lower()}", _json(_said(token_type=kind)), "another type than Bearer")
    refreshing: list[object] = [None, "", 7, [], "r\r\nx: y", "ü", "r" * 40_000]
    for at, refresh in enumerate(refreshing):
        yield Odd(f"refresh_{at}", _json(_said(refresh_token=refresh)))
    for at, error in enumerate(["", None]):
        yield Odd(f"no_error_{at}", _json(_said(error=error)))
    yield Odd("more_members", _json(_said(**{f"m{n}": n for n in range(500)})))


def _tokens() -> Iterator[Odd]:
    yield Odd("token_absent", _json(b'{"token_type": "Bearer"}'), "no access_token")
    for at, token in enumerate([None, ""]):
        yield Odd(f"token_none_{at}", _json(_said(access_token=token)), "no access_token")
    no_texts: list[object] = [7, [], {}, True, [TOKEN]]
    for at, no_text in enumerate(no_texts):
        yield Odd(f"token_no_text_{at}", _json(_said(access_token=no_text)), "is no text")
    unsendable = [
        "a b",
        " a",
        "a\n",
        "a\r\nx: y",
        "a\tb",
        "a\x00b",
        "a\x7f",
        "tökén",
        "🔑",
        "a" * 40_000,
    ]
    for at, text in enumerate(unsendable):
        odd = _json(_said(access_token=text))
        yield Odd(f"token_unsendable_{at}", odd, "can't be sent in a header")


def _bodies() -> Iterator[Odd]:
    good, neither = _said(expires_in=60), "neither JSON nor a form"
    fine = {
        "mark": b"\xef\xbb\xbf" + good,
        "blanks": b"\r\n\t " + good + b"\n\n",
        "form": b"access_token=odd-token_1.~%2B%2F%3D&expires_in=60&token_type=bearer",
        "escapes": good.replace(b"odd", b"\\u006fdd"),
        "just_small_enough": good[:-1] + b', "x": "' + b"x" * 200_000 + b'"}',
    }
    for name, body in fine.items():
        yield Odd(f"body_{name}", _json(body))
    wrong = {
        "empty": b"",
        "blank": b" \n",
        "null": b"null",
        "true": b"true",
        "number": b"42",
        "text": b'"odd-token"',
        "list": b"[" + good + b"]",
        "twice": good + good,
        "garbage_after": good + b"x",
        "truncated": good[:-5],
        "repeated_key": good[:-1] + b', "access_token": "other"}',
        "nan": good[:-1] + b', "x": NaN}',
        "deep": b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}",
        "utf16": good.decode().encode("utf-16"),
        "latin1": good[:-1] + b', "x": "\xfc"}',
        "single_quotes": good.replace(b'"', b"'"),
        "html": b"<html><body>Welcome to the proxy</body></html>",
        "xml": b"<?xml version='1.0'?><token>odd-token</token>",
        "plain": b"odd-token",
    }
    for name, body in wrong.items():
        yield Odd(f"body_{name}", _json(body), neither)
    yield Odd("body_object", _json(b"{}"), "no access_token")
    huge = good[:-1] + b', "x": "' + b"x" * 400_000 + b'"}'
    yield Odd("body_huge", _json(huge), "gave no answer")
    packed = Reply(200, good, (JSON, ("content-encoding", "gzip")))
    yield Odd("body_packed", packed, "gave no answer")


def _types() -> Iterator[Odd]:
    types = ["text/html", "text/plain; charset=latin-1", "application/octet-stream", "nonsense"]
    types += ["application/json;charset=UTF-8", "application/problem+json", "multipart/form-data"]
    for at, kind in enumerate(types):
        yield Odd(f"content_{at}", Reply(200, _said(), (("content-type", kind),)))
    yield Odd("content_none", Reply(200, _said()))


def _errors() -> Iterator[Odd]:
    codes = ["invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client"]
    codes += ["unsupported_grant_type", "invalid_request", "invalid_target", "access_denied"]
    for code in codes:
        body = json.dumps({"error": code, "error_description": "no\r\nmore \x1b[31m"}).encode()
        yield Odd(f"error_{code}", _json(body, 400), f"400 {code}")
        yield Odd(f"error_200_{code}", _json(body), f"200 {code}")
    odd: list[object] = [5, ["x"], {"code": "invalid_client"}, {"message": "x"}, "x" * 90, "a b"]
    for at, error in enumerate(odd):
        body = json.dumps({"error": error}).encode()
        yield Odd(f"error_odd_{at}", _json(body, 401), "answered 401")
    yield Odd("error_with_token", _json(_said(error="invalid_client")), "200 invalid_client")


def _statuses() -> Iterator[Odd]:
    for status in (201, 202, 206, 299):
        yield Odd(f"status_{status}", _json(_said(), status))
    yield Odd("status_204", Reply(204), "neither JSON nor a form")
    for status in (301, 302, 303, 307, 308):
        reply = _json(_said(), status, ("location", "/life_0"))
        yield Odd(f"status_{status}", reply, f"redirects ({status})")
    for status in (400, 401, 403, 404, 405, 409, 410, 415, 418, 422, 451, 499):
        yield Odd(f"status_{status}", _json(_said(), status), f"answered {status}")
    for status in (408, 425, 429, 500, 501, 502, 503, 504, 511, 599):
        yield Odd(f"status_{status}", Reply(status, b"<h1>Busy</h1>"), f"answered {status}")
    for at, after in enumerate(["soon", "-5", "9" * 30, "", "Wed, 21 Oct 2099 07:28:00 GMT"]):
        reply = Reply(429, b"", (("retry-after", after),))
        yield Odd(f"retry_after_{at}", reply, "answered 429")
    yield Odd("reset", Reply(abort=True), "gave no answer")
    yield Odd("closed", Reply(pieces=[], close=True), "gave no answer")
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"
    yield Odd("half", Reply(pieces=[(0.0, half)], close=True), "gave no answer")
    yield Odd("no_http", Reply(pieces=[(0.0, b"220 mail ESMTP\r\n\r\n")], close=True), "no answer")
