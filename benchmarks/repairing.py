"""Measures what repair finds and how well it fills, on drawn damage (docs/repair.md, "Measured").

    python -m benchmarks.repairing PHOTOS [--limit 100] [--weights FILE]
    python -m benchmarks.repairing PRINTS --squares DIR [--sensitivity 0] [--most 2]
    python -m benchmarks.repairing PHOTOS --squares DIR --drawn [--most 1]

Two tables. By sensitivity: what is found in photos that nothing has happened to, as they are and
doubled in size (bicubic), as large soft scans are. Of plain damage, strokes and discs of 2 to 6
pixels that differ by 12 L* units or more from what they hide, how many pixels are inside the mask.
The same of harder damage, which `colorflow.repair.wear` draws and a finder learns from (10 units or
more), and of that mask, how much is within 4 pixels of damage. Then, how well what the harder
damage hides is filled, with the true mask made 2 pixels wider: PSNR and SSIM of the pixels inside
it, against the print before.

With --squares, squares are cut out of the repaired prints instead, for `colorflow blind compare
DIR/ours DIR/telea`. They hold most of what was found; with --drawn, of what was drawn over photos
that nothing has happened to. They are magnified and written to three folders, filled by ours (the
mean) and by two classical methods in the same mask, and to a fourth as they were.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.color.full_resolution import lightness_of, render
from colorflow.evaluation.evaluate import photos_of
from colorflow.limits import DETAIL_TEMPERATURE, SENSITIVITIES
from colorflow.photo import Photo, read_photo, read_picture
from colorflow.repair import wear as wear_module
from colorflow.repair.fill import RADIUS
from colorflow.repair.places import mask_of
from colorflow.repair.repairer import Repairer

Lightness = NDArray[np.float32]
CLASSICAL = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}
_RIM = 2
"""Pixels by which true masks are made wider."""
_NEAR, _VISIBLE = 4, 12.0
"""Pixels of damage within which a mask may be; L* units by which plain damage differs."""
_SIDE, _TIMES = 160, 4
"""Of squares: their side in pixels, and how much they are magnified."""
_LEAST = 0.01
"""Of a square, the share that is filled at least."""


def main() -> None:
    """Prints the tables, or writes the folders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=100, help="photos, the first ones")
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    parser.add_argument("--squares", type=Path, metavar="DIR", help="for squares instead of tables")
    parser.add_argument("--sensitivity", type=int, default=0, help="of the squares")
    parser.add_argument("--most", type=int, default=2, help="squares of a print")
    parser.add_argument("--drawn", action="store_true", help="squares of damage that is drawn")
    options = parser.parse_args()
    print_machine()
    repairer = Repairer.load(options.weights)
    files = photos_of(options.photos)[: options.limit]
    print(f"\n{len(files)} photos of {options.photos.name}, seed {SEED}\n")
    if options.squares:
        for number, file in enumerate(files):
            write_squares(repairer, number, file, options)
    else:
        print_tables(repairer, files)


def print_tables(repairer: Repairer, files: list[Path]) -> None:
    """Prints what is found, and how well what is hidden is filled."""
    found: dict[int, list[tuple[float, ...]]] = {one: [] for one in SENSITIVITIES}
    filled: dict[str, list[tuple[float, float]]] = {}
    for number, file in enumerate(files):
        lightness = lightness_of(read_photo(file).pixels)
        odds, doubled = (repairer.find(photo_of(x)) for x in (lightness, _doubled(lightness)))
        scratched, visible = plain_damage(lightness, np.random.default_rng([SEED, number]))
        plain_odds = repairer.find(photo_of(scratched))
        worn, unworn, plain = drawn(lightness, number)
        worn_odds = repairer.find(photo_of(worn))
        near = wider(plain > 0, _NEAR)
        for one in SENSITIVITIES:
            called, mask = mask_of(odds, one).mean(), mask_of(worn_odds, one)
            precise = near[mask].mean() if mask.any() else 1.0
            unchanged = called == 0, not mask_of(doubled, one).any()
            recalls = mask_of(plain_odds, one)[visible].mean(), mask[plain == 1].mean()
            found[one].append((called, *unchanged, *recalls, precise))
        mask = wider(plain > 0, _RIM)
        for name, result in _fills(repairer, worn, mask).items():
            filled.setdefault(name, []).append(_quality(result, unworn, mask))
    head = ("sensitivity", "called damaged", "unchanged", "doubled: unchanged")
    head += ("plain found", "harder found", "of the mask, damage")
    rows = []
    for one, values in found.items():
        called, *unchanged, plain_found, harder_found, precise = np.mean(values, 0)
        same = (f"{round(share * len(files))} of {len(files)}" for share in unchanged)
        shares = (f"{100 * share:.1f} %" for share in (plain_found, harder_found, precise))
        rows.append((str(one), f"{100 * called:.3f} %", *same, *shares))
    print_table(head, rows)
    print()
    means = {name: np.mean(values, 0) for name, values in filled.items()}
    rows = [(name, f"{psnr:.2f}", f"{ssim:.3f}") for name, (psnr, ssim) in means.items()]
    print_table(("filled by", "PSNR, dB", "SSIM"), rows)


