"""A pack of made-up photos that needs no feature network."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from colorflow.model.features import FEATURE_CHANNELS
from colorflow.training.pack import ARRAY_SHAPES, FEATURE_GRIDS, FORMAT, ROW_TYPE, VARIANTS

TRAIN, DEV, SMALL = 12, 4, 2
"""Photos; the small ones are 64 pixels wide and belong to train."""


def write_pack(folder: Path) -> None:
    """Every photo has a color and stripes of its own, which its features tell, and a slope."""
    rng = np.random.default_rng(0)
    sides = [256] * (TRAIN + DEV) + [64] * SMALL
    splits = ["train"] * TRAIN + ["dev"] * DEV + ["train"] * SMALL
    kinds = [("whole", "crop")] * TRAIN + [("whole", "whole_degraded")] * DEV
    kinds += [("whole", "whole_mirrored")] * SMALL
    rows = [(photo, VARIANTS.index(name)) for photo, two in enumerate(kinds) for name in two]
    rows = [rows[index] for index in rng.permutation(len(rows))]

    slope, columns = np.linspace(-1, 1, 64), np.arange(64)
    stripes = np.zeros((len(sides), 2, 64, 64))
    for width in (1, 2, 4, 8):  # each has its place among the details of one level
        strength = rng.uniform(-6, 6, (len(sides), 2, 1, 1))
        stripes += strength * np.where(columns // width % 2, 1, -1)
    arrays = {name: np.empty((len(rows), *shape), "f2") for name, shape in ARRAY_SHAPES.items()}
    color = rng.uniform(-25, 25, (len(sides), 2, 1, 1))
    sign = {g: rng.normal(size=(len(sides), FEATURE_CHANNELS[g], 1, 1)) for g in FEATURE_GRIDS}
    for index, (photo, _) in enumerate(rows):
        across, down = rng.uniform(-4, 4, (2, 2, 1, 1))
        slopes = across * slope + down * slope[:, None]
        arrays["ab"][index] = color[photo] + stripes[photo] + slopes
        arrays["lightness"][index] = 50 + 10 * rng.normal(size=(1, 128, 128))
        for grid, value in sign.items():
            noise = 0.1 * rng.normal(size=(FEATURE_CHANNELS[grid], grid, grid))
            arrays[f"features{grid}"][index] = value[photo] + noise

    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    np.save(folder / "rows.npy", np.array(rows, dtype=ROW_TYPE))
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma"])
        for photo, (split, side) in enumerate(zip(splits, sides, strict=True)):
            chroma = float(np.hypot(*color[photo].ravel()))
            writer.writerow([photo, f"photo{photo}.jpg", split, side, f"{photo:016x}", chroma])
    info = {"format": FORMAT, "rows": len(rows), "filled": len(rows), "seed": 0}
    (folder / "pack.json").write_text(json.dumps(info), encoding="utf-8")
