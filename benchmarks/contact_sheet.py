"""Makes a contact sheet: gray, principal colorings, and the original, one row per photo.

    python -m benchmarks.contact_sheet PHOTOS... -o SHEET.jpg
    python -m benchmarks.contact_sheet --examples astronaut chelsea coffee rocket -o SHEET.jpg

`--samples` and `--diverse` show samples instead of principal colorings. Gray and tinted photos have
no original to show. `--examples` uses photos that scikit-image ships.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data

from colorflow.color.full_resolution import lightness_of, render
from colorflow.colorizer import Colorizer
from colorflow.contact_sheet import row_of, thumbnail, write_contact_sheet
from colorflow.photo import Kind, Photo, find_photos, photo_from_image, read_photo

GAP = 4


def main() -> None:
    """Writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument(
        "--examples", nargs="+", default=[], metavar="NAME", help="names of photos in skimage.data"
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("-n", type=int, default=4, help="colorings of a photo (default 4)")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", action="store_true")
    parser.add_argument("--diverse", action="store_true")
    parser.add_argument("--height", type=int, default=160, help="height of a row, in pixels")
    parser.add_argument("--limit", type=int, help="use at most so many photos, evenly spread")
    options = parser.parse_args()

    colorizer = Colorizer.load(options.weights)
    rows = [_row(colorizer, photo, options) for photo in _photos(options)]
    write_contact_sheet(options.output, rows, GAP)


def _photos(options: argparse.Namespace) -> Iterator[Photo]:
    for name in options.examples:
        yield photo_from_image(getattr(skimage.data, name)(), name)
    files = find_photos(options.photos)
    limit = options.limit or max(1, len(files))
    for path in files[:: max(1, len(files) // limit)][:limit]:
        yield read_photo(path)


def _row(colorizer: Colorizer, photo: Photo, options: argparse.Namespace) -> np.ndarray:
    small = thumbnail(photo.pixels, options.height)
    colorings = colorizer.colorize(
        photo,
        options.n,
        options.temperature,
        options.seed,
        samples=options.samples,
        diverse=options.diverse,
        force=True,
    )
    lightness = lightness_of(small)
    cells = [render(lightness, np.zeros_like(colorings[0].ab))]
    cells += [render(lightness, one.ab) for one in colorings]
    if photo.kind is Kind.COLORED:
        cells.append(small)
    return row_of(cells, GAP)


if __name__ == "__main__":
    main()
