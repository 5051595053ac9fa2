"""Dequantization: a density over continuous numbers made a likelihood of whole ones.

A density of v is a distribution of the whole number x by the mass of its cell, P(x) = the
integral of p(x + e) over e in [0, 1)^n. With e sampled from any q(e | x), Jensen's inequality gives

    log P(x) >= E_q[log p(x + e) - log q(e | x)],

with equality if q(e | x) is proportional to p(x + e). This is no bijection but a stochastic map
with an exact inverse; dimensions: B samples of n numbers.

Reference: Uria et al. 2013 (RNADE) and Theis et al. 2016 for uniform noise; Ho et al. 2019
(Flow++), section 3.1, for variational.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import sum_by_sample
from colorflow.flows.density import Flow


class Dequantization(nn.Module, ABC):
    """Spreads whole numbers 0 .. levels - 1 over cells of width 1 / levels.

    The noise keeps clear of the walls of a cell by what rounding could move, so `inverse` is exact
    in the dtype of u; that costs a little of the bound, 2e-4 bits a number for 256 levels in
    float32, and is counted in it.

    Args:
        levels: how many values a number may have, such as 256.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels: expected at least 1, got {levels}")
        self.levels = levels

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Samples u in the cell of x.

        Args:
            x: (B, ...) whole numbers in [0, levels - 1], in an integer or a floating dtype.
            context: (B, ...) what conditions the noise besides x, or None.
            generator: source of randomness, on the CPU.

        Returns:
            u: of the shape of x, in (0, 1), in the dtype of x if that is floating, else float32.
            bound: (B,) nats such that log P(x) >= E[log p(u) + bound] for every density p of u.

        Raises:
            ValueError: if a number is none of the levels, or the dtype cannot tell them apart.
        """
        x = x if x.is_floating_point() else x.to(torch.float32)
        if ((x < 0) | (x > self.levels - 1) | (x != x.round())).any():
            raise ValueError(f"x: expected whole numbers in 0..{self.levels - 1}, got others")
        # Adding, dividing and multiplying again each round by half an eps, relative to levels.
        wall = 2 * self.levels * torch.finfo(x.dtype).eps
        if wall > 0.01:
            raise ValueError(f"x: expected a finer dtype for {self.levels} levels, got {x.dtype}")
        noise, log_q = self.noise(x, context, generator)
        u = (x + wall + (1 - 2 * wall) * noise) / self.levels
        log_width = math.log1p(-2 * wall) - math.log(self.levels)
        return u, x.shape[1:].numel() * log_width - log_q

    def inverse(self, u: Tensor) -> Tensor:
        """The whole number, int64, in whose cell u lies; u beyond [0, 1] counts as its ends."""
        return (u * self.levels).floor().clamp(0, self.levels - 1).long()

    @abstractmethod
    def noise(
        self, x: Tensor, context: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Samples e in [0, 1] of the shape and dtype of x, with log q(e | x) in nats, (B,)."""


class UniformDequantization(Dequantization):
    """Uniform noise: exact for a density that is constant in every cell.

    Args:
        levels: how many values a number may have.

    Reference: Uria et al. 2013 (RNADE); Theis et al. 2016.
    """

    def noise(
        self, x: Tensor, context: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype)
        return noise.to(x.device), x.new_zeros(x.shape[0])


class VariationalDequantization(Dequantization):
    """Noise from a flow that sees x and learns, with p, to fill each cell as p does.

    Maximizing the bound over the parameters of both trains both.

    Args:
        flow: density of the noise before a sigmoid squashes it, samples of the shape of x.
        levels: how many values a number may have.
        context_of_noise: maps (x scaled to (-1, 1), context) to the context of the flow; None
            passes scaled x alone.

    Reference: Ho et al. 2019 (Flow++), section 3.1.
    """

    def __init__(self, flow: Flow, levels: int, context_of_noise: nn.Module | None = None) -> None:
        super().__init__(levels)
        self.flow = flow
        self.context_of_noise = context_of_noise

    def noise(
        self, x: Tensor, context: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        seen = (2 * x + 1) / self.levels - 1
        if self.context_of_noise is not None:
            seen = self.context_of_noise(seen, context)
        y, log_q = self.flow.sample_with_log_prob(len(x), seen, generator=generator)
        log_slope = sum_by_sample(F.logsigmoid(y) + F.logsigmoid(-y))
        return torch.sigmoid(y), log_q - log_slope
