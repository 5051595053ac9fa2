"""Times the enlargement of one color photo, from file to file (Linux).

    python -m benchmarks.enlarge                           a result of 12 megapixels, twice the size
    python -m benchmarks.enlarge --scale 4

The weights are already loaded. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import cv2
import torch
from PIL import Image
from skimage import data

from benchmarks.measuring import SEED, memory, print_machine, print_table
from benchmarks.photos import size_of
from colorflow.enlarge.enlarger import Enlarger, paint
from colorflow.limits import DETAIL_TEMPERATURE
from colorflow.photo import Enlargement, read_photo, write_image


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12, help="of the result")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2)
    parser.add_argument(
        "--temperature",
        type=float,
        default=DETAIL_TEMPERATURE,
        help="of the detail; 0 leaves the flow out (default: %(default)s)",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    print_machine()
    enlarger = Enlarger.load(options.weights)
    width, height = (side // options.scale for side in size_of(options.megapixels))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "photo.jpg", Path(folder) / "large.jpg"
        picture = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(picture).save(source, quality=95)
        steps = _timed(enlarger, source, target, options.scale, options.temperature)
    rows = [(name, f"{wall:.2f}", f"{busy:.2f}") for name, (wall, busy) in steps.items()]
    print_table(("step", "seconds", "processor seconds"), rows)
    print(f"\n{width} x {height} pixels, x{options.scale}; peak memory {memory('VmHWM'):.0f} MB")


def _timed(
    enlarger: Enlarger, source: Path, target: Path, scale: int, temperature: float
) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each step."""
    times = [(time.perf_counter(), time.process_time())]

    def lap() -> None:
        times.append((time.perf_counter(), time.process_time()))

    photo = read_photo(source)
    lap()
    lightness = enlarger.lightness(photo, scale, temperature, SEED)
    lap()
    large = photo.enlarged(paint(photo, lightness))
    lap()
    said = Enlargement(scale=scale, seed=SEED, temperature=temperature, model=enlarger.digest)
    write_image(target, large.pixels, large, enlargement=said)
    lap()
    names = ("read", "sample the lightness", "paint", "write", "all")
    spans = [*pairwise(times), (times[0], times[-1])]
    return {
        name: (end[0] - begin[0], end[1] - begin[1])
        for name, (begin, end) in zip(names, spans, strict=True)
    }


if __name__ == "__main__":
    main()
