"""Times the repair of one color photo with cracks, from file to file (Linux).

    python -m benchmarks.repair                            12 megapixels

The weights are already loaded. What is filled are the cracks that were drawn, whatever the weights
find. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmarks.measuring import SEED, memory, print_machine, print_table
from benchmarks.photos import size_of
from colorflow.photo import Preparation, read_photo, write_image
from colorflow.repair.places import mask_of
from colorflow.repair.repairer import Repairer
from colorflow.scan import find_frames

_CRACKS, _WIDEST = 40, 15
"""Cracks from side to side, and their width in pixels at most, at 12 megapixels."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    print_machine()
    repairer = Repairer.load(options.weights, device="cpu")
    width, height = size_of(options.megapixels)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "print.jpg", Path(folder) / "repaired.jpg"
        picture = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC)
        cracks = _draw_cracks(picture)
        Image.fromarray(picture).save(source, quality=95)
        del picture
        steps = _timed(repairer, source, target, cracks)
    rows = [(name, f"{wall:.2f}", f"{busy:.2f}") for name, (wall, busy) in steps.items()]
    print_table(("step", "seconds", "processor seconds"), rows)
    print(
        f"\n{width} x {height} pixels, {100 * cracks.mean():.1f} % of them in cracks; "
        f"peak memory {memory('VmHWM'):.0f} MB"
    )


def _draw_cracks(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Draws cracks into a picture; where they are."""
    rng = np.random.default_rng(SEED)
    size = np.array(picture.shape[1::-1])
    mask = np.zeros(picture.shape[:2], np.uint8)
    for width in np.linspace(1, max(1, _WIDEST * size[0] / 4000), _CRACKS):
        walk = rng.uniform(0, 1, 2) + np.cumsum(rng.normal(0.02, 0.02, (40, 2)), 0)
        cv2.polylines(mask, [np.round(walk * size).astype(np.int32)], False, 1, round(width))
    found = mask.astype(bool)
    picture[found] = 245
    return found


def _timed(
    repairer: Repairer, source: Path, target: Path, cracks: NDArray[np.bool_]
) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each step."""
    times = [(time.perf_counter(), time.process_time())]

    def lap() -> None:
        times.append((time.perf_counter(), time.process_time()))

    photo = read_photo(source)
    lap()
    find_frames(photo)
    lap()
    odds = repairer.find(photo)
    lap()
    mask_of(odds)
    lap()
    done = repairer.repair(photo, mask=cracks)
    lap()
    said = Preparation(model=repairer.digest, share=done.share)
    write_image(target, done.photo.pixels, done.photo, preparation=said)
    lap()
    names = ("read", "look for a border", "find damage", "choose what to fill", "fill", "write")
    spans = [*pairwise(times), (times[0], times[-1])]
    return {
        name: (end[0] - begin[0], end[1] - begin[1])
        for name, (begin, end) in zip((*names, "all"), spans, strict=True)
    }


if __name__ == "__main__":
    main()
