"""Measures whether prints are found on their bed (docs/repair.md, "Cutting out").

    python -m benchmarks.frames PHOTOS [--prints 120] [--views 40] [--photos 400]

Photos are laid as gray prints, some with a blank border, on a white or black bed, on wood or on
cloth, tilted up to 8 degrees and seen a little from the side, some with a shadow: a print is found
if each corner of its picture is within 1 % of the scan's longer side. Then each scan ends within
its print, by an eighth of it: what counts are the two corners that are left. Then
prints are seen by hand (`benchmarks.by_hand`) on each of its beds, one or four at a time, the far
side 1.0 to 0.6 as long as the near one, turned up to 20 degrees: a print is found if each corner of
its picture is within 2 % of its diagonal. The photos themselves, which lie on no bed, are to be
taken for no scan.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.by_hand import BEDS, by_hand
from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.evaluation.evaluate import photos_of
from colorflow.photo import Picture, photo_from_image, read_photo
from colorflow.scan import find_frames, looks_like_bed

_NEAR, _NEAR_BY_HAND = 0.01, 0.02
_TEXTURES = ((120, 85, 60), (60, 60, 65))
"""sRGB of wood and cloth."""
_PAPER = (225, 230, 235)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--prints", type=int, default=120)
    parser.add_argument("--views", type=int, default=40, help="prints by hand on each bed")
    parser.add_argument("--photos", dest="plain", type=int, default=400)
    options = parser.parse_args()
    print_machine()
    files, rng = photos_of(options.photos), np.random.default_rng(SEED)
    errors, cut_errors = [], []
    for _ in range(options.prints):
        photo = read_photo(files[rng.integers(len(files))]).pixels
        scan, corners = laid_down(photo, rng)
        errors.append(_error(scan, corners, range(4)))
        side = int(rng.integers(4))
        cut_errors.append(_error(*_cut(scan, corners, side), [(side + 2) % 4, (side + 3) % 4]))
    plain = photos_of(options.photos, options.plain)
    taken, asked = 0, 0
    for file in plain:
        photo = read_photo(file)
        is_taken = bool(find_frames(photo))
        taken += is_taken
        asked += not is_taken and looks_like_bed(photo)
    found, found_cut = (sum(e < _NEAR for e in one) for one in (errors, cut_errors))
    rows = [
        ("prints found within 1 %", f"{found} of {options.prints}"),
        ("median error of the worst corner", f"{100 * np.median(errors):.2f} %"),
        ("over an edge: found within 1 %", f"{found_cut} of {options.prints}"),
    ]
    for bed in BEDS:
        for count in (1, 4):
            near, silent = _by_hand(files, bed, count, options.views // count, rng)
            row = f"{near} of {options.views // count * count}"
            rows.append((f"by hand, {count} on {bed}: found within 2 %", f"{row}; {silent} silent"))
    rows.append(("photos taken for scans", f"{taken} of {len(plain)}; {asked} asked about"))
    print_table((f"{options.photos.name}, seed {SEED}", ""), rows)


def _by_hand(
    files: Sequence[Path], bed: str, count: int, views: int, rng: np.random.Generator
) -> tuple[int, int]:
    """How many prints are found on a bed, and on how many views nothing is found or asked."""
    near = silent = 0
    for _ in range(views):
        photos = [read_photo(files[rng.integers(len(files))]).pixels for _ in range(count)]
        ratio, turn = rng.uniform(0.6, 1), rng.uniform(-20, 20)
        view, pictures = by_hand(photos, bed, ratio, turn, rng)
        photo = photo_from_image(view)
        frames = [np.array(frame.corners) for frame in find_frames(photo)]
        silent += not frames and not looks_like_bed(photo)
        for corners in pictures:
            diagonal = np.linalg.norm(corners[2] - corners[0])
            off = [np.linalg.norm(frame - corners, axis=1).max() for frame in frames]
            near += min(off, default=np.inf) < _NEAR_BY_HAND * diagonal
    return near, silent


def _error(scan: Picture, corners: NDArray[np.float64], counted: Sequence[int]) -> float:
    """How far the worst of the corners that count is off, as a share of the scan's longer side."""
    frames = find_frames(photo_from_image(scan))
    if len(frames) != 1:
        return np.inf
    off = np.abs(np.array(frames[0].corners) - corners)[list(counted)]
    return float(off.max()) / max(scan.shape)


def _cut(
    scan: Picture, corners: NDArray[np.float64], side: int
) -> tuple[Picture, NDArray[np.float64]]:
    """A scan that ends within its print: above, to the right, below, or to the left."""
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    ends = [0, scan.shape[1], scan.shape[0], 0]
    inward = (bottom - top, left - right, top - bottom, right - left)
    ends[side] = round((top, right, bottom, left)[side] + inward[side] / 8)
    part = np.ascontiguousarray(scan[ends[0] : ends[2], ends[3] : ends[1]])
    return part, corners - (ends[3], ends[0])


def laid_down(
    photo: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Picture, NDArray[np.float64]]:
    """A scan (H, W, 3) with a photo as a gray print, and the corners (4, 2) of its picture."""
    gray = photo if photo.ndim == 2 else cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    border = round(rng.uniform(0.02, 0.06) * min(gray.shape)) if rng.random() < 0.6 else 0
    paper = cv2.copyMakeBorder(
        np.repeat(gray[..., None], 3, 2), *4 * (border,), cv2.BORDER_CONSTANT, value=_PAPER
    )
    height, width = paper.shape[:2]
    rows, columns = (int(side * rng.uniform(1.15, 1.8)) for side in (height, width))
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    tilt = np.radians(rng.uniform(-8, 8))
    turn = np.array([(np.cos(tilt), np.sin(tilt)), (-np.sin(tilt), np.cos(tilt))])
    spread = (outline - outline.mean(0)) @ turn
    spread *= min(1.0, *(0.97 * np.array([columns, rows]) / np.ptp(spread, axis=0)))
    center = np.array([columns, rows]) * (0.5 + rng.uniform(-0.03, 0.03, 2))
    corners = spread + center + rng.uniform(-0.01, 0.01, (4, 2)) * width
    corners = np.clip(corners, 2, (columns - 2, rows - 2)).astype(np.float32)
    inner = outline + border * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float32)
    true = cv2.perspectiveTransform(inner[None], cv2.getPerspectiveTransform(outline, corners))[0]
    matrix = cv2.getPerspectiveTransform(outline - 0.5, corners - 0.5)
    shape = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, (columns, rows))
    scan = _bed(rows, columns, rng)
    if rng.random() < 0.5:
        scan *= 1 - 0.25 * cv2.GaussianBlur(shape, (0, 0), 4)[..., None]
    laid = cv2.warpPerspective(paper, matrix, (columns, rows))
    scan += shape[..., None] * (laid - scan) + rng.normal(0, 2, scan.shape)
    return np.clip(scan, 0, 255).astype(np.uint8), true.astype(np.float64)


def _bed(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    kind = int(rng.integers(4))
    if kind < 2:
        tone = rng.uniform(235, 255) if kind else rng.uniform(0, 25)
        return np.full((height, width, 3), tone, np.float32)
    waves = np.sin(np.arange(height)[:, None] / 7 + rng.normal(0, 0.3, (height, 1)))
    texture = 8 * waves + rng.normal(0, 6, (height, width))
    bed = np.array(_TEXTURES[kind - 2]) + texture[..., None]
    return cv2.GaussianBlur(np.clip(bed, 0, 255).astype(np.float32), (0, 0), 0.8)


if __name__ == "__main__":
    main()
