"""Speed of coloring a folder of 200 photos of one megapixel with two workers, and of codecs alone.

    python -m benchmarks.folder

This is the same run as `colorflow colorize FOLDER --workers 2`. The rate is measured from the first
finished photo to the last; the time before that, in which each worker loads the weights, is printed
beside it. For codecs alone, Pillow decodes each gray file and encodes a color file of the same size
and settings in one process. The shares are processor seconds of the stages of one photo, measured
in this process with one thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import torch
from PIL import Image

from benchmarks.measuring import print_machine, print_table, spread
from benchmarks.photos import codec_only, gray_photo, save_gray, size_of
from colorflow.batch import COLORS, Settings, make_plan, run
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.colorizer import ColoringSpec, Colorizer, default_weights
from colorflow.model.weights import load_weights
from colorflow.photo import Principal, Provenance, read_photo, write_image

MEGAPIXELS = 1.0
STAGES_OF = 20
"""Number of photos for the shares of the stages."""


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--megapixels", type=float, default=MEGAPIXELS)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--weights", type=Path, help="file; the shipped ones otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder) / "photos", options.photos, options.megapixels)
        print_machine()
        print_rates(photos, options.workers, options.repetitions, options.weights)
        print()
        print_shares(photos[:STAGES_OF], options.weights)


def make_photos(folder: Path, count: int, megapixels: float) -> list[Path]:
    """Writes the photos and returns their paths."""
    folder.mkdir()
    photos = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, photo in enumerate(photos):
        save_gray(photo, gray_photo(*size_of(megapixels), number))
    return photos


def print_rates(photos: list[Path], workers: int, repetitions: int, weights: Path | None) -> None:
    """Prints photos per second."""
    output = photos[0].parent.parent / "colored"
    plan = make_plan([photos[0].parent], output, Settings(overwrite=True))
    rates, codecs, starts = [], [], []
    for _ in range(repetitions):
        began = time.perf_counter()
        ended = []
        for outcome in run(plan, weights={COLORS: weights}, workers=workers):
            assert outcome.status == "done", outcome
            ended.append(time.perf_counter())
        starts.append(ended[0] - began)
        rates.append((len(photos) - 1) / (ended[-1] - ended[0]))
        codecs.append(codec_rate(photos, output))
    print_table(
        (f"{len(photos)} photos of {MEGAPIXELS:g} megapixel", "photos a second", "of codecs alone"),
        [
            ("codecs alone, one process", spread(codecs, 1), "1"),
            (
                f"colorflow, {workers} workers",
                spread(rates, 1),
                spread([a / b for a, b in zip(rates, codecs, strict=True)]),
            ),
        ],
    )
    print(f"\nUntil the first photo is done: {spread(starts, 1)} s.")


def codec_rate(photos: list[Path], output: Path) -> float:
    """Photos per second for decoding and encoding alone."""
    pictures = [Image.open(output / f"{photo.stem}_a.jpg").convert("RGB") for photo in photos[:8]]
    target = output.parent / "codec.jpg"
    began = time.perf_counter()
    for number, photo in enumerate(photos):
        codec_only(photo, pictures[number % len(pictures)], target)
    return len(photos) / (time.perf_counter() - began)


def print_shares(photos: list[Path], weights: Path | None) -> None:
    """Prints the share of each stage in a photo's time."""
    threads, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        stages = stage_seconds(photos, weights)
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(opencv_threads)
    middle = {name: statistics.median(seconds) for name, seconds in stages.items()}
    total = sum(middle.values())
    print_table(
        ("stage", "processor milliseconds", "share"),
        [
            (name, spread([1000 * s for s in stages[name]], 1), f"{100 * seconds / total:.0f} %")
            for name, seconds in middle.items()
        ]
        + [("all", f"{1000 * total:.1f}", "100 %")],
    )


def stage_seconds(photos: list[Path], path: Path | None) -> dict[str, list[float]]:
    """Processor seconds of each photo by stage, without the first photo."""
    weights = load_weights(path or default_weights())
    colorizer = Colorizer(weights)
    first = ColoringSpec(seeds=(0,) * len(colorizer.levels))
    spec = first.principal_spec(0, 1)
    stages: dict[str, list[float]] = {}
    mean = Principal("a", 1, 1.0)

    def timed(stage: str, function: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = function()
        stages.setdefault(stage, []).append(time.process_time() - began)
        return result

    for path in photos:
        photo = timed("decode", lambda path=path: read_photo(path))
        model = colorizer.model_of(photo)
        timed("features", lambda model=model: model.condition)
        ab, _ = timed("flow", lambda model=model: model.principal(first, 1))
        timed("large photo, heads", lambda model=model: (model.small_scale, model.skin))
        chroma = timed("things", lambda model=model, ab=ab: model.paint(ab, [spec]))
        pixels = timed(
            "upsampling, gamut, Lab",
            lambda photo=photo, ab=chroma[0]: render(LightnessRows(photo.pixels), ab),
        )
        target, provenance = (
            path.with_suffix(".out.jpg"),
            Provenance(0, 1.0, weights.digest, principal=mean),
        )
        timed(
            "encode, write",
            lambda t=target, x=pixels, y=photo, z=provenance: write_image(t, x, y, provenance=z),
        )
        target.unlink()
    return {stage: seconds[1:] for stage, seconds in stages.items()}


if __name__ == "__main__":
    main()
