"""PNG of 16 bits per channel: pixels by imagecodecs, since Pillow writes colors with 8 only."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import PngImagePlugin

from colorflow.photo.metadata import Metadata

_HEAD_BYTES = 33
"""Signature and IHDR; other chunks may follow."""
_INCHES_A_METRE = 1 / 0.0254
_METRE = 1


def encode_png16(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    chunks: PngImagePlugin.PngInfo,
    metadata: Metadata,
) -> bytes:
    """Encode a picture.

    Args:
        pixels: uint16 (H, W) or (H, W, 3).
        alpha: uint8 (H, W).
        chunks: what to put before the pixels.
        metadata: whose resolution and EXIF are written, too.
    """
    import imagecodecs  # takes 0.1 s, which few photos need

    encoded = imagecodecs.png_encode(
        joined(pixels, alpha),
        level=1,
        strategy=imagecodecs.PNG.STRATEGY.RLE,
        filter=imagecodecs.PNG.FILTER.SUB,
    )
    buffer = io.BytesIO()
    buffer.write(encoded[:_HEAD_BYTES])
    for name, content, *_ in chunks.chunks:
        PngImagePlugin.putchunk(buffer, name, content)
    if metadata.dpi:
        across, down = (round(dpi * _INCHES_A_METRE) for dpi in metadata.dpi)
        PngImagePlugin.putchunk(buffer, b"pHYs", struct.pack(">IIB", across, down, _METRE))
    if metadata.exif:
        PngImagePlugin.putchunk(buffer, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    buffer.write(memoryview(encoded)[_HEAD_BYTES:])
    return buffer.getvalue()


def joined(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Gray (H, W) or colors (H, W, 3), 8 or 16 bits, and alpha of 8, as one array of that type."""
    if alpha is None:
        return pixels
    scale = np.iinfo(pixels.dtype).max // 255
    return np.dstack([pixels, alpha.astype(pixels.dtype) * pixels.dtype.type(scale)])
