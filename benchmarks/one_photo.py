"""Times one principal coloring of a 12-megapixel JPEG against its codecs alone (Linux).

    python -m benchmarks.one_photo

The coloring goes from file to file with weights that are already loaded; the time of loading is a
row of its own. Codecs alone means that Pillow decodes the gray file and encodes a color file of the
same size and settings, in one process. Peak memory is that of a new process that loads the weights
and colorizes the photo, above its memory with torch loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import (
    Timings,
    forget_peak,
    memory,
    print_machine,
    print_table,
    ratios,
    side_by_side,
    spread,
)

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer


def main() -> None:
    """Prints the table or, as the new process, the cost of that process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    parser.add_argument("--in-new-process", type=Path, metavar="PHOTO", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_new_process:
        print(json.dumps(in_this_process(options.in_new_process, options.weights)))
    else:
        print_comparison(options.megapixels, options.repetitions, options.weights)


def print_comparison(megapixels: float, repetitions: int, weights: Path | None) -> None:
    """Prints the table."""
    from PIL import Image

    from benchmarks.photos import codec_only, gray_photo, save_gray, size_of
    from colorflow.colorizer import Colorizer

    colorizer = Colorizer.load(weights)
    with tempfile.TemporaryDirectory() as folder:
        photo, target = Path(folder) / "photo.jpg", Path(folder) / "colors.jpg"
        width, height = size_of(megapixels)
        save_gray(photo, gray_photo(width, height))
        color(colorizer, photo, target)
        with Image.open(target) as image:
            colors = image.convert("RGB")
        timings = side_by_side(
            {
                "colors": lambda: color(colorizer, photo, target),
                "codecs": lambda: codec_only(photo, colors, target),
            },
            repetitions,
        )
        command = [sys.executable, "-m", "benchmarks.one_photo", "--in-new-process", str(photo)]
        command += ["--weights", str(weights)] if weights else []
        anew = [json.loads(subprocess.check_output(command)) for _ in range(3)]
    print_machine()
    print_table(
        (f"{width} x {height} JPEG", "seconds", "processor seconds", "times codecs alone"),
        [
            ("codecs alone", *_times(timings["codecs"]), "1"),
            (
                "one coloring, file to file",
                *_times(timings["colors"]),
                spread(ratios(timings["colors"], timings["codecs"])),
            ),
        ],
    )
    print()
    print_table(
        ("new process", "median (range)"),
        [
            ("importing torch, seconds", spread([one["torch"] for one in anew])),
            ("importing colorflow and loading weights, seconds", spread([o["load"] for o in anew])),
            ("the first coloring, seconds", spread([one["first"] for one in anew])),
            ("peak memory above torch, MB", spread([one["megabytes"] for one in anew], 0)),
        ],
    )


def _times(timings: Timings) -> tuple[str, str]:
    return spread(timings.wall), spread(timings.busy)


def in_this_process(photo: Path, weights: Path | None) -> dict[str, float]:
    """Seconds of each step in this process, and peak memory."""
    began = time.perf_counter()
    import torch  # noqa: F401

    torch_loaded = time.perf_counter()
    start = memory("VmRSS")
    forget_peak()
    from colorflow.colorizer import Colorizer

    colorizer = Colorizer.load(weights)
    loaded = time.perf_counter()
    color(colorizer, photo, photo.with_name("anew.jpg"))
    return {
        "torch": torch_loaded - began,
        "load": loaded - torch_loaded,
        "first": time.perf_counter() - loaded,
        "megabytes": memory("VmHWM") - start,
    }


def color(colorizer: Colorizer, source: Path, target: Path) -> None:
    """Colorizes one photo once, as `colorflow colorize` does."""
    (coloring,) = colorizer.colorize(source, 1)
    coloring.save(target)


if __name__ == "__main__":
    main()
