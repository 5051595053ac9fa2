"""TIFF files, read by tifffile with the decoders of imagecodecs.

tifffile fills strips that have no place in the file with zeros, so their places are checked here.
Fax data, which has no grays, floats, whose white is not known, and YCbCr other than JPEG's are
refused.

Reference: TIFF 6.0.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from PIL import Image, ImageFile
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import IFDRational

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.exif import TIFF_DESCRIPTION, Block

if TYPE_CHECKING:
    from tifffile import TiffPage

WHITE_IS_ZERO, BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
"""Photometric interpretations."""
_CHANNELS = {
    WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LAB: 3
}  # fmt: skip
"""Samples per pixel, by photometric interpretation; more samples are extra ones, such as alpha."""
_GRAY_OR_RGB = (WHITE_IS_ZERO, BLACK_IS_ZERO, _RGB)
_WITH_ALPHA = (*_GRAY_OR_RGB, _PALETTE)
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode of gray and RGB, by the number of samples."""
_UNSIGNED = 1
"""Sample format."""
_GRAY_DEPTHS = (1, 2, 4, 8, 12, 16)
_DEPTHS = {
    WHITE_IS_ZERO: _GRAY_DEPTHS, BLACK_IS_ZERO: _GRAY_DEPTHS, _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8), _CMYK: (8, 16), _YCBCR: (8,), _LAB: (8,)
}  # fmt: skip
"""Bits per unsigned sample that are read, by photometric interpretation."""
_UNCOMPRESSED, _JPEG, _FAX = 1, 7, (2, 3, 4)
_COMPRESSIONS = {
    _UNCOMPRESSED, 5, _JPEG, 8, 32946, 32773, 33003, 33004, 33005, 34712, 34887, 34925, 34926,
    34927, 34933, 50000, 50001, 50002, 52546,
}  # fmt: skip
"""Compressions whose decoders notice that data ends too early, and JPEG."""
_SEPARATE = 2
"""Planar configuration: one plane per sample, one behind the other."""
_ASSOCIATED_ALPHA, _ALPHA = 1, 2
"""Kinds of extra samples; the colors are multiplied with associated alpha."""
_MOST_BYTES = 8
"""Of a stored pixel with all extra samples. One strip may hold the whole picture, so that three
copies of it are in memory: compressed, decompressed, and without its predictor."""
_REDUCED = 1
"""Bit of NewSubfileType: a smaller version of another picture."""
_XMP = 700
_TOO_EARLY = "its data ends too early"
_INCHES = {2: 1.0, 3: 2.54}
"""Inches or centimeters per inch, by resolution unit."""


