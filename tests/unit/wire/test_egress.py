"""Which addresses are refused, which setting opens them, and what the refusal says."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.wire.egress import METADATA, Egress, kind_of

KINDS = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdab::1"],
    "CGNAT": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.0.1", "fe80::1"],
    "site-local": ["fec0::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarking": ["198.18.0.1", "2001:2::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.1", "100::1", "5f00::1"],
    "IPv4-mapped": ["::ffff:8.8.8.8", "::ffff:127.0.0.1"],
    "IPv4-compatible": ["::8.8.8.8"],
    "IPv4-translated": ["::ffff:0:8.8.8.8"],
    "NAT64": ["64:ff9b::8.8.8.8", "64:ff9b:1::1"],
    "6to4": ["2002:808:808::1", "192.88.99.1"],
    "Teredo": ["2001:0:1::1"],
    "metadata": [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
    ],
}
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, each) for kind, some in KINDS.items() for each in some]
)
def test_an_address_that_is_not_public_is_refused_by_its_kind(kind: str, address: str) -> None:
    assert kind_of(ip_address(address)) == kind
    assert f"({kind})" in (Egress().check("name.example", 443, [address]) or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert Egress().check("name.example", 443, [address]) is None


@given(st.ip_addresses())
def test_nothing_but_global_addresses_is_ever_public(address: object) -> None:
    checked = ip_address(str(address))
    if kind_of(checked) is None:
        assert checked.is_global
        assert not checked.is_multicast


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_the_line_for_loopback_opens_all_of_it(address: str) -> None:
    refusal = Egress().check("localhost", 80, [address])
    line = "JOURNEY_EGRESS_ALLOW=127.0.0.0/8,[::1]"
    assert refusal == f"{address} is not a public address (loopback): set {line} to allow loopback"
    assert Egress.parse(line.partition("=")[2]).check("localhost", 80, [address]) is None


@pytest.mark.parametrize("address", [each for some in KINDS.values() for each in some])
def test_setting_the_proposed_line_allows_the_address(address: str) -> None:
    """Also beside entries that were there before, which the line keeps."""
    for before in ("", "name.internal:443", "10.9.0.0/16,[::1]"):
        refusal = Egress.parse(before).check("name.example", 443, [address])
        if refusal is None:
            continue
        line = refusal.partition("JOURNEY_EGRESS_ALLOW=")[2].partition(" ")[0]
        allowing = Egress.parse(line)
        assert allowing.check("name.example", 443, [address]) is None
        assert set(Egress.parse(before).entries) <= set(allowing.entries)


def test_every_address_of_a_name_is_checked() -> None:
    egress = Egress.parse("127.0.0.0/8")
    assert egress.check("a.example", 80, ["8.8.8.8", "127.0.0.1"]) is None
    assert "10.0.0.1/32" in (egress.check("a.example", 80, ["8.8.8.8", "10.0.0.1"]) or "")


def test_an_entry_without_a_port_opens_every_port() -> None:
    egress = Egress.parse("10.0.0.5, fd00::/8")
    assert egress.check("a.example", 1, ["10.0.0.5"]) is None
    assert egress.check("a.example", 1, ["fd12::1"]) is None
    assert egress.check("a.example", 1, ["10.0.0.6"]) is not None


def test_an_entry_with_a_port_opens_no_other() -> None:
    egress = Egress.parse("10.0.0.5:8080,[fd00::7]:8080,Name.Internal:443")
    assert egress.check("a.example", 8080, ["10.0.0.5", "fd00::7"]) is None
    assert egress.check("a.example", 8081, ["10.0.0.5"]) is not None
    assert egress.check("name.internal", 443, ["192.168.0.1"]) is None
    assert egress.check("name.internal", 80, ["192.168.0.1"]) is not None
    assert egress.check("other.internal", 443, ["192.168.0.1"]) is not None


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_metadata_is_opened_by_its_exact_address_only(address: str) -> None:
    wide = f"{ip_network(address).supernet(8)},0.0.0.0/0,::/0,metadata.internal:80"
    assert Egress.parse(wide).check("metadata.internal", 80, [address]) is not None
    port = f"[{address}]:80" if ":" in address else f"{address}:80"
    for exact in (address, port):
        assert Egress.parse(exact).check("metadata.internal", 80, [address]) is None
    assert Egress.parse(port).check("metadata.internal", 81, [address]) is not None


def test_the_interface_behind_an_address_changes_nothing_of_what_it_is() -> None:
    allow = Egress.parse("fe80::/10")
    assert allow.check("host", 80, ["fe80::1%eth0"]) is None
    assert "metadata" in (allow.check("host", 80, ["fe80::a9fe:a9fe%eth0"]) or "")


def test_a_range_of_nat64_opens_public_addresses_behind_it_alone() -> None:
    egress = Egress.parse("64:ff9b::/96")
    assert egress.check("a.example", 80, ["64:ff9b::8.8.8.8"]) is None
    assert egress.check("a.example", 80, ["64:ff9b::10.0.0.1"]) is not None
    both = Egress.parse("64:ff9b::/96,10.0.0.0/8")
    assert both.check("a.example", 80, ["64:ff9b::10.0.0.1"]) is None


@pytest.mark.parametrize("text", ["", " ", ",", "127.0.0.0/8,[::1]", " ::1 , [::1]/128 ,"])
def test_well_formed_entries_are_read(text: str) -> None:
    Egress.parse(text)


@pytest.mark.parametrize(
    "entry",
    [
        "localhost",
        "example.com",
        "10.0.0.0/33",
        "10.0.0/8",
        "[::1",
        "::1]",
        "[::1]:",
        "[::1]:0",
        "localhost:99999",
        "localhost:http",
        "localhost:\uff18\uff10",
        "http://localhost:80",
        "*",
        "*:80",
        "a b:80",
        "[localhost]:80",
        "fd00::1:99999",
        "/",
        ":80",
    ],
)
def test_a_malformed_entry_is_named_in_one_line(entry: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Egress.parse(f"127.0.0.0/8,{entry}")
    assert raised.value.message.startswith("JOURNEY_EGRESS_ALLOW: ")
    assert repr(entry) in raised.value.message
    assert "\n" not in raised.value.message


def test_an_address_given_as_a_network_gets_the_right_one_named() -> None:
    with pytest.raises(SettingsError, match=r"write 10\.0\.0\.0/8 for the network"):
        Egress.parse("10.1.2.3/8")


@given(st.text(alphabet="0123456789abf.:/[], ", max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        Egress.parse(text)
    except SettingsError as refusal:
        assert "\n" not in refusal.message
