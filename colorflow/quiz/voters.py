"""Names under which visitors' answers are kept: one a visitor, and none leads back to one."""

from __future__ import annotations

import ipaddress
import secrets
from hashlib import blake2b

_KEY_BYTES = 32
_NAME_BYTES = 8
_IPV6_PREFIX = 64
"""Bits of the network that a household has for itself; the others it chooses at will."""


class Voters:
    """Names of visitors, by a key that is drawn anew each time and kept nowhere.

    So a name leads to no address, not even for whoever has the file of the answers.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)

    def name(self, visitor: str) -> str:
        """16 hexadecimal digits, always the same for a visitor.

        Args:
            visitor: network address, or the account of whoever had to give one.
        """
        network = _network_of(visitor).encode()
        return blake2b(network, key=self._key, digest_size=_NAME_BYTES).hexdigest()


def _network_of(visitor: str) -> str:
    try:
        address = ipaddress.ip_address(visitor)
    except ValueError:
        return visitor  # an account
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
