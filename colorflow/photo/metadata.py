"""Metadata of a photo: read from an image that Pillow or tifffile opened."""

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
"""Keywords of PNG text chunks that hold data about the original pixels, not texts."""

COMMENT = "Comment"
"""PNG's keyword for a comment, the only text that JPEG and GIF have."""

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
"""Tags of a TIFF directory that describe the photo; the others describe how it is stored."""
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
"""As an attribute or as an element, like Pillow's own search."""
_TURNED_BY_CONTAINER = ("HEIF", "AVIF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a file says beside its pixels, corrected for the upright sRGB picture."""

    format: str | None = None
    """Pillow's name: ``JPEG``, ``PNG``, ``WEBP``, ``TIFF``, ...; None for a picture in memory."""
    exif: bytes | None = None
    """EXIF block with the leading ``Exif\\0\\0``; its orientation is 1, and it has no thumbnail."""
    dpi: tuple[float, float] | None = None
    """Dots per inch across and down the upright picture."""
    text: Mapping[str, str] = field(default_factory=dict)
    """PNG text chunks by keyword; the comment of a JPEG or GIF file by `COMMENT`."""
    xmp: bytes | None = None
    """An XMP packet to write. Of the file's own packet only the orientation is read: the rest
    repeats EXIF and the sizes of the original pixels, which are no longer true."""


def raw_exif(image: Image.Image) -> bytes | None:
    """The EXIF block of a loaded image as the file has it; of TIFF, a block that describes it."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # in memory, opened by Pillow
        return exif_of_description(tiff_description(image.getexif()))
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
    """The orientation of an image in EXIF, 1 to 8, or in XMP where only XMP has it.

    Args:
        image: as a reader opened it. Of HEIC and AVIF only the container's orientation counts: the
            decoder has turned the picture, or has put the orientation into EXIF.
        exif: the block; not used for TIFF.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # in memory, opened by Pillow
        said = image.tag_v2.get(Base.Orientation)
    elif "orientation" in image.info:  # of `tiff.TiffFile`
        said = image.info["orientation"]
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
        image: as a reader opened it, its pixels loaded.
        exif: from `raw_exif`.
        size: width and height of the upright picture, in pixels.
        turned: whether the upright picture exchanges the width and height of the stored one.
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
    """The texts of a PNG file by keyword, or the comment of a JPEG or GIF file."""
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
    """The resolution, if it is valid; files also contain 0, 1, infinity, and 0/0."""
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
    """The tags of a TIFF file's directories that describe the photo; none if they are damaged."""
    found: dict[int, object] = {}
    try:
        for tag in TIFF_DESCRIPTION:
            if (value := source.get(tag)) is not None:
                found[tag] = _as_bytes(value)
        for directory in (IFD.Exif, IFD.GPSInfo):
            entries = source.get_ifd(directory)
            for offsets in (IFD.MakerNote, IFD.Interop):  # their offsets would be wrong
                entries.pop(offsets, None)
            if entries:
                found[directory] = {tag: _as_bytes(value) for tag, value in entries.items()}
        exif_of_description(found)  # some values can be read, but not written
    except EXIF_FAULTS:
        return {}
    return found


def exif_of_description(description: dict[int, object]) -> bytes | None:
    """An EXIF block of what `tiff_description` found; None where it found nothing."""
    if not description:
        return None
    block = Image.Exif()
    block.update(description)
    return block.tobytes()


def _as_bytes(value: object) -> object:
    """Text beyond ASCII as the bytes of the file; Pillow reads Latin-1, but writes it as ?."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value
