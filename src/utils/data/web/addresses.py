"""Which IP addresses a link may lead to."""

from __future__ import annotations

import ipaddress


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(word) for word in text.split()]


_METADATA = _networks("169.254.169.254 168.63.129.16 fd00:ec2::254 fd20:ce::254")
"""Where cloud machines tell their secrets; the second looks public, the last two look private."""

_LOCAL = _networks("127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1 fc00::/7")

_SPECIAL = _networks(
    "0.0.0.0/8 100.64.0.0/10 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
"""IANA's special-purpose registries, spelled out: `ipaddress.is_global` differs between Python versions."""

_PUBLIC = _networks("0.0.0.0/0 2000::/3")
"""Where public addresses can lie at all; IPv6 hands out no others."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_allowed(address: str, allow_local: bool = False) -> bool:
    """Whether an IP address may be connected to: a public one, or with `allow_local` one of this network.

    An IPv4 address inside an IPv6 one (mapped, NAT64) counts as itself; other transition forms are refused.
    Link-local, multicast, reserved and metadata addresses are refused always.

    Args:
        address: An IPv4 or IPv6 address as text; anything else is not allowed.
        allow_local: Also allow loopback and private networks.
    """
    try:
        parsed = _unwrap(ipaddress.ip_address(address))
    except ValueError:
        return False
    if _within(parsed, _METADATA) or _within(parsed, _SPECIAL):
        return False
    return allow_local if _within(parsed, _LOCAL) else _within(parsed, _PUBLIC)


def _unwrap(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if address.version == 6 and address.ipv4_mapped:
        return address.ipv4_mapped
    if address.version == 6 and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address, networks: list) -> bool:
    return any(address in network for network in networks)
