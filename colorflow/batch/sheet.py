"""A batch's contact sheet: one photo a row, in gray and beside it its colorings.

Enlarged photos are shown by a piece of their middle at full size, beside the same piece of the
photo, whose pixels are blown up.

A sheet is one picture, or a page whose pictures link to the results. Its size is bounded, and it
says itself which photos it does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from colorflow.batch.html_sheet import HTML_SHEET, html_row, write_html_sheet
from colorflow.batch.locations import Location, fetched
from colorflow.batch.picture_sheet import PICTURE_SHEET, picture_row, write_picture_sheet
from colorflow.batch.sheet_row import SheetPicture, SheetRow
from colorflow.batch.task import ColoredFile, PhotoOutcome
from colorflow.color.grid import resize_by_area
from colorflow.enlarge.draws import MEAN
from colorflow.errors import PhotoError, UnreadablePhotoError, WritePhotoError
from colorflow.files import FileKind
from colorflow.photo import DEFAULT_MAX_PIXELS, LETTERS, read_photo

MOST_HEIGHT = 12_000
"""Pixels of all rows of a picture; with the notes below it keeps within the 16383 of WebP."""
MOST_BYTES = 24_000_000
"""Bytes of all rows of a page, which a phone should open."""
MOST_COLORINGS = 64
"""Colorings in one row; the row says how many there are."""
MOST_NAMED = 40
"""Photos without a row that the sheet names."""

_SUFFIXES = (".jpg", ".png", ".webp", ".html")
_SHORT_SIDE, _LONG_SIDE = 300, 900
"""Pixels: shorter side of a picture, and the longer side's bound, which goes first."""


def check_sheet(path: Path) -> None:
    """Raises `WritePhotoError` unless a sheet can have this name."""
    if path.suffix.lower() not in _SUFFIXES:
        raise WritePhotoError(path, f"a contact sheet is one of {', '.join(_SUFFIXES)}")


def sheet_kind(path: Path) -> FileKind:
    """The kind of file of a sheet with this name."""
    return HTML_SHEET if _is_html(path) else PICTURE_SHEET


