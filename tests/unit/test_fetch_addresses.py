"""Tests which addresses may be connected to on a request's word, and which spellings of hosts are taken."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.fetch.addresses import is_odd_number, is_public

NAT64 = ipaddress.ip_network("64:ff9b::/96")
CLOSED = {
    "this network": ["0.0.0.0", "0.1.2.3"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"],
    "shared by customers": ["100.64.0.1", "100.127.255.255", "100.100.100.200"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%1"],
    "a cloud's metadata": ["169.254.169.254", "fd00:ec2::254", "192.0.0.192", "168.63.129.16"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "e000::1"],
    "unspecified": ["::"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "site-local": ["fec0::1"],
    "Teredo": ["2001::1", "2001:0:7f00:1::"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8"],
    "scoped": ["2606:4700::1111%1"],
}
OPEN = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.0.1.1", "223.255.255.255",
        "2606:4700::1111", "2a00::1", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::8.8.8.8"]  # fmt: skip


@pytest.mark.rule("images-guarded")
@pytest.mark.parametrize("kind", CLOSED)
def test_an_address_that_is_not_everybodys_is_closed(kind: str) -> None:
    assert [text for text in CLOSED[kind] if is_public(ipaddress.ip_address(text))] == []


def test_public_addresses_are_open() -> None:
    assert [text for text in OPEN if not is_public(ipaddress.ip_address(text))] == []


@given(st.ip_addresses())
@settings(max_examples=100, deadline=None)
def test_what_python_knows_to_be_special_is_never_open(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    is_special = address.is_private or address.is_link_local or address.is_multicast or address.is_reserved
    holds_another = address.version == 6 and (address in NAT64 or address.ipv4_mapped is not None)
    assert holds_another or not (is_special and is_public(address))


@given(st.ip_addresses(v=4))
@settings(max_examples=40, deadline=None)
def test_an_address_inside_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    packed = address.packed
    for around in (
        b"\0" * 10 + b"\xff\xff" + packed,
        b"\x20\x02" + packed + b"\0" * 10,
        b"\0\x64\xff\x9b" + b"\0" * 8 + packed,
    ):
        assert is_public(ipaddress.IPv6Address(around)) == is_public(address)


ODD = ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "1.2.3.4.5", "a.0x1", "x.7"]


@pytest.mark.parametrize("host", ODD)
def test_a_number_that_only_some_read_as_an_address_is_odd(host: str) -> None:
    assert is_odd_number(host)


@pytest.mark.parametrize("host", ["example.org", "7.example", "127.0.0.1", "::1", "0x.example.org", "a1", "1a"])
def test_names_and_addresses_as_they_are_written_are_not_odd(host: str) -> None:
    assert not is_odd_number(host)
