"""The deterministic network predicts the mean of the colors that a photo may have had.

It has the pyramid's context networks, and late blocks if it starts from a pyramid that has them.
In place of each level's flow a convolution predicts the level's numbers. All levels train together,
with the mean squared error of ab.

Dimensions: B photos.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import Haar
from colorflow.flows.networks import zero_initialized
from colorflow.model.condition import Condition
from colorflow.model.config import PyramidConfig
from colorflow.model.context import LevelContext
from colorflow.model.features import LATE_BLOCKS_INPUT, Features, LateBlocks
from colorflow.model.level import DETAIL_CHANNELS, MEAN_CHANNELS
from colorflow.training.pictures import PaintsChroma

BLOCKS = "contexts.0.last_blocks."
"""Prefix of the tensors of its own or late blocks."""
OWN_BLOCKS_INPUT = 16
"""Side of the map from which the network's own blocks compute the coarsest level's 8x8 map."""
_LAST_LATE_BLOCK = f"{BLOCKS}blocks.10."
"""Prefix of the tensors of the last of eleven late blocks; its own blocks are fewer."""
CHROMA_UNIT = 20.0
"""Unit of the network's outputs, in CIELAB units: about the std of chroma over photos."""


class DeterministicNetwork(nn.Module):
    """Predicts the conditional mean of ab.

    Args:
        config: of the pyramid whose context networks it has; its flows' fields are not used.
        own_blocks: whether the coarsest level has its own trainable copy of the feature network's
            last blocks; `take_late_blocks` replaces it.
    """

    def __init__(self, config: PyramidConfig, *, own_blocks: bool = False) -> None:
        super().__init__()
        self.contexts = nn.ModuleList(
            LevelContext(level, coarse=index > 0, extra_planes=0)
            for index, level in enumerate(config.levels)
        )
        if own_blocks:
            self.contexts[0].last_blocks = LateBlocks(OWN_BLOCKS_INPUT)  # the name in its files
        self.heads = nn.ModuleList(
            zero_initialized(
                nn.Conv2d(level.width, DETAIL_CHANNELS if index else MEAN_CHANNELS, 3, padding=1)
            )
            for index, level in enumerate(config.levels)
        )
        self.haar = Haar()

    def take_late_blocks(self) -> None:
        """Replaces its own blocks by new late blocks, whose maps all levels take."""
        self.contexts[0].last_blocks = LateBlocks()

    def take_late_blocks_of(self, names: Iterable[str]) -> None:
        """Takes late blocks if weights with tensors of these names have them."""
        if any(name.startswith(_LAST_LATE_BLOCK) for name in names):
            self.take_late_blocks()

    def fit(self, condition: Condition) -> None:
        """Takes the statistics of the features from a sample of the training data.

        Its own blocks start as those of the frozen network.
        """
        if (own := self._own_blocks()) is not None:
            own.copy_from(Features())
        for context in self.contexts:
            cast(LevelContext, context).fit(condition)

    def forward(self, condition: Condition) -> Tensor:
        """The mean coloring: (B, 2, 64, 64) CIELAB units."""
        coarse: Tensor | None = None
        coarsest = condition
        if (own := self._own_blocks()) is not None:
            input_grid = own.input_shape[1]
            maps = condition.features | own(condition.features[input_grid])
            coarsest = replace(condition, features=maps)
            if input_grid == LATE_BLOCKS_INPUT:
                condition = coarsest
        for context, head in zip(self.contexts, self.heads, strict=True):
            assert isinstance(context, LevelContext)
            seen = coarsest if coarse is None else condition
            h = context.of_sample(context.of_photo(seen), coarse)
            x = CHROMA_UNIT * head(F.gelu(h)).float()
            coarse = x if coarse is None else self.haar.inverse(torch.cat([coarse, x], 1))[0]
        assert coarse is not None
        return coarse

    def _own_blocks(self) -> LateBlocks | None:
        return getattr(self.contexts[0], "last_blocks", None)


class RegressionObjective(PaintsChroma):
    """The mean squared error of the deterministic network.

    Args:
        config: of the pyramid whose context networks it has.
    """

    name = folder = "deterministic"
    unit = "squared CIELAB units"
    stream = 0
    small_photo_side = 0

    def __init__(self, config: PyramidConfig) -> None:
        self.maps = tuple(sorted({side for level in config.levels for side in level.maps}))

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
