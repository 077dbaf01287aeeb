"""Certificates, good and bad, and ports that speak something else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.wire.transport import Network
from tests.contract.wire_servers import (
    TRANSPORTS,
    Connection,
    Kind,
    a_request,
    answering,
    assert_failed,
    keeping_alive,
    opened,
    resolving,
    run,
    serving,
)

pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own; its leaves are PEM: certificate, then key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def leaf(self, host: str, begins: timedelta = -DAY, ends: timedelta = DAY) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _certificate(host, key, self.certificate.subject, self.key, begins, ends)
        return _pem(signed, key)


def _certificate(
    host: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    begins: timedelta,
    ends: timedelta,
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(host))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()


def _authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, _certificate(name, key, _name(name), key, -DAY, DAY, authority=True))


AUTHORITY = _authority("authority.test")
STRANGER = _authority("stranger.test")
TRUSTING = Network(ca=AUTHORITY.pem)
Context = Callable[[str], ssl.SSLContext]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A server's side of TLS from PEM."""

    def make(pem: str) -> ssl.SSLContext:
        file = tmp_path / "server.pem"
        file.write_text(pem)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        return made

    return make


def _self_signed() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    host = "service.test"
    return _pem(_certificate(host, key, _name(host), key, -DAY, DAY), key)


REFUSED = [
    ("self-signed", _self_signed(), "certificate from an unknown issuer"),
    ("a stranger's", STRANGER.leaf("service.test"), "certificate from an unknown issuer"),
    ("expired", AUTHORITY.leaf("service.test", -9 * DAY, -DAY), "certificate expired"),
    ("not yet valid", AUTHORITY.leaf("service.test", DAY, 9 * DAY), "certificate not valid yet"),
    ("another name's", AUTHORITY.leaf("other.test"), "certificate of another name"),
]


