"""What a server sends back of a credential is taken out of its answer, before anybody sees it.

Some servers repeat the request in their error page; from there it would reach step history, users'
attributes and reports. Pure, and cheap where nothing is found: a handful of searches per answer.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.core.message import Answer
from engine.credentials.credential import Credential
from engine.telemetry.redact import MASK, encodings

SHORTEST = 8
"""A shorter secret stands in honest answers by chance, and taking it out would spoil them."""


def without_echo(answer: Answer, credential: Credential) -> Answer:
    """``answer`` with every form of the credential's secrets as ``[redacted]``."""
    forms = _forms(credential.secrets)
    if not forms:
        return answer
    body = answer.body
    for form, mask in forms:
        if form in body:
            body = body.replace(form, mask)
    headers = answer.headers
    said = "\n".join(headers.values()).encode(errors="surrogateescape")
    if any(form in said for form, _ in forms):
        headers = {name: _without(value, forms) for name, value in headers.items()}
    if body is answer.body and headers is answer.headers:
        return answer
    return replace(answer, body=body, headers=headers)


def _without(value: str, forms: tuple[tuple[bytes, bytes], ...]) -> str:
    text = value.encode(errors="surrogateescape")
    for form, mask in forms:
        text = text.replace(form, mask)
    return text.decode(errors="surrogateescape")


@lru_cache(maxsize=1024)
def _forms(secrets: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Every form to look for with what takes its place, the longest first: one may hold another."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= SHORTEST
        for form in encodings(secret)
        if len(form) >= SHORTEST
    }
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return tuple((form.encode(errors="surrogatepass"), MASK.encode()) for form in ordered)
