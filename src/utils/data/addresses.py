"""Which IP addresses a link may lead to."""

from __future__ import annotations

import ipaddress

_METADATA = [ipaddress.ip_network(text) for text in ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")]
"""Where cloud machines tell their secrets (the second is public by number, the third private by range)."""

_LOCAL = [
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
]

_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
"""IANA's special-purpose registries, spelled out: `ipaddress.is_global` differs between Python versions."""

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_allowed(address: str, allow_local: bool = False) -> bool:
    """Whether an IP address may be connected to: public unicast, or with `allow_local` this private network.

    IPv4 addresses inside IPv6 (mapped, NAT64) count as what they hold; every other transition form is refused.
    """
    try:
        parsed = _unwrap(ipaddress.ip_address(address))
    except ValueError:
        return False
    if _within(parsed, _METADATA):
        return False
    if _within(parsed, _LOCAL):
        return allow_local
    if _within(parsed, _SPECIAL) or parsed.is_multicast or parsed.is_reserved or not parsed.is_global:
        return False
    return parsed.version == 4 or parsed in _GLOBAL_UNICAST


def _unwrap(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if address.version == 6 and address.ipv4_mapped:
        return address.ipv4_mapped
    if address.version == 6 and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address: _Address, networks: list) -> bool:
    return any(address in network for network in networks if network.version == address.version)