@pytest.mark.parametrize(
    ("pem", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_bad_certificate_stops_the_request_before_it_is_sent(
    kind: Kind, context: Context, pem: str, text: str
) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        async with (
            serving(keeping_alive(), tls=context(pem)) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            answer = await transport.send(request, 2.0, network=TRUSTING)
            assert_failed(answer, "call.unreachable", text, sent=False)
            assert server.seen == []
            careless = await transport.send(request, 2.0, network=Network(verify=False))
            assert careless.status == 200

    run(kind, scenario())


def test_a_good_certificate_of_the_endpoints_own_authority_is_trusted(
    kind: Kind, context: Context
) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        tls = context(AUTHORITY.leaf("service.test"))
        async with (
            serving(keeping_alive(), tls=tls) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            for _ in range(3):
                assert (await transport.send(request, 2.0, network=TRUSTING)).status == 200
            assert server.connections == 1
            # Trust belongs to this endpoint: another one calling the same host has none of it.
            assert (await transport.send(request, 2.0)).failure == "call.unreachable"

    run(kind, scenario())


@pytest.mark.parametrize("cut", [False, True])
def test_over_tls_an_answer_without_a_length_is_whole_only_if_tls_ended_well(
    kind: Kind, context: Context, cut: bool
) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        tls = context(AUTHORITY.leaf("service.test"))
        behave = answering(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", then_reset=cut)
        async with (
            serving(behave, tls=tls) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            answer = await transport.send(request, 2.0, network=TRUSTING)
            if cut:
                text = "closed in the middle of the answer"
                assert_failed(answer, "call.unreachable", text, sent=True)
            else:
                assert (answer.status, answer.body) == (200, b"until the end")

    run(kind, scenario())


@pytest.mark.parametrize("cut", [False, True])
def test_over_tls_a_kept_connection_that_ends_is_a_failure_at_once(
    kind: Kind, context: Context, cut: bool
) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await connection.request()
        if cut:
            connection.reset()

    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        tls = context(AUTHORITY.leaf("service.test"))
        async with (
            serving(once, tls=tls) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            for _ in range(5):
                assert (await transport.send(request, 2.0, network=TRUSTING)).status == 200
                answer = await transport.send(request, 2.0, network=TRUSTING)
                assert_failed(answer, "call.unreachable", "closed before an answer", sent=True)

    run(kind, scenario())


def test_the_name_is_asked_for_and_http_1_1_with_it(kind: Kind, context: Context) -> None:
    asked: list[str | None] = []

    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        tls = context(AUTHORITY.leaf("service.test"))
        tls.sni_callback = lambda _object, name, _context: asked.append(name)
        tls.set_alpn_protocols(["h2", "http/1.1"])
        spoken: list[str | None] = []

        async def behave(connection: Connection) -> None:
            spoken.append(connection.writer.get_extra_info("ssl_object").selected_alpn_protocol())
            await keeping_alive()(connection)

        async with (
            serving(behave, tls=tls) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            assert (await transport.send(request, 2.0, network=TRUSTING)).status == 200
        assert (asked, spoken) == (["service.test"], ["http/1.1"])

    run(kind, scenario())


def test_a_client_certificate_is_shown(kind: Kind, context: Context) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        tls = context(AUTHORITY.leaf("service.test"))
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(cadata=AUTHORITY.pem)
        mutual = Network(ca=AUTHORITY.pem, client_certificate=AUTHORITY.leaf("client.test"))
        async with (
            serving(keeping_alive(), tls=tls) as server,
            opened(kind, lookup=lookup) as transport,
        ):
            request = a_request(server.url("service.test"))
            assert (await transport.send(request, 2.0, network=mutual)).status == 200
            without = await transport.send(request, 2.0, network=TRUSTING)
            assert without.failure == "call.unreachable"
            assert len(server.seen) == 1

    run(kind, scenario())


def test_tls_to_a_plain_port_was_never_sent(kind: Kind) -> None:
    async def plain(connection: Connection) -> None:
        await connection.reader.read(5)
        await connection.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def scenario() -> None:
        async with serving(plain) as server, opened(kind) as transport:
            request = a_request(server.url().replace("http:", "https:"))
            answer = await transport.send(request, 2.0)
            assert_failed(answer, "call.unreachable", "the port doesn't speak TLS", sent=False)

    run(kind, scenario())


def test_plain_to_a_tls_port_is_a_failure(kind: Kind, context: Context) -> None:
    async def scenario() -> None:
        tls = context(AUTHORITY.leaf("service.test"))
        async with serving(keeping_alive(), tls=tls) as server, opened(kind) as transport:
            request = a_request(server.url().replace("https:", "http:"))
            answer = await transport.send(request, 2.0)
            assert answer.failure in ("call.unreachable", "call.bad_response")
            assert answer.may_have_been_sent is True
            assert server.seen == []

    run(kind, scenario())


def test_a_server_silent_in_the_handshake_was_never_sent(kind: Kind) -> None:
    async def silent(_: Connection) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(silent) as server, opened(kind) as transport:
            request = a_request(server.url().replace("http:", "https:"))
            network = Network(connect_timeout_s=0.2)
            answer = await transport.send(request, 2.0, network=network)
            assert_failed(answer, "call.unreachable", "no connection within 0.2 s", sent=False)

    run(kind, scenario())


BROKEN = "-----BEGIN CERTIFICATE-----\nc4n4ry-7f3a\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "network",
    [
        Network(ca=""),
        Network(ca="c4n4ry-7f3a"),
        Network(ca=BROKEN),
        Network(client_certificate="c4n4ry-7f3a"),
        Network(client_certificate=BROKEN),
    ],
)
def test_an_unreadable_certificate_setting_was_never_sent(kind: Kind, network: Network) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url()), 2.0, network=network)
            text = "the endpoint's CA or client certificate can't be read"
            assert_failed(answer, "call.unreachable", text, sent=False)
            assert server.connections == 0

    run(kind, scenario())
