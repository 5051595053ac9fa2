"""Names under which visitors' answers are kept: one a visitor, and none leads back to one."""

from __future__ import annotations

import secrets
from hashlib import blake2b

_KEY_BYTES = 32
_NAME_BYTES = 8


class Voters:
    """Names of visitors, by a key that is drawn anew each time and kept nowhere.

    So a name leads to no address, not even for whoever has the file of the answers.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)

    def name(self, visitor: str) -> str:
        """16 hexadecimal digits, always the same for a visitor.

        Args:
            visitor: whatever tells one visitor from the others.
        """
        return blake2b(visitor.encode(), key=self._key, digest_size=_NAME_BYTES).hexdigest()
