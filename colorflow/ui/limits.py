"""What the page takes at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

AT_ONCE = 2
"""Pieces of work that go on at the same time, whichever tab or program asks for them."""
WORK: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": AT_ONCE}
"""Of every handler that reads a photo, computes or writes a file: they wait in one queue."""

ROUND_PIXELS = 6 * 1024**2
"""Of a round of the quiz, which counts as a photo of that size: the truth and five drawn pictures,
none of which is larger than `colorflow.quiz.deck.LARGEST_SIDE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of uploads and of requests."""

    megabytes: int = 200
    """Of one file, 1024² bytes each; a lossless 60-megapixel scan fits."""
    megapixels: float = 80
    """Of one photo, and of all that are worked on at the same time. The costliest kind, 16-bit
    color, takes 24 bytes a pixel while it is painted: with the model that fits in 4 GB."""
    waiting: int = 64
    """Requests that wait for their turn; more are refused."""
    stored_megabytes: int = 4000
    """Of all that visitors have sent and got and that is kept, 1024² bytes each."""

    @property
    def pixels(self) -> int:
        """Width times height of one photo."""
        return round(1e6 * self.megapixels)
