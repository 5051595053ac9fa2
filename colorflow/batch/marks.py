"""Where a print was repaired, reduced to a text that its file's statement and a report can hold.

Dimensions: H, W pixels of the print; h, w cells of the text.
"""

from __future__ import annotations

import base64
import re
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import size_within

_CELLS = 128
"""Along the longer side: three pixels of a contact sheet each, and less than 2,800 letters."""
_TEXT = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,2}):([\w+/]+=*)", re.ASCII)
_COLOR = (255, 40, 0)
_OPACITY = 0.55


def packed(mask: NDArray[np.bool_]) -> str:
    """The cells in which anything was repaired, as text: height, width, and packed bits.

    Args:
        mask: (H, W), where a print was repaired.
    """
    height, width = size_within(mask.shape[0], mask.shape[1], _CELLS, _CELLS)
    shares = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    bits = np.packbits(np.asarray(shares) > 0).tobytes()
    return f"{height}x{width}:{base64.b64encode(zlib.compress(bits, 9)).decode()}"


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
    result[mask] = np.round((1 - _OPACITY) * rgb[mask] + _OPACITY * np.array(_COLOR))
    return result


def _unpacked(marks: str) -> NDArray[np.uint8] | None:
    """(h, w), 0 or 1; None if the text is not of `packed`, which anybody may edit in a file."""
    found = _TEXT.fullmatch(marks)
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
