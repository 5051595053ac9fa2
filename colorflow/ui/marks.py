"""Draws marks of points on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SHARE = 1 / 50
"""Radius of a mark divided by the picture's longer side."""
_LEAST_RADIUS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the picture.

    Attributes:
        row: in pixels of the picture.
        column: in pixels of the picture.
        color: #rrggbb that fills the mark; None for a ring, where no color is chosen yet.
        text: number beside the mark.
        chosen: whether the mark is drawn larger.
    """

    row: float
    column: float
    color: str | None
    text: str = ""
    chosen: bool = False


def radius_of(height: int, width: int) -> float:
    """Radius of the marks on a picture of that size, in pixels."""
    return max(_LEAST_RADIUS, _SHARE * max(height, width))


def with_marks(rgb: NDArray[np.uint8], marks: Sequence[Mark]) -> NDArray[np.uint8]:
    """Draw marks: white and black rings, which are visible on any color.

    Args:
        rgb: (H, W, 3), which stays as it is.
        marks: the later ones are drawn above the earlier ones.
    """
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    plain = radius_of(*rgb.shape[:2])
    line = max(1, round(plain / 5))
    for mark in marks:
        radius = 1.35 * plain if mark.chosen else plain
        center = (mark.column, mark.row)
        draw.circle(center, radius, outline="black", width=line)
        draw.circle(center, radius - line, outline="white", width=2 * line)
        if mark.color is not None:
            draw.circle(center, radius - 2 * line, fill=mark.color)
        if mark.text:
            draw.text(
                (mark.column + 1.2 * radius, mark.row - 1.2 * radius),
                mark.text,
                fill="white",
                stroke_fill="black",
                stroke_width=line,
                font=ImageFont.load_default(1.6 * plain),
                anchor="lm",
            )
    return np.asarray(picture)
