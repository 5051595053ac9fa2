"""A contact sheet as one picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorflow.batch.sheet_row import SheetPicture, SheetRow
from colorflow.contact_sheet import write_contact_sheet
from colorflow.errors import escaped, printable
from colorflow.files import picture_kind

PICTURE_SHEET = picture_kind("contact sheet of a batch")

_GAP, _LINE, _WIDTH = 8, 26, 2720
"""Pixels: gap between pictures, height of a text line, width of the sheet."""
_LEAST_CELL, _LEAST_WIDTH = 300, 900
"""Pixels: width that a caption has, and that a name has."""
_NOTE_LINES = 3
_FONT_SIZE = 18
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "arial.ttf")
"""Fonts with the letters of many languages; the first that this machine has is used."""
_NO_CHARACTER = "\uffff"


def picture_row(row: SheetRow) -> Image.Image:
    """A photo's name, and its pictures with their captions, in as many lines as they need."""
    lines = list(_lines(row.pictures))
    width = max(_LEAST_WIDTH, *(line.width for line in lines))
    parts = [_text(row.title, width), *lines]
    block = Image.new("RGB", (_GAP + width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        block.paste(part, (_GAP, top))
        top += part.height
    return block


def write_picture_sheet(path: Path, rows: Sequence[Image.Image], notes: Iterable[str]) -> None:
    """Writes the picture.

    Args:
        path: the file.
        rows: from `picture_row`.
        notes: what the sheet does not show.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    width = max(row.width for row in rows) - _GAP
    texts = [_note(note, width) for note in notes]
    write_contact_sheet(path, [np.array(one) for one in (*rows, *texts)], _GAP, PICTURE_SHEET)


def _lines(pictures: Iterable[SheetPicture]) -> Iterator[Image.Image]:
    """Pictures side by side, up to the sheet's width."""
    line: list[Image.Image] = []
    for picture in pictures:
        cell = _cell(picture)
        if line and sum(one.width for one in line) + cell.width > _WIDTH:
            yield _joined(line)
            line = []
        line.append(cell)
    yield _joined(line)


def _joined(cells: Sequence[Image.Image]) -> Image.Image:
    size = sum(cell.width for cell in cells), max(cell.height for cell in cells)
    line = Image.new("RGB", size, "white")
    left = 0
    for cell in cells:
        line.paste(cell, (left, 0))
        left += cell.width
    return line


def _cell(picture: SheetPicture) -> Image.Image:
    """A picture above its caption, with a gap to the right."""
    width, height = picture.image.size
    width = max(width, _LEAST_CELL)
    cell = Image.new("RGB", (width + _GAP, height + _LINE), "white")
    cell.paste(picture.image, (0, 0))
    cell.paste(_text(picture.caption, width), (0, height))
    return cell


def _note(text: str, width: int) -> Image.Image:
    """A text in at most three lines, below the rows."""
    lines = list(_wrapped(printable(text), width))
    if len(lines) > _NOTE_LINES:
        lines[_NOTE_LINES - 1 :] = [lines[_NOTE_LINES - 1][:-3] + "..."]
    image = Image.new("RGB", (_GAP + width, _LINE * len(lines)), "white")
    image.paste(_drawn(lines, width), (_GAP, 0))
    return image


def _text(text: str, width: int) -> Image.Image:
    """A text in as many lines as it needs."""
    return _drawn(list(_wrapped(text, width)), width)


def _drawn(lines: Sequence[str], width: int) -> Image.Image:
    image = Image.new("RGB", (width, _LINE * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((0, _LINE * number + 2), line, fill="black", font=_font())
    return image


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Breaks lines at spaces, and within words that are longer than a line."""
    line = ""
    for character in text:
        shown = character if _has(character) else escaped(character)
        if line and _font().getlength(line + shown) > width:
            words, _, begun = (line + shown).rpartition(" ")
            yield words or line
            line = begun if words else shown
        else:
            line += shown
    yield line


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, _FONT_SIZE)
        except OSError:
            continue
    return ImageFont.load_default(_FONT_SIZE)


@cache
def _has(character: str) -> bool:
    """Whether the font has a character; it draws the same box for all that it lacks."""
    return bytes(_font().getmask(character)) != bytes(_font().getmask(_NO_CHARACTER))
