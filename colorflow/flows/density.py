"""A bijection and a standard normal make a density: log p(x) = log N(f(x)) + log |det Df(x)|.

One flow can be taught the density of another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

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
