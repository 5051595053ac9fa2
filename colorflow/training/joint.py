"""Joint training of several levels and the feature network's late blocks.

The levels share the late blocks. A level's share of the loss is its weight in their gradient; its
own weights hardly depend on the share, since AdamW divides by the gradient's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, LateBlocks
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.objective import Objective
from colorflow.training.targets import JOINT, level_target, preview_of_levels, with_hints

SHARE_OF_LOSS = {4: 1.0, 8: 0.5, 16: 0.25}
"""Weights of the levels that can learn together, by the chroma grid that each completes. The coarse
levels decide the colors (docs/experiments.md, "The late blocks learn color")."""


class JointModule(nn.Module):
    """The late blocks and the levels that learn with them.

    Args:
        pyramid: model with late blocks.
        grids: chroma grids that the levels complete.
    """

    late_blocks: LateBlocks

    def __init__(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        super().__init__()
        assert pyramid.late_blocks is not None
        self.late_blocks = pyramid.late_blocks
        names = pyramid.config.chroma_grids
        self.levels = nn.ModuleDict({str(g): pyramid.levels[names.index(g)] for g in grids})

    def forward(
        self, parts: Mapping[str, tuple[Tensor, Tensor | None]], condition: Condition
    ) -> Tensor:
        """log p of each level's numbers, nats per photo, (levels, B).

        Args:
            parts: numbers and coarser chroma of each level, by its grid.
            condition: of the B photos, not refined.
        """
        refined = condition.refined_by(self.late_blocks)
        return torch.stack(
            [self.levels[name](x, refined, coarse) for name, (x, coarse) in parts.items()]
        )


class JointObjective(Objective[JointModule, Condition]):
    """The weighted negative log-likelihood of several levels.

    Args:
        pyramid: the model.
        grids: chroma grids that the levels complete, ascending.
        points: hints of true color of each photo in evaluation, always the same ones.
        shares: weights of the loss, by grid; a level without a share is left out.
    """

    unit = "weighted nats a photo"
    stream = 100
    maps = (LATE_BLOCKS_INPUT,)
    name = folder = JOINT

    def __init__(
        self,
        pyramid: ChromaPyramid,
        grids: Sequence[int],
        points: int = 0,
        shares: Mapping[int, float] = SHARE_OF_LOSS,
    ) -> None:
        self.pyramid, self.points = pyramid, points
        self.shares = {grid: shares[grid] for grid in grids if grid in shares}

    def fit(self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Standardization of each level's numbers and of the features."""
        condition = condition.refined_by(module.late_blocks)
        for grid, level in self._levels(module).items():
            level.fit(level_target(self.pyramid, grid, ab, noise)[0], condition)

    def loss(
        self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """Weighted sum of the levels' negative log-likelihoods, nats, (B,)."""
        parts = {str(grid): level_target(self.pyramid, grid, ab, noise) for grid in self.shares}
        condition = with_hints(condition, self.pyramid, module, ab, noise, self.points)
        log_probs: Tensor = module(parts, condition)
        return -(log_probs.new_tensor(list(self.shares.values())) @ log_probs)

    def preview(
        self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """As of `preview_of_levels`."""
        condition = condition.refined_by(module.late_blocks)
        return preview_of_levels(self.pyramid, self._levels(module), ab, condition, noise)

    def _levels(self, module: JointModule) -> dict[int, Level]:
        return {grid: cast(Level, module.levels[str(grid)]) for grid in self.shares}