def write_sheet(
    path: Path,
    outcomes: Iterable[PhotoOutcome],
    *,
    at_full_size: bool = False,
    page: Path | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> int:
    """Writes a contact sheet of the photos that have results.

    Photos that failed, or whose pictures cannot be read any more, are named at the end.

    Args:
        path: the file, .jpg, .png, .webp or .html.
        outcomes: of a batch.
        at_full_size: whether to show a piece of each result, for enlarged photos.
        page: another file, .html, for the same as a page; each picture is read once for both.
        max_pixels: largest width times height of a photo.

    Returns:
        The number of photos that the first file shows; if there are none, nothing is written.

    Raises:
        WritePhotoError: if it cannot be written.
    """
    outcomes = list(outcomes)
    colored = [outcome for outcome in outcomes if outcome.colorings]
    missing = [
        f"{outcome.path.name}: {outcome.reason or outcome.status}"
        for outcome in outcomes
        if not outcome.colorings
    ]
    before = len(missing)
    row_of = partial(_detail_row if at_full_size else _row, max_pixels=max_pixels)
    sheets = [_Sheet(one) for one in (path, page) if one is not None]
    for row in _readable_rows(colored, missing, row_of):
        for sheet in sheets:
            sheet.add(row)
        if all(sheet.is_full for sheet in sheets):
            break
    for sheet in sheets if sheets[0].shown else ():
        left = len(colored) - sheet.shown - (len(missing) - before)
        sheet.write(_notes(left, len(colored), missing))
    return sheets[0].shown


class _Sheet:
    """A sheet that takes rows until it is full, but at least one.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.is_full = False
        self._path = path
        self._sections: list[str] = []
        self._blocks: list[Image.Image] = []
        self._used = 0

    @property
    def shown(self) -> int:
        """The number of its rows."""
        return len(self._sections) + len(self._blocks)

    def add(self, row: SheetRow) -> None:
        """Takes a row unless it is full."""
        if self.is_full:
            return
        if _is_html(self._path):
            section = html_row(row, self._path.parent)
            if self._fits(len(section), MOST_BYTES):
                self._sections.append(section)
        else:
            block = picture_row(row)
            if self._fits(block.height, MOST_HEIGHT):
                self._blocks.append(block)

    def write(self, notes: list[str]) -> None:
        """Writes the file.

        Raises:
            WritePhotoError: if it cannot be written.
        """
        if _is_html(self._path):
            write_html_sheet(self._path, self._sections, notes)
        else:
            write_picture_sheet(self._path, self._blocks, notes)

    def _fits(self, size: int, most: int) -> bool:
        self._used += size
        self.is_full = bool(self.shown) and self._used > most
        return not self.is_full


def caption_of(coloring: ColoredFile) -> str:
    """A principal coloring's letter and share, the seed of a sample, or the mean of the detail."""
    if coloring.label.endswith(MEAN.label):
        return "Mean"
    if coloring.label not in tuple(LETTERS):
        return f"Seed {coloring.seed}"
    letter = coloring.label.upper()
    if coloring.label == LETTERS[0]:
        return f"{letter}: average of all"
    return letter if coloring.share is None else f"{letter}: {100 * coloring.share:.0f} %"


def _is_html(path: Path) -> bool:
    return path.suffix.lower() == ".html"


def _notes(left: int, of: int, missing: list[str]) -> list[str]:
    """What the sheet does not show, and why."""
    notes = []
    if left:
        notes.append(f"The sheet is full: {left} of {of} photos are not on it.")
    notes += [f"Not shown: {one}" for one in missing[:MOST_NAMED]]
    if (more := len(missing) - MOST_NAMED) > 0:
        notes.append(f"Not shown: {more} more, which a report names")
    return notes


def _readable_rows(
    colored: Iterable[PhotoOutcome],
    missing: list[str],
    row_of: Callable[[PhotoOutcome], SheetRow],
) -> Iterator[SheetRow]:
    """The rows whose pictures can be read; the others are added to `missing`."""
    for outcome in colored:
        try:
            yield row_of(outcome)
        except PhotoError as error:
            missing.append(f"{outcome.path.name}: {Path(error.source).name}: {error.reason}")


def _row(outcome: PhotoOutcome, *, max_pixels: int) -> SheetRow:
    shown, of = outcome.colorings[:MOST_COLORINGS], len(outcome.colorings)
    name = outcome.path.name
    gray = Image.fromarray(_thumbnail(outcome.path, max_pixels)).convert("L")
    pictures = [SheetPicture(gray.convert("RGB"), "In gray", None)]
    for one in shown:
        image = Image.fromarray(_thumbnail(one.path, max_pixels)).convert("RGB")
        pictures.append(SheetPicture(image, caption_of(one), one.path))
    return SheetRow(name, f"{len(shown)} of {of} colorings" if len(shown) < of else "", pictures)


def _detail_row(outcome: PhotoOutcome, *, max_pixels: int) -> SheetRow:
    """Pieces of the middle: of the photo, and of its enlarged versions."""
    shown, of = outcome.colorings[:MOST_COLORINGS], len(outcome.colorings)
    pieces, width = [], 1
    for one in shown:
        pixels = _pixels(one.path, max_pixels)
        width = pixels.shape[1]
        image = Image.fromarray(_middle(pixels, 1)).convert("RGB")
        pieces.append(SheetPicture(image, caption_of(one), one.path))
    photo = _pixels(outcome.path, max_pixels)
    before = Image.fromarray(_middle(photo, max(1, width // photo.shape[1]))).convert("RGB")
    remark = f"{len(shown)} of {of} results" if len(shown) < of else ""
    return SheetRow(outcome.path.name, remark, [SheetPicture(before, "Before", None), *pieces])


def _middle(pixels: np.ndarray, scale: int) -> np.ndarray:
    """A square piece of the middle, of 300 pixels at most, each pixel as a square of `scale`."""
    height, width = pixels.shape[:2]
    side = _SHORT_SIDE // scale
    rows = slice(max(0, (height - side) // 2), max(0, (height - side) // 2) + side)
    columns = slice(max(0, (width - side) // 2), max(0, (width - side) // 2) + side)
    piece = pixels[rows, columns]
    return np.ascontiguousarray(piece.repeat(scale, 0).repeat(scale, 1))


def _thumbnail(path: Location, max_pixels: int) -> np.ndarray:
    pixels = _pixels(path, max_pixels)
    short, long = sorted(pixels.shape[:2])
    scale = min(_SHORT_SIDE / short, _LONG_SIDE / long)
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.round(resize_by_area(pixels, height, width)).astype(np.uint8)


def _pixels(path: Location, max_pixels: int) -> np.ndarray:
    with TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True) as folder:
        try:
            here = fetched(path, Path(folder) / "photo")
            return read_photo(here, max_pixels=max_pixels, isolated=True).pixels
        except PhotoError as error:
            raise UnreadablePhotoError(str(path), error.reason) from error
