"""A pixel pack of parts of scikit-image's pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data

from data_prep.pixels import squares_of

TRAIN, DEV = 10, 4


def parts() -> Iterator[np.ndarray]:
    """`DEV` + `TRAIN` different photos, (H, W, 3)."""
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = getattr(skimage.data, name)()
        yield from (
            picture[top : top + 200, left : left + 240] for top in (0, 90) for left in (0, 200)
        )


def write_pixels(folder: Path) -> None:
    """The dev photos come first, one training photo is small."""
    photos = [pixels for _, pixels in zip(range(DEV + TRAIN), parts(), strict=False)]
    squares = [squares_of(pixels) for pixels in photos]
    np.save(folder / "lightness.npy", np.stack([pair[0] for pair in squares]))
    np.save(folder / "ab.npy", np.stack([pair[1] for pair in squares]))
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma", "source"])
        for index, (_, ab) in enumerate(squares):
            side = 64 if index == DEV else 200
            chroma = np.hypot(*ab.astype(float)).mean()
            split = "dev" if index < DEV else "train"
            writer.writerow(
                [index, f"{index}.jpg", split, side, f"{index:016x}", chroma, "made up"]
            )
    info = {"format": "colorflow-pixels-1", "photos": len(photos), "filled": len(photos)}
    (folder / "pixels.json").write_text(json.dumps(info), encoding="utf-8")
