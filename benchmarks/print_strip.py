"""Makes docs/page/print.webp: a cracked print's way from the scan to a large picture in color.

    python -m benchmarks.print_strip -o docs/page/print.webp [--seed 0]

The print is NASA's portrait of Eileen Collins, which scikit-image ships (public domain), in gray,
damaged by `colorflow.repair.wear`, with a paper border, on a drawn table. From left to right: the
scan with the frame that was found, cut out, what was found to be damaged, repaired, colored, and a
part of the enlargement.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measuring import print_machine
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.photo import read_picture
from colorflow.repair import wear as wear_module
from colorflow.repair.repairer import Repairer
from colorflow.scan import cut_out, find_frames

Pixels = NDArray[np.uint8]
_HEIGHT, _GAP = 420, 8
_TILT, _BORDER = 4.0, 18
_SCALE, _SENSITIVITY = 2, 2


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    options = parser.parse_args()
    print_machine()
    scan = read_picture(_scan(np.random.default_rng(options.seed)))[0]
    (frame,) = find_frames(scan)
    framed = np.array(scan.pixels)
    corners = np.round(np.array(frame.corners)).astype(np.int32)
    cv2.polylines(framed, [corners], True, (255, 90, 0), 4, cv2.LINE_AA)
    cut = cut_out(scan, frame)
    repaired = Repairer.load().repair(cut.pixels, _SENSITIVITY)
    found = np.array(cut.pixels)
    found[repaired.mask] = (255, 0, 90)
    gray = cv2.cvtColor(repaired.photo.pixels, cv2.COLOR_RGB2GRAY)
    colored = Colorizer.load().colorize(gray)[0].image
    large = Enlarger.load().enlarge(colored, _SCALE)[0]
    height, width = gray.shape
    face = np.s_[: _SCALE * height // 2, _SCALE * width // 4 : _SCALE * 3 * width // 4]
    steps = (framed, cut.pixels, found, repaired.photo.pixels, np.asarray(colored))
    panels = [_fitted(np.asarray(step)) for step in (*steps, np.asarray(large)[face])]
    gap = np.full((_HEIGHT, _GAP, 3), 255, np.uint8)
    strip = np.concatenate([part for one in panels for part in (one, gap)][:-1], axis=1)
    Image.fromarray(strip).save(options.output, quality=86, method=6)
    share = f"{100 * repaired.share:.1f} % repaired"
    print(f"{options.output}: {strip.shape[1]} x {strip.shape[0]}, {share}")


def _scan(rng: np.random.Generator) -> Pixels:
    """(H, W, 3), a damaged print on a table."""
    gray = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    worn = gray.astype(np.float32) / np.float32(2.55)
    for draw in (wear_module._cracks, wear_module._scratches, wear_module._dust):
        worn = draw(worn, rng)
    paper = np.clip(worn * 2.3 + 12, 0, 255).astype(np.uint8)
    paper = cv2.copyMakeBorder(paper, *4 * (_BORDER,), cv2.BORDER_CONSTANT, value=(228,))
    side = round(1.25 * max(paper.shape))
    grain = rng.standard_normal((side, 1)) * 4 + 6 * np.sin(np.arange(side) / 9)[:, None]
    table = np.clip(np.array([96, 66, 46]) + grain[..., None], 0, 255).repeat(side, 1)
    turn = cv2.getRotationMatrix2D((paper.shape[1] / 2, paper.shape[0] / 2), _TILT, 1.0)
    turn[:, 2] += (side - np.array(paper.shape[::-1])) / 2
    inside = cv2.warpAffine(np.ones(paper.shape, np.float32), turn, (side, side))[..., None]
    laid = cv2.warpAffine(paper, turn, (side, side), flags=cv2.INTER_CUBIC)[..., None]
    shadow = 1 - 0.35 * cv2.GaussianBlur(inside, (0, 0), 9)[..., None] * (1 - inside)
    return np.round(table * shadow * (1 - inside) + laid * inside).astype(np.uint8)


def _fitted(picture: Pixels) -> Pixels:
    """At the height of the strip."""
    width = round(picture.shape[1] * _HEIGHT / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main()
