"""Makes a contact sheet: gray, principal colorings with their shares, and the original.

    python -m benchmarks.contact_sheet --examples astronaut chelsea coffee rocket -o SHEET.jpg
    python -m benchmarks.contact_sheet --alike --examples astronaut coffee -o SHEET.jpg

Each photo, which scikit-image ships, has one row. `--alike` takes two views of each photo, which
share half of its width: the left one, mirrored, is the reference of the right one, which is shown
in gray, without it, with it, and as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import resized
from colorflow.colorizer import Colorizer
from colorflow.photo import LETTERS, Photo, photo_from_image, write_image
from colorflow.result import Result

GAP = 4
_COLORINGS = 4
_VIEW = 0.75
"""Share of a photo's width that each of two views has."""
_LINE, _FONT_SIZE = 32, 22
"""Pixels: height of a caption, and of its letters."""


def main() -> None:
    """Writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--examples", nargs="+", required=True, metavar="NAME", help="of photos in skimage.data"
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--alike", action="store_true")
    parser.add_argument("--width", type=int, default=240, help="width of a picture, in pixels")
    options = parser.parse_args()
    colorizer = Colorizer.load()
    row = _alike_row if options.alike else _row
    photos = (photo_from_image(getattr(skimage.data, x)(), x) for x in options.examples)
    rows = [row(colorizer, photo, options.width) for photo in photos]
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([_padded(row, width - row.shape[1], GAP) for row in rows])
    write_image(options.output, sheet, photo_from_image(sheet))


def _alike_row(colorizer: Colorizer, photo: Photo, across: int) -> np.ndarray:
    width = round(_VIEW * photo.width)
    other = np.ascontiguousarray(photo.pixels[:, :width][:, ::-1])
    view = photo_from_image(np.ascontiguousarray(photo.pixels[:, -width:]), photo.source)
    small = _small(view, across)
    lightness = lightness_of(small)
    plain, given = (
        colorizer.colorize(view, 1, force=True, reference=reference)[0].ab
        for reference in ((), other)
    )
    cells = {
        "Reference": _small(photo_from_image(other), across),
        "Gray": render(lightness, np.zeros_like(plain)),
        "Without it": render(lightness, plain),
        "With it": render(lightness, given),
        "Original": small,
    }
    return _row_of([_captioned(cell, text) for text, cell in cells.items()])


def _small(photo: Photo, width: int) -> np.ndarray:
    return resized(photo.pixels, max(1, round(width * photo.height / photo.width)), width)


def _row(colorizer: Colorizer, photo: Photo, across: int) -> np.ndarray:
    small = _small(photo, across)
    colorings = colorizer.colorize(photo, _COLORINGS, force=True)
    lightness = lightness_of(small)
    cells = [_captioned(render(lightness, np.zeros_like(colorings[0].ab)), "Gray")]
    for index, one in enumerate(colorings):
        cells.append(_captioned(render(lightness, one.ab), _caption(one, index)))
    return _row_of([*cells, _captioned(small, "Original")])


def _row_of(cells: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one height side by side, with a white gap to the right of each."""
    return np.concatenate([_padded(cell, GAP) for cell in cells], axis=1)


def _padded(pixels: np.ndarray, right: int, below: int = 0) -> np.ndarray:
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=255)


def _caption(coloring: Result, index: int) -> str:
    letter = LETTERS[index].upper()
    return f"{letter}: average" if index == 0 else f"{letter}: {100 * coloring.share:.0f} %"


def _captioned(cell: np.ndarray, text: str) -> np.ndarray:
    picture = Image.new("RGB", (cell.shape[1], cell.shape[0] + _LINE), "white")
    picture.paste(Image.fromarray(cell))
    font = ImageFont.load_default(_FONT_SIZE)
    where = (picture.width / 2, picture.height - _LINE / 2)
    ImageDraw.Draw(picture).text(where, text, "black", font, anchor="mm")
    return np.asarray(picture)


if __name__ == "__main__":
    main()
