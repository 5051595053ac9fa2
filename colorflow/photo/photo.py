"""The picture that the rest of colorflow works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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
    """uint8 in [0, 255]: (H, W) for a gray file, (H, W, 3) sRGB otherwise; contiguous, our own."""
    alpha: np.ndarray | None = None
    """uint8 (H, W), 0 transparent to 255 opaque; None where the file has no transparency."""
    deep: np.ndarray | None = None
    """The same picture with 16 bits: uint16 in [0, 65535] of the shape of `pixels`, or None."""
    metadata: Metadata = field(default_factory=Metadata)
    """What the file said beside its pixels."""
    source: str = "<image>"
    """The file's path, or ``<image>`` for a picture from memory; used in messages."""
    remarks: tuple[str, ...] = ()
    """What a person should know of how the file was read, such as that other pages are left out."""

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        gray_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if self.pixels.dtype != np.uint8 or not gray_or_rgb or 0 in shape:
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
        deep = self.deep
        if deep is not None and (deep.dtype != np.uint16 or deep.shape != shape):
            raise ValueError(
                f"deep: expected uint16 of shape {shape}, got {deep.dtype} of shape {deep.shape}"
            )

    @property
    def bits(self) -> Literal[8, 16]:
        """Bits a channel."""
        return 8 if self.deep is None else 16

    @property
    def all_bits(self) -> np.ndarray:
        """The pixels with all the bits that the file had: uint16 if `bits` is 16, or uint8."""
        return self.pixels if self.deep is None else self.deep

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
        """Gray, tinted or colored.

        Measured anew at each use, in a few milliseconds whatever the photo's size, so that reading
        a photo does not pay for it.
        """
        return kind_of(self.pixels, self.alpha)
