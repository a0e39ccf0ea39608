"""Owns which addresses may be connected to on a request's word; opens no connection.

Covered: every special block of IANA's two registries, IPv4 addresses inside IPv6 ones (mapped, 6to4, the well-known
NAT64 prefix), addresses at which clouds tell a machine its secrets. Not covered: a public address that belongs to this
machine or to its network, and a NAT64 prefix that a network chose for itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

# Written out, since what Python's own `is_global` says differs between its versions.
_CLOSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # this machine
        "169.254.0.0/16",  # this link; clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "168.63.129.16/32",  # a public number that a cloud answers inside each of its machines
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
# Older spellings of an IPv4 address, which systems still read: 2130706433, 0x7f.1, 127.1, 0177.0.0.1.
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may reach this address, so that reaching it gives nobody a way in."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _CLOSED_V4)
    if address.scope_id is not None:
        return False
    inner = address.ipv4_mapped or address.sixtofour or (_last_four(address) if address in _NAT64 else None)
    if inner is not None:
        return is_public(inner)
    return address in _OPEN_V6 and not any(address in block for block in _CLOSED_V6)


def as_address(text: str) -> Address | None:
    """The address that a text is, in the one usual spelling of it; None for anything else, such as a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_odd_number(host: str) -> bool:
    """Whether a host is a number that some resolvers read as an address, but not an address as it is written."""
    return as_address(host) is None and _ENDS_IN_A_NUMBER.fullmatch(host) is not None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Where connections may go, and how names are looked up. Made in code alone: no request and no setting has a say.

    `resolve` gives the addresses of a host for a port; None asks the system.
    """

    is_allowed: Callable[[Address], bool] = is_public
    resolve: Resolve | None = None


PUBLIC = Policy()


def _last_four(address: IPv6Address) -> IPv4Address:
    return IPv4Address(address.packed[-4:])
