"""Certificates as people give them, in PEM: whether they can be used, and when they end."""

from __future__ import annotations

import re
from functools import lru_cache

_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_BEGIN = "-----BEGIN CERTIFICATE-----"
_REMEDY = "`openssl pkcs12 -in FILE.p12 -nodes` makes such a text of a .p12"


def ca_problem(pem: str) -> str | None:
    """Why ``pem`` can't be trusted as an authority's certificates; None if it can."""
    if _BEGIN not in pem:
        return f"holds no certificate in PEM ({_BEGIN} …)"
    if _KEY.search(pem):
        return "holds a private key, which has no place here: give only certificates"
    import ssl  # noqa: PLC0415 - most files hold no certificate

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return "holds a certificate that can't be read"
    return None


@lru_cache(maxsize=64)
def client_certificate_problem(pem: str) -> str | None:
    """Why ``pem`` can't be shown to a server; None if it can: a certificate, perhaps the chain
    above it, and its private key without a password. Says nothing of the key.
    """
    if _BEGIN not in pem:
        return f"holds no certificate in PEM ({_BEGIN} …); {_REMEDY}"
    if "ENCRYPTED" in pem:
        return "holds a private key with a password; `openssl pkey` takes it away"
    if not _KEY.search(pem):
        return f"holds no private key; it is given in one text with its certificate; {_REMEDY}"
    import ssl  # noqa: PLC0415

    from engine.wire.tls import show_certificate  # noqa: PLC0415

    try:
        show_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pem)
    except (ssl.SSLError, OSError, ValueError):
        return "holds a certificate and a key that can't be read, or don't belong together"
    return None


def ends_on(pem: str) -> str | None:
    """The date (UTC, as in 2027-03-31) on which the first certificate in ``pem`` ends; None where
    it can't be read.
    """
    from cryptography import x509  # noqa: PLC0415 - brings OpenSSL, and few commands need it

    try:
        first = pem[pem.index(_BEGIN) :].encode()
        return x509.load_pem_x509_certificate(first).not_valid_after_utc.date().isoformat()
    except ValueError:
        return None
