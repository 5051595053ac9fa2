"""A contact sheet: each photo in grey beside its colourings, with its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.record import Record
from colorflow.batch.url import Place
from colorflow.color.resize import resize_by_area
from colorflow.errors import ColorflowError, WritePhotoError
from colorflow.files import picture_kind
from colorflow.photo import photo_from_image, read_photo, write_image

MOST_PHOTOS = 200
"""More are thinned out evenly, so that the sheet can be looked at."""
SHEET = picture_kind("contact sheet of a batch")
SHEET_SUFFIXES = (".jpg", ".png", ".webp")

_CELL, _GAP, _LINE, _WIDTH = 140, 6, 18, 1600
"""Height of a picture, space between two, height of a name, and width of the sheet, in pixels."""
_WIDEST = 3 * _CELL
_NAME_SIZE = 12

Pixels = NDArray[np.uint8]


def check_sheet(path: Path) -> None:
    """Raises `WritePhotoError` unless a sheet can have this name."""
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise WritePhotoError(path, f"a contact sheet is one of {', '.join(SHEET_SUFFIXES)}")


def write_sheet(path: Path, records: Iterable[Record]) -> int:
    """Writes a contact sheet of the photos that have colourings on the disk.

    Args:
        path: the file, .jpg, .png or .webp.
        records: of a batch.

    Returns:
        How many photos it shows; nothing is written if there are none.

    Raises:
        WritePhotoError: if it cannot be written.
    """
    coloured = [record for record in records if record.colourings]
    every = -(-len(coloured) // MOST_PHOTOS)
    shown = [block for record in coloured[:: max(1, every)] if (block := _block(record))]
    if shown:
        sheet = _laid_out(shown)
        write_image(path, sheet, photo_from_image(sheet), kind=SHEET)
    return len(shown)


def _block(record: Record) -> Image.Image | None:
    """One photo's pictures with its name below; None if none of them can be read any more."""
    try:
        grey = _small(record.path, grey=True)
        cells = [grey] + [_small(one.path, grey=False) for one in record.colourings]
    except ColorflowError:
        return None
    width = sum(cell.width + _GAP for cell in cells)
    block = Image.new("RGB", (width, _CELL + _LINE), "white")
    left = 0
    for cell in cells:
        block.paste(cell, (left, 0))
        left += cell.width + _GAP
    name = record.path.name.encode("utf-8", "replace").decode()
    name = "".join(c if c.isprintable() else "?" for c in name)
    font = ImageFont.load_default(_NAME_SIZE)
    ImageDraw.Draw(block).text((0, _CELL + 1), name, fill="black", font=font)
    return block


def _small(path: Place, *, grey: bool) -> Image.Image:
    pixels = read_photo(str(path)).pixels
    height, width = pixels.shape[:2]
    width = min(_WIDEST, max(1, round(_CELL * width / height)))
    small = Image.fromarray(np.rint(resize_by_area(pixels, _CELL, width)).astype(np.uint8))
    return small.convert("L").convert("RGB") if grey else small.convert("RGB")


def _laid_out(blocks: list[Image.Image]) -> Pixels:
    """Blocks side by side, in as many lines as they need."""
    places = []
    left, line = 0, 0
    for block in blocks:
        if left and left + block.width > _WIDTH:
            left, line = 0, line + 1
        places.append((left, line * (_CELL + _LINE + _GAP)))
        left += block.width
    width = max(left + block.width for block, (left, _) in zip(blocks, places, strict=True))
    height = places[-1][1] + _CELL + _LINE
    sheet = Image.new("RGB", (width + _GAP, height + _GAP), "white")
    for block, (left, top) in zip(blocks, places, strict=True):
        sheet.paste(block, (left + _GAP, top + _GAP))
    return np.array(sheet)
