"""The deterministic network predicts the mean of the colors that a photo may have had.

It has the pyramid's context networks. In place of each level's flow a convolution predicts the
level's numbers. All levels train together, with the mean squared error of ab.

Dimensions: B photos.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import Haar
from colorflow.flows.networks import zero_initialized
from colorflow.model.condition import Condition
from colorflow.model.config import PyramidConfig
from colorflow.model.context import LevelContext
from colorflow.model.pyramid import DETAIL_CHANNELS, MEAN_CHANNELS

CHROMA_UNIT = 20.0
"""Unit of the network's outputs, in CIELAB units: about the std of chroma over photos."""


class DeterministicNetwork(nn.Module):
    """Predicts the conditional mean of ab.

    Args:
        config: of the pyramid whose context networks it has; the fields of the flows are not used.
    """

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.contexts = nn.ModuleList(
            LevelContext(level, coarse=index > 0, extra_planes=0)
            for index, level in enumerate(config.levels)
        )
        self.heads = nn.ModuleList(
            zero_initialized(
                nn.Conv2d(level.width, DETAIL_CHANNELS if index else MEAN_CHANNELS, 3, padding=1)
            )
            for index, level in enumerate(config.levels)
        )
        self.haar = Haar()

    def fit(self, condition: Condition) -> None:
        """Sets the statistics of the features from a sample of the training data."""
        for context in self.contexts:
            cast(LevelContext, context).fit(condition)

    def forward(self, condition: Condition) -> Tensor:
        """The mean coloring: (B, 2, 64, 64) CIELAB units."""
        coarse: Tensor | None = None
        for context, head in zip(self.contexts, self.heads, strict=True):
            assert isinstance(context, LevelContext)
            h = context.of_sample(context.of_photo(condition), coarse)
            x = CHROMA_UNIT * head(F.gelu(h)).float()
            coarse = x if coarse is None else self.haar.inverse(torch.cat([coarse, x], 1))[0]
        assert coarse is not None
        return coarse


class RegressionObjective:
    """The mean squared error of the deterministic network.

    Args:
        config: of the pyramid whose context networks it has.
    """

    name = folder = "deterministic"
    unit = "squared CIELAB units"
    stream = 0
    small_photo_side = 0

    def __init__(self, config: PyramidConfig) -> None:
        self.maps = tuple(sorted({side for level in config.levels for side in level.maps_of_photo}))

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Sets the statistics of the features."""
        cast(DeterministicNetwork, module).fit(condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Mean squared error of ab, squared CIELAB units, (B,)."""
        return F.mse_loss(module(condition), ab, reduction="none").mean((1, 2, 3))

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, the truth, and the result."""
        return torch.stack([torch.zeros_like(ab), ab, module(condition)], 1)
