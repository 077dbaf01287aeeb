"""The partners of the demo: a CRM behind OAuth, a loyalty API behind Basic, a keyed messenger; and
a help desk behind a bearer token that doesn't change by itself.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import zlib
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from tests.partners.partner import Protected
from tests.partners.tokens import TokenBook
from tests.partners.traffic import Reply, Request

_SCORE = re.compile(r"/users/([^/]+)/score$")
_MEMBER = re.compile(r"/members/([^/]+)$")


class CRM(Protected):
    """``GET|POST /users/ID/score`` and ``POST /tasks``, for bearers of the book's tokens.

    Counts ``score``, ``tasks`` and, by cause, ``401.missing|unknown|expired|revoked``,
    ``403.insufficient_scope``.
    """

    def __init__(self, book: TokenBook, *, scope: str = "", prefix: str = "Bearer") -> None:
        super().__init__()
        self.book = book
        self.scope = scope
        self.prefix = prefix

    def challenge(self, request: Request) -> Reply | None:
        scheme, _, text = (request.header("authorization") or "").partition(" ")
        if scheme.lower() != self.prefix.lower() or not text:
            return self.refused("missing", ("www-authenticate", 'Bearer realm="crm"'))
        token, wrong = self.book.find(text)
        if token is None or wrong:
            said = f'Bearer realm="crm", error="invalid_token", error_description="{wrong}"'
            return self.refused(wrong, ("www-authenticate", said))
        if self.scope and self.scope not in token.scope.split():
            self.counts["403.insufficient_scope"] += 1
            said = f'Bearer error="insufficient_scope", scope="{self.scope}"'
            return Reply.json(403, {"error": "forbidden"}, (("www-authenticate", said),))
        request.credential = token.secret
        return None

    def answer(self, request: Request) -> Reply:
        scored = _SCORE.search(request.raw_path)
        if scored and request.method in ("GET", "POST"):
            self.counts["score"] += 1
            user = scored[1]
            return Reply.json(200, {"user": user, "score": score(user)})
        if request.path.endswith("/tasks") and request.method == "POST":
            self.counts["tasks"] += 1
            return Reply.json(201, {"id": f"task_{self.counts['tasks']}"})
        return Reply.json(404, {"error": "not found"})


def score(user: str) -> int:
    """A user's score, the same each time: 0 to 999."""
    return zlib.crc32(user.encode()) % 1000


class Loyalty(Protected):
    """``GET /members/ID``, ``POST /coupons``, ``POST /points``, behind Basic (RFC 7617, UTF-8).

    ``passwords`` are the present ones by user name, one each or several. Counts ``members``,
    ``coupons``, ``points``, ``401.missing|malformed|unknown_user|wrong_password``.
    """

    def __init__(self, passwords: Mapping[str, str | Iterable[str]]) -> None:
        super().__init__()
        self.passwords: dict[str, str | Iterable[str]] = dict(passwords)

    def challenge(self, request: Request) -> Reply | None:
        realm = ("www-authenticate", 'Basic realm="loyalty", charset="UTF-8"')
        scheme, _, encoded = (request.header("authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            return self.refused("missing", realm)
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return self.refused("malformed", realm)
        present = self.passwords.get(user)
        if present is None or not colon:
            return self.refused("unknown_user", realm)
        if password not in ([present] if isinstance(present, str) else list(present)):
            return self.refused("wrong_password", realm)
        request.credential = password
        return None

    def answer(self, request: Request) -> Reply:
        member = _MEMBER.search(request.path)
        if member and request.method == "GET":
            self.counts["members"] += 1
            points = score(member[1])
            return Reply.json(
                200, {"tier": "gold" if points >= 500 else "silver", "points": points}
            )
        for kind in ("coupons", "points"):
            if request.path.endswith(f"/{kind}") and request.method == "POST":
                self.counts[kind] += 1
                return Reply.json(201, {"code": f"C-{self.counts[kind]:06d}"})
        return Reply.json(404, {"error": "not found"})


class Messenger(Protected):
    """``POST /messages`` behind API keys: every pair (name → value or values) must be there.

    ``place`` is header, query or body (a member of a JSON object, or a form's parameter). Counts
    ``messages``, ``401.missing``, ``401.wrong_key``.
    """

    def __init__(self, keys: Mapping[str, str | Iterable[str]], *, place: str = "header") -> None:
        super().__init__()
        self.keys: dict[str, str | Iterable[str]] = dict(keys)
        self.place = place

    def challenge(self, request: Request) -> Reply | None:
        for name, present in self.keys.items():
            brought = self._brought(request, name)
            if brought is None:
                return self.refused("missing")
            good = [present] if isinstance(present, str) else list(present)
            if not any(hmac.compare_digest(brought.encode(), key.encode()) for key in good):
                return self.refused("wrong_key")
            request.credential = brought
        return None

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/messages") and request.method == "POST":
            self.counts["messages"] += 1
            return Reply.json(202, {"id": f"msg_{self.counts['messages']}"})
        return Reply.json(404, {"error": "not found"})

    def _brought(self, request: Request, name: str) -> str | None:
        if self.place == "header":
            return request.header(name)
        if self.place == "query":
            return request.query.get(name)
        said = request.json()
        if isinstance(said, dict):
            value = said.get(name)
            return value if isinstance(value, str) else None
        return dict(parse_qsl(request.body.decode("utf-8", "replace"))).get(name)


class Desk(Protected):
    """``POST /tickets`` for ``Authorization: PREFIX TOKEN`` with one of the fixed ``tokens``; with
    an empty prefix the token stands alone. Counts ``tickets``, ``401.missing|unknown``.
    """

    def __init__(self, tokens: Iterable[str], *, prefix: str = "Bearer") -> None:
        super().__init__()
        self.tokens = set(tokens)
        self.prefix = prefix

    def challenge(self, request: Request) -> Reply | None:
        brought = request.header("authorization")
        expected = f"{self.prefix} " if self.prefix else ""
        if brought is None or not brought.startswith(expected):
            return self.refused("missing", ("www-authenticate", 'Bearer realm="desk"'))
        token = brought.removeprefix(expected)
        if token not in self.tokens:
            return self.refused("unknown", ("www-authenticate", 'Bearer error="invalid_token"'))
        request.credential = token
        return None

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/tickets") and request.method == "POST":
            self.counts["tickets"] += 1
            return Reply.json(201, {"id": f"ticket_{self.counts['tickets']}"})
        return Reply.json(404, {"error": "not found"})
