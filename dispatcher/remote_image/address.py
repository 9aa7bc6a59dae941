"""Which addresses are public; no other one is ever called on behalf of a client.

By IANA's registries of special-purpose addresses (RFC 6890, as they were in October 2025), not by
`is_global` of Python's ipaddress, which changes from release to release and lets through what leads
inside by translation. Where a registry calls a small block within a special one reachable, we do
not: nobody keeps pictures there.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

IPAddress = IPv4Address | IPv6Address

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is handed out to anybody (RFC 4291, RFC 3587).

Outside lie `::`, `::1`, what embeds an IPv4 address (`::a.b.c.d`, `::ffff:a.b.c.d`, and NAT64's
`64:ff9b::/96` and `64:ff9b:1::/48`), unique local `fc00::/7` with AWS's metadata, `fd00:ec2::254`,
link-local `fe80::/10`, site-local `fec0::/10`, multicast `ff00::/8`, and what is reserved.
"""

SPECIAL = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network: RFC 791, RFC 1122
        "10.0.0.0/8",  # private: RFC 1918
        "100.64.0.0/10",  # shared by carrier-grade NAT: RFC 6598; Alibaba's metadata
        "127.0.0.0/8",  # loopback: RFC 1122
        "168.63.129.16/32",  # Azure's host: no registry has it, every virtual machine there
        "169.254.0.0/16",  # link-local: RFC 3927; metadata of AWS, Azure and Google at .169.254
        "172.16.0.0/12",  # private: RFC 1918
        "192.0.0.0/24",  # IETF protocols: RFC 6890; Oracle's metadata at .192
        "192.0.2.0/24",  # documentation: RFC 5737
        "192.31.196.0/24",  # AS112: RFC 7535
        "192.52.193.0/24",  # multicast tunnels: RFC 7450
        "192.88.99.0/24",  # relays of 6to4, deprecated: RFC 7526
        "192.168.0.0/16",  # private: RFC 1918
        "192.175.48.0/24",  # AS112: RFC 7534
        "198.18.0.0/15",  # benchmarks: RFC 2544
        "198.51.100.0/24",  # documentation: RFC 5737
        "203.0.113.0/24",  # documentation: RFC 5737
        "224.0.0.0/4",  # multicast: RFC 5771
        "240.0.0.0/4",  # reserved: RFC 1112; broadcast, 255.255.255.255: RFC 919
        "2001::/23",  # IETF protocols: RFC 2928; Teredo, benchmarks and ORCHIDs among them
        "2001:db8::/32",  # documentation: RFC 3849
        "2002::/16",  # 6to4, leads to any IPv4 address: RFC 3056
        "2620:4f:8000::/48",  # AS112: RFC 7534
        "3fff::/20",  # documentation: RFC 9637
    )
)


def is_public(address: IPAddress) -> bool:
    """Whether anybody on the internet may be meant by it."""
    if isinstance(address, IPv6Address) and (address.scope_id or address not in GLOBAL_UNICAST):
        return False
    return not any(address in block for block in SPECIAL)
