"""sRGB <-> CIELAB for batches of tensors (D65, 2 degree observer), by kornia.

For training and for the model's own grid. Full-resolution output goes through
``full_resolution``, which is about ten times faster and needs no torch.
"""

from __future__ import annotations

import kornia.color
import torch
from torch import Tensor


def rgb_to_lab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert a batch of sRGB images to CIELAB.

    Args:
        rgb: (B, 3, H, W), sRGB in [0, 1].

    Returns:
        lightness: (B, 1, H, W), L* in [0, 100].
        ab: (B, 2, H, W), CIELAB units.

    Raises:
        ValueError: ``rgb`` has another shape.
    """
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise ValueError(f"rgb: expected shape (B, 3, H, W), got {tuple(rgb.shape)}")
    lab = kornia.color.rgb_to_lab(rgb)
    return lab[:, :1], lab[:, 1:]


def lab_to_rgb(lightness: Tensor, ab: Tensor, *, clamp: bool = True) -> Tensor:
    """Convert a batch of CIELAB images to sRGB.

    Args:
        lightness: (B, 1, H, W), L* in [0, 100].
        ab: (B, 2, H, W), CIELAB units.
        clamp: cut every channel to [0, 1]. That moves L* by up to 7 where the color is outside
            sRGB: good enough for a preview, not for output (see ``gamut``). Without it the
            result may leave [0, 1].

    Returns:
        (B, 3, H, W), sRGB.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if lightness.ndim != 4 or lightness.shape[1] != 1:
        raise ValueError(f"lightness: expected shape (B, 1, H, W), got {tuple(lightness.shape)}")
    batch, _, height, width = lightness.shape
    if ab.shape != (batch, 2, height, width):
        raise ValueError(
            f"ab: expected shape {(batch, 2, height, width)} to fit lightness, "
            f"got {tuple(ab.shape)}"
        )
    return kornia.color.lab_to_rgb(torch.cat([lightness, ab], dim=1), clip=clamp)
