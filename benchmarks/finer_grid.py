"""What a finer grid of chroma could bring at most: true chroma on several grids, brought up.

    python benchmarks/finer_grid.py PACK [--photos 100]

RMSE x100 of sRGB over whole dev photos (root of the mean over photos), with the same guided
upsampling and gamut mapping as every picture that colorflow writes, beside gray's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import to_grid
from colorflow.photo import read_photo
from colorflow.training.pack import FEATURE_GRIDS, Pack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

GRIDS = (4, 8, 16, 32, 64, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--photos", type=int, default=100)
    options = parser.parse_args()
    pack = Pack(options.pack, min(FEATURE_GRIDS))
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(11).permutation(rows)[: options.photos]
    found = []
    for row in rows:
        pixels = read_photo(Path(pack.files[pack.photo_of_row[row]])).pixels
        lightness = lightness_of(pixels)
        chroma = [0 * to_grid(pixels), *(to_grid(pixels, side) for side in GRIDS)]
        pictures = [render(lightness, ab).astype(float) for ab in chroma]
        found.append([np.square(picture - pixels).mean() for picture in pictures])
    print("| grid | RMSE x100 |\n|---|---|")
    for name, error in zip(("gray", *GRIDS), np.mean(found, 0), strict=True):
        print(f"| {name} | {np.sqrt(error) / 2.55:.2f} |")


if __name__ == "__main__":
    main()
