"""How much a reference by likeness helps, and whether an unrelated one harms.

    python -m benchmarks.references PHOTOS [--pairs PAIRS] [--photos 60] [--weights FILE]

Of each color photo two views are cut that overlap: the left 0.72 of it is the reference, and the
other view, 0.7 to 1.4 times as large and mirrored half of the time, is the photo, whose lightness
goes through a random curve. PAIRS holds NAME_a.jpg and NAME_b.jpg, such as frames of a video a
second apart: a is the reference of b. The unrelated reference is that of another photo.

Prints the error of chroma on the 64x64 grid (root mean square, CIELAB units) of the first coloring
without a reference and with it, pooled over all photos, and the mean chroma with a reference over
that without.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import SEED
from colorflow import Colorizer
from colorflow.color import cie
from colorflow.color.grid import resized, to_grid
from colorflow.photo import find_photos, read_photo

SIDE = 900
"""Longer side of a photo at most, in pixels."""
LEAST_CHROMA = 6.0
"""Mean chroma of a photo that tells something about colors, CIELAB units."""
SHARE = 0.72
"""Of the width of a photo that its reference shows."""
APART = 7
"""How many photos further on the unrelated reference is."""

Pixels = NDArray[np.uint8]


class Case(NamedTuple):
    """A photo whose colors are wanted, its lightness alone, and its reference."""

    truth: Pixels
    gray: Pixels
    reference: Pixels


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--photos", dest="count", type=int, default=60)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    colorizer = Colorizer.load(options.weights)
    _report("overlapping views", colorizer, list(_views(options)))
    if options.pairs:
        _report("pairs", colorizer, list(_pairs(options.pairs)))


def _report(title: str, colorizer: Colorizer, cases: list[Case]) -> None:
    errors: dict[str, list[float]] = {"without": [], "reference": [], "unrelated": []}
    chroma: dict[str, list[float]] = {name: [] for name in errors}
    for index, case in enumerate(cases):
        unrelated = cases[(index + APART) % len(cases)].reference
        truth = to_grid(case.truth)
        for name, references in (
            ("without", ()),
            ("reference", (case.reference,)),
            ("unrelated", (unrelated,)),
        ):
            (made,) = colorizer.colorize(case.gray, 1, force=True, reference=references)
            errors[name].append(float(((made.ab - truth) ** 2).mean()))
            chroma[name].append(float(np.hypot(*made.ab).mean()))
    plain = np.sqrt(np.mean(errors["without"]))
    print(f"{title}: {len(cases)} photos")
    for name, values in errors.items():
        error = np.sqrt(np.mean(values))
        vivid = np.mean(chroma[name]) / np.mean(chroma["without"])
        print(f"  {name:10s} error {error:6.2f}  ({error / plain:.3f})  chroma {vivid:.3f}")


def _views(options: argparse.Namespace) -> Iterator[Case]:
    found, files = 0, find_photos([options.photos])
    order = np.random.default_rng(SEED).permutation(len(files))
    for index, path in enumerate(files[i] for i in order):
        photo = read_photo(path).pixels
        if photo.ndim == 2 or np.hypot(*to_grid(photo)).mean() < LEAST_CHROMA:
            continue
        if found == options.count:
            return
        found += 1
        scale = min(1.0, SIDE / max(photo.shape[:2]))
        height, width = (round(scale * side) for side in photo.shape[:2])
        yield _two_views(resized(photo, height, width), np.random.default_rng([SEED, index]))


def _two_views(photo: Pixels, rng: np.random.Generator) -> Case:
    height, width = photo.shape[:2]
    larger = np.exp(rng.uniform(np.log(0.7), np.log(1.4)))
    own_width, own_height = min(SHARE / larger, 0.8), min(1.0, 1 / larger)
    left = int((1 - own_width) * width * rng.uniform(0.5, 1))
    top = int((1 - own_height) * height * rng.uniform())
    view = photo[top : top + int(own_height * height), left : left + int(own_width * width)]
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = np.ascontiguousarray(view)
    black, white = rng.uniform(0, 8), rng.uniform(88, 100)
    curve = (cie.rgb_to_lab(view / 255)[..., 0] / 100) ** np.exp(rng.uniform(-0.45, 0.45))
    reference = np.ascontiguousarray(photo[:, : int(SHARE * width)])
    return Case(view, _gray(black + (white - black) * curve), reference)


def _pairs(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*_b.jpg")):
        truth = read_photo(path).pixels
        reference = read_photo(path.with_name(path.name.replace("_b.", "_a."))).pixels
        yield Case(truth, _gray(cie.rgb_to_lab(truth / 255)[..., 0]), reference)


def _gray(lightness: NDArray[np.floating]) -> Pixels:
    """The gray picture (H, W) of L*."""
    encoded = cie.linear_to_srgb(cie.response_to_relative((lightness + 16) / 116))
    return np.round(255 * encoded.clip(0, 1)).astype(np.uint8)


if __name__ == "__main__":
    main()
