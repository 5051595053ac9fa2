"""Training of the mean head on the maps of a pyramid's late blocks, which stay as they are."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition
from colorflow.model.features import FEATURE_CHANNELS, LATE_BLOCKS_OUTPUTS
from colorflow.model.mean import MeanHead, Prediction
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.pictures import PaintsChroma
from colorflow.training.run_folder import MEAN_HEAD

CONTRAST_SHARE = 10.0
"""Weight of the squared error of the log of the contrast, beside that of ab in CIELAB units."""
_LEAST_CONTRAST = 0.5
"""Photos of less contrast count as if they had this, CIELAB units."""


class MeanObjective(PaintsChroma):
    """An `Objective`: the squared errors of the mean and of the contrast.

    Args:
        pyramid: the model, whose late blocks make the coarse maps.
    """

    name, folder = "mean head", MEAN_HEAD
    unit = "squared CIELAB units"
    stream = 200
    small_photo_side = 128

    def __init__(self, pyramid: ChromaPyramid) -> None:
        self.pyramid = pyramid
        own = LATE_BLOCKS_OUTPUTS if pyramid.late_blocks is not None else ()
        self.maps = tuple(sorted(set(FEATURE_CHANNELS) - set(own)))

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Sets the statistics of the features."""
        cast(MeanHead, module).fit(self.pyramid.refine(condition))

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Squared error of ab, and the share of that of the contrast, (B,)."""
        prediction: Prediction = module(self.pyramid.refine(condition))
        error = (prediction.ab - ab).square().mean((1, 2, 3))
        wanted = _contrast(ab).clamp(min=_LEAST_CONTRAST).log()
        return error + CONTRAST_SHARE * (prediction.log_contrast - wanted).square()

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, the truth, and the mean."""
        prediction: Prediction = module(self.pyramid.refine(condition))
        return torch.stack([torch.zeros_like(ab), ab, prediction.ab], 1)


def _contrast(ab: Tensor) -> Tensor:
    """Mean distance of the colors of (B, 2, g, g) from the tint, CIELAB units, (B,)."""
    return (ab - ab.mean((2, 3), keepdim=True)).norm(dim=1).mean((1, 2))
