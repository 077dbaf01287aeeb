"""TLS contexts: one per set of certificates, public roots unless nothing is checked."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.errors import CallFailure
from engine.wire.tls import MAX_CONTEXTS, Contexts
from engine.wire.transport import Network


def roots() -> list[str]:
    """Some public certificates, as PEM."""
    end = "-----END CERTIFICATE-----\n"
    return [part + end for part in Path(certifi.where()).read_text("utf-8").split(end)[:-1]]


def test_networks_that_differ_in_nothing_of_tls_share_a_context() -> None:
    contexts = Contexts()
    first = contexts.of(Network())
    assert contexts.of(Network(max_response=1, connect_timeout_s=9.0)) is first
    assert contexts.of(Network(verify=False)) is not first
    assert contexts.of(Network(ca=roots()[0])) is not first


def test_servers_are_checked_unless_the_network_says_otherwise() -> None:
    contexts = Contexts()
    checked, careless = contexts.of(Network()), contexts.of(Network(verify=False))
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)
    assert checked.minimum_version == ssl.TLSVersion.TLSv1_2


def test_an_endpoints_own_authority_is_trusted_besides_the_public_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths(cafile=certifi.where()))
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    public = len(roots())
    assert Contexts().of(Network()).cert_store_stats()["x509_ca"] == public
    assert Contexts().of(Network(verify=False)).cert_store_stats()["x509_ca"] == 0


def test_without_a_store_of_the_system_mozillas_roots_are_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", paths)
    stats = Contexts().of(Network()).cert_store_stats()
    assert stats["x509_ca"] == len(roots())


def test_a_folder_of_hashed_certificates_is_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths(capath=str(tmp_path)))
    empty = Contexts().of(Network()).cert_store_stats()
    (tmp_path / "02265526.0").write_text(roots()[0])
    hashed = Contexts().of(Network()).cert_store_stats()
    assert (empty["x509_ca"], hashed["x509_ca"]) == (len(roots()), 0)


def paths(cafile: str | None = None, capath: str | None = None) -> ssl.DefaultVerifyPaths:
    return ssl.DefaultVerifyPaths(
        cafile,  # type: ignore[arg-type]
        capath,  # type: ignore[arg-type]
        *("SSL_CERT_FILE", "/nowhere/cert.pem", "SSL_CERT_DIR", "/nowhere/certs"),
    )


def test_an_encrypted_key_is_an_error_and_no_question_on_the_terminal() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(CallFailure, match="can't be read") as raised:
        Contexts().of(Network(client_certificate=roots()[0] + key.decode()))
    assert raised.value.__cause__ is None


def test_contexts_are_bounded() -> None:
    contexts = Contexts()
    first = contexts.of(Network(verify=False))
    for number in range(MAX_CONTEXTS):
        ca = roots()[0] + "\n" * number
        contexts.of(Network(verify=False, ca=ca))
    assert contexts.of(Network(verify=False)) is not first
