"""The chroma pyramid: an exact conditional density of ab on the 64x64 grid.

ab is made unbounded per pixel, u = f(ab), and split by Haar steps into means on a 4x4 grid and
details on 4, 8, 16 and 32:

    log p(ab | L) = log p(u_4 | c_0) + sum_k log p(detail_k | u_k, c_k) + ladj

Every level is a conditional flow with a context of its own, so levels can be trained apart, each
with noise on its own scale. Between u and the pyramid stands what pulls samples towards color
hints, if there are any; true colors, which miss their hints by nothing, it leaves as they are.

Reference: Ardizzone et al. 2019 (cINN); Yu et al. 2020 (Wavelet Flow).

Dimensions: B photos, n samples, g the grid of a level, C its channels (2 means or 6 details).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import BoundedRange, Haar, KrigingUpdate, Standardize
from colorflow.flows.density import standard_normal_log_prob
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID, LevelConfig, PyramidConfig
from colorflow.model.context import LevelContext
from colorflow.model.features import LateBlocks
from colorflow.zoo.pyramid import level_flow

MEAN_CHANNELS = 2
DETAIL_CHANNELS = 6


class Level(nn.Module):
    """One level: context network and conditional flow.

    Args:
        config: its shape.
        first: whether it holds the means of the coarsest grid, or else details.
        extra_planes: channels of the condition's extra planes.
    """

    def __init__(self, config: LevelConfig, *, first: bool, extra_planes: int) -> None:
        super().__init__()
        self.grid = config.grid
        self.channels = MEAN_CHANNELS if first else DETAIL_CHANNELS
        self.context = LevelContext(config, coarse=not first, extra_planes=extra_planes)
        self.flow = level_flow(
            self.channels,
            config.grid,
            config.width,
            width=config.width,
            couplings=config.couplings,
            bins=config.bins,
            attention=config.attention,
            dropout=config.dropout,
        )

    def fit(self, x: Tensor, condition: Condition) -> None:
        """Takes fixed statistics from a sample of the training data."""
        standardize = self.flow.bijections[0]
        assert isinstance(standardize, Standardize)
        standardize.fit(x)
        self.context.fit(condition)

    def forward(self, x: Tensor, condition: Condition, coarse: Tensor | None) -> Tensor:
        """log p(x | condition, coarse) in nats, (B,).

        Args:
            x: (B, C, g, g) means or details.
            condition: of the B photos.
            coarse: (B, 2, g, g) coarser means, None for the first level.
        """
        context = self.context.of_sample(self.context.of_photo(condition), coarse)
        latent, ladj = self.flow(x, context)
        return standard_normal_log_prob(latent) + ladj

    def encode(self, x: Tensor, photo: Tensor, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, C, g, g) -> latent of the same shape and ladj (B,); `photo` is the context's part."""
        latent, ladj = self.flow(x, self.context.of_sample(photo, coarse))
        return latent, ladj

    def decode(self, latent: Tensor, photo: Tensor, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """Undoes `encode`."""
        x, ladj = self.flow.inverse(latent, self.context.of_sample(photo, coarse))
        return x, ladj


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
        self.levels = nn.ModuleList(
            Level(level, first=index == 0, extra_planes=config.extra_planes)
            for index, level in enumerate(config.levels)
        )

    @torch.no_grad()
    def refine(self, condition: Condition) -> Condition:
        """The condition with the maps of the model's own late blocks, if it has some.

        What takes a condition calls it, so conditions may come with the frozen network's maps; who
        uses a condition several times refines it before. The late blocks get no gradient here.
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

        The log-determinant of a Haar step belongs to the details that it makes, those of the
        bounded range and of the pull of hints to the last level.
        """
        latents, ladjs = self._encode(ab, condition)
        return [standard_normal_log_prob(z) + ladj for z, ladj in zip(latents, ladjs, strict=True)]

    def encode(self, ab: Tensor, condition: Condition, gain: float = 1.0) -> list[Tensor]:
        """Latents of a coloring, coarse to fine: shapes as in `latent_shapes`, with B in front.

        With a gain, those that `decode` makes it of with the same one.
        """
        return self._encode(ab, condition, gain)[0]

    def decode(self, latents: Sequence[Tensor], condition: Condition, gain: float = 1.0) -> Tensor:
        """The colorings of given latents.

        Args:
            latents: per level, coarse to fine, (N, C, g, g). N is a multiple of B: the first N/B
                belong to the first photo, and so on. With latents of the first k levels alone,
                the chroma that these k levels determine.
            condition: of B photos.
            gain: what the chroma on the coarsest grid is multiplied with, above 0; 1 is the model
                itself. Finer levels follow the chroma that they are given.

        Returns:
            (N, 2, 64, 64), or a smaller grid for fewer levels; CIELAB units, inside the box of
            the configuration.
        """
        if not 1 <= len(latents) <= len(self.levels):
            raise ValueError(
                f"latents: expected those of 1 to {len(self.levels)} levels, got {len(latents)}"
            )
        repeats, rest = divmod(len(latents[0]), len(condition))
        if rest:
            raise ValueError(
                f"latents: expected a multiple of {len(condition)} photos, got {len(latents[0])}"
            )
        condition = self.refine(condition)
        first = self.levels[0]
        assert isinstance(first, Level)
        photo = first.context.of_photo(condition).repeat_interleave(repeats, 0)
        u = gain * first.decode(latents[0], photo, None)[0]
        u = self._finer(u, self.levels[1 : len(latents)], latents[1:], condition)
        return self.bounded.inverse(self._pulled(u, condition))[0]

    def complete(self, ab: Tensor, condition: Condition) -> Tensor:
        """The most plausible fine chroma of coarse chroma: all latents of finer levels are zero.

        Args:
            ab: (N, 2, g, g) on the grid that one of the levels completes, CIELAB units; N is a
                multiple of B as for `decode`.
            condition: of B photos.

        Returns:
            (N, 2, 64, 64), inside the box of the configuration and not pulled to hints.

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
        """Chroma on the finest grid, as `decode` leaves it: close to the hints, if there are any.

        Args:
            ab: (N, 2, 64, 64) CIELAB units; N is a multiple of B as for `decode`.
            condition: of B photos.

        Returns:
            Of the same shape; without hints, `ab` as the bounded range gives it back.
        """
        return self.bounded.inverse(self._pulled(self.bounded(ab)[0], condition))[0]

    def sample(
        self,
        condition: Condition,
        n: int,
        temperatures: Sequence[float],
        generator: torch.Generator | None = None,
        gain: float = 1.0,
    ) -> Tensor:
        """Draws colorings.

        Args:
            condition: of B photos.
            n: colorings a photo.
            temperatures: std of the latents of each level, coarse to fine; 1 is the model itself.
            generator: source of randomness.
            gain: as of `decode`.

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
        ab = self.decode([z.to(device) for z in latents], condition, gain)
        return ab.unflatten(0, (len(condition), n))

    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """(C, g, g) of each level's latents, coarse to fine; 8192 numbers in all."""
        return [(level.channels, level.grid, level.grid) for level in self.levels]  # type: ignore[misc]

    def analyze(self, ab: Tensor) -> list[Tensor]:
        """Means on the coarsest grid, then the details of every level, of u = f(ab)."""
        return self._split(self.bounded(ab)[0])[0]

    def _encode(
        self, ab: Tensor, condition: Condition, gain: float = 1.0
    ) -> tuple[list[Tensor], list[Tensor]]:
        expected = (MEAN_CHANNELS, FINEST_GRID, FINEST_GRID)
        if tuple(ab.shape[1:]) != expected or len(ab) != len(condition):
            raise ValueError(f"ab: expected ({len(condition)}, {expected}), got {tuple(ab.shape)}")
        condition = self.refine(condition)
        u, bounded_ladj = self.bounded(ab)
        u, pull_ladj = self.pull(u, self._hints(condition))
        parts, coarse, haar_ladjs = self._split(u)
        parts[0] = parts[0] / gain
        latents, ladjs = [], []
        for level, x, mean, haar_ladj in zip(self.levels, parts, coarse, haar_ladjs, strict=True):
            assert isinstance(level, Level)
            latent, ladj = level.encode(x, level.context.of_photo(condition), mean)
            latents.append(latent)
            ladjs.append(ladj + haar_ladj)
        ladjs[-1] = ladjs[-1] + bounded_ladj + pull_ladj
        return latents, ladjs

    def _finer(
        self,
        u: Tensor,
        levels: Iterable[nn.Module],
        latents: Iterable[Tensor],
        condition: Condition,
    ) -> Tensor:
        """Coarse means u made finer by the next levels, given their latents."""
        repeats = len(u) // len(condition)
        for level, latent in zip(levels, latents, strict=True):
            assert isinstance(level, Level)
            photo = level.context.of_photo(condition).repeat_interleave(repeats, 0)
            x, _ = level.decode(latent, photo, u)
            u = self.haar.inverse(torch.cat([u, x], 1))[0]
        return u

    def _pulled(self, u: Tensor, condition: Condition) -> Tensor:
        """u on the finest grid pulled to the hints; u itself without hints or on a coarser grid."""
        hints = self._hints(condition)
        if hints is None or u.shape[-1] != FINEST_GRID:
            return u
        pulled: Tensor = self.pull.inverse(u, hints.repeat_interleave(len(u) // len(condition), 0))[
            0
        ]
        return pulled

    def _hints(self, condition: Condition) -> Tensor | None:
        """Mask, u of the hints and lightness on the finest grid, (B, 4, 64, 64)."""
        if not self.config.takes_hints or condition.planes is None:
            return None
        mask, ab = condition.planes[:, :1], condition.planes[:, 1:]
        factor = condition.lightness.shape[-1] // FINEST_GRID
        lightness = F.avg_pool2d(condition.lightness, factor)
        return torch.cat([mask, self.bounded(ab)[0], lightness], 1)

    def _split(self, u: Tensor) -> tuple[list[Tensor], list[Tensor | None], list[Tensor]]:
        """Per level, coarse to fine: its numbers, the coarser means, the Haar step's ladj."""
        parts, coarse, ladjs = [], [], []
        for _ in range(len(self.levels) - 1):
            z, ladj = self.haar(u)
            u, details = z.split([MEAN_CHANNELS, DETAIL_CHANNELS], 1)
            parts.append(details)
            coarse.append(u)
            ladjs.append(ladj)
        zero = torch.zeros_like(ladjs[0])
        return [u, *parts[::-1]], [None, *coarse[::-1]], [zero, *ladjs[::-1]]
