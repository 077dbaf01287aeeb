"""An OAuth 2.0 authorization server (RFC 6749): the token endpoint of three grants, revocation
(RFC 7009), and metadata (RFC 8414).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets as lots
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from tests.partners.partner import Partner
from tests.partners.tokens import TokenBook
from tests.partners.traffic import Reply, Request

NO_STORE = (("cache-control", "no-store"), ("pragma", "no-cache"))


class Refused(Exception):
    """An error answer of RFC 6749 5.2."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


class AuthorizationServer(Partner):
    """Gives tokens for ``POST /oauth/token`` with client_credentials, password, refresh_token.

    ``secrets`` are the client's present secrets, ``users`` the resource owners' passwords.
    ``client_auth`` says how a client may authenticate: ``basic`` (RFC 6749 2.3.1, form-decoded),
    ``raw_basic`` (not decoded, as some servers have it), ``post``, ``none``. ``life`` is a token's
    life in seconds. ``answer_with`` replaces members of the answer, ``answer_without`` takes them
    out. ``malformed`` is one of html, empty, truncated, list, huge, form (form-encoded, which is
    odd and not wrong). ``token`` is given out instead of a fresh one. ``says`` is the description
    of every error. A refresh token that is shown twice ends all tokens of its user (RFC 9700,
    4.14.2).

    ``POST /oauth/revoke`` revokes a token of either kind. ``metadata`` changes members of what
    ``GET /.well-known/oauth-authorization-server`` says; None takes a member out. ``only_openid``
    leaves it to ``/.well-known/openid-configuration``.

    Counts ``token.requests``, ``token.issued``, ``token.grant.GRANT``, ``token.refused.ERROR``,
    ``token.reused``, ``revoked.access_token``, ``revoked.refresh_token``, ``metadata``.
    """

    def __init__(
        self,
        *,
        client: str = "crm-client",
        secrets: Iterable[str] = ("s3cret",),
        users: Mapping[str, str] | None = None,
        scopes: Iterable[str] | None = None,
        client_auth: Iterable[str] = ("basic", "post"),
        life: float = 3600,
        book: TokenBook | None = None,
    ) -> None:
        super().__init__()
        self.client = client
        self.secrets = set(secrets)
        self.users = dict(users or {})
        self.scopes = None if scopes is None else set(scopes)
        self.client_auth = set(client_auth)
        self.life = life
        self.rotate_refresh_tokens = True
        self.give_refresh_tokens = True
        self.answer_with: dict[str, object] = {}
        self.answer_without: list[str] = []
        self.malformed = ""
        self.token = ""
        self.says = ""
        self.metadata: dict[str, object] = {}
        self.only_openid = False
        self.book = book or TokenBook()
        self._refresh_tokens: dict[str, str] = {}
        self._spent: dict[str, str] = {}

    @property
    def token_url(self) -> str:
        """Where tokens are to be had."""
        return f"{self.url}/oauth/token"

    @property
    def revocation_url(self) -> str:
        """Where tokens are revoked."""
        return f"{self.url}/oauth/revoke"

    def rotate(self, secret: str, *, overlap: bool = False, revoke: bool = True) -> None:
        """``secret`` is the client's from now on; the old ones too, with ``overlap``.

        Without it the tokens that the old ones got are revoked, unless ``revoke`` is False.
        """
        old = set() if overlap else self.secrets - {secret}
        self.secrets = (self.secrets | {secret}) - old
        if revoke:
            for each in old:
                self.book.revoke(each)

    def change_rotate(self, how: dict[str, object]) -> None:
        """The same from outside: ``{"secret": ..., "overlap": ..., "revoke": ...}``."""
        self.rotate(**how)  # type: ignore[arg-type]

    def change_revoke(self, _: object) -> None:
        """Revoke all access tokens."""
        self.book.revoke()

    def change_secrets(self, present: list[str]) -> None:
        """The client's secrets from now on; tokens stay."""
        self.secrets = set(present)

    def _reply(self, request: Request) -> Reply:
        if request.path.endswith("/oauth/token"):
            self.counts["token.requests"] += 1
        if self.behaviour.reject:
            self.counts["token.refused.invalid_client"] += 1
            return self._error(Refused("invalid_client", 401), request)
        return super()._reply(request)

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/oauth/revoke"):
            return self._revoke(request)
        if "/.well-known/" in request.path:
            return self._metadata(request)
        if not request.path.endswith("/oauth/token"):
            return Reply.json(404, {"error": "not_found"})
        if request.method != "POST":
            return Reply.json(405, {"error": "method_not_allowed"}, (("allow", "POST"),))
        try:
            form = _form(request)
            credential = self._authenticate(request, form)
            reply = self._issue(form, credential)
        except Refused as refused:
            self.counts[f"token.refused.{refused.error}"] += 1
            return self._error(refused, request)
        request.credential = credential
        return reply

    def _metadata(self, request: Request) -> Reply:
        known = "openid-configuration" if self.only_openid else "oauth-authorization-server"
        if not request.path.endswith(f"/{known}"):
            return Reply.json(404, {"error": "not_found"})
        self.counts["metadata"] += 1
        said: dict[str, object] = {
            "issuer": self.url,
            "token_endpoint": self.token_url,
            "revocation_endpoint": self.revocation_url,
            "grant_types_supported": ["client_credentials"],
        }
        said |= self.metadata
        return Reply.json(200, {name: value for name, value in said.items() if value is not None})

    def _revoke(self, request: Request) -> Reply:
        try:
            form = _form(request)
            self._authenticate(request, form)
        except Refused as refused:
            return self._error(refused, request)
        text = form.get("token", "")
        token, _ = self.book.find(text)
        if token is not None:
            token.revoked = True
            self.counts["revoked.access_token"] += 1
        elif self._refresh_tokens.pop(text, None) is not None:
            self.counts["revoked.refresh_token"] += 1
        return Reply(200)

    def _authenticate(self, request: Request, form: dict[str, str]) -> str:
        header = request.header("authorization")
        if header is not None and "client_secret" in form:
            raise Refused("invalid_request")
        if header is not None:
            how, client, secret = self._basic(header)
        elif "client_secret" in form:
            how, client, secret = "post", form.get("client_id", ""), form["client_secret"]
        elif "none" in self.client_auth and form.get("client_id") == self.client:
            return ""
        else:
            raise Refused("invalid_client", 401)
        if how not in self.client_auth or client != self.client or secret not in self.secrets:
            raise Refused("invalid_client", 401)
        return secret

    def _basic(self, header: str) -> tuple[str, str, str]:
        scheme, _, encoded = header.partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("invalid_client", 401) from None
        if scheme.lower() != "basic":
            raise Refused("invalid_client", 401)
        client, _, secret = pair.partition(":")
        if "raw_basic" in self.client_auth:
            return "raw_basic", client, secret
        return "basic", unquote_plus(client), unquote_plus(secret)

    def _issue(self, form: dict[str, str], credential: str) -> Reply:
        grant = form.get("grant_type", "")
        behind = credential
        if grant == "password":
            user, password = form.get("username", ""), form.get("password", "")
            if not user or self.users.get(user) != password:
                raise Refused("invalid_grant")
            behind = password
        elif grant == "refresh_token":
            behind = self._spend(form.get("refresh_token", ""))
        elif grant != "client_credentials":
            raise Refused("unsupported_grant_type" if grant else "invalid_request")
        scope = form.get("scope", "")
        if self.scopes is not None and not set(scope.split()) <= self.scopes:
            raise Refused("invalid_scope")
        self.counts[f"token.grant.{grant}"] += 1
        self.counts["token.issued"] += 1
        token = self.token or self.book.issue(self.client, behind, scope, self.life)
        said: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self.life),
        }
        if scope:
            said["scope"] = scope
        if grant != "client_credentials" and self.give_refresh_tokens:
            said["refresh_token"] = self._refresh_token(form, behind)
        return self._token_reply(said)

    def _refresh_token(self, form: dict[str, str], behind: str) -> str:
        used = form.get("refresh_token", "")
        if used and not self.rotate_refresh_tokens:
            return used
        fresh = f"rt_{lots.token_urlsafe(24)}"
        self._refresh_tokens[fresh] = behind
        return fresh

    def _spend(self, refresh_token: str) -> str:
        behind = self._refresh_tokens.get(refresh_token)
        reused = self._spent.get(refresh_token)
        if reused is not None:
            self.counts["token.reused"] += 1
            self.book.revoke(reused)
            self._refresh_tokens = {
                token: user for token, user in self._refresh_tokens.items() if user != reused
            }
        if behind is None or (self.users and behind not in self.users.values()):
            raise Refused("invalid_grant")
        if self.rotate_refresh_tokens:
            self._spent[refresh_token] = self._refresh_tokens.pop(refresh_token)
        return behind

    def _token_reply(self, said: dict[str, object]) -> Reply:
        said |= self.answer_with
        for name in self.answer_without:
            said.pop(name, None)
        body = json.dumps(said).encode()
        if self.malformed == "form":
            text = urlencode({name: str(value) for name, value in said.items()})
            kind = (("content-type", "application/x-www-form-urlencoded"),)
            return Reply(200, text.encode(), (*kind, *NO_STORE))
        if self.malformed:
            body = _MALFORMED[self.malformed](body)
        kind_of = "text/html" if self.malformed == "html" else "application/json"
        return Reply(200, body, (("content-type", kind_of), *NO_STORE))

    def _error(self, refused: Refused, request: Request) -> Reply:
        challenge: tuple[tuple[str, str], ...] = ()
        if refused.status == 401 and request.header("authorization") is not None:
            challenge = (("www-authenticate", 'Basic realm="token"'),)
        said = {"error": refused.error} | ({"error_description": self.says} if self.says else {})
        return Reply.json(refused.status, said, (*NO_STORE, *challenge))


_MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "html": lambda body: b"<html><body>Welcome to the proxy</body></html>",
    "empty": lambda body: b"",
    "truncated": lambda body: body[: len(body) // 2],
    "list": lambda body: b"[" + body + b"]",
    "huge": lambda body: body[:-1] + b', "padding": "' + b"x" * (1 << 20) + b'"}',
}


def _form(request: Request) -> dict[str, str]:
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json":
        said = request.json()
        if not isinstance(said, dict):
            raise Refused("invalid_request")
        return {name: str(value) for name, value in said.items()}
    if request.body and kind != "application/x-www-form-urlencoded":
        raise Refused("invalid_request")
    body = request.body or urlsplit(request.target).query.encode()
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    if len(dict(pairs)) != len(pairs):  # RFC 6749 3.2: parameters must not be repeated
        raise Refused("invalid_request")
    return dict(pairs)
