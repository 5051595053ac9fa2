"""Marks of points, drawn on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SHARE = 1 / 50
"""Radius of a mark, of the picture's longer side."""
_LEAST_RADIUS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the picture.

    Attributes:
        row: in pixels of the picture.
        column: likewise.
        color: #rrggbb that fills the mark; None for a ring, where a color is still to be chosen.
        text: number beside it.
        chosen: drawn larger.
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
    """Draw marks: white and black rings, which stand out on any color.

    Args:
        rgb: (H, W, 3), left as it is.
        marks: the later ones above the earlier.
    """
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    plain = radius_of(*rgb.shape[:2])
    line = max(1, round(plain / 5))
    for mark in marks:
        radius = 1.35 * plain if mark.chosen else plain
        _ring(draw, mark, radius, "black", line)
        _ring(draw, mark, radius - line, "white", 2 * line)
        if mark.color is not None:
            _disc(draw, mark, radius - 2 * line, mark.color)
        if mark.text:
            place = (mark.column + 1.2 * radius, mark.row - 1.2 * radius)
            draw.text(
                place,
                mark.text,
                fill="white",
                stroke_fill="black",
                stroke_width=line,
                font=ImageFont.load_default(1.6 * plain),
                anchor="lm",
            )
    return np.asarray(picture)


def _ring(draw: ImageDraw.ImageDraw, mark: Mark, radius: float, color: str, width: int) -> None:
    draw.ellipse(_box(mark, radius), outline=color, width=width)


def _disc(draw: ImageDraw.ImageDraw, mark: Mark, radius: float, color: str) -> None:
    draw.ellipse(_box(mark, radius), fill=color)


def _box(mark: Mark, radius: float) -> tuple[float, float, float, float]:
    return (
        mark.column - radius,
        mark.row - radius,
        mark.column + radius,
        mark.row + radius,
    )