class TiffFile(ImageFile.ImageFile):
    """A page of a TIFF file, the first by default, as an image of Pillow's that tifffile decodes.

    `load` makes an image of 8 bits per channel; `samples` returns the samples as they are stored.
    """

    format = "TIFF"
    page: TiffPage
    photometric: int

    def _open(self) -> None:
        import tifffile

        assert self.fp is not None
        self._tiff = tifffile.TiffFile(self.fp)
        self.turn_to(1)

    def turn_to(self, number: int) -> None:
        """Take another page, counted from 1.

        Raises:
            IndexError: there is none.
        """
        pages = self._tiff.pages
        self.page = page = pages.first if number == 1 else cast("TiffPage", pages.get(number - 1))
        self._im = None
        self._size = page.imagewidth, page.imagelength
        self._mode = "RGB"
        usual = _RGB if page.samplesperpixel >= _CHANNELS[_RGB] else BLACK_IS_ZERO  # as in libtiff
        self.photometric = int(page.tags.valueof(Base.PhotometricInterpretation, usual))
        self.info = {
            "exif": Block(self.fp, TIFF_DESCRIPTION, page.offset),
            "icc_profile": page.iccprofile,
            "xmp": page.tags.valueof(_XMP),
            "dpi": _dpi_of(page),
        }

    @property
    def is_animated(self) -> bool:
        """Whether pages follow the first one; Pillow's name for it."""
        return self._tiff.pages.is_multipage

    @property
    def bits(self) -> int:
        """Bits per sample; of samples of different depths, the first one's."""
        bits = self.page.bitspersample
        return int(bits[0] if isinstance(bits, tuple) else bits)

    @property
    def is_deep(self) -> bool:
        """Whether gray or RGB has more than 8 bits per sample."""
        return self.bits > 8 and self.photometric in _GRAY_OR_RGB

    @property
    def is_associated(self) -> bool:
        """Whether the colors are multiplied with alpha."""
        return bool(self.page.extrasamples) and self.page.extrasamples[0] == _ASSOCIATED_ALPHA

    @property
    def is_read(self) -> bool:
        """Whether such files are read at all."""
        page, count = self.page, self.page.samplesperpixel
        return (
            page.sampleformat == _UNSIGNED
            and self.bits in _DEPTHS.get(self.photometric, ())
            and count >= _CHANNELS[self.photometric]
            and count * max(1, self.bits // 8) <= _MOST_BYTES
            and (self.photometric != _YCBCR or page.compression == _JPEG)
        )

    def samples(self) -> np.ndarray:
        """Decode the picture: (H, W) or (H, W, C) with alpha last, extra samples left out.

        Raises:
            OSError: data is missing or damaged.
            Exception: whatever tifffile raises on damaged files.
        """
        page = self.page
        _check_pieces(page, self._tiff.filehandle.size)
        stored = page.asarray(maxworkers=max(1, cv2.getNumThreads()))
        if page.planarconfig == _SEPARATE and stored.ndim == 3:
            stored = np.moveaxis(stored, 0, -1)
        if stored.shape[:2] != (page.imagelength, page.imagewidth):
            raise OSError("its pixels cannot be found")
        if stored.ndim == 2:
            return stored
        extra = page.extrasamples[0] if page.extrasamples else _ALPHA
        may_have_alpha = extra in (_ASSOCIATED_ALPHA, _ALPHA) and self.photometric in _WITH_ALPHA
        kept = stored[..., : _CHANNELS[self.photometric] + may_have_alpha]
        return kept[..., 0] if kept.shape[2] == 1 else kept

    def load(self) -> Any:
        """Decode the picture with 8 bits per channel."""
        if self._im is None:
            image = self._image()
            self._mode, self._im = image.mode, image.im
        return Image.Image.load(self)

    def _image(self) -> Image.Image:
        samples = self.samples()
        if self.photometric == _PALETTE:
            samples = self._colors_of_palette(samples)
        elif self.bits < 8:
            samples = samples.astype(np.uint8) * np.uint8(255 // ((1 << self.bits) - 1))
        if self.photometric == WHITE_IS_ZERO:
            gray = samples if samples.ndim == 2 else samples[..., 0]
            np.subtract(255, gray, out=gray)  # not alpha
        if samples.dtype == np.uint16:
            samples = (samples >> 8).astype(np.uint8)
        mode = _MODES[1 if samples.ndim == 2 else samples.shape[2]]
        mode = {_CMYK: "CMYK", _LAB: "LAB"}.get(self.photometric, mode)
        if self.is_associated:
            mode = {"LA": "La", "RGBA": "RGBa"}.get(mode, mode)
        size = samples.shape[1], samples.shape[0]
        return Image.frombytes(mode, size, np.ascontiguousarray(samples).data.cast("B"))

    def _colors_of_palette(self, indices: np.ndarray) -> np.ndarray:
        table = self.page.colormap
        if table is None or table.shape != (3, 1 << self.bits):
            raise OSError("its palette cannot be read")
        colors = (table >> 8).astype(np.uint8).T
        if indices.ndim == 2:
            return colors[indices.astype(np.uint8)]
        return np.dstack([colors[indices[..., 0]], indices[..., 1]])


def open_tiff(file: Any, source: str, number: int | None = None) -> TiffFile:
    """Open a TIFF file, the directory of its first page read, or of another.

    Raises:
        UnreadablePhotoError: no such page, a preview, a volume, or of a kind that is not read.
        Exception: whatever tifffile and Pillow raise on damaged files.
    """
    image = TiffFile(file)
    try:
        image.turn_to(number or 1)
    except IndexError as error:
        raise UnreadablePhotoError(source, f"the file has no page {number}") from error
    page = image.page
    if page.subfiletype & _REDUCED:
        raise UnreadablePhotoError(
            source,
            "the file begins with a small preview, as a camera's raw file does; "
            "develop it and save the full picture as TIFF or JPEG",
        )
    kind = f"{page.samplesperpixel} x {image.bits} bits a pixel"
    if page.sampleformat != _UNSIGNED:
        kind += ", which are signed or floats"
    if image.photometric == _YCBCR:
        kind = f"YCbCr, {kind}"
    remedy = "save it as RGB or gray with 8 or 16 bits a channel"
    if image.is_read:
        if page.compression in _COMPRESSIONS:
            return image
        kind = f"{'fax, ' * (page.compression in _FAX)}compression {page.compression:d}"
        remedy = "save it as gray or RGB with LZW or deflate compression"
    raise UnreadablePhotoError(source, f"TIFF of this kind ({kind}) is not read; {remedy}")


def _dpi_of(page: TiffPage) -> tuple[object, object] | None:
    factor = _INCHES.get(page.tags.valueof(Base.ResolutionUnit, 2))
    across, down = (page.tags.valueof(tag) for tag in (Base.XResolution, Base.YResolution))
    try:
        return IFDRational(*across) * factor, IFDRational(*down) * factor
    except TypeError:  # there is none
        return None


def _check_pieces(page: TiffPage, end: int) -> None:
    """Check that every strip or tile lies before the end of the file; tifffile fills missing ones.

    A single strip may lack its size: it then reaches to the end of the file.

    Raises:
        OSError: one is missing.
    """
    count = math.prod(page.chunked)
    starts, sizes = tuple(page.dataoffsets), tuple(page.databytecounts)
    if count == len(starts) == 1 and sizes in ((), (0,)):
        page.databytecounts = sizes = (max(0, end - starts[0]),)
    extents = list(zip(starts, sizes, strict=False))[:count]
    if page.compression == _UNCOMPRESSED:
        end = sys.maxsize  # the size may be wrong: tifffile reads what it needs
    if len(extents) < count or any(0 in one or sum(one) > end for one in extents):
        raise OSError(_TOO_EARLY)
