"""A contact sheet: one page with all photos, each in gray beside its colorings, which are links.

Repaired and restored prints stand beside what they were, with what was repaired in red there;
enlarged photos are shown by a piece of their middle at full size, beside the same piece of the
photo, whose pixels are blown up. The pictures are inside the page, and their size is bounded: where
it is full, names and links go on alone.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.batch.settings import REPAIRED_LABEL, RESTORED_LABEL
from colorflow.batch.task import ColoredFile, PhotoOutcome, share_text
from colorflow.color.grid import resized
from colorflow.enlarge.draws import MEAN
from colorflow.errors import PhotoError, WritePhotoError, printable
from colorflow.files import STATEMENT, FileKind, text_kind
from colorflow.photo import (
    COLORING,
    ENLARGED,
    REPAIRED,
    RESTORED,
    Photo,
    read_photo,
)
from colorflow.photo.encode import write_file
from colorflow.recipe import LETTERS
from colorflow.scan import Frame, cut_out, frame_in

MOST_BYTES = 24_000_000
"""Bytes of all pictures, which a phone should open."""
MOST_PICTURES = 64
"""Results of one photo that are shown; the others are links."""

_NAME = "contact sheet of a batch"
_OPENING = f"<!DOCTYPE html>\n<!-- {STATEMENT}{_NAME} -->\n"
_SHEET = text_kind(_NAME, _OPENING)

_CELLS = 128
"""Of marks along the longer side: three pixels of a sheet each, and less than 2,800 letters."""
_MARKS = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,2}):([\w+/]+=*)", re.ASCII)
_MARK_COLOR = (255, 40, 0)
_MARK_OPACITY = 0.55
_LINES = (((0, 0, 0), 5), (_MARK_COLOR, 2))
"""Colors and widths of frames, one over the other: they are seen on any scan."""
_SHORT_SIDE, _LONG_SIDE = 300, 900
"""Pixels: shorter side of a picture, and the longer side's bound, which goes first."""
_IN_A_ROW = 5
"""Pictures side by side at most, where there is room for them: a photo, and four colorings."""
_JPEG_QUALITY = 80
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 0 1rem 2rem; font-family: system-ui, sans-serif; }
main { display: flex; flex-wrap: wrap; column-gap: 2rem; }
h1 { flex-basis: 100%; }
section { max-width: 100%; border-top: 1px solid #8886; break-inside: avoid; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; break-after: avoid; }
p { overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 0.75rem; }
figure { margin: 0; max-width: 100%; break-inside: avoid; }
.row figure {
  --side: calc((100vw - 3rem - (var(--shown) - 1) * 0.75rem) / var(--shown));
  max-width: max(var(--side), min(10rem, 100%));
}
img { display: block; max-width: 100%; height: auto; }
figcaption { padding: 0.25rem 0; }
@media print { img { max-height: 6cm; width: auto; } body { padding: 0; } a { color: inherit; } }
"""


class SheetPicture(NamedTuple):
    """A small picture.

    Attributes:
        pixels: (H, W) or (H, W, 3) uint8, of the size that is shown; None for words alone.
        caption: what stands below it.
        result: the full-size file; None for the photo itself.
    """

    pixels: NDArray[np.uint8] | None
    caption: str
    result: Path | None


class ContactSheet:
    """A contact sheet that takes photos one after the other.

    Args:
        path: the file; links to results are relative to its folder.
    """

    def __init__(self, path: Path) -> None:
        self.shown = 0
        """The number of photos with pictures."""
        self.is_full = False
        """Whether photos from now on get words and links alone."""
        self._path = path
        self._sections: list[str] = []
        self._used = 0

    def add(self, name: str, pictures: Sequence[SheetPicture], remark: str = "") -> None:
        """Take a photo.

        Args:
            name: of the photo, with its folders.
            pictures: the photo, then its results; empty if there are none.
            remark: what else there is to say.
        """
        figures = [self._figure(name, one) for one in pictures]
        self._used += sum(map(len, figures))
        if self.shown and self._used > MOST_BYTES:
            self.is_full = True
            figures = [self._figure(name, one._replace(pixels=None)) for one in pictures]
        elif any(one.pixels is not None for one in pictures):
            self.shown += 1
        said = f"<p>{_text(remark)}</p>\n" if remark else ""
        beside = min(len(figures), _IN_A_ROW)
        row = f'<div class="row" style="--shown: {beside}">{"".join(figures)}</div>\n'
        row = row if figures else ""
        self._sections.append(f"<section>\n<h2>{_text(name)}</h2>\n{said}{row}</section>\n")

    def write(self) -> None:
        """Write the page.

        Raises:
            WritePhotoError: if the file cannot be written.
        """
        page = (
            f'{_OPENING}<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Contact sheet</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            f"<h1>Contact sheet</h1>\n{''.join(self._sections)}</main>\n</body>\n</html>\n"
        )
        write_file(self._path, page.encode(), _SHEET)

    def _figure(self, name: str, picture: SheetPicture) -> str:
        image, caption = "", _text(picture.caption)
        if picture.pixels is not None:
            height, width = picture.pixels.shape[:2]
            alt = _text(f"{name}: {picture.caption}")
            source = _as_address(picture.pixels)
            image = f'<img src="{source}" width="{width}" height="{height}" alt="{alt}">'
        if picture.result is None:
            return f"<figure>{image}<figcaption>{caption}</figcaption></figure>" if image else ""
        address = html.escape(_link_to(picture.result, self._path.parent))
        return f'<figure><a href="{address}">{image}<figcaption>{caption}</figcaption></a></figure>'


def sheet_kind(path: Path) -> FileKind:
    """The kind of file that a sheet is, or raises `WritePhotoError` if it cannot have this name."""
    if path.suffix.lower() != ".html":
        raise WritePhotoError(path, "a contact sheet is a page, which also prints; name it .html")
    return _SHEET


def write_sheet(
    path: Path,
    outcomes: Iterable[PhotoOutcome],
    kind: FileKind = COLORING,
    *,
    named: Callable[[object], str] = str,
) -> int:
    """Writes a contact sheet of all photos of a batch.

    Args:
        path: the file, .html.
        outcomes: of the batch.
        kind: of the results; of enlarged photos a piece is shown at full size.
        named: gives paths, and sentences with them, the names by which people know them.

    Returns:
        The number of photos that are shown with pictures; if none has results that can be read,
        nothing is written.

    Raises:
        WritePhotoError: if it cannot be written.
    """
    sheet = ContactSheet(path)
    kinds = {COLORING: _thumbnails, ENLARGED: _details, REPAIRED: _pairs, RESTORED: _pairs}
    pictures_of = kinds[kind]
    for outcome in outcomes:
        results = [SheetPicture(None, caption_of(one), one.path) for one in outcome.colorings]
        pictures, remark = results, "" if results else outcome.reason or outcome.status
        if results and not sheet.is_full:
            try:
                some = list(pictures_of(outcome, results[:MOST_PICTURES]))
                pictures = [*some, *results[MOST_PICTURES:]]
            except PhotoError as error:
                remark = f"{Path(error.source).name}: {error.reason}"
        sheet.add(named(outcome), pictures, named(remark))
    if sheet.shown:
        sheet.write()
    return sheet.shown


def caption_of(coloring: ColoredFile) -> str:
    """What a result is, and which print of several it shows.

    That is a principal coloring's letter and share, the seed of a sample, or the mean of the
    detail; and how much of the print was repaired, if anything.
    """
    repaired = f"{share_text(coloring.repaired)} repaired" if coloring.repaired else ""
    if coloring.label in (REPAIRED_LABEL, RESTORED_LABEL):
        named = [coloring.path.name] if coloring.label == RESTORED_LABEL else []
        said = [*named, repaired or ("No damage found" if coloring.repaired == 0 else "")]
    else:
        said = [_said_of(coloring), repaired]
    if number := coloring.print_number:
        said = [f"Print {number}", *said]
    return ", ".join(filter(None, said))


def _said_of(coloring: ColoredFile) -> str:
    if coloring.label.endswith(MEAN.label):
        return "Mean"
    if coloring.label not in tuple(LETTERS):
        return f"Seed {coloring.seed}"
    letter = coloring.label.upper()
    if coloring.label == LETTERS[0]:
        return f"{letter}: average of all"
    return letter if coloring.share is None else f"{letter}: {100 * coloring.share:.0f} %"


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as small as a sheet shows it."""
    short, long = sorted(pixels.shape[:2])
    scale = min(_SHORT_SIDE / short, _LONG_SIDE / long)
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return resized(pixels, height, width)


def in_gray(pixels: NDArray[np.uint8]) -> SheetPicture:
    """The picture of the photo itself, already small."""
    return SheetPicture(np.asarray(Image.fromarray(pixels).convert("L")), "In gray", None)


def _thumbnails(photo: PhotoOutcome, results: Sequence[SheetPicture]) -> Iterator[SheetPicture]:
    """The photo in gray, and its colorings."""
    scan = _read(photo.path, photo.page)
    yield _framed(in_gray(thumbnail(scan.pixels)), scan, photo.colorings)
    for one in results:
        assert one.result is not None
        yield one._replace(pixels=thumbnail(_read(one.result).pixels))


def _pairs(photo: PhotoOutcome, results: Sequence[SheetPicture]) -> Iterator[SheetPicture]:
    """Each print, with what was repaired in red, and what it has become, in one; the scan first."""
    scan = _read(photo.path, photo.page)
    whole = thumbnail(scan.pixels)
    if any(_frame_in(scan, one) for one in photo.colorings):
        yield _framed(SheetPicture(whole, "Before", None), scan, photo.colorings)
    for one, made in zip(results, photo.colorings, strict=False):
        frame = _frame_in(scan, made)
        before = thumbnail(cut_out(scan, frame).pixels) if frame else whole
        after = resized(_read(made.path).pixels, *before.shape[:2])
        marks = marked(_in_rgb(before), made.marks) if made.marks else _in_rgb(before)
        yield one._replace(pixels=np.hstack([marks, _in_rgb(after)]))


def _framed(picture: SheetPicture, scan: Photo, made: Sequence[ColoredFile]) -> SheetPicture:
    """A small picture of a scan with the frames of its prints, if any were cut out."""
    found = ((_frame_in(scan, one), one.print_number) for one in made)
    frames = {frame: number for frame, number in found if frame}
    if not frames or picture.pixels is None:
        return picture
    rgb = _in_rgb(picture.pixels).copy()
    scale = np.divide(rgb.shape[1::-1], (scan.width, scan.height))
    for frame, number in frames.items():
        corners = np.round(np.multiply(frame.corners, scale)).astype(np.int32)
        at = (int(corners[0, 0]) + 8, int(corners[0, 1]) + 28)
        for color, width in _LINES:
            cv2.polylines(rgb, [corners], True, color, width, cv2.LINE_AA)
            text = str(number or "")
            cv2.putText(rgb, text, at, cv2.FONT_HERSHEY_DUPLEX, 0.8, color, width, cv2.LINE_AA)
    return picture._replace(pixels=rgb, caption=f"{picture.caption}, with what was cut out")


def _frame_in(scan: Photo, made: ColoredFile) -> Frame | None:
    """Where a print is in its scan; None for all of it, as where somebody edited a file."""
    try:
        return frame_in(scan, made.frame) if made.frame else None
    except ValueError:
        return None


def _in_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) -> (H, W, 3)."""
    return pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, 2)


def _details(photo: PhotoOutcome, results: Sequence[SheetPicture]) -> Iterator[SheetPicture]:
    """Pieces of the middle: of the photo, and of its enlarged versions."""
    pieces, width = [], 1
    for one in results:
        assert one.result is not None
        pixels = _read(one.result).pixels
        width = pixels.shape[1]
        pieces.append(one._replace(pixels=_middle(pixels, 1)))
    before = _read(photo.path, photo.page).pixels
    yield SheetPicture(_middle(before, max(1, width // before.shape[1])), "Before", None)
    yield from pieces


def _middle(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """A square piece of the middle, of 300 pixels at most, each pixel as a square of `scale`."""
    height, width = pixels.shape[:2]
    side = _SHORT_SIDE // scale
    rows = slice(max(0, (height - side) // 2), max(0, (height - side) // 2) + side)
    columns = slice(max(0, (width - side) // 2), max(0, (width - side) // 2) + side)
    piece = pixels[rows, columns]
    return np.ascontiguousarray(piece.repeat(scale, 0).repeat(scale, 1))


def _read(path: Path, page: int | None = None) -> Photo:
    return read_photo(path, isolated=True, page=page)


def _link_to(file: Path, folder: Path) -> str:
    """A quoted link for a page in a folder, relative where one file system holds both."""
    try:
        relative = Path(os.path.relpath(file, folder))
    except ValueError:  # another drive of Windows
        return file.absolute().as_uri()
    return quote(relative.as_posix(), errors="surrogateescape")


def marked(rgb: NDArray[np.uint8], marks: str) -> NDArray[np.uint8]:
    """A small picture with what was repaired in red; as it is if the text makes no sense.

    Args:
        rgb: (H, W, 3) sRGB.
        marks: from `packed`, or what a file says instead.
    """
    cells = _unpacked(marks)
    if cells is None:
        return rgb
    size = rgb.shape[1::-1]
    mask = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST).astype(bool)
    result = rgb.copy()
    result[mask] = np.round((1 - _MARK_OPACITY) * rgb[mask] + _MARK_OPACITY * np.array(_MARK_COLOR))
    return result


def _unpacked(marks: str) -> NDArray[np.uint8] | None:
    """(h, w), 0 or 1; None if the text is not of `packed`, which anybody may edit in a file."""
    found = _MARKS.fullmatch(marks)
    if not found:
        return None
    height, width = int(found[1]), int(found[2])
    count = (height * width + 7) // 8
    try:
        bits = zlib.decompressobj().decompress(base64.b64decode(found[3]), count)
        flat = np.unpackbits(np.frombuffer(bits, np.uint8))[: height * width]
        return flat.reshape(height, width)
    except (ValueError, zlib.error):
        return None


def _text(text: str) -> str:
    """Words as HTML; control characters and bytes that are not UTF-8 become codes."""
    return html.escape(printable(text))


def _as_address(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
