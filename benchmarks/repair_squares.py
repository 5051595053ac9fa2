"""Cuts squares out of repaired prints, for blind pairs (docs/repair.md, "Measured").

    python -m benchmarks.repair_squares PRINTS -o DIR [--sensitivity 0] [--most 2] [--limit 100]
    python -m benchmarks.repair_squares PHOTOS -o DIR --drawn [--most 1]
    colorflow blind compare DIR/ours DIR/telea DIR/before -o PAIRS

The squares hold most of what was found; with --drawn, of what was drawn over photos that nothing
has happened to. They are magnified and written to three folders, filled by
ours (the mean) and by two classical methods in the same mask, and to a fourth as they were.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.repairing import RIM, drawn, photo_of, wider
from colorflow.color.full_resolution import lightness_of
from colorflow.evaluation.evaluate import photos_of
from colorflow.photo import Photo, read_photo
from colorflow.repair.fill import RADIUS
from colorflow.repair.repairer import Repairer

_SIDE, _TIMES = 160, 4
_LEAST = 0.01
"""Of a square, the share that is filled at least."""


def main() -> None:
    """Writes the folders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prints", type=Path)
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--sensitivity", type=int, default=0)
    parser.add_argument("--most", type=int, default=2, help="squares of a print")
    parser.add_argument("--limit", type=int, help="pictures, the first ones (default: all)")
    parser.add_argument("--drawn", action="store_true", help="draw damage, and fill that")
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    repairer = Repairer.load(options.weights)
    for number, file in enumerate(photos_of(options.prints)[: options.limit]):
        gray, mask = _gray(read_photo(file)), None
        if options.drawn:
            worn, _, plain = drawn(lightness_of(gray), number)
            gray, mask = photo_of(worn).pixels, wider(plain > 0, RIM)
        repaired = repairer.repair(gray, options.sensitivity, mask=mask)
        hidden = repaired.mask.astype(np.uint8)
        ways = {
            "before": gray,
            "ours": repaired.photo.pixels,
            "telea": cv2.inpaint(gray, hidden, RADIUS, cv2.INPAINT_TELEA),
            "navier_stokes": cv2.inpaint(gray, hidden, RADIUS, cv2.INPAINT_NS),
        }
        for place, square in enumerate(_squares(repaired.mask, options.most)):
            for way, pixels in ways.items():
                folder = options.output / way
                folder.mkdir(parents=True, exist_ok=True)
                large = cv2.resize(
                    pixels[square], None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_CUBIC
                )
                cv2.imwrite(str(folder / f"{file.stem}_{place}.png"), large)
        print(f"{file.name}: {100 * repaired.share:.2f} % filled")


def _gray(photo: Photo) -> NDArray[np.uint8]:
    pixels = photo.pixels
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _squares(mask: NDArray[np.bool_], most: int) -> Iterator[tuple[slice, slice]]:
    """Squares within a picture that hold the most of a mask and do not overlap."""
    half = _SIDE // 2
    share = cv2.boxFilter(mask.astype(np.float32), -1, (_SIDE, _SIDE))
    inner = np.zeros_like(mask)
    inner[half : mask.shape[0] - half + 1, half : mask.shape[1] - half + 1] = True
    share[~inner] = 0
    for _ in range(most):
        row, column = (int(i) for i in np.unravel_index(share.argmax(), share.shape))
        if share[row, column] < _LEAST:
            return
        yield slice(row - half, row + half), slice(column - half, column + half)
        share[max(0, row - _SIDE) : row + _SIDE, max(0, column - _SIDE) : column + _SIDE] = 0


if __name__ == "__main__":
    main()
