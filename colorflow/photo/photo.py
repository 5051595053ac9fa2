"""The picture that the rest of colorflow works with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from colorflow.photo.kind import Kind, kind_of
from colorflow.photo.metadata import Metadata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """One upright picture in sRGB, with what its file said beside the pixels.

    Raises:
        ValueError: if the arrays are not what the fields below say.
    """

    pixels: np.ndarray
    """uint8 in [0, 255]: (H, W) for a grey file, (H, W, 3) sRGB otherwise; contiguous, our own."""
    alpha: np.ndarray | None = None
    """uint8 (H, W), 0 transparent to 255 opaque; None where the file has no transparency."""
    metadata: Metadata = field(default_factory=Metadata)
    """What the file said beside its pixels."""
    source: str = "<image>"
    """The file's path, or ``<image>`` for a picture from memory; used in messages."""

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        grey_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if self.pixels.dtype != np.uint8 or not grey_or_rgb or 0 in shape:
            raise ValueError(
                "pixels: expected uint8 of shape (H, W) or (H, W, 3) with at least one pixel, "
                f"got {self.pixels.dtype} of shape {shape}"
            )
        alpha = self.alpha
        if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != shape[:2]):
            raise ValueError(
                f"alpha: expected uint8 of shape {shape[:2]}, "
                f"got {alpha.dtype} of shape {alpha.shape}"
            )

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def kind(self) -> Kind:
        """Grey, tinted or coloured.

        Measured anew at each use, in a few milliseconds whatever the photo's size, so that reading
        a photo does not pay for it.
        """
        return kind_of(self.pixels, self.alpha)
