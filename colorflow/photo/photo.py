"""The picture that the rest of colorflow works with, and whether it is gray, tinted or colored.

A tint (sepia, selenium, cyanotype, a two-tone print, yellowed paper) gives every tone one chroma,
so that ab is a function of L; colors differ at equal L. The picture is reduced by area averaging,
a smooth function L -> ab is fitted by least squares, and its residual decides, averaged over 3 x 3
cells to reduce grain and JPEG's chroma noise. A tint that has faded or is stained varies in
strength at equal L, but hardly in hue: the residual along the tint's hue weighs less.

The constants are tuned so that none of 30 historic photos (17 of them tinted, some stained or
unevenly faded) counts as colored; some 2 % of ordinary color photos, those of one pale hue, then
count as tinted. Mistaking a pale photo for a tint is the better error: it is colored as asked,
while a sepia print that is mistaken for a color photo would be refused.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from colorflow.color import cie
from colorflow.photo.exif import upright_exif
from colorflow.photo.metadata import Metadata
from colorflow.photo.sixteen_bits import to_8_bits

GRID = 64
"""Longer side of the reduced copy, in cells."""
_PRESAMPLE = 1024
"""Larger pictures are subsampled to about this many pixels on the longer side before averaging."""
_KNOTS = 9
"""Knots of the piecewise linear function L -> ab, evenly spaced over L in [0, 100]."""
_SMOOTHNESS = 1e-2
"""Weight of the function's squared second differences, beside the mean squared residual."""
_RIDGE = 1e-6
"""Keeps the fit solvable where no cell has the L of a knot."""

GRAY_CHROMA = 2.5
"""CIELAB chroma that 95 % of a gray picture's cells do not exceed; about one visible step."""
TINT_RESIDUAL = 1.6
"""Root mean square of the weighted residual, in CIELAB units, up to which ab is a tint."""
STRAY_RESIDUAL = 7.0
"""Weighted residual, in CIELAB units, beyond which a cell has another color, not noise."""
STRAY_SHARE = 0.005
"""Share of cells beyond STRAY_RESIDUAL that makes a picture colored: about 4 x 4 cells."""
_FADING = 2.0
"""The residual of a clear tint along its own hue is divided by 1 plus this."""
_CLEAR_TINT = 8.0
"""Chroma of the mean ab from which a tint counts as clear; the division fades out below."""


class Kind(enum.StrEnum):
    """How much color a picture holds."""

    GRAY = "gray"
    """No visible chroma."""
    TINTED = "tinted"
    """Chroma that is a function of lightness; colored like a gray picture."""
    COLORED = "colored"
    """Colors of its own."""


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
            metadata=replace(self.metadata, exif=exif and upright_exif(exif, width, height)),
        )

    @property
    def kind(self) -> Kind:
        """Gray, tinted or colored.

        It is measured at each use, in a few milliseconds at any size, so that reading a photo does
        not pay for it.
        """
        return kind_of(self.pixels, self.alpha)


def kind_of(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Kind:
    """Tell a gray picture from a tinted one and from one that is already colored.

    Args:
        pixels: uint8 (H, W) or sRGB (H, W, 3), in [0, 255].
        alpha: uint8 (H, W), in [0, 255]; mostly transparent cells do not count.

    Returns:
        GRAY for (H, W); otherwise the kind of the reduced copy.
    """
    if pixels.ndim == 2:
        return Kind.GRAY
    lab = cie.rgb_to_lab(_reduced(pixels) / 255)
    seen = np.ones(lab.shape[:2], bool) if alpha is None else _reduced(alpha) > 127
    if not seen.any():
        return Kind.GRAY
    residual = _weighted_residual(lab, seen)
    if np.mean(residual > STRAY_RESIDUAL) > STRAY_SHARE:
        return Kind.COLORED
    if np.percentile(np.hypot(lab[..., 1], lab[..., 2])[seen], 95) <= GRAY_CHROMA:
        return Kind.GRAY
    if np.sqrt(np.mean(residual**2)) <= TINT_RESIDUAL:
        return Kind.TINTED
    return Kind.COLORED


def _weighted_residual(lab: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Distance of ab from the fitted function of L at the seen cells, (N,), in CIELAB units."""
    ab = lab[seen][:, 1:]
    grid = np.zeros((*seen.shape, 2))
    grid[seen] = ab - _fit(lab[seen][:, 0], ab)
    left = _mean_of_neighbors(grid)[seen]
    mean = ab.mean(axis=0)
    strength = float(np.hypot(mean[0], mean[1]))
    hue = mean / strength if strength > 0 else np.array([1.0, 0.0])
    along, across = left @ hue, left @ np.array([-hue[1], hue[0]])
    fading = 1 + _FADING * min(strength / _CLEAR_TINT, 1)
    return np.asarray(np.hypot(along / fading, across))


def _mean_of_neighbors(grid: np.ndarray) -> np.ndarray:
    """Mean over 3 x 3 cells of (H, W, 2), edges repeated."""
    height, width = grid.shape[:2]
    padded = np.pad(grid, ((1, 1), (1, 1), (0, 0)), mode="edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(np.mean(shifted, axis=0))


def _fit(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Fit a smooth piecewise linear function of L to ab; its values at each cell, (N, 2)."""
    position = np.clip(lightness / 100, 0, 1) * (_KNOTS - 1)
    knot = np.minimum(position.astype(int), _KNOTS - 2)
    right = position - knot
    design = np.zeros((len(lightness), _KNOTS))
    cells = np.arange(len(lightness))
    design[cells, knot] = 1 - right
    design[cells, knot + 1] = right
    bend = np.diff(np.eye(_KNOTS), 2, axis=0)
    normal = design.T @ design / len(cells) + _SMOOTHNESS * bend.T @ bend + _RIDGE * np.eye(_KNOTS)
    return np.asarray(design @ np.linalg.solve(normal, design.T @ ab / len(cells)))


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """Area average of the picture with at most GRID cells a side, uint8."""
    step = max(1, max(pixels.shape[:2]) // _PRESAMPLE)
    image = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    scale = min(1.0, GRID / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX))
