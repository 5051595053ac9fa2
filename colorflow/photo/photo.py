"""The picture that the rest of colorflow works with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import cv2
import numpy as np

from colorflow.photo.kind import Kind, kind_of
from colorflow.photo.metadata import Metadata, upright_exif
from colorflow.photo.sixteen_bits import to_8_bits


class Header(NamedTuple):
    """What a picture file says before its pixels."""

    pixels: int
    """Width times height."""
    stated: str
    """As of `Metadata`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An upright picture in sRGB with the metadata of its file.

    Raises:
        ValueError: if the arrays are not what the fields below say.
    """

    pixels: np.ndarray
    """uint8 in [0, 255]: (H, W) for a gray file, (H, W, 3) sRGB otherwise; contiguous."""
    alpha: np.ndarray | None = None
    """uint8 (H, W), 0 transparent to 255 opaque; None where the file has no transparency."""
    pixels16: np.ndarray | None = None
    """The same picture with 16 bits: uint16 in [0, 65535] of the shape of `pixels`, or None."""
    metadata: Metadata = field(default_factory=Metadata)
    """What the file says beside its pixels."""
    source: str = "<image>"
    """The file's path, or ``<image>`` for a picture from memory; used in messages."""
    remarks: tuple[str, ...] = ()
    """What the user should know about how the file was read, such as that pages are left out."""

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
        pixels16 = self.pixels16
        if pixels16 is not None and (pixels16.dtype != np.uint16 or pixels16.shape != shape):
            raise ValueError(
                f"pixels16: expected uint16 of shape {shape}, "
                f"got {pixels16.dtype} of shape {pixels16.shape}"
            )

    @property
    def bits(self) -> Literal[8, 16]:
        """Bits per channel."""
        return 8 if self.pixels16 is None else 16

    @property
    def full_depth(self) -> np.ndarray:
        """The pixels at the depth of the file: uint16 if `bits` is 16, otherwise uint8."""
        return self.pixels if self.pixels16 is None else self.pixels16

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    def enlarged(self, pixels: np.ndarray) -> Photo:
        """The same photo with more pixels; its transparency is interpolated.

        Args:
            pixels: uint8 or uint16, (sH, sW) or (sH, sW, 3).
        """
        height, width = pixels.shape[:2]
        alpha, exif = self.alpha, self.metadata.exif
        if alpha is not None:
            alpha = np.asarray(cv2.resize(alpha, (width, height)), np.uint8)
        of_16_bits = pixels.dtype == np.uint16
        return replace(
            self,
            pixels=to_8_bits(pixels) if of_16_bits else pixels,
            pixels16=pixels if of_16_bits else None,
            alpha=alpha,
            metadata=replace(self.metadata, exif=upright_exif(exif, width, height)),
        )

    @property
    def kind(self) -> Kind:
        """Gray, tinted or colored.

        It is measured at each use, in 20 to 50 milliseconds at any size, so that reading a photo
        does not pay for it.
        """
        return kind_of(self.pixels, self.alpha)
