"""Speed of the command: from process start to files on disk, and a folder beside codecs alone.

    python -m benchmarks.folder

Two tables. Seconds of `colorflow colorize` with the shipped weights, in a new process each time,
imports included. Then photos of one megapixel a second, as `colorflow colorize FOLDER --workers 2`
colors them, from the first finished photo to the last; the time before that, in which each worker
loads the weights, is printed beside it. For codecs alone, Pillow decodes each gray file and encodes
a color file of the same size and settings in one process.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.measuring import (
    codec_only,
    gray_photo,
    print_machine,
    print_table,
    save_gray,
    size_of,
    spread,
)
from colorflow.batch import COLORS, Settings, make_plan, run

MEGAPIXELS = 1.0


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=200, help="of the folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--weights", type=Path, help="of the rates; the shipped ones otherwise")
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        photos = [folder / "photos" / f"{number:04}.jpg" for number in range(options.photos)]
        for number, photo in enumerate(photos):
            save_gray(photo, gray_photo(*size_of(MEGAPIXELS), number))
        save_gray(folder / "large.jpg", gray_photo(*size_of(12)))
        tasks = {
            "4 principal colorings of 1 megapixel": [photos[0], "-n", "4"],
            "1 coloring of 12 megapixels": [folder / "large.jpg", "-n", "1"],
            f"folder of {len(photos)} photos of 1 megapixel": [folder / "photos", "-n", "1"],
        }
        rows = []
        for task, arguments in tasks.items():
            seconds = [command_seconds(arguments, folder) for _ in range(options.repetitions + 1)]
            rows.append((task, spread(seconds[1:])))  # the first is a warm-up
        print_table(("process start to files", "seconds"), rows)
        print()
        print_rates(photos, options)


def command_seconds(arguments: list[str | Path], folder: Path) -> float:
    """Runs `colorflow colorize`; its results are deleted."""
    command = [sys.executable, "-m", "colorflow.cli", "colorize", *arguments, "-o", folder / "out"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - began
    shutil.rmtree(folder / "out")
    return seconds


def print_rates(photos: list[Path], options: argparse.Namespace) -> None:
    """Prints photos per second."""
    output = photos[0].parent.parent / "colored"
    plan = make_plan([photos[0].parent], output, Settings(overwrite=True))
    rates, codecs, starts = [], [], []
    for _ in range(options.repetitions):
        began = time.perf_counter()
        ended = []
        for outcome in run(plan, weights={COLORS: options.weights}, workers=options.workers):
            assert outcome.status == "done", outcome
            ended.append(time.perf_counter())
        starts.append(ended[0] - began)
        rates.append((len(photos) - 1) / (ended[-1] - ended[0]))
        codecs.append(codec_rate(photos, output))
    shares = spread([a / b for a, b in zip(rates, codecs, strict=True)])
    rows = [
        ("codecs alone, one process", spread(codecs, 1), "1"),
        (f"colorflow, {options.workers} workers", spread(rates, 1), shares),
    ]
    print_table((f"{len(photos)} photos of 1 megapixel", "a second", "of codecs alone"), rows)
    print(f"\nUntil the first photo is done: {spread(starts, 1)} s.")


def codec_rate(photos: list[Path], output: Path) -> float:
    """Photos per second for decoding and encoding alone."""
    pictures = [Image.open(output / f"{photo.stem}_a.jpg").convert("RGB") for photo in photos[:8]]
    target = output.parent / "codec.jpg"
    began = time.perf_counter()
    for number, photo in enumerate(photos):
        codec_only(photo, pictures[number % len(pictures)], target)
    return len(photos) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
