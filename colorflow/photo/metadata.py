"""Metadata of a photo: read from an image that Pillow or tifffile opened, and added to.

A statement of how a picture was made is put where people and programs look: an XMP packet with
IPTC's term for pictures that were changed with a generative model, and the EXIF description, if it
is empty or an earlier statement. The photo's own texts stay.

Reference: IPTC NewsCodes, digital source type; CIPA DC-008 (Exif 2.32); XMP part 1 (ISO 16684-1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from PIL import Image, TiffImagePlugin
from PIL.ExifTags import Base

from colorflow.files import STATEMENT
from colorflow.photo.exif import (
    DAMAGE,
    DIRECTORIES,
    LARGEST_BLOCK,
    PREFIX,
    TIFF_DESCRIPTION,
    Block,
    block_of,
    decoded,
)
from colorflow.version import __version__

_RAW_EXIF = "Raw profile type exif"
_TEXT_THAT_IS_DATA = ("Raw profile type ", "XML:com.adobe.xmp")
"""Keywords of PNG text chunks that hold data about the original pixels, not texts."""

COMMENT = "Comment"
"""PNG's keyword for a comment, the only text that JPEG and GIF have."""

_LARGEST_DPI = 65535
_LARGEST_TEXT, _LARGEST_TEXTS = 1 << 16, 1 << 18
"""Characters of a text, and of all texts, that are kept."""
_ORIENTATION_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
"""As an attribute or as an element, like Pillow's own search."""
_TURNED_BY_CONTAINER = ("HEIF", "AVIF")

DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
"""IPTC's term for a captured picture that a generative model has changed."""
CORRECTED_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
"""IPTC's term for a captured picture that a program has corrected."""
JPEG_SEGMENT_BYTES = 65533
"""Limit of EXIF and of a comment in JPEG; what would exceed it is not added."""
_SOFTWARE = f"colorflow {__version__}"
_STATED = re.compile(rf"{STATEMENT}[^\n<\0]{{0,8000}}")
"""A statement of `colorflow.recipe`."""
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="{software}"
    Iptc4xmpExt:DigitalSourceType="{source_type}">
   <exif:UserComment>
    <rdf:Alt><rdf:li xml:lang="x-default">{statement}</rdf:li></rdf:Alt>
   </exif:UserComment>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


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
    stated: str = ""
    """What the file says of how colorflow made it: the statements alone, a line each."""
    xmp: bytes | None = None
    """An XMP packet to write. Of the file's own packet only the orientation is read: the rest
    repeats EXIF and the sizes of the original pixels, which are no longer true."""


def exif_of(image: Image.Image) -> Block:
    """The EXIF block of a loaded image, of TIFF what describes the photo."""
    found = image.info.get("exif")
    if isinstance(found, Block):  # of `tiff.TiffFile`
        return found
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # in memory, opened by Pillow
        with suppress(*DAMAGE):
            tags = image.getexif()
            for directory in DIRECTORIES:
                tags.get_ifd(directory)
            return block_of(tags.tobytes(), TIFF_DESCRIPTION)
    packed = image.info.get(_RAW_EXIF)  # ImageMagick: newline, name, length, hexadecimal lines
    if not found and isinstance(packed, str):
        with suppress(ValueError):
            return block_of(bytes.fromhex("".join(packed.split("\n")[3:])))
    return block_of(found if isinstance(found, bytes) else None)


def orientation_of(image: Image.Image, exif: Block) -> int:
    """The orientation of an image in EXIF, 1 to 8, or in XMP where only XMP has it.

    Args:
        image: as a reader opened it. Of HEIC and AVIF only the container's orientation counts: the
            decoder has turned the picture, or has put the orientation into EXIF.
        exif: from `exif_of`.
    """
    said, xmp = exif.orientation, xmp_of(image)
    if said is None and xmp and image.format not in _TURNED_BY_CONTAINER:
        found = _ORIENTATION_IN_XMP.search(xmp)
        said = int(found[1]) if found else None
    return said if said is not None and 1 <= said <= 8 else 1


