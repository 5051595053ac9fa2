"""Who sends a request, as far as a server can tell, and how much one visitor may have."""

from __future__ import annotations

import ipaddress
from typing import Any, Protocol

SHARE = 4
"""One visitor may have a quarter of what all visitors together may have."""
_IPV6_PREFIX = 64
"""Bits of the network that a household has for itself; the others it chooses at will."""


class Sent(Protocol):
    """What a visitor is told by: a request of Starlette or of Gradio."""

    @property
    def client(self) -> Any:
        """The other side, whose `host` is its address; None where it is unknown."""
        ...


def visitor_of(request: Sent | None, account: str | None) -> str:
    """The account of whoever had to give one, otherwise the network address.

    Args:
        request: what the visitor has sent; None for a handler that is called without a server.
        account: name of the account; None where the page asks for none.
    """
    if account:
        return f"account {account}"
    address = request.client.host if request and request.client else None
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return f"address {address}"
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return f"address {ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False)}"
    return f"address {getattr(found, 'ipv4_mapped', None) or found}"
