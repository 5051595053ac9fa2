"""One level of the chroma pyramid: its context network, its conditional spline flow, its latents.

Latents of a coloring are sampled from seeds, with signs of the photo, and interpolated.

Splines rather than autoregressive flows: docs/experiments.md, "Families at the coarsest level".

Reference: Ardizzone et al. 2019 (cINN); Durkan et al. 2019 (splines).

Dimensions: B photos, g the grid of the level, C its channels (2 means or 6 details).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow import flows
from colorflow.flows.density import standard_normal_log_prob
from colorflow.limits import check_range
from colorflow.model.condition import Condition
from colorflow.model.config import LevelConfig
from colorflow.model.context import LevelContext

MEAN_CHANNELS = 2
DETAIL_CHANNELS = 6

MAX_LOG_SCALE = 3.0
"""Bound of the context's log-scale, relative to the std of all photos."""
COUPLING_LOG_SCALE = 0.7
COUPLING_SHIFT = 3.0
SPLINE_LIMIT = 6.0

COARSE_LEVELS = 2
"""Levels that decide tint and the colors of objects; together they give chroma on an 8x8 grid."""
_SIGN_GRID = 16
_SIGN_SEED = 2002
_LEAST_SINE = 1e-6
"""Smallest sine of the angle between vectors that do not count as parallel."""


