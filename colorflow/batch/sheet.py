"""A contact sheet: each photo in gray beside its colorings, with its name and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.locations import Location
from colorflow.batch.record import Coloring, Record
from colorflow.color.resize import resize_by_area
from colorflow.errors import ColorflowError, WritePhotoError
from colorflow.files import picture_kind
from colorflow.photo import LETTERS, photo_from_image, read_photo, write_image

MOST_PHOTOS = 200
"""More are thinned out evenly, so that the sheet can be looked at."""
SHEET = picture_kind("contact sheet of a batch")
SHEET_SUFFIXES = (".jpg", ".png", ".webp")

_CELL, _GAP, _LINE, _WIDTH = 140, 6, 18, 1600
"""Height of a picture, space between two, height of a line of text, and width of the sheet."""
_HEIGHT = _CELL + 2 * _LINE
"""Of a photo's pictures, a line with the labels below them, and a line with the photo's name."""
_WIDEST = 3 * _CELL
_NAME_SIZE = 12

Pixels = NDArray[np.uint8]


def check_sheet(path: Path) -> None:
    """Raises `WritePhotoError` unless a sheet can have this name."""
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise WritePhotoError(path, f"a contact sheet is one of {', '.join(SHEET_SUFFIXES)}")


def write_sheet(path: Path, records: Iterable[Record]) -> int:
    """Writes a contact sheet of the photos that have colorings on the disk.

    Args:
        path: the file, .jpg, .png or .webp.
        records: of a batch.

    Returns:
        How many photos it shows; nothing is written if there are none.

    Raises:
        WritePhotoError: if it cannot be written.
    """
    colored = [record for record in records if record.colorings]
    every = -(-len(colored) // MOST_PHOTOS)
    shown = [block for record in colored[:: max(1, every)] if (block := _block(record))]
    if shown:
        sheet = _laid_out(shown)
        write_image(path, sheet, photo_from_image(sheet), kind=SHEET)
    return len(shown)


def _block(record: Record) -> Image.Image | None:
    """One photo's pictures with captions below; None if none of them can be read any more."""
    try:
        gray = _small(record.path, gray=True)
        cells = [gray] + [_small(one.path, gray=False) for one in record.colorings]
    except ColorflowError:
        return None
    width = sum(cell.width + _GAP for cell in cells)
    block = Image.new("RGB", (width, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(block), ImageFont.load_default(_NAME_SIZE)
    left = 0
    for cell, caption in zip(cells, ["", *map(caption_of, record.colorings)], strict=True):
        block.paste(cell, (left, 0))
        draw.text((left, _CELL + 1), caption, fill="black", font=font)
        left += cell.width + _GAP
    name = record.path.name.encode("utf-8", "replace").decode()
    name = "".join(c if c.isprintable() else "?" for c in name)
    draw.text((0, _CELL + _LINE + 1), name, fill="black", font=font)
    return block


def caption_of(coloring: Coloring) -> str:
    """Its label, and the share of a mode."""
    if coloring.share is None:
        return coloring.label
    is_mean = coloring.label == LETTERS[0]
    return f"{coloring.label}: " + ("mean of all" if is_mean else f"{coloring.share:.0%}")


def _small(path: Location, *, gray: bool) -> Image.Image:
    pixels = read_photo(str(path)).pixels
    height, width = pixels.shape[:2]
    width = min(_WIDEST, max(1, round(_CELL * width / height)))
    small = Image.fromarray(np.rint(resize_by_area(pixels, _CELL, width)).astype(np.uint8))
    return small.convert("L").convert("RGB") if gray else small.convert("RGB")


def _laid_out(blocks: list[Image.Image]) -> Pixels:
    """Blocks side by side, in as many lines as they need."""
    places = []
    left, line = 0, 0
    for block in blocks:
        if left and left + block.width > _WIDTH:
            left, line = 0, line + 1
        places.append((left, line * (_HEIGHT + _GAP)))
        left += block.width
    width = max(left + block.width for block, (left, _) in zip(blocks, places, strict=True))
    height = places[-1][1] + _HEIGHT
    sheet = Image.new("RGB", (width + _GAP, height + _GAP), "white")
    for block, (left, top) in zip(blocks, places, strict=True):
        sheet.paste(block, (left + _GAP, top + _GAP))
    return np.array(sheet)
