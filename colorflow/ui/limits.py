"""What the page takes at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of uploads and of requests."""

    megabytes: int = 200
    """Of one file, 1024² bytes each; a lossless 60-megapixel scan fits."""
    megapixels: float = 200
    """Of one photo; as many as `colorflow.photo` reads unless something else is said."""
    waiting: int = 64
    """Requests that wait for their turn; more are refused."""

    @property
    def pixels(self) -> int:
        """Width times height of one photo."""
        return round(1e6 * self.megapixels)