class Level(nn.Module):
    """One level: context network and conditional flow.

    Args:
        config: shape of the level.
        first: whether the level holds the means of the coarsest grid; otherwise details.
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
        assert isinstance(standardize, flows.Standardize)
        standardize.fit(x)
        self.context.fit(condition)

    def forward(self, x: Tensor, condition: Condition, coarse: Tensor | None) -> Tensor:
        """log p(x | condition, coarse) in nats, (B,).

        Args:
            x: (B, C, g, g) means or details.
            condition: of the B photos.
            coarse: (B, 2, g, g) coarser means, None for the first level.
        """
        latent, ladj = self.encode(x, self.context.of_photo(condition), coarse)
        return standard_normal_log_prob(latent) + ladj

    def encode(self, x: Tensor, photo: Tensor, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, C, g, g) -> latent of the same shape and ladj (B,); `photo` is from `of_photo`."""
        return self.flow(x, self.context.of_sample(photo, coarse))

    def decode(self, latent: Tensor, photo: Tensor, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """Undoes `encode`."""
        return self.flow.inverse(latent, self.context.of_sample(photo, coarse))


def level_flow(
    channels: int,
    grid: int,
    context_channels: int,
    *,
    width: int,
    couplings: int,
    bins: int,
    attention: bool,
    dropout: float,
) -> flows.Composition:
    """The flow of one level: standardization, centering by the context, then spline couplings.

    Args:
        channels: C of (B, C, grid, grid), even.
        grid: side of the level's grid.
        context_channels: of the level's context, (B, context_channels, grid, grid).
        width: channels of the networks.
        couplings: how many; each moves half of the numbers.
        bins: pieces of each spline.
        attention: attention networks, and checkerboards in every other pair; otherwise
            convolutions.
        dropout: share of units dropped in training.
    """

    def network(kept: int, out: int) -> nn.Module:
        if attention:
            return flows.AttentionNetwork(kept, context_channels, width, out, dropout=dropout)
        return flows.ConvolutionNetwork(kept, context_channels, width, out, dropout)

    transform = flows.AffineSpline(bins, SPLINE_LIMIT, COUPLING_LOG_SCALE, COUPLING_SHIFT)
    steps = [
        bijection
        for index in range(couplings)
        for bijection in _step(index, channels, grid if attention else None, transform, network)
    ]
    own = flows.ConvolutionNetwork(0, context_channels, width, 2 * channels, dropout)
    center = flows.ContextTransform(channels, own, flows.Affine(MAX_LOG_SCALE))
    return flows.Composition([flows.Standardize(channels), center, *steps])


def _step(
    index: int,
    channels: int,
    board: int | None,
    transform: flows.AffineSpline,
    network: Callable[[int, int], nn.Module],
) -> list[flows.Bijection]:
    """One coupling and the permutation before it; `board` is the side of a checkerboard."""
    partition: flows.Partition
    bijections: list[flows.Bijection] = []
    if board is not None and index % 4 >= 2:
        keep = flows.checkerboard(channels, board, board, keep_even=index % 2 == 0)
        partition = flows.MaskPartition(keep)
    else:
        if index % 4 == 2 or (index % 4 == 0 and index > 0):
            bijections.append(flows.ChannelPermutation(_mixing_order(channels)))
        partition = flows.ChannelPartition(channels, keep_first=index % 2 == 0)
    out = partition.moved_channels * transform.size
    return [
        *bijections,
        flows.Coupling(partition, network(partition.kept_channels, out), transform),
    ]


def _mixing_order(channels: int) -> list[int]:
    """An order that swaps half of each half, so that the next couplings see other pairs."""
    return [*range(0, channels, 2), *range(1, channels, 2)] if channels > 2 else [1, 0]


def sample_latents(shapes: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> list[Tensor]:
    """Standard normal latents of one coloring.

    The latents of a level depend on the level and its seed only, whatever the seeds of the others.

    Args:
        shapes: (C, g, g) of each level, coarse to fine.
        seeds: one a level, each from 0.

    Returns:
        One tensor a level, float32, on the CPU.
    """
    of_seed = {}
    for seed in set(seeds):
        generator = torch.Generator().manual_seed(seed)
        of_seed[seed] = [torch.randn(shape, generator=generator) for shape in shapes]
    return [of_seed[seed][index] for index, seed in enumerate(seeds)]


def signs_of_photo(lightness: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Signs that a photo gives to the latents of the coarse levels.

    Without them one seed gives every photo nearly the same color cast. Each sign is that of a
    random projection of the photo's coarse lightness: different photos agree in half of their
    signs, and a resized or recompressed photo keeps all signs but those whose projection is nearly
    0. Latents times signs are still standard normal.

    Args:
        lightness: (1, 1, h, w) L* of the photo, h and w multiples of 16.
        shapes: (C, g, g) of each level, coarse to fine.

    Returns:
        -1 or 1 for each number of the first `COARSE_LEVELS` levels, 1 for the others.

    Reference: Charikar 2002 (signs of random projections).
    """
    x = F.adaptive_avg_pool2d(lightness.float().cpu(), _SIGN_GRID).flatten().double()
    x = x - x.mean()
    counts = [math.prod(shape) for shape in shapes[:COARSE_LEVELS]]
    projected = _projection(sum(counts)) @ x
    signs = torch.where(projected < 0, -1.0, 1.0).split(counts)
    signed = [own.view(shape) for own, shape in zip(signs, shapes, strict=False)]
    return signed + [torch.ones(shape) for shape in shapes[COARSE_LEVELS:]]


@cache
def _projection(rows: int) -> Tensor:
    """A fixed random matrix (rows, 256)."""
    generator = torch.Generator().manual_seed(_SIGN_SEED)
    return torch.randn(rows, _SIGN_GRID**2, generator=generator, dtype=torch.float64)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Interpolates between two vectors: the direction along the arc, the length linearly.

    Nearly all vectors of D standard normal numbers lie close to the sphere of radius sqrt(D). The
    straight line between two of them leaves it: its middle has the length of a sample at
    temperature 0.7, whose colors are paler than those of either end.

    Two samples of one temperature give a result as long as they are; two temperatures give one
    between them. Parallel and zero vectors are interpolated along the line.

    Args:
        start: any shape, one vector as a whole.
        end: of the same shape.
        share: position between start (0) and end (1).

    Returns:
        Of the same shape; exactly `start` at 0 and exactly `end` at 1.

    Raises:
        ValueError: if `share` is out of range.

    Reference: Shoemake 1985 (interpolation on the sphere); White 2016 (in latent spaces).
    """
    check_range("share", share, 0, 1)
    if share in (0, 1):
        return (end if share else start).clone()
    a, b = start.double(), end.double()
    lengths = float(a.norm()), float(b.norm())
    weights = 1 - share, share
    if min(lengths) > 0:
        cosine = float((a * b).sum()) / (lengths[0] * lengths[1])
        angle = math.acos(max(-1.0, min(1.0, cosine)))
        if math.sin(angle) > _LEAST_SINE:
            length = weights[0] * lengths[0] + weights[1] * lengths[1]
            first, second = (
                length * math.sin(weight * angle) / (math.sin(angle) * own)
                for weight, own in zip(weights, lengths, strict=True)
            )
            weights = first, second
    return (weights[0] * a + weights[1] * b).to(start)