def xmp_of(image: Image.Image) -> bytes:
    """The XMP packet of an image; empty if there is none."""
    xmp = image.info.get("xmp")
    return xmp if isinstance(xmp, bytes) else b""


def profile_of(image: Image.Image) -> bytes | None:
    """The color profile of an image; None where there is none."""
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and icc else None


def metadata_of(
    image: Image.Image, exif: Block, size: tuple[int, int], *, turned: bool
) -> Metadata:
    """Collect the metadata of a loaded image.

    Args:
        image: as a reader opened it, its pixels loaded.
        exif: from `exif_of`, which is changed.
        size: width and height of the upright picture, in pixels.
        turned: whether the upright picture exchanges the width and height of the stored one.
    """
    dpi = _dpi_of(image.info.get("dpi"))
    if dpi is not None and turned:
        dpi = (dpi[1], dpi[0])
    stated = stated_in(image, exif)
    return Metadata(
        format=image.format,
        exif=_upright(exif, *size),
        dpi=dpi,
        text=texts_in(image),
        stated=stated,
    )


def upright_exif(exif: bytes | None, width: int, height: int) -> bytes | None:
    """An EXIF block for a picture of a size, see `Metadata.exif`."""
    return _upright(block_of(exif), width, height)


def _upright(block: Block, width: int, height: int) -> bytes | None:
    block.make_upright(width, height)
    exif = block.to_exif()
    return exif if exif is None or len(exif) <= len(PREFIX) + LARGEST_BLOCK else None


def stated_in(image: Image.Image, exif: Block) -> str:
    """What an image says of how colorflow made it, as in `Metadata.stated`; the likeliest first."""
    texts = xmp_of(image).decode("utf-8", "replace"), exif.text(Base.ImageDescription) or ""
    return "\n".join(found[0] for text in texts if (found := _STATED.search(text)))


def texts_in(image: Image.Image) -> dict[str, str]:
    """The texts of a PNG file by keyword, or the comment of a JPEG or GIF file.

    Texts of more than 64 kB are left out, and all that exceed 256 kB together.
    """
    comment = image.info.get("comment")
    if image.format in ("JPEG", "GIF") and isinstance(comment, bytes):
        text = decoded(comment[:_LARGEST_TEXT])
        return {COMMENT: text} if text else {}
    if image.format != "PNG":
        return {}
    found, room = {}, _LARGEST_TEXTS
    for keyword, value in image.info.items():
        is_text = isinstance(value, str) and not str(keyword).startswith(_TEXT_THAT_IS_DATA)
        if is_text and len(value) <= min(room, _LARGEST_TEXT):
            found[str(keyword)] = str(value)
            room -= len(value)
    return found


def with_statement(metadata: Metadata, statement: str, source_type: str) -> Metadata:
    """Add a statement to metadata: how a picture was made, in a line, and IPTC's term for it."""
    block = block_of(metadata.exif)
    if (block.text(Base.ImageDescription) or STATEMENT).startswith(STATEMENT):
        block.put_text(Base.ImageDescription, statement)
    if not block.text(Base.Software):
        block.put_text(Base.Software, _SOFTWARE)
    exif = block.to_exif()
    if exif is None or len(exif) > JPEG_SEGMENT_BYTES:
        exif = metadata.exif
    xmp = _XMP.format(software=_SOFTWARE, source_type=source_type, statement=statement).encode()
    return replace(metadata, exif=exif, xmp=xmp)


def _dpi_of(value: object) -> tuple[float, float] | None:
    """The resolution, if it is valid; files also contain 0, 1, infinity, and 0/0."""
    with suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
        across, down = map(float, value)  # type: ignore[call-overload]
        if 1 < across <= _LARGEST_DPI and 1 < down <= _LARGEST_DPI:
            return across, down
    return None
