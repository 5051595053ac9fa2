"""One level of the chroma pyramid: its context network and its conditional spline flow.

Splines rather than autoregressive flows: docs/experiments.md, "Families at the coarsest level".

Reference: Ardizzone et al. 2019 (cINN); Durkan et al. 2019 (splines).

Dimensions: B photos, g the grid of the level, C its channels (2 means or 6 details).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from colorflow import flows
from colorflow.flows.density import standard_normal_log_prob
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
        latent, ladj = self.flow(x, self.context.of_sample(photo, coarse))
        return latent, ladj

    def decode(self, latent: Tensor, photo: Tensor, coarse: Tensor | None) -> tuple[Tensor, Tensor]:
        """Undoes `encode`."""
        x, ladj = self.flow.inverse(latent, self.context.of_sample(photo, coarse))
        return x, ladj


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
    half = channels // 2
    return list(range(0, channels, 2)) + list(range(1, channels, 2)) if half > 1 else [1, 0]
