"""Chroma on lightness, for pictures of what has been learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.model.condition import Condition


def paint(lightness: Tensor, ab: Tensor) -> Tensor:
    """Colorings on their photos' lightness.

    Args:
        lightness: (B, 1, 128, 128) CIE L* in [0, 100].
        ab: (B, N, 2, g, g) CIELAB units, brought to the grid of lightness.

    Returns:
        (B * N, 3, 128, 128) sRGB in [0, 1].
    """
    from kornia.color import lab_to_rgb

    smooth = F.interpolate(ab.flatten(0, 1), lightness.shape[2:], mode="bicubic")
    rgb: Tensor = lab_to_rgb(torch.cat([lightness.repeat_interleave(ab.shape[1], 0), smooth], 1))
    return rgb


class PaintsChroma:
    """The part of an `Objective` that shows chroma."""

    def paint(self, condition: Condition, shown: Tensor, /) -> Tensor:
        """(B, N, 2, g, g) CIELAB units -> (B * N, 3, 128, 128) sRGB in [0, 1]."""
        return paint(condition.lightness, shown)
