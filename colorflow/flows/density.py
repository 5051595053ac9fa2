"""A bijection and a standard normal make a density: log p(x) = log N(f(x)) + log |det Df(x)|.

One flow can be taught the density of another. Dequantization makes a density over continuous
numbers a likelihood of whole ones: a density of v is a distribution of the whole number x by the
mass of its cell, P(x) = the integral of p(x + e) over e in [0, 1)^n. With e sampled from any
q(e | x), Jensen's inequality gives

    log P(x) >= E_q[log p(x + e) - log q(e | x)],

with equality if q(e | x) is proportional to p(x + e). This is no bijection but a stochastic map
with an exact inverse.

Reference: Uria et al. 2013 (RNADE) and Theis et al. 2016 for uniform noise; Ho et al. 2019
(Flow++), section 3.1, for variational.

Dimensions: B samples of n numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from colorflow.flows.contract import Bijection, sum_by_sample


class Flow(nn.Module):
    """The density of x = f^-1(z), z standard normal.

    Args:
        bijection: f, from x to latents.
        latent_shape: of one sample's latents, such as (n,).
    """

    zero: Tensor

    def __init__(self, bijection: Bijection, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.bijection = bijection
        # Knows device and dtype where the bijection has no parameters.
        self.register_buffer("zero", torch.zeros(tuple(latent_shape)), persistent=False)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x | context) in nats, (B,)."""
        z, ladj = self.bijection(x, context)
        if z.shape[1:] != self.zero.shape:
            expected, got = tuple(self.zero.shape), tuple(z.shape[1:])
            raise ValueError(f"latent_shape: expected that of the latents, {got}, got {expected}")
        return standard_normal_log_prob(z) + ladj

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`log_prob`."""
        return self.log_prob(x, context)

    def sample(
        self,
        n: int,
        context: Tensor | None = None,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Returns n samples; sample i is conditioned on row i of the context.

        Args:
            n: how many, the rows of the context if there is one.
            context: (n, ...) or None.
            temperature: std of the latents; 1 is the model itself.
            generator: source of randomness, on the CPU.

        Returns:
            (n, ...) samples on the device and in the dtype of this module.
        """
        z = temperature * self._latents(n, context, generator)
        return self.bijection.inverse(z, context)[0]

    def sample_with_log_prob(
        self,
        n: int,
        context: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns n samples as `sample` does, with their log p in nats, (n,).

        Both are differentiable by the parameters, for expectations under the flow itself.
        """
        z = self._latents(n, context, generator)
        x, ladj = self.bijection.inverse(z, context)
        return x, standard_normal_log_prob(z) - ladj

    def _latents(self, n: int, context: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if context is not None and len(context) != n:
            raise ValueError(f"context: expected {n} rows, got {len(context)}")
        return torch.randn(n, *self.zero.shape, generator=generator).to(self.zero)


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


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) in nats, (B,)."""
    return -0.5 * sum_by_sample(z**2) - 0.5 * z.shape[1:].numel() * math.log(2 * math.pi)


def distillation_loss(
    student: Flow, teacher: Flow, z: Tensor, context: Tensor | None = None
) -> Tensor:
    """log q(x) - log p(x) of samples x = student.bijection.inverse(z), q student, p teacher.

    A flow that samples fast learns the density of one that scores fast. A masked autoregressive
    flow is trained by maximum likelihood, since it scores in one evaluation; its inverse
    autoregressive student, which samples in one evaluation, is then trained on its own samples,
    scored by the teacher. No data are needed.

    The mean over standard normal z is KL(q || p): the loss to minimize, and, on fresh z, an
    unbiased estimate of how far the student still is. Both networks run in their fast direction
    only: the student samples and thereby knows its own density, the teacher scores. Gradients go
    through the samples to the student; the teacher's parameters get none.

    Args:
        student: its `inverse` is the fast direction, such as `Inverse(Autoregressive(...))`.
        teacher: its `forward` is the fast direction, such as `Autoregressive(...)`.
        z: (B, *student.latent_shape) standard normal numbers.
        context: (B, ...) what conditions both flows, or None.

    Returns:
        (B,) in nats.

    Reference: van den Oord et al. 2018 (Parallel WaveNet), section 4.
    """
    x, ladj = student.bijection.inverse(z, context)
    constants = {name: value.detach() for name, value in teacher.named_parameters()}
    score: Tensor = functional_call(teacher, constants, (x, context))
    return standard_normal_log_prob(z) - ladj - score
