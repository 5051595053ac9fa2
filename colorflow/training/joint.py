"""Several levels and the feature network's late blocks learn together.

The late blocks are shared: what they learn of one level's chroma serves the others. A level's share
of the loss decides how much it has to say in them; what its own weights learn hardly depends on it,
since AdamW divides by the gradient's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid, Level
from colorflow.training.hints import random_hints, true_points
from colorflow.training.targets import SMALL_PHOTO_SIDE, level_target
from dataclasses import replace

SHARE_OF_LOSS = {4: 1.0, 8: 0.5, 16: 0.25}
"""By the chroma grid that a level completes."""
_HINT_SEED = 7


class JointModule(nn.Module):
    """The late blocks and the levels that learn with them."""

    def __init__(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        super().__init__()
        assert pyramid.late_blocks is not None
        names = pyramid.config.chroma_grids
        self.late_blocks = pyramid.late_blocks
        self.levels = nn.ModuleDict({str(g): pyramid.levels[names.index(g)] for g in grids})

    def forward(
        self, parts: Mapping[str, tuple[Tensor, Tensor | None]], condition: Condition
    ) -> Tensor:
        """log p of each level's numbers, nats a photo, (levels, B)."""
        made = self.late_blocks(condition.features[32])
        condition = replace(condition, features={**condition.features, **made})
        return torch.stack(
            [self.levels[name](x, condition, coarse) for name, (x, coarse) in parts.items()]
        )


class JointTask:
    """A `Task`: the weighted negative log-likelihood of several levels.

    Args:
        pyramid: the model.
        grids: chroma grids that the levels complete.
        points: hints of true color that each photo has in evaluation.
        shares: of the loss, by grid.
    """

    unit = "weighted nats a photo"
    stream = 100
    maps = (32,)
    name = folder = "joint"

    def __init__(
        self,
        pyramid: ChromaPyramid,
        grids: Sequence[int],
        points: int = 0,
        shares: Mapping[int, float] = SHARE_OF_LOSS,
    ) -> None:
        self.pyramid, self.grids, self.points, self.shares = pyramid, grids, points, shares
        self.small_photo_side = SMALL_PHOTO_SIDE.get(max(grids), 0)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Nothing: it goes on from trained weights."""

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Weighted negative log-likelihood, (B,)."""
        names = self.pyramid.config.chroma_grids
        grids = [g for g in self.grids if self.shares.get(g, 0)]
        parts = {str(g): level_target(self.pyramid, names.index(g), ab, noise) for g in grids}
        if module.training:
            condition = replace(condition, planes=random_hints(ab, noise))
        elif self.points:
            planes = true_points(ab, self.points, torch.Generator().manual_seed(_HINT_SEED))
            condition = replace(condition, planes=planes)
        log_probs = module(parts, condition)
        shares = torch.tensor([self.shares[g] for g in grids])
        return -(shares[:, None] * log_probs).sum(0)

    def draw(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, truth on the finest of the grids, and draws of all levels."""
        joint = cast(JointModule, module)
        made = joint.late_blocks(condition.features[32])
        condition = replace(condition, features={**condition.features, **made})
        truth = torch.nn.functional.avg_pool2d(ab, ab.shape[-1] // max(self.grids))
        columns = [torch.zeros_like(truth), truth]
        for temperature in (1.0, 0.8, 0.8, 0.6, 0.0):
            u = None
            for level in joint.levels.values():
                level = cast(Level, level)
                side = level.grid
                latent = temperature * torch.randn(len(ab), level.channels, side, side, generator=noise)
                x, _ = level.decode(latent, level.context.of_photo(condition), u)
                u = x if u is None else self.pyramid.haar.inverse(torch.cat([u, x], 1))[0]
            assert u is not None
            columns.append(self.pyramid.bounded.inverse(u)[0])
        return torch.stack(columns, 1)
