"""TIFF files that Pillow refuses or misreads.

Pillow opens most. The others are opened under a disguise: the file's bytes with more directories
behind them, which describe the same pixels in a way that Pillow knows.

- Color planes of 16 bits or of floats, one behind the other: each becomes a page, a gray picture.
- Interleaved floats, and big-endian gray with white as zero: OpenCV reads the pixels (it errs with
  planes), and Pillow the rest.

Fax data and old-style JPEG are decoded by `colorflow.photo.strips`, which also checks what Pillow
and libtiff take for whole.

Reference: TIFF 6.0; Adobe Photoshop TIFF technical note 3 (2005) for floats.
"""

from __future__ import annotations

import collections
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import cv2
import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, _imaging
from PIL.ExifTags import Base

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.ifd import Block, Directory, GarbageError, Value
from colorflow.photo.strips import (
    FAX,
    JPEG,
    OLD_JPEG,
    STRIPS,
    TILES,
    check_jpeg,
    fax_pixels,
    old_jpeg,
    pieces_of,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, _YCBCR = 0, 1, 2, 6
"""Photometric interpretations."""
_UNCOMPRESSED = 1
_UNSIGNED, SIGNED, _FLOAT = 1, 2, 3
"""Sample formats."""
_INTERLEAVED, _SEPARATE = 1, 2
"""Planar configurations."""
_NEW_SUBFILE_TYPE, _SAMPLE_FORMAT = 254, 339
_REDUCED = 1
"""Bit of NewSubfileType: a smaller version of another picture."""
_GRAY, _COLORS = 1, 3
_TELLING = (Base.SamplesPerPixel, Base.Compression)
"""Tags, 1 by default, that tell what a missing photometric interpretation is."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file stores its pixels."""

    photometric: int
    bits: int
    """Of a sample."""
    sample_format: int
    samples: int
    """A pixel."""
    planar: int
    extra: int | None
    """What the fourth sample of RGB is: 0 unknown, 1 alpha multiplied into the colors, 2 alpha."""
    has_more_pages: bool


class TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF file as Pillow opens it, perhaps under a disguise."""

    layout: Layout
    """Of the file, not of the disguise."""
    is_planes = False
    """Whether the pages of the disguise are the planes of the picture."""
    foreign: bytes | None = None
    """The whole file, less its orientation, where OpenCV has to read the pixels."""

    def _setup(self) -> None:
        """Mend three of Pillow's faults at each page."""
        tags = self.tag_v2
        if Base.PhotometricInterpretation not in tags:
            samples, compression = (tags.get(tag, 1) for tag in _TELLING)
            tags[Base.PhotometricInterpretation] = _usual_photometric(samples, compression)
        super()._setup()
        self._size = tags[Base.ImageWidth], tags[Base.ImageLength]  # not turned: see `load_end`
        photometric = tags[Base.PhotometricInterpretation]
        if not self.tile:
            return
        codec, _, _, arguments = self.tile[0]
        if photometric == _YCBCR and self.mode == "RGB" and codec == "raw":
            # Pillow's own decoder knows no uncompressed YCbCr; libtiff does.
            self.use_load_libtiff = True
            arguments = ("RGBX", "raw", False, self.tag_v2.offset)
            self.tile = [ImageFile._Tile("libtiff", (0, 0, *self.size), 0, arguments)]
        elif codec == "libtiff" and isinstance(arguments, tuple) and arguments[0] == "F;32BF":
            # libtiff has turned the bytes already.
            self.tile = [self.tile[0]._replace(args=("F;32NF", *arguments[1:]))]

    def load(self) -> _imaging.PixelAccess | None:
        """Decode the pixels; what Pillow and libtiff do not notice to be missing is an error."""
        if self.tile:
            compression = self.tag_v2.get(Base.Compression, _UNCOMPRESSED)
            arguments = self.tile[0].args
            if compression in FAX and isinstance(arguments, tuple):
                pixels = fax_pixels(self)
                decoded = Image.frombytes(self.mode, self.size, pixels, "raw", arguments[0])
                return self._take(decoded)
            if compression == OLD_JPEG:
                return self._take(old_jpeg(self).convert(self.mode))
            if compression == JPEG:
                check_jpeg(self)
            if compression == _UNCOMPRESSED:
                collections.deque(pieces_of(self), maxlen=0)
        return super().load()

    def load_end(self) -> None:
        """Leave the picture as it is stored; Pillow would turn it, in twice the memory."""
        self.getexif()[Base.Orientation] = 1
        super().load_end()

    def _take(self, decoded: Image.Image) -> _imaging.PixelAccess | None:
        """Take the pixels of a picture that was decoded elsewhere."""
        self.load_prepare()
        self.tile = []
        self.im.paste(decoded.im, (0, 0, *self.size))
        self.load_end()
        return super().load()


def open_tiff(file: IO[bytes], source: str) -> TiffFile:
    """Open a TIFF file, its header read.

    Raises:
        UnreadablePhotoError: of a kind that is not read.
        Exception: whatever Pillow raises on damaged files.
    """
    try:
        image = TiffFile(file)
    except SyntaxError as refusal:
        file.seek(0)
        image = _disguised(file.read(), source, refusal)
    else:
        image.layout = _layout_of_tags(image)
        if image.layout.planar == _SEPARATE and image.layout.bits > 8 and image.layout.samples > 1:
            file.seek(0)
            image = _disguised(file.read(), source, SyntaxError("its planes cannot be found"))
    if image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED:
        raise UnreadablePhotoError(
            source,
            "the file begins with a small preview, as a camera's raw file does; "
            "develop it and save the full picture as TIFF or JPEG",
        )
    return image


def decoded_by_opencv(image: TiffFile) -> np.ndarray:
    """The pixels of a file with `foreign` set: gray (H, W) or RGB(A) (H, W, C), not turned.

    Raises:
        OSError: damaged.
    """
    assert image.foreign is not None
    try:
        pixels = cv2.imdecode(np.frombuffer(image.foreign, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise OSError("it cannot be decoded") from error
    stored = (image.tag_v2.get(Base.ImageLength), image.tag_v2.get(Base.ImageWidth))
    if pixels is None or pixels.shape[:2] != stored:
        raise OSError("it cannot be decoded")
    return np.asarray(pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def _disguised(content: bytes, source: str, refusal: SyntaxError) -> TiffFile:
    """A file that Pillow does not read as it is.

    Args:
        content: the whole file.
        source: for messages.
        refusal: what Pillow said; raised again where the file is damaged.
    """
    try:
        block = Block(content)
        main = block.directory(block.first)
        layout = _layout_of_block(block, main)
        if not (_is_planes(layout) or _is_for_opencv(layout)):
            raise UnreadablePhotoError(
                source,
                f"TIFF of this kind ({layout.samples} x {layout.bits} bits a pixel) is not read; "
                "save it as RGB or gray with 8 or 16 bits a channel",
            )
        _check_strips(block, main)
        if is_planes := _is_planes(layout):
            first = _planes(block, main, layout.samples)
        else:
            first = block.rewrite(main, _gray_page(8))
    except GarbageError:
        raise refusal from None
    block.begin_with(first)
    image = TiffFile(io.BytesIO(block.data))
    image.layout, image.is_planes = layout, is_planes
    if not is_planes:
        plain = Block(content)
        known: dict[int, Value | None] = {
            Base.PhotometricInterpretation: (layout.photometric,),  # or OpenCV refuses the file
            Base.Orientation: (1,),  # versions of OpenCV differ in what they do
        }
        plain.begin_with(plain.rewrite(main, known))
        image.foreign = bytes(plain.data)
    return image


def _layout_of_tags(image: TiffFile) -> Layout:
    def first(tag: int, default: int) -> int:
        value = image.tag_v2.get(tag, default)
        value = value[0] if isinstance(value, tuple) and value else value
        return value if isinstance(value, int) else default

    return _layout(first, has_more_pages=bool(image.tag_v2.next))


def _layout_of_block(block: Block, main: Directory) -> Layout:
    def first(tag: int, default: int) -> int:
        values = block.integers(main.find(tag))
        return values[0] if values else default

    return _layout(first, has_more_pages=bool(main.following))


def _layout(first: Callable[[int, int], int], *, has_more_pages: bool) -> Layout:
    """From what gives the first integer of a tag, or a default."""
    extra = first(Base.ExtraSamples, -1)
    usual = _usual_photometric(*(first(tag, 1) for tag in _TELLING))
    return Layout(
        photometric=first(Base.PhotometricInterpretation, usual),
        bits=first(Base.BitsPerSample, 1),
        sample_format=first(_SAMPLE_FORMAT, _UNSIGNED),
        samples=first(Base.SamplesPerPixel, 1),
        planar=first(Base.PlanarConfiguration, _INTERLEAVED),
        extra=None if extra < 0 else extra,
        has_more_pages=has_more_pages,
    )


def _usual_photometric(samples: int, compression: int) -> int:
    """What libtiff supposes of files that do not say it, though they have to."""
    if samples >= _COLORS:
        return RGB
    return WHITE_IS_ZERO if compression in FAX else BLACK_IS_ZERO


def _is_planes(layout: Layout) -> bool:
    deep = (layout.bits, layout.sample_format) in ((16, _UNSIGNED), (32, _FLOAT))
    colors = layout.photometric == RGB and layout.samples in (_COLORS, _COLORS + 1)
    return layout.planar == _SEPARATE and deep and colors


def _is_for_opencv(layout: Layout) -> bool:
    if layout.planar != _INTERLEAVED:
        return False
    gray = layout.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and layout.samples == _GRAY
    if layout.sample_format == _FLOAT and layout.bits in (32, 64):
        return gray or (layout.photometric == RGB and layout.samples in (_COLORS, _COLORS + 1))
    return gray and (layout.bits, layout.sample_format) == (16, _UNSIGNED)


def _gray_page(bits: int) -> dict[int, Value | None]:
    """The changes that make a directory that of a gray picture."""
    return {
        Base.BitsPerSample: (bits,),
        Base.PhotometricInterpretation: (BLACK_IS_ZERO,),
        Base.SamplesPerPixel: (_GRAY,),
        Base.PlanarConfiguration: (_INTERLEAVED,),
        Base.ExtraSamples: None,
        _SAMPLE_FORMAT: (_UNSIGNED if bits < 32 else _FLOAT,),
    }


def _check_strips(block: Block, main: Directory) -> None:
    """Check that strips and tiles are in the file, which grows when directories are written.

    Raises:
        GarbageError: the file ends too early.
    """
    for places, lengths in (STRIPS, TILES):
        starts, sizes = (block.integers(main.find(tag)) for tag in (places, lengths))
        if len(starts) != len(sizes) or any(
            start + size > len(block.data) for start, size in zip(starts, sizes, strict=True)
        ):
            raise GarbageError


def _planes(block: Block, main: Directory, samples: int) -> int:
    """Write one directory a plane, in a chain, and give the first one's offset."""
    bits = block.integers(main.find(Base.BitsPerSample))[0]
    following = 0
    for plane in reversed(range(samples)):
        changes = _gray_page(bits)
        for tags in (STRIPS, TILES):
            for tag in tags:
                values = block.integers(main.find(tag))
                share = len(values) // samples
                if values:
                    changes[tag] = values[plane * share : (plane + 1) * share] or None
        following = block.rewrite(main, changes, following=following)
    return following
