"""A batch's contact sheet: each photo in gray beside its colorings, with its name and labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.locations import Location
from colorflow.batch.outcome import ColoredFile, PhotoOutcome
from colorflow.contact_sheet import Pixels, row_of, thumbnail, write_contact_sheet
from colorflow.errors import ColorflowError, WritePhotoError
from colorflow.files import picture_kind
from colorflow.photo import LETTERS, read_photo

MOST_PHOTOS = 200
"""Of more photos, every k-th is shown, so that the sheet stays small enough to look at."""
SHEET = picture_kind("contact sheet of a batch")
SHEET_SUFFIXES = (".jpg", ".png", ".webp")

_CELL, _GAP, _LINE, _WIDTH = 140, 6, 18, 1600
"""Pixels: height of a picture, gap between pictures, height of a text line, width of the sheet."""
_WIDEST = 3 * _CELL
_FONT_SIZE = 12


def check_sheet(path: Path) -> None:
    """Raises `WritePhotoError` unless a sheet can have this name."""
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise WritePhotoError(path, f"a contact sheet is one of {', '.join(SHEET_SUFFIXES)}")


def write_sheet(path: Path, outcomes: Iterable[PhotoOutcome]) -> int:
    """Writes a contact sheet of the photos that have colorings on the disk.

    Args:
        path: the file, .jpg, .png or .webp.
        outcomes: of a batch.

    Returns:
        The number of photos shown; if there are none, nothing is written.

    Raises:
        WritePhotoError: if it cannot be written.
    """
    colored = [outcome for outcome in outcomes if outcome.colorings]
    every = max(1, -(-len(colored) // MOST_PHOTOS))
    blocks = [block for outcome in colored[::every] if (block := _block(outcome)) is not None]
    if blocks:
        write_contact_sheet(path, _rows(blocks), _GAP, SHEET)
    return len(blocks)


def caption_of(coloring: ColoredFile) -> str:
    """A coloring's label, and the share of a mode."""
    if coloring.share is None:
        return coloring.label
    is_mean = coloring.label == LETTERS[0]
    return f"{coloring.label}: " + ("mean of all" if is_mean else f"{coloring.share:.0%}")


def _block(outcome: PhotoOutcome) -> Pixels | None:
    """One photo's pictures, a line with labels, and a line with its name.

    None if one of the pictures cannot be read any more.
    """
    try:
        cells = [_cell(outcome.path, gray=True)]
        cells += [_cell(one.path, gray=False) for one in outcome.colorings]
    except ColorflowError:
        return None
    pictures = row_of(cells, _GAP)
    text = Image.new("RGB", (pictures.shape[1], 2 * _LINE), "white")
    draw, font = ImageDraw.Draw(text), ImageFont.load_default(_FONT_SIZE)
    left = 0
    for cell, caption in zip(cells, ["", *map(caption_of, outcome.colorings)], strict=True):
        draw.text((left, 1), caption, fill="black", font=font)
        left += cell.shape[1] + _GAP
    name = outcome.path.name.encode("utf-8", "replace").decode()
    name = "".join(c if c.isprintable() else "?" for c in name)
    draw.text((0, _LINE + 1), name, fill="black", font=font)
    return np.concatenate([pictures, np.array(text)])


def _cell(path: Location, *, gray: bool) -> Pixels:
    small = Image.fromarray(thumbnail(read_photo(str(path)).pixels, _CELL, _WIDEST))
    return np.array(small.convert("L").convert("RGB") if gray else small.convert("RGB"))


def _rows(blocks: list[Pixels]) -> list[Pixels]:
    """Blocks side by side, in as many rows as they need, with a margin on the left and on top."""
    margin = np.full((blocks[0].shape[0], _GAP, 3), 255, np.uint8)
    rows = [[margin]]
    width = 0
    for block in blocks:
        if width and width + block.shape[1] > _WIDTH:
            rows.append([margin])
            width = 0
        rows[-1].append(block)
        width += block.shape[1]
    return [margin[:0], *(np.concatenate(row, axis=1) for row in rows)]  # an empty row has a gap
