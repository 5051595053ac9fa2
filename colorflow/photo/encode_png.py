"""PNG of 16 bits a channel, put together here: Pillow writes colors with 8.

Every row has the Sub filter, which numpy computes for a strip of rows at a time. Files and time are
about those of OpenCV's encoder with its run-length strategy, which in turn knows no metadata.

Reference: PNG (Third Edition), W3C 2025.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import PngImagePlugin

from colorflow.photo.metadata import Metadata

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _RGBA = 2, 6
"""Color types."""
_SUB = 1
"""Filter type: every byte less the one a pixel to the left."""
_INCHES_A_METRE = 1 / 0.0254
_METRE = 1
_STRIP_BYTES = 1 << 22


def deep_png(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    chunks: PngImagePlugin.PngInfo,
    metadata: Metadata,
) -> bytes:
    """Encode a picture.

    Args:
        pixels: uint16 (H, W, 3).
        alpha: uint8 (H, W).
        chunks: what to put before the pixels.
        metadata: whose resolution and EXIF are written, too.
    """
    samples = joined(pixels, alpha)
    height, width, channels = samples.shape
    color_type = _RGB if alpha is None else _RGBA
    buffer = io.BytesIO()
    buffer.write(_SIGNATURE)
    head = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    PngImagePlugin.putchunk(buffer, b"IHDR", head)
    for name, content, *_ in chunks.chunks:
        PngImagePlugin.putchunk(buffer, name, content)
    if metadata.dpi:
        across, down = (round(dpi * _INCHES_A_METRE) for dpi in metadata.dpi)
        PngImagePlugin.putchunk(buffer, b"pHYs", struct.pack(">IIB", across, down, _METRE))
    if metadata.exif:
        PngImagePlugin.putchunk(buffer, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    compressor = zlib.compressobj(level=1)
    rows = max(1, _STRIP_BYTES // (2 * width * channels))
    for top in range(0, height, rows):
        data = compressor.compress(_filtered(samples[top : top + rows]))
        if data:
            PngImagePlugin.putchunk(buffer, b"IDAT", data)
    PngImagePlugin.putchunk(buffer, b"IDAT", compressor.flush())
    PngImagePlugin.putchunk(buffer, b"IEND", b"")
    return buffer.getvalue()


def joined(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Colors (H, W, 3) of 8 or 16 bits and alpha of 8 as one array of the colors' type."""
    if alpha is None:
        return pixels
    scale = np.iinfo(pixels.dtype).max // 255
    return np.dstack([pixels, alpha.astype(pixels.dtype) * pixels.dtype.type(scale)])


def _filtered(samples: np.ndarray) -> bytes:
    """Rows (H, W, C) of uint16 as PNG stores them: the filter's type, then what it leaves."""
    height, width, channels = samples.shape
    step = 2 * channels
    rows = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, width * step)
    filtered = np.empty((height, 1 + width * step), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])  # modulo 256
    return filtered.tobytes()
