"""TLS of an endpoint: whom we trust, and who we say we are."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from engine.errors import CallFailure
from engine.wire.transport import Network

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_CONTEXTS = 256


class Contexts:
    """TLS contexts by what an endpoint's network asks for; making one reads all public roots."""

    def __init__(self) -> None:
        self._made: dict[tuple[bool, str | None, str | None], ssl.SSLContext] = {}

    def of(self, network: Network) -> ssl.SSLContext:
        """The context for ``network``.

        Raises ``CallFailure`` (``call.unreachable``) where its certificates can't be read.
        """
        key = (network.verify, network.ca, network.client_certificate)
        context = self._made.get(key)
        if context is None:
            if len(self._made) >= MAX_CONTEXTS:
                del self._made[next(iter(self._made))]
            try:
                context = self._made[key] = _make(network)
            except (ssl.SSLError, OSError, ValueError, TypeError):
                # Without its cause: that may quote the key.
                raise CallFailure(
                    "the endpoint's CA or client certificate can't be read",
                    code="call.unreachable",
                ) from None
        return context

    def keep(self, certificates: Collection[str]) -> None:
        """Forget the contexts that show a client certificate which is none of these."""
        gone = [key for key in self._made if key[2] is not None and key[2] not in certificates]
        for key in gone:
            del self._made[key]


def _make(network: Network) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not network.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Any certificate given is an anchor, also one that another authority signed.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if network.ca is not None:
        context.load_verify_locations(cadata=network.ca)
    if network.client_certificate is not None:
        show_certificate(context, network.client_certificate)
    if network.verify:
        _trust_public_roots(context)
    return context


def _trust_public_roots(context: ssl.SSLContext) -> None:
    """The system's roots, to which companies add their own; where it has none, Mozilla's."""
    paths = ssl.get_default_verify_paths()
    hashed = paths.capath if paths.capath and any(Path(paths.capath).glob("*.0")) else None
    if hashed and paths.cafile in (None, paths.openssl_cafile):
        # One certificate is read when it is asked for, not all of them for every endpoint.
        context.load_verify_locations(capath=hashed)
    elif hashed or paths.cafile:
        context.load_default_certs()
    else:
        context.load_verify_locations(certifi.where())


def show_certificate(context: ssl.SSLContext, pem: str) -> None:
    """Let ``context`` show a certificate chain, with its key, from text.

    OpenSSL reads them from files only. Raises ``ssl.SSLError``, ``OSError`` or ``ValueError`` where
    it can't; what they say may quote the key.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
    else:
        # Readable by nobody else, and gone before anybody could be shown it.
        descriptor, path = tempfile.mkstemp()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        try:
            file.write(pem)
            file.flush()
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(path, password="")
        finally:
            if not path.startswith("/proc/"):
                Path(path).unlink()
