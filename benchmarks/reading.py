"""Times reading a JPEG in this process and in a child with limits, in turns (Linux).

python -m benchmarks.reading
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import print_machine, print_table, side_by_side, spread
from benchmarks.photos import gray_photo, save_gray, size_of
from colorflow.photo import count_pixels, read_photo


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 12])
    parser.add_argument("--repetitions", type=int, default=25)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        for megapixels in options.megapixels:
            gray = gray_photo(*size_of(megapixels))
            for kind in ("gray", "color"):
                if kind == "gray":
                    save_gray(path, gray)
                else:
                    Image.fromarray(np.dstack([gray, gray[::-1], gray[:, ::-1]])).save(path)
                name = f"{megapixels:g} megapixels, {kind}"
                rows += rows_of(name, path, options.repetitions)
    print_machine()
    print_table(("JPEG", "in this process, ms", "in a child, ms", "more, ms"), rows)


def rows_of(name: str, path: Path, repetitions: int) -> list[tuple[str, ...]]:
    """A row for the whole photo, and one for its header alone."""

    def read(*, isolated: bool) -> None:
        read_photo(path, isolated=isolated).full_depth.max()  # touches every pixel

    def count(*, isolated: bool) -> None:
        count_pixels(path, isolated=isolated)

    return [row_of(name, read, repetitions), row_of(f"{name}, header", count, repetitions)]


def row_of(name: str, step: Callable[..., None], repetitions: int) -> tuple[str, ...]:
    """Median and range of both ways, and the median of the differences."""
    timings = side_by_side(
        {
            "here": lambda: step(isolated=False),
            "there": lambda: step(isolated=True),
        },
        repetitions,
    )
    here, there = ([1000 * one for one in timings[way].wall] for way in ("here", "there"))
    more = statistics.median(b - a for a, b in zip(here, there, strict=True))
    return name, spread(here, 1), spread(there, 1), f"{more:.1f}"


if __name__ == "__main__":
    main()
