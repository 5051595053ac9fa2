"""How well skin is found and colored, against masks that were drawn by hand.

    python -m benchmarks.skin PHOTOS [--masks benchmarks/skin_masks.json] [--weights WEIGHTS]

PHOTOS holds a folder for each collection that the masks name: `imagebase` (the folder images of
github.com/Fugtemypt123/Imagebase), `flickr` (github.com/Abivishaq/dataset_flickrr2), and `viet`
(the folder images of github.com/coderaohong/testing-repo). Nothing was trained on these photos, and
no program marked them: the masks are polygons of skin and of what cannot be told, drawn by eye,
with the part of the body, the tone and the age of the person.

For each group of polygons: recall (mean weight of skin's color on skin), error of chroma (root mean
square, over gray's), share left gray (chroma below 8 where the truth has more than 11), share
glowing (chroma 12 above the truth); and over all photos the share of the weight on what is not
skin. The columns are the first coloring without skin's own color and with it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow import Colorizer
from colorflow.color import cie
from colorflow.color.grid import resized
from colorflow.photo import read_photo

MASKS = Path(__file__).with_name("skin_masks.json")
GRAY, COLORED, GLOW = 8.0, 11.0, 12.0
"""Chroma of what is left gray, of skin that could be so, and of what glows above the truth."""
SIZES = (12, 24, 48)
"""Square roots of the areas of parts, in pixels of a photo of 512x512."""

Array = NDArray[np.float32]


class Part(NamedTuple):
    """A polygon of skin on one photo: its groups, and what was found and colored in it."""

    groups: tuple[str, ...]
    weight: Array
    truth: Array
    colored: tuple[Array, Array]


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--masks", type=Path, default=MASKS)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    colorizer = Colorizer.load(options.weights)
    groups: dict[str, list[Part]] = defaultdict(list)
    on_skin = wrong = 0.0
    for entry in json.loads(options.masks.read_text(encoding="utf-8")):
        parts, on, off = _measured(colorizer, options.photos / entry["source"], entry)
        on_skin, wrong = on_skin + on, wrong + off
        for part in parts:
            for group in ("all", *part.groups):
                groups[group].append(part)
    print(f"weight on what is not skin: {100 * wrong / max(on_skin + wrong, 1e-9):.1f} %")
    print("group             parts  recall  error          left gray      glowing")
    for group, parts in sorted(groups.items()):
        print(f"{group:16s} {len(parts):6d}  {_row(parts)}")


def _row(parts: list[Part]) -> str:
    """Recall; then error, left gray, glowing, each without and with skin's color."""
    weight, truth = np.concatenate([p.weight for p in parts]), np.hstack([p.truth for p in parts])
    both = [np.hstack([p.colored[i] for p in parts]) for i in range(2)]
    vivid = np.hypot(*truth)
    rows = []
    for made in both:
        chroma = np.hypot(*made)
        error = np.sqrt(((made - truth) ** 2).mean() / (truth**2).mean())
        left = (chroma < GRAY)[vivid > COLORED].mean()
        rows.append((error, 100 * left, 100 * (chroma > vivid + GLOW).mean()))
    cells = [
        f"{a:5.3f} {b:5.3f}" if i == 0 else f"{a:5.1f} {b:5.1f} %"
        for i, (a, b) in enumerate(zip(*rows, strict=True))
    ]
    return f"{weight.mean():6.3f}  " + "    ".join(cells)


def _measured(
    colorizer: Colorizer, folder: Path, entry: dict[str, Any]
) -> tuple[list[Part], float, float]:
    """The parts of a photo, and the sums of weight on skin and elsewhere, per pixel of 512x512."""
    photo = read_photo(folder / entry["file"])
    height, width = entry["height"], entry["width"]
    pixels = resized(photo.pixels, height, width)
    lab = cie.rgb_to_lab(pixels / 255)
    truth = np.moveaxis(lab[..., 1:], 2, 0).astype(np.float32)
    made = []
    for skin in (False, True):
        (one,) = colorizer.colorize(pixels, 1, force=True, skin=skin)
        shown = cie.rgb_to_lab(one.render() / 255)[..., 1:]
        made.append(np.moveaxis(shown, 2, 0).astype(np.float32))
    weight = cv2.resize(colorizer.skin(pixels), (width, height), interpolation=cv2.INTER_LINEAR)
    known, skin_here = np.ones((height, width), bool), np.zeros((height, width), bool)
    for polygon in entry["polygons"]:
        if polygon["kind"] != "skin":
            known &= ~_filled(polygon["points"], height, width)
    parts = []
    for polygon in entry["polygons"]:
        if polygon["kind"] != "skin":
            continue
        inside = _filled(polygon["points"], height, width) & known
        skin_here |= inside
        if inside.any():
            groups = tuple(_groups(polygon, inside.sum() * 512**2 / inside.size))
            colored = (made[0][:, inside], made[1][:, inside])
            parts.append(Part(groups, weight[inside], truth[:, inside], colored))
    border = cv2.dilate(skin_here.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    scale = 512**2 / skin_here.size
    on, off = weight[skin_here].sum() * scale, weight[known & ~border].sum() * scale
    return parts, float(on), float(off)


def _groups(polygon: dict[str, Any], area: float) -> Iterator[str]:
    side = np.sqrt(area)
    limit = next((size for size in SIZES if side < size), None)
    yield f"size below {limit}" if limit else f"size {SIZES[-1]} and more"
    yield f"tone {polygon['tone']}"
    yield f"part {polygon['part']}"
    yield f"age {polygon['age']}"


def _filled(points: list[list[float]], height: int, width: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(np.array(points)).astype(np.int32)], 1)
    return mask > 0


if __name__ == "__main__":
    main()
