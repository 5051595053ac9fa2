"""The chroma pyramid: an exact conditional density of ab on the 64x64 grid.

ab is made unbounded per pixel, u = f(ab), and split by Haar steps into means on a 4x4 grid and
details on 4, 8, 16 and 32:

    log p(ab | L) = log p(u_4 | c_0) + sum_k log p(detail_k | u_k, c_k) + ladj

Every level is a conditional flow with its own context, so levels can be trained separately, each
with noise on its own scale. Between u and the pyramid, a kriging update pulls samples towards color
hints, if there are any; it leaves true colors, which match their hints, unchanged.

Reference: Ardizzone et al. 2019 (cINN); Yu et al. 2020 (Wavelet Flow).

Dimensions: B photos, n samples, g the grid of a level, C its channels (2 means or 6 details).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import BoundedRange, Haar, KrigingUpdate
from colorflow.flows.density import standard_normal_log_prob
from colorflow.model.condition import Condition, LateBlocks
from colorflow.model.config import FINEST_GRID, PyramidConfig
from colorflow.model.heads import MeanHead, SegmentationHead
from colorflow.model.level import DETAIL_CHANNELS, MEAN_CHANNELS, Level
from colorflow.model.likeness import LikenessHead


class ChromaPyramid(nn.Module):
    """p(ab | L) on the 64x64 grid.

    Args:
        config: shape of all levels.
    """

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.config = config
        self.bounded = BoundedRange(config.chroma_limit)
        self.pull = KrigingUpdate(config.hint_reach, config.hint_likeness, config.hint_looseness)
        self.haar = Haar()
        self.late_blocks = LateBlocks() if config.late_blocks else None
        self.mean_head = MeanHead() if config.mean_head else None
        self.segmentation_head = SegmentationHead() if config.segmentation_head else None
        self.likeness_head = LikenessHead() if config.likeness_head else None
        levels = nn.ModuleList(
            Level(level, first=index == 0, extra_planes=config.extra_planes)
            for index, level in enumerate(config.levels)
        )
        self.levels = cast(Sequence[Level], levels)

    @torch.no_grad()
    def refine(self, condition: Condition) -> Condition:
        """Replaces the frozen network's coarse maps by those of the model's late blocks, if any.

        Every method calls it, so conditions may come with the frozen network's maps. A caller that
        uses a condition several times refines it first. The late blocks get no gradient here.
        """
        if self.late_blocks is None or condition.refined:
            return condition
        return condition.refined_by(self.late_blocks)

    def log_prob(self, ab: Tensor, condition: Condition) -> Tensor:
        """Exact log density of a coloring, in nats per photo, (B,).

        Args:
            ab: (B, 2, 64, 64) CIELAB units.
            condition: of the B photos.
        """
        terms = self.level_log_probs(ab, condition)
        return torch.stack(terms).sum(0)

    def level_log_probs(self, ab: Tensor, condition: Condition) -> list[Tensor]:
        """The terms of `log_prob`, coarse to fine, (B,) each.

        The log-determinant of a Haar step counts for the details that it makes; those of the
        bounded range and of the kriging update count for the last level.
        """
        latents, ladjs = self._encode(ab, condition)
        return [standard_normal_log_prob(z) + ladj for z, ladj in zip(latents, ladjs, strict=True)]

    def bits_by_level(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension by the name of the level, of its own numbers, and ``all``.

        Args:
            nats: negative log-likelihood of each level.
        """
        dims = [math.prod(shape) for shape in self.latent_shapes()]
        names = [*map(str, self.config.chroma_grids), "all"]
        terms = zip(names, [*nats, sum(nats)], [*dims, sum(dims)], strict=True)
        return {name: float(own / (dim * math.log(2))) for name, own, dim in terms}

    def encode(self, ab: Tensor, condition: Condition, gain: float = 1.0) -> list[Tensor]:
        """Latents of a coloring, coarse to fine: (B, C, g, g) as in `latent_shapes`.

        The inverse of `decode` with the same gain.
        """
        return self._encode(ab, condition, gain)[0]

    def decode(self, latents: Sequence[Tensor], condition: Condition, gain: float = 1.0) -> Tensor:
        """The colorings of given latents.

        Args:
            latents: (N, C, g, g) of each level, coarse to fine. N is a multiple of B: the first N/B
                belong to the first photo, and so on. The first k levels only give the chroma that
                these k levels determine.
            condition: of B photos.
            gain: factor of the chroma on the coarsest grid, above 0; 1 is the model itself. Finer
                levels follow the chroma that they are given.

        Returns:
            (N, 2, 64, 64), or a smaller grid for fewer levels; CIELAB units, within the chroma
            limit of the configuration.
        """
        if not 1 <= len(latents) <= len(self.levels):
            raise ValueError(
                f"latents: expected those of 1 to {len(self.levels)} levels, got {len(latents)}"
            )
        repeats, remainder = divmod(len(latents[0]), len(condition))
        if remainder:
            raise ValueError(
                f"latents: expected a multiple of {len(condition)} photos, got {len(latents[0])}"
            )
        condition = self.refine(condition)
        first = self.levels[0]
        # It is the same for all samples of a photo, so it is computed once.
        context = first.context.of_sample(first.context.of_photo(condition), None)
        u = gain * first.flow.inverse(latents[0], context.repeat_interleave(repeats, 0))[0]
        u = self._finer(u, self.levels[1 : len(latents)], latents[1:], condition)
        return self.bounded.inverse(self._pulled(u, condition))[0]

    def predict(self, condition: Condition) -> Tensor:
        """The mean of the colors of B photos by the mean head, (B, 2, 64, 64) CIELAB units.

        Raises:
            ValueError: if the model has no mean head.
        """
        if self.mean_head is None:
            raise ValueError("this model has no mean head")
        return self.mean_head(self.refine(condition))

    def complete(self, ab: Tensor, condition: Condition) -> Tensor:
        """The most likely completion of coarse chroma: all latents of finer levels are zero.

        Args:
            ab: (N, 2, g, g) on the grid that one of the levels completes, CIELAB units; N is a
                multiple of B as for `decode`.
            condition: of B photos.

        Returns:
            (N, 2, 64, 64), within the chroma limit and not pulled towards hints.

        Raises:
            ValueError: if no level completes such a grid.
        """
        if ab.shape[-1] not in self.config.chroma_grids:
            raise ValueError(f"ab: expected a grid of {self.config.chroma_grids}, got {ab.shape}")
        condition = self.refine(condition)
        done = self.config.chroma_grids.index(ab.shape[-1]) + 1
        zeros = [ab.new_zeros(len(ab), *shape) for shape in self.latent_shapes()[done:]]
        u = self._finer(self.bounded(ab)[0], self.levels[done:], zeros, condition)
        return self.bounded.inverse(u)[0]

    def pull_to_hints(self, ab: Tensor, condition: Condition) -> Tensor:
        """Pulls chroma on the finest grid towards the hints, as `decode` does.

        Args:
            ab: (N, 2, 64, 64) CIELAB units; N is a multiple of B as for `decode`.
            condition: of B photos.

        Returns:
            The same shape; without hints, `ab` after a round trip through the bounded range.
        """
        return self.bounded.inverse(self._pulled(self.bounded(ab)[0], condition))[0]

    def sample(
        self,
        condition: Condition,
        n: int,
        temperatures: Sequence[float],
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Samples colorings.

        Args:
            condition: of B photos.
            n: colorings of each photo.
            temperatures: std of the latents of each level, coarse to fine; 1 is the model itself.
            generator: source of randomness.

        Returns:
            (B, n, 2, 64, 64) CIELAB units.
        """
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        if len(temperatures) != len(self.levels):
            raise ValueError(
                f"temperatures: expected {len(self.levels)} numbers, got {len(temperatures)}"
            )
        count = len(condition) * n
        latents = [
            temperature * torch.randn(count, *shape, generator=generator)
            for shape, temperature in zip(self.latent_shapes(), temperatures, strict=True)
        ]
        device = condition.lightness.device
        ab = self.decode([z.to(device) for z in latents], condition)
        return ab.unflatten(0, (len(condition), n))

    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """(C, g, g) of each level's latents, coarse to fine; 8192 numbers in all."""
        return [(level.channels, level.grid, level.grid) for level in self.levels]

    def _encode(
        self, ab: Tensor, condition: Condition, gain: float = 1.0
    ) -> tuple[list[Tensor], list[Tensor]]:
        expected = (len(condition), MEAN_CHANNELS, FINEST_GRID, FINEST_GRID)
        if tuple(ab.shape) != expected:
            raise ValueError(f"ab: expected shape {expected}, got {tuple(ab.shape)}")
        condition = self.refine(condition)
        u, bounded_ladj = self.bounded(ab)
        u, pull_ladj = self.pull(u, self._hints(condition))
        parts, coarse, haar_ladjs = self._split(u)
        parts[0] = parts[0] / gain
        latents, ladjs = [], []
        for level, x, mean, haar_ladj in zip(self.levels, parts, coarse, haar_ladjs, strict=True):
            latent, ladj = level.encode(x, level.context.of_photo(condition), mean)
            latents.append(latent)
            ladjs.append(ladj + haar_ladj)
        ladjs[-1] = ladjs[-1] + bounded_ladj + pull_ladj
        return latents, ladjs

    def _finer(
        self,
        u: Tensor,
        levels: Iterable[Level],
        latents: Iterable[Tensor],
        condition: Condition,
    ) -> Tensor:
        """Refines coarse means u by the next levels, given their latents."""
        repeats = len(u) // len(condition)
        for level, latent in zip(levels, latents, strict=True):
            photo = level.context.of_photo(condition).repeat_interleave(repeats, 0)
            x, _ = level.decode(latent, photo, u)
            u = self.haar.inverse(torch.cat([u, x], 1))[0]
        return u

    def _pulled(self, u: Tensor, condition: Condition) -> Tensor:
        """Pulls u on the finest grid to the hints; leaves it without hints or on a coarser grid."""
        hints = self._hints(condition)
        if hints is None or u.shape[-1] != FINEST_GRID:
            return u
        return self.pull.inverse(u, hints.repeat_interleave(len(u) // len(condition), 0))[0]

    def _hints(self, condition: Condition) -> Tensor | None:
        """Mask, u of the hints and lightness on the finest grid, (B, 4, 64, 64)."""
        if not self.config.takes_hints or condition.planes is None:
            return None
        mask, ab = condition.planes[:, :1], condition.planes[:, 1:]
        factor = condition.lightness.shape[-1] // FINEST_GRID
        lightness = F.avg_pool2d(condition.lightness, factor)
        return torch.cat([mask, self.bounded(ab)[0], lightness], 1)

    def _split(self, u: Tensor) -> tuple[list[Tensor], list[Tensor | None], list[Tensor]]:
        """Inputs of each level, coarse to fine, with the coarser means and the Haar step's ladj."""
        parts, coarse, ladjs = [], [], []
        for _ in range(len(self.levels) - 1):
            z, ladj = self.haar(u)
            u, details = z.split([MEAN_CHANNELS, DETAIL_CHANNELS], 1)
            parts.append(details)
            coarse.append(u)
            ladjs.append(ladj)
        zero = torch.zeros_like(ladjs[0])
        return [u, *parts[::-1]], [None, *coarse[::-1]], [zero, *ladjs[::-1]]
