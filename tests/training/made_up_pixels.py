"""Packs of parts of scikit-image's pictures: of pixels, and of large photos with labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data

from colorflow.color.grid import square_lightness, to_grid
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.segmentation import CLASSES, EVERY
from colorflow.training.large_pack import AB_SIDE
from data_prep.kinds import squares_of

TRAIN, DEV = 10, 4
SIDES = [200] * DEV + [64] + [200] * (TRAIN - 1)


def parts() -> Iterator[np.ndarray]:
    """`DEV` + `TRAIN` different photos, (H, W, 3)."""
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = getattr(skimage.data, name)()
        yield from (
            picture[top : top + 200, left : left + 240] for top in (0, 90) for left in (0, 200)
        )


def write_pixels(folder: Path) -> None:
    """The dev photos come first, one training photo is small."""
    squares = [squares_of(pixels) for pixels in _photos()]
    lightness, ab = (np.stack(arrays) for arrays in zip(*squares, strict=True))
    write_pack(folder, "pixels", {"lightness": lightness, "ab": ab}, DEV, SIDES)


def write_large(folder: Path) -> None:
    """The same photos; what is known, and values, are random by the block."""
    photos, rng = _photos(), np.random.default_rng(0)
    lightness = [255 / 100 * square_lightness(pixels, HEADS_SIZE) for pixels in photos]
    sets = rng.choice([1, 1, 2, 1 << 7, 0b111111, EVERY - 1, EVERY, 0], (len(photos), 12, 12))
    values = np.where(sets, rng.integers(0, 4, sets.shape), 0)
    labels = (sets | values << len(CLASSES)).repeat(16, 1).repeat(16, 2)
    arrays = {
        "lightness": np.stack(lightness).round().astype(np.uint8),
        "ab": np.stack([to_grid(pixels, AB_SIDE) for pixels in photos]).round().astype(np.int8),
        "labels": labels.astype(np.uint32),
    }
    write_pack(folder, "large", arrays, DEV, SIDES)


def _photos() -> list[np.ndarray]:
    return [pixels for _, pixels in zip(range(DEV + TRAIN), parts(), strict=False)]


def write_pack(
    folder: Path,
    kind: str,
    arrays: dict[str, np.ndarray],
    dev: int,
    sides: list[int],
    version: int = 1,
) -> None:
    """A finished pack.

    Args:
        folder: of the pack.
        kind: `pixels`, `large`, `patches` or `prints`.
        arrays: one entry a photo, by name.
        dev: photos that are held out, the first ones.
        sides: the short side of each photo, in pixels.
        version: of the format.
    """
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma", "source"])
        for index, side in enumerate(sides):
            chroma = np.hypot(*arrays["ab"][index].astype(float)).mean() if "ab" in arrays else 9
            split = "dev" if index < dev else "train"
            writer.writerow(
                [index, f"{index}.jpg", split, side, f"{index:016x}", chroma, "made up"]
            )
    info = {"format": f"colorflow-{kind}-{version}", "photos": len(sides), "filled": len(sides)}
    (folder / f"{kind}.json").write_text(json.dumps(info), encoding="utf-8")
