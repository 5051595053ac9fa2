"""Measures what repair finds and how well it fills, on drawn damage (docs/repair.md, "Measured").

    python -m benchmarks.repairing PHOTOS [--limit 100] [--weights FILE]

Three tables. What is found in photos that nothing has happened to: the share of pixels and of
photos, by sensitivity. What is found of damage that `colorflow.repair.wear` draws over the same
photos: of the pixels that differ by 10 L* units or more, how many are inside the mask, and of the
mask, how much is within 4 pixels of damage. How well what the damage hides is filled, with the
true mask made 2 pixels wider: PSNR and SSIM of the pixels inside it, against the print before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of
from colorflow.evaluation.evaluate import photos_of
from colorflow.limits import DETAIL_TEMPERATURE, SENSITIVITIES
from colorflow.photo import Photo, read_photo, read_picture
from colorflow.repair import wear as wear_module
from colorflow.repair.fill import RADIUS
from colorflow.repair.places import mask_of
from colorflow.repair.repairer import Repairer

Lightness = NDArray[np.float32]
RIM = 2
"""Pixels by which true masks are made wider."""
_NEAR = 4


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    print_machine()
    repairer = Repairer.load(options.weights)
    files = photos_of(options.photos)[: options.limit]
    called: dict[int, list[float]] = {one: [] for one in SENSITIVITIES}
    recall: dict[int, list[float]] = {one: [] for one in SENSITIVITIES}
    precise: dict[int, list[float]] = {one: [] for one in SENSITIVITIES}
    filled: dict[str, list[tuple[float, float]]] = {}
    for number, file in enumerate(files):
        lightness = lightness_of(read_photo(file).pixels)
        odds = repairer.find(photo_of(lightness))
        worn, unworn, plain = drawn(lightness, number)
        worn_odds = repairer.find(photo_of(worn))
        for one in SENSITIVITIES:
            called[one].append(float(mask_of(odds, one).mean()))
            mask = mask_of(worn_odds, one)
            recall[one].append(float(mask[plain == 1].mean()))
            near = wider(plain > 0, _NEAR)
            precise[one].append(float(near[mask].mean()) if mask.any() else 1.0)
        mask = wider(plain > 0, RIM)
        for name, result in _fills(repairer, worn, mask).items():
            filled.setdefault(name, []).append(_quality(result, unworn, mask))
    print(f"\n{len(files)} photos of {options.photos.name}, seed {SEED}\n")
    rows = [
        (
            str(one),
            f"{100 * np.mean(called[one]):.3f} %",
            f"{sum(share == 0 for share in called[one])} of {len(files)}",
            f"{100 * np.mean(recall[one]):.1f} %",
            f"{100 * np.mean(precise[one]):.1f} %",
        )
        for one in SENSITIVITIES
    ]
    head = ("sensitivity", "called damaged", "unchanged", "damage found", "of the mask, damage")
    print_table(head, rows)
    print()
    print_table(
        ("filled by", "PSNR, dB", "SSIM"),
        [
            (
                name,
                *(
                    f"{value:.{digits}f}"
                    for value, digits in zip(np.mean(v, 0), (2, 3), strict=True)
                ),
            )
            for name, v in filled.items()
        ],
    )


def drawn(lightness: Lightness, number: int) -> tuple[Lightness, Lightness, Lightness]:
    """Lightness with damage, without it, and how plain it is.

    It is the first drawing from a seed on that leaves plain damage, but not everywhere.
    """
    for attempt in range(100):
        rng = np.random.default_rng([SEED, number, attempt])
        worn, unworn, plain = wear_module.wear(lightness, rng)
        if (plain == 1).any() and plain.mean() < 0.5:
            return worn, unworn, plain
    raise AssertionError("no drawing leaves damage")


def _fills(repairer: Repairer, worn: Lightness, mask: NDArray[np.bool_]) -> dict[str, Lightness]:
    levels, hidden = _levels(worn), mask.astype(np.uint8)
    results: dict[str, Lightness] = {"none": worn}
    for name, method in (("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS)):
        guess = np.asarray(cv2.inpaint(levels, hidden, RADIUS, method))
        results[name] = lightness_of(guess.astype(np.uint8))
    photo = photo_of(worn)
    for name, temperature in (("ours, mean with grain", 0.0), ("ours, sample", DETAIL_TEMPERATURE)):
        repaired = repairer.repair(photo.pixels, temperature=temperature, seed=SEED, mask=mask)
        results[name] = lightness_of(repaired.photo.pixels)
    return results


def _quality(result: Lightness, truth: Lightness, mask: NDArray[np.bool_]) -> tuple[float, float]:
    error = float(np.square(result - truth)[mask].mean())
    _, similarity = structural_similarity(truth, result, data_range=100.0, full=True)
    return 10 * np.log10(100.0**2 / max(error, 1e-6)), float(similarity[mask].mean())


def wider(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """A mask with so many pixels more on each side."""
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel)) > 0


def _levels(lightness: Lightness) -> NDArray[np.uint8]:
    """Gray of 8 bits, as a scanner gives it."""
    plain = np.zeros((2, *lightness.shape), np.float32)
    gray = cie.linear_to_srgb(np.clip(cie.rgb_in_gamut(lightness, plain)[0], 0, 1))
    return np.round(gray * 255).astype(np.uint8)


def photo_of(lightness: Lightness) -> Photo:
    """A gray photo of 8 bits."""
    return read_picture(_levels(lightness))[0]


if __name__ == "__main__":
    main()
