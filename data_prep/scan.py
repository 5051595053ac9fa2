"""First pass: which of the photos can be learned from, and what each looks like in 64 bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from colorflow.color.grid import to_grid
from colorflow.errors import PhotoError
from colorflow.photo import Kind, read_photo

MIN_SHORT_SIDE = 48
"""Photos smaller than this, in pixels, hold no chroma to learn on a 64x64 grid."""

PALE_CHROMA = 8.0
"""A photo of one hue and a mean chroma above this, in CIELAB units, is a toned print; below it is
most often a colour photo of fog, snow or a grey cat, and its paleness is worth learning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """One candidate photo.

    Attributes:
        path: the file.
        problem: why it cannot be used (``corrupt: ...``, ``grey``, ``tinted``,
            ``too small``), or None.
        short_side: shorter side in pixels.
        hash: 64-bit difference hash.
        mean_chroma: mean chroma on the 64x64 grid, CIELAB units.
    """

    path: Path
    problem: str | None
    short_side: int = 0
    hash: int = 0
    mean_chroma: float = 0.0


def scan(paths: Iterable[Path], workers: int) -> Iterator[Scanned]:
    """Reads every photo once, in several processes, and yields in the order of `paths`."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(scan_one, paths, chunksize=64)


def scan_one(path: Path) -> Scanned:
    """Reads one photo and says whether it is usable."""
    try:
        photo = read_photo(path)
    except PhotoError as error:
        return Scanned(path=path, problem=f"corrupt: {error.reason}")
    short_side = min(photo.width, photo.height)
    if short_side < MIN_SHORT_SIDE:
        return Scanned(path=path, problem="too small", short_side=short_side)
    ab = to_grid(photo.pixels)
    mean_chroma = float(np.hypot(ab[0], ab[1]).mean())
    kind = photo.kind
    if kind is Kind.GREY or (kind is Kind.TINTED and mean_chroma > PALE_CHROMA):
        return Scanned(path=path, problem=str(kind), short_side=short_side)
    return Scanned(
        path=path,
        problem=None,
        short_side=short_side,
        hash=int(str(imagehash.dhash(Image.fromarray(photo.pixels))), 16),
        mean_chroma=mean_chroma,
    )
