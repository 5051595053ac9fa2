"""What a finder of damage is shown beside lightness: what is thinner than its surroundings.

Openings and closings by squares (Serra 1982) remove what is narrower than the square and lighter,
or darker, than what is around it; the differences are known as top hats.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SQUARES = (5, 11, 21)
"""Pixels."""
_SURROUNDINGS = 17
"""Pixels: side of the square of which the mean is taken."""
_RANGE = 25.0
"""L* units that become 1."""
EVIDENCE = 2 + 2 * len(_SQUARES)
"""Planes."""
EVIDENCE_REACH = max(2 * (_SQUARES[-1] // 2), _SURROUNDINGS // 2)
"""Pixels, in each direction, that evidence depends on: an opening goes there and back."""


def evidence(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Planes of about -1 to 1, (`EVIDENCE`, H, W), of L* (H, W) in [0, 100]."""
    x = np.ascontiguousarray(lightness)
    planes = [(x - 50) * (_RANGE / 50)]
    for side in _SQUARES:
        square = np.ones((side, side), np.uint8)
        planes += [x - cv2.morphologyEx(x, cv2.MORPH_OPEN, square)]
        planes += [cv2.morphologyEx(x, cv2.MORPH_CLOSE, square) - x]
    planes += [x - cv2.blur(x, (_SURROUNDINGS, _SURROUNDINGS))]
    return np.stack(planes).astype(np.float32) / np.float32(_RANGE)
