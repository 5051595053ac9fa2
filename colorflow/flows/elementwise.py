"""Monotone maps of single numbers, with parameters or without.

An `ElementwiseTransform` has parameters that somebody else computes: a coupling gets them from its
network, an elementwise flow from the context. Each says how many parameters a number needs; all
parameters at zero are the identity. `BoundedRange` and `Logit` have none: they are bijections that
make a bounded range unbounded, so that latents may be any number.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows.contract import Bijection, sum_by_sample


class ElementwiseTransform(ABC):
    """A monotone map of each number x given its parameters.

    Attributes:
        size: parameters a number.
    """

    size: int

    @abstractmethod
    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """x (...) and parameters (..., size) -> z (...) and log dz/dx (...)."""

    @abstractmethod
    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """z (...) and parameters (..., size) -> x (...) and log dx/dz (...)."""


class TransformSequence(ElementwiseTransform):
    """Transforms one after the other; each has its own part of the parameters, in their order.

    Args:
        transforms: in the order of the forward direction.
    """

    def __init__(self, *transforms: ElementwiseTransform) -> None:
        self.transforms = transforms
        self.size = sum(transform.size for transform in transforms)

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(x)
        for transform, own in self._with_parameters(parameters):
            x, term = transform.forward(x, own)
            ladj = ladj + term
        return x, ladj

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(z)
        for transform, own in reversed(self._with_parameters(parameters)):
            z, term = transform.inverse(z, own)
            ladj = ladj + term
        return z, ladj

    def _with_parameters(self, parameters: Tensor) -> list[tuple[ElementwiseTransform, Tensor]]:
        parts = parameters.split([transform.size for transform in self.transforms], -1)
        return list(zip(self.transforms, parts, strict=True))


class Additive(ElementwiseTransform):
    """z = x - shift: volume is kept.

    Reference: Dinh et al. 2015 (NICE).
    """

    size = 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return x - parameters.squeeze(-1), torch.zeros_like(x)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return z + parameters.squeeze(-1), torch.zeros_like(z)


class Affine(ElementwiseTransform):
    """z = (x - shift) * exp(-log_scale), both softly bounded.

    Args:
        max_log_scale: |log_scale| stays below this.
        max_shift: |shift| stays below this.

    Reference: Dinh et al. 2017 (RealNVP); the soft clamp is that of Ardizzone et al. 2019.
    """

    size = 2

    def __init__(self, max_log_scale: float, max_shift: float = math.inf) -> None:
        self.max_log_scale = max_log_scale
        self.max_shift = max_shift

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._read(parameters)
        return (x - shift) * torch.exp(-log_scale), -log_scale

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._read(parameters)
        return z * torch.exp(log_scale) + shift, log_scale

    def _read(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = parameters.unbind(-1)
        if math.isfinite(self.max_shift):
            shift = soft_clamp(shift, self.max_shift)
        return shift, soft_clamp(log_scale, self.max_log_scale)


class BoundedRange(Bijection):
    """z = limit * atanh(x / limit), element by element: near the identity for small x.

    Whatever z is, the inverse lies strictly within (-limit, limit). Elements of x at or beyond
    the limit are taken for the last value within `MARGIN` of it.

    Args:
        limit: half-width of the range of x, in the unit of x.
    """

    MARGIN = 1e-4
    """As a fraction of the limit."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        if not limit > 0:
            raise ValueError(f"limit: expected a number above 0, got {limit}")
        self.limit = limit

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ratio = (x / self.limit).clamp(self.MARGIN - 1, 1 - self.MARGIN)
        return self.limit * torch.atanh(ratio), -sum_by_sample(torch.log1p(-(ratio**2)))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        scaled = z / self.limit
        largest = math.atanh(1 - self.MARGIN)
        ratio = torch.tanh(scaled.clamp(-largest, largest))
        return self.limit * ratio, sum_by_sample(torch.log1p(-(ratio**2)))


class Logit(Bijection):
    """z = logit(alpha + (1 - 2 alpha) x), element by element, for x in [0, 1].

    It is a bijection of the slightly wider (-alpha, 1 - alpha) / (1 - 2 alpha) onto all numbers,
    so samples may lie a little beyond [0, 1]. Elements of x at or beyond the ends of the wider
    range are taken for the last value within `MARGIN` of them.

    Args:
        alpha: distance from 0 and 1 that the argument of the logit keeps, such as 0.05 for
            photos or 1e-6 for digits.

    Reference: Dinh et al. 2017 (RealNVP), section 4.1; in this form Papamakarios et al. 2017.
    """

    MARGIN = 1e-3
    """As a fraction of alpha."""

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha: expected between 0 and 0.5, got {alpha}")
        self.alpha = alpha

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        # 1 - p from 1 - x, which is exact near 1 where 1 minus a rounded p is not.
        log_p, log_rest = self._log_share(x), self._log_share(1 - x)
        ladj = math.log1p(-2 * self.alpha) - log_p - log_rest
        return log_p - log_rest, sum_by_sample(ladj)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = (torch.sigmoid(z) - self.alpha) / (1 - 2 * self.alpha)
        ladj = F.logsigmoid(z) + F.logsigmoid(-z) - math.log1p(-2 * self.alpha)
        return x, sum_by_sample(ladj)

    def _log_share(self, x: Tensor) -> Tensor:
        share = self.alpha + (1 - 2 * self.alpha) * x
        return share.clamp(self.MARGIN * self.alpha, 1).log()


def soft_clamp(x: Tensor, limit: float) -> Tensor:
    """limit * (2 / pi) * atan(pi / 2 * x / limit): slope 1 at zero, within (-limit, limit)."""
    return (limit * 2 / math.pi) * torch.atan(x * (math.pi / 2 / limit))
