"""Training of the mean head on the maps of a pyramid's late blocks, which stay as they are."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition
from colorflow.model.features import FEATURE_CHANNELS, LATE_BLOCKS_OUTPUTS
from colorflow.model.mean import MeanHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.pictures import PaintsChroma
from colorflow.training.run_folder import MEAN_HEAD


class MeanHeadObjective(PaintsChroma):
    """An `Objective`: the squared error of the mean.

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
        """Mean squared error of ab, (B,)."""
        mean: Tensor = module(self.pyramid.refine(condition))
        return (mean - ab).square().mean((1, 2, 3))

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, the truth, and the mean."""
        return torch.stack([torch.zeros_like(ab), ab, module(self.pyramid.refine(condition))], 1)
