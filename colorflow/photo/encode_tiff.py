"""Writes TIFF with deflate, 8 or 16 bits per channel, around an EXIF block.

Pillow 12 has no 16-bit colors and, compressed, no EXIF; tifffile and OpenCV write no EXIF at all.
An EXIF block is a TIFF file without a picture. So the block comes first, its bytes where they were,
then the pixels, and last a new directory that describes both.

Reference: TIFF 6.0; Adobe Photoshop TIFF technical notes (2002) for deflate.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import cv2
import numpy as np
from PIL.ExifTags import IFD, Base

from colorflow.photo.exif import block_of
from colorflow.photo.ifd import Value
from colorflow.photo.metadata import TIFF_DESCRIPTION, Metadata

_STRIP_ROWS = 64
_DEFLATE, _GRAY, _RGB, _ONE_PLANE, _HORIZONTAL, _INCH, _UNASSOCIATED_ALPHA = 8, 1, 2, 1, 2, 2, 2
"""Values of TIFF fields."""
_XMP = 700
_KEPT = (*TIFF_DESCRIPTION, IFD.Exif, IFD.GPSInfo)
"""Tags of an EXIF block that describe the photo; the others describe the file it was in."""


def encode_tiff(samples: np.ndarray, metadata: Metadata) -> bytes:
    """Encode a picture.

    Args:
        samples: uint8 or uint16, (H, W) gray or (H, W, C): gray or RGB, with alpha last if C is
            even.
        metadata: whose EXIF, resolution and XMP are written.
    """
    samples = np.atleast_3d(samples)
    height, width, channels = samples.shape
    block, main = block_of(metadata.exif)
    block.data += bytes(len(block.data) % 2)
    offsets, sizes = [], []

    def compressed(top: int) -> bytes:
        strip = samples[top : top + _STRIP_ROWS]
        return zlib.compress(_predicted(strip, big_endian=block.big_endian), 1)

    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:  # zlib releases the GIL
        for data in pool.map(compressed, range(0, height, _STRIP_ROWS)):
            offsets.append(len(block.data))
            sizes.append(len(data))
            block.data += data + bytes(len(data) % 2)
    changes: dict[int, Value | None] = {
        entry.tag: None for entry in main.fields if entry.tag not in _KEPT
    }
    changes |= {
        Base.ImageWidth: (width,),
        Base.ImageLength: (height,),
        Base.BitsPerSample: (8 * samples.itemsize,) * channels,
        Base.Compression: (_DEFLATE,),
        Base.PhotometricInterpretation: (_GRAY if channels <= 2 else _RGB,),
        Base.StripOffsets: tuple(offsets),
        Base.SamplesPerPixel: (channels,),
        Base.RowsPerStrip: (_STRIP_ROWS,),
        Base.StripByteCounts: tuple(sizes),
        Base.PlanarConfiguration: (_ONE_PLANE,),
        Base.Predictor: (_HORIZONTAL,),
        Base.ExtraSamples: (_UNASSOCIATED_ALPHA,) if channels % 2 == 0 else None,
        _XMP: metadata.xmp,
    }
    if metadata.dpi:
        across, down = (Fraction(dpi).limit_denominator(1000) for dpi in metadata.dpi)
        changes |= {Base.XResolution: across, Base.YResolution: down, Base.ResolutionUnit: (_INCH,)}
    block.begin_with(block.rewrite(main, changes))
    return bytes(block.data)


def _predicted(samples: np.ndarray, *, big_endian: bool) -> bytes:
    """Apply the horizontal predictor to rows (H, W, C)."""
    steps = samples.astype(samples.dtype.newbyteorder(">" if big_endian else "<"), order="C")
    steps[:, 1:] -= samples[:, :-1]  # modulo 2 to the number of bits
    return steps.tobytes()
