"""Requests to the token server, byte for byte: for a token (RFC 6749, 2.3.1, 4.3, 4.4 and 6), and
to revoke one (RFC 7009). Pure.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from engine.core import guarded_json
from engine.core.message import Request
from engine.credentials.kinds.base import Place, value_of
from engine.credentials.kinds.oauth2 import OAuth2

Fields = list[tuple[str, str]]

_FORM = "application/x-www-form-urlencoded"


def token_request(
    profile: OAuth2, url: str, values: Mapping[str, str], refresh_token: str | None = None
) -> Request:
    """What to send to the token server at ``url``: the refresh token's request, or the grant's own.

    ``values`` are the opened secret fields, already found to have no problem.
    """
    fields = _grant(profile, values, refresh_token)
    headers = _authenticated(profile, values, fields)
    fields += _parameters(profile, values, "body")
    for name, value in _parameters(profile, values, "header"):
        headers = [each for each in headers if each[0] != name.lower()]
        headers.append((name.lower(), value))
    in_query = _parameters(profile, values, "query")
    if profile.body == "query":
        return Request("POST", _with_query(url, fields + in_query), tuple(headers))
    content_type, body = _encoded(profile, fields)
    headers.append(("content-type", content_type))
    return Request("POST", _with_query(url, in_query), tuple(headers), body)


def revocation_request(
    profile: OAuth2, url: str, values: Mapping[str, str], token: str, hint: str
) -> Request:
    """What to send so that ``token`` is good no more; ``hint`` is its kind (RFC 7009, 2.1)."""
    fields = [("token", token), ("token_type_hint", hint)]
    headers = _authenticated(profile, values, fields)
    headers.append(("content-type", _FORM))
    return Request("POST", url, tuple(headers), urlencode(fields).encode())


def _authenticated(profile: OAuth2, values: Mapping[str, str], fields: Fields) -> Fields:
    """The headers that say who asks; where the body says it, ``fields`` get it."""
    headers: Fields = [("accept", "application/json")]
    client_id = value_of("client_id", profile.client_id, values)
    if profile.client_auth == "basic":
        secret = values["client_secret"]
        headers.append(("authorization", _basic(profile, client_id, secret)))
    else:
        fields.append(("client_id", client_id))
    if profile.client_auth == "post":
        fields.append(("client_secret", values["client_secret"]))
    return headers


def _grant(profile: OAuth2, values: Mapping[str, str], refresh_token: str | None) -> Fields:
    if refresh_token is not None:
        fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
    else:
        fields = [("grant_type", profile.grant)]
        if profile.grant == "password" and profile.username is not None:
            fields.append(("username", value_of("username", profile.username, values)))
            fields.append(("password", values["password"]))
    if profile.scope:
        fields.append(("scope", profile.scope))
    return fields


def _basic(profile: OAuth2, client_id: str, secret: str) -> str:
    if profile.basic_encoding == "form":
        # RFC 6749, 2.3.1: real servers answer 401 to ids and secrets that aren't form-encoded. A
        # space is %20 and not +, which some (Authlib) don't decode; every form decoder knows both.
        client_id, secret = quote(client_id, safe=""), quote(secret, safe="")
    return "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()


def _parameters(profile: OAuth2, values: Mapping[str, str], place: Place) -> Fields:
    return [
        (each.name, value_of(f"parameters.{each.name}", each.value, values))
        for each in profile.parameters
        if each.place == place
    ]


def _encoded(profile: OAuth2, fields: Fields) -> tuple[str, bytes]:
    if profile.body == "form":
        return _FORM, urlencode(fields).encode()
    document: dict[str, object] = {}
    for name, value in fields:
        present = document.get(name)
        if present is None:
            document[name] = value
        else:
            document[name] = [*(present if isinstance(present, list) else [present]), value]
    return "application/json", guarded_json.dumps(document)


def _with_query(url: str, fields: Fields) -> str:
    if not fields:
        return url
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields)
    return f"{url}{'&' if '?' in url else '?'}{added}"
