"""Times eight previews of one photo, each a sample, and four principal colorings.

    python -m benchmarks.previews

The page does this when a visitor requests colorings: the photo is already read, its longer side has
256 pixels, and the weights are loaded and warm. The features are included.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.measuring import SEED, print_machine, print_table, side_by_side, spread
from benchmarks.photos import gray_photo
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.colorizer import Coloring, ColoringSpec, Colorizer, default_weights
from colorflow.model.weights import load_weights
from colorflow.photo import photo_from_image

PRINCIPAL = 4


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256, help="longer side of the photo, in pixels")
    parser.add_argument("--previews", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    photo = photo_from_image(gray_photo(options.side, options.side * 3 // 4))
    weights = load_weights(options.weights or default_weights())
    colorizer = Colorizer(weights)
    model = colorizer.model_of(photo)
    seeds = range(SEED, SEED + options.previews)
    levels = len(colorizer.levels)
    latents = [model.sample(ColoringSpec(seeds=(seed,) * levels)) for seed in seeds]
    chroma = model.decode(latents)
    lightness = LightnessRows(photo.pixels)
    timings = side_by_side(
        {
            f"{options.previews} previews": lambda: _rendered(
                colorizer.colorize(photo, options.previews, seed=SEED, samples=True)
            ),
            "of it features": lambda: colorizer.model_of(photo).condition,
            "of it the flow": lambda: model.decode(latents),
            "of it pixels": lambda: [render(lightness, np.asarray(ab)) for ab in chroma],
            f"{PRINCIPAL} principal colorings": lambda: _rendered(
                colorizer.colorize(photo, PRINCIPAL, seed=SEED)
            ),
            "the quick first picture": lambda: _rendered(
                next(colorizer.colorize_progressively(photo, PRINCIPAL, seed=SEED))
            ),
        },
        options.repetitions,
    )
    print_machine()
    print_table(
        (f"{photo.width} x {photo.height}", "seconds", "processor seconds"),
        [(name, spread(t.wall, 3), spread(t.busy, 3)) for name, t in timings.items()],
    )


def _rendered(colorings: list[Coloring]) -> list[np.ndarray]:
    return [one.render() for one in colorings]


if __name__ == "__main__":
    main()
