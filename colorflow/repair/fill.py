"""The first guess of what damage hides: Telea 2004, an image inpainting by fast marching."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS = 3
"""Pixels around each hidden one that it is guessed from."""


def first_guess(lightness: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fills what a mask hides from its rim inwards.

    Args:
        lightness: (H, W) L* in [0, 100].
        mask: (H, W), where it is hidden.

    Returns:
        (H, W) float32; outside the mask as it was, inside in steps of 8 bits.
    """
    if not mask.any() or mask.all():
        return lightness
    levels = np.clip(np.round(lightness * 2.55), 0, 255).astype(np.uint8)
    guess = cv2.inpaint(levels, mask.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
    return np.where(mask, guess.astype(np.float32) / np.float32(2.55), lightness)
