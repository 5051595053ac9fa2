"""What a photo's file says beside its pixels, and how Pillow hands it over."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from colorflow.photo.exif import orientation_in_exif, upright_exif

_RAW_EXIF = "Raw profile type exif"
_TEXT_THAT_IS_DATA = ("Raw profile type ", "XML:com.adobe.xmp")
"""PNG text chunks that hold a file's inner data, true for the original pixels only."""

COMMENT = "Comment"
"""PNG's keyword for what is the only text of JPEG and GIF."""

TIFF_DESCRIPTION = (
    Base.DocumentName,
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Copyright,
)
"""What describes the photo in a TIFF file's directory; the rest says how the file stores it."""
EXIF_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises on damaged EXIF."""
_LARGEST_DPI = 65535
_ORIENTATION_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
"""As an attribute or an element; Pillow, which turns TIFF files, looks for the same."""
_TURNED_BY_CONTAINER = ("HEIF", "AVIF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a file says beside its pixels, true for the upright sRGB picture."""

    format: str | None = None
    """Pillow's name of it: ``JPEG``, ``PNG``, ``WEBP``, ``TIFF``, ...; None for one from memory."""
    exif: bytes | None = None
    """EXIF block with the leading ``Exif\\0\\0``; it says upright and holds no thumbnail."""
    dpi: tuple[float, float] | None = None
    """Dots per inch across and down the upright picture."""
    text: Mapping[str, str] = field(default_factory=dict)
    """PNG text chunks by keyword; the comment of a JPEG or GIF file by `COMMENT`."""
    xmp: bytes | None = None
    """An XMP packet to write. Of a file's, only the orientation is read: the rest repeats what EXIF
    and the pixels' own sizes say, and would become untrue."""


def raw_exif(image: Image.Image) -> bytes | None:
    """The EXIF block of a loaded image as the file has it; of TIFF, what describes the photo."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        description = tiff_description(image.getexif())
        return _block_of(description) if description else None
    block = image.info.get("exif")
    if isinstance(block, bytes) and block:
        return block
    packed = image.info.get(_RAW_EXIF)  # ImageMagick: newline, name, length, hexadecimal lines
    if isinstance(packed, str):
        try:
            return bytes.fromhex("".join(packed.split("\n")[3:]))
        except ValueError:
            return None
    return None


def orientation_of(image: Image.Image, exif: bytes | None) -> int:
    """EXIF's orientation, 1 to 8, of an image that is not loaded; XMP's where only that says it.

    Args:
        image: as Pillow opened it; of HEIC and AVIF, whose container alone counts, the decoder
            has turned the picture, or has put its orientation into EXIF.
        exif: the block, except of TIFF.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        said = image.tag_v2.get(Base.Orientation)
    else:
        said = orientation_in_exif(exif) if exif else None
    xmp = image.info.get("xmp")
    if said is None and isinstance(xmp, bytes) and image.format not in _TURNED_BY_CONTAINER:
        found = _ORIENTATION_IN_XMP.search(xmp)
        said = int(found[1]) if found else None
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def metadata_of(
    image: Image.Image, exif: bytes | None, size: tuple[int, int], *, turned: bool
) -> Metadata:
    """Collect the metadata of a loaded image.

    Args:
        image: as Pillow read it, its pixels loaded.
        exif: from `raw_exif`.
        size: width and height of the upright picture, in pixels.
        turned: whether the upright picture lies across the stored one.
    """
    dpi = _dpi_of(image.info.get("dpi"))
    if dpi is not None and turned:
        dpi = (dpi[1], dpi[0])
    return Metadata(
        format=image.format,
        exif=upright_exif(exif, *size) if exif else None,
        dpi=dpi,
        text=texts_in(image),
    )


def texts_in(image: Image.Image) -> dict[str, str]:
    """The texts of a PNG file by keyword, and the comment of a JPEG or GIF file."""
    comment = image.info.get("comment")
    if image.format in ("JPEG", "GIF") and isinstance(comment, bytes) and comment.strip(b"\0 "):
        try:
            return {COMMENT: comment.decode("utf-8").strip("\0")}
        except UnicodeDecodeError:
            return {COMMENT: comment.decode("latin-1").strip("\0")}
    if image.format != "PNG":
        return {}
    return {
        str(keyword): str(value)
        for keyword, value in image.info.items()
        if isinstance(value, str) and not str(keyword).startswith(_TEXT_THAT_IS_DATA)
    }


def _dpi_of(value: object) -> tuple[float, float] | None:
    """The resolution if it is one; files also say 0, 1, infinity, and 0/0."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    try:
        across, down = float(value[0]), float(value[1])
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not all(math.isfinite(dpi) and 1 < dpi <= _LARGEST_DPI for dpi in (across, down)):
        return None
    return across, down


def tiff_description(source: Image.Exif) -> dict[int, object]:
    """What describes the photo in a TIFF file's directories; nothing where they are damaged."""
    found: dict[int, object] = {}
    try:
        for tag in TIFF_DESCRIPTION:
            if (value := source.get(tag)) is not None:
                found[tag] = _as_bytes(value)
        for directory in (IFD.Exif, IFD.GPSInfo):
            entries = source.get_ifd(directory)
            for offsets in (IFD.MakerNote, IFD.Interop):  # they would lead nowhere
                entries.pop(offsets, None)
            if entries:
                found[directory] = {tag: _as_bytes(value) for tag, value in entries.items()}
        _block_of(found)  # not every value that can be read can be written
    except EXIF_FAULTS:
        return {}
    return found


def _block_of(description: dict[int, object]) -> bytes:
    block = Image.Exif()
    block.update(description)
    return block.tobytes()


def _as_bytes(value: object) -> object:
    """Text beyond ASCII as the file's own bytes, which Pillow read as Latin-1 but writes as ?."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value
