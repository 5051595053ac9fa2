"""A pack of patches of scikit-image's pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import skimage.data

from data_prep.kinds import patches_of

DEV, TRAIN = 2, 4


def write_patches(folder: Path) -> None:
    """Two dev photos, then four training photos; four patches each."""
    pictures = [
        getattr(skimage.data, name)()[:, left : left + 300]
        for name in ("astronaut", "coffee", "rocket")
        for left in (0, 200)
    ]
    rng = np.random.default_rng(0)
    patches = np.stack([patches_of(picture, rng) for picture in pictures])
    np.save(folder / "patches.npy", patches)
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma", "source"])
        for index in range(DEV + TRAIN):
            split = "dev" if index < DEV else "train"
            writer.writerow([index, f"{index}.jpg", split, 300, f"{index:016x}", 9.0, "made up"])
    info = {"format": "colorflow-patches-1", "photos": DEV + TRAIN, "filled": DEV + TRAIN}
    (folder / "patches.json").write_text(json.dumps(info), encoding="utf-8")
