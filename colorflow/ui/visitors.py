"""Who sends a request, as far as a server can tell, and how much one visitor may have."""

from __future__ import annotations

import ipaddress

SHARE = 4
"""One visitor may have a quarter of what all visitors together may have."""
_IPV6_PREFIX = 64
"""Bits of the network that a household has for itself; the others it chooses at will."""


def visitor_of(account: str | None, address: str | None) -> str:
    """The account of whoever had to give one, otherwise the network address.

    Args:
        account: name of the account; None where the page asks for none.
        address: IPv4 or IPv6 of the other side; None where there is none.
    """
    if account:
        return f"account {account}"
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return f"address {address}"
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return f"address {ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False)}"
    return f"address {getattr(found, 'ipv4_mapped', None) or found}"
