"""What fills damage without a network: the first guess of what it hides, and the grain.

The first guess is that of Telea 2004, an image inpainting by fast marching. Without grain, what is
filled in shows as a smooth patch. Grain is noise with the spectrum of the print's flattest parts,
as strong as where the surroundings of a place are flattest, and hardly stronger than in these
parts. A mean leaves it out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS = 3
"""Pixels around each hidden one that it is guessed from."""
_SIDE = 32
"""Pixels of a side of the blocks whose spectrum is taken."""
_MOST_BLOCKS = 2000
_FLATTEST = 0.1
"""Share of the blocks that are flat enough."""
_MOST = 1.5
"""Times the grain of these: what is stronger is texture."""
_BLACK, _DARK = 3.0, 10.0
"""L* units from black or white: where grain is cut off, and where it begins to be."""
_RIM = 9
"""Side of the square around a hidden pixel in which nothing is taken for grain."""
_DETAIL, _NEAR, _SMOOTH = 2.0, 4.0, 6.0
"""Std in pixels: what is finer is detail, of what its strength is averaged over, of its changes."""
_AROUND = 25
"""Side of the square in which the flattest place is looked for."""
REACH = _RIM // 2 + _AROUND // 2 + round(4 * (_DETAIL + _NEAR + _SMOOTH))
"""Pixels, in each direction, that grain depends on; OpenCV cuts a bell off at four std."""


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


class Grain:
    """The grain of one picture.

    Args:
        lightness: (H, W) float32, L* in [0, 100].
        mask: (H, W), where that is damaged.
    """

    def __init__(self, lightness: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
        self._kernel: NDArray[np.float32] | None = None
        self._most = 0.0
        seen = _seen(mask)
        rows, columns = (range(0, side - _SIDE + 1, _SIDE // 2) for side in lightness.shape)
        places = [(row, column) for row in rows for column in columns]
        blocks = []
        for row, column in places[:: max(1, len(places) // _MOST_BLOCKS)]:
            part = slice(row, row + _SIDE), slice(column, column + _SIDE)
            block = lightness[part]
            if seen[part].all() and _BLACK < block.mean() < 100 - _BLACK:
                blocks.append(block - cv2.GaussianBlur(block, (0, 0), _DETAIL))
        if not blocks:
            return
        detail = np.stack(blocks)
        power = np.square(detail).mean((1, 2))
        flattest = np.argsort(power)[: max(1, round(_FLATTEST * len(blocks)))]
        detail = detail[flattest] * np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
        spectrum = np.square(np.abs(np.fft.fft2(detail)))
        spectrum = (spectrum / np.maximum(power[flattest], 1e-6)[:, None, None]).mean(0)
        spectrum[0, 0] = 0
        kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(spectrum)).real)
        if (norm := float(np.linalg.norm(kernel))) > 0:
            self._kernel = (kernel / norm).astype(np.float32)
            self._most = _MOST * float(np.sqrt(power[flattest].max()))

    def around(
        self,
        lightness: NDArray[np.float32],
        mask: NDArray[np.bool_],
        noise: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Grain for a part of the picture.

        Args:
            lightness: (h, w) L*, the part, filled.
            mask: (h, w), where that is damaged.
            noise: (h, w), standard normal.

        Returns:
            (h, w) L* units to add where it is damaged.
        """
        if self._kernel is None:
            return np.zeros_like(lightness)
        seen = _seen(mask).astype(np.float32)

        def mean(x: NDArray[np.float32], std: float) -> NDArray[np.float32]:
            weight = cv2.GaussianBlur(seen, (0, 0), std)
            return np.asarray(cv2.GaussianBlur(x * seen, (0, 0), std) / np.maximum(weight, 1e-3))

        detail = (lightness - mean(lightness, _DETAIL)) * seen
        power = mean(np.square(detail), _NEAR)
        power[cv2.GaussianBlur(seen, (0, 0), _NEAR) < 0.5] = np.inf
        power = np.asarray(cv2.erode(power, np.ones((_AROUND, _AROUND), np.uint8)), np.float32)
        power[np.isinf(power)] = 0  # nothing undamaged is near
        strength = np.minimum(np.sqrt(cv2.GaussianBlur(power, (0, 0), _SMOOTH)), self._most)
        tone = np.minimum(lightness, 100 - lightness)
        strength *= np.clip((tone - _BLACK) / (_DARK - _BLACK), 0, 1)
        return np.asarray(strength * cv2.filter2D(noise, -1, self._kernel))


def _seen(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is not near damage."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((_RIM, _RIM), np.uint8)) == 0
