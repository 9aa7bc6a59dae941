"""Which addresses are called on behalf of a client: every block that is not has its line here."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.remote_image import is_public

BLOCKED = {
    "0.0.0.0/8": "this network, 0.0.0.0 among it",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "100.100.100.200/32": "metadata of Alibaba",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "the host of an Azure machine",
    "169.254.0.0/16": "link-local",
    "169.254.169.254/32": "metadata of AWS, Azure, Google",
    "169.254.170.2/32": "credentials of an ECS task",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "IETF protocols",
    "192.0.0.192/32": "metadata of Oracle",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "255.255.255.255/32": "broadcast",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0/96": "IPv4-mapped",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "local NAT64",
    "100::/64": "discarded",
    "100:0:0:1::/64": "dummy",
    "2001::/23": "IETF protocols",
    "2001::/32": "Teredo",
    "2001:2::/48": "benchmarks",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHIDv2",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "4000::/3": "reserved",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fd00:ec2::254/128": "metadata of AWS",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}

NEXT_TO_THEM = [
    *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0"),
    *("172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0"),
    *("192.31.195.255", "192.31.197.0", "192.52.192.255", "192.52.194.0", "192.88.98.255"),
    *("192.88.100.0", "192.167.255.255", "192.169.0.0", "192.175.47.255", "192.175.49.0"),
    *("198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255"),
    *("203.0.114.0", "223.255.255.255", "8.8.8.8"),
    *("2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2001:ffff::", "2003::"),
    *("2620:4f:7fff::", "2620:4f:8001::", "3ffe:ffff::", "3fff:1000::", "2606:4700::1111"),
]


@pytest.mark.parametrize("block", BLOCKED, ids=lambda block: f"{block} {BLOCKED[block]}")
def test_nothing_of_a_special_block_is_public(block):
    addresses = ip_network(block)
    middle = addresses[addresses.num_addresses // 2]

    public = [each for each in (addresses[0], middle, addresses[-1]) if is_public(each)]

    assert public == []


@pytest.mark.parametrize("address", NEXT_TO_THEM)
def test_what_lies_next_to_a_special_block_is_public(address):
    assert is_public(ip_address(address))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_python_calls_otherwise(address):
    special = address.is_private or address.is_multicast or address.is_reserved

    assert not (is_public(address) and (special or not address.is_global))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_no_way_to_write_an_ipv4_address_in_ipv6_is_public(address):
    inside, inverted = int(address), int(address) ^ 0xFFFFFFFF
    ways = {
        "compatible": inside,
        "mapped": int(IPv6Address("::ffff:0:0")) | inside,
        "NAT64": int(IPv6Address("64:ff9b::")) | inside,
        "local NAT64": int(IPv6Address("64:ff9b:1::")) | inside,
        "6to4": int(IPv6Address("2002::")) | inside << 80,
        "Teredo": int(IPv6Address("2001::")) | inverted,
    }

    assert [way for way, number in ways.items() if is_public(IPv6Address(number))] == []


def test_an_address_of_one_interface_is_not_public():
    assert not is_public(ip_address("2606:4700::1111%eth0"))
