"""Measures the cost of a coloring by the size of the photo, 0.1 to 100 megapixels (Linux).

    python -m benchmarks.pixels

Each size runs in its own process, which loads the weights, colorizes a small photo as a warm-up,
and then colorizes a JPEG several times, from file to file. Peak memory is that of the process. A
straight line is fitted to the medians by least squares of the relative errors. Last, a TIFF of 100
megapixels is colorized to a TIFF.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import forget_peak, memory, print_machine, print_table, spread
from benchmarks.photos import gray_photo, save_gray, size_of

MEGAPIXELS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
MOST_REPETITIONS = 7
SECONDS_EACH = 6.0
"""Repetitions end after this time, but not before the third."""


def main() -> None:
    """Prints both tables or, as the new process, the cost of that process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS)
    parser.add_argument("--tiff", type=float, default=100, help="megapixels of the TIFF")
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    parser.add_argument("--in-new-process", type=Path, metavar="PHOTO", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_new_process:
        print(json.dumps(in_this_process(options.in_new_process, options.weights)))
        return
    print_machine()
    print_sizes(sorted(options.megapixels), options.tiff, options.weights)


def print_sizes(sizes: list[float], tiff: float, weights: Path | None) -> None:
    """Prints the table and the line."""
    results = [measured(size, ".jpg", weights) for size in sizes]
    fixed, by_pixels = straight_line(sizes, [float(np.median(r["seconds"])) for r in results])
    rows = [
        (
            f"{size:g}, JPEG",
            spread(result["seconds"], 3),
            f"{fixed + by_pixels * size:.3f}",
            f"{result['start']:.0f}",
            f"{result['peak']:.0f}",
        )
        for size, result in zip(sizes, results, strict=True)
    ]
    result = measured(tiff, ".tif", weights)
    rows.append(
        (
            f"{tiff:g}, TIFF",
            spread(result["seconds"], 3),
            "",
            f"{result['start']:.0f}",
            f"{result['peak']:.0f}",
        )
    )
    head = ("megapixels", "seconds", "the line, seconds", "MB before", "peak MB")
    print_table(head, rows)
    print(f"\nThe line: {fixed:.3f} s + {by_pixels:.4f} s a megapixel.")


def straight_line(sizes: list[float], seconds: list[float]) -> tuple[float, float]:
    """Constant and slope with the least squares of the relative errors."""
    weight = 1 / np.array(seconds)
    design = np.stack([weight, weight * np.array(sizes)], 1)
    (constant, slope), *_ = np.linalg.lstsq(design, np.ones(len(sizes)), rcond=None)
    return float(constant), float(slope)


def measured(megapixels: float, suffix: str, weights: Path | None) -> dict:
    """Cost of a photo in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / f"photo{suffix}"
        save_gray(photo, gray_photo(*size_of(megapixels)))
        command = [sys.executable, "-m", "benchmarks.pixels", "--in-new-process", str(photo)]
        command += ["--weights", str(weights)] if weights else []
        return json.loads(subprocess.check_output(command))


def in_this_process(photo: Path, weights: Path | None) -> dict[str, object]:
    """Seconds of each coloring, and memory in MB."""
    from benchmarks.one_photo import color
    from colorflow.colorizer import Colorizer

    colorizer = Colorizer.load(weights)
    small = photo.with_name("small.jpg")
    save_gray(small, gray_photo(400, 300))
    color(colorizer, small, photo.with_name("warm.jpg"))
    start = memory("VmRSS")
    forget_peak()
    seconds: list[float] = []
    while len(seconds) < MOST_REPETITIONS and (len(seconds) < 3 or sum(seconds) < SECONDS_EACH):
        began = time.perf_counter()
        color(colorizer, photo, photo.with_name(f"colored{photo.suffix}"))
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "start": start, "peak": memory("VmHWM")}


if __name__ == "__main__":
    main()