def write_squares(repairer: Repairer, number: int, file: Path, options: argparse.Namespace) -> None:
    """Repairs a print, and writes squares of it to a folder for each way."""
    gray, mask = _gray(read_photo(file)), None
    if options.drawn:
        worn, _, plain = drawn(lightness_of(gray), number)
        gray, mask = photo_of(worn).pixels, wider(plain > 0, _RIM)
    repaired = repairer.repair(gray, options.sensitivity, mask=mask)
    hidden = repaired.mask.astype(np.uint8)
    ways = {"before": gray, "ours": repaired.photo.pixels}
    ways |= {name: cv2.inpaint(gray, hidden, RADIUS, way) for name, way in CLASSICAL.items()}
    for place, square in enumerate(_squares(repaired.mask, options.most)):
        for way, pixels in ways.items():
            folder = options.squares / way
            folder.mkdir(parents=True, exist_ok=True)
            large = cv2.resize(
                pixels[square], None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_CUBIC
            )
            cv2.imwrite(str(folder / f"{file.stem}_{place}.png"), large)
    print(f"{file.name}: {100 * repaired.repaired:.2f} % filled")


def _doubled(lightness: Lightness) -> Lightness:
    large = cv2.resize(lightness, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return np.clip(large, 0, 100)


def plain_damage(
    lightness: Lightness, rng: np.random.Generator
) -> tuple[Lightness, NDArray[np.bool_]]:
    """Lightness with winding strokes and discs that everybody sees, and where they are."""
    size, worn = np.array(lightness.shape[::-1]), lightness.copy()
    for _ in range(rng.integers(4, 11)):
        layer = np.zeros(lightness.shape, np.uint8)
        if rng.random() < 0.7:
            turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.5, rng.integers(3, 14)))
            steps = size.max() * rng.uniform(0.02, 0.12) * rng.uniform(0.5, 1.5, len(turns))
            way = np.cumsum(steps[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1), 0)
            points = np.round(8 * (rng.uniform(0, 1, 2) * size + way)).astype(np.int32)
            cv2.polylines(layer, [points], False, 255, int(rng.integers(2, 7)), cv2.LINE_AA, 3)
        else:
            for center in rng.uniform(0, 1, (rng.integers(2, 12), 2)) * size:
                place = tuple(int(8 * one) for one in center)
                radius = int(8 * rng.uniform(1, 3))
                cv2.circle(layer, place, radius, 255, cv2.FILLED, cv2.LINE_AA, 3)
        tone = rng.uniform(78, 100) if rng.random() < 0.6 else rng.uniform(0, 22)
        noise = rng.normal(0, rng.uniform(0.5, 4), lightness.shape)
        worn += layer / np.float32(255) * (tone + noise - worn).astype(np.float32)
    worn = np.clip(worn, 0, 100)
    return worn, np.abs(worn - lightness) >= _VISIBLE


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
    for name, method in CLASSICAL.items():
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
    return render(lightness, np.zeros((2, 1, 1), np.float32))[..., 0]


def photo_of(lightness: Lightness) -> Photo:
    """A gray photo of 8 bits."""
    return read_picture(_levels(lightness))[0]


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
