"""An authorization server of Authlib's parts on Flask: rotated refresh tokens, reuse detected."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from flask import Flask, jsonify

from tests.partners.others import Counting, serve

GIVEN: dict[str, Any] = json.loads(sys.argv[1])
AUTH = ["client_secret_basic", "client_secret_post"]
GRANTS = ("client_credentials", "password", "refresh_token")


@dataclass
class Token:
    """A token as Authlib's mixins have it."""

    user: str
    access_token: str
    refresh_token: str
    scope: str
    ends: float
    spent: bool = False
    revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return bool(client.client_id == GIVEN["client"])

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return int(self.ends - time.time())

    def is_expired(self) -> bool:
        return time.time() >= self.ends

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return self.user

    def get_client(self) -> None:
        return None


TOKENS: list[Token] = []


class Client(ClientMixin):
    """The only client."""

    client_id: str = GIVEN["client"]

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_client_secret(self, client_secret: str) -> bool:
        return bool(client_secret == GIVEN["secret"])

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in AUTH

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANTS


class OfClient(grants.ClientCredentialsGrant):
    """Grant client_credentials."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = AUTH


class Password(grants.ResourceOwnerPasswordCredentialsGrant):
    """Grant password."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = AUTH

    def authenticate_user(self, username: str, password: str) -> str | None:
        return username if (username, password) == (GIVEN["user"], GIVEN["password"]) else None


class Refresh(grants.RefreshTokenGrant):
    """Refresh tokens are good once; a second showing ends all of their user (RFC 9700, 4.14.2)."""

    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = AUTH

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        found = next((each for each in TOKENS if each.refresh_token == refresh_token), None)
        if found is not None and found.spent:
            for each in TOKENS:
                each.revoked |= each.user == found.user
        return None if found is None or found.revoked else found

    def authenticate_user(self, refresh_token: Token) -> str:
        return refresh_token.user

    def revoke_old_credential(self, refresh_token: Token) -> None:
        refresh_token.spent = True


class Validator(BearerTokenValidator):
    """What the resource asks."""

    def authenticate_token(self, token_string: str) -> Token | None:
        return next((each for each in TOKENS if each.access_token == token_string), None)


class Revocation(RevocationEndpoint):
    """RFC 7009."""

    CLIENT_AUTH_METHODS: ClassVar = AUTH

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        both = (each for each in TOKENS if token_string in (each.access_token, each.refresh_token))
        return next(both, None)

    def revoke_token(self, token: Token, request: Any) -> None:
        token.revoked = True


def save(token: dict[str, Any], request: Any) -> None:
    """Remember a token that was given."""
    refresh, scope = token.get("refresh_token", ""), token.get("scope", "")
    ends = time.time() + token["expires_in"]
    TOKENS.append(Token(request.user or "", token["access_token"], refresh, scope, ends))


def revoke_all() -> None:
    """No token that was given is good any more; refresh tokens are."""
    for each in TOKENS:
        each.ends = 0.0


def app_at(url: str) -> Flask:
    """The server and its resource."""
    app = Flask("authlib")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = dict.fromkeys(GRANTS, GIVEN["life"])
    client, protected = Client(), ResourceProtector()
    server = AuthorizationServer(app, {client.client_id: client}.get, save)
    for grant in (OfClient, Password, Refresh):
        server.register_grant(grant)
    server.register_endpoint(Revocation)
    protected.register_token_validator(Validator())
    said = {
        "issuer": url,
        "token_endpoint": f"{url}/oauth/token",
        "revocation_endpoint": f"{url}/oauth/revoke",
    }
    metadata = AuthorizationServerMetadata(said)
    tasks = protected()(lambda: (jsonify(id="task"), 201))
    app.post("/oauth/token", endpoint="token")(server.create_token_response)
    app.post("/oauth/revoke", endpoint="revoke")(
        lambda: server.create_endpoint_response("revocation")
    )
    app.post("/api/tasks", endpoint="tasks")(tasks)
    app.get("/.well-known/oauth-authorization-server", endpoint="metadata")(
        lambda: jsonify(metadata)
    )
    return app


def made(url: str) -> tuple[Counting, dict[str, str]]:
    """What is served, and its addresses."""
    addresses = {"issuer": url, "token_url": f"{url}/oauth/token"}
    addresses["revocation_url"] = f"{url}/oauth/revoke"
    return Counting(app_at(url), revoke_all), addresses


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    serve(made)
